//! Invented names of people and organisations, made of common words.

use super::random::Random;
use domain::employer::OrganisationName;
use domain::participant::{FullName, Sex};

#[rustfmt::skip]
const MEN: &[&str] = &[
    "Abdul", "Ade", "Agung", "Agus", "Ahmad", "Andi", "Arif", "Asep", "Bagus", "Bambang", "Budi", "Dadang", "Dedi",
    "Deni", "Didik", "Dwi", "Eko", "Fajar", "Feri", "Gede", "Hadi", "Hasan", "Hendra", "Heru", "Imam", "Irfan", "Iwan",
    "Joko", "Ketut", "Kurniawan", "Lukman", "M.", "Made", "Muhammad", "Nanang", "Nurdin", "Nyoman", "Rahmat", "Ridwan",
    "Rizki", "Rudi", "Samsul", "Slamet", "Sugeng", "Suryadi", "Syamsul", "Teguh", "Ujang", "Usman", "Wahyu", "Wayan",
    "Yohanes", "Yudi", "Yulius", "Zainal", "Zulkifli",
];
#[rustfmt::skip]
const WOMEN: &[&str] = &[
    "Ade", "Ai", "Ani", "Anita", "Asih", "Ayu", "Desi", "Dewi", "Dian", "Dwi", "Eka", "Elis", "Endang", "Erna", "Evi",
    "Fatimah", "Fitri", "Hartati", "Ida", "Indah", "Kartini", "Lestari", "Lilis", "Lina", "Maria", "Maya", "Mega",
    "Neneng", "Ni Luh", "Novi", "Nur", "Nurhayati", "Puspita", "Ratna", "Rina", "Rini", "Rohani", "Rosdiana", "Sari",
    "Siti", "Sri", "Sulastri", "Sumiati", "Susanti", "Titin", "Tri", "Tuti", "Umi", "Wahyuni", "Wati", "Yanti", "Yuli",
    "Yuliana", "Yuni", "Zubaidah",
];
#[rustfmt::skip]
const FAMILY: &[&str] = &[
    "Abdullah", "Aditya", "Alamsyah", "Anwar", "Arifin", "Aritonang", "Azhari", "Basri", "Cahyono", "Damanik",
    "Efendi", "Fauzi", "Firdaus", "Ginting", "Gunawan", "Hakim", "Halim", "Handayani", "Harahap", "Harianto",
    "Hartono", "Hasan", "Hasibuan", "Hidayat", "Ibrahim", "Irawan", "Ismail", "Jaya", "Kurnia", "Kusuma", "Lubis",
    "Mahmud", "Manurung", "Marlina", "Maulana", "Mulyani", "Mulyono", "Nasution", "Nugraha", "Nugroho", "Pangaribuan",
    "Permana", "Pohan", "Prabowo", "Pranata", "Prasetyo", "Pratama", "Purnama", "Purwanto", "Putra", "Putri",
    "Rahayu", "Rahman", "Ramadhan", "Rumbiak", "Sanjaya", "Santoso", "Saputra", "Setiawan", "Siahaan", "Simanjuntak",
    "Sinaga", "Siregar", "Suharto", "Sulaiman", "Suparman", "Supriadi", "Suryana", "Susanto", "Susilo", "Sutrisno",
    "Syahputra", "Tambunan", "Tanjung", "Utama", "Utami", "Wenda", "Wibowo", "Widodo", "Wijaya", "Wulandari",
    "Yulianto", "Yusuf", "Zakaria",
];
const TITLES: &[&str] = &[", S.E.", ", S.Pd.", ", S.H.", ", S.Kep.", ", S.T.", ", A.Md.", ", S.H., M.Si."];

const COMPANY_FIRST_WORDS: &[&str] = &[
    "Anugerah", "Bahari", "Bina", "Cahaya", "Cipta", "Citra", "Duta", "Gema", "Graha", "Indo", "Karya",
    "Kencana", "Mega", "Mitra", "Multi", "Nusa", "Panca", "Prima", "Putra", "Sarana", "Sentosa", "Sinar",
    "Sumber", "Surya", "Tirta", "Tri", "Tunas", "Wahana",
];
const COMPANY_SECOND_WORDS: &[&str] = &[
    "Abadi",
    "Agung",
    "Bersama",
    "Gemilang",
    "Jaya",
    "Lestari",
    "Makmur",
    "Mandiri",
    "Mulia",
    "Nusantara",
    "Perkasa",
    "Persada",
    "Pratama",
    "Raya",
    "Rejeki",
    "Sakti",
    "Sejahtera",
    "Sejati",
    "Semesta",
    "Utama",
    "Wijaya",
];

/// Returns the name of a person, of one to four words. One in twenty has a degree.
pub(super) fn person(random: &mut Random, sex: Sex) -> String {
    let given = match sex {
        Sex::Male => MEN,
        Sex::Female => WOMEN,
    };
    let mut name = String::with_capacity(40);
    name.push_str(word(random, given));
    // Many Indonesians have a single name. `M.` is short for Muhammad and needs another one.
    let family = if random.percent(6) && !name.ends_with('.') { 0 } else { random.between(1, 2) };
    for _ in 0..family {
        let word = word(random, FAMILY);
        if !name.ends_with(word) {
            name.push(' ');
            name.push_str(word);
        }
    }
    if random.percent(5) {
        name.push_str(word(random, TITLES));
    }
    name
}

/// Returns the name of a company in a town. It is marked as an example, because real companies use the same words.
pub(super) fn company(random: &mut Random, town: &str) -> String {
    let form = random.weighted(&[("PT", 70), ("CV", 25), ("UD", 5)]);
    format!(
        "{form} {} {} {town} (contoh)",
        word(random, COMPANY_FIRST_WORDS),
        word(random, COMPANY_SECOND_WORDS)
    )
}

/// Parses the name of a person as the registry does.
pub(super) fn full_name(text: &str) -> FullName {
    FullName::parse(text, "fullName").expect("the words of the lists are names")
}

/// Parses the name of an employer, association or channel as the registry does. Returns the name and its search key.
pub(super) fn organisation(text: &str) -> (String, String) {
    let name = OrganisationName::parse(text, "name").expect("the words of the lists are names");
    (name.as_str().to_owned(), name.key())
}

fn word(random: &mut Random, list: &'static [&'static str]) -> &'static str {
    random.pick(list).expect("the lists are not empty")
}
