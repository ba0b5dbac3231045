//! The closed list of error codes: what each means to HTTP, whether the same request may be sent again, and what is said
//! to people in both languages.
//!
//! A code is for programs and never changes; a message is for people and may. In English the message is the one that was
//! made where the error happened, because it names limits and places; [`Code::sentence`] is its general form. In
//! Indonesian the general form is the message, and the English one goes along as `extensions.detail`, so that neither
//! language says less than the other.
//!
//! To add a code: a line in the list and one in [`Code::sentence`]; a status where it is not 200, and `retryable` where
//! waiting helps.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};

use super::media::Media;
use domain::language::Sentence;

domain::closed_list! {
    /// Why a request, or a field of it, has no answer.
    Code {
        // Who asks, and from where.
        Unauthenticated = "UNAUTHENTICATED",
        ForbiddenOrigin = "FORBIDDEN_ORIGIN",
        // What the registry can do now.
        Unavailable = "UNAVAILABLE",
        Overloaded = "OVERLOADED",
        DeadlineExceeded = "DEADLINE_EXCEEDED",
        Internal = "INTERNAL",
        CostLimitReached = "COST_LIMIT_REACHED",
        QuotaExceeded = "QUOTA_EXCEEDED",
        CostTooHigh = "COST_TOO_HIGH",
        TooManyRequests = "TOO_MANY_REQUESTS",
        TooManySockets = "TOO_MANY_SOCKETS",
        TooManyOperations = "TOO_MANY_OPERATIONS",
        // HTTP.
        BadRequest = "BAD_REQUEST",
        BadJson = "BAD_JSON",
        BatchNotSupported = "BATCH_NOT_SUPPORTED",
        BodyTooLarge = "BODY_TOO_LARGE",
        MethodNotAllowed = "METHOD_NOT_ALLOWED",
        MutationByGet = "MUTATION_BY_GET",
        NotAcceptable = "NOT_ACCEPTABLE",
        RequestTimeout = "REQUEST_TIMEOUT",
        SubscriptionOverHttp = "SUBSCRIPTION_OVER_HTTP",
        UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE",
        RequestTooManyValues = "REQUEST_TOO_MANY_VALUES",
        RequestTooDeep = "REQUEST_TOO_DEEP",
        // The document.
        OperationNotFound = "OPERATION_NOT_FOUND",
        OperationNameRequired = "OPERATION_NAME_REQUIRED",
        ParseFailed = "GRAPHQL_PARSE_FAILED",
        ValidationFailed = "GRAPHQL_VALIDATION_FAILED",
        BadUserInput = "BAD_USER_INPUT",
        IntrospectionDisabled = "INTROSPECTION_DISABLED",
        PersistedQueryNotFound = "PERSISTED_QUERY_NOT_FOUND",
        PersistedQueryMismatch = "PERSISTED_QUERY_MISMATCH",
        StoredDocumentsOnly = "STORED_DOCUMENTS_ONLY",
        QueryTooLong = "QUERY_TOO_LONG",
        QueryTooManyTokens = "QUERY_TOO_MANY_TOKENS",
        QueryTooDeep = "QUERY_TOO_DEEP",
        QueryNameTooLong = "QUERY_NAME_TOO_LONG",
        QueryTooComplex = "QUERY_TOO_COMPLEX",
        QueryTooManyAliases = "QUERY_TOO_MANY_ALIASES",
        QueryTooManyDirectives = "QUERY_TOO_MANY_DIRECTIVES",
        // A resolver's own: see `graphql/error.rs`.
        Forbidden = "FORBIDDEN",
        BadId = "BAD_ID",
        NotFound = "NOT_FOUND",
        TooManyIds = "TOO_MANY_IDS",
        BadPage = "BAD_PAGE",
        BadCursor = "BAD_CURSOR",
        BadFilter = "BAD_FILTER",
        BadIdentifier = "BAD_IDENTIFIER",
        UnknownCode = "UNKNOWN_CODE",
        // Files of onboardings.
        ReportGone = "REPORT_GONE",
    }
}

impl Code {
    /// What it means to HTTP, where an answer has no data.
    pub fn status(self, media: Media) -> StatusCode {
        match self {
            Self::BadRequest
            | Self::BadJson
            | Self::BatchNotSupported
            | Self::SubscriptionOverHttp
            | Self::RequestTooDeep
            | Self::PersistedQueryMismatch => StatusCode::BAD_REQUEST,
            Self::RequestTooManyValues | Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MethodNotAllowed | Self::MutationByGet => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::ForbiddenOrigin | Self::StoredDocumentsOnly => StatusCode::FORBIDDEN,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::ReportGone => StatusCode::GONE,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::CostLimitReached | Self::QuotaExceeded | Self::TooManyRequests | Self::TooManySockets => {
                StatusCode::TOO_MANY_REQUESTS
            }
            // Not the query's doing: the status is for balancers and monitors, in both forms.
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable | Self::Overloaded | Self::DeadlineExceeded => StatusCode::SERVICE_UNAVAILABLE,
            // A request that was well-formed, with a query that was not. Older clients get 200 for those.
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
            | Self::QueryTooManyDirectives => match media {
                Media::GraphqlResponse => StatusCode::BAD_REQUEST,
                Media::Json => StatusCode::OK,
            },
            // Apollo's clients send the document along when they read this code, and only with 200.
            Self::PersistedQueryNotFound => StatusCode::OK,
            // The operation ran, and this is its result.
            Self::Forbidden
            | Self::BadId
            | Self::NotFound
            | Self::TooManyIds
            | Self::BadPage
            | Self::BadCursor
            | Self::BadFilter
            | Self::BadIdentifier
            | Self::UnknownCode
            | Self::TooManyOperations => StatusCode::OK,
        }
    }

    /// May the same request succeed a moment later? A mutation is sent again with the same `idempotencyKey`.
    pub const fn retryable(self) -> bool {
        matches!(
            self,
            Self::Unavailable
                | Self::Overloaded
                | Self::DeadlineExceeded
                | Self::RequestTimeout
                | Self::CostLimitReached
                | Self::QuotaExceeded
                | Self::TooManyRequests
                | Self::TooManySockets
                | Self::TooManyOperations
        )
    }

    /// The header that has to stand beside the status.
    pub fn companion(self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::MethodNotAllowed => Some((header::ALLOW, HeaderValue::from_static("GET, HEAD, POST"))),
            Self::MutationByGet => Some((header::ALLOW, HeaderValue::from_static("POST"))),
            Self::Unauthenticated => Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
            // What is still on its way is not read to its end.
            Self::BodyTooLarge | Self::RequestTimeout => {
                Some((header::CONNECTION, HeaderValue::from_static("close")))
            }
            Self::Unavailable
            | Self::Overloaded
            | Self::DeadlineExceeded
            | Self::CostLimitReached
            | Self::QuotaExceeded
            | Self::TooManyRequests
            | Self::TooManySockets => Some((header::RETRY_AFTER, HeaderValue::from_static("1"))),
            _ => None,
        }
    }

    /// What it says to people, without the particulars of one request.
    pub const fn sentence(self) -> Sentence {
        let (english, indonesian) = match self {
            Self::Unauthenticated => (
                "Send a valid token: Authorization: Bearer ….",
                "Kirim token yang berlaku: Authorization: Bearer ….",
            ),
            Self::ForbiddenOrigin => (
                "Pages of another origin open no sockets here.",
                "Halaman dari asal (origin) lain tidak boleh membuka soket di sini.",
            ),
            Self::Unavailable => (
                "The registry cannot answer at the moment. Try again; a mutation with the same idempotencyKey.",
                "Registri sedang tidak dapat menjawab. Coba lagi; untuk mutasi, dengan idempotencyKey yang sama.",
            ),
            Self::Overloaded => (
                "The registry has more requests than it can answer. Nothing was done. Try again in a moment.",
                "Registri menerima terlalu banyak permintaan. Belum ada yang dikerjakan. Coba lagi sebentar lagi.",
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
            Self::QuotaExceeded => (
                "This client has tried too many numbers that lead to nobody. Try again after the time in Retry-After.",
                "Klien ini terlalu sering mencoba nomor yang tidak terdaftar. Coba lagi setelah waktu pada Retry-After.",
            ),
            Self::CostTooHigh => (
                "The request costs more points than a client can ever have. Ask for smaller pages.",
                "Biaya permintaan melebihi poin yang dapat dimiliki klien. Minta halaman yang lebih kecil.",
            ),
            Self::TooManyRequests => (
                "This was asked too often for now. Try again after the time in Retry-After.",
                "Terlalu banyak permintaan untuk saat ini. Coba lagi setelah waktu pada Retry-After.",
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
            Self::ReportGone => (
                "The rows of this batch are not kept any more, and with them the report. Its counts and outcomes are.",
                "Baris kelompok ini tidak disimpan lagi, begitu pula laporannya. Jumlah dan hasilnya tetap ada.",
            ),
            Self::BadJson => ("The request is not JSON.", "Permintaan bukan JSON yang benar."),
            Self::BatchNotSupported => (
                "One operation a request: the body is an object, not an array.",
                "Satu operasi untuk satu permintaan: isi permintaan berupa objek, bukan larik.",
            ),
            Self::BodyTooLarge => (
                "The body is too large. More rows go into a file or into several requests.",
                "Isi permintaan terlalu besar. Kirim berkas, atau bagi menjadi beberapa permintaan.",
            ),
            Self::MethodNotAllowed => (
                "GraphQL is asked by POST, or by GET for queries.",
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
                "Subscriptions are served over WebSocket, subprotocol graphql-transport-ws.",
                "Langganan (subscription) dilayani melalui WebSocket, subprotokol graphql-transport-ws.",
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
                "The query is too long. Rows and other data belong into `variables`.",
                "Kueri terlalu panjang. Baris dan data lain dikirim dalam `variables`.",
            ),
            Self::QueryTooManyTokens => (
                "The query has too many tokens. Rows and other data belong into `variables`.",
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
            Self::Forbidden => ("Your role does not allow this.", "Peran Anda tidak mengizinkan hal ini."),
            Self::BadId => {
                ("This is not an id that this API gave.", "Ini bukan id yang diberikan oleh API ini.")
            }
            Self::NotFound => (
                "There is nothing with this id that you may see.",
                "Tidak ada apa pun dengan id ini yang boleh Anda lihat.",
            ),
            Self::TooManyIds => ("Ask for at most 100 ids at once.", "Minta paling banyak 100 id sekaligus."),
            Self::BadPage => (
                "The size of the page makes no sense: see `first` and `last`.",
                "Ukuran halaman tidak benar: lihat `first` dan `last`.",
            ),
            Self::BadCursor => (
                "This is not a cursor that this list gave.",
                "Ini bukan kursor yang diberikan oleh daftar ini.",
            ),
            Self::BadFilter => ("The filter makes no sense.", "Penyaring (filter) tidak benar."),
            Self::BadIdentifier => ("This is not a number of its kind.", "Nomor ini tidak sesuai jenisnya."),
            Self::UnknownCode => ("Nothing has this code.", "Tidak ada yang memiliki kode ini."),
        };
        Sentence { english, indonesian }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use domain::language::Language;

    #[test]
    fn every_code_speaks_both_languages_in_sentences_of_its_own() {
        for language in [Language::English, Language::Indonesian] {
            let sentences: HashSet<_> =
                Code::ALL.iter().map(|code| code.sentence().in_language(language)).collect();
            assert_eq!(sentences.len(), Code::ALL.len(), "two codes say the same in {language}");
        }
        for code in Code::ALL.iter().filter(|&&code| code != Code::PersistedQueryNotFound) {
            let Sentence { english, indonesian } = code.sentence();
            assert_ne!(english, indonesian, "{code}");
            assert!(english.ends_with(['.', '…']) && indonesian.ends_with(['.', '…']), "{code}");
        }
    }

    #[test]
    fn who_may_come_back_is_told_when() {
        for &code in Code::ALL {
            let is_told = code.companion().is_some_and(|(name, _)| name == header::RETRY_AFTER);
            let status = code.status(Media::GraphqlResponse);
            let must = matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
            assert_eq!(is_told, must, "{code}");
            assert!(!must || code.retryable(), "{code}");
        }
    }

    /// A code that a resolver gives and the list has not would reach clients that cannot know it.
    #[test]
    fn the_resolvers_give_no_code_that_is_not_in_the_list() {
        let source = include_str!("../graphql/error.rs");
        let words = source.split('"').skip(1).step_by(2);
        let is_code =
            |word: &&str| word.len() > 5 && word.chars().all(|c| c == '_' || c.is_ascii_uppercase());
        let codes: Vec<_> = words.filter(is_code).collect();
        assert!(codes.contains(&"FORBIDDEN") && codes.contains(&"UNKNOWN_CODE"), "{codes:?}");
        let unknown: Vec<_> = codes.iter().filter(|code| code.parse::<Code>().is_err()).collect();
        assert!(unknown.is_empty(), "not in src/http/code.rs: {unknown:?}");
    }
}
