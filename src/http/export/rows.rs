//! The rows of an export: read from a snapshot, and written as cells under the rights of the caller.

use std::borrow::Cow;
use std::io;

use chrono::{DateTime, Datelike as _, NaiveDate, SecondsFormat, Utc};
use roster::Cell;

use super::sheet::Sheet;
use crate::graphql::caller::Caller;
use crate::graphql::employer::visible_tax_number;
use crate::graphql::export::{Dataset, Selection};
use crate::graphql::node_id::NodeId;
use crate::store::StoreError;
use crate::store::employer::{self, EmployerRow};
use crate::store::enrollment::{self, ExportedEnrollment};
use crate::store::keys::{NumberKind, WrongKey};
use crate::store::participant::{self, ParticipantRow};
use crate::store::snapshot::Snapshot;
use domain::employer::Classification;
use domain::participant::CardNumber;

/// Rows that are read and written at a time. Three pieces are in memory at once; smaller ones are no faster.
const PIECE: u32 = 2_000;

/// Some rows of an export.
pub(super) enum Rows {
    Participants(Vec<ParticipantRow>),
    Enrollments(Vec<ExportedEnrollment>),
    Contributions(Vec<ExportedEnrollment>),
    Employers(Vec<EmployerRow>),
}

/// Counts the rows of an export; of contributions, the most that there can be.
pub(super) async fn count(
    snapshot: &mut Snapshot,
    caller: &Caller,
    dataset: Dataset,
    selection: &Selection,
) -> Result<u64, StoreError> {
    let actor = &caller.actor;
    let count = match selection {
        Selection::Participants(filter) => {
            snapshot.count(|sql| participant::push_count(sql, actor, filter)).await?
        }
        Selection::Enrollments(selection) if dataset == Dataset::Contributions => {
            snapshot.count(|sql| enrollment::push_count_of_programmes(sql, actor, selection)).await?
        }
        Selection::Enrollments(selection) => {
            snapshot.count(|sql| enrollment::push_count(sql, actor, selection)).await?
        }
        Selection::Employers(filter) => snapshot.count(|sql| employer::push_count(sql, filter)).await?,
        Selection::Coverage(_) => 0,
    };
    Ok(count.unsigned_abs())
}

/// Starts to read the rows of an export.
pub(super) async fn select(
    snapshot: &mut Snapshot,
    caller: &Caller,
    selection: &Selection,
) -> Result<(), StoreError> {
    let actor = &caller.actor;
    match selection {
        Selection::Participants(filter) => {
            snapshot.select("participants", |sql| participant::push_all(sql, actor, filter)).await
        }
        Selection::Enrollments(selection) => {
            snapshot.select("enrollments", |sql| enrollment::push_all(sql, actor, selection)).await
        }
        Selection::Employers(filter) => {
            snapshot.select("employers", |sql| employer::push_all(sql, filter)).await
        }
        Selection::Coverage(_) => Err(StoreError::Fault("coverage has no snapshot".into())),
    }
}

impl Rows {
    /// Reads the next rows.
    pub(super) async fn next(snapshot: &mut Snapshot, dataset: Dataset) -> Result<Self, StoreError> {
        Ok(match dataset {
            Dataset::Participants => Self::Participants(snapshot.next(PIECE).await?),
            Dataset::Enrollments => Self::Enrollments(snapshot.next(PIECE).await?),
            Dataset::Contributions => Self::Contributions(snapshot.next(PIECE).await?),
            Dataset::Employers | Dataset::Coverage => Self::Employers(snapshot.next(PIECE).await?),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Participants(rows) => rows.is_empty(),
            Self::Enrollments(rows) | Self::Contributions(rows) => rows.is_empty(),
            Self::Employers(rows) => rows.is_empty(),
        }
    }

    /// The people whom the rows are about.
    pub(super) fn people(&self) -> Vec<i64> {
        match self {
            Self::Participants(rows) => rows.iter().map(|row| row.id).collect(),
            Self::Enrollments(rows) | Self::Contributions(rows) => {
                rows.iter().map(|row| row.row.participant_id).collect()
            }
            Self::Employers(_) => Vec::new(),
        }
    }

    /// Writes the rows.
    pub(super) fn write(&self, caller: &Caller, sheet: &mut Sheet) -> Result<(), WriteError> {
        match self {
            Self::Participants(rows) => {
                rows.iter().try_for_each(|row| Ok(sheet.write(&participant_cells(caller, row)?)?))
            }
            Self::Enrollments(rows) => {
                rows.iter().try_for_each(|row| Ok(sheet.write(&enrollment_cells(caller, row)?)?))
            }
            Self::Contributions(rows) => {
                rows.iter().try_for_each(|row| Ok(write_contributions(caller, row, sheet)?))
            }
            Self::Employers(rows) => {
                rows.iter().try_for_each(|row| Ok(sheet.write(&employer_cells(caller, row)?)?))
            }
        }
    }
}

/// Why rows cannot be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error("an export cannot be written")]
    Io(#[from] io::Error),
    #[error("a number is encrypted with another key")]
    Key(#[from] WrongKey),
}

fn participant_cells<'a>(caller: &Caller, row: &'a ParticipantRow) -> Result<[Cell<'a>; 14], WriteError> {
    let open = |kind, sealed: Option<&[u8]>| {
        let number = sealed.map(|sealed| caller.database.keys.open(kind, sealed)).transpose()?;
        Ok::<_, WriteError>(optional(number.map(|number| caller.visible_number(number))))
    };
    let birth_date = Some(*row.birth_date.get()).filter(|_| caller.reads_personal_data());
    Ok([
        id(NodeId::Participant(row.id)),
        card_number(row.id),
        open(NumberKind::NationalId, row.national_id.get().as_deref())?,
        row.full_name.get().as_str().into(),
        day(birth_date),
        Cell::Number(row.birth_date.get().year().into()),
        <&str>::from(*row.sex.get()).into(),
        <&str>::from(*row.status.get()).into(),
        province(caller, *row.province_id.get()),
        channel(caller, *row.channel_id.get()),
        optional(row.employer_id.get().map(|id| NodeId::Employer(id).encode().0)),
        optional(row.association_id.get().map(|id| NodeId::Association(id).encode().0)),
        moment(*row.registered_at.get()),
        open(NumberKind::Passport, row.passport_number.get().as_deref())?,
    ])
}

fn enrollment_cells<'a>(
    caller: &Caller,
    exported: &'a ExportedEnrollment,
) -> Result<[Cell<'a>; 20], WriteError> {
    let row = &exported.row;
    let sealed = row.service_number.as_deref().filter(|_| row.civil_servant.is_some());
    let number =
        sealed.map(|sealed| caller.database.keys.open(NumberKind::ServiceNumber, sealed)).transpose()?;
    let wage = if caller.reads_personal_data() { row.wages().current(caller.today()) } else { None };
    let of_civil_servant = |text: &'a Option<String>| text.as_deref().filter(|_| row.civil_servant.is_some());
    Ok([
        id(NodeId::Enrollment(row.participant_id, row.id)),
        id(NodeId::Participant(row.participant_id)),
        card_number(row.participant_id),
        <&str>::from(row.segment).into(),
        <&str>::from(row.status).into(),
        joined(row.programmes.iter().map(|&programme| programme.into())),
        payer(exported),
        optional(exported.payer.as_deref()),
        province(caller, row.province_id),
        channel(caller, row.channel_id),
        day(Some(row.starts_on)),
        day(row.ends_on),
        optional(row.end_reason.map(<&str>::from)),
        day(row.paid_through),
        wage.map_or(Cell::Empty, Cell::Number),
        optional(row.civil_servant.map(<&str>::from)),
        optional(number.map(|number| caller.visible_number(number))),
        optional(of_civil_servant(&row.work_unit)),
        optional(of_civil_servant(&row.grade)),
        joined(row.flags.iter().flatten().map(String::as_str)),
    ])
}

/// Writes what is due for an enrollment: nothing of it to a caller who may not read wages.
fn write_contributions(caller: &Caller, exported: &ExportedEnrollment, sheet: &mut Sheet) -> io::Result<()> {
    if !caller.reads_personal_data() {
        return Ok(());
    }
    let (row, rules) = (&exported.row, &caller.reference.rules);
    let due = match row.wages().current(row.starts_on) {
        Some(wage) => {
            let counts_on = rules.employer_day(row.starts_on);
            let risk_class =
                exported.risk_class_on(counts_on).unwrap_or(Classification::NO_EMPLOYER.risk_class);
            rules.contributions(&row.programmes, row.segment, risk_class, wage, row.starts_on)
        }
        None => rules.flat_contributions(&row.programmes, row.segment, row.starts_on),
    };
    for due in &due {
        sheet.write(&[
            id(NodeId::Enrollment(row.participant_id, row.id)),
            id(NodeId::Participant(row.participant_id)),
            card_number(row.participant_id),
            payer(exported),
            optional(exported.payer.as_deref()),
            <&str>::from(due.programme).into(),
            Cell::Number(due.employer),
            Cell::Number(due.worker),
            if due.is_once { "ONCE" } else { "MONTHLY" }.into(),
            due.rule.code.as_str().into(),
            day(row.paid_through),
        ])?;
    }
    Ok(())
}

fn employer_cells<'a>(caller: &Caller, row: &'a EmployerRow) -> Result<[Cell<'a>; 10], WriteError> {
    Ok([
        id(NodeId::Employer(row.id)),
        row.name.as_str().into(),
        <&str>::from(row.kind).into(),
        optional(visible_tax_number(caller, row).transpose()?),
        optional(row.business_number.as_deref()),
        Cell::Number(row.risk_class.into()),
        province(caller, row.province_id),
        row.declared_headcount.map_or(Cell::Empty, |people| Cell::Number(people.into())),
        day(row.closed_on),
        moment(row.registered_at),
    ])
}

fn id<'a>(id: NodeId) -> Cell<'a> {
    id.encode().0.into()
}

fn card_number<'a>(participant: i64) -> Cell<'a> {
    CardNumber::from_key(participant).digits().into()
}

fn optional<'a>(text: Option<impl Into<Cow<'a, str>>>) -> Cell<'a> {
    text.map_or(Cell::Empty, Cell::from)
}

fn day<'a>(day: Option<NaiveDate>) -> Cell<'a> {
    optional(day.map(|day| day.to_string()))
}

fn moment<'a>(moment: DateTime<Utc>) -> Cell<'a> {
    moment.to_rfc3339_opts(SecondsFormat::Millis, true).into()
}

fn joined<'a>(words: impl Iterator<Item = &'a str>) -> Cell<'a> {
    words.collect::<Vec<_>>().join(" ").into()
}

fn payer<'a>(exported: &ExportedEnrollment) -> Cell<'a> {
    let employer = exported.row.employer_id.map(NodeId::Employer);
    let payer = employer.or(exported.row.association_id.map(NodeId::Association));
    payer.map_or(Cell::Empty, id)
}

fn province<'a>(caller: &Caller, id: i16) -> Cell<'a> {
    optional(caller.reference.province(id).map(|province| province.code.clone()))
}

fn channel<'a>(caller: &Caller, id: i64) -> Cell<'a> {
    optional(caller.reference.channel(id).map(|channel| channel.code.clone()))
}
