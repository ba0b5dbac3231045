//! The XML of a workbook's parts, mark by mark, none of them of any length or depth.

use std::io::Read;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Error, Reader, XmlVersion};

use super::archive::{Excess, Unpacked, damaged};
use crate::RosterError;

/// How deep marks lie within each other, at most. Those that are read lie five deep.
const DEPTH: usize = 64;

/// A part being read.
pub(super) struct Xml<S: Read> {
    reader: Reader<Unpacked<S>>,
    buffer: Vec<u8>,
    depth: usize,
    /// Bytes of a mark or of a text, at most.
    allowance: usize,
    /// What the part may have in all, for people.
    mebibytes: u64,
}

/// What comes next in a part.
pub(super) enum Mark<'a> {
    Begin(BytesStart<'a>),
    /// Begins, and ends at once.
    Empty(BytesStart<'a>),
    /// The name without its prefix.
    End(Name),
    Text(std::borrow::Cow<'a, str>),
    Over,
}

/// The names that mean something where they end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Cell,
    Formula,
    Item,
    Phonetic,
    Row,
    SheetData,
    Text,
    Value,
    Other,
}

impl Name {
    pub(super) fn of(name: &str) -> Self {
        match name {
            "c" => Self::Cell,
            "f" => Self::Formula,
            "si" => Self::Item,
            "rPh" => Self::Phonetic,
            "row" => Self::Row,
            "sheetData" => Self::SheetData,
            "t" => Self::Text,
            "v" => Self::Value,
            _ => Self::Other,
        }
    }
}

impl<S: Read> Xml<S> {
    /// Reads a part of which no more than `limit` bytes are unpacked.
    pub(super) fn of(part: Unpacked<S>, limit: u64, allowance: usize) -> Self {
        let mut reader = Reader::from_reader(part);
        reader.config_mut().check_end_names = false;
        Self { reader, buffer: Vec::new(), depth: 0, allowance, mebibytes: limit >> 20 }
    }

    /// The next mark that is not a comment or the like.
    pub(super) fn next(&mut self) -> Result<Mark<'_>, XmlError> {
        self.buffer.clear();
        self.reader.get_mut().allow(self.allowance);
        let event = match self.reader.read_event_into(&mut self.buffer) {
            Ok(event) => event,
            Err(error) => return Err(refused(&error, self.mebibytes)),
        };
        Ok(match event {
            Event::Start(mark) => {
                self.depth += 1;
                if self.depth > DEPTH {
                    return Err(damaged("its marks lie within each other without end").into());
                }
                Mark::Begin(mark)
            }
            Event::Empty(mark) => Mark::Empty(mark),
            Event::End(mark) => {
                self.depth = self.depth.saturating_sub(1);
                Mark::End(Name::of(mark.local_name().as_ref()))
            }
            Event::Text(text) => Mark::Text(text.into_inner()),
            Event::CData(text) => Mark::Text(text.into_inner()),
            Event::GeneralRef(reference) => {
                let letter = match reference.resolve_char_ref() {
                    Ok(Some(letter)) => letter,
                    Ok(None) => named(&reference.into_inner())
                        .ok_or(damaged("it refers to a letter that nobody knows"))?,
                    Err(_) => return Err(damaged("it refers to a letter that does not exist").into()),
                };
                Mark::Text(letter.to_string().into())
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => Mark::Text("".into()),
            Event::Eof if self.depth > 0 => return Err(damaged("a part of it is cut off").into()),
            Event::Eof => Mark::Over,
        })
    }
}

/// Why a part is not read on.
pub(super) enum XmlError {
    /// A mark or a text is too long.
    TooLong,
    Refused(RosterError),
}

impl From<RosterError> for XmlError {
    fn from(error: RosterError) -> Self {
        Self::Refused(error)
    }
}

impl XmlError {
    /// The refusal of a part in which nobody knows of rows.
    pub(super) fn refusal(self) -> RosterError {
        match self {
            Self::TooLong => damaged("a text in it is too long"),
            Self::Refused(error) => error,
        }
    }
}

fn refused(error: &Error, mebibytes: u64) -> XmlError {
    let Error::Io(error) = error else { return damaged("its XML is broken").into() };
    match error.get_ref().and_then(|error| error.downcast_ref::<Excess>()) {
        Some(Excess::Allowance) => XmlError::TooLong,
        Some(Excess::Part) => RosterError::Unpacked { mebibytes }.into(),
        None => damaged("it cannot be unpacked").into(),
    }
}

/// The value of an attribute, whatever the prefix of its name.
pub(super) fn attribute(mark: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = mark.attributes();
    let mut attributes = attributes.with_checks(false).flatten();
    let found = attributes.find(|attribute| attribute.key.local_name().as_ref() == name)?;
    found.normalized_value(XmlVersion::Implicit1_0).ok().map(std::borrow::Cow::into_owned)
}

fn named(entity: &str) -> Option<char> {
    Some(match entity {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return None,
    })
}
