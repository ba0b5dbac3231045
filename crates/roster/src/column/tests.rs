use domain::onboarding::Row;

use strum::VariantArray as _;

use super::*;

#[test]
fn each_name_means_one_column_and_is_written_as_it_is_looked_up() {
    let fallbacks = Column::VARIANTS.iter().flat_map(|column| column.fallback_names());
    let names: Vec<&str> = Column::VARIANTS
        .iter()
        .flat_map(|column| column.names())
        .chain(fallbacks.flat_map(str::split_whitespace))
        .collect();
    for name in &names {
        assert_eq!(names.iter().filter(|other| *other == name).count(), 1, "{name}");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase()), "{name}");
    }
}

#[test]
fn every_name_is_found_however_it_is_written() {
    for &column in Column::VARIANTS {
        assert_eq!(Column::of(column.into()), Some(column));
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
        ("Upah Pokok", Column::MonthlyWage),
        ("Upah Sebulan", Column::MonthlyWage),
        ("NOMOR_IDENTITAS", Column::NationalId),
        ("No. Identitas", Column::NationalId),
        ("No KTP", Column::NationalId),
        ("Nama Karyawan", Column::FullName),
        ("Nama Pekerja", Column::FullName),
        ("NAMA_TENAGA_KERJA", Column::FullName),
        ("Nama TK", Column::FullName),
        ("TANGGAL_KEPESERTAAN", Column::StartsOn),
        ("T.M.T.", Column::StartsOn),
        ("No. HP", Column::Phone),
        ("NO.", Column::Number),
    ] {
        assert_eq!(Column::of(written), Some(column), "{written}");
    }
}

#[test]
fn notes_and_synonyms_after_a_name_do_not_matter() {
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
fn the_names_of_the_api_are_known() {
    let some = |text: &str| Some(text.to_owned());
    let row = Row {
        category: some("PNS"),
        passport_number: some("E1234567"),
        month: some("2014-09"),
        last_day: some("2014-09-20"),
        leaving_reason: some("A1"),
        province: some("16"),
        ..Row::default()
    };
    let row = serde_json::to_value(row).unwrap();
    let known: Vec<_> = row.as_object().unwrap().keys().map(|name| Column::of(name)).collect();
    assert!(known.iter().all(Option::is_some), "{known:?}");
    assert_eq!(known.len(), Column::VARIANTS.iter().filter(|column| column.is_read()).count());
}

#[test]
fn a_similar_name_of_another_column_is_unknown() {
    for name in ["NIP LAMA", "TMT CPNS", "TMT GOL", "KODE SKPD", "NAMA IBU", "", "#", "STATUS"] {
        assert_eq!(Column::of(name), None, "{name}");
    }
}
