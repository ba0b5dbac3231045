//! The zip archive of a workbook, with limits on everything that it declares.
//!
//! `zip` reads the directory, Zip64 included, one entry at a time. This module limits how much of a file the directory
//! takes, does not trust declared sizes, counts bytes while a part is unpacked, and compares the checksum at its end:
//! a flipped bit could change an identity number in silence.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Take};

use flate2::Crc;
use flate2::read::DeflateDecoder;
use zip::CompressionMethod;
use zip::read::{Config, HasZipMetadata as _, ZipFileEntry};
use zip::unstable::read::ZipIterable;

use crate::RosterError;
use crate::source::Source;

/// Maximum number of parts in an archive. An ordinary workbook has fifteen.
const PARTS: usize = 2_000;
/// Maximum number of bytes that are read to find and list the parts.
const DIRECTORY: usize = 2 << 20;

/// An archive and the list of its parts.
pub(super) struct Archive {
    source: Box<dyn Source>,
    parts: Vec<Part>,
}

struct Part {
    name: String,
    entry: ZipFileEntry<'static>,
}

impl Archive {
    /// Reads the list of parts.
    pub(super) fn open(mut source: Box<dyn Source>) -> Result<Self, RosterError> {
        let metered = Metered { source: &mut *source, left: DIRECTORY };
        let config = Config { archive_offset: zip::read::ArchiveOffset::Known(0) };
        let mut directory =
            ZipIterable::try_new(metered, config).map_err(|_| damaged("its end is missing"))?;
        if directory.len() > PARTS {
            return Err(damaged("it has too many parts"));
        }
        let entries = directory.files().map_err(|_| damaged("the list of its parts is broken"))?;
        let parts = entries.map(|entry| {
            let entry = entry.map_err(|_| damaged("the list of its parts is broken"))?;
            let name = String::from_utf8_lossy(entry.name_raw()).replace('\\', "/");
            Ok(Part { name, entry })
        });
        let parts = parts.collect::<Result<_, RosterError>>()?;
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
        let at = self.find(name)?;
        Unpacked::open(&mut *self.source, &self.parts[at].entry, limit)
    }

    /// Opens a part as [`part`](Self::part) does, and consumes the archive.
    pub(super) fn into_part(self, name: &str, limit: u64) -> Result<Unpacked<Box<dyn Source>>, RosterError> {
        let at = self.find(name)?;
        Unpacked::open(self.source, &self.parts[at].entry, limit)
    }

    fn find(&self, name: &str) -> Result<usize, RosterError> {
        let at = self.parts.iter().position(|part| part.name.eq_ignore_ascii_case(name));
        at.ok_or(damaged("a part is missing"))
    }
}

/// A source that ends with an error after a number of bytes.
struct Metered<'a> {
    source: &'a mut dyn Source,
    left: usize,
}

impl Read for Metered<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let most = buf.len().min(self.left);
        if most == 0 && !buf.is_empty() {
            return Err(io::Error::other("the directory is too long"));
        }
        let length = self.source.read(&mut buf[..most])?;
        self.left -= length;
        Ok(length)
    }
}

impl Seek for Metered<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.source.seek(to)
    }
}

pub(super) const fn damaged(what: &'static str) -> RosterError {
    RosterError::Damaged { what }
}

/// A part that is being unpacked.
pub(super) struct Unpacked<S: Read> {
    bytes: BufReader<Packed<S>>,
    /// Bytes that the part may still have.
    left: u64,
    /// Bytes that may still be read before [`Unpacked::allow`] is called again.
    allowance: usize,
    checksum: Crc,
    expected_checksum: u32,
}

enum Packed<S: Read> {
    Stored(Take<S>),
    Deflated(DeflateDecoder<Take<S>>),
}

/// The reason why reading a part stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Excess {
    #[error("the part is too large")]
    Part,
    #[error("an element of the part is too large")]
    Allowance,
    #[error("the checksum of the part differs")]
    Checksum,
}

impl<S: Read + Seek> Unpacked<S> {
    fn open(mut source: S, entry: &ZipFileEntry<'static>, limit: u64) -> Result<Self, RosterError> {
        if entry.encrypted() {
            return Err(RosterError::Format {
                what: "protected by a password",
                hint: "Save it without a password, or as “CSV UTF-8”.",
            });
        }
        let start = entry.get_metadata().data_start(&mut source);
        let start = start.map_err(|_| damaged("a part is not at its declared position"))?;
        source.seek(SeekFrom::Start(start))?;
        let packed = source.take(entry.compressed_size());
        let packed = match entry.compression() {
            CompressionMethod::Stored => Packed::Stored(packed),
            CompressionMethod::Deflated => Packed::Deflated(DeflateDecoder::new(packed)),
            _ => return Err(damaged("a part has an unsupported compression method")),
        };
        Ok(Self {
            bytes: BufReader::with_capacity(32 << 10, packed),
            left: limit,
            allowance: 0,
            checksum: Crc::new(),
            expected_checksum: entry.crc32(),
        })
    }
}

impl<S: Read> Unpacked<S> {
    /// Allows this many bytes to be read until the next call.
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
            return match self.checksum.sum() == self.expected_checksum {
                true => Ok(bytes),
                false => Err(io::Error::other(Excess::Checksum)),
            };
        }
        let most = self.allowance.min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if most == 0 {
            return Err(io::Error::other(if self.left == 0 { Excess::Part } else { Excess::Allowance }));
        }
        Ok(&bytes[..bytes.len().min(most)])
    }

    fn consume(&mut self, bytes: usize) {
        self.checksum.update(&self.bytes.buffer()[..bytes]);
        self.left -= bytes as u64;
        self.allowance -= bytes;
        self.bytes.consume(bytes);
    }
}
