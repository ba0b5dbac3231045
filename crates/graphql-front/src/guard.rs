//! The limits of a request, and the checks of its JSON and of its query's text.
//!
//! async-graphql's parser and validator can be attacked. Three checks stand before them, in the order in which a request
//! meets them, each linear in its input and none able to overflow the stack:
//!
//! 1. [`check_json`] before serde: how deep the JSON goes and how many values it holds;
//! 2. [`check_text`] before the parser: length, tokens, nesting. The parser recurses without a limit inside values, so
//!    two thousand nested `[` would end the process, with no panic to catch;
//! 3. [`Analysis`](super::analysis::Analysis) after the parser, before the validator: what the query is once its
//!    fragments are spread. The validator spreads them again at each use, so 22 fragments spreading the next one twice
//!    would cost it 25 seconds.

#[cfg(test)]
pub(crate) mod introspection;
mod json;
mod text;

pub use json::check_json;
pub use text::check_text;

use super::code::Code;
pub use super::input_values::InputError;

/// How large a query may be. The defaults are far above what a page of a client application needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Length of the query's text, in bytes. Put rows and other data into `variables`. What the parser and
    /// the validator's "did you mean" cost grows with it: both are slow on long comments and long unknown
    /// names.
    pub max_query_bytes: usize,
    /// Names, numbers, strings and punctuators in the text; commas, blanks and comments are free.
    pub max_tokens: usize,
    /// Brackets of all kinds open at once in the text. The parser uses some 6 kB of stack for each in a debug
    /// build, and overflows the 2 MiB of a worker between 300 and 500.
    pub max_nesting: usize,
    /// Length of one name, in bytes: an alias is repeated for each row of the answer.
    pub max_name_bytes: usize,
    /// Fields below fields, the leaf counted. Introspection has its own allowance: see
    /// [`INTROSPECTION_DEPTH`].
    pub max_depth: usize,
    /// Fields after the fragments are spread, over all operations of the document.
    pub max_fields: usize,
    /// Aliases after the fragments are spread.
    pub max_aliases: usize,
    /// Directives after the fragments are spread.
    pub max_directives: usize,
    /// Objects that the answer may have at most: the lengths of lists below lists multiply.
    pub max_objects: usize,
    /// Memory of all arguments in bytes, roughly; a variable counts as often as it is used, because
    /// async-graphql copies it for each use.
    pub max_argument_bytes: usize,
    /// Values in the JSON of a request. Each takes 72 bytes once it is parsed, and as little as two in the text.
    pub max_json_values: usize,
    /// Arrays and objects open at once in the JSON of a request, the body itself counted.
    pub max_json_nesting: usize,
    /// Allow introspection by `__schema` and `__type`. `__typename` is always allowed.
    pub introspection: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_query_bytes: 32 * 1024,
            max_tokens: 2_000,
            max_nesting: 50,
            max_name_bytes: 200,
            max_depth: 15,
            max_fields: 2_000,
            max_aliases: 30,
            max_directives: 50,
            max_objects: 50_000,
            max_argument_bytes: 64 * 1024 * 1024,
            max_json_values: 500_000,
            max_json_nesting: 64,
            introspection: true,
        }
    }
}

/// Depth allowed below `__schema` and `__type`: GraphiQL's first query goes to 15.
pub const INTROSPECTION_DEPTH: usize = 18;

/// Lists allowed inside each other below `__schema` and `__type`. Each multiplies the answer by the size of
/// the schema: `types { fields { type { fields { type { fields …` is a bomb that no other limit sees. GraphiQL
/// nests two.
pub const INTROSPECTION_LISTS: usize = 2;

/// Uses of `__schema` and `__type` in one document, for the same reason.
pub const INTROSPECTION_ROOTS: usize = 8;

/// Selection sets inside each other, those of fragments included: async-graphql's own limit
/// (`limit_recursive_depth`) at its default, refused here first so that the refusal has a code.
pub const MAX_LEVELS: usize = 32;

/// Why a query is refused before anything of it runs. The messages are for the developer of the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The text is too long.
    #[error("The query has {bytes} bytes, {limit} are allowed. Put rows and other data into `variables`.")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// What is allowed.
        limit: usize,
    },
    /// The text has too many tokens.
    #[error("The query has more than {limit} tokens. Put rows and other data into `variables`.")]
    TooManyTokens {
        /// What is allowed.
        limit: usize,
    },
    /// Brackets in the text, fields or fragments go too deep.
    #[error("The query nests {what} more than {limit} deep.")]
    TooDeep {
        /// What is nested.
        what: &'static str,
        /// What is allowed.
        limit: usize,
    },
    /// A name is too long.
    #[error("A name in the query has more than {limit} bytes.")]
    NameTooLong {
        /// What is allowed.
        limit: usize,
    },
    /// There is too much of it, once the fragments are spread.
    #[error(
        "The query has more than {limit} {what}, each fragment counted at each use. Request less at a time."
    )]
    TooComplex {
        /// What there is too much of.
        what: &'static str,
        /// What is allowed.
        limit: usize,
    },
    /// Too many aliases.
    #[error(
        "The query has more than {limit} aliases, each fragment counted at each use. Send several queries."
    )]
    TooManyAliases {
        /// What is allowed.
        limit: usize,
    },
    /// Too many directives.
    #[error("The query has more than {limit} directives, each fragment counted at each use.")]
    TooManyDirectives {
        /// What is allowed.
        limit: usize,
    },
    /// Introspection is turned off.
    #[error("Introspection is turned off here. `__typename` is allowed.")]
    Introspection,
    /// A string does not end; the parser would read on in another way than the guard.
    #[error("Syntax error: a string that begins in line {line} does not end.")]
    UnendedString {
        /// Where it begins, counted from 1.
        line: usize,
    },
    /// A fragment contains itself.
    #[error("The fragment `{name}` contains itself.")]
    FragmentCycle {
        /// Its name.
        name: String,
    },
    /// A fragment is used and not there.
    #[error("There is no fragment `{name}` in the document.")]
    UnknownFragment {
        /// Its name.
        name: String,
    },
    /// A fragment is there and not used.
    #[error("The fragment `{name}` is not used by any operation.")]
    UnusedFragment {
        /// Its name.
        name: String,
    },
    /// A mutation has two fields of one response name; async-graphql would run both.
    #[error("The mutation has two fields `{name}`. Give one of them an alias, or remove it.")]
    RepeatedMutation {
        /// The name in the response.
        name: String,
    },
    /// Two different fields have one name in one object of the answer.
    #[error(
        "The fields `{path}` conflict: `{one}` and `{other}` differ in their names or arguments. Give one of them an alias."
    )]
    Conflict {
        /// Where they are in the answer.
        path: String,
        /// The name of one.
        one: String,
        /// The name of the other.
        other: String,
    },
    /// An input value does not fit.
    #[error(transparent)]
    Input(#[from] InputError),
    /// `__typename` is given something.
    #[error("`__typename` has no arguments and no fields.")]
    Typename,
    /// A subscription has several root fields, or a condition on the way to one.
    #[error("A subscription has exactly one root field, with no @skip, @include or other type around it.")]
    SubscriptionRoots,
    /// No operation has the requested name.
    #[error("There is no operation `{name}` in the document.")]
    OperationNotFound {
        /// The name.
        name: String,
    },
    /// The document has several operations, and the request names none.
    #[error("The document has several operations; `operationName` says which one to run.")]
    OperationNameRequired,
    /// A required variable has no value.
    #[error("The variable `${name}` of type `{kind}` has no value.")]
    MissingVariable {
        /// Its name.
        name: String,
        /// Its type.
        kind: String,
    },
    /// An object in the text has a field twice. The parser would take the last one.
    #[error("An input object has the field `{name}` twice.")]
    RepeatedInputField {
        /// Its name.
        name: String,
    },
    /// An object in the JSON has a member twice. A gateway in front of the registry may have read the other one.
    #[error("An object in the request has a member twice.")]
    RepeatedMember,
    /// The JSON holds too many values.
    #[error("The request has more than {limit} JSON values. Send a file, or several requests.")]
    TooManyValues {
        /// What is allowed.
        limit: usize,
    },
    /// The JSON goes too deep.
    #[error("The request nests JSON more than {limit} deep.")]
    JsonTooDeep {
        /// What is allowed.
        limit: usize,
    },
}

impl Refusal {
    /// Returns the error code of the refusal.
    pub const fn code(&self) -> Code {
        match self {
            Self::TooLong { .. } => Code::QueryTooLong,
            Self::TooManyTokens { .. } => Code::QueryTooManyTokens,
            Self::TooDeep { .. } => Code::QueryTooDeep,
            Self::NameTooLong { .. } => Code::QueryNameTooLong,
            Self::TooComplex { .. } => Code::QueryTooComplex,
            Self::TooManyAliases { .. } => Code::QueryTooManyAliases,
            Self::TooManyDirectives { .. } => Code::QueryTooManyDirectives,
            Self::Introspection => Code::IntrospectionDisabled,
            Self::UnendedString { .. } => Code::ParseFailed,
            Self::FragmentCycle { .. }
            | Self::UnknownFragment { .. }
            | Self::UnusedFragment { .. }
            | Self::RepeatedMutation { .. }
            | Self::Conflict { .. }
            | Self::Input(_)
            | Self::Typename
            | Self::SubscriptionRoots
            | Self::RepeatedInputField { .. } => Code::ValidationFailed,
            Self::OperationNotFound { .. } => Code::OperationNotFound,
            Self::OperationNameRequired => Code::OperationNameRequired,
            Self::MissingVariable { .. } => Code::BadUserInput,
            Self::RepeatedMember => Code::BadRequest,
            Self::TooManyValues { .. } => Code::RequestTooManyValues,
            Self::JsonTooDeep { .. } => Code::RequestTooDeep,
        }
    }
}
