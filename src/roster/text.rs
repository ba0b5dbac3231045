//! The text of a file: bytes in one of four encodings, turned into UTF-8 piece by piece.
//!
//! Which encoding it is, is settled before the first row is read and holds to the end. A byte order mark says so. In a
//! file without one the first letter beyond ASCII decides: it is well-formed UTF-8, or the file is in Windows-1252, as
//! spreadsheets save it where nobody chose. What does not fit later on is an error and is never replaced: a letter
//! that was guessed is somebody's name.

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
        Ok(Self { source, encoding, decoder, input, rest: 0..0, output, is_over: false, is_broken: false })
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
                self.rest = 0..fill(&mut *self.source, &mut self.input)?;
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
