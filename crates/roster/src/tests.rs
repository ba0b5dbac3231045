mod hostile;
mod workbook;

use proptest::prelude::*;

use std::io::Cursor;

use super::delimited::SEPARATORS;
use super::*;
use domain::problem::ProblemCode;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
const HEADER: &str =
    "NO,NIP,NIK,NAMA,TEMPAT LAHIR,TANGGAL LAHIR,JENIS KELAMIN,UNIT KERJA,GOLONGAN,GAJI POKOK,TMT,NO HP";
const NEEDED: &str = "NIK,NIP,NAMA,TANGGAL LAHIR,JENIS KELAMIN";

/// All of a roster.
struct Whole {
    rows: Vec<Row>,
    lines: Vec<i32>,
    originals: Vec<Vec<String>>,
    ignored_columns: Vec<String>,
    empty_rows: u64,
}

fn read_within(bytes: impl AsRef<[u8]>, limits: &Limits) -> Result<Whole, RosterError> {
    let mut roster = open(Cursor::new(bytes.as_ref().to_vec()), limits)?;
    let records = roster.by_ref().collect::<Result<Vec<_>, _>>()?;
    assert!(records.iter().zip(1..).all(|(record, number)| record.number == number));
    let lines = records.iter().map(|record| record.line).collect();
    let originals = records.iter().map(|record| record.original.clone()).collect();
    let rows = records.into_iter().map(|record| record.row).collect();
    let ignored_columns = roster.ignored_columns().to_vec();
    Ok(Whole { rows, lines, originals, ignored_columns, empty_rows: roster.empty_rows() })
}

fn read(bytes: impl AsRef<[u8]>) -> Result<Whole, RosterError> {
    read_within(bytes, &Limits::default())
}

#[track_caller]
fn roster(text: &str) -> Whole {
    read(text).unwrap()
}

#[track_caller]
fn refused(bytes: impl AsRef<[u8]>) -> RosterError {
    read(bytes).err().expect("the file is refused")
}

fn names(roster: &Whole) -> Vec<&str> {
    roster.rows.iter().map(|row| row.full_name.as_str()).collect()
}

#[test]
fn every_column_comes_to_its_place() {
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
        fault: None,
    };
    assert_eq!((roster.rows, roster.lines), (vec![row], vec![2]));
}

#[test]
fn the_separator_is_found_and_others_are_text() {
    for (separator, other) in [(",", ";"), (";", ","), ("\t", ",")] {
        let header = NEEDED.replace(',', separator);
        let row = ["1", "2", &format!("\"A{separator}ni\"{other} S.E."), "x", "P"].join(separator);
        let roster = roster(&format!("{header}\n{row}\n"));
        assert_eq!(names(&roster), [format!("A{separator}ni{other} S.E.")]);
    }
}

#[test]
fn a_separator_within_the_names_of_the_header_does_not_mislead() {
    let roster = roster("NIK;NIP;NAMA;TANGGAL LAHIR;JENIS KELAMIN;\"A,B,C,D,E,F,G\"\n1;2;Ani;x;P;y\n");
    assert_eq!((names(&roster), &roster.ignored_columns), (vec!["Ani"], &vec!["A,B,C,D,E,F,G".to_owned()]));
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_name() {
    assert_eq!(names(&roster(&format!("\u{feff}{NEEDED}\n1,2,Ani,x,P\n"))), ["Ani"]);
    assert_eq!(names(&roster(&format!("\u{feff}\"NIK\"{}\n1,2,Ani,x,P", &NEEDED[3..]))), ["Ani"]);
}

#[test]
fn lines_count_line_breaks_of_every_kind_and_those_within_quotes() {
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
fn rows_with_nothing_in_them_are_left_out_and_lines_stay_right() {
    for end in ["\n", "\r\n", "\r"] {
        let text =
            ["", NEEDED, "", "1,2,Ani,x,P", "", ",,,,", "  ", "3,4,Budi,x,L", ",,,,", "", ""].join(end);
        let roster = roster(&text);
        assert_eq!((names(&roster), &roster.lines), (vec!["Ani", "Budi"], &vec![4, 8]), "{end:?}");
        // One above the header, five between and below the rows, and the last line end is none.
        assert_eq!(roster.empty_rows, 7, "{end:?}");
    }
}

#[test]
fn a_row_with_only_its_running_number_is_empty() {
    let roster = roster(&format!("NO,{NEEDED}\n1,1,2,Ani,x,P\n2,,,,,\n3\n"));
    assert_eq!((names(&roster), roster.empty_rows), (vec!["Ani"], 2));
}

#[test]
fn a_row_of_what_cannot_be_seen_is_empty() {
    let roster = roster(&format!("{NEEDED}\n1,2,Ani,x,P\n \u{a0}, , \u{200b},\u{feff},\t\n"));
    assert_eq!((names(&roster), roster.empty_rows), (vec!["Ani"], 1));
}

fn left_out(text: &str) -> (Vec<String>, Vec<String>) {
    let mut roster = open(Cursor::new(text.to_owned()), &Limits::default()).unwrap();
    let names = roster.by_ref().map(|record| record.unwrap().row.full_name).collect();
    let warnings = roster.left_out().warnings();
    assert!(warnings.iter().all(|warning| !warning.is_error() && warning.hint.is_some()));
    (names, warnings.into_iter().map(|warning| warning.message).collect())
}

#[test]
fn what_is_no_person_for_certain_is_left_out_and_told() {
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
        assert_eq!(warnings, ["Lines that are no people were left out (6): 2, 3, 5, 6, 8, 9."], "{numbers}");
    }
}

#[test]
fn what_could_be_a_person_is_not_left_out() {
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

#[test]
fn a_text_guard_of_spreadsheets_and_a_dash_for_nothing_are_read() {
    let file = format!("{NEEDED},GAJI POKOK,TMT,NO HP\n=\"16710102\",\"=\"\"1978\"\"\",Ani,x,P,-,—, - \n");
    let row = &roster(&file).rows[0];
    assert_eq!((row.national_id.as_str(), row.service_number.as_str()), ("16710102", "1978"));
    assert_eq!((&row.monthly_wage, &row.starts_on, &row.phone), (&None, &None, &None));
    let dash = roster(&format!("{NEEDED}\n1,2,-,x,P\n"));
    assert_eq!(names(&dash), ["-"], "where something is needed, a dash is not nothing");
}

#[test]
fn a_roster_may_be_separated_by_bars() {
    let roster = roster(&format!("{}\n1|2|Ani, S.E.|x|P\n", NEEDED.replace(',', "|")));
    assert_eq!(names(&roster), ["Ani, S.E."]);
}

#[test]
fn a_short_row_has_empty_cells() {
    let roster = roster(&format!("{HEADER}\n1,nip,nik,Ani\n"));
    assert_eq!((roster.rows[0].birth_date.as_str(), roster.rows[0].phone.as_deref()), ("", None));
    assert_eq!(roster.rows[0].fault, None);
}

#[test]
fn a_long_row_is_a_fault_and_nothing_of_it_is_read() {
    let roster = roster(&format!("{NEEDED}\n1,2,Ani,x,P\n1,2,Budi, S.E.,x,L\n3,4,Cici,x,P,,\n"));
    assert_eq!(names(&roster), ["Ani", "", "Cici"]);
    let faults: Vec<_> =
        roster.rows.iter().map(|row| row.fault.as_ref().map(|fault| fault.message.as_str())).collect();
    assert!(
        matches!(faults[..], [None, Some(message), None] if message.contains("6 cells under a header of 5"))
    );
}

#[test]
fn missing_and_doubled_columns_are_all_named_at_once() {
    let error = refused("NIP,NAMA,Tgl. Lahir,TANGGAL LAHIR,SKPD,UNIT KERJA,x\n\"never closed\n");
    let RosterError::Columns { missing, doubled, found } = &error else { panic!("{error}") };
    assert_eq!(*missing, [Column::NationalId, Column::Sex]);
    assert_eq!(doubled.iter().map(|d| d.column).collect::<Vec<_>>(), [Column::BirthDate, Column::WorkUnit]);
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
fn a_header_of_nothing_known_says_what_was_read() {
    let problem = refused("DAFTAR PNS\u{1b}[31m PROVINSI\n").problem();
    assert_eq!(problem.code, ProblemCode::MissingColumns);
    assert!(problem.hint.unwrap().ends_with("It was read as: DAFTAR PNS [31m PROVINSI."));
}

#[test]
fn unknown_columns_are_listed_and_known_ones_that_are_not_read_are_not() {
    let roster = roster(&format!("NO,{NEEDED},ESELON,,NIP LAMA,error\n1,1,2,Ani,x,P,IV,,,No.\n"));
    assert_eq!(roster.ignored_columns, ["ESELON", "NIP LAMA"]);
}

#[test]
fn a_file_without_people_is_refused() {
    assert!(matches!(refused(""), RosterError::Empty));
    assert!(matches!(refused("\u{feff}"), RosterError::Empty));
    assert!(matches!(refused("\r\n\n"), RosterError::Empty));
    assert!(matches!(refused(NEEDED), RosterError::NoRows));
    assert!(matches!(refused(format!("{NEEDED}\n,,,,\n\n")), RosterError::NoRows));
}

#[test]
fn what_is_no_csv_is_named() {
    for (bytes, what) in [
        (&b"PK\x03\x04\x14\0"[..], "workbook"),
        (b"\xD0\xCF\x11\xE0\xA1\xB1", "XLS"),
        (b"\x1F\x8B\x08", "gzip"),
        (b"N\0I\0K\0", "UTF-16"),
        (b"%PDF-1.4", "PDF"),
        (b"<html>", "HTML"),
    ] {
        let problem = refused(bytes).problem();
        assert!(problem.message.contains(what), "{problem:?}");
        assert!(problem.hint.is_some());
    }
}

#[test]
fn what_is_not_in_the_encoding_of_the_file_is_refused_with_its_line() {
    for end in ["\n", "\r\n", "\r"] {
        let text = [NEEDED, "1,2,Renée,x,P", ""].join(end);
        let error = refused([text.as_bytes(), b"3,4,Jos\xE9,x,L\n"].concat());
        assert!(matches!(error, RosterError::Encoding { line: 3, encoding: "UTF-8" }), "{error}");
        let error = refused([&utf_16(&text)[..], &[0, 0xDC], &utf_16("x")[2..]].concat());
        assert!(matches!(error, RosterError::Encoding { line: 3, encoding: "UTF-16LE" }), "{error}");
    }
}

#[test]
fn a_file_of_windows_with_letters_of_another_encoding_is_refused_with_their_line() {
    let windows = [NEEDED.as_bytes(), b"\n1,2,Jos\xE9,x,L\n"].concat();
    assert_eq!(
        names(&read([&windows[..], b"3,4,Ren\xE9e D\x92Arc \xC3,x,L\n"].concat()).unwrap())[1],
        "Renée D’Arc Ã"
    );
    for letter in ["é", "’", "😀"] {
        let error = refused([&windows[..], format!("3,4,{letter},x,L\n").as_bytes()].concat());
        assert!(matches!(error, RosterError::Encoding { line: 3, encoding: "windows-1252" }), "{error}");
        // On both sides of a border between two pieces of the file.
        for at in 65_530..65_540 {
            let padding = "1,2,Ani,x,P\n".repeat(5_000);
            let begin = [&windows[..], padding.as_bytes(), b"3,4,"].concat();
            let pad = "i".repeat(at - begin.len());
            let error = refused([&begin[..], pad.as_bytes(), letter.as_bytes(), b",x,L\n"].concat());
            assert!(matches!(error, RosterError::Encoding { line: 5_003, .. }), "{at}: {error}");
        }
    }
}

fn utf_16(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A text in each of the encodings that are read.
fn encoded(text: &str, encoding: usize) -> Vec<u8> {
    match encoding {
        0 => text.into(),
        1 => [BYTE_ORDER_MARK, text.as_bytes()].concat(),
        2 => utf_16(text),
        3 => format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_be_bytes).collect(),
        _ => encoding_rs::WINDOWS_1252.encode(text).0.into_owned(),
    }
}

#[test]
fn a_letter_is_read_whichever_piece_of_the_file_it_begins_in() {
    // Pieces of 64 KiB, whose border goes through each byte of a letter and of a line end.
    for at in 65_520..65_545_usize {
        let row = "1,2,Ani,x,P\r\n";
        let mut text = format!("{NEEDED}\r\n{}", row.repeat(5_400));
        let padding = at - text.len() % row.len() - row.len();
        text.truncate(text.len() - row.len() * ((text.len() - padding).div_ceil(row.len())));
        let pad = "i".repeat(at - text.len() - 6);
        text.push_str(&format!("1,2,An{pad}é,x,P\r\n3,4,Budi,x,L\r\n"));
        for encoding in 0..5 {
            let roster = read(encoded(&text, encoding)).unwrap();
            let last: Vec<&str> = names(&roster).into_iter().rev().take(2).collect();
            assert_eq!(last, ["Budi", &format!("An{pad}é")], "{at} {encoding}");
            assert_eq!(roster.lines.last(), Some(&i32::try_from(text.lines().count()).unwrap()));
        }
    }
}

#[test]
fn a_file_of_windows_is_told_by_its_first_letter_however_late_it_comes() {
    let text = format!("{NEEDED}\n{}1,2,Renée,x,P\n", "1,2,Ani,x,P\n".repeat(20_000));
    for encoding in 0..5 {
        assert_eq!(read(encoded(&text, encoding)).unwrap().rows[20_000].full_name, "Renée", "{encoding}");
    }
}

#[test]
fn one_row_too_many_is_refused_and_empty_ones_do_not_count() {
    let limits = Limits { rows: 3, ..Limits::default() };
    let full = format!("{NEEDED}\n{}", "1,2,Ani,x,P\n".repeat(3));
    assert_eq!(read_within(format!("{full}\n,,,,\n"), &limits).unwrap().rows.len(), 3);
    let endless = read_within(format!("{full}1,2,Ani,x,P\n\"never closed"), &limits);
    assert!(matches!(endless, Err(RosterError::TooManyRows { rows: 3 })));
}

#[test]
fn a_file_beyond_its_limit_is_refused_unread() {
    let limits = Limits { bytes: 100, ..Limits::default() };
    let text = format!("{NEEDED}\n{}", "1,2,Ani,x,P\n".repeat(10));
    assert!(matches!(read_within(&text, &limits), Err(RosterError::TooLarge { .. })));
    assert!(read_within(&text[..100], &limits).is_ok());
}

#[test]
fn a_row_of_any_length_is_not_read() {
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
fn a_row_with_a_long_cell_is_a_fault_and_the_others_are_read() {
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
fn a_table_of_any_width_is_not_read() {
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

#[test]
fn a_nul_is_no_text() {
    assert!(matches!(
        refused(format!("{NEEDED}\n1,2,Ani,x,P\n3,4,Bu\0di,x,L\n")),
        RosterError::Nul { line: 3 }
    ));
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
fn a_quotation_mark_that_is_never_closed_is_found() {
    for rest in ["\"Ani,x,P\n3,4,Budi,x,L\n", "\"Ani,x,P", "\""] {
        let error = refused(format!("{NEEDED}\n1,2,Ani,x,P\n1,2,{rest}"));
        assert!(matches!(error, RosterError::OpenQuote { line: 3 }), "{error}");
    }
}

#[test]
fn two_stray_quotation_marks_do_not_make_one_person_of_two() {
    let error = refused(format!("{NEEDED}\n1,2,\"Ani,x,P\n3,4,\"Budi,x,L\n5,6,Cici,x,P\n"));
    assert!(matches!(error, RosterError::OpenQuote { line: 2 }), "{error}");
}

#[test]
fn quotation_marks_within_a_cell_are_text() {
    let roster = roster(&format!("{NEEDED}\n1,2,\"Nur \"\"Ayu\"\" Sari\",x,P\n3,4,Nur \"Ayu\" Sari,x,P\n"));
    assert_eq!(names(&roster), ["Nur \"Ayu\" Sari", "Nur \"Ayu\" Sari"]);
}

fn any_end() -> impl Strategy<Value = csv::Terminator> {
    prop_oneof![
        Just(csv::Terminator::CRLF),
        Just(csv::Terminator::Any(b'\n')),
        Just(csv::Terminator::Any(b'\r'))
    ]
}

fn any_quotes() -> impl Strategy<Value = csv::QuoteStyle> {
    prop_oneof![
        Just(csv::QuoteStyle::Always),
        Just(csv::QuoteStyle::Necessary),
        Just(csv::QuoteStyle::NonNumeric)
    ]
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        noise in "[\"';,\t\r\n a0=é]{0,80}",
    ) {
        let below_a_header = [NEEDED.as_bytes(), b"\r", &bytes].concat();
        let text_below_a_header = format!("{NEEDED}\n{noise}");
        for bytes in [&bytes[..], &below_a_header, noise.as_bytes(), text_below_a_header.as_bytes()] {
            if let Ok(roster) = read(bytes) {
                prop_assert_eq!(roster.rows.len(), roster.lines.len());
                prop_assert_eq!(roster.rows.len(), roster.originals.len());
            }
        }
    }

    #[test]
    fn rows_come_out_as_they_went_in(
        cells in proptest::collection::vec(proptest::collection::vec("[a-c\"éÜ ,;\t\r\n]{0,10}", 12), 1..8),
        separator in proptest::sample::select(&SEPARATORS[..]),
        end in any_end(),
        quotes in any_quotes(),
        encoding in 0..5_usize,
    ) {
        let mut bytes = Vec::new();
        let mut lines = Vec::new();
        let mut line = 2;
        {
            let mut writer = csv::WriterBuilder::new();
            let writer = writer.delimiter(separator).terminator(end).quote_style(quotes);
            let mut writer = writer.from_writer(&mut bytes);
            writer.write_record(HEADER.split(',')).unwrap();
            for row in &cells {
                // So that no row is empty.
                writer.write_field("x").unwrap();
                writer.write_record(&row[1..]).unwrap();
                lines.push(line);
                let breaks = |cell: &String| cell.replace("\r\n", "\n").matches(['\r', '\n']).count();
                line += 1 + i32::try_from(row[1..].iter().map(breaks).sum::<usize>()).unwrap();
            }
            writer.flush().unwrap();
        }
        // The running number alone would be an empty row.
        let is_row = |row: &&Vec<String>| row[1..].iter().any(|cell| !cell.trim().is_empty());
        let expected: Vec<&Vec<String>> = cells.iter().filter(is_row).collect();
        let lines: Vec<i32> =
            lines.into_iter().zip(&cells).filter(|(_, row)| is_row(row)).map(|(line, _)| line).collect();
        match read(encoded(str::from_utf8(&bytes).unwrap(), encoding)) {
            Err(error) => prop_assert!(expected.is_empty(), "{error}"),
            Ok(roster) => {
                prop_assert_eq!(roster.lines, lines);
                prop_assert_eq!(roster.empty_rows, (cells.len() - expected.len()) as u64);
                for (row, cells) in roster.rows.iter().zip(&expected) {
                    let texts = [&row.service_number, &row.national_id, &row.full_name, &row.birth_date, &row.sex];
                    prop_assert_eq!(texts, [&cells[1], &cells[2], &cells[3], &cells[5], &cells[6]]);
                    let phone = Some(&cells[11]).filter(|text| !text.trim().is_empty());
                    prop_assert_eq!(row.phone.as_ref(), phone);
                }
                prop_assert_eq!(roster.rows.len(), expected.len());
            }
        }
    }
}
