//! Reads all people with their enrollments, channel by channel, and counts them.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use sqlx::{FromRow, PgConnection};

use super::counters::{DailyKey, Payer, PayerCounts};
use super::inconsistency::{Inconsistencies, LapsedUntil, StoredEnrollment};
use crate::store::error::StoreError;
use crate::store::participant::{Person, Summary};
use domain::count::{Counted, CounterKind, Deltas, HeldEnrollment, add};
use domain::enrollment::{CivilServantCategory, EndReason, EnrollmentStatus, Segment};
use domain::participant::ParticipantStatus;
use domain::residence::Residence;
use domain::rule::Rulebook;
use domain::timeline::Timeline;

/// Fetches the next enrollments from the cursor.
const FETCH: &str = "fetch 20000 from people";

/// A cursor over all people, ordered by the channel of their first enrollment.
pub(super) struct PeopleCursor {
    rows: std::vec::IntoIter<CursorRow>,
    next: Option<CursorRow>,
    /// People counted so far.
    pub(super) count: u64,
    /// People of each payer, counted so far.
    pub(super) payers: PayerCounts,
}

#[derive(FromRow)]
struct CursorRow {
    channel_id: i64,
    id: i64,
    province_id: i16,
    former_provinces: Option<Vec<i16>>,
    moved_on: Option<Vec<NaiveDate>>,
    deceased_on: Option<NaiveDate>,
    segment: Segment,
    civil_servant: Option<CivilServantCategory>,
    employer_id: Option<i64>,
    association_id: Option<i64>,
    counts_from: NaiveDate,
    starts_on: NaiveDate,
    ends_on: Option<NaiveDate>,
    end_reason: Option<EndReason>,
    paid: Option<Vec<NaiveDate>>,
    status: EnrollmentStatus,
    enrollment_id: i64,
    paid_through: Option<NaiveDate>,
    lapses_on: Option<NaiveDate>,
    person_status: ParticipantStatus,
    person_employer_id: Option<i64>,
    person_association_id: Option<i64>,
}

/// The counts of a channel's people.
pub(super) struct ChannelPeople {
    pub(super) id: i64,
    pub(super) counted: HashMap<DailyKey, i64>,
    pub(super) inconsistencies: Inconsistencies,
}

impl CursorRow {
    fn stored(&self) -> StoredEnrollment {
        let Self { enrollment_id: id, status, paid_through, lapses_on, .. } = *self;
        StoredEnrollment { id, status, paid_through, lapses_on }
    }

    fn residence(&self) -> Residence {
        let (former, moved_on) = (self.former_provinces.as_deref(), self.moved_on.as_deref());
        Residence::from_columns(self.province_id, former, moved_on)
    }

    fn summary(&self) -> Summary {
        let (employer_id, association_id) = (self.person_employer_id, self.person_association_id);
        Summary { id: self.id, employer_id, association_id, status: self.person_status }
    }

    fn held(self) -> HeldEnrollment {
        let days = (self.counts_from, self.starts_on, self.ends_on);
        let timeline = Timeline::from_columns(days, self.paid.as_deref(), self.status);
        HeldEnrollment {
            segment: self.segment,
            civil_servant: self.civil_servant,
            employer: self.employer_id,
            association: self.association_id,
            end_reason: self.end_reason,
            timeline,
        }
    }
}

impl PeopleCursor {
    /// Declares the cursor in the transaction of `conn`.
    pub(super) async fn open(conn: &mut PgConnection) -> Result<Self, StoreError> {
        sqlx::query(
            "declare people no scroll cursor for
             select p.channel_id, p.id, p.province_id, p.former_provinces, p.moved_on, p.deceased_on, e.segment, e.civil_servant, e.employer_id,
                    e.association_id, e.counts_from, e.starts_on, e.ends_on, e.end_reason, e.paid, e.status,
                    e.id as enrollment_id, e.paid_through, e.lapses_on, p.status as person_status,
                    p.employer_id as person_employer_id, p.association_id as person_association_id
             from participant p join enrollment e on e.participant_id = p.id
             order by p.channel_id, p.id",
        )
        .execute(conn)
        .await?;
        Ok(Self { rows: Vec::new().into_iter(), next: None, count: 0, payers: PayerCounts::new() })
    }

    async fn next_row(&mut self, conn: &mut PgConnection) -> Result<Option<CursorRow>, StoreError> {
        if let Some(row) = self.next.take().or_else(|| self.rows.next()) {
            return Ok(Some(row));
        }
        self.rows = sqlx::query_as(FETCH).fetch_all(conn).await?.into_iter();
        Ok(self.rows.next())
    }

    /// Counts the people of the next channel. If `lapsed_until` is given, it also checks the columns that are derived
    /// from others.
    pub(super) async fn next_channel(
        &mut self,
        conn: &mut PgConnection,
        rules: &Rulebook,
        lapsed_until: Option<LapsedUntil>,
    ) -> Result<Option<ChannelPeople>, StoreError> {
        let Some(first) = self.next_row(conn).await? else { return Ok(None) };
        let channel = first.channel_id;
        let (mut days, mut inconsistencies) = (HashMap::new(), Inconsistencies::default());
        self.next = Some(first);
        while let Some(first) = self.next_row(conn).await? {
            if first.channel_id != channel {
                self.next = Some(first);
                break;
            }
            let (summary, mut stored) = (first.summary(), vec![first.stored()]);
            let mut person = Person {
                known: None,
                deceased_on: first.deceased_on,
                residence: first.residence(),
                channel_id: channel,
                enrollments: BTreeMap::from([(first.enrollment_id, first.held())]),
            };
            while let Some(more) = self.next_row(conn).await? {
                if more.id != summary.id {
                    self.next = Some(more);
                    break;
                }
                stored.push(more.stored());
                person.enrollments.insert(more.enrollment_id, more.held());
            }
            self.count(&person.counted(), &mut days, rules);
            if let Some(lapsed_until) = lapsed_until {
                inconsistencies.check(&person, &summary, &stored, lapsed_until, rules);
            }
        }
        Ok(Some(ChannelPeople { id: channel, counted: days, inconsistencies }))
    }

    fn count(&mut self, person: &Counted<'_>, days: &mut HashMap<DailyKey, i64>, rules: &Rulebook) {
        self.count += 1;
        let mut deltas = Deltas::new();
        add(&mut deltas, person, 1, rules);
        for ((province, _, among), persons) in deltas {
            let persons = i64::from(persons);
            let (payer, id, status) = match among {
                CounterKind::People(day, standing) => {
                    *days.entry((day, province, standing.bits())).or_default() += persons;
                    continue;
                }
                CounterKind::Employer(id, status) => (Payer::Employer, id, status),
                CounterKind::Association(id, status) => (Payer::Association, id, status),
            };
            *self.payers.entry((payer, id, status)).or_default() += persons;
        }
    }
}
