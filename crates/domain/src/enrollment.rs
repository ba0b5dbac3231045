//! Enrollments: what a person is covered for, through whom and from when.
//!
//! [`judge_terms`] looks at what a whole request has in common, [`judge_person`] at one person under those terms.
//! A single enrollment and one row of eight thousand go through the same two functions.

use chrono::NaiveDate;

use super::channel::Channel;
use super::count::Held;
use super::identity::{NationalId, ServiceNumber};
use super::participant::{FullName, PhoneNumber};
use super::problem::{Problem, ProblemCode};
use super::timeline::Timeline;
pub use super::vocabulary::{CivilServantCategory, EndReason, EnrollmentStatus, Programme, Segment};
use super::vocabulary::{EmployerKind, Sex};

mod again;
mod change;
mod judge;
#[cfg(test)]
mod tests;

pub use again::{Again, ended_since};
pub use change::{
    employed_until, employer_closed, judge_closing, judge_death, judge_end, judge_end_form, judge_transfer,
    not_open,
};
pub use judge::{identity_mismatch, is_same_person, judge_person, judge_terms};
pub(super) use judge::{judge_age, judge_birth_date};

/// The employer of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payer {
    /// Internal id.
    pub id: i64,
    /// Work-accident risk class of its business, 1 to 5.
    pub risk_class: i16,
    /// What kind of employer it is.
    pub kind: EmployerKind,
    /// Since when nobody is employed there any more.
    pub closed_on: Option<NaiveDate>,
}

/// What all people of a request have in common.
#[derive(Clone, Debug)]
pub struct Terms<'a> {
    /// Segment.
    pub segment: Segment,
    /// Programmes, as asked for.
    pub programmes: &'a [Programme],
    /// The channel that brings them in.
    pub channel: &'a Channel,
    /// Their employer.
    pub employer: Option<Payer>,
    /// Their association, by internal id.
    pub association: Option<i64>,
    /// Province of residence, by internal id.
    pub province: i16,
    /// First day, where a person's form has none of its own.
    pub starts_on: NaiveDate,
    /// Was the first contribution taken with the form?
    pub first_contribution_paid: bool,
    /// What kind of civil servants they are; `None`: none.
    pub civil_servants: Option<CivilServantCategory>,
}

/// One person as written down by somebody. A field that could not even be read is empty here, and its problem stands
/// in `problems` already.
#[derive(Clone, Default)]
pub struct PersonForm {
    /// Identity number (NIK).
    pub national_id: String,
    /// Name with its titles.
    pub full_name: String,
    /// Date of birth.
    pub birth_date: Option<NaiveDate>,
    /// Sex.
    pub sex: Option<Sex>,
    /// Telephone number.
    pub phone: Option<String>,
    /// Rupiah a month.
    pub monthly_wage: Option<i64>,
    /// First day, where it differs from that of the request.
    pub starts_on: Option<NaiveDate>,
    /// Service number (NIP) of a civil servant.
    pub service_number: Option<String>,
    /// Work unit (SKPD, OPD) of a civil servant.
    pub work_unit: Option<String>,
    /// Grade (golongan) of a civil servant.
    pub grade: Option<String>,
    /// What was wrong with the cells themselves.
    pub problems: Vec<Problem>,
}

redacted_debug!(PersonForm);

/// A civil servant's own particulars.
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

/// A person and an enrollment that break no rule, ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEnrollment {
    /// Identity number.
    pub national_id: NationalId,
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
    /// Programmes, each once.
    pub programmes: Vec<Programme>,
    /// Channel, by internal id.
    pub channel: i64,
    /// Employer, by internal id.
    pub employer: Option<i64>,
    /// Association, by internal id.
    pub association: Option<i64>,
    /// Rupiah a month.
    pub monthly_wage: Option<i64>,
    /// Its first day, and the month paid for with the form.
    pub timeline: Timeline,
    /// Particulars of a civil servant.
    pub civil_servant: Option<CivilServant>,
    /// The warnings under which it was taken, each code once.
    pub flags: Vec<ProblemCode>,
}

impl NewEnrollment {
    /// What figures see of it.
    pub fn held(&self) -> Held {
        Held {
            segment: self.segment,
            civil_servant: self.civil_servant.as_ref().map(|civil_servant| civil_servant.category),
            employer: self.employer,
            association: self.association,
            end_reason: None,
            timeline: self.timeline.clone(),
        }
    }
}

/// What the registry knows of a person whose identity number came in again.
#[derive(Clone, PartialEq, Eq)]
pub struct KnownPerson {
    /// Date of birth.
    pub birth_date: NaiveDate,
    /// Sex.
    pub sex: Sex,
    /// Name, normalised.
    pub name_key: String,
}

redacted_debug!(KnownPerson);
