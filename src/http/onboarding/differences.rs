//! The differences of a monthly list from what is registered, as CSV or as a workbook: every row that changes something or
//! cannot be taken, and everybody who is absent. People outside of the caller's scope are not named.

use std::fs::File;
use std::io::{BufWriter, Seek as _};
use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use uuid::Uuid;

use super::report::error_of;
use super::spool::unnamed_file;
use super::{FileEndpoints, FileRequest};
use crate::graphql::code::RegistryCode;
use crate::graphql::node_id::{NodeId, batch_id};
use crate::http::language;
use crate::store::audit::{About, Trail};
use crate::store::onboarding::monthly::{self, DifferenceRecord};
use crate::store::onboarding::{self, BatchRow, staging};
use crate::store::participant::ParticipantColumns;
use crate::store::session::Session;
use crate::store::{Database, StoreError, participant};
use domain::access::Purpose;
use domain::actor::{Actor, Right};
use domain::language::Language;
use domain::monthly_list::ListChange;
use domain::onboarding::{OnboardingKind, Row, StagedRow};
use domain::page::{Direction, Order, Page, Position};
use roster::{Cell, CsvTable, WorkbookTable, visible_field};

/// The columns of the file.
const COLUMNS: [&str; 12] = [
    "row",
    "line",
    "change",
    "participantId",
    "identityNumber",
    "fullName",
    "lastDay",
    "leavingReason",
    "province",
    "wageBefore",
    "wageAfter",
    "problems",
];
/// Number of absent people that are read at once.
const ABSENT_AT_ONCE: usize = 1_000;

pub(super) async fn csv(
    State(endpoints): State<FileEndpoints>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    download(endpoints, &id, request, false).await
}

pub(super) async fn workbook(
    State(endpoints): State<FileEndpoints>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    download(endpoints, &id, request, true).await
}

async fn download(
    FileEndpoints(service): FileEndpoints,
    id: &str,
    request: Request,
    is_workbook: bool,
) -> Response {
    let context = FileRequest::of(&request);
    if !context.actor.may(Right::ReadOnboarding) {
        return context.refuse(StatusCode::FORBIDDEN, RegistryCode::Forbidden);
    }
    let Ok(id) = batch_id(id) else { return context.not_found() };
    let session = service.database.reading(&context.actor);
    let batch = match onboarding::by_ids(&session, &context.actor, &[id]).await {
        Ok(mut batches) => batches.remove(&id),
        Err(error) => return context.failed(&error),
    };
    let is_planned =
        |batch: &BatchRow| batch.kind == OnboardingKind::MonthlyList && batch.plan_digest.is_some();
    let Some(batch) = batch.filter(is_planned) else { return context.not_found() };
    if batch.discarded_at.is_some() {
        return context.refuse(StatusCode::GONE, RegistryCode::ReportGone);
    }
    let rows = differing(&batch);
    if let Err(refused) = context.pay(service.rate_limiter.as_deref(), rows.unsigned_abs().into()) {
        return *refused;
    }
    let purpose = request.extensions().get::<Purpose>();
    let reads_personal_data = purpose.is_some() && context.actor.reads_personal_data();
    let differences = Differences {
        database: Arc::clone(&service.database),
        reads_personal_data,
        language: language::accepted(&context.headers),
        session,
        actor: Arc::clone(&context.actor),
        batch,
    };
    let form = (is_workbook, service.settings.spool.clone());
    match differences.file(form, (purpose, context.id.uuid())).await {
        Ok(file) => answer(id, context.recipient().body_of_file(file), is_workbook),
        Err(error) => context.failed(&error),
    }
}

/// Returns the number of rows that differ, and of absent people.
fn differing(batch: &BatchRow) -> i32 {
    let summary = batch.list_summary.as_ref();
    let changes = summary.into_iter().flat_map(|summary| &summary.0.changes);
    changes.filter(|(change, _)| **change != ListChange::Unchanged).map(|(_, &rows)| rows).sum()
}

fn answer(id: i64, file: Body, is_workbook: bool) -> Response {
    let (form, media_type) = match is_workbook {
        true => ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        false => ("csv", "text/csv; charset=utf-8"),
    };
    let name = format!("attachment; filename=\"differences-{}.{form}\"", NodeId::Batch(id).encode().as_str());
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CONTENT_DISPOSITION, HeaderValue::try_from(name).expect("an id is a header value")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, file).into_response()
}

/// The differences of a planned list that the session may see, for an actor.
pub struct Differences {
    /// The database.
    pub database: Arc<Database>,
    /// Where they are read.
    pub session: Session,
    /// The caller. A client that sent the list gets back what it sent.
    pub actor: Arc<Actor>,
    /// The list.
    pub batch: BatchRow,
    /// Whether identity numbers and wages are shown that the actor did not send.
    pub reads_personal_data: bool,
    /// Language of the problems.
    pub language: Language,
}

/// A file in a form, while it is written.
enum Sheet {
    Csv(Box<CsvTable<BufWriter<File>>>, File),
    Workbook(Box<WorkbookTable>, PathBuf),
}

impl Sheet {
    fn new(is_workbook: bool, spool: PathBuf) -> std::io::Result<Self> {
        if is_workbook {
            return Ok(Self::Workbook(Box::new(WorkbookTable::new(&spool, "differences", &COLUMNS)?), spool));
        }
        let file = unnamed_file(&spool)?;
        let table = CsvTable::new(BufWriter::new(file.try_clone()?), &COLUMNS)?;
        Ok(Self::Csv(Box::new(table), file))
    }

    fn write(&mut self, row: &[Cell<'_>]) -> std::io::Result<()> {
        match self {
            Self::Csv(table, _) => table.write(row),
            Self::Workbook(table, _) => table.write(row),
        }
    }

    /// Returns the file at its beginning.
    fn finish(self) -> std::io::Result<File> {
        let mut file = match self {
            Self::Csv(mut table, file) => {
                table.flush()?;
                file
            }
            Self::Workbook(table, spool) => {
                let file = unnamed_file(&spool)?;
                table.save(BufWriter::new(&file))?;
                file
            }
        };
        file.rewind()?;
        Ok(file)
    }
}

impl Differences {
    fn is_own(&self) -> bool {
        self.batch.submitted_by == self.actor.client
    }

    /// Writes a file without a name into a folder, as a workbook or as CSV. The audit entry is written before the file is
    /// returned.
    ///
    /// # Errors
    /// The database failed, or the folder cannot be written to.
    pub async fn file(
        self,
        (is_workbook, spool): (bool, PathBuf),
        (purpose, request_id): (Option<&Purpose>, Uuid),
    ) -> Result<File, StoreError> {
        let about = About {
            operation: format!(
                "onboardingReport {} differences rows={}",
                NodeId::Batch(self.batch.id).encode().as_str(),
                differing(&self.batch)
            ),
            purpose: purpose.map(|purpose| purpose.as_str().to_owned()),
            request_id,
        };
        let trail = Trail::new(&self.database.journal, &self.session, Arc::clone(&self.actor), about);
        let report = Arc::new(self);
        let sheet = in_background(move || Sheet::new(is_workbook, spool)).await?;
        let sheet = report.write_rows(sheet).await?;
        let sheet = report.write_absent(sheet).await?;
        let file = in_background(move || sheet.finish()).await?;
        trail.close_unnamed().await?;
        Ok(file)
    }

    /// Writes the rows that differ, chunk by chunk.
    async fn write_rows(self: &Arc<Self>, mut sheet: Sheet) -> Result<Sheet, StoreError> {
        let mut next_row = 1;
        while let Some(chunk) = staging::find(&self.database.writer, self.batch.id, next_row).await? {
            next_row = chunk.first_row.saturating_add(1);
            let numbers = (chunk.first_row, chunk.first_row.saturating_add(chunk.rows - 1));
            let differences =
                monthly::differences((&self.session, &self.actor), self.batch.id, numbers).await?;
            let report = Arc::clone(self);
            let write = move || {
                let (staged, _) = staging::open(&report.database.keys, report.batch.id, &chunk)
                    .map_err(std::io::Error::other)?;
                for difference in &differences {
                    let staged = staged
                        .binary_search_by_key(&difference.number, |row| row.number)
                        .map(|at| &staged[at]);
                    report.write_row(&mut sheet, difference, staged.ok())?;
                }
                Ok(sheet)
            };
            sheet = in_background(write).await?;
        }
        Ok(sheet)
    }

    fn write_row(
        &self,
        sheet: &mut Sheet,
        difference: &DifferenceRecord,
        staged: Option<&StagedRow>,
    ) -> std::io::Result<()> {
        let row = staged.map(StagedRow::row).unwrap_or_default();
        let change = match self.actor.scope.sees_all_payers() {
            true => difference.change,
            false => difference.change.without_elsewhere(),
        };
        let problems = difference.problems.as_ref().map(|problems| problems.0.as_slice()).unwrap_or_default();
        let columns = self.batch.columns.as_deref().unwrap_or_default();
        let (is_readable, wages) =
            (staged.is_some_and(|staged| !staged.is_unreadable()), self.reads_personal_data);
        let wage =
            |wage: Option<i64>, is_told: bool| wage.filter(|_| is_told).map_or(Cell::Empty, Cell::Number);
        let text = |text: Option<String>| text.map_or(Cell::Empty, Cell::from);
        let cell = |field: &str, sent: Option<String>| {
            text(sent.filter(|_| is_readable).map(|sent| self.shown(field, sent)))
        };
        sheet.write(&[
            Cell::Number(difference.number.into()),
            difference.line.map_or(Cell::Empty, |line| Cell::Number(line.into())),
            <&str>::from(change).into(),
            text(difference.participant_id.map(|id| NodeId::Participant(id).encode().to_string())),
            self.number(&row),
            cell("fullName", Some(row.full_name)),
            cell("lastDay", row.last_day),
            cell("leavingReason", row.leaving_reason),
            cell("province", row.province),
            wage(difference.wage_before, wages && difference.participant_id.is_some()),
            wage(difference.wage_after, wages || self.is_own()),
            error_of(problems, columns, self.language).into(),
        ])
    }

    /// Returns the identity number of a row.
    fn number(&self, row: &Row) -> Cell<'static> {
        match &row.passport_number {
            Some(number) => self.shown("passportNumber", number.clone()).into(),
            None => self.shown("nationalId", row.national_id.clone()).into(),
        }
    }

    /// Returns the text of a field as far as it is visible: as it was sent for its sender, otherwise as
    /// `OnboardingRow.content` shows it.
    fn shown(&self, field: &str, sent: String) -> String {
        if self.is_own() || self.reads_personal_data { sent } else { visible_field(field, &sent) }
    }

    /// Writes the absent people whom the caller may see.
    async fn write_absent(self: &Arc<Self>, mut sheet: Sheet) -> Result<Sheet, StoreError> {
        let mut after = None;
        loop {
            let page = Page {
                size: ABSENT_AT_ONCE,
                backward: false,
                extra_row: true,
                after,
                before: None,
                order: Order::Id,
                direction: Direction::Ascending,
            };
            let mut slices =
                monthly::absent_of((&self.session, &self.actor), &[self.batch.id], &page).await?;
            let Some(slice) = slices.remove(&self.batch.id) else { return Ok(sheet) };
            let ids: Vec<i64> = slice.rows.iter().map(|absent| absent.participant_id).collect();
            let Some(&last) = ids.last() else { return Ok(sheet) };
            let people =
                participant::by_ids(&self.session, &self.actor, &ids, ParticipantColumns::NAME).await?;
            let write = move || {
                for person in ids.iter().filter_map(|id| people.get(id)) {
                    let mut cells = vec![Cell::Empty; COLUMNS.len()];
                    cells[2] = <&str>::from(ListChange::Absent).into();
                    cells[3] = NodeId::Participant(person.id).encode().to_string().into();
                    cells[5] = person.full_name.get().clone().into();
                    sheet.write(&cells)?;
                }
                Ok(sheet)
            };
            sheet = in_background(write).await?;
            if !slice.has_next {
                return Ok(sheet);
            }
            after = Some(Position::of_id(last));
        }
    }
}

/// Runs work on thousands of rows on another thread, so that other requests do not wait for it.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|_| StoreError::Fault("writing differences was interrupted".into()))?;
    done.map_err(|_| StoreError::Fault("differences cannot be written".into()))
}
