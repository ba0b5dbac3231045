//! The languages of messages. Codes, names and paths are the same in both.

use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// A language of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
pub enum Language {
    /// English, the language of the particulars.
    #[strum(serialize = "en")]
    English,
    /// Indonesian.
    #[strum(serialize = "id")]
    Indonesian,
}
