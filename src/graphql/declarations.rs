//! What each noun of the API declares of its fields: their rights and their costs.

use domain::access::Right;
use graphql_front::catalogue::Rules;

/// Rights by type, or by field as `Type.field`, which goes first. Each field of a root type has a right of its own.
pub type Rights = &'static [(Right, &'static [&'static str])];

/// The declarations of one noun.
pub struct Declarations {
    /// The right that each field needs.
    pub rights: Rights,
    /// The lengths of plain lists, the prices of fields, and bulk mutations.
    pub rules: Rules,
}
