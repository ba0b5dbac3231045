use super::*;

#[test]
fn a_fallback_name_counts_only_where_no_other_column_is_meant() {
    let header = |names: &[&str]| Header::of(names.iter().map(|&name| name.to_owned()).collect());
    for name in ["PENGHASILAN", "TUNJANGAN", "Tunjangan (Rp)", "TPP"] {
        let alone = header(&["NIK", name]);
        assert_eq!((alone.column(1), alone.ignored.len()), (Some(Column::MonthlyWage), 0), "{name}");
    }
    for name in ["DINAS", "UNIT ORGANISASI"] {
        assert_eq!(header(&[name]).column(0), Some(Column::WorkUnit), "{name}");
    }
    let both = header(&["TUNJANGAN", "GAJI POKOK"]);
    assert_eq!((both.column(0), both.column(1)), (None, Some(Column::MonthlyWage)));
    assert_eq!(both.ignored, ["TUNJANGAN"]);
    let neither =
        header(&["NIK", "NIP", "NAMA", "TGL LAHIR", "JK", "TUNJANGAN", "PENGHASILAN"]).judge(&REQUIRED);
    assert!(
        matches!(&neither, Err(RosterError::Columns { repeated, .. }) if repeated[0].names == ["TUNJANGAN", "PENGHASILAN"]),
        "two fallback names are ambiguous"
    );
}
