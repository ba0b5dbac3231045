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
fn the_first_day_is_that_of_the_enrollment_and_otherwise_that_of_the_work() {
    let header = |names: &[&str]| {
        Header::of(OnboardingKind::Roster, names.iter().map(|&name| name.to_owned()).collect())
    };
    for name in ["TGL_AWAL_BEKERJA", "Tanggal Awal Kerja"] {
        assert_eq!(header(&["NIK", name]).column(1), Some(Column::StartsOn), "{name}");
        let both = header(&[name, "TANGGAL_KEPESERTAAN"]);
        assert_eq!((both.column(0), both.column(1)), (None, Some(Column::StartsOn)), "{name}");
        assert_eq!(column_name(&["NIK".to_owned(), name.to_owned()], "startsOn"), Some(name));
    }
    assert_eq!(column_name(&["Tgl Awal Kerja", "TMT"].map(str::to_owned), "startsOn"), Some("TMT"));
    for hired in ["Tanggal Masuk", "Tgl Mulai Kerja", "TMT Kerja"] {
        assert_eq!(header(&["NIK", hired]).column(1), None, "{hired}");
    }
}

#[test]
fn two_columns_that_may_both_be_the_wage_or_the_number_are_reported() {
    let needed = ["NIK", "NIP", "NAMA", "TGL LAHIR", "JK"];
    for (twice, names) in [
        (["Total Upah", "Total Gaji"].as_slice(), ["Total Upah", "Total Gaji"]),
        (&["No. Identitas"], ["NIK", "No. Identitas"]),
        (&["Nama Karyawan"], ["NAMA", "Nama Karyawan"]),
        (&["Tgl Awal Kerja", "TGL_AWAL_BEKERJA"], ["Tgl Awal Kerja", "TGL_AWAL_BEKERJA"]),
    ] {
        let header = needed.iter().chain(twice).map(|&name| name.to_owned()).collect();
        let judged = Header::of(OnboardingKind::Roster, header).judge(&REQUIRED);
        assert!(
            matches!(&judged, Err(RosterError::Columns { repeated, .. }) if repeated[0].names == names),
            "{names:?}"
        );
    }
}

#[test]
fn a_total_of_wages_is_the_wage_before_an_allowance_is() {
    let header = Header::of(
        OnboardingKind::Roster,
        ["TUNJANGAN", "Upah (Pokok + Tunjangan Tetap)"].map(str::to_owned).into(),
    );
    assert_eq!((header.column(0), header.column(1)), (None, Some(Column::MonthlyWage)));
}

#[test]
fn a_wage_that_may_lack_allowances_is_told_with_the_columns_beside_it() {
    let incomplete = |names: &[&str]| {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        Header::of(OnboardingKind::MonthlyList, names).incomplete_wage()
    };
    for (wage, beside) in [
        ("Gaji Pokok", ["Tunjangan Tetap", "Total Upah"].as_slice()),
        ("UPAH POKOK (RP)", &["TUNJANGAN TETAP (RP)"]),
        ("Gaji Pokok", &["Total"]),
        ("Gaji", &["Total Gaji"]),
        ("UPAH", &["Upah (Pokok + Tunjangan Tetap)"]),
    ] {
        let names = [&["NIK", wage, "Tunjangan Tidak Tetap"], beside].concat();
        let told = incomplete(&names);
        assert_eq!(
            told,
            Some((wage.to_owned(), beside.iter().map(|&name| name.to_owned()).collect())),
            "{names:?}"
        );
    }
    for names in [
        ["Gaji Pokok", "Tunjangan Tidak Tetap"],
        ["Gaji Pokok", "TPP"],
        ["Upah", "Total"],
        ["Total Upah", "Tunjangan Tetap"],
        ["NIK", "Total"],
    ] {
        assert_eq!(incomplete(&names), None, "{names:?}");
    }
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
