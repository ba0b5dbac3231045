//! `registry onboard`: a roster from a file, enrolled by the same function as the mutation `onboardCivilServants`.
//!
//! What a person waits for goes to stderr, what a script reads to stdout, and the exit code tells how it went.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::NaiveDate;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use indicatif::{ProgressBar, ProgressStyle};

use crate::actions::ActionError;
use crate::actions::onboard_civil_servants::{Input, onboard_civil_servants, plan};
use crate::actions::onboarding::RowOutcomes;
use crate::config::{Problems, RosterLimits};
use crate::graphql::node_id::employer_id;
use crate::store::audit::Trail;
use crate::store::onboarding::{self, BatchRow, RowFilter};
use crate::store::{Database, StoreError};
use domain::UnknownName;
use domain::actor::Actor;
use domain::enrollment::{CivilServantCategory, Programme};
use domain::onboarding::{Counts, RowOutcome};
use domain::page::{Direction, Order, Page, Position};
use domain::problem::Problem;
use domain::text;
use roster::Limits;

mod batch;
mod report_file;
mod sheet;
mod template_file;
mod verdict;

use report_file::ReportFile;
use sheet::Sheet;
use verdict::{Failing, Told, Verdict, explained, problem_table, row_of};

/// The exit code when some rows were refused.
pub const SOME_ROWS_REFUSED: u8 = 1;
/// The exit code when the file or the request was refused as a whole.
pub const REFUSED: u8 = 2;
/// The exit code when the registry cannot be reached, or broke off.
pub const UNREACHABLE: u8 = 3;

/// Rows fetched at a time.
const PAGE: usize = 1_000;
/// Rows that the table of problems is made from at most: they are held in memory.
const MAXIMUM_FAILING: usize = 50_000;

/// Broken by hand at 80 columns: clap would break the examples.
const AFTER_HELP: &str = "\
THE FILE
  A workbook (XLSX), or CSV separated by commas, semicolons or tabs, in UTF-8,
  UTF-16 or Windows-1252; what it is, is found out. One of its first twenty rows
  names the columns, in any order:
    needed         NIK, NIP, NAMA, TANGGAL LAHIR, JENIS KELAMIN
    read if there  TEMPAT LAHIR, UNIT KERJA, GOLONGAN, GAJI POKOK, TMT, NO HP
  The usual variants (NO. KTP, TGL LAHIR, L/P, SKPD, …), English names and those
  of the API are known too; other columns are left alone. Dates are day, month,
  year. NIK and NIP have to be text: a spreadsheet rounds numbers that long, and
  a file in which it did is refused. Empty rows do not count. Of several sheets,
  one has such a header.

EXIT CODES
  0  every row is enrolled, or was enrolled before; of a plan: would be
  1  some rows were refused, or the onboarding was stopped; the others are
     enrolled, or of a plan would be: a plan enrolls nobody
  2  the file or the request was refused as a whole; nobody was enrolled
  3  the registry cannot be reached, or broke off; send the same command again

EXAMPLES
  An empty roster in which no number is rounded:
    registry onboard --template roster.xlsx
  What would happen, and what is wrong with which rows:
    registry onboard roster.csv --employer bTE --channel KW-SUMBAGSEL \\
      --province 16 --starts-on 2014-11-01 --plan
  Do it, and get the rows that were refused as a file:
    registry onboard roster.csv --employer bTE --channel KW-SUMBAGSEL \\
      --province 16 --starts-on 2014-11-01 --report refused.csv
  The same once they are corrected:
    registry onboard refused.csv --employer bTE --channel KW-SUMBAGSEL \\
      --province 16 --starts-on 2014-11-01";

/// Enroll the civil servants of a roster, thousands at a time.
///
/// Every row is judged by itself: good rows do not wait for bad ones, and each bad one says all that is wrong with it.
/// Up to 10,000 rows are written in one transaction, more of them in chunks: an interrupted command goes on when it is
/// given again. A person who has this enrollment already is not enrolled twice.
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct Onboard {
    #[command(flatten)]
    request: Option<Request>,
    /// Write an empty roster to this file, .xlsx or .csv, and do nothing else
    // Not `exclusive`: settings from the environment would count as arguments.
    #[arg(long, value_name = "FILE", conflicts_with = "Request")]
    template: Option<PathBuf>,
    #[command(flatten)]
    limits: RosterLimits,
}

/// Whom to enroll, and how.
#[derive(Clone, Debug, clap::Args)]
struct Request {
    /// The roster
    #[arg(required = false, required_unless_present = "template")]
    file: PathBuf,
    /// Their employer, a government body: its id in the API, as in `employers { nodes { id name } }`
    #[arg(long, value_name = "ID", value_parser = parse_employer, required = false, required_unless_present = "template")]
    employer: i64,
    /// The channel that brings them in, as in `channels { nodes { code name } }`
    #[arg(long, value_name = "CODE", required = false, required_unless_present = "template")]
    channel: String,
    /// The province where they live, two digits: 16 is South Sumatra
    #[arg(long, value_name = "CODE", required = false, required_unless_present = "template")]
    province: String,
    /// First day, where a row has none of its own (TMT): 2014-11-01
    #[arg(long, value_name = "DATE", value_parser = parse_date, required = false, required_unless_present = "template")]
    starts_on: NaiveDate,
    /// What they are to be covered for; again or with commas for several
    #[arg(long = "programme", value_name = "NAME", value_delimiter = ',', ignore_case = true,
          default_values = ["WORK_ACCIDENT", "DEATH"], value_parser = one_of::<Programme>(Programme::ALL.iter().map(|p| p.as_str())))]
    programmes: Vec<Programme>,
    /// What kind of civil servants
    #[arg(long, value_name = "NAME", ignore_case = true, default_value = "PNS",
          value_parser = one_of::<CivilServantCategory>(CivilServantCategory::ALL.iter().map(|c| c.as_str())))]
    category: CivilServantCategory,
    /// The first contributions were taken with the forms: the enrollments start active
    #[arg(long)]
    first_contribution_paid: bool,
    /// Refuse all rows when one of them is refused
    #[arg(long)]
    all_or_nothing: bool,
    /// Say what would happen, and enroll nobody
    ///
    /// More than 10,000 rows are staged meanwhile, as a batch that nobody can approve, whatever becomes of this command;
    /// they are discarded at its end.
    #[arg(long)]
    plan: bool,
    /// Write the rows that were refused to this file, in the columns they came in and with what is wrong with each
    ///
    /// Correct it in a spreadsheet and send it again. An apostrophe keeps long numbers from being rounded, and cells
    /// from being formulas; it does no harm when the file is read. The file holds identity numbers: only you can read it.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Also print what became of the rows of each work unit
    #[arg(long)]
    by_work_unit: bool,
    /// Makes retrying safe: 16 to 255 characters, the same for each retry of the same thing
    ///
    /// Unless given, it is made from the name and the rows of the file and from the other arguments, by a secret of the
    /// installation: the same command again answers with the same batch, and says so; its rows are not judged again. Give
    /// a key of your own to have them judged again. A plan needs none: it is made anew each time.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

fn parse_employer(id: &str) -> Result<i64, &'static str> {
    employer_id(id).map_err(|_| "this is not the id of an employer that the API gave")
}

fn parse_date(text: &str) -> Result<NaiveDate, &'static str> {
    text.parse().map_err(|_| "write it as 2014-11-01 (year, month, day)")
}

/// Reads one of the names of a closed list, in any case.
fn one_of<T>(names: impl Iterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = UnknownName> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.to_uppercase().parse())
}

impl Onboard {
    /// Does what needs no registry, if that was asked for.
    pub fn without_registry(&self) -> Option<ExitCode> {
        self.template.as_deref().map(template_file::write)
    }
}

/// Runs the command.
///
/// # Errors
/// The outcome cannot be written, to stdout or to the file of the report. What was enrolled stays enrolled, and the
/// same command says so again. The exit code of it is not 1, which means something else: [`UNREACHABLE`] will do.
pub async fn run(
    args: Onboard,
    database: &Arc<Database>,
    actor: &Actor,
    today: NaiveDate,
) -> anyhow::Result<ExitCode> {
    // Without a template and without a request, the command line was refused.
    let Onboard { request: Some(request), limits, .. } = args else { return Ok(ExitCode::SUCCESS) };
    let size = match Size::of(&limits) {
        Ok(size) => size,
        Err(error) => {
            tell(&format!("error: {error}"));
            return Ok(ExitCode::from(REFUSED));
        }
    };
    let (message, code) = match attempt(&request, size, database, actor, today).await {
        Ok(verdict) => {
            print(&verdict.to_string())?;
            return Ok(ExitCode::from(if verdict.is_whole() { 0 } else { SOME_ROWS_REFUSED }));
        }
        Err(Stop::Refused(problems)) => {
            (problems.iter().map(explained).collect::<Vec<_>>().join("\n"), REFUSED)
        }
        Err(Stop::RowsRefused(failing)) => {
            print(&problem_table(&failing))?;
            ("Nothing was written: all rows or none, and some are refused.".to_owned(), REFUSED)
        }
        Err(Stop::Failed(ActionError::Forbidden)) => ("This role may not enroll people.".to_owned(), REFUSED),
        Err(Stop::Failed(error @ ActionError::QuotaSpent { .. })) => (format!("{error}."), REFUSED),
        Err(Stop::Failed(ActionError::Store(error))) => {
            (format!("The registry broke off: {error}. Send the same command again."), UNREACHABLE)
        }
        Err(Stop::Broken(error)) => return Err(error),
    };
    tell(&format!("error: {message}"));
    Ok(ExitCode::from(code))
}

/// How large a roster may be, and how many of its rows are dealt with in one transaction.
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

/// Why there is no verdict.
enum Stop {
    /// The file or the request is refused as a whole.
    Refused(Vec<Problem>),
    /// All or nothing was asked for, and not all of these rows can be enrolled.
    RowsRefused(Vec<Failing>),
    /// Not allowed, or the database failed.
    Failed(ActionError),
    /// Something on this machine failed.
    Broken(anyhow::Error),
}

impl<E: Into<ActionError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

async fn attempt(
    args: &Request,
    size: Size,
    database: &Arc<Database>,
    actor: &Actor,
    today: NaiveDate,
) -> Result<Verdict, Stop> {
    let read = Sheet::read(&args.file, &size.limits).await?;
    let report = args.report.as_deref().map(|path| ReportFile::create(path, &args.file)).transpose()?;
    let Some(mut sheet) = read else {
        return batch::drive(args, size, database, actor, today, report).await;
    };
    let input = input_of(args, &mut sheet);
    let trail = Trail::of_command(database, actor, "onboardCivilServants");
    let judged = match args.plan {
        true => try_out(args, database, actor, today, &input, &trail).await,
        false => enroll(args, database, actor, today, &input, &trail).await,
    };
    // What is printed from here on can tell that somebody was registered already.
    trail.close().await?;
    let mut outcome = match judged {
        Err(Stop::Refused(problems)) if problems.iter().any(|problem| row_of(problem).is_some()) => {
            Err(Stop::RowsRefused(Failing::of_problems(problems, &input.lines)))
        }
        outcome => outcome,
    };
    let failing = match &mut outcome {
        Ok(verdict) => &mut verdict.failing,
        Err(Stop::RowsRefused(failing)) => failing,
        Err(_) => return outcome,
    };
    if let Some(report) = report {
        report.keep(&sheet, failing).context("the report cannot be written").map_err(Stop::Broken)?;
    }
    outcome
}

/// Takes the rows out of the sheet: a report needs only the cells as they came.
fn input_of(args: &Request, sheet: &mut Sheet) -> Input {
    let file_name = args.file.file_name().map(|name| name.to_string_lossy());
    Input {
        employer: args.employer,
        channel_code: args.channel.clone(),
        province_code: args.province.clone(),
        programmes: args.programmes.clone(),
        category: args.category,
        starts_on: args.starts_on,
        first_contribution_paid: args.first_contribution_paid,
        rows: Arc::new(std::mem::take(&mut sheet.rows)),
        lines: Arc::new(std::mem::take(&mut sheet.lines)),
        file_name: text::label(file_name.as_deref(), 255, "file").ok().flatten(),
        all_or_nothing: args.all_or_nothing,
        plan_only: false,
    }
}

async fn try_out(
    args: &Request,
    database: &Arc<Database>,
    actor: &Actor,
    today: NaiveDate,
    input: &Input,
    trail: &Trail,
) -> Result<Verdict, Stop> {
    let what = format!("Trying {} rows, and taking them back", input.rows.len());
    let done = step(what, plan(database, actor, today, input, trail)).await?;
    let RowOutcomes { counts, rows, contributions } = done.value.ok_or(Stop::Refused(done.problems))?;
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
    let failing = rows.into_iter().map(|row| Failing::new(row.number, row.line, row.outcome, row.problems));
    let failing = failing.filter(|row| !row.problems.is_empty()).collect();
    let told = Told::Plan(None);
    Ok(Verdict { told, stopped: None, counts, monthly_contributions: contributions, failing, units })
}

async fn enroll(
    args: &Request,
    database: &Arc<Database>,
    actor: &Actor,
    today: NaiveDate,
    input: &Input,
    trail: &Trail,
) -> Result<Verdict, Stop> {
    let key = match &args.idempotency_key {
        Some(key) => key.clone(),
        None => key_of(database, input)?,
    };
    let what = format!(
        "Judging {} rows, and writing them in one transaction unless they were before",
        input.rows.len()
    );
    let done = step(what, onboard_civil_servants(database, actor, today, Some(&key), input, trail)).await?;
    let again = done.again;
    let id = done.value.ok_or(Stop::Refused(done.problems))?.batch;
    let outcomes = async {
        let batch = onboarding::by_ids(&database.writer, actor, &[id]).await?.remove(&id);
        let batch = batch.ok_or_else(|| StoreError::Fault("the batch is not there".into()))?;
        let failing = fetch_failing(database, &batch).await?;
        let units = match args.by_work_unit {
            true => units_of(database, batch.id).await?,
            false => None,
        };
        Ok::<_, StoreError>((failing, batch, units))
    };
    let (failing, batch, units) = step("Reading what became of them".to_owned(), outcomes).await?;
    let (counts, monthly_contributions) = (batch.counts(), batch.monthly_contributions);
    let told = match again {
        true => Told::Before(batch.id, batch.submitted_at),
        false => Told::Batch(batch.id, batch.submitted_at),
    };
    Ok(Verdict { told, stopped: None, counts, monthly_contributions, failing, units })
}

/// What became of the rows of each work unit: of all of them, since whoever runs this has the file.
async fn units_of(database: &Database, batch: i64) -> Result<Option<Vec<(String, Counts)>>, StoreError> {
    let units = onboarding::by_work_unit(&database.writer, &[batch], i64::MAX).await?.remove(&batch);
    Ok(units.map(|units| units.largest))
}

/// The key of a command without one: the same for the same request, and nothing can be read from it.
fn key_of(database: &Arc<Database>, input: &impl serde::Serialize) -> Result<String, StoreError> {
    let input =
        serde_json::to_vec(input).map_err(|_| StoreError::Fault("an input cannot be written".into()))?;
    let digest = database.keys.fingerprint(&input);
    Ok(digest.iter().fold("onboard-".to_owned(), |key, byte| format!("{key}{byte:02x}")))
}

/// The rows that were refused, and those that somebody has to look at.
async fn fetch_failing(database: &Arc<Database>, batch: &BatchRow) -> Result<Vec<Failing>, StoreError> {
    let rejected = RowFilter { outcomes: vec![RowOutcome::Rejected], ..RowFilter::default() };
    let flagged = RowFilter { flagged: Some(true), ..RowFilter::default() };
    let mut failing = fetch(database, batch, &rejected).await?;
    failing.extend(fetch(database, batch, &flagged).await?);
    failing.sort_by_key(|row| row.row);
    Ok(failing)
}

async fn fetch(
    database: &Arc<Database>,
    batch: &BatchRow,
    filter: &RowFilter,
) -> Result<Vec<Failing>, StoreError> {
    let (order, direction) = (Order::Id, Direction::Ascending);
    let mut page = Page { size: PAGE, backward: false, after: None, before: None, order, direction };
    let mut failing = Vec::new();
    loop {
        let mut pages = onboarding::rows_of(&database.writer, &[batch.id], filter, &page).await?;
        let Some(slice) = pages.remove(&batch.id) else { return Ok(failing) };
        page.after = slice.rows.last().map(|row| Position::of_id(row.number.into()));
        failing.extend(slice.rows.into_iter().map(|row| {
            let problems = row.problems.map(|problems| problems.0).unwrap_or_default();
            Failing::new(row.number, row.line, row.outcome, problems)
        }));
        if failing.len() >= MAXIMUM_FAILING {
            tell(&format!("The table of problems is of the first {MAXIMUM_FAILING} rows that have any."));
            return Ok(failing);
        }
        if !slice.has_next {
            return Ok(failing);
        }
    }
}

/// Waits for a piece of work, and shows so: a spinner on a terminal, lines elsewhere.
async fn step<T>(what: String, work: impl Future<Output = T>) -> T {
    let started = Instant::now();
    let style =
        ProgressStyle::with_template("{spinner} {msg} {elapsed}").expect("the template is well-formed");
    let spinner = ProgressBar::new_spinner().with_style(style).with_message(what.clone());
    spinner.enable_steady_tick(Duration::from_millis(100));
    if spinner.is_hidden() {
        tell(&format!("{what} …"));
    }
    let outcome = work.await;
    spinner.finish_and_clear();
    tell(&format!("{what}: {:.1} s", started.elapsed().as_secs_f64()));
    outcome
}

/// A line for a person. Nobody may be there to read it.
fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// The outcome, for a script. One that has read enough has closed its end.
fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("stdout takes no more"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser};

    use super::*;

    #[derive(Parser)]
    struct Registry {
        #[command(flatten)]
        onboard: Onboard,
    }

    const ARGS: &str = "onboard roster.csv --employer bTE --channel C --province 16 --starts-on 2014-11-01";

    fn parse(more: &str) -> Result<Request, clap::Error> {
        let args = ARGS.split(' ').chain(more.split_whitespace());
        Registry::try_parse_from(args).map(|registry| registry.onboard.request.unwrap())
    }

    #[test]
    fn a_template_needs_nothing_else_and_a_roster_needs_all() {
        let parse = |args: &str| Registry::try_parse_from(args.split(' ')).map(|registry| registry.onboard);
        let args = parse("onboard --template x.csv").unwrap();
        assert!(args.request.is_none() && args.template.is_some());
        for bad in ["onboard", "onboard x.csv", "onboard x.csv --template y.csv", "onboard --plan"] {
            assert_eq!(parse(bad).unwrap_err().exit_code(), i32::from(REFUSED), "{bad}");
        }
    }

    #[test]
    fn the_command_is_well_formed_and_its_help_has_the_exit_codes() {
        Registry::command().debug_assert();
        assert!(Registry::command().render_long_help().to_string().contains("EXIT CODES"));
    }

    #[test]
    fn the_defaults_are_those_of_the_api() {
        let args = parse("").unwrap();
        assert_eq!(args.employer, 1);
        assert_eq!(args.programmes, [Programme::WorkAccident, Programme::Death]);
        assert_eq!(args.category, CivilServantCategory::Pns);
        assert!(!args.first_contribution_paid && !args.all_or_nothing && !args.plan);
    }

    #[test]
    fn names_are_taken_in_any_case_and_others_are_refused() {
        let args = parse("--category pppk --programme death,OLD_AGE --programme pension").unwrap();
        assert_eq!(args.category, CivilServantCategory::Pppk);
        assert_eq!(args.programmes, [Programme::Death, Programme::OldAge, Programme::Pension]);
        for bad in ["--category ASN", "--programme JKK", "--employer cDE", "--starts-on 01/11/2014"] {
            let error = parse(bad).unwrap_err();
            assert_eq!(error.exit_code(), i32::from(REFUSED), "{bad}");
        }
    }
}
