//! Enrollments: what a person is covered for, through whom and from when.
//!
//! [`judge_terms`] checks what all people of a request have in common. [`judge_person`] checks one person under those
//! terms. A single enrollment and each row of a roster go through the same two functions.

use chrono::NaiveDate;

use super::channel::Channel;
use super::count::HeldEnrollment;
use super::employer::{Classification, Dated};
use super::identity::{IdentityNumber, ServiceNumber};
use super::participant::{FullName, PhoneNumber};
use super::problem::{Problem, ProblemCode};
use super::timeline::Timeline;
pub use super::vocabulary::{CivilServantCategory, EndReason, EnrollmentStatus, Programme, Segment};
use super::vocabulary::{EmployerKind, Sex};

mod change;
mod judge;
mod repetition;
#[cfg(test)]
mod tests;

pub use change::{
    employed_until, employer_closed, judge_closing, judge_death, judge_end, judge_end_form, judge_transfer,
    not_open,
};
pub use judge::{identity_mismatch, is_same_person, judge_person, judge_terms};
pub(super) use judge::{judge_age, judge_birth_date, judge_identity};
pub use repetition::{Repetition, ended_since};

/// The employer that pays for the people of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payer {
    /// Internal id.
    pub id: i64,
    /// Kind of employer.
    pub kind: EmployerKind,
    /// First day on which it is closed.
    pub closed_on: Option<NaiveDate>,
}

/// The result of looking up what a request names by a code or an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup<T> {
    /// The request names nothing.
    NotNamed,
    /// It exists, and the client may use it.
    Found(T),
    /// It does not exist, or the client may not use it. The look-up has reported that problem already.
    Failed,
}

impl<T> Lookup<T> {
    /// Returns what was found.
    pub fn found(self) -> Option<T> {
        match self {
            Self::Found(found) => Some(found),
            Self::NotNamed | Self::Failed => None,
        }
    }

    /// Returns a part of what was found.
    pub fn map<U>(self, of: impl FnOnce(T) -> U) -> Lookup<U> {
        match self {
            Self::Found(found) => Lookup::Found(of(found)),
            Self::NotNamed => Lookup::NotNamed,
            Self::Failed => Lookup::Failed,
        }
    }

    /// Returns whether the request names nothing.
    pub fn is_not_named(&self) -> bool {
        matches!(self, Self::NotNamed)
    }
}

impl<T> From<Option<T>> for Lookup<T> {
    fn from(named: Option<T>) -> Self {
        named.map_or(Self::NotNamed, Self::Found)
    }
}

/// The common terms of all people in a request.
#[derive(Clone, Debug)]
pub struct Terms<'a> {
    /// Segment.
    pub segment: Segment,
    /// Requested programmes; may repeat.
    pub programmes: &'a [Programme],
    /// Channel that enrolls them.
    pub channel: Lookup<&'a Channel>,
    /// Employer.
    pub employer: Lookup<Payer>,
    /// Risk class and size of the employer, if one was found.
    pub classification: Option<&'a Dated<Classification>>,
    /// Association, by internal id.
    pub association: Lookup<i64>,
    /// Province of residence, by internal id.
    pub province: Lookup<i16>,
    /// First day, for people without a first day of their own.
    pub starts_on: NaiveDate,
    /// Whether the first contribution was paid together with the enrollment.
    pub first_contribution_paid: bool,
    /// Category of the civil servants, or `None` for other people.
    pub civil_servants: Option<CivilServantCategory>,
}

/// One person as submitted. A field that could not be parsed is empty, and its problem is in `problems`.
#[derive(Clone, Default)]
pub struct PersonForm {
    /// Identity number (NIK). Blank for a foreigner with a passport.
    pub national_id: String,
    /// Passport number of a foreigner without an identity number.
    pub passport_number: Option<String>,
    /// Name with its titles.
    pub full_name: String,
    /// Date of birth.
    pub birth_date: Option<NaiveDate>,
    /// Sex.
    pub sex: Option<Sex>,
    /// Telephone number.
    pub phone: Option<String>,
    /// Monthly wage in rupiah.
    pub monthly_wage: Option<i64>,
    /// First day, if it differs from that of the request.
    pub starts_on: Option<NaiveDate>,
    /// Service number (NIP) of a civil servant.
    pub service_number: Option<String>,
    /// Work unit (SKPD, OPD) of a civil servant.
    pub work_unit: Option<String>,
    /// Grade (golongan) of a civil servant.
    pub grade: Option<String>,
    /// Problems found while parsing the fields.
    pub problems: Vec<Problem>,
}

redacted_debug!(PersonForm);

/// The particulars of a civil servant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CivilServant {
    /// Service number (NIP).
    pub service_number: Option<ServiceNumber>,
    /// Category.
    pub category: CivilServantCategory,
    /// Work unit (SKPD, OPD).
    pub work_unit: Option<String>,
    /// Grade (golongan).
    pub grade: Option<String>,
}

/// A valid enrollment, ready to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEnrollment {
    /// Identity number (NIK) or passport number.
    pub identity: IdentityNumber,
    /// Name.
    pub full_name: FullName,
    /// Date of birth.
    pub birth_date: NaiveDate,
    /// Sex.
    pub sex: Sex,
    /// Telephone number.
    pub phone: Option<PhoneNumber>,
    /// Province of residence, by internal id.
    pub province: i16,
    /// Segment.
    pub segment: Segment,
    /// Programmes without repetitions.
    pub programmes: Vec<Programme>,
    /// Channel, by internal id.
    pub channel: i64,
    /// Employer, by internal id.
    pub employer: Option<i64>,
    /// Association, by internal id.
    pub association: Option<i64>,
    /// Monthly wage in rupiah.
    pub monthly_wage: Option<i64>,
    /// Dates and paid months.
    pub timeline: Timeline,
    /// Particulars of a civil servant.
    pub civil_servant: Option<CivilServant>,
    /// Codes of the warnings, each once.
    pub flags: Vec<ProblemCode>,
}

impl NewEnrollment {
    /// Returns the facts that counters depend on.
    pub fn held(&self) -> HeldEnrollment {
        HeldEnrollment {
            segment: self.segment,
            civil_servant: self.civil_servant.as_ref().map(|civil_servant| civil_servant.category),
            employer: self.employer,
            association: self.association,
            end_reason: None,
            timeline: self.timeline.clone(),
        }
    }
}

/// A registered person with the same identity number.
#[derive(Clone, PartialEq, Eq)]
pub struct KnownPerson {
    /// Date of birth.
    pub birth_date: NaiveDate,
    /// Sex.
    pub sex: Sex,
    /// Normalised name.
    pub name_key: String,
}

redacted_debug!(KnownPerson);
