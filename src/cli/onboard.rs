//! `registry onboard`: enrolls the people of a roster file, with the functions behind the mutations of the API.
//!
//! This module enrolls a file that fits into one request, as the mutation `onboardCivilServants` does. [`batch`]
//! enrolls a larger one, and applies monthly lists, as `startOnboarding` does. Progress goes to stderr and the outcome to stdout. The exit code
//! says whether all rows are enrolled.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use chrono::NaiveDate;

use crate::actions::ActionError;
use crate::actions::onboard_participants::{Input, RosterMutation, onboard_participants, plan};
use crate::actions::onboarding::RowOutcomes;
use crate::config::{Problems, RosterLimits};
use crate::store::audit::Trail;
use crate::store::onboarding;
use crate::store::{Database, StoreError};
use domain::actor::Actor;
use domain::onboarding::{Counts, OnboardingKind, RosterKind};
use domain::problem::Problem;
use domain::text;
use roster::Limits;

mod args;
mod batch;
mod list_figures;
mod loaded_roster;
mod problem_rows;
mod progress;
mod report_file;
mod summary;
mod table;
mod template_file;

pub use args::Onboard;

use args::Request;
use loaded_roster::{LoadedRoster, require_file};
use progress::{step, tell};
use report_file::Reports;
use summary::{ProblemRow, Subject, Summary, explained, problem_table, row_of};

/// The exit code when some rows were refused.
pub const SOME_ROWS_REFUSED: u8 = 1;
/// The exit code when the file or the request was refused as a whole.
pub const REFUSED: u8 = 2;
/// The exit code when the registry cannot be reached, or failed.
pub const UNREACHABLE: u8 = 3;

/// Runs the command.
///
/// # Errors
/// The outcome cannot be written to stdout or to the report file. The enrollments stay, and the same command reports
/// them again. The exit code must then be [`UNREACHABLE`], because 1 says that rows were refused.
pub async fn run(
    args: Onboard,
    database: &Arc<Database>,
    actor: &Actor,
    today: NaiveDate,
) -> anyhow::Result<ExitCode> {
    // The parser accepts a command without a request only with a template.
    let Onboard { request: Some(request), kind, limits, .. } = args else { return Ok(ExitCode::SUCCESS) };
    let request = Request { kind, ..request };
    let size = match Size::of(&limits) {
        Ok(size) => size,
        Err(error) => {
            tell(&format!("error: {error}"));
            return Ok(ExitCode::from(REFUSED));
        }
    };
    let (message, code) = match onboard(&request, size, database, actor, today).await {
        Ok(summary) => {
            print(&summary.to_string())?;
            return Ok(ExitCode::from(if summary.is_complete() { 0 } else { SOME_ROWS_REFUSED }));
        }
        Err(Failure::Refused(problems)) => {
            (problems.iter().map(explained).collect::<Vec<_>>().join("\n"), REFUSED)
        }
        Err(Failure::RowsRefused(rows)) => {
            print(&problem_table(&rows))?;
            ("Nobody was enrolled: --all-or-nothing is set, and some rows are refused.".to_owned(), REFUSED)
        }
        Err(Failure::Action(error @ (ActionError::Forbidden { .. } | ActionError::QuotaSpent { .. }))) => {
            (format!("{error}."), REFUSED)
        }
        Err(Failure::Action(ActionError::Store(error) | ActionError::Unwritten(error))) => {
            (format!("The registry failed: {error}. Send the same command again."), UNREACHABLE)
        }
        Err(Failure::Local(error)) => return Err(error),
    };
    tell(&format!("error: {message}"));
    Ok(ExitCode::from(code))
}

/// The limits of a roster, and the number of its rows in one transaction.
#[derive(Clone, Copy)]
struct Size {
    limits: Limits,
    chunk_rows: usize,
}

impl Size {
    fn of(limits: &RosterLimits) -> anyhow::Result<Self> {
        let mut problems = Problems::default();
        let (limits, chunk_rows) = (limits.limits(&mut problems), limits.chunk_rows(&mut problems));
        Ok(problems.finish(Some(Self { limits, chunk_rows }))?)
    }
}

/// The reason why there is no summary.
enum Failure {
    /// The file or the request is refused as a whole.
    Refused(Vec<Problem>),
    /// The request was for all rows or none, and these rows have problems.
    RowsRefused(Vec<ProblemRow>),
    /// The action is not allowed, or the database failed.
    Action(ActionError),
    /// Something on this machine failed.
    Local(anyhow::Error),
}

impl<E: Into<ActionError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Action(error.into())
    }
}

async fn onboard(
    args: &Request,
    size: Size,
    database: &Arc<Database>,
    actor: &Actor,
    today: NaiveDate,
) -> Result<Summary, Failure> {
    let kind = args.terms().kind(database, actor).await?;
    let loaded = match args.kind.file() {
        OnboardingKind::Roster => LoadedRoster::read(&args.file, kind, &size.limits).await?,
        OnboardingKind::MonthlyList => {
            require_file(&args.file)?;
            None
        }
    };
    // The files are created first, so that a report that cannot be written stops the command before it enrolls anybody.
    let reports = Reports::create(args)?;
    let Some(mut roster) = loaded else {
        return batch::onboard(args, size, database, actor, today, reports).await;
    };
    let input = input_of(args, kind, &mut roster);
    let trail = Trail::for_command(database, actor, input.mutation.into());
    let outcome = match args.plan {
        true => plan_rows(args, database, actor, today, &input, &trail).await,
        false => enroll(args, database, actor, today, &input, &trail).await,
    };
    // The outcome may reveal that a person was registered already, so it is audited before it is printed.
    trail.close().await?;
    let mut outcome = match outcome {
        Err(Failure::Refused(problems)) if problems.iter().any(|problem| row_of(problem).is_some()) => {
            Err(Failure::RowsRefused(ProblemRow::of_problems(problems, &input.lines)))
        }
        outcome => outcome,
    };
    let rows = match &mut outcome {
        Ok(summary) => &mut summary.rows,
        Err(Failure::RowsRefused(rows)) => rows,
        Err(_) => return outcome,
    };
    if let Some(report) = reports.refused {
        report.write(&roster, rows).context("the report cannot be written").map_err(Failure::Local)?;
    }
    outcome
}

/// Moves the rows out of the roster: a report needs only its original cells.
fn input_of(args: &Request, kind: RosterKind, roster: &mut LoadedRoster) -> Input {
    let file_name = args.file.file_name().map(|name| name.to_string_lossy());
    Input {
        terms: args.terms(),
        rows: Arc::new(std::mem::take(&mut roster.rows)),
        lines: Arc::new(std::mem::take(&mut roster.lines)),
        file_name: text::label(file_name.as_deref(), 255, "file").ok().flatten(),
        all_or_nothing: args.all_or_nothing,
        plan_only: false,
        mutation: match kind.is_of_government() {
            true => RosterMutation::OnboardCivilServants,
            false => RosterMutation::OnboardParticipants,
        },
    }
}

async fn plan_rows(
    args: &Request,
    database: &Arc<Database>,
    actor: &Actor,
    today: NaiveDate,
    input: &Input,
    trail: &Trail,
) -> Result<Summary, Failure> {
    let what = format!("Planning {} rows in a transaction that is rolled back", input.rows.len());
    let done = step(what, plan(database, actor, today, input, trail)).await?;
    let RowOutcomes { counts, rows, contributions } = done.value.ok_or(Failure::Refused(done.problems))?;
    let units = args.by_work_unit.then(|| {
        let mut units: BTreeMap<String, Counts> = BTreeMap::new();
        for row in &rows {
            let unit = row.work_unit.clone().unwrap_or_default();
            units.entry(unit).or_default().add(row.outcome, row.flagged);
        }
        let mut units: Vec<_> = units.into_iter().collect();
        units.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.received));
        units
    });
    let rows = rows.into_iter().map(|row| ProblemRow::new(row.number, row.line, row.outcome, row.problems));
    let rows = rows.filter(|row| !row.problems.is_empty()).collect();
    let subject = Subject::Plan(None);
    Ok(Summary {
        subject,
        stopped: None,
        counts,
        monthly_contributions: contributions,
        list: None,
        rows,
        units,
    })
}

async fn enroll(
    args: &Request,
    database: &Arc<Database>,
    actor: &Actor,
    today: NaiveDate,
    input: &Input,
    trail: &Trail,
) -> Result<Summary, Failure> {
    let key = match &args.idempotency_key {
        Some(key) => key.clone(),
        None => key_of(database, input)?,
    };
    let what =
        format!("Checking {} rows, then enrolling the valid ones in one transaction", input.rows.len());
    let done =
        step(what, onboard_participants(database, actor, today, Some(key.as_str()).into(), input, trail))
            .await?;
    let again = done.again;
    let id = done.value.ok_or(Failure::Refused(done.problems))?.batch;
    let outcomes = async {
        let batch = onboarding::by_ids(&database.writer, actor, &[id]).await?.remove(&id);
        let batch = batch.ok_or_else(|| StoreError::Fault("the batch is missing".into()))?;
        let rows = problem_rows::fetch(database, &batch).await?;
        let units = match args.by_work_unit {
            true => units_of(database, batch.id).await?,
            false => None,
        };
        Ok::<_, StoreError>((rows, batch, units))
    };
    let (rows, batch, units) = step("Reading the outcome".to_owned(), outcomes).await?;
    let (counts, monthly_contributions) = (batch.counts(), batch.monthly_contributions);
    let subject = match again {
        true => Subject::EarlierBatch(batch.id, batch.submitted_at),
        false => Subject::Batch(batch.id, batch.submitted_at),
    };
    Ok(Summary { subject, stopped: None, counts, monthly_contributions, list: None, rows, units })
}

/// Returns the outcomes of a batch by work unit. All units are shown, because the person who runs the command has the file.
async fn units_of(database: &Database, batch: i64) -> Result<Option<Vec<(String, Counts)>>, StoreError> {
    let units = onboarding::by_work_unit(&database.writer, &[batch], i64::MAX).await?.remove(&batch);
    Ok(units.map(|units| units.largest))
}

/// Derives the idempotency key of a request. Equal requests get equal keys. A key reveals nothing about its request.
fn key_of(database: &Arc<Database>, input: &impl serde::Serialize) -> Result<String, StoreError> {
    let input =
        serde_json::to_vec(input).map_err(|_| StoreError::Fault("an input cannot be serialized".into()))?;
    let digest = database.keys.fingerprint(&input);
    Ok(format!("onboard-{}", hex::encode(digest)))
}

/// Writes the outcome to stdout. A closed pipe is no error: `registry onboard ... | head` closes it early.
fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("stdout cannot be written")
        }
        _ => Ok(()),
    }
}
