//! Checks the columns of people and enrollments that are derived from other columns: status, lapse and payer.

use chrono::NaiveDate;
use sqlx::PgConnection;

use crate::store::error::StoreError;
use crate::store::participant::{Person, Summary};
use domain::enrollment::EnrollmentStatus;
use domain::rule::Rulebook;

/// The statements that count rows with another history than their events give. The event that was recorded last for a day
/// decides. What may have events that were recorded by `$1`, and are detached, is not compared.
pub(super) const HISTORY_CHECKS: [(&str, &str); 2] = [(
    "enrollments with other wages than their events",
    "with recorded as (
         select participant_id, enrollment_id as id, array_agg(effective_on order by effective_on) as wages_from,
                array_agg(wage order by effective_on) as wages
         from (select distinct on (v.participant_id, v.enrollment_id, v.effective_on)
                      v.participant_id, v.enrollment_id, v.effective_on,
                      (v.details -> 'changes' -> 0 ->> 'after')::bigint as wage
               from participant_event v
               left join enrollment e on e.participant_id = v.participant_id and e.id = v.enrollment_id
               where v.kind = 'WAGE_CHANGED' and ($1::timestamptz is null or e.recorded_at > $1)
                     and not exists (select from event_retraction r where r.state = 'RETRACTED'
                                       and r.participant_id = v.participant_id and r.event_id = v.id)
               order by v.participant_id, v.enrollment_id, v.effective_on, v.id desc) v
         group by 1, 2
     ), changed as (
         select participant_id, id, wages_from, wages from enrollment
         where wages_from is not null and ($1::timestamptz is null or recorded_at > $1)
     )
     select count(*) from changed c full join recorded r using (participant_id, id)
     where c.wages_from is distinct from r.wages_from or c.wages is distinct from r.wages",
), (
    // A correction of the province replaces all moves before it.
    "people with other moves than their events",
    "with corrected as (
         select participant_id, max(id) as id from participant_event
         where kind = 'CORRECTED' and details -> 'changes' @> '[{\"field\": \"PROVINCE\"}]' group by 1
     ), recorded as (
         select participant_id as id, array_agg(effective_on order by effective_on) as moved_on,
                array_agg(province order by effective_on) as provinces
         from (select distinct on (v.participant_id, v.effective_on)
                      v.participant_id, v.effective_on, (v.details -> 'changes' -> 0 ->> 'after')::smallint as province
               from participant_event v left join corrected c on c.participant_id = v.participant_id
               left join participant p on p.id = v.participant_id
               where v.kind = 'MOVED' and v.id > coalesce(c.id, 0)
                     and ($1::timestamptz is null or p.registered_at > $1)
                     and not exists (select from event_retraction r where r.state = 'RETRACTED'
                                       and r.participant_id = v.participant_id and r.event_id = v.id)
               order by v.participant_id, v.effective_on, v.id desc) v
         group by 1
     ), moved as (
         select id, moved_on, former_provinces[2:] || province_id as provinces
         from participant where moved_on is not null and ($1::timestamptz is null or registered_at > $1)
     )
     select count(*) from moved m full join recorded r using (id)
     where m.moved_on is distinct from r.moved_on or m.provinces is distinct from r.provinces",
)];

/// The days up to which the daily run has let enrollments lapse.
#[derive(Clone, Copy, Debug)]
pub(super) struct LapsedUntil {
    /// The last day on which an enrollment can have lapsed.
    latest: NaiveDate,
    /// The last day for which the run is complete, or `None` if it has never run.
    all_until: Option<NaiveDate>,
}

impl LapsedUntil {
    pub(super) async fn read(conn: &mut PgConnection, today: NaiveDate) -> Result<Self, StoreError> {
        let all_until: Option<NaiveDate> =
            sqlx::query_scalar("select max(day) from lapse_run").fetch_one(conn).await?;
        Ok(Self { latest: all_until.unwrap_or(today).max(today), all_until })
    }
}

/// The stored columns of an enrollment that follow from its days and months.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoredEnrollment {
    pub id: i64,
    pub status: EnrollmentStatus,
    pub paid_through: Option<NaiveDate>,
    pub lapses_on: Option<NaiveDate>,
}

/// Counts of inconsistent rows among the people of a channel.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Inconsistencies {
    statuses: i64,
    lapses: i64,
    paid_through: i64,
    summaries: i64,
    payers: i64,
}

impl Inconsistencies {
    /// Checks a person and its enrollments.
    pub(super) fn check(
        &mut self,
        person: &Person,
        summary: &Summary,
        stored: &[StoredEnrollment],
        lapsed: LapsedUntil,
        rules: &Rulebook,
    ) {
        for stored in stored {
            let Some(held) = person.enrollments.get(&stored.id) else { continue };
            let mut timeline = held.timeline.clone();
            timeline.has_lapsed = false;
            let lapses_on = timeline.lapses_on(held.segment, rules);
            let is_right = match stored.status {
                EnrollmentStatus::Inactive => lapses_on.is_some_and(|lapse| lapse <= lapsed.latest),
                // An enrollment that became due after the last run stays active until the next one.
                EnrollmentStatus::Active => {
                    lapses_on.is_some_and(|lapse| lapsed.all_until.is_none_or(|until| lapse > until))
                }
                status => status == timeline.status(),
            };
            let expected = lapses_on.filter(|_| stored.status == EnrollmentStatus::Active);
            self.statuses += i64::from(!is_right);
            self.lapses += i64::from(is_right && stored.lapses_on != expected);
            self.paid_through += i64::from(stored.paid_through != timeline.paid.through());
        }
        let Summary { status, employer_id, association_id, .. } = Summary::of(summary.id, person);
        self.summaries += i64::from(summary.status != status);
        self.payers +=
            i64::from((summary.employer_id, summary.association_id) != (employer_id, association_id));
    }

    /// Returns the number of inconsistent rows by the kind of inconsistency.
    pub(super) fn by_kind(self) -> [(i64, &'static str); 5] {
        [
            (self.statuses, "enrollments with another status than their days and months give"),
            (self.lapses, "enrollments with another day of lapsing than their months give"),
            (self.paid_through, "enrollments with another last day paid for than their months"),
            (self.summaries, "people with another status than their enrollments give"),
            (self.payers, "people with another employer or association than their newest open enrollment"),
        ]
    }
}
