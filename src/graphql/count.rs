//! Counts of people by status.

use async_graphql::{Context, Result, SimpleObject};

use super::context::{caller, request};
use super::error::FieldError;
use super::loaders::load;
use super::scalar::int;
use crate::store::count::{CountsBy, StatusCounts};
use domain::actor::Actor;

/// Number of people by status. Roles that may read counts but not people see multiples of five: each number is rounded
/// down by itself, so 0 means up to four people. People enrolled ahead of their first day count from the day on which
/// the enrollment was recorded.
#[derive(SimpleObject, rows::Row)]
pub struct ParticipantCounts {
    /// All people, each counted once.
    pub total: i32,
    /// Enrolled; no contribution paid yet.
    registered: i32,
    /// Contributions are paid.
    pub active: i32,
    /// Contributions are in arrears.
    inactive: i32,
    /// All enrollments ended, or deceased.
    ended: i32,
}

impl ParticipantCounts {
    /// Returns the counts as far as they are visible to an actor.
    pub fn visible_to(actor: &Actor, counts: StatusCounts) -> Self {
        let visible = |people| int(actor.role.visible_count(people));
        Self {
            total: visible(counts.total),
            registered: visible(counts.registered),
            active: visible(counts.active),
            inactive: visible(counts.inactive),
            ended: visible(counts.ended),
        }
    }
}

/// Returns the counts of the people of a province, channel, employer or association.
///
/// # Errors
/// The database is unavailable.
pub async fn counts(ctx: &Context<'_>, by: CountsBy, id: i64) -> Result<ParticipantCounts, FieldError> {
    let counts = load(&request(ctx).loaders.counts, (by, id)).await?.unwrap_or_default();
    Ok(ParticipantCounts::visible_to(&caller(ctx).actor, counts))
}
