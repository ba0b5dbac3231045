//! `Accept-Language`: in which language errors are said.

use axum::http::{HeaderMap, header};

use domain::language::Language;

/// The language that a client likes best of those that we have; English where it says nothing that helps. Of two that are
/// equally welcome, the one that is named first.
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

/// One entry: `id-ID;q=0.8`.
fn read(range: &str) -> Option<(Language, f32)> {
    let mut parts = range.split(';').map(str::trim);
    let language = match parts.next()?.split('-').next()?.to_ascii_lowercase().as_str() {
        // `in` is what Java called Indonesian for thirty years.
        "id" | "in" => Language::Indonesian,
        "en" | "*" => Language::English,
        _ => return None,
    };
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    // What is not a number between 0 and 1 is no wish that could be followed.
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
    fn indonesian_is_spoken_to_whoever_prefers_it() {
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
    fn english_is_spoken_to_everybody_else() {
        for wish in
            ["", "en", "fr", "*", "en, id", "id;q=0", "id;q=high", "id;q=2", "id;q=0.3, en-GB;q=0.4", ";;,,"]
        {
            assert_eq!(of(wish), Language::English, "{wish:?}");
        }
        assert_eq!(accepted(&HeaderMap::new()), Language::English);
    }
}
