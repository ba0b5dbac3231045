//! The arguments of `registry onboard`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use chrono::NaiveDate;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use strum::VariantArray as _;

use super::template_file;
use crate::actions::onboarding::RosterTerms;
use crate::config::RosterLimits;
use crate::graphql::node_id::{association_id, employer_id};
use domain::enrollment::{CivilServantCategory, Programme, Segment};
use domain::monthly_list;
use domain::onboarding::OnboardingKind;

/// Wrapped by hand at 80 columns, because clap would break the examples.
const AFTER_HELP: &str = "\
THE FILE
  A workbook (XLSX), or CSV separated by commas, semicolons, tabs or |, in
  UTF-8, UTF-16 or Windows-1252; the format is detected. One of its first twenty
  rows names the columns, in any order:
    needed    NIK or NO PASPOR, NAMA, TANGGAL LAHIR, JENIS KELAMIN; also NIP for
              civil servants, and UPAH for wage earners of other employers
    optional  TEMPAT LAHIR, UNIT KERJA, GOLONGAN, GAJI POKOK, TMT, NO HP
  The usual variants (NO. KTP, TGL LAHIR, L/P, SKPD, …), English names and the
  field names of the API are known too. Other columns are ignored. Dates are
  day, month, year (01/11/2014), or ISO (2014-11-01). NIK and NIP have to be
  text: spreadsheets round numbers that long, and a file with rounded numbers is
  refused. Empty rows do not count. Of several sheets, exactly one may have such
  a header.

MONTHLY LISTS
  With --monthly-list the file has all people of a payer in one month. It may
  also have the columns HARI TERAKHIR, SEBAB KELUAR, PROVINSI and BLTH. Joiners
  are enrolled, leavers end, and other wages and provinces are recorded.
  People who are registered and not in the list stay enrolled.

EXIT CODES
  0  every row is enrolled, or was enrolled before; of a plan: would be
  1  some rows were refused, or the onboarding was stopped; the others are
     enrolled, or of a plan would be: a plan enrolls nobody
  2  the file or the request was refused as a whole; nobody was enrolled
  3  the registry cannot be reached, or failed; send the same command again

EXAMPLES
  An empty roster to fill in, which keeps spreadsheets from rounding numbers:
    registry onboard --template roster.xlsx
  What would happen, and what is wrong with which rows:
    registry onboard roster.csv --employer bTE --channel KW-SUMBAGSEL \\
      --province 16 --starts-on 2014-11-01 --plan
  Enroll, and write the refused rows to a file:
    registry onboard roster.csv --employer bTE --channel KW-SUMBAGSEL \\
      --province 16 --starts-on 2014-11-01 --report refused.csv
  The same for the refused rows, once they are corrected:
    registry onboard refused.csv --employer bTE --channel KW-SUMBAGSEL \\
      --province 16 --starts-on 2014-11-01
  What a payroll has changed in a month, and only that to a file:
    registry onboard october.xlsx --monthly-list 2014-10 --employer bTE \\
      --channel KW-SUMBAGSEL --province 16 --plan --differences changed.csv";

/// Enroll the people of a roster, thousands at a time: of an employer, of an association, or who pay for themselves.
///
/// Each row is judged by itself: valid rows do not wait for invalid ones, and each refused row lists all its problems.
/// Up to 10,000 rows are written in one transaction, larger files in chunks: run an interrupted command again, and it
/// continues. A person who already has this enrollment is not enrolled twice.
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct Onboard {
    #[command(flatten)]
    pub(super) request: Option<Request>,
    /// Write an empty roster of this --segment and --category, or with --monthly-list an empty list, to this file, .xlsx or
    /// .csv, and do nothing else
    // Not `exclusive`: settings from the environment would count as arguments.
    #[arg(long, value_name = "FILE", conflicts_with = "Request")]
    pub(super) template: Option<PathBuf>,
    #[command(flatten)]
    pub(super) kind: KindArgs,
    #[command(flatten)]
    pub(super) limits: RosterLimits,
}

/// The kind of a roster or template.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(super) struct KindArgs {
    /// The segment of the people: by default SELF_EMPLOYED with --association, and WAGE_EARNER otherwise
    #[arg(long, value_name = "NAME", ignore_case = true,
          value_parser = one_of::<Segment>(Segment::VARIANTS.iter().map(Into::into)))]
    pub(super) segment: Option<Segment>,
    /// The category of government staff: by default PNS
    #[arg(long, value_name = "NAME", ignore_case = true,
          value_parser = one_of::<CivilServantCategory>(CivilServantCategory::VARIANTS.iter().map(Into::into)))]
    pub(super) category: Option<CivilServantCategory>,
    /// The file is the monthly list of its payer, with all its people in this month: 2014-10
    ///
    /// The registry compares it with the people who are registered with that payer, in the segment and category of the list.
    /// People who are not in the list stay enrolled.
    #[arg(long, value_name = "MONTH", value_parser = parse_month)]
    pub(super) monthly_list: Option<NaiveDate>,
}

impl KindArgs {
    /// Returns what the rows of the file are.
    pub(super) fn file(self) -> OnboardingKind {
        if self.monthly_list.is_some() { OnboardingKind::MonthlyList } else { OnboardingKind::Roster }
    }
}

/// The roster to onboard, and its terms.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Request {
    /// The roster
    #[arg(required = false, required_unless_present = "template")]
    pub(super) file: PathBuf,
    /// Their employer: its id in the API, as in `employers { nodes { id name } }`
    #[arg(long, value_name = "ID", value_parser = parse_employer)]
    pub(super) employer: Option<i64>,
    /// Their association: its id in the API, as in `associations { nodes { id name } }`
    #[arg(long, value_name = "ID", value_parser = parse_association)]
    pub(super) association: Option<i64>,
    /// The channel that brings them in, as in `channels { nodes { code name } }`
    #[arg(long, value_name = "CODE", required = false, required_unless_present = "template")]
    pub(super) channel: String,
    /// The province where they live, two digits: 16 is South Sumatra
    #[arg(long, value_name = "CODE", required = false, required_unless_present = "template")]
    pub(super) province: String,
    /// First day for rows without one of their own (TMT): 2014-11-01. Of a monthly list, by default that of the month
    #[arg(long, value_name = "DATE", value_parser = parse_date, required_unless_present_any = ["template", "monthly_list"])]
    pub(super) starts_on: Option<NaiveDate>,
    /// The programmes that cover them; separate several with commas, or repeat the option
    #[arg(long = "programme", value_name = "NAME", value_delimiter = ',', ignore_case = true,
          default_values = ["WORK_ACCIDENT", "DEATH"], value_parser = one_of::<Programme>(Programme::VARIANTS.iter().map(Into::into)))]
    pub(super) programmes: Vec<Programme>,
    /// The first contributions were collected with the forms: the enrollments start active
    #[arg(long)]
    pub(super) first_contribution_paid: bool,
    /// Enroll nobody if any row is refused
    #[arg(long)]
    pub(super) all_or_nothing: bool,
    /// Show what would happen, and enroll nobody
    ///
    /// A file with more than 10,000 rows is staged meanwhile, as a batch that cannot be approved. The rows are discarded
    /// at the end of the command, or later by the server if the command is interrupted.
    #[arg(long)]
    pub(super) plan: bool,
    /// Write the refused rows to this file, in the columns of the roster and with what is wrong with each
    ///
    /// Correct it in a spreadsheet and send it again. Apostrophes keep spreadsheets from rounding long numbers and from
    /// running cells as formulas; they are removed when the file is read. The file contains identity numbers, and only
    /// its owner can read it.
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,
    /// Write what differs from the registry to this file, .csv or .xlsx: who joins, leaves, changes or is absent
    ///
    /// It has the rows of a monthly list that change something or cannot be taken, with the wage before, and everybody who
    /// is absent. The file contains identity numbers and wages, and only its owner can read it.
    #[arg(long, value_name = "FILE", requires = "monthly_list")]
    pub(super) differences: Option<PathBuf>,
    /// Also print the outcomes by work unit
    #[arg(long)]
    pub(super) by_work_unit: bool,
    /// Makes retries safe: 16 to 255 characters, the same for each retry of the same request
    ///
    /// By default the key is derived from the name and the rows of the file and from the other arguments, with a secret
    /// of the installation: the same command answers with the same batch again and does not judge its rows again. To
    /// have them judged again, pass another key. A plan needs no key, because each one is a new request.
    #[arg(long, value_name = "KEY")]
    pub(super) idempotency_key: Option<String>,
    /// The kind, which a template has as well.
    #[arg(skip)]
    pub(super) kind: KindArgs,
}

impl Request {
    /// Returns the terms that all rows share.
    pub(super) fn terms(&self) -> RosterTerms {
        RosterTerms {
            employer: self.employer,
            channel_code: self.channel.clone(),
            province_code: self.province.clone(),
            programmes: self.programmes.clone(),
            category: self.kind.category,
            starts_on: self
                .starts_on
                .or(self.kind.monthly_list)
                .expect("the parser accepts neither only with a template"),
            first_contribution_paid: self.first_contribution_paid,
            association: self.association,
            segment: self.kind.segment,
        }
    }
}

fn parse_employer(id: &str) -> Result<i64, &'static str> {
    employer_id(id).map_err(|_| "this is not the id of an employer; copy the id from the API")
}

fn parse_association(id: &str) -> Result<i64, &'static str> {
    association_id(id).map_err(|_| "this is not the id of an association; copy the id from the API")
}

fn parse_date(text: &str) -> Result<NaiveDate, &'static str> {
    text.parse().map_err(|_| "write it as 2014-11-01 (year, month, day)")
}

fn parse_month(text: &str) -> Result<NaiveDate, &'static str> {
    monthly_list::parse_month(text, "month").map_err(|_| "write it as 2014-10 (year, month)")
}

/// Returns a parser for the names of an enum, in upper or lower case.
fn one_of<T>(names: impl Iterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = strum::ParseError> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.to_uppercase().parse())
}

impl Onboard {
    /// Writes the template if the arguments name one. This needs no registry.
    pub fn without_registry(&self) -> Option<ExitCode> {
        let of = (self.kind.segment, self.kind.category);
        self.template.as_deref().map(|path| template_file::write(path, self.kind.file(), of))
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser};

    use super::super::REFUSED;
    use super::*;

    #[derive(Parser)]
    struct Registry {
        #[command(flatten)]
        onboard: Onboard,
    }

    const ARGS: &str = "onboard roster.csv --employer bTE --channel C --province 16 --starts-on 2014-11-01";

    fn parse(more: &str) -> Result<Request, clap::Error> {
        let args = ARGS.split(' ').chain(more.split_whitespace());
        Registry::try_parse_from(args).map(|registry| {
            let Onboard { request, kind, .. } = registry.onboard;
            Request { kind, ..request.unwrap() }
        })
    }

    #[test]
    fn a_template_needs_no_other_argument_and_a_roster_needs_all() {
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
        assert_eq!((args.employer, args.association), (Some(1), None));
        assert_eq!(args.programmes, [Programme::WorkAccident, Programme::Death]);
        assert!(!args.first_contribution_paid && !args.all_or_nothing && !args.plan);
    }

    #[test]
    fn a_monthly_list_begins_with_its_month_unless_a_first_day_is_given() {
        let day = |text: &str| Some(text.parse().unwrap());
        let list = "onboard list.csv --employer bTE --channel C --province 16 --monthly-list 2014-10";
        let Onboard { request, kind, .. } = Registry::try_parse_from(list.split(' ')).unwrap().onboard;
        let request = Request { kind, ..request.unwrap() };
        assert_eq!(
            (kind.monthly_list, Some(request.terms().starts_on)),
            (day("2014-10-01"), day("2014-10-01"))
        );
        assert_eq!(Some(parse("--monthly-list 10/2014").unwrap().terms().starts_on), day("2014-11-01"));
        assert!(
            Registry::try_parse_from("onboard --template x.csv --monthly-list 2014-10".split(' ')).is_ok()
        );
        for bad in ["--monthly-list October", "--monthly-list", "--differences x.csv"] {
            assert_eq!(parse(bad).unwrap_err().exit_code(), i32::from(REFUSED), "{bad}");
        }
    }

    #[test]
    fn names_are_read_in_any_case_and_unknown_ones_are_refused() {
        let args = parse("--category pppk --programme death,OLD_AGE --programme pension").unwrap();
        assert_eq!(args.kind.category, Some(CivilServantCategory::Pppk));
        assert_eq!(args.programmes, [Programme::Death, Programme::OldAge, Programme::Pension]);
        for bad in ["--category ASN", "--programme JKK", "--employer cDE", "--starts-on 01/11/2014"] {
            let error = parse(bad).unwrap_err();
            assert_eq!(error.exit_code(), i32::from(REFUSED), "{bad}");
        }
    }
}
