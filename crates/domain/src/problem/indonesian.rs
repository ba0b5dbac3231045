//! Problems in Indonesian: for each code, the rule and what to do.

use super::{Problem, ProblemCode};

/// A problem in Indonesian.
///
/// The message is that of the code. Particulars that only the English message has (a limit, a day, a regulation)
/// follow in the hint.
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
        let (message, advice) = self.code.in_indonesian();
        let mut hint = format!("{advice} Rincian dalam bahasa Inggris: {}", self.message);
        if let Some(more) = &self.hint {
            hint.push(' ');
            hint.push_str(more);
        }
        Indonesian { message, hint }
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
                "NIK dan tanggal lahir tidak cocok. Ini peringatan: data tetap diterima.",
                "Bandingkan tanggal lahir dan NIK dengan KTP.",
            ),
            Self::NationalIdSexMismatch => (
                "NIK dan jenis kelamin tidak cocok. Ini peringatan: data tetap diterima.",
                "Bandingkan jenis kelamin dan NIK dengan KTP.",
            ),
            Self::ServiceNumberMalformed => {
                ("NIP ini tidak benar.", "Salin NIP dari surat keputusan: delapan belas angka.")
            }
            Self::ServiceNumberMismatch => (
                "NIP tidak cocok dengan tanggal lahir, jenis kelamin, atau NIK. Ini peringatan: data tetap diterima.",
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
                "Sampaikan id pendaftaran massal ini kepada pengelola registri, lalu kirim ulang berkasnya setelah diperbaiki.",
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
