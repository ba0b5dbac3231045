//! Agreements: all of them are part of the snapshot in [`super::reference`]; each change adds a state.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{Executor, FromRow, PgConnection, Postgres};

use super::error::StoreError;
use domain::actor::Actor;
use domain::agreement::{
    Agreement, AgreementScope, AgreementState, AgreementStatus, Commitment, Terms, nearest_to_force,
};

/// All agreements, by id and by province.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Agreements {
    by_id: HashMap<i64, Arc<Agreement>>,
    by_province: HashMap<i16, Vec<Arc<Agreement>>>,
}

impl Agreements {
    /// Indexes agreements, which are given oldest first.
    pub(super) fn new(agreements: Vec<Agreement>) -> Self {
        let mut indexed = Self::default();
        for agreement in agreements.into_iter().map(Arc::new) {
            indexed.by_province.entry(agreement.province).or_default().push(Arc::clone(&agreement));
            indexed.by_id.insert(agreement.id, agreement);
        }
        indexed
    }

    /// Returns the agreement of an internal id.
    pub fn by_id(&self, id: i64) -> Option<&Arc<Agreement>> {
        self.by_id.get(&id)
    }

    /// Returns the agreements of a province, in the order in which they were first recorded.
    pub fn of_province(&self, province: i16) -> &[Arc<Agreement>] {
        self.by_province.get(&province).map_or(&[], Vec::as_slice)
    }

    /// Returns the agreement of a province that is in force on a day, or nearest to being so.
    pub fn nearest(&self, province: i16, day: NaiveDate) -> Option<&Arc<Agreement>> {
        nearest_to_force(self.of_province(province), day)
    }
}

#[derive(FromRow)]
struct StateRow {
    agreement_id: i64,
    number: String,
    province_id: i16,
    status: AgreementStatus,
    signed_on: Option<NaiveDate>,
    valid_from: Option<NaiveDate>,
    valid_until: Option<NaiveDate>,
    scopes: Vec<AgreementScope>,
    source: String,
    recorded_at: DateTime<Utc>,
    promised: Vec<AgreementScope>,
    headcounts: Vec<i32>,
    due_on: Vec<Option<NaiveDate>>,
}

impl StateRow {
    fn state(self) -> AgreementState {
        let promised = self.promised.into_iter().zip(self.headcounts).zip(self.due_on);
        let commitments =
            promised.map(|((scope, headcount), due_on)| Commitment { scope, headcount, due_on }).collect();
        AgreementState {
            terms: Terms {
                status: self.status,
                signed_on: self.signed_on,
                valid_from: self.valid_from,
                valid_until: self.valid_until,
                scopes: self.scopes,
                commitments,
                source: self.source,
            },
            recorded_at: self.recorded_at,
        }
    }
}

/// Reads all agreements with all their states; or only the one of a number.
pub(super) async fn load<'e>(
    executor: impl Executor<'e, Database = Postgres>,
    number: Option<&str>,
) -> Result<Vec<Agreement>, StoreError> {
    let rows: Vec<StateRow> = sqlx::query_as(
        "select a.id as agreement_id, a.number, a.province_id, s.status, s.signed_on, s.valid_from, s.valid_until,
                s.scopes, s.source, s.recorded_at,
                array(select c.scope from commitment c where c.agreement_state_id = s.id order by c.scope) as promised,
                array(select c.headcount from commitment c where c.agreement_state_id = s.id order by c.scope)
                    as headcounts,
                array(select c.due_on from commitment c where c.agreement_state_id = s.id order by c.scope) as due_on
         from agreement a join agreement_state s on s.agreement_id = a.id
         where $1::text is null or a.number = $1
         order by a.id, s.id",
    )
    .bind(number)
    .fetch_all(executor)
    .await?;
    let mut agreements: Vec<Agreement> = Vec::new();
    for row in rows {
        match agreements.last_mut().filter(|agreement| agreement.id == row.agreement_id) {
            Some(agreement) => agreement.states.push(row.state()),
            None => agreements.push(Agreement {
                id: row.agreement_id,
                number: row.number.clone(),
                province: row.province_id,
                states: vec![row.state()],
            }),
        }
    }
    Ok(agreements)
}

/// Returns the agreement of a number. Until this transaction ends, no other one records an agreement.
pub async fn lock(conn: &mut PgConnection, number: &str) -> Result<Option<Agreement>, StoreError> {
    // An advisory lock for all: the row may not exist yet, and agreements are recorded a few times a year.
    sqlx::query("select pg_advisory_xact_lock(hashtext('participant_registry.agreement'))")
        .execute(&mut *conn)
        .await?;
    Ok(load(conn, Some(number)).await?.pop())
}

/// Inserts an agreement without a state. Requires [`lock`].
pub async fn insert(conn: &mut PgConnection, number: &str, province: i16) -> Result<i64, StoreError> {
    let sql = "insert into agreement (number, province_id) values ($1, $2) returning id";
    Ok(sqlx::query_scalar(sql).bind(number).bind(province).fetch_one(conn).await?)
}

/// Adds a state to an agreement. Requires [`lock`].
pub async fn insert_state(
    conn: &mut PgConnection,
    actor: &Actor,
    agreement: i64,
    terms: &Terms,
) -> Result<(), StoreError> {
    let state: i64 = sqlx::query_scalar(
        "insert into agreement_state (agreement_id, status, signed_on, valid_from, valid_until, scopes, source,
                                      recorded_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8) returning id",
    )
    .bind(agreement)
    .bind(terms.status)
    .bind(terms.signed_on)
    .bind(terms.valid_from)
    .bind(terms.valid_until)
    .bind(&terms.scopes)
    .bind(&terms.source)
    .bind(&actor.client)
    .fetch_one(&mut *conn)
    .await?;
    let promised: Vec<AgreementScope> = terms.commitments.iter().map(|c| c.scope).collect();
    let headcounts: Vec<i32> = terms.commitments.iter().map(|c| c.headcount).collect();
    let due_on: Vec<Option<NaiveDate>> = terms.commitments.iter().map(|c| c.due_on).collect();
    sqlx::query(
        "insert into commitment (agreement_state_id, scope, headcount, due_on)
         select $1, * from unnest($2::agreement_scope[], $3::integer[], $4::date[])",
    )
    .bind(state)
    .bind(promised)
    .bind(headcounts)
    .bind(due_on)
    .execute(conn)
    .await?;
    Ok(())
}
