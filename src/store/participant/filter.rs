//! The filter and the order of a list of people.

use chrono::{DateTime, Utc};

use crate::store::page::OrderColumns;
use domain::enrollment::Segment;
use domain::participant::ParticipantStatus;

pub(super) const ORDER: OrderColumns = OrderColumns { id: "p.id", name: "p.name_key" };

/// A filter for participants. All conditions that are set must be met.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ParticipantFilter {
    /// They live in this province.
    pub province: Option<i16>,
    /// They have an enrollment, open or ended, at this employer.
    pub employer: Option<i64>,
    /// They have an enrollment, open or ended, through this association.
    pub association: Option<i64>,
    /// Their first enrollment was made by one of these channels.
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
    /// A province: people who live there.
    Province,
    /// An employer: people with an enrollment there.
    Employer,
    /// An association: people with an enrollment through it.
    Association,
    /// A channel: people whose first enrollment it made, without those of the channels below it.
    Channel,
}
