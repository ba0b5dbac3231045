//! Headers and rows of text files.

use domain::onboarding::RosterKind;

use super::*;

#[test]
fn every_column_becomes_its_field() {
    let roster = roster(&format!(
        "{HEADER},STATUS KEPEGAWAIAN\n1,nip,nik,name,place,birth,sex,unit,grade,wage,start,phone,category\n"
    ));
    let some = |text: &str| Some(text.to_owned());
    let row = Row {
        national_id: "nik".into(),
        service_number: "nip".into(),
        full_name: "name".into(),
        birth_place: some("place"),
        birth_date: "birth".into(),
        sex: "sex".into(),
        work_unit: some("unit"),
        grade: some("grade"),
        monthly_wage: some("wage"),
        starts_on: some("start"),
        phone: some("phone"),
        category: some("category"),
        ..Row::default()
    };
    assert_eq!((roster.rows, roster.lines), (vec![row], vec![2]));
}

#[test]
fn the_separator_is_detected() {
    for (separator, other) in [(",", ";"), (";", ","), ("\t", ",")] {
        let header = NEEDED.replace(',', separator);
        let row = ["1", "2", &format!("\"A{separator}ni\"{other} S.E."), "x", "P"].join(separator);
        let roster = roster(&format!("{header}\n{row}\n"));
        assert_eq!(names(&roster), [format!("A{separator}ni{other} S.E.")]);
    }
}

#[test]
fn separators_within_a_column_name_are_text() {
    let roster = roster("NIK;NIP;NAMA;TANGGAL LAHIR;JENIS KELAMIN;\"A,B,C,D,E,F,G\"\n1;2;Ani;x;P;y\n");
    assert_eq!((names(&roster), &roster.ignored_columns), (vec!["Ani"], &vec!["A,B,C,D,E,F,G".to_owned()]));
}

#[test]
fn a_roster_may_be_separated_by_bars() {
    let roster = roster(&format!("{}\n1|2|Ani, S.E.|x|P\n", NEEDED.replace(',', "|")));
    assert_eq!(names(&roster), ["Ani, S.E."]);
}

#[test]
fn titles_may_stand_above_the_header() {
    let text = format!(
        "DAFTAR PNS;;;;\nPEMERINTAH PROVINSI;;;;\n\nUNIT KERJA;Dinas Kesehatan;;;\n{NEEDED}\n1,2,Ani,x,P\n"
    );
    let roster = roster(&text.replace(',', ";"));
    assert_eq!((names(&roster), &roster.lines), (vec!["Ani"], &vec![6]));
}

#[test]
fn missing_and_repeated_columns_are_all_named_at_once() {
    let error = refused("NIP,NAMA,Tgl. Lahir,TANGGAL LAHIR,SKPD,UNIT KERJA,x\n\"never closed\n");
    let RosterError::Columns { missing, repeated, found } = &error else { panic!("{error}") };
    assert_eq!(*missing, [Column::NationalId, Column::Sex]);
    assert_eq!(repeated.iter().map(|d| d.column).collect::<Vec<_>>(), [Column::BirthDate, Column::WorkUnit]);
    assert_eq!(found.len(), 7);
    let problem = error.problem();
    assert_eq!(problem.code, ProblemCode::MissingColumns);
    assert_eq!(
        problem.message,
        "The header lacks NIK, JENIS KELAMIN. It has TANGGAL LAHIR more than once: Tgl. Lahir, TANGGAL LAHIR. \
         It has UNIT KERJA more than once: SKPD, UNIT KERJA."
    );
}

#[test]
fn a_file_without_a_header_is_refused_with_what_was_read() {
    let problem = refused("DAFTAR PNS\u{1b}[31m PROVINSI\n").problem();
    assert_eq!(problem.code, ProblemCode::MissingColumns);
    assert!(problem.hint.unwrap().ends_with("It was read as: DAFTAR PNS [31m PROVINSI."));
}

#[test]
fn unknown_columns_are_listed_as_ignored() {
    let roster = roster(&format!("NO,{NEEDED},ESELON,,NIP LAMA,error\n1,1,2,Ani,x,P,IV,,,No.\n"));
    assert_eq!(roster.ignored_columns, ["ESELON", "NIP LAMA"]);
}

#[test]
fn lines_are_counted_by_every_kind_of_line_end_also_within_quotes() {
    for end in ["\n", "\r\n", "\r"] {
        let text = [NEEDED, "1,2,\"A", "ni\",x,P", "3,4,Budi,x,L", "5,6,\"C", "", "i\",x,P", "7,8,Dedi,x,L"]
            .join(end);
        let roster = roster(&text);
        assert_eq!(roster.lines, [2, 4, 5, 8], "{end:?}");
        assert_eq!(roster.rows[0].full_name, format!("A{end}ni"));
        assert_eq!(roster.empty_rows, 0, "{end:?}");
    }
}

#[test]
fn empty_rows_are_skipped_and_line_numbers_stay_right() {
    for end in ["\n", "\r\n", "\r"] {
        let text =
            ["", NEEDED, "", "1,2,Ani,x,P", "", ",,,,", "  ", "3,4,Budi,x,L", ",,,,", "", ""].join(end);
        let roster = roster(&text);
        assert_eq!((names(&roster), &roster.lines), (vec!["Ani", "Budi"], &vec![4, 8]), "{end:?}");
        // One above the header, six below it; the last line end begins no row.
        assert_eq!(roster.empty_rows, 7, "{end:?}");
    }
}

#[test]
fn a_row_with_only_its_running_number_is_empty() {
    let roster = roster(&format!("NO,{NEEDED}\n1,1,2,Ani,x,P\n2,,,,,\n3\n"));
    assert_eq!((names(&roster), roster.empty_rows), (vec!["Ani"], 2));
}

#[test]
fn a_row_of_invisible_characters_is_empty() {
    let roster = roster(&format!("{NEEDED}\n1,2,Ani,x,P\n \u{a0}, , \u{200b},\u{feff},\t\n"));
    assert_eq!((names(&roster), roster.empty_rows), (vec!["Ani"], 1));
}

#[test]
fn rows_that_certainly_are_not_people_are_left_out_with_a_warning() {
    let header = "NO,NIK,NIP,NAMA,TANGGAL LAHIR,JENIS KELAMIN,UNIT KERJA,GAJI POKOK,ESELON";
    for numbers in ["1,2,3,4,5,6,7,8,9", "(1),(2),(3),(4),(5),(6),(7),(8),(9)", "0,1,2,3,4,5,6,7,8"] {
        let rows = [
            numbers,
            ",,,,,,Dinas Kesehatan,,",
            "1,1,2,Ani,x,P,,1,",
            "JUMLAH,,,,,,,8.000.000,",
            ",,,SUB TOTAL,,,,1,",
            "2,3,4,Budi,x,L,,1,",
            ",TOTAL : 2 orang,,,,,,,",
            ",,,,,,,,\"Palembang, 1 Oktober 2014\"",
        ];
        let (names, warnings) = left_out(&format!("{header}\n{}\n", rows.join("\n")));
        assert_eq!(names, ["Ani", "Budi"]);
        assert_eq!(warnings, ["Lines that are not people were left out (6): 2, 3, 5, 6, 8, 9."], "{numbers}");
    }
}

#[test]
fn rows_that_could_be_people_are_kept() {
    let header = "NO,NIK,NIP,NAMA,TANGGAL LAHIR,JENIS KELAMIN,UNIT KERJA,GAJI POKOK";
    for row in [
        // Column numbers below the first person, out of order, or too few.
        "1,2,3,4,5,6,7,8",
        "2,1,,Jumlah Siregar Hasibuan,,,,",
        "2,,,Ani,,,,",
        "2,,,,,,Dinas Kesehatan,",
        ",,,,,,Dinas Kesehatan,4250000",
        ",,,TOTAL,22/07/1978,,,",
        ",,,TOTAL,,P,,",
        ",,,Total Budi Santoso,,,,",
        ",,,,22/07/1978,,,",
        "JUMLAH,,,,,P,,",
    ] {
        let (names, warnings) = left_out(&format!("{header}\n1,1,2,Ani,x,P,,\n{row}\n"));
        assert_eq!((names.len(), warnings.len()), (2, 0), "{row}");
    }
    let (names, _) = left_out(&format!("{header}\n1,3,4,5,6,7,8,9\n"));
    assert_eq!(names.len(), 1, "a row of other numbers");
}

fn left_out(text: &str) -> (Vec<String>, Vec<String>) {
    let mut roster = open(Cursor::new(text.to_owned()), &Limits::default()).unwrap();
    let names = roster.by_ref().map(|record| record.unwrap().row.full_name).collect();
    let warnings = roster.warnings().problems();
    assert!(warnings.iter().all(|warning| !warning.is_error() && warning.hint.is_some()));
    (names, warnings.into_iter().map(|warning| warning.message).collect())
}

#[test]
fn spreadsheet_guards_and_dashes_in_empty_cells_are_understood() {
    let file = format!("{NEEDED},GAJI POKOK,TMT,NO HP\n=\"16710102\",\"=\"\"1978\"\"\",Ani,x,P,-,—, - \n");
    let row = &roster(&file).rows[0];
    assert_eq!((row.national_id.as_str(), row.service_number.as_str()), ("16710102", "1978"));
    assert_eq!((&row.monthly_wage, &row.starts_on, &row.phone), (&None, &None, &None));
    let dash = roster(&format!("{NEEDED}\n1,2,-,x,P\n"));
    assert_eq!(names(&dash), ["-"], "in a required column, a dash is a value");
}

#[test]
fn a_short_row_has_empty_cells() {
    let roster = roster(&format!("{HEADER}\n1,nip,nik,Ani\n"));
    assert_eq!((roster.rows[0].birth_date.as_str(), roster.rows[0].phone.as_deref()), ("", None));
    assert_eq!(roster.rows[0].fault, None);
}

#[test]
fn a_row_with_too_many_cells_is_refused_and_not_read() {
    let roster = roster(&format!("{NEEDED}\n1,2,Ani,x,P\n1,2,Budi, S.E.,x,L\n3,4,Cici,x,P,,\n"));
    assert_eq!(names(&roster), ["Ani", "", "Cici"]);
    let faults: Vec<_> =
        roster.rows.iter().map(|row| row.fault.as_ref().map(|fault| fault.message.as_str())).collect();
    assert!(
        matches!(faults[..], [None, Some(message), None] if message.contains("6 cells, but the header has 5"))
    );
}

#[test]
fn quotation_marks_within_a_cell_are_text() {
    let roster = roster(&format!("{NEEDED}\n1,2,\"Nur \"\"Ayu\"\" Sari\",x,P\n3,4,Nur \"Ayu\" Sari,x,P\n"));
    assert_eq!(names(&roster), ["Nur \"Ayu\" Sari", "Nur \"Ayu\" Sari"]);
}

#[test]
fn an_unclosed_quotation_mark_is_refused_with_its_line() {
    for rest in ["\"Ani,x,P\n3,4,Budi,x,L\n", "\"Ani,x,P", "\""] {
        let error = refused(format!("{NEEDED}\n1,2,Ani,x,P\n1,2,{rest}"));
        assert!(matches!(error, RosterError::OpenQuote { line: 3 }), "{error}");
    }
}

#[test]
fn two_stray_quotation_marks_do_not_merge_two_people() {
    let error = refused(format!("{NEEDED}\n1,2,\"Ani,x,P\n3,4,\"Budi,x,L\n5,6,Cici,x,P\n"));
    assert!(matches!(error, RosterError::OpenQuote { line: 2 }), "{error}");
}

#[test]
fn a_first_line_may_announce_the_separator() {
    for (separator, encoding) in [(";", 0), (",", 1), ("\t", 2), ("^", 0)] {
        let file = format!("SEP={separator}\r\n{NEEDED}\r\n1,2,Ani,x,P\r\n").replace(',', separator);
        let roster = read(encoded(&file, encoding)).unwrap();
        assert_eq!((names(&roster), &roster.lines), (vec!["Ani"], &vec![3]), "{separator}");
    }
    assert_eq!(names(&roster(&format!("\"sep=,\"\n{NEEDED}\n1,2,Ani,x,P\n"))), ["Ani"]);
}

#[test]
fn signatures_below_the_table_are_left_out_with_a_warning() {
    let header = "NO,NIK,NIP,NAMA,TANGGAL LAHIR,JENIS KELAMIN,UNIT KERJA";
    for signatures in [
        [
            ",,,,,,\"Palembang, 1 Oktober 2014\"",
            ",,,Kepala Dinas,,,",
            ",,,Drs. Fulan,,,",
            ",,,NIP. 196501011990031001,,,",
        ],
        [
            ",Mengetahui,,,Yang membuat,,",
            ",Kepala Bagian,,,Staf,,",
            ",Fulan,,,Fulanah,,",
            ",NIP 196501011990031001,,,,,",
        ],
        [
            ",,,,\"Palembang,     Nopember 2014\",,",
            ",,,,PLT. SEKRETARIS,,",
            ",,,,(              ),,",
            ",,,,Fulan,,",
        ],
    ] {
        let (names, warnings) =
            left_out(&format!("{header}\n1,1,2,Ani,x,P,\n,,,,,,\n{}\n", signatures.join("\n")));
        assert_eq!(names, ["Ani"], "{signatures:?}");
        assert_eq!(warnings, ["Lines that are not people were left out (4): 4, 5, 6, 7."], "{signatures:?}");
    }
}

#[test]
fn people_below_a_signature_are_read() {
    let header = "NO,NIK,NIP,NAMA,TANGGAL LAHIR,JENIS KELAMIN,UNIT KERJA";
    for person in
        ["2,,,Budi,,,", ",1671010208850001,,,,,", ",,,Budi,02/08/1985,L,", "2,,,\"Kepala, 1 Mei 2014\",,,"]
    {
        let rows = format!("1,1,2,Ani,x,P,\n,Mengetahui,,,,,\n{person}\n");
        assert_eq!(left_out(&format!("{header}\n{rows}")).0.len(), 2, "{person}");
    }
    assert_eq!(left_out(&format!("{header}\n1,1,2,Ani,x,P,\n,,,Yang Sari,,,\n")).0, ["Ani", "Yang Sari"]);
    let born = "1,1671010208850001,,Ani,\"Palembang, 25 Oktober 1985\",P,";
    assert_eq!(
        left_out(&format!("{header}\n{born}\n{born}\n")).0.len(),
        2,
        "a place of birth is not a signature"
    );
}

#[test]
fn a_name_over_two_columns_is_joined_and_other_columns_without_a_name_are_reported() {
    let (names, warnings) = left_out(
        "NIK,NIP,NAMA,,,TGL LAHIR,,L/P\n1,2,Nur,Ayu,Sari,x,,P\n3,4,Budi,,,x,cek,L\n5,6,\"Cici\",,S.E.,x,,P\n",
    );
    assert_eq!(names, ["Nur Ayu Sari", "Budi", "Cici S.E."]);
    assert_eq!(
        warnings,
        [
            "NAMA has a second column without a name. Its cells were joined to the names (2): 2, 4.",
            "Cells under column G, which has no name, were left out (1): 3."
        ]
    );
    let (names, warnings) = left_out("NIK,NIP,TGL LAHIR,L/P,NAMA,\n1,2,x,P,Nur,cek\n");
    assert_eq!(
        (names, warnings.len()),
        (vec!["Nur".to_owned()], 1),
        "right of the last column there are notes"
    );
}

#[test]
fn the_needed_columns_follow_from_the_kind_of_the_roster() {
    use domain::enrollment::CivilServantCategory::{Cpns, NonAsn, Pns, Pppk};
    use domain::enrollment::Segment::{Construction, SelfEmployed, WageEarner};
    let file = "NIK,NAMA,TANGGAL LAHIR,JENIS KELAMIN\n1,Ani,x,P\n";
    let open = |file: &'static str, segment, category| {
        open_for(RosterKind { segment, category }, Cursor::new(file), &Limits::default())
    };
    for category in [Pns, Cpns, Pppk] {
        let error = open(file, WageEarner, Some(category)).err().unwrap();
        assert_eq!(error.to_string(), "The header lacks NIP.");
    }
    let error = open(file, WageEarner, None).err().unwrap();
    assert_eq!(error.to_string(), "The header lacks GAJI POKOK.");
    let wages = "NIK,NAMA,TANGGAL LAHIR,JENIS KELAMIN,UPAH\n1,Ani,x,P,4250000\n";
    let row = open(wages, WageEarner, None).unwrap().next().unwrap().unwrap().row;
    assert_eq!(row.monthly_wage.as_deref(), Some("4250000"));
    for (segment, category) in [(WageEarner, Some(NonAsn)), (SelfEmployed, None), (Construction, None)] {
        let row = open(file, segment, category).unwrap().next().unwrap().unwrap().row;
        assert_eq!((row.full_name.as_str(), row.service_number.as_str()), ("Ani", ""));
    }
    assert_eq!(self::roster(&format!("{NEEDED}\n1,-,Ani,x,P\n")).rows[0].service_number, "");
}

#[test]
fn a_date_with_a_time_zone_is_the_day_in_indonesia_with_a_warning() {
    let file = "NIK,NIP,NAMA,TGL LAHIR,L/P,TMT\n1,2,Ani,1978-07-21T17:00:00.000Z,P,2014-11-01\n3,4,Budi,1978-07-21 17:00,L,\n";
    let rows = roster(file).rows;
    let days: Vec<&str> = rows.iter().map(|row| row.birth_date.as_str()).collect();
    assert_eq!(days, ["1978-07-22", "1978-07-21 17:00"], "without a zone the rules refuse it");
    let warnings = left_out(file).1;
    assert_eq!(warnings, ["Dates with a time zone were read as the day that they are in Indonesia (1): 2."]);
}

#[test]
fn a_roster_of_foreigners_has_passports_with_or_without_a_column_of_identity_numbers() {
    let kind = RosterKind { segment: domain::enrollment::Segment::WageEarner, category: None };
    let open = |file: &'static str| open_for(kind, Cursor::new(file), &Limits::default());
    let passports = |file| -> Vec<(String, Option<String>)> {
        let rows = open(file).unwrap().map(|record| record.unwrap().row);
        rows.map(|row| (row.national_id, row.passport_number)).collect()
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        passports("NO. PASPOR,NAMA,TGL LAHIR,L/P,UPAH\nE1234567,Ann,x,P,1\n"),
        [(String::new(), some("E1234567"))]
    );
    assert_eq!(
        passports("NIK,PASSPORT NUMBER,NAMA,TGL LAHIR,L/P,UPAH\n1,-,Ani,x,P,1\n-,E1234567,Ann,x,P,1\n"),
        [("1".to_owned(), None), (String::new(), some("E1234567"))]
    );
    let lacking = open("NAMA,TGL LAHIR,L/P,UPAH\nAnn,x,P,1\n").err().unwrap();
    assert_eq!(lacking.to_string(), "The header lacks NIK.");
}

const SERVANTS: RosterKind = RosterKind::CIVIL_SERVANTS;
const LIST: &str = "NIK,NIP,NAMA,TANGGAL LAHIR,JENIS KELAMIN,BLTH,SEBAB_NA,TGL_KEJADIAN,Kode Provinsi";

#[test]
fn a_monthly_list_says_who_leaves_and_who_has_moved() {
    let text = format!("{LIST}\n1,2,Ani,x,P,01-09-2014,A1,20-09-2014,16\n3,4,Budi,x,L,-,,,\n");
    let mut list = open_monthly_list(SERVANTS, Cursor::new(text.clone()), &Limits::default()).unwrap();
    let rows: Vec<Row> = list.by_ref().map(|record| record.unwrap().row).collect();
    let cell = |text: &str| Some(text.to_owned());
    let ani = [&rows[0].month, &rows[0].leaving_reason, &rows[0].last_day, &rows[0].province];
    assert_eq!(ani.map(Clone::clone), [cell("01-09-2014"), cell("A1"), cell("20-09-2014"), cell("16")]);
    let budi = [&rows[1].month, &rows[1].leaving_reason, &rows[1].last_day, &rows[1].province];
    assert_eq!(budi, [&None; 4]);
    assert!(list.ignored_columns().is_empty());

    // A roster names people who join. Its reader tells that these columns are not read.
    let roster = roster(&text);
    assert_eq!(roster.ignored_columns, ["BLTH", "SEBAB_NA", "TGL_KEJADIAN", "Kode Provinsi"]);
    assert_eq!((&roster.rows[0].last_day, &roster.rows[0].leaving_reason), (&None, &None));
}

#[test]
fn a_roster_may_name_two_provinces_and_a_monthly_list_may_not() {
    let text = format!("{NEEDED},PROVINSI,KODE PROVINSI\n1,2,Ani,x,P,Sumatera Selatan,16\n");
    assert_eq!(roster(&text).ignored_columns, ["PROVINSI", "KODE PROVINSI"]);
    let error = open_monthly_list(SERVANTS, Cursor::new(text), &Limits::default()).err().unwrap();
    let RosterError::Columns { repeated, .. } = &error else { panic!("{error}") };
    assert_eq!(repeated[0].column, Column::Province);
}
