//! The languages of messages. Codes, names and paths are the same in both.

use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// A language of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
pub enum Language {
    /// English. Some details of problems exist in English only.
    #[strum(serialize = "en")]
    English,
    /// Indonesian.
    #[strum(serialize = "id")]
    Indonesian,
}
