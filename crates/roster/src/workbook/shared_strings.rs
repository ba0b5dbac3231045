//! The texts that the cells of a workbook share. All of them must be in memory, so they are stored compactly.

use std::io::Read;

use super::xml::{Mark, Name, Xml, XmlError};
use crate::RosterError;

/// Maximum size in bytes of all texts: enough for rosters of 200,000 people.
const BYTES: usize = 16 << 20;
/// Maximum number of texts. The number that the file declares is not used.
const COUNT: usize = 2 << 20;

/// The shared texts, by their number.
#[derive(Default)]
pub(super) struct SharedStrings {
    text: String,
    /// The end of each text in `text`.
    ends: Vec<u32>,
}

impl SharedStrings {
    /// Reads all texts.
    pub(super) fn read<S: Read>(xml: &mut Xml<S>) -> Result<Self, RosterError> {
        let mut texts = Self::default();
        let (mut is_text, mut phonetic) = (false, false);
        loop {
            match xml.next().map_err(XmlError::refusal)? {
                Mark::Begin(mark) => match Name::of(mark.local_name().as_ref()) {
                    Name::Text => is_text = true,
                    // The pronunciation of a text is not part of it.
                    Name::Phonetic => phonetic = true,
                    _ => {}
                },
                Mark::Text(text) if is_text && !phonetic => texts.text.push_str(&text),
                Mark::End(Name::Text) => is_text = false,
                Mark::End(Name::Phonetic) => phonetic = false,
                Mark::End(Name::Item) => texts.end(),
                Mark::Empty(mark) if Name::of(mark.local_name().as_ref()) == Name::Item => texts.end(),
                Mark::Over => break,
                _ => {}
            }
            if texts.text.len() > BYTES || texts.ends.len() > COUNT {
                return Err(RosterError::TooMuchText);
            }
        }
        Ok(texts)
    }

    fn end(&mut self) {
        self.ends.push(u32::try_from(self.text.len()).expect("it is shorter than its limit"));
    }

    /// Returns the text with a number.
    pub(super) fn get(&self, number: usize) -> Option<&str> {
        let to = *self.ends.get(number)?;
        let from = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.text[from as usize..to as usize])
    }
}
