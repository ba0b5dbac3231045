//! Onboards people of one payer whose rows come in the request, thousands at a time: every row has one outcome, good rows do
//! not wait for bad ones unless asked to, and the same rows again enroll nobody twice.

use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use strum::IntoStaticStr;

use super::enrolling::{self, EnrollContext};
use super::onboarding::worker::{self, WorkerSettings};
use super::onboarding::{
    RosterTerms, RowOutcomes, RowPlace, SharedTerms, candidates, outcomes_of, receive, too_many_open,
};
use super::quota::{self, MissCounter, Revealed};
use super::request::{Mutation, Request};
use super::{ActionError, Done, Submission, require};
use crate::store::audit::Trail;
use crate::store::onboarding::writing::{self, NewBatch};
use crate::store::reference::Reference;
use crate::store::{Database, StoreError};
use domain::actor::{Actor, Right};
use domain::number::grouped;
use domain::onboarding::{
    JudgedRow, MAXIMUM_ROWS, Numbers, OnboardingState, Row, RowOutcome, StagedRow, judge_row, judge_rows,
};
use domain::problem::{Problem, ProblemCode, refuses};
use domain::rule::Rulebook;

/// Retries while a worker processes another batch of the client.
const PLAN_TRIES: u32 = 20;
const PLAN_PAUSE: Duration = Duration::from_millis(100);

/// The input.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// The terms that all rows share.
    #[serde(flatten)]
    pub terms: RosterTerms,
    /// The rows, as their source has them.
    pub rows: Arc<Vec<Row>>,
    /// Line of the file that each row begins at; empty where the rows came in the request.
    #[serde(skip)]
    pub lines: Arc<Vec<i32>>,
    /// Name of the file that they came in; under another name it is the same request.
    #[serde(skip)]
    pub file_name: Option<String>,
    /// Refuse all rows when one of them is refused.
    pub all_or_nothing: bool,
    /// Say what would happen, and wait for somebody else's approval.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub plan_only: bool,
    /// The mutation that asks.
    #[serde(skip)]
    pub mutation: RosterMutation,
}

/// A mutation whose request has the rows. Each has its own idempotency keys, so that the key of one is new to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "camelCase")]
pub enum RosterMutation {
    /// Civil servants and other staff of a government.
    OnboardCivilServants,
    /// People of any payer.
    OnboardParticipants,
}

/// The batch that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Onboarded {
    /// Its internal id.
    pub batch: i64,
}

/// Onboards the people of the rows, recorded in `trail`.
///
/// # Errors
/// The role may not enroll, or the database failed.
pub async fn onboard_participants(
    database: &Arc<Database>,
    actor: &Actor,
    today: NaiveDate,
    submission: Submission<'_>,
    input: &Input,
    trail: &Trail,
) -> Result<Done<Onboarded>, ActionError> {
    let operation = (input.mutation.into(), Right::Enroll);
    let request =
        Request::new(database, actor, operation, submission, input)?.recorded_in(trail).on(&database.bulk);
    let reference = database.reference();
    let judged = match judge(database, &reference, actor, today, input).await? {
        Ok(judged) => judged,
        Err(problems) => return request.refuse(problems).await,
    };
    let is_check = input.plan_only || input.all_or_nothing || submission.is_without_effect();
    let misses = MissCounter::new(database, actor, judged.readable()).of_check(is_check);
    let apply = RosterOnboarding {
        database,
        actor,
        rules: &reference.rules,
        input,
        judged: &judged,
        misses: &misses,
        today,
    };
    let done = request.run(apply).await?;
    misses.verdict()?;
    if let (true, Some(Onboarded { batch })) = (input.plan_only, &done.value) {
        plan_now(database, today, *batch).await;
    }
    Ok(done)
}

/// Plans the batch before answering, unless a worker has it or the database is unavailable.
async fn plan_now(database: &Arc<Database>, today: NaiveDate, batch: i64) {
    for _ in 0..PLAN_TRIES {
        match worker::work(database, today, WorkerSettings::default(), Some(batch)).await {
            Ok(true) | Err(_) => return,
            Ok(false) => tokio::time::sleep(PLAN_PAUSE).await,
        }
    }
}

impl Mutation for RosterOnboarding<'_> {
    type Output = Onboarded;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Onboarded>, StoreError> {
        if self.misses.refuses_check().await? {
            return Ok(MissCounter::rolled_back());
        }
        if self.input.plan_only {
            return self.stage(conn).await;
        }
        let Applied { batch, report, subjects, known, revealed } = self.write(conn).await?;
        if self.misses.exceeds_quota(&mut *conn, &revealed).await? {
            return Ok(MissCounter::rolled_back().concerning(known));
        }
        Ok(match self.objection(&report) {
            Some(problems) => Done::refused(problems).concerning(known),
            None => Done::did(Onboarded { batch }, Vec::new()).concerning(subjects),
        })
    }
}

/// Returns what onboarding would do, by doing it and rolling it back: nothing is written. The people whom the report tells
/// something of are noted in `trail`; the caller writes the audit entry before it shows the report.
///
/// # Errors
/// The role may not enroll, or the database failed.
pub async fn plan(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    input: &Input,
    trail: &Trail,
) -> Result<Done<RowOutcomes>, ActionError> {
    require(actor, Right::Enroll)?;
    let reference = database.reference();
    let judged = match judge(database, &reference, actor, today, input).await? {
        Ok(judged) => judged,
        Err(problems) => return Ok(Done::refused(problems)),
    };
    let misses = MissCounter::new(database, actor, judged.readable());
    let apply = RosterOnboarding {
        database,
        actor,
        rules: &reference.rules,
        input,
        judged: &judged,
        misses: &misses,
        today,
    };
    let mut transaction = database.bulk.begin().await?;
    let Applied { report, known, .. } = apply.write(&mut transaction).await?;
    transaction.rollback().await?;
    trail.saw(known);
    Ok(match apply.objection(&report) {
        Some(problems) => Done::refused(problems),
        None => Done::did(report, Vec::new()),
    })
}

/// A request whose terms hold, with its rows judged.
struct Judged {
    agreed: SharedTerms,
    rows: Vec<JudgedRow>,
}

impl Judged {
    /// Returns the number of rows that violate no rule by themselves.
    fn readable(&self) -> usize {
        self.rows.iter().filter(|row| row.candidate.is_some()).count()
    }
}

async fn judge(
    database: &Database,
    reference: &Arc<Reference>,
    actor: &Actor,
    today: NaiveDate,
    input: &Input,
) -> Result<Result<Judged, Vec<Problem>>, ActionError> {
    let (agreed, mut problems) = input.terms.judge(database, reference, (actor, today)).await?;
    problems.extend(judge_size(input.rows.len()));
    let (Some(agreed), false) = (agreed, refuses(&problems)) else {
        return Ok(Err(problems));
    };
    // Ten thousand rows take longer than other requests should wait for this thread.
    let (rows, lines, reference) = (Arc::clone(&input.rows), Arc::clone(&input.lines), Arc::clone(reference));
    let judged = tokio::task::spawn_blocking(move || {
        let rows = judge_rows((&rows, &lines), &agreed.terms(), &reference.rules, today);
        (rows, agreed)
    })
    .await;
    let (rows, agreed) = judged.map_err(|_| StoreError::Fault("judging the rows broke off".into()))?;
    let rows = match rows {
        Ok(rows) => rows,
        Err(problem) => return Ok(Err(vec![problem])),
    };
    if input.all_or_nothing && rows.iter().any(|row| row.candidate.is_none()) {
        return Ok(Err(rows.into_iter().flat_map(|row| row.problems).collect()));
    }
    Ok(Ok(Judged { agreed, rows }))
}

fn judge_size(rows: usize) -> Option<Problem> {
    if rows == 0 {
        Some(Problem::error(ProblemCode::Required, "rows", "There is no row."))
    } else if rows > MAXIMUM_ROWS {
        let message = format!(
            "The request has {} rows; {} are allowed.",
            grouped(rows as i64),
            grouped(MAXIMUM_ROWS as i64)
        );
        Some(
            Problem::error(ProblemCode::OutOfRange, "rows", message)
                .hint("Send them in several requests, each with its own key."),
        )
    } else {
        None
    }
}

/// What was written, or foreseen.
struct Applied {
    batch: i64,
    report: RowOutcomes,
    subjects: Vec<i64>,
    known: Vec<i64>,
    revealed: Revealed,
}

/// The writing of a batch.
struct RosterOnboarding<'a> {
    database: &'a Database,
    actor: &'a Actor,
    rules: &'a Rulebook,
    input: &'a Input,
    judged: &'a Judged,
    misses: &'a MissCounter<'a>,
    today: NaiveDate,
}

impl RosterOnboarding<'_> {
    /// Writes batch, enrollments and outcomes.
    async fn write(&self, conn: &mut PgConnection) -> Result<Applied, StoreError> {
        let batch = writing::insert(conn, self.actor, &self.new_batch()?).await?;
        let (at, new) = candidates(&self.judged.rows);
        let context = EnrollContext { keys: &self.database.keys, rules: self.rules, batch: Some(batch) };
        let enrolled = enrolling::enroll(conn, (self.actor, &context), &new).await?;
        let keys = &self.database.keys;
        let revealed =
            Revealed::by(enrolled.outcomes.iter().map(Some), |at| keys.identity_index(&new[at].identity))
                .with_payer(self.judged.agreed.payer());
        let rules = (&self.judged.agreed, self.rules);
        let outcomes = enrolled.outcomes.into_iter().map(Some).collect();
        let report = outcomes_of(rules, &self.places(), &self.judged.rows, (&at, &new), outcomes);
        writing::complete(conn, batch, &report.rows, report.contributions).await?;
        let refused = report.rows.iter().filter(|row| row.outcome == RowOutcome::Rejected);
        let refused = refused.filter_map(|row| self.staged(row.number)).collect();
        // For the report; the others are in their place.
        receive::stage_request(conn, self.database, batch, refused, &[]).await?;
        Ok(Applied { batch, report, subjects: enrolled.subjects, known: enrolled.known.concat(), revealed })
    }

    /// Keeps the rows for a plan, as those of a file are.
    async fn stage(&self, conn: &mut PgConnection) -> Result<Done<Onboarded>, StoreError> {
        if let Some(problem) = too_many_open(conn, self.database, (self.actor, "rows")).await? {
            return Ok(Done::refused(vec![problem]));
        }
        let batch = writing::insert(conn, self.actor, &self.new_batch()?).await?;
        let rows = (1..).zip(&*self.input.rows).filter_map(|(number, _)| self.staged(number)).collect();
        let mut numbers = Numbers::default();
        // A repeated row was refused before; here it is only said again, in the words that the worker has.
        for (index, row) in (0..).zip(&*self.input.rows) {
            let judged = judge_row(row, &self.judged.agreed.terms(), self.rules, self.today);
            let line = self.input.lines.get(index as usize).copied();
            judged.candidate.iter().for_each(|candidate| numbers.add(index, line, candidate));
        }
        let column = self.input.rows.iter().map(|row| row.national_id.as_str()).collect();
        receive::stage_request(conn, self.database, batch, rows, &numbers.repeats(column)).await?;
        Ok(Done::did(Onboarded { batch }, Vec::new()))
    }

    /// A row as it is kept on its way.
    fn staged(&self, number: i32) -> Option<StagedRow> {
        let at = usize::try_from(number - 1).ok()?;
        let mut staged = StagedRow::of_request(number, self.input.rows.get(at)?.clone());
        staged.line = self.input.lines.get(at).copied();
        Some(staged)
    }

    fn places(&self) -> Vec<RowPlace> {
        let place = |(number, row): (i32, &Row)| RowPlace {
            number,
            line: usize::try_from(number - 1).ok().and_then(|at| self.input.lines.get(at).copied()),
            work_unit: row.work_unit.clone(),
        };
        (1..).zip(&*self.input.rows).map(place).collect()
    }

    fn new_batch(&self) -> Result<NewBatch<'_>, StoreError> {
        let rows = serde_json::to_vec(&*self.input.rows);
        let rows = rows.map_err(|_| StoreError::Fault("rows cannot be written".into()))?;
        Ok(NewBatch {
            terms: self.judged.agreed.of_batch(),
            all_or_nothing: self.input.all_or_nothing,
            file_name: self.input.file_name.as_deref(),
            digest: Some(self.database.keys.fingerprint(&rows)),
            received: i32::try_from(self.input.rows.len()).unwrap_or(i32::MAX),
            state: match self.input.plan_only {
                true => OnboardingState::Validating,
                false => OnboardingState::Applying,
            },
            plan_only: self.input.plan_only,
            sha256: None,
        })
    }

    /// Why nothing of it may stay, where all or nothing was asked for.
    fn objection(&self, report: &RowOutcomes) -> Option<Vec<Problem>> {
        if !self.input.all_or_nothing || report.counts.rejected == 0 {
            return None;
        }
        if quota::sees_everything(self.actor) {
            return Some(report.rows.iter().flat_map(|row| row.problems.clone()).collect());
        }
        // Every row has passed the rules: what refuses it now is what the registry knows of people, whom this actor
        // may not see. Row by row it could ask of ten thousand numbers who is registered, and leave no trace.
        let message =
            "The registry holds some of these numbers under other particulars. Nothing was written.";
        let problem = Problem::error(ProblemCode::IdentityMismatch, "rows", message);
        Some(vec![problem.hint(
            "Send the rows without allOrNothing: valid rows are enrolled, and the others are reported.",
        )])
    }
}
