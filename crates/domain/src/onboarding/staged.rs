//! Rows that are stored until they have an outcome: the original cells, the field of each, and the line.

use serde::{Deserialize, Serialize};

use super::row::Row;
use crate::problem::Problem;

/// A stored row. A field that equals a cell refers to it, so that it is not stored twice.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct StagedRow {
    /// Number of the row, from 1.
    #[serde(rename = "n")]
    pub number: i32,
    /// Line in the file; `None` for a row of a request.
    #[serde(rename = "l")]
    pub line: Option<i32>,
    #[serde(rename = "c")]
    cells: Vec<String>,
    /// Number of cells from the file; the others hold fields that differ from every cell.
    #[serde(rename = "o")]
    original: usize,
    #[serde(rename = "f")]
    fields: Vec<Option<u16>>,
    #[serde(rename = "p")]
    fault: Option<Problem>,
}

redacted_debug!(StagedRow);

impl StagedRow {
    /// Makes it from a row of a file and its original cells.
    pub fn new(number: i32, line: Option<i32>, row: Row, original: Vec<String>) -> Self {
        let (mut cells, fault) = (original, row.fault);
        let original = cells.len();
        let fields = [
            Some(row.national_id),
            Some(row.service_number),
            Some(row.full_name),
            row.birth_place,
            Some(row.birth_date),
            Some(row.sex),
            row.work_unit,
            row.grade,
            row.monthly_wage,
            row.starts_on,
            row.phone,
            row.category,
            row.passport_number,
            row.month,
            row.last_day,
            row.leaving_reason,
            row.province,
        ];
        let fields = fields.map(|field| {
            let field = field?;
            let at = cells[..original].iter().position(|cell| *cell == field);
            let at = at.unwrap_or_else(|| {
                cells.push(field);
                cells.len() - 1
            });
            u16::try_from(at).ok()
        });
        Self { number, line, cells, original, fields: fields.to_vec(), fault }
    }

    /// Makes it from a row of a request, whose cells are its fields.
    pub fn of_request(number: i32, row: Row) -> Self {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let cells = vec![
            row.national_id.clone(),
            row.service_number.clone(),
            row.full_name.clone(),
            text(&row.birth_place),
            row.birth_date.clone(),
            row.sex.clone(),
            text(&row.work_unit),
            text(&row.grade),
            text(&row.monthly_wage),
            text(&row.starts_on),
            text(&row.phone),
            text(&row.passport_number),
        ];
        Self::new(number, None, row, cells)
    }

    /// Returns the row to be judged.
    pub fn row(&self) -> Row {
        let field = |at: usize| {
            self.fields.get(at).copied().flatten().and_then(|cell| self.cells.get(usize::from(cell)).cloned())
        };
        let text = |at: usize| field(at).unwrap_or_default();
        Row {
            national_id: text(0),
            service_number: text(1),
            full_name: text(2),
            birth_place: field(3),
            birth_date: text(4),
            sex: text(5),
            work_unit: field(6),
            grade: field(7),
            monthly_wage: field(8),
            starts_on: field(9),
            phone: field(10),
            category: field(11),
            passport_number: field(12),
            month: field(13),
            last_day: field(14),
            leaving_reason: field(15),
            province: field(16),
            fault: self.fault.clone(),
        }
    }

    /// Returns the original cells.
    pub fn cells(&self) -> &[String] {
        &self.cells[..self.original]
    }

    /// Returns whether the row could not be read, so that the columns of its cells are unknown.
    pub fn is_unreadable(&self) -> bool {
        self.fault.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onboarding::fields_of_request;
    use crate::problem::ProblemCode;

    fn row() -> Row {
        Row {
            national_id: "1671010208850001".into(),
            service_number: "198508022005011001".into(),
            full_name: "Budi".into(),
            birth_date: "1985-08-02".into(),
            sex: "L".into(),
            monthly_wage: Some("4250000".into()),
            ..Row::default()
        }
    }

    fn cells() -> Vec<String> {
        ["IV", "1671010208850001", "198508022005011001", "Budi", "1985-08-02", "L", "4250000"]
            .map(str::to_owned)
            .to_vec()
    }

    #[test]
    fn a_row_and_its_cells_survive_a_round_trip() {
        let staged = StagedRow::new(3, Some(5), row(), cells());
        let json = serde_json::to_vec(&staged).unwrap();
        let again: StagedRow = serde_json::from_slice(&json).unwrap();
        assert!(again.row() == row());
        assert_eq!(again.cells(), cells());
        assert_eq!(
            (again.number, again.line, format!("{again:?}").as_str()),
            (3, Some(5), "StagedRow(redacted)")
        );
        assert_eq!(String::from_utf8(json).unwrap().matches("1671010208850001").count(), 1, "stored once");
    }

    #[test]
    fn a_row_that_an_earlier_release_has_staged_is_read() {
        let fields = "[0,1,2,null,3,4,null,null,null,null,null]";
        let json = format!(r#"{{"n":1,"l":2,"c":["1","2","Budi","x","L"],"o":5,"f":{fields},"p":null}}"#);
        let row = serde_json::from_str::<StagedRow>(&json).unwrap().row();
        assert_eq!((row.full_name.as_str(), row.sex.as_str(), row.category), ("Budi", "L", None));
    }

    #[test]
    fn a_field_that_equals_no_cell_is_stored_separately() {
        let mut changed = row();
        changed.birth_date = "2014-11-01".into();
        let staged = StagedRow::new(1, None, changed.clone(), cells());
        assert!(staged.row() == changed);
        assert_eq!(staged.cells(), cells());
    }

    #[test]
    fn a_row_of_a_request_has_a_cell_for_each_field() {
        let staged = StagedRow::of_request(1, row());
        let fields = fields_of_request().len();
        assert_eq!((staged.cells().len(), staged.cells()[0].as_str()), (fields, "1671010208850001"));
        assert!(staged.row() == row());
    }

    #[test]
    fn a_row_that_could_not_be_read_says_so() {
        let fault = Problem::error(ProblemCode::InvalidFormat, "rows", "Too long.");
        let staged = StagedRow::new(1, Some(2), Row { fault: Some(fault), ..Row::default() }, cells());
        assert!(staged.row().fault.is_some() && staged.is_unreadable());
        assert!(!StagedRow::new(1, None, row(), cells()).is_unreadable());
    }
}
