//! One row of a roster, before it is judged.

use serde::{Deserialize, Serialize};

use crate::cell;
use crate::problem::Problem;

/// One row as the source has it: text, however a spreadsheet wrote it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// NIK.
    pub national_id: String,
    /// NIP.
    pub service_number: String,
    /// NAMA.
    pub full_name: String,
    /// TEMPAT LAHIR. Rosters have it; it is not kept.
    pub birth_place: Option<String>,
    /// TANGGAL LAHIR.
    pub birth_date: String,
    /// JENIS KELAMIN.
    pub sex: String,
    /// UNIT KERJA.
    pub work_unit: Option<String>,
    /// GOLONGAN.
    pub grade: Option<String>,
    /// GAJI POKOK.
    pub monthly_wage: Option<String>,
    /// TMT.
    pub starts_on: Option<String>,
    /// NO HP.
    pub phone: Option<String>,
    /// STATUS KEPEGAWAIAN, where a file says of each row what it says of all. Not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Why nothing of the row could be read; then it says nothing else.
    #[serde(skip)]
    pub fault: Option<Problem>,
}

redacted_debug!(Row);

/// The fields of a [`Row`], in the order in which [`StagedRow`] names their cells.
pub const FIELDS: [&str; 12] = [
    "nationalId",
    "serviceNumber",
    "fullName",
    "birthPlace",
    "birthDate",
    "sex",
    "workUnit",
    "grade",
    "monthlyWage",
    "startsOn",
    "phone",
    "category",
];
/// So many of them are fields of the API; the others are in files only.
const OF_REQUEST: usize = 11;

/// The names of the cells of a row that came in a request.
pub fn fields_of_request() -> Vec<String> {
    FIELDS[..OF_REQUEST].iter().map(|&name| name.to_owned()).collect()
}

impl Row {
    /// The fields in which stands what a spreadsheet shows for a formula that failed.
    pub(super) fn failed_cells(&self) -> Vec<&'static str> {
        let texts = [
            Some(&self.national_id),
            Some(&self.service_number),
            Some(&self.full_name),
            self.birth_place.as_ref(),
            Some(&self.birth_date),
            Some(&self.sex),
            self.work_unit.as_ref(),
            self.grade.as_ref(),
            self.monthly_wage.as_ref(),
            self.starts_on.as_ref(),
            self.phone.as_ref(),
            self.category.as_ref(),
        ];
        let fields = FIELDS.into_iter().zip(texts);
        let failed = fields.filter(|(_, text)| text.is_some_and(|text| cell::is_spreadsheet_error(text)));
        failed.map(|(field, _)| field).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrollment::PersonForm;

    #[test]
    fn a_row_shows_nothing_of_itself_in_a_log() {
        let row = Row { national_id: "1671010208850001".into(), full_name: "Budi".into(), ..Row::default() };
        let form = PersonForm { national_id: row.national_id.clone(), ..PersonForm::default() };
        assert_eq!(format!("{row:?} {form:?}"), "Row(redacted) PersonForm(redacted)");
    }
}
