//! Numbers of clearance certificates.

/// Crockford's base 32: letters and digits that people do not confuse.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Prefix of every number, so that people recognise it.
const PREFIX: &str = "LC";

/// The number of a certificate: 19 random letters (95 bits), which cannot be guessed, and a check letter, which detects
/// any single wrong letter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertificateNumber(String);

impl CertificateNumber {
    /// Number of random letters.
    pub const RANDOM: usize = 19;

    /// Makes a number from random bytes, using five bits of each.
    pub fn from_random(bytes: [u8; Self::RANDOM]) -> Self {
        let mut letters: Vec<u8> = bytes.iter().map(|byte| byte % 32).collect();
        letters.push(check(&letters));
        Self(letters.into_iter().map(|value| char::from(ALPHABET[usize::from(value)])).collect())
    }

    /// Parses a number as people type it: case, hyphens, blanks and the prefix `LC` do not matter; O is read as 0, I
    /// and L as 1. Returns `None` if it is malformed or mistyped.
    pub fn parse(text: &str) -> Option<Self> {
        let is_gap = |c: &char| matches!(c, '-' | '‐' | '–' | ' ' | '\t' | '\u{a0}');
        // One letter too many is enough to refuse the text.
        let letters = text.chars().filter(|c| !is_gap(c)).take(PREFIX.len() + Self::RANDOM + 2);
        let letters: String = letters.map(|c| c.to_ascii_uppercase()).collect();
        let letters = match letters.strip_prefix(PREFIX) {
            Some(rest) if rest.len() > Self::RANDOM => rest,
            _ => &letters,
        };
        let values: Vec<u8> = letters.chars().map(value).collect::<Option<_>>()?;
        let (&last, random) = values.split_last()?;
        let is_one = random.len() == Self::RANDOM && check(random) == last;
        is_one.then(|| Self(values.iter().map(|&value| char::from(ALPHABET[usize::from(value)])).collect()))
    }

    /// Returns the twenty letters, as stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for CertificateNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(PREFIX)?;
        let letters = self.0.as_bytes().chunks(4);
        letters.into_iter().try_for_each(|four| write!(f, "-{}", String::from_utf8_lossy(four)))
    }
}

fn value(letter: char) -> Option<u8> {
    let letter = match letter {
        'O' => '0',
        'I' | 'L' => '1',
        letter => letter,
    };
    ALPHABET.iter().position(|&known| char::from(known) == letter).and_then(|at| u8::try_from(at).ok())
}

/// The check value by the hybrid system of ISO 7064, modulo 33 and 32. Each step doubles modulo an odd number, so that
/// no two values lead to the same one, and a single wrong letter is always found.
fn check(values: &[u8]) -> u8 {
    let step = |product: u16, &value: &u8| {
        let sum = (product + u16::from(value)) % 32;
        (if sum == 0 { 32 } else { sum }) * 2 % 33
    };
    let product = values.iter().fold(32, step);
    u8::try_from((33 - product) % 32).expect("it is below 32")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_is_printed_in_fours_and_read_however_it_is_typed() {
        let number = CertificateNumber::from_random([1; 19]);
        let printed = number.to_string();
        assert!(printed.starts_with("LC-1111-1111-1111-1111-111"), "{printed}");
        assert_eq!(printed.len(), 27);
        let bare = number.as_str().to_owned();
        for typed in [
            printed.clone(),
            printed.to_lowercase(),
            printed.replace('-', " "),
            printed.replace('1', "l"),
            printed.replace('1', "I"),
            bare,
        ] {
            assert_eq!(CertificateNumber::parse(&typed), Some(number.clone()), "{typed}");
        }
    }

    #[test]
    fn a_certificate_number_has_exactly_its_letters() {
        let printed = CertificateNumber::from_random([7; 19]).to_string();
        for bad in ["", "LC", "LC-", &printed[..26], &format!("{printed}0"), &printed.replace('7', "U"), "💥"]
        {
            assert_eq!(CertificateNumber::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_number_is_read_again_and_one_wrong_letter_is_found(
            bytes in any::<[u8; 19]>(), at in 0_usize..20, other in 0_usize..32
        ) {
            let number = CertificateNumber::from_random(bytes);
            prop_assert_eq!(CertificateNumber::parse(&number.to_string()), Some(number.clone()));
            let mut letters = number.as_str().as_bytes().to_vec();
            prop_assume!(letters[at] != ALPHABET[other]);
            letters[at] = ALPHABET[other];
            prop_assert_eq!(CertificateNumber::parse(std::str::from_utf8(&letters).unwrap()), None);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in any::<String>()) {
            let _ = CertificateNumber::parse(&text);
        }
    }
}
