//! The language of a request's messages, in the terms of the domain.

use axum::http::HeaderMap;
use domain::language::Language;
use graphql_front::language;

/// Returns the language that `Accept-Language` prefers.
pub fn accepted(headers: &HeaderMap) -> Language {
    of(language::accepted(headers))
}

/// Returns the language of an answer of the GraphQL front.
pub const fn of(language: language::Language) -> Language {
    match language {
        language::Language::English => Language::English,
        language::Language::Indonesian => Language::Indonesian,
    }
}
