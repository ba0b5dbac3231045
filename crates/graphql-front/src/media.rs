//! Media types of GraphQL over HTTP: those of requests, the two of responses, and event streams.

use axum::http::{HeaderMap, HeaderValue, header};

/// The media type of a response. The bytes are the same; the status of a refused query differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// `application/graphql-response+json`: the status says whether the query was accepted.
    GraphqlResponse,
    /// `application/json`, of older clients: a query that was read gets 200, whatever became of it.
    Json,
}

impl Media {
    /// Returns the header `Content-Type` of a response in this media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json",
            Self::Json => "application/json",
        }
    }

    /// Returns the media type that the header `Accept` prefers; `None` where it accepts neither.
    ///
    /// Of two with the same quality, one that is named wins over one that a `*` covers. Where none is named, or there is
    /// no header, it is `application/json`: a client that knows the other one names it.
    pub fn accepted(headers: &HeaderMap) -> Option<Self> {
        Self::preferred(&ranges(headers)).map(|(media, _)| media)
    }

    fn preferred(ranges: &[Range]) -> Option<(Self, Preference)> {
        if ranges.is_empty() {
            return Some((Self::Json, (0, 0)));
        }
        [Self::GraphqlResponse, Self::Json]
            .into_iter()
            .filter_map(|media| preference(ranges, media.name()).map(|preference| (media, preference)))
            .max_by_key(|&(media, (quality, precision))| {
                (quality, precision, (precision == NAMED) == (media == Self::GraphqlResponse))
            })
    }
}

/// Which operations are answered by an event stream, by the header `Accept`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventStream {
    /// None: the client does not name `text/event-stream`.
    Never,
    /// Subscriptions, because the client names a media type of single responses too.
    Subscriptions,
    /// All, because the client prefers it.
    Always,
}

impl EventStream {
    /// Returns which operations the client wants an event stream for.
    pub fn accepted(headers: &HeaderMap) -> Self {
        let ranges = ranges(headers);
        let named = preference(&ranges, "text/event-stream").filter(|&(_, precision)| precision == NAMED);
        match (named, Media::preferred(&ranges)) {
            (None, _) => Self::Never,
            (Some(stream), Some((_, single))) if single >= stream => Self::Subscriptions,
            (Some(_), _) => Self::Always,
        }
    }
}

/// Returns whether the client prefers a page of HTML to JSON. A browser names `text/html`; a program that accepts
/// everything does not.
pub fn wants_page(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges: Vec<Range> = values.flat_map(|value| value.split(',')).map(Range::parse).collect();
    let quality =
        |name: &str| ranges.iter().find(|range| range.name == name).map_or(0, |range| range.quality);
    quality("text/html") > quality("application/json")
}

/// Returns whether the body is JSON in UTF-8. Nothing else is read: a foreign page can post text and forms in its
/// visitor's name, but not this type.
pub fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let Ok(value) = value.to_str() else { return false };
    let mut parts = value.split(';').map(str::trim);
    parts.next().is_some_and(|name| name.eq_ignore_ascii_case("application/json"))
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => {
                charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}

/// Why a body with a content coding is refused.
pub const NOT_DECODED: &str = "Send the body without Content-Encoding: compressed bodies are not read.";

/// Returns whether the body has a content coding, such as gzip.
pub fn is_encoded(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(header::CONTENT_ENCODING).iter().map(HeaderValue::as_bytes);
    let mut codings = codings.flat_map(|codings| codings.split(|&byte| byte == b','));
    codings.any(|coding| {
        let coding = coding.trim_ascii();
        !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity")
    })
}

/// Returns the entries of `Accept`.
fn ranges(headers: &HeaderMap) -> Vec<Range> {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges = values.flat_map(|value| value.split(',')).filter(|range| !range.trim().is_empty());
    ranges.map(Range::parse).collect()
}

/// Quality and precision of the entry that decides on a media type. A higher one is preferred.
type Preference = (u16, u8);

/// The precision of an entry that names the media type.
const NAMED: u8 = 2;

fn preference(ranges: &[Range], name: &str) -> Option<Preference> {
    let range = ranges.iter().filter(|range| range.covers(name)).max_by_key(|range| range.precision())?;
    (range.quality > 0).then_some((range.quality, range.precision()))
}

/// One entry of `Accept`.
struct Range {
    name: String,
    /// Thousandths.
    quality: u16,
}

impl Range {
    fn parse(text: &str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        // A quality that is no number between 0 and 1 makes the entry void.
        let quality = quality.map_or(Some(1.0), |text| text.parse().ok()).filter(|q| (0.0..=1.0).contains(q));
        Self { name, quality: (quality.unwrap_or(0.0) * 1000.0) as u16 }
    }

    fn covers(&self, name: &str) -> bool {
        let is_star = self.name.strip_suffix('*').is_some_and(|kind| name.starts_with(kind));
        self.name == "*/*" || is_star || self.name == name
    }

    fn precision(&self) -> u8 {
        match self.name.as_str() {
            "*/*" => 0,
            name if name.ends_with("/*") => 1,
            _ => NAMED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(accept: &'static str) -> Option<Media> {
        Media::accepted(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]))
    }

    fn json(content_type: &'static str) -> bool {
        is_json(&HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))]))
    }

    #[test]
    fn without_a_preference_the_response_is_json() {
        assert_eq!(Media::accepted(&HeaderMap::new()), Some(Media::Json));
        for accept in ["", "*/*", "application/*", "text/html, */*;q=0.1"] {
            assert_eq!(accepted(accept), Some(Media::Json), "{accept}");
        }
    }

    #[test]
    fn the_higher_quality_wins_and_zero_means_no() {
        let both = "application/graphql-response+json, application/json";
        assert_eq!(accepted(both), Some(Media::GraphqlResponse));
        assert_eq!(
            accepted("application/graphql-response+json;q=0.8, application/json;q=0.9"),
            Some(Media::Json)
        );
        assert_eq!(accepted("application/graphql-response+json;q=0, */*"), Some(Media::Json));
        assert_eq!(accepted("application/json;q=0, */*;q=0"), None);
        assert_eq!(accepted("APPLICATION/JSON; charset=utf-8; q=0.5"), Some(Media::Json));
        assert_eq!(accepted("application/json;q=high"), None);
    }

    #[test]
    fn a_named_type_wins_over_a_star_of_the_same_quality() {
        assert_eq!(accepted("application/json, text/plain, */*"), Some(Media::Json));
        assert_eq!(accepted("*/*, application/json;q=0.9"), Some(Media::GraphqlResponse));
    }

    #[test]
    fn an_event_stream_is_for_clients_that_name_it() {
        let stream = |accept: &'static str| {
            EventStream::accepted(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]))
        };
        for never in ["", "*/*", "text/*", "text/event-stream;q=0", "application/json"] {
            assert_eq!(stream(never), EventStream::Never, "{never}");
        }
        for always in
            ["text/event-stream", "Text/Event-Stream, */*", "text/event-stream, application/json;q=0.9"]
        {
            assert_eq!(stream(always), EventStream::Always, "{always}");
        }
        for both in [
            "application/graphql-response+json, application/json, text/event-stream, multipart/mixed",
            "application/json, text/event-stream;q=0.5",
        ] {
            assert_eq!(stream(both), EventStream::Subscriptions, "{both}");
        }
        assert_eq!(accepted("text/event-stream"), None);
    }

    #[test]
    fn a_browser_wants_a_page_and_a_program_does_not() {
        let wants = |accept: &'static str| {
            wants_page(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]))
        };
        assert!(wants("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"));
        assert!(!wants("*/*") && !wants("application/json, text/html;q=0.9") && !wants("text/html;q=0"));
        assert!(!wants_page(&HeaderMap::new()));
    }

    #[test]
    fn several_headers_are_one_list() {
        let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("text/html"))]);
        assert_eq!(Media::accepted(&headers), None);
        let mut both = headers;
        both.append(header::ACCEPT, HeaderValue::from_static("application/json"));
        assert_eq!(Media::accepted(&both), Some(Media::Json));
    }

    #[test]
    fn only_json_in_utf_8_is_read() {
        for good in
            ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""]
        {
            assert!(json(good), "{good}");
        }
        for bad in [
            "",
            "text/plain",
            "application/json-patch",
            "application/json; charset=latin1",
            "multipart/form-data",
        ] {
            assert!(!json(bad), "{bad}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }

    #[test]
    fn two_content_types_are_none() {
        let json = HeaderValue::from_static("application/json");
        let mut headers = HeaderMap::new();
        headers.append(header::CONTENT_TYPE, json.clone());
        headers.append(header::CONTENT_TYPE, json);
        assert!(!is_json(&headers));
    }
}
