//! Provinces: their codes, names and periods of existence.

use chrono::NaiveDate;

/// A province by the code book of the Ministry of Home Affairs (Kemendagri).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Province {
    /// Internal id: the numeric value of the code.
    pub id: i16,
    /// Code of two digits.
    pub code: String,
    /// ISO 3166-2 code, such as `ID-SS`.
    pub iso_code: String,
    /// First day, or `None` if it is older than anything registered here.
    pub valid_from: Option<NaiveDate>,
    /// Last day, or `None` if it exists today.
    pub valid_until: Option<NaiveDate>,
    /// Province that it was split from.
    pub predecessor: Option<i16>,
    /// Names and capitals, oldest first; never empty.
    pub editions: Vec<ProvinceEdition>,
}

/// Name and capital of a province during a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvinceEdition {
    /// Name in Indonesian.
    pub name: String,
    /// Name in English.
    pub name_en: String,
    /// Capital.
    pub capital: String,
    /// Last day, or `None` for the current edition.
    pub valid_until: Option<NaiveDate>,
}

/// The abbreviations and short names in common use, by code: letters only, in lower case. None means two provinces.
const SHORT_NAMES: [(&str, &str); 25] = [
    ("11", "nad nanggroeacehdarussalam"),
    ("12", "sumut"),
    ("13", "sumbar"),
    ("16", "sumsel"),
    ("19", "babel kepbabel bangka bangkabelitung kepbangkabelitung"),
    ("21", "kepri kepriau"),
    ("31", "dki jakarta dkj dkijkt"),
    ("32", "jabar"),
    ("33", "jateng"),
    ("34", "diy yogyakarta jogjakarta jogja yogya daerahistimewayogyakarta"),
    ("35", "jatim"),
    ("52", "ntb"),
    ("53", "ntt"),
    ("61", "kalbar"),
    ("62", "kalteng"),
    ("63", "kalsel"),
    ("64", "kaltim"),
    ("65", "kaltara"),
    ("71", "sulut"),
    ("72", "sulteng"),
    ("73", "sulsel"),
    ("74", "sultra"),
    ("76", "sulbar"),
    ("82", "malut"),
    ("92", "pabar"),
];

impl Province {
    /// Returns whether a text is the code of the province, one of its names or a common abbreviation (`Sumsel`, `DKI`).
    /// Case, marks and the word `Provinsi` do not matter.
    pub fn is_named(&self, text: &str) -> bool {
        let letters = |text: &str| -> String {
            text.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect()
        };
        if text.trim() == self.code {
            return true;
        }
        let name = letters(text);
        if name.is_empty() || text.chars().any(|c| c.is_ascii_digit()) {
            return false;
        }
        let name = ["provinsi", "propinsi", "prov", "prop"]
            .iter()
            .find_map(|word| name.strip_prefix(word))
            .unwrap_or(&name);
        let short = SHORT_NAMES.iter().find(|(code, _)| *code == self.code);
        self.editions
            .iter()
            .any(|edition| name == letters(&edition.name) || name == letters(&edition.name_en))
            || short.is_some_and(|(_, names)| names.split(' ').any(|short| short == name))
    }

    /// Returns whether the province existed on a day.
    pub fn exists_on(&self, day: NaiveDate) -> bool {
        self.valid_from.is_none_or(|from| from <= day) && self.valid_until.is_none_or(|until| day <= until)
    }

    /// Returns name and capital on a day; after the last edition, the last one.
    pub fn edition_on(&self, day: NaiveDate) -> &ProvinceEdition {
        self.editions
            .iter()
            .find(|edition| edition.valid_until.is_none_or(|until| day <= until))
            .or_else(|| self.editions.last())
            .expect("the reference data is refused without an edition for each province")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn province(code: &str, name: &str, name_en: &str) -> Province {
        let edition = ProvinceEdition {
            name: name.into(),
            name_en: name_en.into(),
            capital: String::new(),
            valid_until: None,
        };
        Province {
            id: code.parse().unwrap(),
            code: code.into(),
            iso_code: String::new(),
            valid_from: None,
            valid_until: None,
            predecessor: None,
            editions: vec![edition],
        }
    }

    #[test]
    fn a_province_is_named_by_code_name_and_common_abbreviation() {
        let south_sumatra = province("16", "Sumatera Selatan", "South Sumatra");
        for text in [
            "16",
            " 16 ",
            "SUMATERA SELATAN",
            "Sumatera-Selatan",
            "south sumatra",
            "Sumsel",
            "SUM-SEL",
            "Prov. Sumsel",
            "Provinsi Sumatera Selatan",
        ] {
            assert!(south_sumatra.is_named(text), "{text}");
        }
        for text in ["", "-", "1", "17", "Sumatera", "Sumut", "Sumsel 2", "Provinsi"] {
            assert!(!south_sumatra.is_named(text), "{text}");
        }
        let bangka = province("19", "Kepulauan Bangka Belitung", "Bangka Belitung Islands");
        assert!(["Bangka", "Babel", "Kep. Bangka Belitung"].iter().all(|text| bangka.is_named(text)));
        let jakarta = province("31", "DKI Jakarta", "Jakarta");
        assert!(["DKI", "D.K.I. Jakarta", "jakarta"].iter().all(|text| jakarta.is_named(text)));
    }

    #[test]
    fn each_abbreviation_means_one_province() {
        let mut seen = HashSet::new();
        for name in SHORT_NAMES.iter().flat_map(|(_, names)| names.split(' ')) {
            assert!(seen.insert(name) && name.bytes().all(|byte| byte.is_ascii_lowercase()), "{name}");
        }
    }
}
