//! Files beyond the limits, and files without people.

use super::*;

#[test]
fn a_file_without_people_is_refused() {
    assert!(matches!(refused(""), RosterError::Empty));
    assert!(matches!(refused("\u{feff}"), RosterError::Empty));
    assert!(matches!(refused("\r\n\n"), RosterError::Empty));
    assert!(matches!(refused(NEEDED), RosterError::NoRows));
    assert!(matches!(refused(format!("{NEEDED}\n,,,,\n\n")), RosterError::NoRows));
}

#[test]
fn a_file_above_the_size_limit_is_refused() {
    let limits = Limits { bytes: 100, ..Limits::default() };
    let text = format!("{NEEDED}\n{}", "1,2,Ani,x,P\n".repeat(10));
    assert!(matches!(read_within(&text, &limits), Err(RosterError::TooLarge { .. })));
    assert!(read_within(&text[..100], &limits).is_ok());
}

#[test]
fn one_row_too_many_is_refused_and_empty_rows_do_not_count() {
    let limits = Limits { rows: 3, ..Limits::default() };
    let full = format!("{NEEDED}\n{}", "1,2,Ani,x,P\n".repeat(3));
    assert_eq!(read_within(format!("{full}\n,,,,\n"), &limits).unwrap().rows.len(), 3);
    let endless = read_within(format!("{full}1,2,Ani,x,P\n\"never closed"), &limits);
    assert!(matches!(endless, Err(RosterError::TooManyRows { rows: 3 })));
}

#[test]
fn a_row_above_the_size_limit_is_refused() {
    let long = "y".repeat(Limits::default().row_bytes);
    let error = refused(format!("{NEEDED}\n1,2,Ani,x,P\n1,2,{long},x,P\n"));
    assert!(matches!(error, RosterError::RowTooLong { line: 3, .. }), "{error}");
    assert!(matches!(refused(long.repeat(2)), RosterError::RowTooLong { line: 1, .. }));
    assert!(matches!(
        refused(format!("{NEEDED}\n\"{long}\n{long}")),
        RosterError::RowTooLong { line: 2, .. }
    ));
}

#[test]
fn a_row_with_a_long_cell_is_refused_and_the_others_are_read() {
    let long = "y".repeat(10_000);
    let roster = roster(&format!("{NEEDED}\n1,2,{long},x,P\n3,4,Budi,x,L\n"));
    let fault = roster.rows[0].fault.as_ref().unwrap();
    assert_eq!(
        (fault.code, fault.message.as_str()),
        (ProblemCode::OutOfRange, "The cell under NAMA is longer than 4096 bytes.")
    );
    assert_eq!(names(&roster), ["", "Budi"]);
}

#[test]
fn a_table_with_too_many_columns_is_refused() {
    for separator in [",", ";", "\t"] {
        let wide = [
            &NEEDED.replace(',', separator),
            &"x".repeat(1_000_000).replace('x', &format!("x{separator}"))[..],
        ]
        .join(separator);
        let error = refused(&wide);
        assert!(matches!(error, RosterError::TooManyColumns { line: 1, columns: 200 }), "{error}");
        let below = refused([&NEEDED.replace(',', separator), "\n", &wide].concat());
        assert!(matches!(below, RosterError::TooManyColumns { line: 2, .. }), "{below}");
        assert_eq!(error.problem().code, ProblemCode::OutOfRange);
    }
}
