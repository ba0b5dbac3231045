//! The text of a file: bytes in one of four encodings, turned into UTF-8 piece by piece.
//!
//! Which encoding it is, is settled before the first row is read and holds to the end. A byte order mark says so. In a
//! file without one the first letter beyond ASCII decides: it is well-formed UTF-8, or the file is in Windows-1252, as
//! spreadsheets save it where nobody chose. What does not fit later on is an error and is never replaced: a letter
//! that was guessed is somebody's name. Every byte is a letter of Windows-1252, so there the letters of UTF-8 (`Ã©` for `é`)
//! do not fit: a file that was put together from both is refused at the line where the other one begins.

use std::io::{self, SeekFrom};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, WINDOWS_1252};

use super::Source;

/// Bytes read at a time.
const PIECE: usize = 64 << 10;

/// A file being decoded.
pub(super) struct Text {
    source: Box<dyn Source>,
    encoding: &'static Encoding,
    decoder: Decoder,
    input: Vec<u8>,
    /// What of `input` is still to be decoded.
    rest: std::ops::Range<usize>,
    output: Vec<u8>,
    /// The source has no more, and the decoder knows.
    is_over: bool,
    is_broken: bool,
    /// Looks for letters of UTF-8 where there are none.
    watch: Watch,
    /// It found one behind `rest`.
    is_mixed: bool,
}

/// Where in a letter of UTF-8 of several bytes a text could be.
#[derive(Default)]
struct Watch {
    /// Bytes that the letter still needs, and which the next of them can be.
    needs: u8,
    next: (u8, u8),
    /// Bytes of it so far.
    length: usize,
}

/// What comes next.
pub(super) enum Piece<'a> {
    /// More text, never empty.
    More(&'a [u8]),
    /// The end.
    End,
    /// Bytes that are no text in this encoding.
    Broken,
}

/// Finds out the encoding of a file.
pub(super) fn encoding_of(source: &mut dyn Source) -> io::Result<&'static Encoding> {
    source.seek(SeekFrom::Start(0))?;
    let mut piece = vec![0; PIECE];
    let mut length = fill(source, &mut piece)?;
    if let Some((encoding, _)) = Encoding::for_bom(&piece[..length]) {
        return Ok(encoding);
    }
    loop {
        let at = Encoding::ascii_valid_up_to(&piece[..length]);
        if at < length {
            // A letter has four bytes at most; they may lie on both sides of the border between two pieces.
            piece.copy_within(at..length, 0);
            length -= at;
            if length < 4 {
                length += fill(source, &mut piece[length..4])?;
            }
            let letter = &piece[..length.min(4)];
            let is_utf_8 = match str::from_utf8(letter) {
                Ok(_) => true,
                Err(error) => error.valid_up_to() > 0,
            };
            return Ok(if is_utf_8 { UTF_8 } else { WINDOWS_1252 });
        }
        if length == 0 {
            return Ok(UTF_8);
        }
        length = fill(source, &mut piece)?;
    }
}

impl Text {
    /// Begins at the beginning.
    pub(super) fn of(mut source: Box<dyn Source>, encoding: &'static Encoding) -> io::Result<Self> {
        source.seek(SeekFrom::Start(0))?;
        let decoder = encoding.new_decoder_with_bom_removal();
        let (input, output) = (vec![0; PIECE], vec![0; 3 * PIECE]);
        let (watch, rest) = (Watch::default(), 0..0);
        let (is_over, is_broken, is_mixed) = (false, false, false);
        Ok(Self { source, encoding, decoder, input, rest, output, is_over, is_broken, watch, is_mixed })
    }

    pub(super) fn into_source(self) -> Box<dyn Source> {
        self.source
    }

    /// The name of the encoding, for people.
    pub(super) fn encoding(&self) -> &'static str {
        self.encoding.name()
    }

    /// Decodes the next piece. What stands before broken bytes comes first.
    pub(super) fn piece(&mut self) -> io::Result<Piece<'_>> {
        loop {
            if self.is_broken {
                return Ok(Piece::Broken);
            }
            if self.is_over {
                return Ok(Piece::End);
            }
            if self.rest.is_empty() {
                if self.is_mixed {
                    self.is_broken = true;
                    continue;
                }
                self.rest = 0..fill(&mut *self.source, &mut self.input)?;
                if self.encoding == WINDOWS_1252
                    && let Some(at) = self.watch.find(&self.input[self.rest.clone()])
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
                DecoderResult::Malformed(..) => self.is_broken = true,
                DecoderResult::InputEmpty => self.is_over = is_last,
                DecoderResult::OutputFull => {}
            }
            if written > 0 {
                return Ok(Piece::More(&self.output[..written]));
            }
        }
    }
}

impl Watch {
    /// Where the first whole letter of several bytes begins in the next piece; 0 if it began in the piece before.
    fn find(&mut self, piece: &[u8]) -> Option<usize> {
        if self.needs == 0 && piece.is_ascii() {
            return None;
        }
        for (at, &byte) in piece.iter().enumerate() {
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

/// Reads until the piece is full or there is no more.
fn fill(source: &mut dyn Source, piece: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < piece.len() {
        match source.read(&mut piece[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}
