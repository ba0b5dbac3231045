//! The rules of an employment social-security registry, as functions over values.
//!
//! # What it is for
//!
//! Resolvers, commands and workers use this crate to decide whether an enrollment, a correction or a transfer is
//! allowed, and what follows from it. Every rule exists once, so all of them get the same answer.
//!
//! - Text becomes a value or a list of [problems](problem::Problem): [`identity`], [`participant`], [`employer`], [`cell`].
//! - Forms are judged by the law of a day: [`enrollment`], [`onboarding`], [`correction`], [`agreement`], [`clearance`].
//! - Bills, their due days and the allocation of payments: [`money`].
//! - Statuses and counters follow from what was recorded: [`timeline`], [`standing`], [`count`], [`coverage`];
//!   wages in [`wage`], past days in [`past`].
//! - The state of a person is a fold over what was recorded, so that anything recorded can be taken back: [`history`],
//!   [`retraction`].
//! - Rights and scopes say who may do what: [`access`], [`actor`], [`client`].
//! - [`vocabulary`] has the enumerations that several rules share.
//!
//! # What it never does
//!
//! It does not wait, query a database, read a clock, log, or know GraphQL. Today's date and the [rules in
//! force](rule::Rulebook) are arguments. A rule names its source beside the code. A value without a published source is
//! a setting in the database (table `rule_setting`), never a constant. No message and no `{:?}` shows an identity number.
//!
//! # How to use it
//!
//! ```
//! use domain::identity::{NationalId, RegionCodes};
//! use domain::problem::ProblemCode;
//!
//! // The codes come from the database, all editions of them.
//! let regions = RegionCodes::new(["16"]);
//!
//! let (number, warnings) = NationalId::parse("167101 420885 0001", &regions, "nationalId").unwrap();
//! assert!(warnings.is_empty());
//! assert_eq!((number.birth_day(), number.birth_month()), (2, 8));
//!
//! // There is no 32nd of February. Each problem has a code for programs, a path, a message and a hint.
//! let problems = NationalId::parse("1671013202850001", &regions, "nationalId").unwrap_err();
//! assert_eq!(problems[0].code, ProblemCode::NationalIdMalformed);
//! assert_eq!(problems[0].path, ["nationalId"]);
//! ```

/// Implements `Debug` without the contents, so that personal data cannot reach a log.
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
pub mod history;
pub mod identity;
pub mod language;
pub mod money;
pub mod monthly_list;
pub mod number;
pub mod onboarding;
pub mod page;
pub mod participant;
pub mod past;
#[cfg(feature = "postgres")]
mod postgres;
pub mod problem;
pub mod province;
pub mod residence;
pub mod retraction;
pub mod rule;
pub mod standing;
pub mod target;
pub mod text;
pub mod timeline;
pub mod vocabulary;
pub mod wage;
