//! Problems in Indonesian: for each code, the rule and what to do.

use super::{NOT_PEOPLE, Problem, ProblemCode, Severity, TOO_MANY_OPEN, WAGE_FROM_ONE_COLUMN};

/// A problem in Indonesian.
///
/// The message is that of the code, or of a situation in which that of the code would be wrong. Particulars that only the
/// English message has (a limit, a day, a regulation) follow in the hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indonesian {
    /// What is wrong.
    pub message: &'static str,
    /// What to do, followed by the English particulars.
    pub hint: String,
}

impl Problem {
    /// Returns the problem for readers of Indonesian.
    pub fn in_indonesian(&self) -> Indonesian {
        let (message, advice) = self.sentences_in_indonesian();
        let mut hint = format!("{advice} Rincian dalam bahasa Inggris: {}", self.message);
        if let Some(more) = &self.hint {
            hint.push(' ');
            hint.push_str(more);
        }
        Indonesian { message, hint }
    }

    /// Returns the message for readers of Indonesian.
    pub fn message_in_indonesian(&self) -> &'static str {
        self.sentences_in_indonesian().0
    }

    /// Returns the message and the advice: those of the code, except where they would say something false.
    fn sentences_in_indonesian(&self) -> (&'static str, &'static str) {
        let field = self.path.last().map_or("", String::as_str);
        match (self.code, self.severity, field) {
            (_, Severity::Warning, "file") if self.message.starts_with(NOT_PEOPLE) => (
                "Beberapa baris bukan data orang dan dilewati.",
                "Jika salah satunya data orang, lengkapi nomornya lalu kirim berkas lagi.",
            ),
            (_, Severity::Warning, "file") if self.message.starts_with(WAGE_FROM_ONE_COLUMN) => (
                "Upah dibaca dari satu kolom, padahal di sampingnya ada kolom tunjangan tetap atau jumlah upah. Iuran \
                 mungkin terlalu rendah.",
                "Dasar iuran adalah upah pokok dan tunjangan tetap. Jika belum termasuk, tulis jumlahnya dalam satu kolom \
                 UPAH, hapus kolom upah yang lain, lalu kirim berkas lagi.",
            ),
            (ProblemCode::Conflict, ..) if self.message.ends_with(TOO_MANY_OPEN) => (
                "Terlalu banyak pendaftaran kolektif Anda yang belum selesai.",
                "Mintakan persetujuan atas rencana yang menunggu, atau batalkan yang tidak diperlukan, lalu kirim lagi.",
            ),
            (ProblemCode::Required, Severity::Warning, "programmes") => (
                "Program wajib bagi ukuran usaha ini belum lengkap.",
                "Tambahkan program yang disebut dalam rincian. Orang ini tetap didaftarkan.",
            ),
            (ProblemCode::OutOfRange, Severity::Warning, "startsOn") => (
                "Hari pertama ini sesudah bulan daftar.",
                "Periksa tanggalnya. Untuk bulan daftar ini tidak ada iuran orang ini.",
            ),
            (ProblemCode::AlreadyEnrolled, Severity::Warning, "startsOn") => (
                "Kepesertaan orang ini sudah berakhir.",
                "Jika orang ini bekerja kembali, isi hari pertamanya (TMT). Jika tidak, hapus baris ini.",
            ),
            (ProblemCode::NotEligible, Severity::Warning, "leavingReason") => (
                "Sebab ini tidak mengakhiri kepesertaan; orang ini tetap terdaftar.",
                "Jika orang ini keluar, isi sebab keluarnya.",
            ),
            (ProblemCode::NotEligible, Severity::Error, "leavingReason") => (
                "Kematian tidak dicatat lewat daftar; laporkan ke kantor cabang.",
                "Hapus baris ini dari daftar setelah kematiannya dilaporkan.",
            ),
            _ => self.code.in_indonesian(),
        }
    }
}

impl ProblemCode {
    /// Returns the message and the advice of the code.
    pub const fn in_indonesian(self) -> (&'static str, &'static str) {
        match self {
            Self::Required => ("Isian ini wajib ada dan tidak boleh kosong.", "Lengkapi isian ini."),
            Self::InvalidFormat => (
                "Isian ini tidak dalam bentuk yang diminta.",
                "Tulis dalam bentuk yang disebut dalam rincian, tanpa karakter yang tidak terlihat.",
            ),
            Self::OutOfRange => (
                "Nilai ini terlalu kecil, terlalu besar, terlalu awal, terlalu akhir, atau terlalu panjang.",
                "Isi nilai yang berada di dalam batas.",
            ),
            Self::NotFound => {
                ("Tidak ada data dengan kode atau id ini.", "Periksa kode atau id, lalu kirim yang benar.")
            }
            Self::Conflict => (
                "Isian ini bertentangan dengan data di registri atau dengan bagian lain dari permintaan.",
                "Samakan isian dengan data yang benar.",
            ),
            Self::OutOfScope => (
                "Data ini di luar wewenang Anda.",
                "Pilih yang termasuk wewenang Anda, atau hubungi pengelola registri.",
            ),
            Self::IdempotencyKeyReused => (
                "Kunci idempotensi (idempotencyKey) ini sudah dipakai untuk isian yang lain. Tidak ada yang diubah.",
                "Pakai kunci baru untuk isian baru; pakai kunci lama hanya untuk mengirim ulang isian yang sama.",
            ),
            Self::NationalIdMalformed => (
                "NIK ini tidak benar.",
                "Salin NIK dari KTP atau kartu keluarga: enam belas angka, tanpa spasi.",
            ),
            Self::NationalIdUnknownRegion => (
                "NIK diawali kode wilayah yang tidak ada dalam daftar wilayah mana pun.",
                "Periksa enam angka pertama NIK pada KTP.",
            ),
            Self::NationalIdBirthMismatch => (
                "NIK dan tanggal lahir tidak cocok. Hal ini saja tidak membuat data ditolak.",
                "Bandingkan tanggal lahir dan NIK dengan KTP.",
            ),
            Self::NationalIdSexMismatch => (
                "NIK dan jenis kelamin tidak cocok. Hal ini saja tidak membuat data ditolak.",
                "Bandingkan jenis kelamin dan NIK dengan KTP.",
            ),
            Self::ServiceNumberMalformed => {
                ("NIP ini tidak benar.", "Salin NIP dari surat keputusan: delapan belas angka.")
            }
            Self::ServiceNumberMismatch => (
                "NIP tidak cocok dengan tanggal lahir, jenis kelamin, atau NIK. Hal ini saja tidak membuat data ditolak.",
                "Bandingkan NIP dengan surat keputusan dan KTP.",
            ),
            Self::ServiceNumberOldFormat => (
                "NIP ini memakai bentuk lama sembilan angka, sebelum tahun 2007.",
                "Kirim NIP baru dengan delapan belas angka.",
            ),
            Self::TaxNumberMalformed => {
                ("NPWP ini tidak benar.", "Salin NPWP dari kartu NPWP: lima belas atau enam belas angka.")
            }
            Self::BusinessNumberMalformed => {
                ("NIB ini tidak benar.", "Salin NIB dari dokumen perizinan: tiga belas angka.")
            }
            Self::IdentifierDamagedBySpreadsheet => (
                "Lembar kerja telah membulatkan nomor ini atau menuliskannya sebagai 1.67E+15.",
                "Ubah kolom menjadi teks, isi kembali nomor dari sumbernya, lalu simpan.",
            ),
            Self::DuplicateInRequest => (
                "Baris lain dalam permintaan yang sama memuat nomor yang sama.",
                "Hapus salah satu baris, atau perbaiki nomornya.",
            ),
            Self::AlreadyEnrolled => (
                "Orang ini sudah terdaftar dalam kepesertaan ini, atau pernah terdaftar pada tanggal mulai yang sama.",
                "Tidak perlu mendaftarkan lagi; bila orang ini bekerja kembali, isi tanggal mulai yang baru.",
            ),
            Self::IdentityMismatch => (
                "Registri menyimpan nomor ini dengan data diri yang lain.",
                "Bandingkan nama dan tanggal lahir dengan KTP; bila benar, hubungi kantor cabang.",
            ),
            Self::ProgrammeNotInForce => (
                "Program ini belum atau tidak lagi berlaku pada tanggal tersebut.",
                "Pilih tanggal mulai saat program berlaku.",
            ),
            Self::NotEligible => (
                "Peraturan tidak mengizinkan kepesertaan ini bagi orang tersebut.",
                "Baca peraturan yang disebut dalam rincian.",
            ),
            Self::ChannelClosed => {
                ("Kanal ini tidak buka pada hari tersebut.", "Pilih kanal yang buka pada hari itu.")
            }
            Self::MissingColumns => (
                "Berkas tidak memuat semua kolom yang diperlukan.",
                "Tambahkan kolom yang disebut dalam rincian ke baris judul.",
            ),
            Self::DuplicateFile => (
                "Berkas yang sama dari pembayar ini sudah pernah diterima.",
                "Bandingkan dengan pendaftaran yang terdahulu. Jika daftarnya sama, batalkan yang ini.",
            ),
            Self::WageProrated => (
                "Upah ini adalah upah untuk sebagian bulan.",
                "Laporkan upah sebulan penuh, juga untuk bulan masuk dan bulan keluar.",
            ),
            Self::WageFalls => (
                "Upah ini turun lebih dari batas yang wajar.",
                "Bandingkan dengan daftar gaji. Jika benar, tidak ada yang perlu diperbaiki.",
            ),
            Self::AlreadyRetracted => (
                "Kejadian ini sudah dibatalkan. Tidak ada yang diubah.",
                "Tidak perlu membatalkan lagi; lihat riwayat peserta.",
            ),
            Self::NotRetractable => (
                "Kejadian ini tidak dapat dibatalkan tersendiri.",
                "Lakukan yang disebut dalam rincian sebagai gantinya.",
            ),
            Self::ContradictedByLaterEvent => (
                "Kejadian lain yang dicatat kemudian bertentangan dengan pembatalan ini.",
                "Batalkan dahulu kejadian yang disebut dalam rincian, bila itu pun salah.",
            ),
            Self::Internal => (
                "Kesalahan pada sistem registri menghalangi pemrosesan ini. Yang sudah tersimpan tetap tersimpan.",
                "Sampaikan id pendaftaran kolektif ini kepada pengelola registri, lalu kirim ulang berkasnya setelah diperbaiki.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use strum::VariantArray as _;

    use super::*;

    #[test]
    fn every_code_says_in_indonesian_which_rule_it_is_and_what_to_do() {
        let mut sentences = HashSet::new();
        for &code in ProblemCode::VARIANTS {
            let (message, advice) = code.in_indonesian();
            assert!(message.ends_with('.') && advice.ends_with('.'), "{code}");
            assert!(
                sentences.insert(message) && sentences.insert(advice),
                "{code} repeats a sentence of another code"
            );
        }
    }

    #[test]
    fn a_sentence_that_would_be_false_in_a_situation_is_another_one_there() {
        let message = |problem: Problem| problem.within(&["rows", "0"]).in_indonesian().message;
        let left_out = format!("{NOT_PEOPLE} (1): 5.");
        let wage = format!("{WAGE_FROM_ONE_COLUMN} UPAH POKOK.");
        let open = format!("20 {TOO_MANY_OPEN}");
        for (problem, beginning) in [
            (Problem::error(ProblemCode::Conflict, "fileName", open), "Terlalu banyak pendaftaran"),
            (Problem::error(ProblemCode::Conflict, "fileName", ""), "Isian ini bertentangan"),
            (Problem::warning(ProblemCode::InvalidFormat, "file", left_out.clone()), "Beberapa baris bukan"),
            (Problem::error(ProblemCode::InvalidFormat, "file", left_out), "Isian ini tidak dalam bentuk"),
            (Problem::warning(ProblemCode::InvalidFormat, "file", "Dates"), "Isian ini tidak dalam bentuk"),
            (Problem::warning(ProblemCode::Conflict, "file", wage), "Upah dibaca dari satu kolom"),
            (Problem::warning(ProblemCode::Required, "programmes", ""), "Program wajib bagi"),
            (Problem::error(ProblemCode::Required, "programmes", ""), "Isian ini wajib ada"),
            (Problem::warning(ProblemCode::NotEligible, "leavingReason", ""), "Sebab ini tidak mengakhiri"),
            (Problem::error(ProblemCode::NotEligible, "leavingReason", ""), "Kematian tidak dicatat"),
            (Problem::error(ProblemCode::NotEligible, "startsOn", ""), "Peraturan tidak mengizinkan"),
        ] {
            assert_eq!(problem.message_in_indonesian(), problem.in_indonesian().message);
            let said = message(problem);
            assert!(said.starts_with(beginning), "{said}");
        }
    }

    #[test]
    fn the_particulars_of_the_english_message_are_kept() {
        let problem =
            Problem::error(ProblemCode::OutOfRange, "wage", "This is more than 100.").hint("See rule 7.");
        let Indonesian { message, hint } = problem.in_indonesian();
        assert!(message.starts_with("Nilai ini terlalu kecil"), "{message}");
        assert!(
            hint.starts_with("Isi nilai") && hint.ends_with("This is more than 100. See rule 7."),
            "{hint}"
        );
    }
}
