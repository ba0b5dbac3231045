//! Monthly lists: what their plan shows, and the decision for absent people.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use strum::VariantArray as _;

use super::OnboardingBatch;
use crate::actions::onboarding::EndAbsent;
use crate::graphql::caller::Caller;
use crate::graphql::connection::{PageArguments, Total, load_counted};
use crate::graphql::context::{caller, request};
use crate::graphql::contribution::RuleCitation;
use crate::graphql::enrollment::{EndReason, Programme};
use crate::graphql::error::FieldError;
use crate::graphql::input::{InputReader, Lenient};
use crate::graphql::loaders::{TotalOf, load_page};
use crate::graphql::node_id::{NodeId, participant_id};
use crate::graphql::participant::Participant;
use crate::graphql::prefetch::Relation;
use crate::graphql::scalar::{Date, Rupiah};
use crate::store::onboarding::BatchRow;
use crate::store::onboarding::monthly::AbsentRecord;
use chrono::NaiveDate;
use domain::monthly_list::{self as model, DueSums, Summary};
use domain::onboarding as onboarding_model;
use domain::page::{Direction, Order, Page, Position};

/// What the rows of a batch are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Enum)]
#[graphql(remote = "onboarding_model::OnboardingKind")]
pub enum OnboardingKind {
    /// People who join.
    #[default]
    Roster,
    /// All people of a payer in one month: who joins, who leaves, whose wage changes, who has moved.
    MonthlyList,
}

/// What a monthly list changes for a person. If several apply, LEAVES wins over MOVED, and MOVED over WAGE_CHANGES.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::ListChange")]
pub enum ListChange {
    /// Is not registered with the payer, and is enrolled when the list is applied. If the row also has a last day, the person
    /// came and left within the month: the enrollment ends too.
    Joins,
    /// Leaves: the row has a last day and a reason. The enrollment ends. If the row has another wage than is registered for the
    /// month, that wage is recorded before.
    Leaves,
    /// Has another wage than is registered for the month. So may somebody whose end is recorded already.
    WageChanges,
    /// Lives in another province than is registered. The wage may change too.
    Moved,
    /// Is registered as the row says. Nothing is changed.
    Unchanged,
    /// Joins, and has an open enrollment with another payer. Clients who see only their own enrollments get JOINS.
    Elsewhere,
    /// Cannot be taken as it is; see the row's problems. Nothing is changed.
    Problem,
    /// Is registered with the payer and is not in the list. Nothing is changed, unless the approver says so.
    Absent,
}

/// Number of rows of a monthly list with one kind of change.
#[derive(SimpleObject, rows::Row)]
pub struct ListChangeCount {
    /// The kind of change.
    change: ListChange,
    /// Number of rows. For ABSENT: number of people.
    rows: i32,
}

/// Contributions that are due for the month of a list, for one programme and all people together.
#[derive(SimpleObject, rows::Row)]
pub struct MonthlyDue {
    /// The programme.
    programme: Programme,
    /// Number of people.
    people: i32,
    /// Amount due from the employer.
    employer: Rupiah,
    /// Amount due from the workers.
    worker: Rupiah,
    /// Rule that determines the amounts.
    rule: RuleCitation,
}

/// Wages that fall by more than the limit of a rule.
#[derive(SimpleObject)]
pub struct FallenWages {
    /// Number of rows. `rows(filterBy: {code: [WAGE_FALLS]})` lists them.
    rows: i32,
    /// Limit in percent: a wage that falls by more is marked.
    percent: i32,
    /// The rule.
    rule: RuleCitation,
}

/// Somebody who is registered with the payer and is not in its list.
#[derive(Clone, Debug)]
pub struct AbsentParticipant {
    batch: i64,
    record: AbsentRecord,
    participant: Option<Participant>,
}

connection!(
    AbsentParticipantConnection,
    AbsentParticipantEdge,
    AbsentParticipant,
    "absent people",
    "absent person"
);

impl AbsentParticipant {
    /// Loads an absent person of a batch, if the batch is in the caller's scope.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn load(ctx: &Context<'_>, batch: i64, person: i64) -> Result<Option<Self>, FieldError> {
        if OnboardingBatch::load(ctx, batch).await?.is_none() {
            return Ok(None);
        }
        let page = Page {
            size: 1,
            backward: false,
            extra_row: false,
            after: person.checked_sub(1).map(Position::of_id),
            before: None,
            order: Order::Id,
            direction: Direction::Ascending,
        };
        let slice = load_page(&request(ctx).loaders.absent_pages, batch, (), &page).await?;
        let Some(record) = slice.rows.into_iter().find(|record| record.participant_id == person) else {
            return Ok(None);
        };
        let participant = Participant::load(ctx, person).await?;
        Ok(Some(Self { batch, record, participant }))
    }
}

/// Somebody who is registered with the payer and is not in its list.
#[rows::row]
#[Object]
impl AbsentParticipant {
    /// Opaque, stable id.
    pub(in crate::graphql) async fn id(&self) -> ID {
        NodeId::Absent(self.batch, self.record.participant_id).encode()
    }

    /// The person. Null if the person is not in your scope any more.
    fn participant(&self) -> Option<&Participant> {
        self.participant.as_ref()
    }

    /// Whether the enrollment with the payer ends, as the approver decided.
    fn ends(&self) -> bool {
        self.record.ends
    }

    /// Whether the enrollment was ended. False: it was not, because the registry has changed since the plan. Null: not yet,
    /// or not asked for.
    fn ended(&self) -> Option<bool> {
        self.record.ended
    }
}

/// The absent people whose enrollments end: all of them, or some.
#[derive(InputObject)]
pub struct EndAbsentInput {
    /// End the enrollments of all absent people.
    #[graphql(default)]
    all: bool,
    /// End the enrollments of these absent people: at most 10,000.
    participant_ids: Option<Vec<ID>>,
    /// First day on which the enrollments are no longer in force.
    on: Lenient<Date>,
    /// Reason of the end. Not DECEASED, TRANSFERRED or ENROLLED_IN_ERROR, which absence does not prove.
    reason: EndReason,
}

impl EndAbsentInput {
    pub(super) fn read(self, today: NaiveDate, reader: &mut InputReader) -> EndAbsent {
        let ids = self.participant_ids.unwrap_or_default().into_iter().enumerate();
        let id =
            |(at, id): (usize, ID)| reader.id(id, participant_id, &format!("endAbsent.participantIds.{at}"));
        let participants = ids.map(id).collect();
        EndAbsent {
            all: self.all,
            participants,
            on: reader.scalar(self.on, "endAbsent.on").unwrap_or(today),
            reason: self.reason.into(),
        }
    }
}

/// Returns what a row is, as the caller may see it.
pub(super) fn visible_change(caller: &Caller, change: model::ListChange) -> ListChange {
    if caller.actor.scope.sees_all_payers() { change } else { change.without_elsewhere() }.into()
}

/// Returns the changes that rows are filtered by. A caller who sees ELSEWHERE as JOINS gets both.
pub(super) fn changes_asked(caller: &Caller, changes: Vec<model::ListChange>) -> Vec<model::ListChange> {
    use model::ListChange::{Absent, Elsewhere, Joins};
    if changes.is_empty() || caller.actor.scope.sees_all_payers() {
        return changes;
    }
    let joins = changes.contains(&Joins);
    let others = changes.into_iter().filter(|&change| change != Elsewhere);
    let mut visible: Vec<_> = others.chain(joins.then_some(Elsewhere)).collect();
    if visible.is_empty() {
        // No row is absent: nothing matches.
        visible.push(Absent);
    }
    visible
}

/// Returns the figures of a planned list.
fn summary(batch: &BatchRow) -> Option<&Summary> {
    batch.list_summary.as_ref().filter(|_| batch.plan_digest.is_some()).map(|summary| &summary.0)
}

/// Returns the number of rows by kind of change, and of the absent people whom the caller sees.
///
/// # Errors
/// The database is unavailable.
pub(super) async fn changes(ctx: &Context<'_>, batch: &BatchRow) -> Result<Vec<ListChangeCount>, FieldError> {
    let Some(summary) = summary(batch) else { return Ok(Vec::new()) };
    let caller = caller(ctx);
    let absent = match summary.count(model::ListChange::Absent) {
        some if some > 0 && !caller.actor.scope.is_everything() => {
            Total::Nested(TotalOf::Absent(batch.id)).count(ctx).await?
        }
        all => all,
    };
    let is_visible = |change: &&model::ListChange| {
        caller.actor.scope.sees_all_payers() || **change != model::ListChange::Elsewhere
    };
    let count = |&change: &model::ListChange| {
        let hidden = match change {
            model::ListChange::Joins if !caller.actor.scope.sees_all_payers() => {
                summary.count(model::ListChange::Elsewhere)
            }
            _ => 0,
        };
        let rows = if change == model::ListChange::Absent { absent } else { summary.count(change) + hidden };
        ListChangeCount { change: change.into(), rows }
    };
    Ok(model::ListChange::VARIANTS.iter().filter(is_visible).map(count).collect())
}

/// Number of people below which a sum would tell a wage.
const FEW: i32 = 5;

/// Returns what is due before the list.
pub(super) fn due_before(caller: &Caller, batch: &BatchRow) -> Option<Vec<MonthlyDue>> {
    let summary = summary(batch)?;
    let is_few = people(&summary.before) < FEW;
    (!is_few || caller.reads_personal_data()).then(|| due(&summary.before))
}

/// Returns what is due by the list. The difference to what was due must not tell the wage of a few people either.
pub(super) fn due_after(caller: &Caller, batch: &BatchRow) -> Option<Vec<MonthlyDue>> {
    let summary = summary(batch)?;
    let changed: i32 =
        summary.changes.iter().filter(|(change, _)| change.is_applied()).map(|(_, &rows)| rows).sum();
    let is_few = people(&summary.after) < FEW || (1..FEW).contains(&changed);
    (!is_few || caller.reads_personal_data()).then(|| due(&summary.after))
}

fn people(sums: &DueSums) -> i32 {
    let most = sums.by_programme().map(|due| due.people).max().unwrap_or_default();
    i32::try_from(most).unwrap_or(i32::MAX)
}

fn due(sums: &DueSums) -> Vec<MonthlyDue> {
    let due = |due: &model::Due| MonthlyDue {
        programme: due.programme.into(),
        people: i32::try_from(due.people).unwrap_or(i32::MAX),
        employer: Rupiah(due.employer),
        worker: Rupiah(due.worker),
        rule: due.rule.clone().into(),
    };
    sums.by_programme().map(due).collect()
}

/// Returns the wages that fall too far, by the rule of the month.
pub(super) fn fallen_wages(caller: &Caller, batch: &BatchRow) -> Option<FallenWages> {
    let (summary, month) = summary(batch).zip(batch.month)?;
    let rule = caller.reference.rules.wage_fall(month)?;
    Some(FallenWages {
        rows: summary.fallen_wages,
        percent: i32::try_from(rule.percent).unwrap_or(i32::MAX),
        rule: rule.citation.clone().into(),
    })
}

/// Returns a page of absent people.
pub(super) async fn absent(
    ctx: &Context<'_>,
    batch: &OnboardingBatch,
    arguments: &PageArguments,
    shown: impl FnOnce(Page) -> Page,
) -> Result<AbsentParticipantConnection, FieldError> {
    let page = shown(arguments.page(Order::Id, Direction::Ascending)?);
    let loaders = &request(ctx).loaders;
    let total = Total::Nested(TotalOf::Absent(batch.0.id));
    let slice = load_page(&loaders.absent_pages, batch.0.id, (), &page);
    let (slice, total) = load_counted(ctx, slice, total).await?;
    let ids = slice.rows.iter().map(|record| record.participant_id);
    let people = Relation::load(&ctx.look_ahead(), "participant", &loaders.participants, ids).await?;
    let slice = slice.map(|record| {
        let participant = people.get(Some(record.participant_id)).map(Participant::new);
        (Position::of_id(record.participant_id), AbsentParticipant { batch: batch.0.id, record, participant })
    });
    Ok(AbsentParticipantConnection::new(slice, &page, total))
}

/// Returns a wage of a row, if the caller may read it.
pub(super) fn wage(ctx: &Context<'_>, wage: Option<i64>) -> Option<Rupiah> {
    wage.filter(|_| caller(ctx).reads_personal_data()).map(Rupiah)
}
