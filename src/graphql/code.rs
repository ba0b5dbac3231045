//! The error codes of the registry, beyond those of [`graphql_front::code`].
//!
//! To add a code: a line in the list and one in [`RegistryCode::sentence`]; a status where it is not 200, and
//! `retryable` where waiting helps.

use graphql_front::code::{ErrorCode, Status, StatusCode};
use graphql_front::language::Sentence;

/// Why a field, or a request for a file, has no answer.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray
)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the sentences say what each one means")]
pub enum RegistryCode {
    Forbidden,
    BadId,
    NotFound,
    TooManyIds,
    BadPage,
    BadCursor,
    BadFilter,
    BadIdentifier,
    UnknownCode,
    QuotaExceeded,
    TooManyRequests,
    ReportGone,
    EventsDetached,
}

impl From<RegistryCode> for ErrorCode {
    fn from(code: RegistryCode) -> Self {
        let status = match code {
            RegistryCode::QuotaExceeded | RegistryCode::TooManyRequests => {
                Status::Http(StatusCode::TOO_MANY_REQUESTS)
            }
            RegistryCode::ReportGone => Status::Http(StatusCode::GONE),
            _ => Status::Result,
        };
        let retryable = matches!(code, RegistryCode::QuotaExceeded | RegistryCode::TooManyRequests);
        Self { name: code.into(), status, retryable, sentence: code.sentence() }
    }
}

impl RegistryCode {
    /// Finds a code by its name.
    pub fn find(name: &str) -> Option<ErrorCode> {
        name.parse::<Self>().ok().map(ErrorCode::from)
    }

    /// Returns what it says to people, without the particulars of one request.
    pub const fn sentence(self) -> Sentence {
        let (english, indonesian) = match self {
            Self::Forbidden => ("Your role does not allow this.", "Peran Anda tidak mengizinkan hal ini."),
            Self::BadId => (
                "This is not an id of this API. Send an id exactly as the API returned it.",
                "Ini bukan id dari API ini. Kirim id persis seperti yang diberikan oleh API.",
            ),
            Self::NotFound => (
                "There is nothing with this id that you may see.",
                "Tidak ada apa pun dengan id ini yang boleh Anda lihat.",
            ),
            Self::TooManyIds => ("Request at most 100 ids at once.", "Minta paling banyak 100 id sekaligus."),
            Self::BadPage => (
                "The page size is invalid: see `first` and `last`.",
                "Ukuran halaman tidak benar: lihat `first` dan `last`.",
            ),
            Self::BadCursor => (
                "This is not a cursor that this list gave.",
                "Ini bukan kursor yang diberikan oleh daftar ini.",
            ),
            Self::BadFilter => ("The filter is invalid.", "Penyaring (filter) tidak benar."),
            Self::BadIdentifier => {
                ("This is not a valid number of its kind.", "Nomor ini tidak sesuai jenisnya.")
            }
            Self::UnknownCode => ("Nothing has this code.", "Tidak ada yang memiliki kode ini."),
            Self::QuotaExceeded => (
                "Too many lookups matched nobody you can see. Try again after the time in Retry-After.",
                "Terlalu banyak pencarian tidak menemukan orang yang boleh Anda lihat. Coba lagi setelah waktu pada Retry-After.",
            ),
            Self::TooManyRequests => (
                "Too many requests. Try again after the time in Retry-After.",
                "Terlalu banyak permintaan untuk saat ini. Coba lagi setelah waktu pada Retry-After.",
            ),
            Self::EventsDetached => (
                "Older events are kept outside the register, and the answer needs them. The operator can attach them again.",
                "Kejadian lama disimpan di luar registri, sedangkan jawaban memerlukannya. Pengelola registri dapat memasangnya kembali.",
            ),
            Self::ReportGone => (
                "The rows of this batch are no longer kept, nor is the report. Its counts and outcomes are.",
                "Baris pendaftaran kolektif ini tidak disimpan lagi, begitu pula laporannya. Jumlah dan hasilnya tetap ada.",
            ),
        };
        Sentence { english, indonesian }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use graphql_front::code::Code;
    use strum::VariantArray as _;

    use super::*;

    #[test]
    fn every_code_has_a_name_and_sentences_of_its_own() {
        let own = RegistryCode::VARIANTS.iter().map(|&code| ErrorCode::from(code));
        let all: Vec<_> = own.chain(Code::VARIANTS.iter().map(|&code| code.into())).collect();
        let count = |part: fn(&ErrorCode) -> &'static str| all.iter().map(part).collect::<HashSet<_>>().len();
        assert_eq!(count(|code| code.name), all.len());
        assert_eq!(count(|code| code.sentence.english), all.len());
        assert_eq!(count(|code| code.sentence.indonesian), all.len());
        for &code in RegistryCode::VARIANTS {
            let Sentence { english, indonesian } = code.sentence();
            assert!(english.ends_with('.') && indonesian.ends_with('.'), "{code}");
        }
    }
}
