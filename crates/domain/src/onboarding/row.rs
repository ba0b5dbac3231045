//! A row of a roster before it is judged.

use serde::{Deserialize, Serialize};

use crate::cell;
use crate::problem::Problem;

/// A row as text, as in the source.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// NIK.
    pub national_id: String,
    /// NIP.
    pub service_number: String,
    /// NAMA.
    pub full_name: String,
    /// TEMPAT LAHIR. Accepted because rosters have it; not stored.
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
    /// STATUS KEPEGAWAIAN, if the file has it. Compared with the category of the batch; not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// NO PASPOR, of a foreigner without a NIK.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passport_number: Option<String>,
    /// BLTH, in a monthly list: the month of the row. Compared with the month of the list; not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub month: Option<String>,
    /// HARI TERAKHIR, in a monthly list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_day: Option<String>,
    /// SEBAB KELUAR, in a monthly list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaving_reason: Option<String>,
    /// PROVINSI, in a monthly list: where the person lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub province: Option<String>,
    /// Problem of a row that could not be read at all; the other fields are empty then.
    #[serde(skip)]
    pub fault: Option<Problem>,
}

redacted_debug!(Row);

/// The fields of a [`Row`], in the order of the cells of a [`StagedRow`](super::StagedRow).
pub const FIELDS: [&str; 17] = [
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
    "passportNumber",
    "month",
    "lastDay",
    "leavingReason",
    "province",
];

/// The fields that occur in files only.
const FILE_FIELDS: [&str; 5] = ["category", "month", "lastDay", "leavingReason", "province"];

/// Returns the names of the cells of a row of a request. Its category is that of all rows.
pub fn fields_of_request() -> Vec<String> {
    FIELDS.iter().filter(|name| !FILE_FIELDS.contains(name)).map(|&name| name.to_owned()).collect()
}

/// Returns whether a row is enrolled without the value of this field, if it cannot be read. A first day and a wage may be missing,
/// but an unreadable one refuses the row: cover and contributions would be others than the roster says.
pub(super) fn is_optional(field: &str) -> bool {
    ["birthPlace", "workUnit", "grade", "phone", "category"].contains(&field)
}

impl Row {
    /// Returns the row without some of its optional fields.
    pub(super) fn without(&self, fields: &[&str]) -> Self {
        let mut row = self.clone();
        for (field, text) in [
            ("birthPlace", &mut row.birth_place),
            ("workUnit", &mut row.work_unit),
            ("grade", &mut row.grade),
            ("phone", &mut row.phone),
            ("category", &mut row.category),
        ] {
            text.take_if(|_| fields.contains(&field));
        }
        row
    }

    /// Returns the fields that contain a spreadsheet error.
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
            self.passport_number.as_ref(),
            self.month.as_ref(),
            self.last_day.as_ref(),
            self.leaving_reason.as_ref(),
            self.province.as_ref(),
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
    fn a_row_is_redacted_in_a_log() {
        let row = Row { national_id: "1671010208850001".into(), full_name: "Budi".into(), ..Row::default() };
        let form = PersonForm { national_id: row.national_id.clone(), ..PersonForm::default() };
        assert_eq!(format!("{row:?} {form:?}"), "Row(redacted) PersonForm(redacted)");
    }
}
