//! Onboards civil servants, thousands at a time: every row has one outcome, good rows do not wait for bad ones unless
//! asked to, and the same rows again enroll nobody twice.

use std::sync::Arc;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::enrolling::{self, Context, Outcome};
use super::quota::{self, Told, Watch};
use super::terms::{self, Found, Named};
use super::{ActionError, Done, demand, once};
use crate::domain::actor::{Actor, Operation};
use crate::domain::enrollment::{
    CivilServantCategory, NewEnrollment, Programme, Segment, Terms, judge_terms,
};
use crate::domain::onboarding::{Counts, JudgedRow, MAXIMUM_ROWS, Row, RowOutcome, judge_rows};
use crate::domain::problem::{Problem, ProblemCode, refuses};
use crate::domain::rule::Rulebook;
use crate::store::audit::Trail;
use crate::store::keys::NumberKind;
use crate::store::onboarding::{NewBatch, NewRow};
use crate::store::reference::Reference;
use crate::store::{Database, StoreError, onboarding};

/// What is asked for.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// Their employer, by internal id: a government body.
    pub employer: i64,
    /// Channel.
    pub channel_code: String,
    /// Province of residence.
    pub province_code: String,
    /// Programmes.
    pub programmes: Vec<Programme>,
    /// What kind of civil servants.
    pub category: CivilServantCategory,
    /// First day, where a row has none of its own.
    pub starts_on: NaiveDate,
    /// Was the first contribution taken with the forms?
    pub first_contribution_paid: bool,
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
}

/// The batch that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Onboarded {
    /// Its internal id.
    pub batch: i64,
}

/// What a plan says would happen.
#[derive(Clone, Debug)]
pub struct Report {
    /// How many rows of each outcome.
    pub counts: Counts,
    /// The outcome of each row.
    pub rows: Vec<NewRow>,
    /// Contributions due each month for those enrolled, in rupiah.
    pub monthly_contributions: i64,
}

/// Onboards civil servants, on record in `trail`.
///
/// # Errors
/// The role may not enroll, or the database failed.
pub async fn onboard_civil_servants(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    key: Option<&str>,
    input: &Input,
    trail: &Trail,
) -> Result<Done<Onboarded>, ActionError> {
    let request = once::Request { actor, operation: "onboardCivilServants", key, input, trail: Some(trail) };
    demand(actor, Operation::Enroll)?;
    let reference = database.reference();
    let judged = match judge(database, &reference, actor, today, input).await? {
        Ok(judged) => judged,
        Err(problems) => return once::recall(&database.bulk, &database.keys, &request, problems).await,
    };
    let watch = Watch::new(database, actor, input.rows.len());
    let apply = Apply { database, actor, rules: &reference.rules, input, judged: &judged, watch: &watch };
    let done = once::once(&database.bulk, &database.keys, request, apply).await?;
    watch.verdict()?;
    Ok(done)
}

impl once::Work for Apply<'_> {
    type Outcome = Onboarded;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Onboarded>, StoreError> {
        let Applied { batch, report, subjects, known, told } = self.write(conn).await?;
        if self.watch.is_too_much(conn, &told).await? {
            return Ok(Watch::taken_back().of(known));
        }
        Ok(match self.objection(&report) {
            Some(problems) => Done::refused(problems).of(known),
            None => Done::did(Onboarded { batch }, Vec::new()).of(subjects),
        })
    }
}

/// Says what onboarding would do, by doing it and taking it back: nothing is written. Whom it tells something of is noted
/// in `trail`, for whoever shows the report to put on record before.
///
/// # Errors
/// The role may not enroll, or the database failed.
pub async fn plan(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    input: &Input,
    trail: &Trail,
) -> Result<Done<Report>, ActionError> {
    demand(actor, Operation::Enroll)?;
    let reference = database.reference();
    let judged = match judge(database, &reference, actor, today, input).await? {
        Ok(judged) => judged,
        Err(problems) => return Ok(Done::refused(problems)),
    };
    let watch = Watch::new(database, actor, input.rows.len());
    let apply = Apply { database, actor, rules: &reference.rules, input, judged: &judged, watch: &watch };
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
    found: Found,
    rows: Vec<JudgedRow>,
}

async fn judge(
    database: &Database,
    reference: &Arc<Reference>,
    actor: &Actor,
    today: NaiveDate,
    input: &Input,
) -> Result<Result<Judged, Vec<Problem>>, ActionError> {
    let named = Named {
        province_code: &input.province_code,
        channel_code: &input.channel_code,
        employer: Some(input.employer),
        association: None,
    };
    let size = judge_size(input.rows.len());
    let found = match (terms::look_up(database, reference, actor, today, named).await?, size) {
        (Ok(found), None) => found,
        (Ok(_), Some(size)) => return Ok(Err(vec![size])),
        (Err(mut problems), size) => {
            problems.extend(size);
            return Ok(Err(problems));
        }
    };
    let problems = judge_terms(&terms_of(input, &found), &reference.rules, today);
    if refuses(&problems) {
        return Ok(Err(problems));
    }
    // Ten thousand rows take longer than other requests should wait for this thread.
    let (input, reference) = (input.clone(), Arc::clone(reference));
    let judged = tokio::task::spawn_blocking(move || {
        let rows = judge_rows(&input.rows, &terms_of(&input, &found), &reference.rules, today);
        (rows, input.all_or_nothing, found)
    })
    .await;
    let (rows, all_or_nothing, found) =
        judged.map_err(|_| StoreError::Fault("judging the rows broke off".into()))?;
    let rows = match rows {
        Ok(rows) => rows,
        Err(problem) => return Ok(Err(vec![problem])),
    };
    if all_or_nothing && rows.iter().any(|row| row.candidate.is_none()) {
        return Ok(Err(rows.into_iter().flat_map(|row| row.problems).collect()));
    }
    Ok(Ok(Judged { found, rows }))
}

fn judge_size(rows: usize) -> Option<Problem> {
    if rows == 0 {
        Some(Problem::error(ProblemCode::Required, "rows", "There is no row."))
    } else if rows > MAXIMUM_ROWS {
        let message = format!("{rows} rows are more than the {MAXIMUM_ROWS} that one request can hold.");
        Some(
            Problem::error(ProblemCode::OutOfRange, "rows", message)
                .hint("Send them in several requests, each with its own key."),
        )
    } else {
        None
    }
}

fn terms_of<'a>(input: &'a Input, found: &'a Found) -> Terms<'a> {
    Terms {
        segment: Segment::WageEarner,
        programmes: &input.programmes,
        channel: &found.channel,
        employer: found.employer,
        association: None,
        province: found.province,
        starts_on: input.starts_on,
        first_contribution_paid: input.first_contribution_paid,
        civil_servants: Some(input.category),
    }
}

/// What was written, or tried.
struct Applied {
    batch: i64,
    report: Report,
    subjects: Vec<i64>,
    known: Vec<i64>,
    told: Told,
}

/// The writing of a batch.
struct Apply<'a> {
    database: &'a Database,
    actor: &'a Actor,
    rules: &'a Rulebook,
    input: &'a Input,
    judged: &'a Judged,
    watch: &'a Watch<'a>,
}

impl Apply<'_> {
    /// Writes batch, enrollments and outcomes.
    async fn write(&self, conn: &mut PgConnection) -> Result<Applied, StoreError> {
        let batch = onboarding::insert(conn, self.actor, &self.new_batch()?).await?;
        let (numbers, new): (Vec<usize>, Vec<NewEnrollment>) = self
            .judged
            .rows
            .iter()
            .enumerate()
            .filter_map(|(at, row)| Some((at, row.candidate.clone()?)))
            .unzip();
        let context =
            Context { actor: self.actor, keys: &self.database.keys, rules: self.rules, batch: Some(batch) };
        let enrolled = enrolling::enroll(conn, &context, &new).await?;
        let keys = &self.database.keys;
        let told = Told::by(&enrolled.outcomes, |at| {
            keys.index(NumberKind::NationalId, new[at].national_id.as_str())
        });
        let report = self.report(&numbers, &new, enrolled.outcomes);
        onboarding::complete(conn, batch, &report.rows, report.monthly_contributions).await?;
        Ok(Applied { batch, report, subjects: enrolled.subjects, known: enrolled.known, told })
    }

    fn new_batch(&self) -> Result<NewBatch<'_>, StoreError> {
        let Input { employer, programmes, category, starts_on, first_contribution_paid, .. } = self.input;
        let rows = serde_json::to_vec(&*self.input.rows);
        let rows = rows.map_err(|_| StoreError::Fault("rows cannot be written".into()))?;
        Ok(NewBatch {
            employer_id: *employer,
            channel_id: self.judged.found.channel.id,
            province_id: self.judged.found.province,
            programmes,
            category: *category,
            starts_on: *starts_on,
            first_contribution_paid: *first_contribution_paid,
            all_or_nothing: self.input.all_or_nothing,
            file_name: self.input.file_name.as_deref(),
            digest: self.database.keys.fingerprint(&rows),
            received: i32::try_from(self.input.rows.len()).unwrap_or(i32::MAX),
        })
    }

    /// One outcome for every row: those that broke a rule, and those that were tried.
    fn report(&self, numbers: &[usize], new: &[NewEnrollment], outcomes: Vec<Outcome>) -> Report {
        let mut rows: Vec<NewRow> =
            self.judged.rows.iter().enumerate().map(|(at, row)| self.rejected(at, row)).collect();
        let mut monthly_contributions = 0;
        for ((&at, new), outcome) in numbers.iter().zip(new).zip(outcomes) {
            let row = &mut rows[at];
            row.flagged = !new.flags.is_empty();
            match outcome {
                Outcome::Enrolled { participant, .. } => {
                    row.outcome = RowOutcome::Enrolled;
                    row.participant_id = Some(participant);
                    monthly_contributions += self.contributions(new);
                }
                Outcome::AlreadyEnrolled { participant } => {
                    row.outcome = RowOutcome::AlreadyEnrolled;
                    row.participant_id = Some(participant);
                }
                Outcome::Refused(problem) => {
                    row.flagged = false;
                    row.problems.push(problem.within(&["rows", &at.to_string()]));
                }
            }
        }
        let mut counts = Counts::default();
        rows.iter().for_each(|row| counts.add(row.outcome, row.flagged));
        Report { counts, rows, monthly_contributions }
    }

    fn rejected(&self, at: usize, row: &JudgedRow) -> NewRow {
        let number = i32::try_from(at + 1).unwrap_or(i32::MAX);
        let work_unit = self.input.rows[at].work_unit.as_deref();
        NewRow {
            number,
            line: self.input.lines.get(at).copied(),
            outcome: RowOutcome::Rejected,
            flagged: false,
            participant_id: None,
            // Of a row that is not enrolled only a readable work unit is worth keeping.
            work_unit: crate::domain::text::label(work_unit, 200, "workUnit").ok().flatten(),
            problems: row.problems.clone(),
        }
    }

    fn contributions(&self, new: &NewEnrollment) -> i64 {
        let risk_class = self.judged.found.employer.map_or(1, |employer| employer.risk_class);
        let wage = new.monthly_wage.unwrap_or_default();
        self.rules
            .contributions(&new.programmes, new.segment, risk_class, wage, new.course.starts_on)
            .iter()
            .map(|due| due.employer + due.worker)
            .sum()
    }

    /// Why nothing of it may stay, where all or nothing was asked for.
    fn objection(&self, report: &Report) -> Option<Vec<Problem>> {
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
        Some(vec![
            problem
                .hint("Send the rows without allOrNothing: each good one is enrolled, the others are said."),
        ])
    }
}
