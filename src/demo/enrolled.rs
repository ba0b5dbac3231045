//! An enrollment of a synthetic person.

use chrono::{NaiveDate, NaiveDateTime};

use domain::day::end_of_month;
use domain::enrollment::{CivilServantCategory, EndReason, EnrollmentStatus, Segment};
use domain::timeline::{PaidMonths, Timeline};

/// An enrollment of a person.
#[derive(Clone, Debug)]
pub(super) struct Enrolled {
    pub(super) recorded_at: NaiveDateTime,
    pub(super) segment: Segment,
    pub(super) status: EnrollmentStatus,
    pub(super) employer: Option<i64>,
    pub(super) association: Option<i64>,
    pub(super) channel: i64,
    pub(super) civil_servant: Option<CivilServantCategory>,
    pub(super) work_unit: Option<&'static str>,
    /// An array as PostgreSQL reads it.
    pub(super) programmes: &'static str,
    pub(super) monthly_wage: Option<i64>,
    pub(super) starts_on: NaiveDate,
    pub(super) paid_through: Option<NaiveDate>,
    pub(super) ends_on: Option<NaiveDate>,
    pub(super) end_reason: Option<EndReason>,
}

impl Enrolled {
    /// Returns its timeline, paid without gaps up to the last paid month.
    pub(super) fn timeline(&self) -> Timeline {
        let counts_from = self.starts_on.min(self.recorded_at.date());
        let paid = self.paid_through.map(|paid| PaidMonths::from_until(self.starts_on.min(paid), paid));
        let paid = paid.map(|paid| paid.bounds());
        Timeline::from_columns((counts_from, self.starts_on, self.ends_on), paid.as_deref(), self.status)
    }

    /// Ends the enrollment.
    pub(super) fn end(&mut self, on: NaiveDate, reason: EndReason) {
        self.status = EnrollmentStatus::Ended;
        self.ends_on = Some(on);
        self.end_reason = Some(reason);
        // An enrollment in arrears is not paid by its end.
        self.paid_through = self.paid_through.map(|paid| paid.min(end_of_month(on)));
    }
}
