//! What is kept beside people and enrollments although it follows from them: does it still?

use chrono::NaiveDate;
use sqlx::PgConnection;

use crate::store::error::StoreError;
use crate::store::participant::{Person, Summary};
use domain::enrollment::EnrollmentStatus;
use domain::rule::Rulebook;

use super::Recount;

/// Until when enrollments have lapsed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Day {
    /// The last day on which anything can have lapsed.
    latest: NaiveDate,
    /// The last day as of which everything has; `None`: nobody has looked yet.
    all_until: Option<NaiveDate>,
}

impl Day {
    pub(super) async fn of(conn: &mut PgConnection, today: NaiveDate) -> Result<Self, StoreError> {
        let all_until: Option<NaiveDate> =
            sqlx::query_scalar("select max(day) from lapse_run").fetch_one(conn).await?;
        Ok(Self { latest: all_until.unwrap_or(today).max(today), all_until })
    }
}

/// What is kept of one enrollment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    pub id: i64,
    pub status: EnrollmentStatus,
    pub paid_through: Option<NaiveDate>,
    pub lapses_on: Option<NaiveDate>,
}

/// So many rows of a channel's people say something else than what they follow from.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Inconsistencies {
    statuses: i64,
    lapses: i64,
    paid_through: i64,
    summaries: i64,
    payers: i64,
}

impl Inconsistencies {
    /// Looks at a person, and at what is kept of it and of its enrollments.
    pub(super) fn look(
        &mut self,
        person: &Person,
        summary: &Summary,
        kept: &[Kept],
        day: Day,
        rules: &Rulebook,
    ) {
        for kept in kept {
            let Some(held) = person.enrollments.get(&kept.id) else { continue };
            let mut timeline = held.timeline.clone();
            timeline.has_lapsed = false;
            let lapses_on = timeline.lapses_on(held.segment, rules);
            let is_right = match kept.status {
                EnrollmentStatus::Inactive => lapses_on.is_some_and(|lapse| lapse <= day.latest),
                // Whoever is due since the last look is active until the next one.
                EnrollmentStatus::Active => {
                    lapses_on.is_some_and(|lapse| day.all_until.is_none_or(|until| lapse > until))
                }
                status => status == timeline.status(),
            };
            let expected = lapses_on.filter(|_| kept.status == EnrollmentStatus::Active);
            self.statuses += i64::from(!is_right);
            self.lapses += i64::from(is_right && kept.lapses_on != expected);
            self.paid_through += i64::from(kept.paid_through != timeline.paid.through());
        }
        let Summary { status, employer_id, association_id, .. } = Summary::of(summary.id, person);
        self.summaries += i64::from(summary.status != status);
        self.payers +=
            i64::from((summary.employer_id, summary.association_id) != (employer_id, association_id));
    }

    pub(super) fn tell(self, recount: &mut Recount, channel: i64) {
        for (rows, what) in [
            (self.statuses, "enrollments with another status than their days and months give"),
            (self.lapses, "enrollments with another day of lapsing than their months give"),
            (self.paid_through, "enrollments with another last day paid for than their months"),
            (self.summaries, "people with another status than their enrollments give"),
            (self.payers, "people with another employer or association than their newest open enrollment"),
        ] {
            recount.compare(|| format!("channel {channel}, {what}"), rows, 0);
        }
    }
}
