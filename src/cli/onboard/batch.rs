//! Onboards files with more rows than fit into one request, and monthly lists. They are staged as a batch, then planned or
//! applied in chunks.
//!
//! The functions are the same as for uploads over HTTP. The command processes its batch itself. If a server already
//! does, the command only follows the progress.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::NaiveDate;
use indicatif::ProgressBar;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::list_figures::ListFigures;
use super::progress::{row_bar, step, tell};
use super::report_file::Reports;
use super::summary::{Subject, Summary, explained};
use super::{Failure, Request, Size, key_of, problem_rows, units_of};
use crate::actions::onboarding::receive::{self, Refused};
use crate::actions::onboarding::worker::{WorkerSettings, work};
use crate::actions::start_onboarding::{Input, Started, start_onboarding};
use crate::actions::{ActionError, Done};
use crate::graphql::node_id::NodeId;
use crate::http::onboarding::{Differences, report_of, staged};
use crate::store::onboarding::{self, BatchRow, retention};
use crate::store::{Database, StoreError};
use domain::access::Right;
use domain::actor::Actor;
use domain::language::Language;
use domain::onboarding::{Counts, OnboardingKind, OnboardingState};
use domain::problem::{Problem, ProblemCode};

/// How often the state of the batch is read.
const POLL: Duration = Duration::from_millis(200);

/// Onboards a file of any size, or plans it.
pub(super) async fn onboard(
    args: &Request,
    size: Size,
    database: &Arc<Database>,
    actor: &Actor,
    today: NaiveDate,
    reports: Reports,
) -> Result<Summary, Failure> {
    let (id, ended_before) = start(args, size, database, actor, today).await?;
    let bar = row_bar(match args.kind.file() {
        _ if args.plan => "Planning",
        OnboardingKind::Roster => "Enrolling",
        OnboardingKind::MonthlyList => "Applying",
    });
    let ended = follow(database, actor, today, id, &bar).await;
    bar.finish_and_clear();
    let summary = summarize(args, (database, actor), ended?, ended_before, reports).await;
    if args.plan {
        // If the command is interrupted before this line, a server discards the rows later.
        retention::discard_tried(&database.bulk, id).await?;
    }
    summary
}

/// Returns the summary of a batch that has ended, and writes its reports.
async fn summarize(
    args: &Request,
    (database, actor): (&Arc<Database>, &Actor),
    batch: BatchRow,
    ended_before: bool,
    reports: Reports,
) -> Result<Summary, Failure> {
    let rows = step("Reading the outcome".to_owned(), problem_rows::fetch(database, &batch)).await?;
    write_reports((database, actor), &batch, reports).await?;
    let subject = match (args.plan, ended_before) {
        (true, _) => Subject::Plan(Some(batch.id)),
        (false, true) => Subject::EarlierBatch(batch.id, batch.submitted_at),
        (false, false) => Subject::Batch(batch.id, batch.submitted_at),
    };
    let stopped = match batch.state {
        OnboardingState::Failed => return Err(failed(&batch, subject, ended_before)),
        // A complete plan ends as cancelled.
        OnboardingState::Cancelled if args.plan && batch.plan_digest.is_some() => None,
        OnboardingState::Cancelled => Some(stopped_by(&batch, ended_before)),
        _ => None,
    };
    if let (true, Some(stopped)) = (args.plan, &stopped) {
        return Err(Failure::Refused(vec![Problem::error(ProblemCode::Conflict, "file", stopped)]));
    }
    let units = match args.by_work_unit {
        true => units_of(database, batch.id).await?,
        false => None,
    };
    let (mut counts, monthly_contributions) = (batch.counts(), batch.monthly_contributions);
    if args.plan {
        counts = Counts { enrolled: counts.pending, pending: 0, ..counts };
    }
    let list = batch.month.map(|month| {
        let figures = batch.list_summary.map(|summary| summary.0).unwrap_or_default();
        ListFigures { month, figures }
    });
    Ok(Summary { subject, stopped, counts, monthly_contributions, list, rows, units })
}

/// Writes the refused rows of a batch, and the differences of a list that was planned.
async fn write_reports(
    (database, actor): (&Arc<Database>, &Actor),
    batch: &BatchRow,
    Reports { refused, differences }: Reports,
) -> Result<(), Failure> {
    if batch.discarded_at.is_some() && (refused.is_some() || differences.is_some()) {
        tell("There is no report: the rows of this batch were discarded.");
        return Ok(());
    }
    if let Some(report) = refused {
        let session = database.writer.clone();
        let pieces = report_of(Arc::clone(database), session, batch.clone(), (true, Language::English));
        let written = report.write_pieces(pieces).await;
        written.context("the report cannot be written").map_err(Failure::Local)?;
    }
    if let Some(report) = differences.filter(|_| batch.plan_digest.is_some()) {
        let differences = Differences {
            database: Arc::clone(database),
            session: database.reading(actor),
            actor: Arc::new(actor.clone()),
            batch: batch.clone(),
            reads_personal_data: true,
            language: Language::English,
        };
        let form = (report.is_workbook, report.folder());
        let finished = differences.file(form, (None, Uuid::now_v7())).await?;
        let written = report.file.copy(finished);
        written.context("the differences cannot be written").map_err(Failure::Local)?;
    }
    Ok(())
}

const ONBOARD_AGAIN: &str = "To onboard the file again, pass a new key with --idempotency-key.";

fn failed(batch: &BatchRow, subject: Subject, ended_before: bool) -> Failure {
    if batch.enrolled > 0 {
        tell(&subject.sentence(batch.kind));
        tell(&format!(
            "It ended early: {} people are enrolled, {} rows are not.",
            batch.enrolled, batch.pending
        ));
    }
    if ended_before {
        tell(ONBOARD_AGAIN);
    }
    Failure::Refused(batch.problems.clone().map(|problems| problems.0).unwrap_or_default())
}

fn stopped_by(batch: &BatchRow, ended_before: bool) -> String {
    let who = batch.cancelled_by.as_deref().unwrap_or("the registry");
    let why = batch.cancel_reason.as_deref().unwrap_or_default();
    let hint = if ended_before { format!(" {ONBOARD_AGAIN}") } else { String::new() };
    format!("Stopped by {who}: {why}{hint}")
}

/// Starts the batch and stages its rows. Returns its id, and whether an earlier command completed it.
async fn start(
    args: &Request,
    size: Size,
    database: &Arc<Database>,
    actor: &Actor,
    today: NaiveDate,
) -> Result<(i64, bool), Failure> {
    let path = args.file.clone();
    let hashing = tokio::task::spawn_blocking(move || open_hashed(&path));
    let hashed = step(format!("Hashing {}", args.file.display()), hashing).await;
    let (file, sha256) = hashed.map_err(|error| Failure::Local(error.into()))?.map_err(unreadable)?;
    let input = input_of(args, &sha256);
    let key = match (&args.idempotency_key, args.plan) {
        // Each plan is a new request.
        (_, true) => None,
        (Some(key), false) => Some(key.clone()),
        (None, false) => Some(key_of(database, &input)?),
    };
    let Done { value, problems, .. } =
        start_onboarding(database, actor, today, key.as_deref().into(), &input).await?;
    let Started { batch } = value.ok_or(Failure::Refused(problems))?;
    let expected = match receive::expect(database, actor, batch).await {
        Ok(expected) => expected,
        Err(Refused::NotWaiting) => return received_before(database, actor, batch).await,
        Err(refused) => return Err(failure_of(actor, refused)),
    };
    let kind = expected.kind();
    let is_list = expected.is_monthly_list();
    let opened = tokio::task::spawn_blocking(move || match is_list {
        true => roster::open_monthly_list(kind, file, &size.limits),
        false => roster::open_for(kind, file, &size.limits),
    });
    let opened = opened.await;
    let opened = opened.map_err(|error| Failure::Local(error.into()))?;
    let roster = opened.map_err(|error| Failure::Refused(vec![error.problem()]))?;
    let (ignored, warnings) = (roster.ignored_columns().join(", "), roster.warnings());
    let file = receive::File {
        sha256,
        columns: Some(roster.columns().to_vec()),
        separator: char::from(roster.separator()),
        chunk_rows: size.chunk_rows,
        warnings: Box::new(move || warnings.problems()),
        rows: roster.map(staged),
    };
    let receiving = receive::receive(database, today, expected, file);
    let accepted = step("Checking and staging its rows".to_owned(), receiving)
        .await
        .map_err(|refused| failure_of(actor, refused))?;
    tell(&format!("Read {} rows.", accepted.rows));
    if !ignored.is_empty() {
        tell(&format!("Ignored columns: {ignored}."));
    }
    accepted.warnings.iter().for_each(|warning| tell(&explained(warning)));
    Ok((batch, false))
}

/// Returns a batch whose rows an earlier command has staged.
async fn received_before(database: &Arc<Database>, actor: &Actor, id: i64) -> Result<(i64, bool), Failure> {
    let batch = onboarding::by_ids(&database.writer, actor, &[id]).await?.remove(&id);
    let batch = batch.ok_or_else(|| StoreError::Fault("the batch is missing".into()))?;
    if !batch.state.is_final() {
        let id = NodeId::Batch(id).encode();
        tell(&format!("This file is already being onboarded, as batch {}. Continuing with it.", id.as_str()));
    }
    Ok((id, batch.state.is_final()))
}

fn input_of(args: &Request, sha256: &[u8]) -> Input {
    let name = args.file.file_name().map(|name| name.to_string_lossy().into_owned());
    Input {
        terms: args.terms(),
        file_name: name.unwrap_or_else(|| "roster".to_owned()),
        sha256: Some(crate::actions::approve_onboarding::hexadecimal(sha256)),
        all_or_nothing: args.all_or_nothing,
        plan_only: args.plan,
        dry_run: args.plan,
        kind: args.kind.file(),
        month: args.kind.monthly_list,
    }
}

/// Processes the batch, or follows the progress of another worker, until the batch has ended or its plan is complete.
async fn follow(
    database: &Arc<Database>,
    actor: &Actor,
    today: NaiveDate,
    id: i64,
    bar: &ProgressBar,
) -> Result<BatchRow, Failure> {
    let settings = WorkerSettings { time_slice: Duration::from_millis(500), ..WorkerSettings::default() };
    let worker = tokio::spawn({
        let database = Arc::clone(database);
        async move {
            loop {
                // The worker takes the oldest batch of the command line first, which may be another one. If another
                // worker has the batch, or the database is unavailable for a moment, it tries again.
                if !matches!(work(&database, today, settings, None).await, Ok(true)) {
                    tokio::time::sleep(POLL).await;
                }
            }
        }
    });
    let followed = async {
        loop {
            let batch = onboarding::by_ids(&database.control, actor, &[id]).await?.remove(&id);
            let batch = batch.ok_or_else(|| StoreError::Fault("the batch is missing".into()))?;
            let (received, pending) = (batch.received.unsigned_abs(), batch.pending.unsigned_abs());
            bar.set_length(received.into());
            bar.set_position(received.saturating_sub(pending).into());
            if batch.state.is_final() || batch.state == OnboardingState::AwaitingApproval {
                return Ok::<_, StoreError>(batch);
            }
            tokio::time::sleep(POLL).await;
        }
    };
    let batch = followed.await;
    worker.abort();
    batch.map_err(|error| Failure::Action(ActionError::Store(error)))
}

/// Opens the file and computes its SHA-256.
fn open_hashed(path: &std::path::Path) -> std::io::Result<(File, Vec<u8>)> {
    let mut file = File::open(path)?;
    let (mut hash, mut piece) = (Sha256::new(), vec![0; 256 * 1024]);
    loop {
        match file.read(&mut piece)? {
            0 => break,
            read => hash.update(&piece[..read]),
        }
    }
    file.seek(SeekFrom::Start(0))?;
    Ok((file, hash.finalize().to_vec()))
}

fn unreadable(error: std::io::Error) -> Failure {
    let problem =
        Problem::error(ProblemCode::InvalidFormat, "file", format!("The file cannot be read: {error}."));
    Failure::Refused(vec![problem])
}

fn failure_of(actor: &Actor, refused: Refused) -> Failure {
    match refused {
        Refused::Problems(problems) => Failure::Refused(problems),
        Refused::Store(error) => Failure::Action(error.into()),
        Refused::Forbidden => {
            Failure::Action(ActionError::Forbidden { role: actor.role, right: Right::Enroll })
        }
        refused @ (Refused::Absent | Refused::NotYours | Refused::NotWaiting) => {
            let problem = Problem::error(
                ProblemCode::Conflict,
                "file",
                format!("The file is not accepted: {refused}."),
            );
            tell(&explained(&problem));
            Failure::Refused(vec![problem])
        }
    }
}
