//! Workbooks (XLSX): finds the sheet with the roster and reads it row by row.
//!
//! A sheet is a roster if it has a header with all needed columns. A workbook with several visible sheets of that kind
//! is refused, because it is unclear which one is meant. Cells are read as they were typed: a number without its
//! format, a date as a date, a formula as its last result.

use quick_xml::events::BytesStart;

use super::cell::shown;
use super::header::Header;
use super::reader::Source;
use super::table::{TableRow, find_header};
use super::{Limits, RosterError};

mod archive;
mod cells;
mod number;
mod shared_strings;
mod xml;

use archive::{Archive, damaged};
use cells::Cells;
use number::{Calendar, is_date_format};
use shared_strings::SharedStrings;
use xml::{Mark, Xml, XmlError, attribute};

/// Bytes of each part that describes the workbook, at most.
const SMALL: u64 = 8 << 20;
/// Bytes of a tag in such a part, at most.
const SMALL_MARK: usize = 64 << 10;
/// Sheets and cell formats, at most.
const SHEETS: usize = 100;
const FORMATS: usize = 1 << 16;

/// A visible sheet.
struct Sheet {
    name: String,
    part: String,
}

/// What the sheets of a workbook share.
pub(super) struct Book {
    texts: SharedStrings,
    calendar: Calendar,
    /// For each cell format, whether it shows a date.
    date_formats: Vec<bool>,
}

/// The rows of the sheet with the roster.
pub(super) struct Rows {
    cells: Cells<Box<dyn Source>>,
    book: Book,
    limits: Limits,
}

impl Rows {
    pub(super) fn next(&mut self) -> Result<Option<TableRow>, RosterError> {
        self.cells.next(&self.book, &self.limits)
    }

    /// The date that a number means in a column of dates.
    pub(super) fn day(&self, number: f64) -> Option<String> {
        self.book.calendar.day(number)
    }
}

/// Finds the sheet with the roster and reads its header.
pub(super) fn open(source: Box<dyn Source>, limits: &Limits) -> Result<(Rows, Header), RosterError> {
    let mut archive = Archive::open(source)?;
    refuse_others(&archive)?;
    let (sheets, book) = read_book(&mut archive, limits)?;
    let mut rosters = Vec::new();
    let mut closest: Option<RosterError> = None;
    let mut most = 0;
    for sheet in &sheets {
        let mut cells = Cells::of(archive.part(&sheet.part, limits.unpacked_bytes)?, limits);
        let header = match find_header(limits.columns, || cells.next(&book, limits)) {
            Ok(header) => header,
            Err(RosterError::Empty) => continue,
            Err(error) => return Err(error),
        };
        match header.judge() {
            Ok(()) => rosters.push((sheet, header)),
            Err(error) if closest.is_none() || header.known() > most => {
                most = header.known();
                closest = Some(error);
            }
            Err(_) => {}
        }
    }
    match rosters.len() {
        0 => return Err(closest.unwrap_or(RosterError::Empty)),
        1 => {}
        _ => {
            let names = rosters.iter().map(|(sheet, _)| shown(&sheet.name)).collect();
            return Err(RosterError::Sheets { names });
        }
    }
    let (sheet, header) = rosters.remove(0);
    let mut cells = Cells::of(archive.into_part(&sheet.part, limits.unpacked_bytes)?, limits);
    find_header(limits.columns, || cells.next(&book, limits))?;
    Ok((Rows { cells, book, limits: *limits }, header))
}

/// Refuses files that are packed like workbooks and are none.
fn refuse_others(archive: &Archive) -> Result<(), RosterError> {
    let save = "Open it in the spreadsheet and save it as “Excel Workbook (XLSX)” or as “CSV UTF-8”.";
    let kinds = [
        ("xl/workbook.bin", "a binary workbook (XLSB)", save),
        ("content.xml", "a document of LibreOffice (ODS, ODT)", save),
        (
            "word/document.xml",
            "a text document (DOCX)",
            "Send the table from which it was made, as XLSX or CSV.",
        ),
        ("xl/workbook.xml", "", ""),
        ("_rels/.rels", "", ""),
    ];
    match kinds.into_iter().find(|(part, ..)| archive.has(part)) {
        Some((_, "", _)) => Ok(()),
        Some((_, what, hint)) => Err(RosterError::Format { what, hint }),
        None => Err(RosterError::Format {
            what: "a zip archive and no workbook",
            hint: "Unpack it first: unzip FILE.",
        }),
    }
}

fn read_book(archive: &mut Archive, limits: &Limits) -> Result<(Vec<Sheet>, Book), RosterError> {
    let relations = relations(archive, "_rels/.rels", "")?;
    let main = relations.iter().find(|relation| relation.kind == "officeDocument");
    let main = main.map_or("xl/workbook.xml", |relation| &relation.part).to_owned();
    let (folder, file) = main.rsplit_once('/').map_or(("", &main[..]), |(folder, file)| (folder, file));
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let relations = self::relations(archive, &format!("{prefix}_rels/{file}.rels"), &prefix)?;
    let part_of =
        |kind: &str| relations.iter().find(|relation| relation.kind == kind).map(|relation| &relation.part);

    let (mut sheets, mut calendar) = (Vec::new(), Calendar::default());
    each_element(archive, &main, |path, mark| {
        let of = |name| attribute(mark, name);
        match path {
            "workbook/workbookPr" => {
                calendar.from_1904 = matches!(of("date1904").as_deref(), Some("1" | "true" | "on"))
            }
            "workbook/sheets/sheet"
                if of("state").is_none_or(|state| state == "visible") && sheets.len() < SHEETS =>
            {
                let relation = relations.iter().find(|relation| Some(&relation.id) == of("id").as_ref());
                if let Some(relation) = relation.filter(|relation| relation.kind == "worksheet") {
                    let part = relation.part.clone();
                    sheets.push(Sheet { name: of("name").unwrap_or_default(), part });
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    let date_formats = match part_of("styles") {
        Some(part) => date_formats(archive, part)?,
        None => Vec::new(),
    };
    let texts = match part_of("sharedStrings") {
        Some(part) => {
            let unpacked = archive.part(part, limits.unpacked_bytes)?;
            SharedStrings::read(&mut Xml::of(unpacked, limits.unpacked_bytes, limits.row_bytes))?
        }
        None => SharedStrings::default(),
    };
    Ok((sheets, Book { texts, calendar, date_formats }))
}

/// A reference from one part of a workbook to another.
struct Relation {
    id: String,
    kind: String,
    part: String,
}

fn relations(archive: &mut Archive, part: &str, prefix: &str) -> Result<Vec<Relation>, RosterError> {
    let mut relations = Vec::new();
    each_element(archive, part, |path, mark| {
        if path == "Relationships/Relationship" {
            let of = |name| attribute(mark, name).unwrap_or_default();
            let kind = of("Type").rsplit('/').next().unwrap_or_default().to_owned();
            let target = of("Target");
            let part = match target.strip_prefix('/') {
                Some(absolute) => absolute.to_owned(),
                None => format!("{prefix}{target}"),
            };
            relations.push(Relation { id: of("Id"), kind, part });
        }
        if relations.len() > SHEETS * 10 { Err(damaged("it has far too many parts")) } else { Ok(()) }
    })?;
    Ok(relations)
}

fn date_formats(archive: &mut Archive, part: &str) -> Result<Vec<bool>, RosterError> {
    let (mut codes, mut formats) = (Vec::new(), Vec::new());
    each_element(archive, part, |path, mark| {
        let id = || attribute(mark, "numFmtId").and_then(|id| id.parse::<u32>().ok()).unwrap_or_default();
        match path {
            "styleSheet/numFmts/numFmt" => {
                codes.push((id(), attribute(mark, "formatCode").unwrap_or_default()))
            }
            "styleSheet/cellXfs/xf" => {
                let id = id();
                let code = codes.iter().find(|(of, _)| *of == id).map(|(_, code)| code.as_str());
                formats.push(is_date_format(id, code));
            }
            _ => {}
        }
        let is_too_many = codes.len() > FORMATS / 64 || formats.len() > FORMATS;
        if is_too_many { Err(damaged("it has far too many formats")) } else { Ok(()) }
    })?;
    Ok(formats)
}

/// Calls `visit` for each element of a small part, with its path from the root, such as `workbook/sheets/sheet`.
///
/// Excel repeats names of elements in its extensions: a 1904 workbook of Excel 2013 has `x15:workbookPr` below `extLst`.
/// The path tells them apart. Names in the namespace of the root stand in it without their prefix, others with it.
fn each_element(
    archive: &mut Archive,
    part: &str,
    mut visit: impl FnMut(&str, &BytesStart<'_>) -> Result<(), RosterError>,
) -> Result<(), RosterError> {
    let mut xml = Xml::of(archive.part(part, SMALL)?, SMALL, SMALL_MARK);
    let mut path = ElementPath::default();
    loop {
        match xml.next().map_err(XmlError::refusal)? {
            Mark::Begin(mark) => {
                path.enter(&mark);
                visit(&path.names, &mark)?;
            }
            Mark::Empty(mark) => {
                path.enter(&mark);
                visit(&path.names, &mark)?;
                path.leave();
            }
            Mark::End(_) => path.leave(),
            Mark::Text(_) => {}
            Mark::Over => return Ok(()),
        }
    }
}

/// The path of an element in its part.
#[derive(Default)]
struct ElementPath {
    /// Names from the root, with `/` between them.
    names: String,
    /// Length of `names` before each element that is open.
    lengths: Vec<usize>,
    /// The prefix of the root's name, with its colon.
    root_prefix: String,
}

impl ElementPath {
    fn enter(&mut self, element: &BytesStart<'_>) {
        let name = element.name();
        let name = name.as_ref();
        self.lengths.push(self.names.len());
        if self.lengths.len() == 1 {
            self.root_prefix =
                name.split_once(':').map(|(prefix, _)| format!("{prefix}:")).unwrap_or_default();
        } else {
            self.names.push('/');
        }
        self.names.push_str(name.strip_prefix(&self.root_prefix).unwrap_or(name));
    }

    fn leave(&mut self) {
        let length = self.lengths.pop().unwrap_or_default();
        self.names.truncate(length);
    }
}
