//! Provinces: their codes, and on which days they existed under which name.

use chrono::NaiveDate;

/// A province as the Ministry of Home Affairs (Kemendagri) numbers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Province {
    /// Internal id: the number that the code spells.
    pub id: i16,
    /// Two digits.
    pub code: String,
    /// ISO 3166-2, `ID-SS`.
    pub iso_code: String,
    /// First day; `None`: before anything this registry has to know.
    pub valid_from: Option<NaiveDate>,
    /// Last day; `None`: exists today.
    pub valid_until: Option<NaiveDate>,
    /// The province that it was carved out of.
    pub predecessor: Option<i16>,
    /// Names and capitals, oldest first; never empty.
    pub editions: Vec<ProvinceEdition>,
}

/// What a province was called and where it was governed from, for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvinceEdition {
    /// Name in Indonesian.
    pub name: String,
    /// Name in English.
    pub name_en: String,
    /// Seat of the provincial government.
    pub capital: String,
    /// Last day; `None`: holds today.
    pub valid_until: Option<NaiveDate>,
}

impl Province {
    /// Did the province exist on that day?
    pub fn exists_on(&self, day: NaiveDate) -> bool {
        self.valid_from.is_none_or(|from| from <= day) && self.valid_until.is_none_or(|until| day <= until)
    }

    /// Name and capital on that day; of a day after the last edition, the last one.
    pub fn edition_on(&self, day: NaiveDate) -> &ProvinceEdition {
        self.editions
            .iter()
            .find(|edition| edition.valid_until.is_none_or(|until| day <= until))
            .or_else(|| self.editions.last())
            .expect("the reference data is refused without an edition for each province")
    }
}
