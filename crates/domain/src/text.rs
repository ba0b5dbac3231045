//! Free text that people type: what is kept of it, and what is refused.

use super::problem::{Problem, ProblemCode};

/// Trims a text and folds every run of white space, line breaks included, to one space.
///
/// # Errors
/// `INVALID_FORMAT` for characters that cannot be seen (NUL and other controls, zero-width marks, marks that turn
/// the direction of writing): two names that look alike must be alike; and for a number of nine digits or more, which
/// stands in the wrong column. `OUT_OF_RANGE` above `maximum` characters.
pub fn fold(text: &str, maximum: usize, field: &str) -> Result<String, Problem> {
    if text.chars().any(|c| is_invisible(c) && !c.is_whitespace()) {
        return Err(Problem::error(
            ProblemCode::InvalidFormat,
            field,
            "This text contains characters that cannot be seen.",
        )
        .hint("Remove control characters, zero-width characters and direction marks."));
    }
    if holds_a_number(text) {
        return Err(Problem::error(ProblemCode::InvalidFormat, field, "This text contains a long number.")
            .hint("Put identity, service and telephone numbers into their own columns."));
    }
    let folded = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if folded.chars().count() > maximum {
        return Err(Problem::error(
            ProblemCode::OutOfRange,
            field,
            format!("This text is longer than {maximum} characters."),
        ));
    }
    Ok(folded)
}

/// An optional label, such as a work unit or a grade: empty is none.
///
/// # Errors
/// As [`fold`].
pub fn label(text: Option<&str>, maximum: usize, field: &str) -> Result<Option<String>, Problem> {
    let folded = text.map(|text| fold(text, maximum, field)).transpose()?;
    Ok(folded.filter(|text| !text.is_empty()))
}

/// A label that must be there.
///
/// # Errors
/// As [`fold`], and `REQUIRED` when it is empty.
pub fn required(text: &str, maximum: usize, field: &str) -> Result<String, Problem> {
    label(Some(text), maximum, field)?
        .ok_or_else(|| Problem::error(ProblemCode::Required, field, "This must not be empty."))
}

/// The words of a search, in lower case: letters and digits only, so that nothing in them has a meaning for the
/// database's query language.
///
/// An apostrophe joins what it stands between, as in the names that are searched: `Ma'ruf` is one word.
pub fn words(text: &str) -> Vec<String> {
    let joined: String = text.chars().filter(|c| !matches!(c, '\'' | '’' | '‘' | '`' | '´' | 'ʼ')).collect();
    joined
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// A sentence with stars in the place of every number that [`fold`] would refuse.
pub fn without_numbers(text: &str) -> String {
    let mut said = String::with_capacity(text.len());
    for run in text.split_inclusive(|c: char| !is_of_a_number(c)) {
        match holds_a_number(run) {
            true => said.extend(run.chars().map(|c| if c.is_ascii_digit() { '*' } else { c })),
            false => said.push_str(run),
        }
    }
    said
}

/// Nine digits or more in a row: an identifier in the wrong column, where it would be kept readable.
fn holds_a_number(text: &str) -> bool {
    let runs = text.split(|c: char| !is_of_a_number(c));
    runs.map(|run| run.bytes().filter(u8::is_ascii_digit).count()).any(|digits| digits >= 9)
}

fn is_of_a_number(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '.' | '-' | ' ')
}

fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_line_breaks_fold_to_one_space() {
        assert_eq!(fold("  Nur\n\t Ayu\u{A0} Sari ", 100, "x").as_deref(), Ok("Nur Ayu Sari"));
    }

    #[test]
    fn what_cannot_be_seen_is_refused() {
        for text in ["a\0b", "a\u{202E}b", "a\u{200B}b", "a\u{1B}[31mb", "\u{FEFF}a"] {
            assert_eq!(fold(text, 100, "x").map_err(|p| p.code), Err(ProblemCode::InvalidFormat), "{text:?}");
        }
    }

    #[test]
    fn an_identity_number_is_no_text() {
        for text in ["1671010208850001", "NIK 16710102.0885.0001", "1671 0102 0885 0001", "08123456789"] {
            assert_eq!(fold(text, 100, "x").map_err(|p| p.code), Err(ProblemCode::InvalidFormat), "{text}");
        }
        assert!(fold("SDN 12 Palembang, Jl. 5 No. 17-19", 100, "x").is_ok());
    }

    #[test]
    fn a_sentence_is_told_without_its_numbers() {
        let said = "Row 12 of 1,000: No. 1671 0102 0885 0001, born 1985-08-02; 08123456789";
        let told = "Row 12 of 1,000: No. **** **** **** ****, born 1985-08-02; ***********";
        assert_eq!(without_numbers(said), told);
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert!(fold("ééé", 3, "x").is_ok());
        assert_eq!(fold("éééé", 3, "x").map_err(|p| p.code), Err(ProblemCode::OutOfRange));
    }

    #[test]
    fn an_empty_label_is_none_and_a_required_one_is_a_problem() {
        assert_eq!(label(Some(" \n"), 10, "x"), Ok(None));
        assert_eq!(required(" ", 10, "x").map_err(|p| p.code), Err(ProblemCode::Required));
    }

    #[test]
    fn searches_keep_letters_and_digits_only() {
        assert_eq!(words("Siti & !rah:* 'x\0"), ["siti", "rah", "x"]);
        assert_eq!(words("Ma'ruf"), ["maruf"]);
        assert!(words("'; -- ").is_empty());
    }
}
