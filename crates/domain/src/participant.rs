//! A person in the registry: what is said of them, and the number of their card.
//!
//! The numbers that the state gave them are in [`identity`](super::identity); what they are insured for belongs to
//! their enrollments, as one person may have several at once.

use std::collections::HashSet;

use super::identity::{clean_digits, is_digits};
use super::problem::{Problem, ProblemCode};
use super::text;
pub use super::vocabulary::{ParticipantStatus, Sex};

/// A person's name as the identity card has it: one field, since many Indonesians have one name and no surname.
///
/// Titles may stand before and behind it, as in every list of civil servants; [`key`](Self::key) goes without them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct FullName(String);

impl FullName {
    /// The most characters a name has.
    pub const MAX_CHARS: usize = 100;

    /// Reads a name; white space and line breaks become single spaces, all else is kept as it was written.
    ///
    /// # Errors
    ///
    /// `REQUIRED` if nothing is there, `OUT_OF_RANGE` above [`MAX_CHARS`](Self::MAX_CHARS), `INVALID_FORMAT` for
    /// characters that cannot be seen and for a name without a letter.
    pub fn parse(text: &str, field: &str) -> Result<Self, Problem> {
        let name = text::required(text, Self::MAX_CHARS, field)?;
        if !name.chars().any(char::is_alphabetic) {
            return Err(Problem::error(ProblemCode::InvalidFormat, field, "A name has at least one letter."));
        }
        Ok(Self(name))
    }

    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name for matching and ordering: lower case, without titles and punctuation, never empty.
    ///
    /// `Drs. H. Ma'ruf Amin, S.E., M.Si` is `maruf amin`. When in doubt a word stays: behind a name without a comma,
    /// two letters are a degree only with a dot (`Budi S.E.`), because `Ma` is also a family name. An initial stays
    /// too: the `M.` of `M. Yusuf` is a name, Muhammad.
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
        // Nothing but titles is a name all the same, and so is one of marks alone, which `name_key` leaves out.
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

/// Could two names be one person's? True when the [keys](FullName::key) are equal or have at least `minimum` words in
/// common, initials not counted.
///
/// A coarse sieve for "this identity number belongs to somebody else altogether": names are shortened, reordered and
/// misspelled in every list, but seldom beyond the last word.
pub fn shares_words(key_a: &str, key_b: &str, minimum: usize) -> bool {
    fn words(key: &str) -> HashSet<&str> {
        key.split(' ').filter(|word| word.chars().nth(1).is_some()).collect()
    }
    key_a == key_b || words(key_a).intersection(&words(key_b)).count() >= minimum
}

/// A telephone number in Indonesia, kept as `+62` and the national number.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// Reads `0812…`, `62812…`, `+62 812…`, and `812…`, as a spreadsheet drops the zero and only mobile numbers begin
    /// with 8. Nine to thirteen digits may follow the country code: loose, since numbering plans change.
    ///
    /// # Errors
    ///
    /// `REQUIRED` if nothing is there, otherwise `INVALID_FORMAT`.
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
                let message = "This is no Indonesian telephone number.";
                let hint = "Write it as 0812 3456 7890 or +62 812 3456 7890.";
                Err(Problem::error(ProblemCode::InvalidFormat, field, message).hint(hint))
            }
        }
    }

    /// The canonical number, `+62…`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// *Nomor KPJ*, the number on the card that this registry issues: ten digits of the internal key and a check digit.
///
/// The check digit is Damm's: it finds every single wrong digit and every swap of two neighbours, which are what
/// people get wrong when they type. The number says nothing of its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CardNumber(i64);

impl CardNumber {
    /// The number of the participant with this internal key.
    ///
    /// # Panics
    ///
    /// If the key is not positive or has more than ten digits. Neither can be: keys count up from 1, and ten digits are
    /// thirty-five times the people of Indonesia.
    pub fn from_key(key: i64) -> Self {
        assert!(
            (1..=Self::MAX_KEY).contains(&key),
            "internal keys count up from 1 and have at most ten digits"
        );
        Self(key)
    }

    /// Reads a card number as people write it, and checks it. `None`: it is no card number, or mistyped.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = clean_digits(text);
        if digits.len() != 11 || !is_digits(&digits) || damm(&digits) != 0 {
            return None;
        }
        digits[..10].parse().ok().filter(|&key| key > 0).map(Self)
    }

    /// The internal key.
    pub fn key(self) -> i64 {
        self.0
    }

    const MAX_KEY: i64 = 9_999_999_999;
}

impl std::fmt::Display for CardNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = format!("{:010}", self.0);
        let check = damm(&key);
        write!(f, "{key}{check}")
    }
}

redacted_debug!(FullName, PhoneNumber);

/// Lower case, letters and digits only, one space where anything else stood. Apostrophes and accents written as marks
/// of their own join what they stand between: `Ma'ruf` is one word. May be empty.
pub(super) fn name_key(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            '\'' | '’' | '‘' | '`' | '´' | 'ʼ' | '\u{300}'..='\u{36f}' => {}
            c if c.is_alphanumeric() => folded.push(c),
            _ if folded.is_empty() || folded.ends_with(' ') => {}
            _ => folded.push(' '),
        }
    }
    folded.truncate(folded.trim_end().len());
    folded
}

/// The words by which people are searched: without titles, which are not in the names that are searched, unless
/// nothing else is left.
pub fn search_words(text: &str) -> Vec<String> {
    // `S.E.` is a degree as a whole, and nothing in its letters.
    let is_title = |part: &&str| {
        let letters: String =
            part.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        TITLES_BEFORE.contains(&letters.as_str()) || DEGREES.contains(&letters.as_str())
    };
    let parts = text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'));
    let named: Vec<String> = parts.filter(|part| !is_title(part)).flat_map(super::text::words).collect();
    if named.is_empty() { super::text::words(text) } else { named }
}

/// Religious, academic and professional titles before a name. `M.`, `R.` and `Rd.` are parts of names.
const TITLES_BEFORE: &[&str] =
    &["prof", "dr", "dra", "drs", "drg", "drh", "ir", "h", "hj", "kh", "apt", "ns", "bpk", "sdr", "sdri"];

/// Degrees behind a name, and `alm.`, the late, by their letters.
#[rustfmt::skip]
const DEGREES: &[&str] = &[
    "ag", "alm", "almh", "almarhum", "amd", "amdkeb", "amdkep", "amk", "apt", "ba", "be", "bsc", "dr", "ma", "mag",
    "mba", "mh", "mhum", "mkes", "mkn", "mkom", "mm", "mp", "mpd", "mph", "ms", "msc", "msi", "mt", "ns", "phd", "sag",
    "sap", "se", "sfarm", "sh", "shut", "sip", "sked", "skep", "skm", "skom", "sos", "sp", "spd", "spdi", "spi",
    "spsi", "spt", "ss", "ssi", "ssos", "sst", "sstp", "st", "sthi",
];

/// What stands behind a comma: nothing, or only titles (`S. Pd.`, `SE MM`, `Sp.PD-KGEH`)?
fn is_titles(part: &str) -> bool {
    let is_title = |word: &str| DEGREES.contains(&letters(word).as_str()) || has_inner_dot(word);
    DEGREES.contains(&letters(part).as_str()) || part.split_whitespace().all(is_title)
}

/// Is the last word of a name a degree, without the help of a comma?
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

/// Damm's check digit of some digits; 0 if they end in the right one.
fn damm(digits: &str) -> u8 {
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
    digits.bytes().fold(0, |interim, digit| TABLE[usize::from(interim)][usize::from(digit - b'0')])
}

#[cfg(test)]
mod tests;
