//! Which people a list holds, and in which order.

use chrono::{DateTime, Utc};

use crate::store::page::OrderColumns;
use domain::enrollment::Segment;
use domain::participant::ParticipantStatus;

pub(super) const ORDER: OrderColumns = OrderColumns { id: "p.id", name: "p.name_key" };

/// Conditions on people; all that are set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ParticipantFilter {
    /// Living in this province.
    pub province: Option<i16>,
    /// With an enrollment, open or ended, at this employer.
    pub employer: Option<i64>,
    /// With an enrollment, open or ended, through this association.
    pub association: Option<i64>,
    /// Brought in by one of these channels.
    pub channels: Vec<i64>,
    /// With an enrollment in one of these segments.
    pub segments: Vec<Segment>,
    /// With one of these statuses.
    pub statuses: Vec<ParticipantStatus>,
    /// All these words, or their beginnings, in the name.
    pub words: Vec<String>,
    /// Registered at this moment or later.
    pub registered_from: Option<DateTime<Utc>>,
    /// Registered before this moment.
    pub registered_before: Option<DateTime<Utc>>,
}

/// Something that has people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeopleOf {
    /// The people who live in a province.
    Province,
    /// The people with an enrollment at an employer.
    Employer,
    /// The people with an enrollment through an association.
    Association,
    /// The people whom a channel brought in, without those below it.
    Channel,
}
