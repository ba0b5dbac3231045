//! The check of a query's text before the parser sees it.
//!
//! One pass over the bytes. It need not understand the grammar; it must only never take for the inside of a
//! string or a comment what the parser takes for brackets.

use std::collections::HashSet;

use super::{Limits, Refusal};

/// Refuses a text that is too long, has too many tokens or nests too deep for the parser, or that names a field of an input object
/// twice.
pub fn check_text(text: &str, limits: &Limits) -> Result<(), Refusal> {
    if text.len() > limits.max_query_bytes {
        return Err(Refusal::TooLong { bytes: text.len(), limit: limits.max_query_bytes });
    }
    let bytes = text.as_bytes();
    let (mut at, mut tokens, mut nesting) = (0, 0_usize, 0_usize);
    let mut names = InputFields::default();
    while let Some(&byte) = bytes.get(at) {
        let rest = &bytes[at..];
        let length = match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => 1,
            0xEF if rest.starts_with("\u{feff}".as_bytes()) => "\u{feff}".len(),
            b'#' => rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len()),
            _ => {
                tokens += 1;
                let length =
                    token_length(rest).ok_or_else(|| Refusal::UnendedString { line: line_at(bytes, at) })?;
                names.see(&bytes[at..at + length])?;
                length
            }
        };
        match byte {
            b'(' | b'[' | b'{' => nesting += 1,
            b')' | b']' | b'}' => nesting = nesting.saturating_sub(1),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' if length > limits.max_name_bytes => {
                return Err(Refusal::NameTooLong { limit: limits.max_name_bytes });
            }
            _ => {}
        }
        if nesting > limits.max_nesting {
            return Err(Refusal::TooDeep { what: "brackets", limit: limits.max_nesting });
        }
        if tokens > limits.max_tokens {
            return Err(Refusal::TooManyTokens { limit: limits.max_tokens });
        }
        at += length;
    }
    Ok(())
}

/// The field names of all input objects that are open. The parser keeps only the last field of a name, so the validator cannot find
/// duplicates.
#[derive(Default)]
struct InputFields<'a> {
    /// The open parentheses, and the brackets within them. Only input objects have names. Braces outside of parentheses are selection
    /// sets.
    open: Vec<Option<HashSet<&'a [u8]>>>,
    /// The token before.
    last: &'a [u8],
}

impl<'a> InputFields<'a> {
    fn see(&mut self, token: &'a [u8]) -> Result<(), Refusal> {
        match token {
            b"(" => self.open.push(None),
            b"[" if !self.open.is_empty() => self.open.push(None),
            b"{" if !self.open.is_empty() => self.open.push(Some(HashSet::new())),
            b")" | b"]" | b"}" => _ = self.open.pop(),
            b":" => {
                if let Some(Some(names)) = self.open.last_mut()
                    && !names.insert(self.last)
                {
                    return Err(Refusal::RepeatedInputField {
                        name: String::from_utf8_lossy(self.last).into_owned(),
                    });
                }
            }
            _ => {}
        }
        self.last = token;
        Ok(())
    }
}

/// Length of the token at the start of `rest`, which is not empty. `None`: a string that does not end.
fn token_length(rest: &[u8]) -> Option<usize> {
    match rest[0] {
        b'"' if rest.starts_with(b"\"\"\"") => block_string_length(rest),
        b'"' => string_length(rest),
        b'.' if rest.starts_with(b"...") => Some(3),
        b'-' | b'0'..=b'9' => Some(number_length(rest)),
        byte if is_name_byte(byte) => Some(run(rest, is_name_byte)),
        _ => Some(1),
    }
}

/// The parser takes `"""` that is never closed for an empty string followed by another one, so what follows
/// would be brackets to it and text to us. No such string is let through.
fn block_string_length(rest: &[u8]) -> Option<usize> {
    let mut at = 3;
    loop {
        match rest.get(at..)? {
            tail if tail.starts_with(b"\\\"\"\"") => at += 4,
            tail if tail.starts_with(b"\"\"\"") => return Some(at + 3),
            [] => return None,
            _ => at += 1,
        }
    }
}

fn string_length(rest: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        match rest.get(at)? {
            b'"' => return Some(at + 1),
            b'\n' | b'\r' => return None,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Exactly the grammar's number: the parser reads `00` and `1-1` as two numbers each, so a longer run would
/// hide tokens.
fn number_length(rest: &[u8]) -> usize {
    let digits = |from: usize| run(rest.get(from..).unwrap_or_default(), |byte| byte.is_ascii_digit());
    let sign = usize::from(rest[0] == b'-');
    let mut length = sign + if rest.get(sign) == Some(&b'0') { 1 } else { digits(sign) };
    if rest.get(length) == Some(&b'.') && digits(length + 1) > 0 {
        length += 1 + digits(length + 1);
    }
    if matches!(rest.get(length), Some(b'e' | b'E')) {
        let from = length + 1 + usize::from(matches!(rest.get(length + 1), Some(b'+' | b'-')));
        if digits(from) > 0 {
            length = from + digits(from);
        }
    }
    length.max(1)
}

fn run(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|&byte| !belongs(byte)).unwrap_or(bytes.len())
}

fn is_name_byte(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

fn line_at(bytes: &[u8], at: usize) -> usize {
    1 + bytes[..at].iter().filter(|&&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn code(text: &str) -> Option<&'static str> {
        check_text(text, &Limits::default()).err().map(|refusal| refusal.code().as_str())
    }

    fn tokens(text: &str) -> usize {
        let fits = |limit| check_text(text, &Limits { max_tokens: limit, ..Limits::default() }).is_ok();
        (0..100).find(|&limit| fits(limit)).expect("a short text")
    }

    #[test]
    fn two_thousand_nested_lists_in_an_argument_are_refused_and_do_not_end_the_process() {
        assert_eq!(
            code(&format!("{{a(b:{}{})}}", "[".repeat(2_000), "]".repeat(2_000))),
            Some("QUERY_TOO_DEEP")
        );
        assert_eq!(code(&"{a".repeat(700)), Some("QUERY_TOO_DEEP"));
        assert_eq!(code(&format!("query($a:{}", "[".repeat(2_000))), Some("QUERY_TOO_DEEP"));
    }

    #[test]
    fn the_refusal_names_the_limit_and_says_where_data_belongs() {
        let refusal = check_text(&" ".repeat(70_000), &Limits::default()).unwrap_err();
        assert_eq!(refusal.code().as_str(), "QUERY_TOO_LONG");
        assert!(refusal.to_string().contains("32768") && refusal.to_string().contains("`variables`"));
    }

    #[test]
    fn tokens_are_counted_as_the_specification_does() {
        assert_eq!(tokens("{ a }"), 3);
        assert_eq!(tokens("\u{feff}{,,,a # ( [ {\n\t}"), 3);
        assert_eq!(tokens("{ ...F ... on T { b } }"), 10);
        assert_eq!(tokens(r#"{ a(b: "x \" ( [ \\", c: """ " "" ( \""" """) }"#), 11);
        assert_eq!(tokens("-1.5e-3 0 1.5 2E8"), 4);
        assert_eq!(tokens("1-1-1 000"), 6);
        assert_eq!(tokens(r#""" """""" "#), 2);
        assert_eq!(tokens("$a: [Int!]! = @x"), 11);
    }

    #[test]
    fn too_many_tokens_and_long_names_are_refused() {
        assert_eq!(code(&"a ".repeat(2_001)), Some("QUERY_TOO_MANY_TOKENS"));
        assert_eq!(code(&"0".repeat(2_001)), Some("QUERY_TOO_MANY_TOKENS"));
        assert_eq!(code(&"a".repeat(201)), Some("QUERY_NAME_TOO_LONG"));
    }

    #[test]
    fn brackets_after_a_block_string_without_an_end_cannot_hide() {
        // To the parser: `""`, then `" "`, then two thousand brackets.
        let text = format!("{{a(b:[\"\"\" \" {}", "[".repeat(2_000));
        assert_eq!(code(&text), Some("GRAPHQL_PARSE_FAILED"));
        assert_eq!(code("{a(b:\"\n\")}"), Some("GRAPHQL_PARSE_FAILED"));
        assert_eq!(code("{a(b:\"\\"), Some("GRAPHQL_PARSE_FAILED"));
    }

    #[test]
    fn a_field_of_an_input_object_has_one_value() {
        let repeated = [
            "{a(b:{c:1,c:2})}",
            "{a(b:{c:1 d:{c:1} c:[{c:1}]})}",
            "{a(b:[{c:{d:1,d:2}}])}",
            "query($v: I = {c: 1, c: 2}){a}",
            "{a @b(c:{d:1 #\n d:2})}",
        ];
        for text in repeated {
            assert_eq!(code(text), Some("GRAPHQL_VALIDATION_FAILED"), "{text}");
        }
        let told = check_text("{a(b:{c:1,c:2})}", &Limits::default()).unwrap_err().to_string();
        assert_eq!(told, "An input object has the field `c` twice.");
        let single = [
            "{a(b:{c:1},d:{c:1})}",
            "{a(b:[{c:1},{c:2}])}",
            "{x:a x:a b{c:d c:d}}",
            "{a(b:{c:\"c:1,c:2\"})}",
            "{a(b:1){c(d:{e:1}) c(d:{e:1})}}",
            "]]}})){a}",
        ];
        for text in single {
            assert_eq!(code(text), None, "{text}");
        }
    }

    #[test]
    fn a_comment_ends_where_the_parser_ends_it() {
        assert_eq!(code(&format!("# \r{}", "[".repeat(60))), Some("QUERY_TOO_DEEP"));
        assert_eq!(code(&format!("# \u{2028}{}", "[".repeat(60))), None);
    }

    const PIECES: &[&str] = &[
        "[[]]",
        "[a]",
        "\"\"",
        "\"[\"",
        "\"\\\"[\"",
        "\"\\\\\"",
        "\"\"\"[\"\"\"",
        "\"\"\"\\\"\"\"[\"\"\"",
        "\"\"\"\n\"[\"\"\"",
        "#[\n",
        "#\"[\r",
        "#\r\n",
        "\n",
        "a",
        ",",
        "1",
        "\"",
        "\"\"\"",
        "\\",
        "[",
        "]",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        // The pieces that decide where strings, comments and brackets begin and end, in any order.
        #[test]
        fn no_text_that_passes_nests_deeper_for_the_parser_than_the_guard_saw(
            pieces in prop::collection::vec(prop::sample::select(PIECES), 0..8),
        ) {
            let deepest = |text: &str| (0..99)
                .find(|&max_nesting| check_text(text, &Limits { max_nesting, ..Limits::default() }).is_ok());
            let text = format!("{{a(b:[{}])}}", pieces.concat());
            if let (Some(seen), Ok(document)) = (deepest(&text), async_graphql::parser::parse_query(&text)) {
                prop_assert_eq!(lists(&text, &document), seen - 2);
            }
        }
    }

    fn lists(text: &str, document: &async_graphql::parser::types::ExecutableDocument) -> usize {
        fn depth(value: &async_graphql::Value) -> usize {
            match value {
                async_graphql::Value::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
                _ => 0,
            }
        }
        let (_, operation) = document.operations.iter().next().expect(text);
        let async_graphql::parser::types::Selection::Field(field) =
            &operation.node.selection_set.node.items[0].node
        else {
            panic!("{text}")
        };
        depth(&field.node.arguments[0].1.node.clone().into_const().expect("no variables"))
    }
}
