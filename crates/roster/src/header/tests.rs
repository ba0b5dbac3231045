use super::*;

#[test]
fn a_fallback_name_counts_only_where_no_other_column_is_meant() {
    let header = |names: &[&str]| {
        Header::of(OnboardingKind::Roster, names.iter().map(|&name| name.to_owned()).collect())
    };
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

#[test]
fn a_person_sees_what_each_column_was_read_as() {
    let names = ["NO", "NIK / NO. KTP", "TGL LAHIR", "ALAMAT", "1671010208850001", ""];
    let understood = understood_columns(OnboardingKind::Roster, &names.map(str::to_owned));
    let of = |name: &str, meaning| (name.to_owned(), meaning);
    assert_eq!(
        understood,
        [
            of("NO", Some(Column::Number)),
            of("NIK / NO. KTP", Some(Column::NationalId)),
            of("TGL LAHIR", Some(Column::BirthDate)),
            of("ALAMAT", None),
            of("", None),
            of("", None),
        ],
        "a header that looks like data is not shown"
    );
    for &column in Column::VARIANTS {
        let is_input = column.is_of(OnboardingKind::Roster)
            && !matches!(column, Column::Category | Column::Number | Column::Error);
        assert_eq!(
            domain::onboarding::fields_of_request().iter().any(|field| field == column.field()),
            is_input,
            "{column}"
        );
    }
}
