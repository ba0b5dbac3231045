//! Files with more rows than one request holds: staged, then planned or applied chunk by chunk, with the same functions as
//! those that are sent over HTTP. This command works at its batch itself; where a server does so already, it looks on.

use std::fmt;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::NaiveDate;
use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};
use sha2::{Digest as _, Sha256};

use super::report_file::ReportFile;
use super::verdict::{Told, Verdict, explained};
use super::{Request, Size, Stop, fetch_failing, key_of, step, tell, units_of};
use crate::actions::onboarding::receive::{self, Refused};
use crate::actions::onboarding::worker::{WorkerSettings, work};
use crate::actions::start_onboarding::{Input, Started, start_onboarding};
use crate::actions::{ActionError, Done};
use crate::graphql::node_id::NodeId;
use crate::http::onboarding::{report_of, staged};
use crate::store::onboarding::{self, BatchRow, retention};
use crate::store::{Database, StoreError};
use domain::actor::Actor;
use domain::language::Language;
use domain::onboarding::{Counts, OnboardingState};
use domain::problem::{Problem, ProblemCode};

/// How often a batch is looked at that somebody else works at.
const LOOK: Duration = Duration::from_millis(200);

/// Onboards a file of any size, or says what would happen.
pub(super) async fn drive(
    args: &Request,
    size: Size,
    database: &Arc<Database>,
    actor: &Actor,
    today: NaiveDate,
    report: Option<ReportFile>,
) -> Result<Verdict, Stop> {
    let (id, ended_before) = start(args, size, database, actor, today).await?;
    let bar = bar(if args.plan { "Planning" } else { "Enrolling" });
    let watched = watch(database, actor, today, id, &bar).await;
    bar.finish_and_clear();
    let verdict = verdict(args, database, watched?, ended_before, report).await;
    if args.plan {
        // Whatever came of it. Where this is not reached, the servers' chore does it.
        retention::discard_tried(&database.bulk, id).await?;
    }
    verdict
}

/// What became of a batch that has ended.
async fn verdict(
    args: &Request,
    database: &Arc<Database>,
    batch: BatchRow,
    ended_before: bool,
    report: Option<ReportFile>,
) -> Result<Verdict, Stop> {
    let failing = step("Reading what became of them".to_owned(), fetch_failing(database, &batch)).await?;
    match report {
        Some(_) if batch.discarded_at.is_some() => {
            tell("There is no report: the rows of this batch are not kept any more.");
        }
        Some(report) => {
            let pieces = report_of(
                Arc::clone(database),
                database.writer.clone(),
                batch.clone(),
                (true, Language::English),
            );
            let kept = report.keep_pieces(pieces).await.context("the report cannot be written");
            kept.map_err(Stop::Broken)?;
        }
        None => {}
    }
    let told = match (args.plan, ended_before) {
        (true, _) => Told::Plan(Some(batch.id)),
        (false, true) => Told::Before(batch.id, batch.submitted_at),
        (false, false) => Told::Batch(batch.id, batch.submitted_at),
    };
    let stopped = match batch.state {
        OnboardingState::Failed => return Err(failed(&batch, told, ended_before)),
        // A plan ends so, once it is whole.
        OnboardingState::Cancelled if args.plan && batch.plan_digest.is_some() => None,
        OnboardingState::Cancelled => Some(stopped_by(&batch, ended_before)),
        _ => None,
    };
    if let (true, Some(stopped)) = (args.plan, &stopped) {
        return Err(Stop::Refused(vec![Problem::error(ProblemCode::Conflict, "file", stopped)]));
    }
    let units = match args.by_work_unit {
        true => units_of(database, batch.id).await?,
        false => None,
    };
    let (mut counts, monthly_contributions) = (batch.counts(), batch.monthly_contributions);
    if args.plan {
        counts = Counts { enrolled: counts.pending, pending: 0, ..counts };
    }
    Ok(Verdict { told, stopped, counts, monthly_contributions, failing, units })
}

const ANEW: &str = "To onboard the file anew, give a key of your own: --idempotency-key.";

fn failed(batch: &BatchRow, told: Told, ended_before: bool) -> Stop {
    if batch.enrolled > 0 {
        tell(&format!("{told}"));
        tell(&format!(
            "It broke off: {} people are enrolled, {} rows are not.",
            batch.enrolled, batch.pending
        ));
    }
    if ended_before {
        tell(ANEW);
    }
    Stop::Refused(batch.problems.clone().map(|problems| problems.0).unwrap_or_default())
}

fn stopped_by(batch: &BatchRow, ended_before: bool) -> String {
    let who = batch.cancelled_by.as_deref().unwrap_or("the registry");
    let why = batch.cancel_reason.as_deref().unwrap_or_default();
    let anew = if ended_before { format!(" {ANEW}") } else { String::new() };
    format!("Stopped by {who}: {why}{anew}")
}

/// Begins the batch and stages its rows; where this was done before, the batch of then, and whether it has ended.
async fn start(
    args: &Request,
    size: Size,
    database: &Arc<Database>,
    actor: &Actor,
    today: NaiveDate,
) -> Result<(i64, bool), Stop> {
    let path = args.file.clone();
    let hashing = tokio::task::spawn_blocking(move || open(&path));
    let hashed = step(format!("Looking through {}", args.file.display()), hashing).await;
    let (file, sha256) = hashed.map_err(|error| Stop::Broken(error.into()))?.map_err(unreadable)?;
    let input = input_of(args, &sha256);
    let key = match (&args.idempotency_key, args.plan) {
        // A plan is made anew each time.
        (_, true) => None,
        (Some(key), false) => Some(key.clone()),
        (None, false) => Some(key_of(database, &input)?),
    };
    let Done { value, problems, .. } =
        start_onboarding(database, actor, today, key.as_deref(), &input).await?;
    let Started { batch } = value.ok_or(Stop::Refused(problems))?;
    let expected = match receive::expect(database, actor, batch).await {
        Ok(expected) => expected,
        Err(Refused::NotWaiting) => return received_before(database, actor, batch).await,
        Err(refused) => return Err(stop_of(refused)),
    };
    let opened = tokio::task::spawn_blocking(move || roster::open(file, &size.limits)).await;
    let opened = opened.map_err(|error| Stop::Broken(error.into()))?;
    let roster = opened.map_err(|error| Stop::Refused(vec![error.problem()]))?;
    let (ignored, left_out) = (roster.ignored_columns().join(", "), roster.left_out());
    let file = receive::File {
        sha256,
        columns: Some(roster.columns().to_vec()),
        separator: char::from(roster.separator()),
        chunk_rows: size.chunk_rows,
        warnings: {
            let left_out = left_out.clone();
            Box::new(move || left_out.warnings())
        },
        rows: roster.map(staged),
    };
    let receiving = receive::receive(database, today, expected, file);
    let rows = step("Judging and staging its rows".to_owned(), receiving).await.map_err(stop_of)?;
    tell(&format!("{rows} rows are read."));
    if !ignored.is_empty() {
        tell(&format!("Columns that are left alone: {ignored}."));
    }
    left_out.warnings().iter().for_each(|warning| tell(&explained(warning)));
    Ok((batch, false))
}

/// A batch that has its rows already: another command has sent them.
async fn received_before(database: &Arc<Database>, actor: &Actor, id: i64) -> Result<(i64, bool), Stop> {
    let batch = onboarding::by_ids(&database.writer, actor, &[id]).await?.remove(&id);
    let batch = batch.ok_or_else(|| StoreError::Fault("the batch is not there".into()))?;
    if !batch.state.is_final() {
        let id = NodeId::Batch(id).encode();
        tell(&format!("This file is being onboarded already, as batch {}. Going on with it.", id.as_str()));
    }
    Ok((id, batch.state.is_final()))
}

fn input_of(args: &Request, sha256: &[u8]) -> Input {
    let name = args.file.file_name().map(|name| name.to_string_lossy().into_owned());
    Input {
        employer: args.employer,
        channel_code: args.channel.clone(),
        province_code: args.province.clone(),
        programmes: args.programmes.clone(),
        category: args.category,
        starts_on: args.starts_on,
        first_contribution_paid: args.first_contribution_paid,
        file_name: name.unwrap_or_else(|| "roster".to_owned()),
        sha256: Some(crate::actions::approve_onboarding::hexadecimal(sha256)),
        all_or_nothing: args.all_or_nothing,
        plan_only: args.plan,
        dry_run: args.plan,
    }
}

/// Works at the batch, or looks on, until it has ended or its plan is there.
async fn watch(
    database: &Arc<Database>,
    actor: &Actor,
    today: NaiveDate,
    id: i64,
    bar: &ProgressBar,
) -> Result<BatchRow, Stop> {
    let pace = WorkerSettings { time_slice: Duration::from_millis(500), ..WorkerSettings::default() };
    let worker = tokio::spawn({
        let database = Arc::clone(database);
        async move {
            loop {
                // At any batch: an older one of the command line comes before this one. A server's worker may have it, or
                // the database be away for a moment: either way it is looked at again.
                if !matches!(work(&database, today, pace, None).await, Ok(true)) {
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    });
    let watched = async {
        loop {
            let batch = onboarding::by_ids(&database.control, actor, &[id]).await?.remove(&id);
            let batch = batch.ok_or_else(|| StoreError::Fault("the batch is not there".into()))?;
            let (received, pending) = (batch.received.unsigned_abs(), batch.pending.unsigned_abs());
            bar.set_length(received.into());
            bar.set_position(received.saturating_sub(pending).into());
            if batch.state.is_final() || batch.state == OnboardingState::AwaitingApproval {
                return Ok::<_, StoreError>(batch);
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let batch = watched.await;
    worker.abort();
    batch.map_err(|error| Stop::Failed(ActionError::Store(error)))
}

fn bar(what: &'static str) -> ProgressBar {
    let template = "{msg} {wide_bar} {human_pos}/{human_len}  {rate}/s  {eta} left";
    let style = ProgressStyle::with_template(template).expect("the template is well-formed");
    // Nobody needs the fractions of a row.
    let style = style.with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
        let _ = write!(out, "{}", HumanCount(state.per_sec() as u64));
    });
    let bar = ProgressBar::new(0).with_style(style).with_message(what);
    bar.enable_steady_tick(Duration::from_millis(100));
    if bar.is_hidden() {
        tell(&format!("{what} …"));
    }
    bar
}

/// Opens the file and reads all of it once for its SHA-256.
fn open(path: &std::path::Path) -> std::io::Result<(File, Vec<u8>)> {
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

fn unreadable(error: std::io::Error) -> Stop {
    let problem =
        Problem::error(ProblemCode::InvalidFormat, "file", format!("The file cannot be read: {error}."));
    Stop::Refused(vec![problem])
}

fn stop_of(refused: Refused) -> Stop {
    match refused {
        Refused::Problems(problems) => Stop::Refused(problems),
        Refused::Store(error) => Stop::Failed(error.into()),
        Refused::Forbidden => Stop::Failed(ActionError::Forbidden),
        refused @ (Refused::Absent | Refused::NotYours | Refused::NotWaiting) => {
            let problem =
                Problem::error(ProblemCode::Conflict, "file", format!("The file is not taken: {refused}."));
            tell(&explained(&problem));
            Stop::Refused(vec![problem])
        }
    }
}
