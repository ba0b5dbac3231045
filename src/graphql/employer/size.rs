//! Sizes of businesses, and the programmes that they make mandatory.

use async_graphql::{Enum, SimpleObject};
use chrono::NaiveDate;

use crate::graphql::caller::Caller;
use crate::graphql::contribution::RuleCitation;
use crate::graphql::enrollment::Programme;
use domain::employer as model;
use domain::enrollment::{self, Segment};

/// Size of a business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::EmployerSize")]
pub enum EmployerSize {
    /// A micro business (usaha mikro).
    Micro,
    /// A small business (usaha kecil).
    Small,
    /// A medium business (usaha menengah).
    Medium,
    /// A large business (usaha besar).
    Large,
}

/// A programme that is mandatory by the size of the employer.
#[derive(SimpleObject, rows::Row)]
pub struct MandatoryProgramme {
    /// The programme.
    programme: Programme,
    /// Rule that makes it mandatory.
    rule: RuleCitation,
}

/// Returns the programmes that are mandatory for people of a segment at an employer of a size on a day and are not among some.
pub fn mandatory(
    caller: &Caller,
    segment: Segment,
    (size, day): (Option<model::EmployerSize>, NaiveDate),
    programmes: &[enrollment::Programme],
) -> Vec<MandatoryProgramme> {
    let rule = caller.reference.rules.mandatory(segment, size, day);
    let Some(rule) = rule else { return Vec::new() };
    let citation = || rule.citation.clone().into();
    rule.missing(programmes)
        .map(|programme| MandatoryProgramme { programme: programme.into(), rule: citation() })
        .collect()
}
