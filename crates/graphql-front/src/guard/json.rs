//! The check of a request's JSON before serde builds values from it.

use super::{Limits, Refusal};

/// Refuses JSON that is nested too deep or has too many values. Broken JSON passes: serde says better what is
/// wrong.
pub fn check_json(json: &[u8], limits: &Limits) -> Result<(), Refusal> {
    let mut values = 1_usize;
    let mut nesting = 0_usize;
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => loop {
                match bytes.next() {
                    Some(b'"') | None => break,
                    Some(b'\\') => _ = bytes.next(),
                    Some(_) => {}
                }
            },
            b'[' | b'{' => {
                nesting += 1;
                values += 1;
                if nesting > limits.max_json_nesting {
                    return Err(Refusal::JsonTooDeep { limit: limits.max_json_nesting });
                }
            }
            b']' | b'}' => nesting = nesting.saturating_sub(1),
            b',' => values += 1,
            _ => {}
        }
    }
    if values > limits.max_json_values {
        return Err(Refusal::TooManyValues { limit: limits.max_json_values });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(json: &str) -> Option<&'static str> {
        check_json(json.as_bytes(), &Limits::default()).err().map(|refusal| refusal.code().as_str())
    }

    #[test]
    fn a_hundred_thousand_nested_arrays_are_refused() {
        assert_eq!(code(&"[".repeat(100_000)), Some("REQUEST_TOO_DEEP"));
    }

    #[test]
    fn many_tiny_values_are_refused_before_they_become_large_ones() {
        assert_eq!(code(&format!("[{}1]", "1,".repeat(600_000))), Some("REQUEST_TOO_MANY_VALUES"));
    }

    #[test]
    fn brackets_and_commas_inside_strings_do_not_count() {
        assert_eq!(code(&format!(r#"{{"a\\":"\"{}"}}"#, "[,".repeat(600_000))), None);
    }

    #[test]
    fn broken_json_is_left_to_serde() {
        assert_eq!(code(r#"{"a":"\"#), None);
        assert_eq!(code("]]]]"), None);
    }
}
