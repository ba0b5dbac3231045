//! The check of a request's JSON before serde builds values from it.

use std::borrow::Cow;
use std::collections::HashSet;

use super::{Limits, Refusal};

/// Refuses JSON that is nested too deep, has too many values, or names a member of an object twice. Broken JSON passes: serde says
/// better what is wrong.
pub fn check_json(json: &[u8], limits: &Limits) -> Result<(), Refusal> {
    let mut values = 1_usize;
    let mut members = Members::default();
    let (mut at, mut string) = (0, None);
    while let Some(&byte) = json.get(at) {
        let length = match byte {
            b'"' => {
                let length = string_length(&json[at..]);
                string = Some(&json[at..at + length]);
                length
            }
            _ => 1,
        };
        match byte {
            b'[' | b'{' => {
                values += 1;
                if members.open(byte == b'{') > limits.max_json_nesting {
                    return Err(Refusal::JsonTooDeep { limit: limits.max_json_nesting });
                }
            }
            b']' | b'}' => members.close(),
            b',' => values += 1,
            b':' if string.take().is_some_and(|name| !members.is_new(name)) => {
                return Err(Refusal::RepeatedMember);
            }
            _ => {}
        }
        if values > limits.max_json_values {
            return Err(Refusal::TooManyValues { limit: limits.max_json_values });
        }
        at += length;
    }
    Ok(())
}

/// Returns the length of the string at the start, with its quotes. A string that does not end extends to the end.
fn string_length(json: &[u8]) -> usize {
    let mut at = 1;
    loop {
        match json.get(at) {
            Some(b'"') => return at + 1,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
            None => return json.len(),
        }
    }
}

/// The number of members above which an object keeps their names in a set.
const MANY: usize = 16;

/// The member names of all objects that are open.
#[derive(Default)]
struct Members<'a> {
    open: Vec<Around>,
    /// The names of objects with few members, one object after the other.
    few: Vec<Cow<'a, [u8]>>,
    /// The names of objects with many members, each with the object's depth.
    many: Vec<(usize, HashSet<Cow<'a, [u8]>>)>,
}

struct Around {
    is_object: bool,
    /// Where its names begin in `few`.
    first: usize,
}

impl<'a> Members<'a> {
    /// Opens an object or an array, and returns how deep it is.
    fn open(&mut self, is_object: bool) -> usize {
        self.open.push(Around { is_object, first: self.few.len() });
        self.open.len()
    }

    fn close(&mut self) {
        let depth = self.open.len();
        if let Some(around) = self.open.pop() {
            self.few.truncate(around.first);
            self.many.pop_if(|(of, _)| *of == depth);
        }
    }

    /// Notes the name of a member, a string with its quotes. Returns whether it is the first of this name in its object.
    fn is_new(&mut self, name: &'a [u8]) -> bool {
        let depth = self.open.len();
        let Some(around) = self.open.last().filter(|around| around.is_object) else { return true };
        let name = match name.contains(&b'\\') {
            false => Cow::Borrowed(name.get(1..name.len() - 1).unwrap_or_default()),
            true => match serde_json::from_slice::<String>(name) {
                Ok(name) => Cow::Owned(name.into_bytes()),
                Err(_) => return true,
            },
        };
        let few = &self.few[around.first..];
        if few.len() < MANY {
            let is_new = !few.contains(&name);
            self.few.push(name);
            return is_new;
        }
        match self.many.last_mut() {
            Some((of, many)) if *of == depth => many.insert(name),
            _ => {
                let mut many: HashSet<_> = few.iter().cloned().collect();
                let is_new = many.insert(name);
                self.many.push((depth, many));
                is_new
            }
        }
    }
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
    fn a_member_is_there_once() {
        let many = |last: &str| {
            let members = (0..200).map(|n| format!(r#""{n}":{n},"#)).collect::<String>();
            format!(r#"{{"a":{{{members}"{last}":0}},"b":1}}"#)
        };
        for repeated in [
            r#"{"a":1,"a":1}"#.to_owned(),
            r#"{"a":{"b":1,"c":{},"b":2}}"#.to_owned(),
            r#"[{"a":1},{"a":1,"\u0061":2}]"#.to_owned(),
            r#"{"":1,"":2}"#.to_owned(),
            many("0"),
            many("16"),
            many("199"),
        ] {
            assert_eq!(code(&repeated), Some("BAD_REQUEST"), "{repeated}");
        }
        for single in [
            r#"{"a":{"a":1},"b":[{"a":"a"},{"a":":"}]}"#.to_owned(),
            r#"{"a":"b","b":"a","\u0063":"a"}"#.to_owned(),
            many("200"),
        ] {
            assert_eq!(code(&single), None, "{single}");
        }
    }

    #[test]
    fn broken_json_is_left_to_serde() {
        assert_eq!(code(r#"{"a":"\"#), None);
        assert_eq!(code("]]]]"), None);
        assert_eq!(code(r#"{::"a":"b":"\x":1,"\x":2,"#), None);
    }
}
