use strum::VariantArray as _;

use super::*;

#[test]
fn no_name_means_two_columns_and_each_is_written_as_it_is_looked_up() {
    let seconds = Column::VARIANTS.iter().flat_map(|column| column.second_names().split_whitespace());
    let names: Vec<&str> = Column::VARIANTS.iter().flat_map(|column| column.names()).chain(seconds).collect();
    for name in &names {
        assert_eq!(names.iter().filter(|other| *other == name).count(), 1, "{name}");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase()), "{name}");
    }
}

#[test]
fn every_name_is_found_however_it_is_written() {
    for &column in Column::VARIANTS {
        assert_eq!(Column::of(<&str>::from(column)), Some(column));
        for name in column.names() {
            let spread: String = name.chars().flat_map(|c| [c, '_']).collect();
            for written in [name.to_string(), name.to_uppercase(), spread, format!(" {name}. ")] {
                assert_eq!(Column::of(&written), Some(column), "{written:?}");
            }
        }
    }
}

#[test]
fn the_names_that_rosters_use_are_known() {
    for (written, column) in [
        ("No. KTP", Column::NationalId),
        ("NIP Baru", Column::ServiceNumber),
        ("Nama Lengkap", Column::FullName),
        ("TGL. LAHIR", Column::BirthDate),
        ("Tgl_Lahir", Column::BirthDate),
        ("L/P", Column::Sex),
        ("Jns. Kelamin", Column::Sex),
        ("SKPD", Column::WorkUnit),
        ("OPD", Column::WorkUnit),
        ("GOL/RUANG", Column::Grade),
        ("Gaji Pokok (Rp)", Column::MonthlyWage),
        ("T.M.T.", Column::StartsOn),
        ("No. HP", Column::Phone),
        ("NO.", Column::Number),
    ] {
        assert_eq!(Column::of(written), Some(column), "{written}");
    }
}

#[test]
fn notes_behind_a_name_and_a_second_name_of_the_same_do_not_matter() {
    for (written, column) in [
        ("JENIS KELAMIN (L/P)", Column::Sex),
        ("JENIS KELAMIN L/P", Column::Sex),
        ("L/P (Jenis Kelamin)", Column::Sex),
        ("TANGGAL LAHIR (DD/MM/YYYY)", Column::BirthDate),
        ("Tgl. Lahir [tgl-bln-thn]", Column::BirthDate),
        ("NIK (16 DIGIT)", Column::NationalId),
        ("NIK/NO KTP", Column::NationalId),
        ("NIK / No. KTP (16 digit, wajib diisi)", Column::NationalId),
        ("NAMA LENGKAP DAN GELAR", Column::FullName),
        ("NAMA (SESUAI KTP)", Column::FullName),
        ("EMPLOYEE NAME", Column::FullName),
        ("NIP/NRP", Column::ServiceNumber),
        ("NIP 18 DIGIT", Column::ServiceNumber),
        ("Unit Kerja / SKPD", Column::WorkUnit),
        ("skpd_name", Column::WorkUnit),
        ("Gaji/Bulan (Rp)", Column::MonthlyWage),
        ("allowance_or_wage", Column::MonthlyWage),
    ] {
        assert_eq!(Column::of(written), Some(column), "{written}");
    }
    let long = format!("NIK{}", "WAJIB".repeat(20_000));
    for written in [
        "TANGGAL LAHIR (MM/DD/YYYY)",
        "NIK/NIP",
        "NIP (LAMA)",
        "TMT (CPNS)",
        "NAMA / NIP",
        "NAMA (IBU)",
        "(L/P)(NIK)",
        "()",
        "/",
        &long,
    ] {
        assert_eq!(Column::of(written), None, "{written}");
    }
}

#[test]
fn a_second_choice_means_a_column_where_there_is_no_first() {
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
    let neither = header(&["NIK", "NIP", "NAMA", "TGL LAHIR", "JK", "TUNJANGAN", "PENGHASILAN"]).judge();
    assert!(
        matches!(&neither, Err(RosterError::Columns { doubled, .. }) if doubled[0].names == ["TUNJANGAN", "PENGHASILAN"]),
        "which of them it is, nobody knows"
    );
}

#[test]
fn the_names_of_the_api_are_known() {
    let row = Row { category: Some("PNS".into()), ..Row::default() };
    let row = serde_json::to_value(row).unwrap();
    let known: Vec<_> = row.as_object().unwrap().keys().map(|name| Column::of(name)).collect();
    assert!(known.iter().all(Option::is_some), "{known:?}");
    assert_eq!(known.len(), Column::VARIANTS.iter().filter(|column| column.is_read()).count());
}

#[test]
fn a_name_that_means_something_else_is_not_taken() {
    for name in ["NIP LAMA", "TMT CPNS", "TMT GOL", "KODE SKPD", "NAMA IBU", "", "#", "STATUS"] {
        assert_eq!(Column::of(name), None, "{name}");
    }
}
