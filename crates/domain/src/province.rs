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

impl Province {
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
