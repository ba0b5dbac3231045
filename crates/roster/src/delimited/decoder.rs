//! Decodes text files to UTF-8, chunk by chunk.
//!
//! The encoding is detected before the first row is read and holds for the whole file. A byte order mark decides it.
//! Without one, a NUL next to the first letter means UTF-16. Otherwise the first letter beyond ASCII decides: if it is
//! well-formed UTF-8, the file is UTF-8, and if not, Windows-1252, the default of many spreadsheets.
//!
//! Malformed text further down is an error and is never replaced, because a guessed letter would change a name. In
//! Windows-1252 every byte is a letter, so the decoder looks for letters of UTF-8 in it (`Ã©` for `é`). A file that was
//! concatenated from both encodings is refused at the first such line.

use std::io::{self, SeekFrom};

use encoding_rs::{DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use crate::source::Source;

/// Bytes read at a time.
const CHUNK: usize = 64 << 10;

/// A file that is being decoded.
pub(super) struct Decoder {
    source: Box<dyn Source>,
    encoding: &'static Encoding,
    decoder: encoding_rs::Decoder,
    input: Vec<u8>,
    /// The part of `input` that is not decoded yet.
    rest: std::ops::Range<usize>,
    output: Vec<u8>,
    is_over: bool,
    is_malformed: bool,
    /// Finds letters of UTF-8 in a file of another encoding.
    utf_8_finder: Utf8Finder,
    /// Whether `utf_8_finder` found a letter after `rest`.
    is_mixed: bool,
}

/// Finds letters of several bytes in UTF-8.
#[derive(Default)]
struct Utf8Finder {
    /// Bytes that the letter still needs, and the range of the next one.
    needs: u8,
    next: (u8, u8),
    /// Bytes of the letter so far.
    length: usize,
}

/// The next part of a file.
pub(super) enum Decoded<'a> {
    /// Text, never empty.
    Text(&'a [u8]),
    End,
    /// Bytes that are not text in the encoding of the file.
    Malformed,
}

/// Detects the encoding of a file.
pub(super) fn encoding_of(source: &mut dyn Source) -> io::Result<&'static Encoding> {
    source.seek(SeekFrom::Start(0))?;
    let mut chunk = vec![0; CHUNK];
    let mut length = fill(source, &mut chunk)?;
    if let Some((encoding, _)) = Encoding::for_bom(&chunk[..length]) {
        return Ok(encoding);
    }
    // The first letter of a header is ASCII, and half of it in UTF-16 is zero.
    match &chunk[..length] {
        [1..=0xFF, 0, ..] => return Ok(UTF_16LE),
        [0, 1..=0xFF, ..] => return Ok(UTF_16BE),
        _ => {}
    }
    loop {
        let at = Encoding::ascii_valid_up_to(&chunk[..length]);
        if at < length {
            // A letter has up to four bytes, which may be in two chunks.
            chunk.copy_within(at..length, 0);
            length -= at;
            if length < 4 {
                length += fill(source, &mut chunk[length..4])?;
            }
            let letter = &chunk[..length.min(4)];
            let is_utf_8 = match str::from_utf8(letter) {
                Ok(_) => true,
                Err(error) => error.valid_up_to() > 0,
            };
            return Ok(if is_utf_8 { UTF_8 } else { WINDOWS_1252 });
        }
        if length == 0 {
            return Ok(UTF_8);
        }
        length = fill(source, &mut chunk)?;
    }
}

impl Decoder {
    /// Decodes a source from its beginning.
    pub(super) fn of(mut source: Box<dyn Source>, encoding: &'static Encoding) -> io::Result<Self> {
        source.seek(SeekFrom::Start(0))?;
        let decoder = encoding.new_decoder_with_bom_removal();
        let (input, output) = (vec![0; CHUNK], vec![0; 3 * CHUNK]);
        Ok(Self {
            source,
            encoding,
            decoder,
            input,
            rest: 0..0,
            output,
            is_over: false,
            is_malformed: false,
            utf_8_finder: Utf8Finder::default(),
            is_mixed: false,
        })
    }

    pub(super) fn into_source(self) -> Box<dyn Source> {
        self.source
    }

    /// Returns the name of the encoding, for people.
    pub(super) fn encoding(&self) -> &'static str {
        self.encoding.name()
    }

    /// Decodes the next chunk. Text before malformed bytes comes first.
    pub(super) fn next(&mut self) -> io::Result<Decoded<'_>> {
        loop {
            if self.is_malformed {
                return Ok(Decoded::Malformed);
            }
            if self.is_over {
                return Ok(Decoded::End);
            }
            if self.rest.is_empty() {
                if self.is_mixed {
                    self.is_malformed = true;
                    continue;
                }
                self.rest = 0..fill(&mut *self.source, &mut self.input)?;
                if self.encoding == WINDOWS_1252
                    && let Some(at) = self.utf_8_finder.find(&self.input[self.rest.clone()])
                {
                    (self.rest, self.is_mixed) = (0..at, true);
                    continue;
                }
            }
            let is_last = self.rest.is_empty();
            let input = &self.input[self.rest.clone()];
            let (result, read, written) =
                self.decoder.decode_to_utf8_without_replacement(input, &mut self.output, is_last);
            self.rest.start += read;
            match result {
                DecoderResult::Malformed(..) => self.is_malformed = true,
                DecoderResult::InputEmpty => self.is_over = is_last,
                DecoderResult::OutputFull => {}
            }
            if written > 0 {
                return Ok(Decoded::Text(&self.output[..written]));
            }
        }
    }
}

impl Utf8Finder {
    /// Returns where the first complete letter of several bytes begins in the next chunk, or 0 if it began before.
    fn find(&mut self, chunk: &[u8]) -> Option<usize> {
        if self.needs == 0 && chunk.is_ascii() {
            return None;
        }
        for (at, &byte) in chunk.iter().enumerate() {
            if self.needs > 0 && (self.next.0..=self.next.1).contains(&byte) {
                (self.needs, self.next, self.length) = (self.needs - 1, (0x80, 0xBF), self.length + 1);
                if self.needs == 0 {
                    return Some((at + 1).saturating_sub(self.length));
                }
                continue;
            }
            (self.needs, self.next) = match byte {
                0xC2..=0xDF => (1, (0x80, 0xBF)),
                0xE0 => (2, (0xA0, 0xBF)),
                0xED => (2, (0x80, 0x9F)),
                0xE1..=0xEF => (2, (0x80, 0xBF)),
                0xF0 => (3, (0x90, 0xBF)),
                0xF1..=0xF3 => (3, (0x80, 0xBF)),
                0xF4 => (3, (0x80, 0x8F)),
                _ => (0, (0, 0)),
            };
            self.length = 1;
        }
        None
    }
}

/// Reads until the chunk is full or the source ends.
fn fill(source: &mut dyn Source, chunk: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < chunk.len() {
        match source.read(&mut chunk[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}
