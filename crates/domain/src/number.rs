//! Formats numbers for messages: in English `10,000` and `Rp 100,000`, in Indonesian `10.000`.

use super::language::Language;

/// Returns a whole number as an English message shows it: `1,234,567`.
pub fn grouped(number: impl Into<i64>) -> String {
    with_mark(number.into(), ',')
}

/// Returns a whole number as a message in a language shows it.
pub fn in_language(number: impl Into<i64>, language: Language) -> String {
    with_mark(
        number.into(),
        match language {
            Language::English => ',',
            Language::Indonesian => '.',
        },
    )
}

/// Returns an amount in rupiah as an English message shows it: `Rp 100,000`.
pub fn rupiah(amount: i64) -> String {
    format!("Rp {}", grouped(amount))
}

fn with_mark(number: i64, mark: char) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        text.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(mark);
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_threes_in_the_style_of_the_language() {
        for (number, english) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (100_000, "100,000"),
            (-1_234_567, "-1,234,567"),
            (i64::MIN, "-9,223,372,036,854,775,808"),
        ] {
            assert_eq!(grouped(number), english);
            assert_eq!(in_language(number, Language::Indonesian), english.replace(',', "."));
        }
        assert_eq!(rupiah(10_000_000_000), "Rp 10,000,000,000");
    }
}
