//! The XML of a workbook's parts, tag by tag, with limits on size and depth.

use std::borrow::Cow;
use std::io::Read;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Error, Reader, XmlVersion};

use super::archive::{Excess, Unpacked, damaged};
use crate::RosterError;

/// Maximum depth of elements. Those that are read are five deep.
const DEPTH: usize = 64;

/// A part that is being read.
pub(super) struct Xml<S: Read> {
    reader: Reader<Unpacked<S>>,
    buffer: Vec<u8>,
    depth: usize,
    /// Maximum size in bytes of a tag or a text.
    allowance: usize,
    /// The limit of the part, for people.
    mebibytes: u64,
}

/// A token of a part.
pub(super) enum Mark<'a> {
    Begin(BytesStart<'a>),
    /// An element without content.
    Empty(BytesStart<'a>),
    /// The end of an element; the name is without its prefix.
    End(Name),
    Text(Cow<'a, str>),
    Over,
}

/// The names of the elements that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Cell,
    Formula,
    Item,
    MergedCells,
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
            "mergeCell" => Self::MergedCells,
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

    /// Returns the next tag or text. Comments and the like are empty texts.
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
                    return Err(damaged("its elements are nested too deeply").into());
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
                    Ok(None) => {
                        named(&reference.into_inner()).ok_or(damaged("it refers to an unknown entity"))?
                    }
                    Err(_) => return Err(damaged("it refers to a character that does not exist").into()),
                };
                Mark::Text(letter.to_string().into())
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => Mark::Text("".into()),
            Event::Eof if self.depth > 0 => return Err(damaged("a part is cut off").into()),
            Event::Eof => Mark::Over,
        })
    }
}

/// The reason why reading a part stopped.
pub(super) enum XmlError {
    /// A tag or a text is too long.
    TooLong,
    Refused(RosterError),
}

impl From<RosterError> for XmlError {
    fn from(error: RosterError) -> Self {
        Self::Refused(error)
    }
}

impl XmlError {
    /// Returns the error for a part that has no rows.
    pub(super) fn refusal(self) -> RosterError {
        match self {
            Self::TooLong => damaged("it contains a text that is too long"),
            Self::Refused(error) => error,
        }
    }
}

fn refused(error: &Error, mebibytes: u64) -> XmlError {
    let Error::Io(error) = error else { return damaged("its XML is broken").into() };
    match error.get_ref().and_then(|error| error.downcast_ref::<Excess>()) {
        Some(Excess::Allowance) => XmlError::TooLong,
        Some(Excess::Part) => RosterError::Unpacked { mebibytes }.into(),
        Some(Excess::Checksum) => damaged("the checksum of a part differs").into(),
        None => damaged("it cannot be unpacked").into(),
    }
}

/// Returns the value of an attribute, whatever the prefix of its name.
pub(super) fn attribute(mark: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = mark.attributes();
    let mut attributes = attributes.with_checks(false).flatten();
    let found = attributes.find(|attribute| attribute.key.local_name().as_ref() == name)?;
    found.normalized_value(XmlVersion::Implicit1_0).ok().map(Cow::into_owned)
}

/// Returns whether the value of an attribute means true.
pub(super) fn is_true(value: &str) -> bool {
    matches!(value, "1" | "true" | "on")
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
