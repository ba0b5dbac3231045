//! Normalizes free text, and refuses text that must not be stored.
//!
//! Texts that look the same become equal: Unicode normalization form C, single spaces, and no invisible characters.
//! Accents and other marks stay, because they are part of a name.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::problem::{Problem, ProblemCode};

/// Returns a text in normal form: NFC, single spaces for every run of white space (line breaks included), and without
/// invisible characters (zero-width and direction marks, soft hyphens, fillers).
///
/// # Errors
/// `INVALID_FORMAT` for control characters, and for a number of nine digits or more, which belongs into another column.
/// `OUT_OF_RANGE` above `maximum` characters.
pub fn fold(text: &str, maximum: usize, field: &str) -> Result<String, Problem> {
    let text = normalized(text);
    if text.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        let message = "This text contains control characters.";
        return Err(Problem::error(ProblemCode::InvalidFormat, field, message)
            .hint("Type the text again instead of copying it."));
    }
    if contains_number(&text) {
        return Err(Problem::error(ProblemCode::InvalidFormat, field, "This text contains a long number.")
            .hint("Put identity, service and telephone numbers into their own columns."));
    }
    let folded = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let length = folded.chars().count();
    if length > maximum {
        let message = format!("This text has {length} characters; {maximum} are allowed.");
        return Err(Problem::error(ProblemCode::OutOfRange, field, message));
    }
    Ok(folded)
}

/// Reads an optional label, such as a work unit or a grade. An empty one is `None`.
///
/// # Errors
/// As [`fold`].
pub fn label(text: Option<&str>, maximum: usize, field: &str) -> Result<Option<String>, Problem> {
    let folded = text.map(|text| fold(text, maximum, field)).transpose()?;
    Ok(folded.filter(|text| !text.is_empty()))
}

/// Reads a text that must not be empty.
///
/// # Errors
/// As [`fold`], and `REQUIRED` if it is empty.
pub fn required(text: &str, maximum: usize, field: &str) -> Result<String, Problem> {
    label(Some(text), maximum, field)?
        .ok_or_else(|| Problem::error(ProblemCode::Required, field, "This must not be empty."))
}

/// Returns the words of a name or a search, in lower case and normal form. The stored search text and the search itself
/// are made by this function.
///
/// A word has only letters, digits and marks, so that it has no special meaning in the query language of the database.
/// An apostrophe joins the letters on both sides: `Ma'ruf` is one word.
pub fn words(text: &str) -> Vec<String> {
    let joined = visible(text).filter(|c| !matches!(c, '\'' | '’' | '‘' | '`' | '´' | 'ʼ'));
    let folded: String = match text.is_ascii() {
        true => joined.map(|c| c.to_ascii_lowercase()).collect(),
        false => joined.nfc().flat_map(char::to_lowercase).nfc().collect(),
    };
    let words = folded.split(|c: char| !(c.is_alphanumeric() || is_combining_mark(c)));
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Returns a text in NFC and without invisible characters.
pub(crate) fn normalized(text: &str) -> String {
    // ASCII is in every normal form, and has no invisible characters. To find that out of each character took a quarter of the
    // time in which the server reads a file.
    if text.is_ascii() {
        return text.to_owned();
    }
    visible(text).nfc().collect()
}

fn visible(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|&c| !is_invisible(c))
}

/// Returns a text with stars in place of every number that [`fold`] would refuse. It is for values that a message
/// quotes.
pub fn without_numbers(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    for run in text.split_inclusive(|c: char| !belongs_to_number(c)) {
        match contains_number(run) {
            true => masked.extend(run.chars().map(|c| if c.is_ascii_digit() { '*' } else { c })),
            false => masked.push_str(run),
        }
    }
    masked
}

/// Returns whether a text has nine digits or more in a row: an identifier, which would be stored unencrypted.
fn contains_number(text: &str) -> bool {
    let runs = text.split(|c: char| !belongs_to_number(c));
    runs.map(|run| run.bytes().filter(u8::is_ascii_digit).count()).any(|digits| digits >= 9)
}

fn belongs_to_number(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '.' | '-' | ' ')
}

/// Returns whether a character is invisible: zero-width and direction marks, soft hyphens, fillers, tags. Such
/// characters come along when text is copied from a page or a message.
///
/// These are the code points with the property `Default_Ignorable_Code_Point` (DerivedCoreProperties.txt, Unicode 16),
/// and the interlinear annotation marks. White space and control characters are not among them.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn white_space_and_line_breaks_fold_to_one_space() {
        assert_eq!(fold("  Nur\n\t Ayu\u{A0} Sari ", 100, "x").as_deref(), Ok("Nur Ayu Sari"));
    }

    #[test]
    fn invisible_characters_are_removed() {
        for text in [
            "Inta\u{200B}nsari",
            "\u{200E}Intansari",
            "Intan\u{FEFF}sari",
            "Intan\u{AD}sari",
            "Intansari\u{202C}",
            "Intan\u{2060}\u{200D}sari",
            "Intansari\u{FE0F}",
        ] {
            assert_eq!(fold(text, 100, "x").as_deref(), Ok("Intansari"), "{text:?}");
            assert_eq!(words(text), ["intansari"], "{text:?}");
        }
    }

    #[test]
    fn control_characters_are_refused() {
        for text in ["a\0b", "a\u{1B}[31mb", "a\u{7}"] {
            assert_eq!(fold(text, 100, "x").map_err(|p| p.code), Err(ProblemCode::InvalidFormat), "{text:?}");
        }
    }

    #[test]
    fn composed_and_decomposed_text_is_the_same() {
        let (composed, decomposed) = ("Renélina Muñtari", "Rene\u{301}lina Mun\u{303}tari");
        assert_eq!(fold(decomposed, 100, "x").as_deref(), Ok(composed));
        assert_eq!(words(decomposed), ["renélina", "muñtari"]);
        assert_eq!(words(decomposed), words(composed));
        // There is no composed form of this letter: its mark stays, within the word.
        assert_eq!(words("M\u{303}ira"), ["m\u{303}ira"]);
    }

    #[test]
    fn a_text_with_an_identity_number_is_refused() {
        for text in [
            "1671010208850001",
            "NIK 16710102.0885.0001",
            "1671 0102 0885 0001",
            "08123456789",
            "167101\u{200B}0208850001",
        ] {
            assert_eq!(fold(text, 100, "x").map_err(|p| p.code), Err(ProblemCode::InvalidFormat), "{text}");
        }
        assert!(fold("SDN 12 Palembang, Jl. 5 No. 17-19", 100, "x").is_ok());
    }

    #[test]
    fn a_quoted_value_is_masked_where_it_has_a_long_number() {
        let value = "Row 12 of 1,000: No. 1671 0102 0885 0001, born 1985-08-02; 08123456789";
        let masked = "Row 12 of 1,000: No. **** **** **** ****, born 1985-08-02; ***********";
        assert_eq!(without_numbers(value), masked);
    }

    #[test]
    fn length_is_counted_in_characters_of_the_normal_form() {
        assert!(fold("ééé", 3, "x").is_ok() && fold("e\u{301}e\u{301}e\u{301}", 3, "x").is_ok());
        assert_eq!(fold("éééé", 3, "x").map_err(|p| p.code), Err(ProblemCode::OutOfRange));
    }

    #[test]
    fn an_empty_label_is_none_and_a_required_one_is_a_problem() {
        assert_eq!(label(Some(" \n\u{200B}"), 10, "x"), Ok(None));
        assert_eq!(required(" ", 10, "x").map_err(|p| p.code), Err(ProblemCode::Required));
    }

    #[test]
    fn searches_keep_letters_and_digits_only() {
        assert_eq!(words("Siti & !rah:* 'x\0"), ["siti", "rah", "x"]);
        assert_eq!(words("Ma'ruf"), ["maruf"]);
        assert!(words("'; -- ").is_empty());
    }

    /// Returns text as people and programs may write it: letters with marks in both forms, and invisible characters.
    fn typed() -> impl Strategy<Value = String> {
        let letter = prop_oneof![
            any::<char>(),
            prop::char::range('a', 'z'),
            prop::char::range('\u{C0}', '\u{24F}'),
            prop::char::range('\u{1E00}', '\u{1EFF}'),
            prop::char::range('\u{300}', '\u{36F}'),
            prop::char::range('\u{AC00}', '\u{AC40}'),
            prop::sample::select(vec![
                ' ', '\'', '-', '.', '\u{200B}', '\u{200E}', '\u{AD}', '\u{FEFF}', '\u{34F}', 'İ', 'Σ'
            ]),
        ];
        prop::collection::vec(letter, 0..24).prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn every_form_of_a_text_folds_to_one(text in typed()) {
            let forms: [String; 2] = [text.nfc().collect(), text.nfd().collect()];
            for form in forms {
                prop_assert_eq!(fold(&form, 100, "x"), fold(&text, 100, "x"));
                prop_assert_eq!(words(&form), words(&text));
            }
        }

        #[test]
        fn folding_twice_changes_nothing_and_nothing_visible_is_lost(text in typed()) {
            let Ok(folded) = fold(&text, 100, "x") else { return Ok(()) };
            prop_assert_eq!(fold(&folded, 100, "x"), Ok(folded.clone()));
            prop_assert_eq!(words(&folded), words(&text));
            let seen = |text: &str| text.chars().filter(|&c| !is_invisible(c) && !c.is_whitespace()).nfd().collect::<String>();
            prop_assert_eq!(seen(&folded), seen(&text));
        }

        /// ASCII takes a shorter way, which an accent behind it bars.
        #[test]
        fn ascii_is_read_as_other_text_is(text in "[ -~\\t\\n]{0,40}") {
            prop_assert_eq!(normalized(&text) + " é", normalized(&format!("{text} é")));
            let mut known = words(&text);
            known.push("é".to_owned());
            prop_assert_eq!(known, words(&format!("{text} é")));
        }

        #[test]
        fn words_of_words_are_themselves(text in typed()) {
            let once = words(&text);
            prop_assert_eq!(words(&once.join(" ")), once);
        }
    }
}
