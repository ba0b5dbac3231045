//! Error codes: what each one means to HTTP, whether the same request may be sent again, and its sentence for people.
//!
//! A code is for programs and never changes; a message is for people and may. The English message is the one that was
//! made where the error happened, because it names limits and places; [`ErrorCode::sentence`] is its general form. In
//! Indonesian the general form is the message, and the English message goes along as `extensions.detail`, so that
//! neither language says less than the other.
//!
//! [`Code`] lists the codes of this package. An application adds its own: each has an [`ErrorCode`] too, and
//! [`Application::code`](super::application::Application::code) finds it by its name.

use axum::http::{HeaderName, HeaderValue, header};

use super::language::Sentence;
use super::media::Media;

pub use axum::http::StatusCode;

/// What a client can rely on about one error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode {
    /// The stable name, sent as `extensions.code`.
    pub name: &'static str,
    /// The status of a response without data.
    pub status: Status,
    /// Whether the same request may succeed a moment later. A mutation is sent again with the same `idempotencyKey`.
    pub retryable: bool,
    /// What it says to people, without the particulars of one request.
    pub sentence: Sentence,
}

/// The HTTP status of an error, where the response has no data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The operation ran, and this is its result: 200.
    Result,
    /// The request was well-formed and its document was not: 400, and 200 in `application/json`, as older clients expect.
    Document,
    /// This status in both media types.
    Http(StatusCode),
}

impl ErrorCode {
    /// Returns the status of a response without data.
    pub const fn status(&self, media: Media) -> StatusCode {
        match (self.status, media) {
            (Status::Http(status), _) => status,
            (Status::Document, Media::GraphqlResponse) => StatusCode::BAD_REQUEST,
            (Status::Document, Media::Json) | (Status::Result, _) => StatusCode::OK,
        }
    }

    /// Returns the header that belongs to the status.
    pub fn companion(&self) -> Option<(HeaderName, HeaderValue)> {
        let own = self.name.parse().ok();
        match (own, self.status) {
            (Some(Code::MethodNotAllowed), _) => {
                Some((header::ALLOW, HeaderValue::from_static("GET, HEAD, POST")))
            }
            (Some(Code::MutationByGet), _) => Some((header::ALLOW, HeaderValue::from_static("POST"))),
            // The rest of the body is not read.
            (Some(Code::BodyTooLarge | Code::RequestTimeout), _) => {
                Some((header::CONNECTION, HeaderValue::from_static("close")))
            }
            (Some(Code::UnsupportedMediaType), _) => {
                Some((header::ACCEPT_ENCODING, HeaderValue::from_static("identity")))
            }
            (_, Status::Http(StatusCode::UNAUTHORIZED)) => {
                Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")))
            }
            (_, Status::Http(StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS)) => {
                Some((header::RETRY_AFTER, HeaderValue::from_static("1")))
            }
            _ => None,
        }
    }
}

/// Why a request, or a field of it, has no answer.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray
)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the sentences say what each one means")]
pub enum Code {
    // Who asks, and from where.
    Unauthenticated,
    ForbiddenOrigin,
    // What the server can do now.
    Unavailable,
    Overloaded,
    DeadlineExceeded,
    Internal,
    CostLimitReached,
    CostTooHigh,
    TooManySockets,
    TooManyOperations,
    // HTTP.
    BadRequest,
    BadJson,
    BatchNotSupported,
    BodyTooLarge,
    MethodNotAllowed,
    MutationByGet,
    NotAcceptable,
    RequestTimeout,
    SubscriptionOverHttp,
    UnsupportedMediaType,
    RequestTooManyValues,
    RequestTooDeep,
    // The document.
    OperationNotFound,
    OperationNameRequired,
    #[strum(serialize = "GRAPHQL_PARSE_FAILED")]
    ParseFailed,
    #[strum(serialize = "GRAPHQL_VALIDATION_FAILED")]
    ValidationFailed,
    BadUserInput,
    IntrospectionDisabled,
    PersistedQueryNotFound,
    PersistedQueryMismatch,
    StoredDocumentsOnly,
    QueryTooLong,
    QueryTooManyTokens,
    QueryTooDeep,
    QueryNameTooLong,
    QueryTooComplex,
    QueryTooManyAliases,
    QueryTooManyDirectives,
}

impl From<Code> for ErrorCode {
    fn from(code: Code) -> Self {
        Self {
            name: code.as_str(),
            status: code.status(),
            retryable: code.retryable(),
            sentence: code.sentence(),
        }
    }
}

impl Code {
    /// Returns the stable name, sent as `extensions.code`.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Returns the status of a response without data.
    pub const fn status(self) -> Status {
        match self {
            Self::BadRequest
            | Self::BadJson
            | Self::BatchNotSupported
            | Self::SubscriptionOverHttp
            | Self::RequestTooDeep
            | Self::PersistedQueryMismatch => Status::Http(StatusCode::BAD_REQUEST),
            Self::RequestTooManyValues | Self::BodyTooLarge => Status::Http(StatusCode::PAYLOAD_TOO_LARGE),
            Self::MethodNotAllowed | Self::MutationByGet => Status::Http(StatusCode::METHOD_NOT_ALLOWED),
            Self::Unauthenticated => Status::Http(StatusCode::UNAUTHORIZED),
            Self::ForbiddenOrigin | Self::StoredDocumentsOnly => Status::Http(StatusCode::FORBIDDEN),
            Self::NotAcceptable => Status::Http(StatusCode::NOT_ACCEPTABLE),
            Self::RequestTimeout => Status::Http(StatusCode::REQUEST_TIMEOUT),
            Self::UnsupportedMediaType => Status::Http(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::CostLimitReached | Self::TooManySockets => Status::Http(StatusCode::TOO_MANY_REQUESTS),
            Self::Internal => Status::Http(StatusCode::INTERNAL_SERVER_ERROR),
            Self::Unavailable | Self::Overloaded | Self::DeadlineExceeded => {
                Status::Http(StatusCode::SERVICE_UNAVAILABLE)
            }
            Self::ParseFailed
            | Self::ValidationFailed
            | Self::BadUserInput
            | Self::OperationNotFound
            | Self::OperationNameRequired
            | Self::IntrospectionDisabled
            | Self::CostTooHigh
            | Self::QueryTooLong
            | Self::QueryTooManyTokens
            | Self::QueryTooDeep
            | Self::QueryNameTooLong
            | Self::QueryTooComplex
            | Self::QueryTooManyAliases
            | Self::QueryTooManyDirectives => Status::Document,
            // Apollo's clients send the document along when they read this code, and only with 200.
            Self::PersistedQueryNotFound | Self::TooManyOperations => Status::Result,
        }
    }

    /// Returns whether the same request may succeed a moment later.
    pub const fn retryable(self) -> bool {
        matches!(
            self,
            Self::Unavailable
                | Self::Overloaded
                | Self::DeadlineExceeded
                | Self::RequestTimeout
                | Self::CostLimitReached
                | Self::TooManySockets
                | Self::TooManyOperations
        )
    }

    /// Returns what it says to people, without the particulars of one request.
    pub const fn sentence(self) -> Sentence {
        let (english, indonesian) = match self {
            Self::Unauthenticated => (
                "Send a valid token: Authorization: Bearer ….",
                "Kirim token yang berlaku: Authorization: Bearer ….",
            ),
            Self::ForbiddenOrigin => (
                "WebSocket connections from this origin are not allowed.",
                "Halaman dari asal (origin) lain tidak boleh membuka soket di sini.",
            ),
            Self::Unavailable => (
                "The server cannot answer right now. Try again; send a mutation with the same idempotencyKey.",
                "Server sedang tidak dapat menjawab. Coba lagi; untuk mutasi, dengan idempotencyKey yang sama.",
            ),
            Self::Overloaded => (
                "The server has more requests than it can answer. Nothing was done. Try again in a moment.",
                "Server menerima terlalu banyak permintaan. Belum ada yang dikerjakan. Coba lagi sebentar lagi.",
            ),
            Self::DeadlineExceeded => (
                "The request took too long. Send a mutation again with the same idempotencyKey; ask for less at a time.",
                "Permintaan memakan waktu terlalu lama. Kirim ulang mutasi dengan idempotencyKey yang sama; minta lebih sedikit data.",
            ),
            Self::Internal => ("Something went wrong on our side.", "Terjadi kesalahan di pihak kami."),
            Self::CostLimitReached => (
                "This client has used up its points for now. Try again after the time in Retry-After.",
                "Poin klien ini sudah habis untuk saat ini. Coba lagi setelah waktu pada Retry-After.",
            ),
            Self::CostTooHigh => (
                "The request costs more points than a client can ever have. Ask for smaller pages.",
                "Biaya permintaan melebihi poin yang dapat dimiliki klien. Minta halaman yang lebih kecil.",
            ),
            Self::TooManySockets => (
                "Too many sockets are open. Close one, or try again in a moment.",
                "Terlalu banyak soket terbuka. Tutup salah satu, atau coba lagi sebentar lagi.",
            ),
            Self::TooManyOperations => (
                "Too many operations on one socket. End one first.",
                "Terlalu banyak operasi pada satu soket. Akhiri salah satu dahulu.",
            ),
            Self::BadRequest => ("The request has the wrong shape.", "Bentuk permintaan tidak benar."),
            Self::BadJson => ("The request is not JSON.", "Permintaan bukan JSON yang benar."),
            Self::BatchNotSupported => (
                "Batching is not supported: send one operation per request, as an object and not as an array.",
                "Satu operasi untuk satu permintaan: isi permintaan berupa objek, bukan larik.",
            ),
            Self::BodyTooLarge => (
                "The body is too large. More rows go into a file or into several requests.",
                "Isi permintaan terlalu besar. Kirim berkas, atau bagi menjadi beberapa permintaan.",
            ),
            Self::MethodNotAllowed => (
                "Send GraphQL requests by POST; queries may also use GET.",
                "GraphQL diminta dengan POST, atau dengan GET untuk kueri.",
            ),
            Self::MutationByGet => (
                "A mutation is sent by POST: GET changes nothing.",
                "Mutasi dikirim dengan POST: GET tidak mengubah apa pun.",
            ),
            Self::NotAcceptable => (
                "The answer is application/graphql-response+json or application/json: accept one.",
                "Jawaban berupa application/graphql-response+json atau application/json: terima salah satunya.",
            ),
            Self::RequestTimeout => {
                ("The body did not arrive in time.", "Isi permintaan tidak tiba tepat waktu.")
            }
            Self::SubscriptionOverHttp => (
                "Send subscriptions over WebSocket (graphql-transport-ws), or with Accept: text/event-stream.",
                "Kirim langganan (subscription) melalui WebSocket (graphql-transport-ws), atau dengan Accept: text/event-stream.",
            ),
            Self::UnsupportedMediaType => (
                "Send the request as JSON in UTF-8, with `Content-Type: application/json`.",
                "Kirim permintaan sebagai JSON dalam UTF-8, dengan `Content-Type: application/json`.",
            ),
            Self::RequestTooManyValues => (
                "The request has too many JSON values. Send a file, or several requests.",
                "Permintaan memuat terlalu banyak nilai JSON. Kirim berkas, atau beberapa permintaan.",
            ),
            Self::RequestTooDeep => {
                ("The request nests JSON too deep.", "JSON dalam permintaan bersarang terlalu dalam.")
            }
            Self::OperationNotFound => (
                "There is no operation of this name in the document.",
                "Tidak ada operasi dengan nama ini di dalam dokumen.",
            ),
            Self::OperationNameRequired => (
                "The document has several operations; `operationName` says which one to run.",
                "Dokumen memuat beberapa operasi; `operationName` menyebut operasi yang dijalankan.",
            ),
            Self::ParseFailed => ("The document cannot be parsed.", "Dokumen tidak dapat diurai."),
            Self::ValidationFailed => {
                ("The document does not fit the schema.", "Dokumen tidak sesuai dengan skema.")
            }
            Self::BadUserInput => {
                ("A variable or an argument has a wrong value.", "Nilai variabel atau argumen tidak benar.")
            }
            Self::IntrospectionDisabled => (
                "Introspection is turned off here. `__typename` is allowed.",
                "Introspeksi dimatikan di sini. `__typename` tetap boleh.",
            ),
            // Apollo's clients know it by this very word.
            Self::PersistedQueryNotFound => ("PersistedQueryNotFound", "PersistedQueryNotFound"),
            Self::PersistedQueryMismatch => (
                "The SHA-256 of the query is not the hash that was sent.",
                "SHA-256 kueri tidak sama dengan hash yang dikirim.",
            ),
            Self::StoredDocumentsOnly => (
                "Only stored documents run here. Send the id of one.",
                "Hanya dokumen tersimpan yang dijalankan di sini. Kirim id salah satunya.",
            ),
            Self::QueryTooLong => (
                "The query is too long. Put rows and other data into `variables`.",
                "Kueri terlalu panjang. Baris dan data lain dikirim dalam `variables`.",
            ),
            Self::QueryTooManyTokens => (
                "The query has too many tokens. Put rows and other data into `variables`.",
                "Kueri memuat terlalu banyak token. Baris dan data lain dikirim dalam `variables`.",
            ),
            Self::QueryTooDeep => ("The query is nested too deep.", "Kueri bersarang terlalu dalam."),
            Self::QueryNameTooLong => {
                ("A name in the query is too long.", "Sebuah nama dalam kueri terlalu panjang.")
            }
            Self::QueryTooComplex => (
                "The query asks for too much. Ask for less at a time.",
                "Kueri meminta terlalu banyak. Minta lebih sedikit sekaligus.",
            ),
            Self::QueryTooManyAliases => (
                "The query has too many aliases. Send several queries.",
                "Kueri memuat terlalu banyak alias. Kirim beberapa kueri.",
            ),
            Self::QueryTooManyDirectives => {
                ("The query has too many directives.", "Kueri memuat terlalu banyak direktif.")
            }
        };
        Sentence { english, indonesian }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use strum::VariantArray as _;

    use super::*;
    use crate::language::Language;

    #[test]
    fn every_code_has_a_sentence_of_its_own_in_both_languages() {
        for language in [Language::English, Language::Indonesian] {
            let sentences: HashSet<_> =
                Code::VARIANTS.iter().map(|code| code.sentence().in_language(language)).collect();
            assert_eq!(sentences.len(), Code::VARIANTS.len(), "two codes say the same in {language}");
        }
        for code in Code::VARIANTS.iter().filter(|&&code| code != Code::PersistedQueryNotFound) {
            let Sentence { english, indonesian } = code.sentence();
            assert_ne!(english, indonesian, "{code}");
            assert!(english.ends_with(['.', '…']) && indonesian.ends_with(['.', '…']), "{code}");
        }
    }

    #[test]
    fn statuses_that_ask_to_come_back_say_when() {
        for &code in Code::VARIANTS {
            let error = ErrorCode::from(code);
            let says_when = error.companion().is_some_and(|(name, _)| name == header::RETRY_AFTER);
            let status = error.status(Media::GraphqlResponse);
            let must = matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
            assert_eq!(says_when, must, "{code}");
            assert!(!must || code.retryable(), "{code}");
        }
    }

    #[test]
    fn a_code_is_found_by_its_name() {
        assert_eq!(Code::ParseFailed.as_str(), "GRAPHQL_PARSE_FAILED");
        assert_eq!(Code::QueryTooManyAliases.to_string(), "QUERY_TOO_MANY_ALIASES");
        for &code in Code::VARIANTS {
            assert_eq!(code.as_str().parse(), Ok(code));
        }
    }
}
