//! Events in the history of a participant.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// Kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum EventKind {
    /// An enrollment was recorded.
    Enrolled,
    /// A contribution was recorded.
    Contributed,
    /// An enrollment became inactive.
    Lapsed,
    /// An inactive enrollment became active again.
    Resumed,
    /// An enrollment went on with another employer.
    Transferred,
    /// An enrollment ended.
    Ended,
    /// Personal data were corrected.
    Corrected,
    /// The death was recorded.
    Died,
    /// The wage changed.
    WageChanged,
    /// The person moved to another province.
    Moved,
    /// A month is no longer paid, because its payment was reversed.
    ContributionReversed,
    /// The contact of the person changed.
    ContactChanged,
}
