//! A person: name, telephone number, and the number of the card.
//!
//! The official numbers of a person are in [`identity`](super::identity). The insurance of a person is in the
//! enrollments, of which one person may have several.

use std::collections::HashSet;

use super::identity::{clean_digits, is_digits};
use super::problem::{Problem, ProblemCode};
use super::text;
pub use super::vocabulary::{ParticipantStatus, Sex};

/// The name of a person as on the identity card. It is one field, because many Indonesians have a single name and no
/// surname.
///
/// Titles may precede and follow it, as in lists of civil servants; [`key`](Self::key) omits them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct FullName(String);

impl FullName {
    /// Maximum length in characters.
    pub const MAX_CHARS: usize = 100;

    /// Parses a name into [normal form](crate::text::fold).
    ///
    /// # Errors
    ///
    /// `REQUIRED` if empty, `OUT_OF_RANGE` above [`MAX_CHARS`](Self::MAX_CHARS), `INVALID_FORMAT` for control
    /// characters, a long number, and a name without a letter.
    pub fn parse(text: &str, field: &str) -> Result<Self, Problem> {
        let name = text::required(text, Self::MAX_CHARS, field)?;
        if !name.chars().any(char::is_alphabetic) {
            return Err(Problem::error(ProblemCode::InvalidFormat, field, "A name has at least one letter."));
        }
        Ok(Self(name))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name for matching and ordering: lower case, without titles and punctuation, with all accents.
    /// Never empty.
    ///
    /// `Drs. H. Ma'ruf Amin, S.E., M.Si` becomes `maruf amin`. In doubt a word stays. Without a comma, two letters
    /// are a degree only with a dot (`Budi S.E.`), because `Ma` is also a family name. Initials stay: the `M.` of `M.
    /// Yusuf` is Muhammad.
    pub fn key(&self) -> String {
        let mut words = Vec::new();
        for (at, part) in self.0.split([',', ';']).enumerate() {
            if at == 0 || !is_titles(part) {
                words.extend(part.split_whitespace());
            }
        }
        while words.len() > 1 && words.last().is_some_and(|word| is_degree(word)) {
            words.pop();
        }
        // A name that consists of titles is a name too, and so is one without any word.
        let keys = [name_key(&words.join(" ")), name_key(&self.0), self.0.to_lowercase()];
        let mut name = keys.iter().find(|key| !key.is_empty()).map_or("", String::as_str);
        while let Some((first, rest)) = name.split_once(' ')
            && TITLES_BEFORE.contains(&first)
        {
            name = rest;
        }
        name.to_owned()
    }
}

/// Returns whether two names may belong to one person: their [keys](FullName::key) are equal or share at least
/// `minimum` words, initials not counted.
///
/// This coarse check detects the identity number of another person. Names in lists are shortened, reordered and
/// misspelled, but seldom beyond the last word.
pub fn shares_words(key_a: &str, key_b: &str, minimum: usize) -> bool {
    fn words(key: &str) -> HashSet<&str> {
        key.split(' ').filter(|word| word.chars().nth(1).is_some()).collect()
    }
    key_a == key_b || words(key_a).intersection(&words(key_b)).count() >= minimum
}

/// An Indonesian telephone number, stored as `+62` and the national number.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// Parses `0812…`, `62812…`, `+62 812…`, and `812…`: spreadsheets drop the zero, and only mobile numbers begin with
    /// 8. Nine to thirteen digits may follow the country code.
    ///
    /// # Errors
    ///
    /// `REQUIRED` if the text is empty, otherwise `INVALID_FORMAT`.
    pub fn parse(text: &str, field: &str) -> Result<Self, Problem> {
        let cleaned = clean_digits(text).replace(['(', ')'], "");
        if cleaned.is_empty() {
            return Err(Problem::error(ProblemCode::Required, field, "A telephone number is needed."));
        }
        let abroad = cleaned.strip_prefix("+62").or_else(|| cleaned.strip_prefix("62"));
        let national = match abroad {
            // People write `+62 0812…` and `+62 (0)812…`.
            Some(rest) => Some(rest.strip_prefix('0').unwrap_or(rest)),
            None => cleaned.strip_prefix('0').or_else(|| cleaned.starts_with('8').then_some(&cleaned)),
        };
        match national {
            Some(digits)
                if is_digits(digits) && (9..=13).contains(&digits.len()) && !digits.starts_with('0') =>
            {
                Ok(Self(format!("+62{digits}")))
            }
            _ => {
                let message = "This is not an Indonesian telephone number.";
                let hint = "Write it as 0812 3456 7890 or +62 812 3456 7890.";
                Err(Problem::error(ProblemCode::InvalidFormat, field, message).hint(hint))
            }
        }
    }

    /// Returns the number, `+62…`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// *Nomor KPJ*, the number of the card that this registry issues: ten digits of the internal key and a check digit.
///
/// The check digit is that of Damm. It detects every wrong digit and every swap of two neighbours, which are the
/// common typing errors. The number reveals nothing about its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CardNumber(i64);

impl CardNumber {
    /// Returns the number of the participant with an internal key.
    ///
    /// # Panics
    ///
    /// If the key is not positive or has more than ten digits. Keys count up from 1, and ten digits suffice for
    /// thirty-five times the people of Indonesia.
    pub fn from_key(key: i64) -> Self {
        assert!(
            (1..=Self::MAX_KEY).contains(&key),
            "internal keys count up from 1 and have at most ten digits"
        );
        Self(key)
    }

    /// Parses a card number as people write it. Returns `None` if it is malformed or mistyped.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = clean_digits(text);
        if digits.len() != 11 || !is_digits(&digits) || damm(digits.as_bytes()) != 0 {
            return None;
        }
        digits[..10].parse().ok().filter(|&key| key > 0).map(Self)
    }

    /// Returns the internal key.
    pub fn key(self) -> i64 {
        self.0
    }

    /// Returns the number as text.
    pub fn digits(self) -> String {
        // Lists have one for each row, so no formatting machinery is used.
        let mut digits = [b'0'; 11];
        let mut rest = self.0.unsigned_abs();
        for digit in digits[..10].iter_mut().rev() {
            *digit += (rest % 10) as u8;
            rest /= 10;
        }
        digits[10] += damm(&digits[..10]);
        String::from_utf8(digits.to_vec()).expect("digits are ASCII")
    }

    const MAX_KEY: i64 = 9_999_999_999;
}

impl std::fmt::Display for CardNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.digits())
    }
}

redacted_debug!(FullName, PhoneNumber);

/// Returns the [words](text::words) of a name, joined by single spaces. It may be empty.
pub(super) fn name_key(name: &str) -> String {
    text::words(name).join(" ")
}

/// Returns the words of a search for people, without titles, because stored names have none. If only titles are left,
/// it returns them.
pub fn search_words(name: &str) -> Vec<String> {
    // `S.E.` is a degree as a whole; its letters are none.
    let is_title = |part: &&str| {
        let letters: String =
            part.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        TITLES_BEFORE.contains(&letters.as_str()) || DEGREES.contains(&letters.as_str())
    };
    let name = text::normalized(name);
    let parts = name.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'));
    let named: Vec<String> = parts.filter(|part| !is_title(part)).flat_map(text::words).collect();
    if named.is_empty() { text::words(&name) } else { named }
}

/// Religious, academic and professional titles before a name. `M.`, `R.` and `Rd.` belong to names.
const TITLES_BEFORE: &[&str] =
    &["prof", "dr", "dra", "drs", "drg", "drh", "ir", "h", "hj", "kh", "apt", "ns", "bpk", "sdr", "sdri"];

/// Degrees after a name, and `alm.`, the late, by their letters.
#[rustfmt::skip]
const DEGREES: &[&str] = &[
    "ag", "alm", "almh", "almarhum", "amd", "amdkeb", "amdkep", "amk", "apt", "ba", "be", "bsc", "dr", "ma", "mag",
    "mba", "mh", "mhum", "mkes", "mkn", "mkom", "mm", "mp", "mpd", "mph", "ms", "msc", "msi", "mt", "ns", "phd", "sag",
    "sap", "se", "sfarm", "sh", "shut", "sip", "sked", "skep", "skm", "skom", "sos", "sp", "spd", "spdi", "spi",
    "spsi", "spt", "ss", "ssi", "ssos", "sst", "sstp", "st", "sthi",
];

/// Returns whether the part after a comma is empty or has only titles (`S. Pd.`, `SE MM`, `Sp.PD-KGEH`).
fn is_titles(part: &str) -> bool {
    let is_title = |word: &str| DEGREES.contains(&letters(word).as_str()) || has_inner_dot(word);
    DEGREES.contains(&letters(part).as_str()) || part.split_whitespace().all(is_title)
}

/// Returns whether the last word of a name is a degree although no comma precedes it.
fn is_degree(word: &str) -> bool {
    let letters = letters(word);
    (letters.len() > 2 || has_inner_dot(word)) && DEGREES.contains(&letters.as_str())
}

fn has_inner_dot(word: &str) -> bool {
    word.trim_matches('.').contains('.')
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Returns Damm's check digit of some digits; 0 if they end in the right one.
fn damm(digits: &[u8]) -> u8 {
    /// A totally anti-symmetric quasigroup of order 10 (H. M. Damm, 2004).
    const TABLE: [[u8; 10]; 10] = [
        [0, 3, 1, 7, 5, 9, 8, 6, 4, 2],
        [7, 0, 9, 2, 1, 5, 4, 8, 6, 3],
        [4, 2, 0, 6, 8, 7, 1, 3, 5, 9],
        [1, 7, 5, 0, 9, 8, 3, 4, 2, 6],
        [6, 1, 2, 3, 0, 4, 5, 9, 7, 8],
        [3, 6, 7, 4, 2, 0, 9, 5, 8, 1],
        [5, 8, 6, 9, 7, 2, 0, 1, 3, 4],
        [8, 9, 4, 5, 3, 6, 2, 0, 1, 7],
        [9, 4, 3, 8, 6, 1, 7, 2, 0, 5],
        [2, 5, 8, 1, 4, 3, 6, 7, 9, 0],
    ];
    digits.iter().fold(0, |interim, digit| TABLE[usize::from(interim)][usize::from(digit - b'0')])
}

#[cfg(test)]
mod tests;
