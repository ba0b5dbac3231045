//! The data that all sheets of a workbook share: their list, the texts, the calendar and the formats of cells.

use quick_xml::events::BytesStart;

use super::archive::{Archive, damaged};
use super::number::{Calendar, is_date_format};
use super::shared_strings::SharedStrings;
use super::xml::{Mark, Xml, XmlError, attribute, is_true};
use crate::{Limits, RosterError};

/// Maximum size in bytes of each part that describes the workbook.
const SMALL: u64 = 8 << 20;
/// Maximum size in bytes of a tag in such a part.
const SMALL_MARK: usize = 64 << 10;
/// Maximum number of sheets.
const SHEETS: usize = 100;
/// Maximum number of cell formats.
const FORMATS: usize = 1 << 16;

/// A visible sheet.
pub(super) struct Sheet {
    pub(super) name: String,
    pub(super) part: String,
}

/// The data that all sheets of a workbook share.
pub(super) struct Book {
    pub(super) texts: SharedStrings,
    pub(super) calendar: Calendar,
    /// For each cell format, whether it shows a date.
    pub(super) date_formats: Vec<bool>,
}

/// Reads the shared data of a workbook, and the list of its visible sheets.
pub(super) fn read_book(archive: &mut Archive, limits: &Limits) -> Result<(Vec<Sheet>, Book), RosterError> {
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
            "workbook/workbookPr" => calendar.from_1904 = of("date1904").is_some_and(|value| is_true(&value)),
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
    // Some programs announce shared texts but write none, because all cells are inline.
    let texts = match part_of("sharedStrings").filter(|part| archive.has(part)) {
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
            relations.push(Relation { id: of("Id"), kind, part: resolved(prefix, &of("Target")) });
        }
        if relations.len() > SHEETS * 10 { Err(damaged("it has too many parts")) } else { Ok(()) }
    })?;
    Ok(relations)
}

/// Resolves the target of a relation: `worksheets/sheet1.xml`, `./worksheets/sheet1.xml`, `/xl/worksheets/sheet1.xml`.
fn resolved(prefix: &str, target: &str) -> String {
    let target = target.replace('\\', "/");
    let path = if target.starts_with('/') { target } else { format!("{prefix}{target}") };
    let mut folders: Vec<&str> = Vec::new();
    for folder in path.split('/') {
        match folder {
            "" | "." => {}
            ".." => drop(folders.pop()),
            folder => folders.push(folder),
        }
    }
    folders.join("/")
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
        if is_too_many { Err(damaged("it has too many formats")) } else { Ok(()) }
    })?;
    Ok(formats)
}

/// Calls `visit` for each element of a small part, with its path from the root, such as `workbook/sheets/sheet`.
///
/// Excel repeats names of elements in its extensions: a 1904 workbook of Excel 2013 has `x15:workbookPr` below `extLst`.
/// The path tells them apart: it has names in the namespace of the root without their prefix, others with it.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_resolved_however_they_are_written() {
        for target in [
            "worksheets/sheet1.xml",
            "./worksheets/sheet1.xml",
            "/xl/worksheets/sheet1.xml",
            "../xl/worksheets/sheet1.xml",
            "worksheets\\sheet1.xml",
            ".//worksheets/./sheet1.xml",
        ] {
            assert_eq!(resolved("xl/", target), "xl/worksheets/sheet1.xml", "{target}");
        }
        assert_eq!(resolved("", "../../../x.xml"), "x.xml");
    }
}
