//! The languages of error messages, and the choice between them by `Accept-Language`.

use axum::http::{HeaderMap, header};

/// A language of error messages. Codes, names and paths are the same in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display, strum::IntoStaticStr)]
pub enum Language {
    /// `en`
    #[strum(serialize = "en")]
    English,
    /// `id`
    #[strum(serialize = "id")]
    Indonesian,
}

impl Language {
    /// Returns the tag of the language, as in `Content-Language`.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// One sentence in both languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// In English.
    pub english: &'static str,
    /// In Indonesian.
    pub indonesian: &'static str,
}

impl Sentence {
    /// Returns the sentence in one of the languages.
    pub const fn in_language(self, language: Language) -> &'static str {
        match language {
            Language::English => self.english,
            Language::Indonesian => self.indonesian,
        }
    }
}

/// Returns the language that `Accept-Language` prefers, or English where it prefers none that we have. Of two with the
/// same quality the first one wins.
pub fn accepted(headers: &HeaderMap) -> Language {
    let ranges = headers.get_all(header::ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
    let mut best = (Language::English, 0.0);
    for (language, quality) in ranges.flat_map(|value| value.split(',')).filter_map(read) {
        if quality > best.1 {
            best = (language, quality);
        }
    }
    best.0
}

/// Reads one entry, such as `id-ID;q=0.8`.
fn read(range: &str) -> Option<(Language, f32)> {
    let mut parts = range.split(';').map(str::trim);
    let language = match parts.next()?.split('-').next()?.to_ascii_lowercase().as_str() {
        // `in` is what Java called Indonesian for thirty years.
        "id" | "in" => Language::Indonesian,
        "en" | "*" => Language::English,
        _ => return None,
    };
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    // A quality that is no number between 0 and 1 makes the entry void.
    let quality = quality.map_or(Some(1.0), |text| text.parse().ok())?;
    (0.0..=1.0).contains(&quality).then_some((language, quality))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn of(wish: &'static str) -> Language {
        accepted(&HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, HeaderValue::from_static(wish))]))
    }

    #[test]
    fn indonesian_is_chosen_where_it_is_preferred() {
        for wish in [
            "id",
            "ID-id",
            "in",
            "id-ID,id;q=0.9,en-US;q=0.8",
            "en;q=0.5, id;q=0.6",
            "fr, id;q=0.1",
            "id, en",
        ] {
            assert_eq!(of(wish), Language::Indonesian, "{wish}");
        }
    }

    #[test]
    fn english_is_chosen_otherwise() {
        for wish in
            ["", "en", "fr", "*", "en, id", "id;q=0", "id;q=high", "id;q=2", "id;q=0.3, en-GB;q=0.4", ";;,,"]
        {
            assert_eq!(of(wish), Language::English, "{wish:?}");
        }
        assert_eq!(accepted(&HeaderMap::new()), Language::English);
    }
}
