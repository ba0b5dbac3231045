//! The rules of the field, as functions over values.
//!
//! Nothing here waits, asks a database, reads a clock or knows GraphQL: today's date and the rules in force are
//! arguments. The sources of the rules stand beside them; what is only recalled and not sourced is configuration
//! (table `rule_setting`), never a constant.

/// Declares an enumeration whose values have one stable name everywhere: in GraphQL, in PostgreSQL and in files.
#[macro_export]
macro_rules! closed_list {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $(#[doc = concat!("`", $text, "`")] $(#[doc = ""] #[$vmeta])* #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name under which the value is stored and sent.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(self.as_str()) }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::UnknownName;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|v| v.as_str() == text).ok_or($crate::UnknownName)
            }
        }
    };
}

/// Keeps what a type holds out of logs: names, dates of birth and numbers are written by their type alone.
#[macro_export]
macro_rules! redacted_debug {
    ($($name:ty),+ $(,)?) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    )+};
}

/// A text that names no value of a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not one of the known names")]
pub struct UnknownName;

pub mod access;
pub mod actor;
pub mod agreement;
pub mod association;
pub mod audit;
pub mod calendar;
pub mod cell;
pub mod channel;
pub mod clearance;
pub mod client;
pub mod correction;
pub mod count;
pub mod coverage;
pub mod day;
pub mod employer;
pub mod enrollment;
pub mod event;
pub mod identity;
pub mod language;
pub mod onboarding;
pub mod page;
pub mod participant;
#[cfg(feature = "postgres")]
mod postgres;
pub mod problem;
pub mod province;
pub mod rule;
pub mod standing;
pub mod target;
pub mod text;
pub mod timeline;
pub mod vocabulary;
