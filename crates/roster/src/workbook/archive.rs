//! The zip archive that a workbook is, with a bound on everything that it says about itself.
//!
//! Not the crate `zip`: it lists as many parts as a file claims to have before anybody can say stop. Here the list is
//! short or refused, a declared size is never believed, and what a part unpacks to is counted as it is read.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Take};

use flate2::read::DeflateDecoder;

use crate::RosterError;
use crate::reader::Source;

/// Parts of an archive, at most. An ordinary workbook has fifteen.
const PARTS: usize = 2_000;
/// Bytes of the list of parts, at most.
const LIST: usize = 1 << 20;
/// Bytes of the end of an archive: what stands there, and a comment of any length.
const END: u64 = 22 + 0xFFFF;

/// An archive and the list of its parts.
pub(super) struct Archive {
    source: Box<dyn Source>,
    parts: Vec<Part>,
}

/// Where a part is.
#[derive(Clone, Debug)]
struct Part {
    name: String,
    header: u64,
    packed: u64,
    method: u16,
    is_encrypted: bool,
}

impl Archive {
    /// Reads the list of parts.
    pub(super) fn open(mut source: Box<dyn Source>) -> Result<Self, RosterError> {
        let length = source.seek(SeekFrom::End(0))?;
        source.seek(SeekFrom::Start(length.saturating_sub(END)))?;
        let mut end = Vec::new();
        (&mut source).take(END).read_to_end(&mut end)?;
        let is_end = |at: &usize| {
            end[*at..].starts_with(b"PK\x05\x06")
                && number::<2>(&end, at + 20) == Some((end.len() - at).saturating_sub(22) as u64)
        };
        let at = (0..end.len()).rev().find(is_end).ok_or(damaged("its end is missing"))?;
        let fields = (number::<2>(&end, at + 10), number::<4>(&end, at + 12), number::<4>(&end, at + 16));
        let (Some(count), Some(size), Some(from)) = fields else { return Err(damaged("its end is missing")) };
        if count > PARTS as u64 || size > LIST as u64 {
            return Err(damaged("it has far too many parts"));
        }
        let mut list = Vec::new();
        source.seek(SeekFrom::Start(from))?;
        (&mut source).take(size).read_to_end(&mut list)?;
        let mut parts = Vec::new();
        let mut rest = &list[..];
        for _ in 0..count {
            let (part, after) = listed(rest).ok_or(damaged("the list of its parts is broken"))?;
            parts.push(part);
            rest = after;
        }
        Ok(Self { source, parts })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.find(name).is_ok()
    }

    /// Opens a part to be read from its beginning, up to `limit` bytes.
    pub(super) fn part(
        &mut self,
        name: &str,
        limit: u64,
    ) -> Result<Unpacked<&mut (dyn Source + 'static)>, RosterError> {
        let part = self.find(name)?.clone();
        Unpacked::open(&mut *self.source, &part, limit)
    }

    /// Opens the last part that is read.
    pub(super) fn into_part(self, name: &str, limit: u64) -> Result<Unpacked<Box<dyn Source>>, RosterError> {
        let part = self.find(name)?.clone();
        Unpacked::open(self.source, &part, limit)
    }

    fn find(&self, name: &str) -> Result<&Part, RosterError> {
        let part = self.parts.iter().find(|part| part.name.eq_ignore_ascii_case(name));
        part.ok_or(damaged("a part of it is missing"))
    }
}

/// Reads a part in the list, and what follows it.
fn listed(list: &[u8]) -> Option<(Part, &[u8])> {
    if !list.starts_with(b"PK\x01\x02") {
        return None;
    }
    let field = |at| number::<2>(list, at);
    let (name, extra, comment) = (field(28)?, field(30)?, field(32)?);
    let name_end = 46 + usize::try_from(name).ok()?;
    let end = name_end + usize::try_from(extra + comment).ok()?;
    let part = Part {
        name: String::from_utf8_lossy(list.get(46..name_end)?).replace('\\', "/"),
        header: number::<4>(list, 42)?,
        packed: number::<4>(list, 20)?,
        method: u16::try_from(field(10)?).ok()?,
        is_encrypted: field(8)? & 1 == 1,
    };
    Some((part, list.get(end..)?))
}

/// A number of so many bytes.
fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + N)?;
    Some(bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

pub(super) const fn damaged(what: &'static str) -> RosterError {
    RosterError::Damaged { what }
}

/// A part being unpacked, for a reader that looks for marks in it.
pub(super) struct Unpacked<S: Read> {
    bytes: BufReader<Packed<S>>,
    /// Bytes that it may still have.
    left: u64,
    /// Bytes that may still pass before the reader has found a mark.
    allowance: usize,
}

enum Packed<S: Read> {
    Stored(Take<S>),
    Deflated(DeflateDecoder<Take<S>>),
}

/// Why a part is not read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Excess {
    #[error("the part is too large")]
    Part,
    #[error("there are no marks in the part")]
    Allowance,
}

impl<S: Read + Seek> Unpacked<S> {
    fn open(mut source: S, part: &Part, limit: u64) -> Result<Self, RosterError> {
        if part.is_encrypted {
            return Err(RosterError::Format {
                what: "protected by a password",
                hint: "Save it without a password, or as “CSV UTF-8”.",
            });
        }
        source.seek(SeekFrom::Start(part.header))?;
        let mut header = [0; 30];
        source.read_exact(&mut header).map_err(|_| damaged("a part of it is cut off"))?;
        if !header.starts_with(b"PK\x03\x04") {
            return Err(damaged("a part of it is not where it should be"));
        }
        let [name, extra] = [26, 28].map(|at| number::<2>(&header, at).unwrap_or_default());
        source.seek(SeekFrom::Start(part.header + 30 + name + extra))?;
        let packed = source.take(part.packed);
        let packed = match part.method {
            0 => Packed::Stored(packed),
            8 => Packed::Deflated(DeflateDecoder::new(packed)),
            _ => return Err(damaged("it is packed in a way that workbooks are not")),
        };
        Ok(Self { bytes: BufReader::with_capacity(32 << 10, packed), left: limit, allowance: 0 })
    }
}

impl<S: Read> Unpacked<S> {
    /// Lets so many bytes pass before the next mark.
    pub(super) fn allow(&mut self, bytes: usize) {
        self.allowance = bytes;
    }
}

impl<S: Read> Read for Packed<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Stored(packed) => packed.read(buf),
            Self::Deflated(packed) => packed.read(buf),
        }
    }
}

impl<S: Read> Read for Unpacked<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buf)?;
        self.consume(length);
        Ok(length)
    }
}

impl<S: Read> BufRead for Unpacked<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let bytes = self.bytes.fill_buf()?;
        if bytes.is_empty() {
            return Ok(bytes);
        }
        let most = self.allowance.min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if most == 0 {
            return Err(io::Error::other(if self.left == 0 { Excess::Part } else { Excess::Allowance }));
        }
        Ok(&bytes[..bytes.len().min(most)])
    }

    fn consume(&mut self, bytes: usize) {
        self.left -= bytes as u64;
        self.allowance -= bytes;
        self.bytes.consume(bytes);
    }
}
