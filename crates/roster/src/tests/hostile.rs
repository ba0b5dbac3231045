//! Handmade workbooks: unusual, broken, and hostile ones.

use std::io::{self, Seek, SeekFrom, Write as _};

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

use super::*;
use domain::problem::ProblemCode;

const SHEET: &str = "xl/worksheets/sheet1.xml";

/// Returns a zip archive of these parts.
fn archive(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut bytes, mut list) = (Vec::new(), Vec::new());
    for (name, content) in parts {
        let mut packed = DeflateEncoder::new(Vec::new(), Compression::default());
        packed.write_all(content).unwrap();
        let mut checksum = Crc::new();
        checksum.update(content);
        put(&mut bytes, &mut list, name, (&packed.finish().unwrap(), checksum.sum()));
    }
    close(bytes, &list, u16::try_from(parts.len()).unwrap())
}

/// Adds a compressed part with its checksum. It declares a size of 0 after decompression.
fn put(bytes: &mut Vec<u8>, list: &mut Vec<u8>, name: &str, (packed, checksum): (&[u8], u32)) {
    let at = u32::try_from(bytes.len()).unwrap();
    let length = u32::try_from(packed.len()).unwrap();
    let mut head = vec![20, 0, 0, 0, 8, 0, 0, 0, 0, 0];
    head.extend(checksum.to_le_bytes());
    head.extend(length.to_le_bytes());
    head.extend([0; 4]);
    head.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
    head.extend([0; 2]);
    bytes.extend([&b"PK\x03\x04"[..], &head, name.as_bytes(), packed].concat());
    list.extend([&b"PK\x01\x02\x14\0"[..], &head, &[0; 10], &at.to_le_bytes(), name.as_bytes()].concat());
}

fn close(mut bytes: Vec<u8>, list: &[u8], count: u16) -> Vec<u8> {
    let at = u32::try_from(bytes.len()).unwrap();
    bytes.extend(list);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    bytes.extend([u32::try_from(list.len()).unwrap().to_le_bytes(), at.to_le_bytes()].concat());
    bytes.extend([0; 2]);
    bytes
}

const MAIN: &str = r#"<workbook><workbookPr date1904="1"/><sheets><sheet name="PNS" sheetId="1" r:id="a"/></sheets></workbook>"#;
const ROOT: &str = r#"<Relationships><Relationship Id="m" Type="x/officeDocument" Target="/xl/workbook.xml"/></Relationships>"#;
const RELATIONS: &str = r#"<Relationships><Relationship Id="a" Type="x/worksheet" Target="worksheets/sheet1.xml"/>
    <Relationship Id="b" Type="x/sharedStrings" Target="sharedStrings.xml"/></Relationships>"#;

/// Returns a workbook with one sheet.
fn workbook(sheet: &[u8], texts: &[u8]) -> Vec<u8> {
    workbook_of(MAIN, sheet, texts)
}

/// Returns a workbook with one sheet and another main part.
fn workbook_of(main: &str, sheet: &[u8], texts: &[u8]) -> Vec<u8> {
    archive(&[
        ("_rels/.rels", ROOT.as_bytes()),
        ("xl/workbook.xml", main.as_bytes()),
        ("xl/_rels/workbook.xml.rels", RELATIONS.as_bytes()),
        ("xl/sharedStrings.xml", texts),
        (SHEET, sheet),
    ])
}

fn header() -> String {
    let cells = NEEDED.split(',').map(|name| format!("<c t=\"inlineStr\"><is><t>{name}</t></is></c>"));
    format!("<row>{}</row>", cells.collect::<String>())
}

/// Returns a workbook whose sheet has rows below its header.
fn sheet(below: &str) -> Vec<u8> {
    sheet_of("", below)
}

/// Returns a workbook whose sheet has more cells in its header row, and rows below it.
fn sheet_of(right: &str, below: &str) -> Vec<u8> {
    let header = header().replace("</row>", &format!("{right}</row>"));
    workbook(format!("<worksheet><sheetData>{header}{below}</sheetData></worksheet>").as_bytes(), b"<sst/>")
}

#[track_caller]
fn refused_as(bytes: impl AsRef<[u8]>, code: ProblemCode) -> String {
    let problem = refused(bytes).problem();
    assert_eq!(problem.code, code, "{problem:?}");
    problem.message
}

#[test]
fn a_1904_workbook_without_addresses_is_read() {
    let row = "<row r=\"3\"><c><v>1</v></c><c r=\"C3\" t=\"str\"><f>A1</f><v>A&amp;ni &#233;</v></c>\
        <c><v>40482</v></c><c t=\"e\"><v>#N/A</v></c></row>";
    let roster = read(sheet(row)).unwrap();
    let row = &roster.rows[0];
    assert_eq!((row.national_id.as_str(), row.full_name.as_str()), ("1", "A&ni é"));
    assert_eq!(
        (row.birth_date.as_str(), row.sex.as_str(), &roster.lines[..]),
        ("2014-11-01", "#N/A", &[3][..])
    );
}

/// The main part of a 1904 workbook as Excel 2013 and later save it, and one whose main namespace has a prefix.
const EXTENDED: [&str; 2] = [
    r#"<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><workbookPr date1904="1"/>
        <sheets><sheet name="PNS" sheetId="1" r:id="a"/></sheets>
        <extLst><ext uri="{140A7094-0E35-4892-8432-C4D2E57EDEB5}"
            xmlns:x15="http://schemas.microsoft.com/office/spreadsheetml/2010/11/main">
            <x15:workbookPr chartTrackingRefBase="1"/></ext></extLst></workbook>"#,
    r#"<x:workbook xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><x:workbookPr date1904="1"/>
        <x15:workbookPr xmlns:x15="http://schemas.microsoft.com/office/spreadsheetml/2010/11/main"/>
        <x:sheets><x:sheet name="PNS" sheetId="1" r:id="a"/></x:sheets></x:workbook>"#,
];

#[test]
fn an_extension_of_excel_does_not_change_the_calendar() {
    let person = "<row><c><v>1</v></c><c><v>2</v></c><c t=\"str\"><v>Ani</v></c><c><v>24935</v></c></row>";
    let sheet = format!("<worksheet><sheetData>{}{person}</sheetData></worksheet>", header());
    let birth_date =
        |main: &str| read(workbook_of(main, sheet.as_bytes(), b"<sst/>")).unwrap().rows[0].birth_date.clone();
    for main in EXTENDED {
        assert_eq!(birth_date(main), "1972-04-08");
        // The extension does not turn it on either.
        let from_1900 = main.replace(" date1904=\"1\"", "").replace("chartTrackingRefBase", "date1904");
        assert_eq!(birth_date(&from_1900), "1968-04-07");
    }
}

#[test]
fn cells_right_of_the_table_are_left_out_with_a_warning() {
    let text = |at: &str, text: &str| format!("<c r=\"{at}\" t=\"str\"><v>{text}</v></c>");
    let person = |row: u32| {
        let cells = ["A", "B", "C", "D", "E"].map(|at| text(&format!("{at}{row}"), at));
        cells.concat()
    };
    let rows = [
        format!("<row r=\"2\">{}</row>", person(2)),
        format!("<row r=\"3\">{}{}</row>", person(3), text("N3", "cek lagi")),
        format!("<row r=\"4\">{}{}</row>", person(4), text("ZZ4", "cek lagi")),
        format!("<row r=\"5\">{}</row>", text("N5", "cek lagi")),
    ];
    let mut roster = open(Cursor::new(sheet(&rows.concat())), &Limits::default()).unwrap();
    let records: Vec<_> = roster.by_ref().map(Result::unwrap).collect();
    assert!(records.iter().all(|record| record.row.fault.is_none() && record.original.len() == 5));
    assert_eq!(records.len(), 3);
    let warnings = roster.warnings().problems();
    assert_eq!(
        warnings[0].message,
        "Cells right of the table were left out, in rows: 3. The first is at N3."
    );
}

#[test]
fn a_formula_that_was_never_computed_is_a_fault_and_not_an_empty_cell() {
    let text = |text: &str| format!("<c t=\"str\"><v>{text}</v></c>");
    let five = [text("1"), text("2"), text("Ani"), text("x"), text("P")].concat();
    let formula = "<c><f>1+1</f></c>";
    let rows = [
        five.replace(&text("Ani"), formula),
        // A row of only formulas is not empty.
        formula.repeat(5),
        // One with an empty text as its result, and one in a column that is not read.
        five.replace(&text("Ani"), "<c t=\"str\"><f>A1</f><v></v></c>"),
        format!("{five}{formula}"),
        five.replace(&text("Ani"), "<c t=\"str\"><f>A1</f><v>Budi</v></c>"),
    ];
    let rows: String = rows.iter().map(|cells| format!("<row>{cells}</row>")).collect();
    let roster = read(sheet(&rows)).unwrap();
    let faults: Vec<_> =
        roster.rows.iter().map(|row| row.fault.as_ref().map(|fault| &fault.message[..])).collect();
    assert_eq!(
        faults,
        [
            Some("The formula under NAMA was never computed: there is no value."),
            Some(
                "The formula under NIK, NIP, NAMA, TANGGAL LAHIR, JENIS KELAMIN was never computed: there is no value."
            ),
            None,
            None,
            None,
        ]
    );
    assert_eq!(names(&roster)[2..], ["", "Ani", "Budi"]);
}

#[test]
fn a_workbook_that_unpacks_without_end_is_refused() {
    let limits = Limits { unpacked_bytes: 4 << 20, ..Limits::default() };
    // Blanks in one text, empty rows, comments: each declares a size of 0.
    for (below, code) in [
        (" ".repeat(8 << 20), ProblemCode::InvalidFormat),
        ("<!-- -->".repeat(1 << 20), ProblemCode::OutOfRange),
        ("<row/>".repeat(1 << 20), ProblemCode::OutOfRange),
        ("<row><c/><c/><c/><c/></row>".repeat(1 << 18), ProblemCode::OutOfRange),
    ] {
        let bytes = sheet(&below);
        assert!(bytes.len() < 128 << 10, "it is small when it is packed");
        let error = read_within(&bytes, &limits).err().unwrap();
        assert_eq!(error.problem().code, code, "{error}");
    }
}

#[test]
fn shared_texts_beyond_the_limit_are_refused() {
    for texts in
        ["<si/>".repeat((2 << 20) + 1), format!("<si><t>{}</t></si>", "y".repeat(60 << 10)).repeat(300)]
    {
        let message =
            refused_as(workbook(b"<x/>", format!("<sst>{texts}</sst>").as_bytes()), ProblemCode::OutOfRange);
        assert_eq!(message, "The workbook has too much text in it.");
    }
}

#[test]
fn a_broken_workbook_is_refused() {
    let cell = |at: &str| format!("<row><c r=\"{at}\" t=\"str\"><v>x</v></c></row>");
    for below in [
        "<row r=\"1\"/>".to_owned(),
        "<row r=\"9999999\"/>".to_owned(),
        "<row r=\"x\"/>".to_owned(),
        "<row><c t=\"s\"><v>7</v></c></row>".to_owned(),
        "<row><c t=\"str\"><v>&unknown;</v></c></row>".to_owned(),
        "<row><c t=\"str\"><v>&#0;</v></c></row>".to_owned(),
        "<row><c".to_owned(),
        "<a>".repeat(100),
        cell("9"),
        cell("XFE1"),
        "<row><c r=\"B3\"><v>1</v></c><c r=\"A3\"><v>1</v></c></row>".to_owned(),
        format!("<row><c t=\"str\"><v>{}</v></c></row>", "y".repeat(100 << 10)),
    ] {
        refused_as(sheet(&below), ProblemCode::InvalidFormat);
    }
    refused_as(sheet_of("<c r=\"XFD1\" t=\"str\"><v>x</v></c>", ""), ProblemCode::OutOfRange);
    let whole = sheet(&cell("A2"));
    assert!(read(&whole).is_ok());
    for length in (4..whole.len()).step_by(7) {
        refused_as(&whole[..length], ProblemCode::InvalidFormat);
    }
}

#[test]
fn archives_of_other_formats_are_named() {
    for (part, what) in [
        ("word/document.xml", "DOCX"),
        ("content.xml", "ODS"),
        ("xl/workbook.bin", "XLSB"),
        ("roster.csv", "zip"),
    ] {
        let message = refused_as(archive(&[(part, b"x")]), ProblemCode::InvalidFormat);
        assert!(message.contains(what), "{message}");
    }
    let mut crowd = (Vec::new(), Vec::new());
    (0..2_001).for_each(|_| put(&mut crowd.0, &mut crowd.1, "x", (b"", 0)));
    refused_as(close(crowd.0, &crowd.1, 2_001), ProblemCode::InvalidFormat);
}

#[test]
fn a_gzip_file_is_named() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(NEEDED.as_bytes()).unwrap();
    assert!(refused_as(packed.finish().unwrap(), ProblemCode::InvalidFormat).contains("gzip"));
}

/// A file of any size that needs no memory: a beginning, and then one byte repeated.
struct Endless {
    begin: Vec<u8>,
    at: u64,
    length: u64,
    read: std::sync::Arc<std::sync::atomic::AtomicU64>,
}

impl io::Read for Endless {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let length = buf.len().min(usize::try_from(self.length - self.at).unwrap());
        for byte in &mut buf[..length] {
            *byte = usize::try_from(self.at).ok().and_then(|at| self.begin.get(at)).copied().unwrap_or(b'y');
            self.at += 1;
        }
        self.read.fetch_add(length as u64, std::sync::atomic::Ordering::Relaxed);
        Ok(length)
    }
}

impl Seek for Endless {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::End(_) => self.length,
            SeekFrom::Current(_) => self.at,
        };
        Ok(self.at)
    }
}

#[test]
fn a_line_of_500_megabytes_is_refused_before_it_is_read() {
    let marked = "é".to_owned();
    for begin in [format!("{marked}{NEEDED}\n1,2,\"never closed"), marked.clone(), format!("{NEEDED}\né")] {
        let read = std::sync::Arc::default();
        let file =
            Endless { begin: begin.into(), at: 0, length: 500 << 20, read: std::sync::Arc::clone(&read) };
        let error =
            open(file, &Limits::default()).and_then(|roster| roster.collect::<Result<Vec<_>, _>>()).err();
        assert!(
            matches!(error, Some(RosterError::RowTooLong { .. } | RosterError::Columns { .. })),
            "{error:?}"
        );
        assert!(read.load(std::sync::atomic::Ordering::Relaxed) < 2 << 20, "of 500 MB, two are read at most");
    }
}

#[test]
fn a_declared_number_of_shared_texts_is_not_trusted() {
    let cells =
        |first: usize| (first..first + 5).map(|at| format!("<c t=\"s\"><v>{at}</v></c>")).collect::<String>();
    let sheet = format!(
        "<worksheet><sheetData><row>{}</row><row>{}</row></sheetData></worksheet>",
        cells(0),
        cells(5)
    );
    let texts =
        NEEDED.split(',').chain(["1", "2", "Ani", "x", "P"]).map(|text| format!("<si><t>{text}</t></si>"));
    let texts = texts.collect::<String>();
    for count in ["0", "4000000000000000000", "-1", "x"] {
        let texts = format!("<sst count=\"{count}\" uniqueCount=\"{count}\">{texts}</sst>");
        assert_eq!(names(&read(workbook(sheet.as_bytes(), texts.as_bytes())).unwrap()), ["Ani"], "{count}");
    }
}

#[test]
fn a_part_whose_checksum_differs_is_refused() {
    let whole = sheet("<row><c t=\"str\"><v>x</v></c></row>");
    let central = whole.windows(4).rposition(|four| four == b"PK\x01\x02").unwrap();
    let mut changed = whole.clone();
    changed[central + 16] ^= 1;
    assert_eq!(
        refused_as(changed, ProblemCode::InvalidFormat),
        "The workbook is damaged: the checksum of a part differs."
    );
}

/// Returns the archive with the end of a Zip64 archive. `count` is its number of parts, `length` the length that the
/// end declares for itself.
fn zip64(plain: &[u8], count: u64, length: u64) -> Vec<u8> {
    let end = plain.windows(4).rposition(|four| four == b"PK\x05\x06").unwrap();
    let field = |at: usize| u64::from(u32::from_le_bytes(plain[end + at..end + at + 4].try_into().unwrap()));
    let (size, start) = (field(12), field(16));
    let record = [
        &b"PK\x06\x06"[..],
        &length.to_le_bytes(),
        &[45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &count.to_le_bytes(),
        &count.to_le_bytes(),
        &size.to_le_bytes(),
        &start.to_le_bytes(),
        b"PK\x06\x07\0\0\0\0",
        &(end as u64).to_le_bytes(),
        &[1, 0, 0, 0],
        b"PK\x05\x06\0\0\0\0\xFF\xFF\xFF\xFF",
        &[0xFF; 8],
        &[0, 0],
    ];
    [&plain[..end], &record.concat()].concat()
}

#[test]
fn a_zip64_archive_is_read_and_its_claims_are_not_trusted() {
    let plain = sheet("<row><c t=\"str\"><v>1</v></c><c/><c t=\"str\"><v>Ani</v></c></row>");
    assert_eq!(names(&read(zip64(&plain, 5, 44)).unwrap()), ["Ani"]);
    for (count, length) in
        [(u64::MAX, 44), (1 << 40, 44), (2_001, 44), (6, 44), (5, u64::MAX), (5, 1 << 40), (5, 0)]
    {
        refused_as(zip64(&plain, count, length), ProblemCode::InvalidFormat);
    }
}

#[test]
fn a_formula_with_an_empty_number_was_never_computed() {
    // As openpyxl writes formulas.
    let row = "<row><c t=\"str\"><v>1</v></c><c t=\"str\"><v>2</v></c><c><f>A1</f><v></v></c></row>";
    let fault = read(sheet(row)).unwrap().rows[0].fault.clone().unwrap();
    assert_eq!(fault.message, "The formula under NAMA was never computed: there is no value.");
}

#[test]
fn too_many_merged_cells_are_refused_and_irrelevant_ones_are_ignored() {
    let person = "<row r=\"2\"><c t=\"str\"><v>1</v></c><c/><c t=\"str\"><v>Ani</v></c></row>";
    let merged = |ranges: &str| {
        let header = header();
        let cells = format!("<mergeCells>{ranges}</mergeCells>");
        workbook(
            format!("<worksheet><sheetData>{header}{person}</sheetData>{cells}</worksheet>").as_bytes(),
            b"<sst/>",
        )
    };
    for ranges in [
        "<mergeCell ref=\"A2:A1048576\"/>",
        "<mergeCell ref=\"x\"/>",
        "<mergeCell/>",
        "<mergeCell ref=\"ZZ2:ZZ9\"/>",
    ] {
        assert_eq!(names(&read(merged(ranges)).unwrap()), ["Ani"], "{ranges}");
    }
    let message =
        refused_as(merged(&"<mergeCell ref=\"A2:A9\"/>".repeat((1 << 18) + 1)), ProblemCode::InvalidFormat);
    assert_eq!(message, "The workbook is damaged: it has too many merged cells.");
}
