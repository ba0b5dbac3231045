//! Which people a list holds, and in which order.

use chrono::{DateTime, Utc};

use crate::store::page::OrderColumns;
use domain::enrollment::Segment;
use domain::participant::ParticipantStatus;

pub(super) const ORDER: OrderColumns = OrderColumns { id: "p.id", name: "p.name_key" };

/// Conditions on participants; all that are set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ParticipantFilter {
    /// They live in this province.
    pub province: Option<i16>,
    /// They have an enrollment, open or ended, at this employer.
    pub employer: Option<i64>,
    /// They have an enrollment, open or ended, through this association.
    pub association: Option<i64>,
    /// One of these channels made their first enrollment.
    pub channels: Vec<i64>,
    /// They have an enrollment in one of these segments.
    pub segments: Vec<Segment>,
    /// They have one of these statuses.
    pub statuses: Vec<ParticipantStatus>,
    /// Their name contains words that begin with each of these.
    pub words: Vec<String>,
    /// They were registered at this moment or later.
    pub registered_from: Option<DateTime<Utc>>,
    /// They were registered before this moment.
    pub registered_before: Option<DateTime<Utc>>,
}

/// A parent of participants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeopleOf {
    /// A province: those who live there.
    Province,
    /// An employer: those with an enrollment there.
    Employer,
    /// An association: those with an enrollment through it.
    Association,
    /// A channel: those whose first enrollment it made, without the channels below it.
    Channel,
}
