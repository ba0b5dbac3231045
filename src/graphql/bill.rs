//! Bills: what a payer owes for a month, and what of it is paid.

use async_graphql::{Context, ID, Object, OneofObject, Result, SimpleObject};
use chrono::{Datelike as _, NaiveDate};
use graphql_front::catalogue::Rules;
use strum::VariantArray as _;
use tokio::sync::OnceCell;

use super::caller::Caller;
use super::context::caller;
use super::contribution::RuleCitation;
use super::declarations::Declarations;
use super::enrollment::Programme;
use super::error::FieldError;
use super::input::Lenient;
use super::node_id::{association_id, employer_id, enrollment_id};
use super::problem::{UserError, user_errors};
use super::scalar::{Date, Rupiah, int};
use crate::actions::bill_contributions::{Balance, BillState, balance_before, bill_of};
use crate::actions::group_payment::{GroupPlan, quote};
use crate::actions::group_terms::{GroupTerms, Members};
use crate::store::bill::PayerId;
use domain::access::Right;
use domain::money as model;
use domain::money::PayerKind;
use domain::problem::Problem;

/// Key of a payer. Exactly one field must be set.
#[derive(OneofObject)]
pub enum PayerKey {
    /// Id of an employer.
    EmployerId(ID),
    /// Id of an association.
    AssociationId(ID),
}

impl PayerKey {
    fn read(self) -> Result<PayerId, FieldError> {
        Ok(match self {
            Self::EmployerId(id) => PayerId { kind: PayerKind::Employer, id: employer_id(&id)? },
            Self::AssociationId(id) => PayerId { kind: PayerKind::Association, id: association_id(&id)? },
        })
    }
}

/// What a payer owes for a month, and what of it is paid.
pub struct ContributionBill {
    state: BillState,
    today: NaiveDate,
    /// Read once for the fields that ask for it.
    before: OnceCell<Balance>,
}

impl ContributionBill {
    /// Returns the bill of a payer for a month, if the caller may see it.
    ///
    /// # Errors
    /// `FORBIDDEN`, or the database is unavailable.
    pub async fn of(caller: &Caller, payer: PayerId, month: NaiveDate) -> Result<Option<Self>, FieldError> {
        let today = caller.today();
        let rules = &caller.reference.rules;
        let state = bill_of(&caller.registry(), &caller.actor, (today, rules), payer, month).await;
        let state = state.map_err(FieldError::of_read)?;
        Ok(state.map(|state| Self { state, today, before: OnceCell::new() }))
    }

    /// Returns what is owed for the months before this one, and the money that pays for nothing.
    async fn before(&self, caller: &Caller) -> Result<&Balance, FieldError> {
        let (payer, month) = (self.state.payer.clone(), self.state.bill.month);
        let (session, rules) = (caller.bulk_registry(), &caller.reference.rules);
        let read = || balance_before(&session, (self.today, rules), payer, month);
        self.before.get_or_try_init(read).await.map_err(FieldError::from)
    }
}

/// What an employer or association owes for a month, and what of it is paid. It is the bill of all its people, whatever
/// people you see.
#[Object]
impl ContributionBill {
    /// First day of the month.
    fn month(&self) -> Date {
        self.state.bill.month.into()
    }

    /// Number of enrollments that are billed. A month is billed whole for people who join or leave within it, unless a rule
    /// says otherwise.
    fn people(&self) -> i32 {
        int(self.state.bill.people)
    }

    /// Number of billed enrollments without a recorded wage. Only amounts that do not depend on the wage are billed for them.
    fn people_without_wage(&self) -> i32 {
        int(self.state.bill.people_without_wage)
    }

    /// Sum of the monthly wages.
    fn wage_base(&self) -> Rupiah {
        Rupiah(self.state.bill.wage_base)
    }

    /// Amounts per programme, with the rules behind them.
    fn programmes(&self) -> Vec<BilledProgramme> {
        self.state.bill.lines.iter().map(BilledProgramme::of).collect()
    }

    /// Programmes that are mandatory by the size of the employer in this month, and that people lack. Nothing is billed for
    /// them. Empty where the size is not recorded.
    fn missing_programmes(&self) -> Vec<MissingProgramme> {
        self.state.bill.missing.iter().map(MissingProgramme::of).collect()
    }

    /// Contributions due from the employer.
    fn employer(&self) -> Rupiah {
        Rupiah(self.state.bill.employer())
    }

    /// Contributions due from the workers, or from the members of an association.
    fn worker(&self) -> Rupiah {
        Rupiah(self.state.bill.worker())
    }

    /// Number of billed enrollments whose month is neither paid nor recorded, such as members whom a group's payment left out, or whose
    /// month a former employer had paid.
    fn open_people(&self) -> i32 {
        int(self.state.bill.open_people)
    }

    /// Part of the total that is for the enrollments of `openPeople`.
    fn open(&self) -> Rupiah {
        Rupiah(self.state.bill.open)
    }

    /// All contributions of the month.
    fn total(&self) -> Rupiah {
        Rupiah(self.state.bill.total())
    }

    /// Part of the total that was recorded without a payment. It is not to be paid again.
    fn without_payment(&self) -> Rupiah {
        Rupiah(self.state.bill.without_payment)
    }

    /// Contributions that payments have paid.
    fn paid(&self) -> Rupiah {
        Rupiah(self.state.paid)
    }

    /// Contributions that are left to pay: the total, less what was recorded without a payment and what is paid. Fines are
    /// not included.
    fn left(&self) -> Rupiah {
        Rupiah((self.state.bill.payable() - self.state.paid).max(0))
    }

    /// What is owed for months before this one, fines left out. A payment clears these first.
    async fn owed_before(&self, ctx: &Context<'_>) -> Option<Result<Rupiah, FieldError>> {
        Some(self.before(caller(ctx)).await.map(|owed| Rupiah(owed.contributions)))
    }

    /// Fines of months before this one that are not paid. As of today for months that are not paid in full.
    async fn fines_owed_before(&self, ctx: &Context<'_>) -> Option<Result<Rupiah, FieldError>> {
        Some(self.before(caller(ctx)).await.map(|owed| Rupiah(owed.fines)))
    }

    /// Money of this payer that pays for nothing yet. It counts towards the next month or a fine.
    async fn unallocated(&self, ctx: &Context<'_>) -> Result<Rupiah, FieldError> {
        Ok(Rupiah(self.before(caller(ctx)).await?.unallocated))
    }

    /// Last day on which the month is paid in time. Null if no rule is known.
    fn due_on(&self) -> Option<Date> {
        self.state.due.as_ref().map(|due| Date(due.1))
    }

    /// Rule that determines the due day and the fine.
    fn due_rule(&self) -> Option<RuleCitation> {
        self.state.due.as_ref().map(|due| due.0.citation.clone().into())
    }

    /// Day of the last instalment, if all is paid.
    fn paid_on(&self) -> Option<Date> {
        self.state.paid_on.map(Date)
    }

    /// Fine of the month, for each started month after the due day. As of today, unless all contributions are paid.
    fn fine(&self) -> Rupiah {
        Rupiah(self.state.fine)
    }

    /// Part of the fine that is paid.
    fn fine_paid(&self) -> Rupiah {
        Rupiah(self.state.fine_paid)
    }

    /// What members of an association have to bring, from the month of the bill on: as `recordContributions` takes it with the
    /// same arguments.
    async fn quote(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of months: 1 to 36.", default = 1)] months: i32,
        #[graphql(desc = "The members who pay.")] enrollment_ids: Option<Vec<ID>>,
        #[graphql(desc = "All pay who have a month to pay, without these.")] leaving_out: Option<Vec<ID>>,
    ) -> Option<Result<GroupQuote, FieldError>> {
        let members = match members(enrollment_ids, leaving_out) {
            Ok(members) => members,
            Err(error) => return Some(Err(error)),
        };
        let (payer, month) = (self.state.payer.clone(), self.state.bill.month);
        let terms = GroupTerms { months, members };
        let caller = caller(ctx);
        let rules = &caller.reference.rules;
        let quoted =
            quote((&caller.registry(), &caller.session), (self.today, rules), payer, month, &terms).await;
        Some(quoted.map(GroupQuote::from).map_err(FieldError::from))
    }
}

fn members(paying: Option<Vec<ID>>, left_out: Option<Vec<ID>>) -> Result<Members, FieldError> {
    let keys = |ids: Vec<ID>| ids.iter().map(|id| enrollment_id(id)).collect::<Result<Vec<_>, _>>();
    Ok(match (paying, left_out) {
        (None, None) => Members::All,
        (Some(ids), None) => Members::Only(keys(ids)?),
        (None, Some(ids)) => Members::AllBut(keys(ids)?),
        (Some(_), Some(_)) => {
            let message = "Give `enrollmentIds` or `leavingOut`, not both.".to_owned();
            return Err(FieldError::Argument { path: "leavingOut", message });
        }
    })
}

/// What members of an association have to bring for some months.
#[derive(SimpleObject)]
pub struct GroupQuote {
    /// Number of members with a month to pay.
    members: i32,
    /// The months.
    months: Vec<QuotedMonth>,
    /// Sum of the months.
    total: Rupiah,
    /// Why they cannot pay, with the paths of `recordContributions`.
    errors: Vec<UserError>,
}

/// What members of an association owe for one month.
#[derive(SimpleObject, rows::Row)]
pub struct QuotedMonth {
    /// First day of the month.
    month: Date,
    /// Number of members who pay for it.
    members: i32,
    /// Contributions that they owe.
    amount: Rupiah,
}

impl From<Result<GroupPlan, Vec<Problem>>> for GroupQuote {
    fn from(plan: Result<GroupPlan, Vec<Problem>>) -> Self {
        let (plan, problems) = match plan {
            Ok(plan) => (plan, Vec::new()),
            Err(problems) => (GroupPlan::default(), problems),
        };
        let month = |&(due, members): &(model::MonthDue, i64)| QuotedMonth {
            month: due.month.into(),
            members: int(members),
            amount: Rupiah(due.amount),
        };
        Self {
            members: i32::try_from(plan.members()).unwrap_or(i32::MAX),
            months: plan.months.iter().map(month).collect(),
            total: Rupiah(plan.total()),
            errors: user_errors(problems),
        }
    }
}

/// Contributions for one programme, of all people of a bill.
#[derive(SimpleObject, rows::Row)]
pub struct BilledProgramme {
    /// The programme.
    programme: Programme,
    /// Sum of the wages, each up to the ceiling of the programme.
    base: Rupiah,
    /// Amount due from the employer.
    employer: Rupiah,
    /// Amount due from the workers.
    worker: Rupiah,
    /// Rules that determine the amounts.
    rules: Vec<RuleCitation>,
}

impl BilledProgramme {
    fn of(line: &model::BillLine) -> Self {
        Self {
            programme: line.programme.into(),
            base: Rupiah(line.base),
            employer: Rupiah(line.employer),
            worker: Rupiah(line.worker),
            rules: line.rules.iter().cloned().map(RuleCitation::from).collect(),
        }
    }
}

/// A mandatory programme that people of a bill lack.
#[derive(SimpleObject, rows::Row)]
pub struct MissingProgramme {
    /// The programme.
    programme: Programme,
    /// Number of billed enrollments without it.
    people: i32,
    /// Rule that makes it mandatory.
    rule: RuleCitation,
}

impl MissingProgramme {
    fn of(missing: &model::MissingProgramme) -> Self {
        let model::MissingProgramme { programme, people, ref rule } = *missing;
        Self { programme: programme.into(), people: int(people), rule: rule.clone().into() }
    }
}

/// Root fields of this module.
#[derive(Default)]
pub struct BillQuery;

#[Object]
impl BillQuery {
    /// Returns what an employer or association owes for a month, or null if you see no such payer. A partner with a payer
    /// of its own sees the bill of that one; an outlet sees the bill of any.
    async fn contribution_bill(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The employer or association.")] payer: PayerKey,
        #[graphql(
            desc = "First day of the month. There is no bill for a month ahead, except for those that members of an association can pay."
        )]
        month: Lenient<Date>,
    ) -> Option<Result<ContributionBill, FieldError>> {
        find(ctx, payer, month).await.transpose()
    }
}

async fn find(
    ctx: &Context<'_>,
    payer: PayerKey,
    month: Lenient<Date>,
) -> Result<Option<ContributionBill>, FieldError> {
    let caller = caller(ctx);
    let (payer, month) = (payer.read()?, month.argument("month")?);
    let refuse = |message: &str| Err(FieldError::Argument { path: "month", message: message.to_owned() });
    if month.day() != 1 {
        return refuse("`month` is not the first day of a month.");
    }
    let rule = caller.reference.rules.prepayment_rule(payer.kind.segment(), caller.today());
    let rule = rule.filter(|_| payer.kind == PayerKind::Association);
    if month > model::furthest_month(rule, caller.today()) {
        return refuse("`month` has not begun: there is no bill for a month ahead.");
    }
    ContributionBill::of(caller, payer, month).await
}

/// The rights and costs of these fields.
pub(super) const DECLARATIONS: Declarations = Declarations {
    rights: &[(
        Right::ReadPayments,
        &[
            "Query.contributionBill",
            "ContributionBill",
            "BilledProgramme",
            "GroupQuote",
            "QuotedMonth",
            "MissingProgramme",
        ],
    )],
    rules: Rules {
        lists: &[
            ("BilledProgramme", domain::enrollment::Programme::VARIANTS.len()),
            ("QuotedMonth", *model::MAXIMUM_MONTHS.end() as usize),
            ("MissingProgramme", domain::enrollment::Programme::VARIANTS.len()),
        ],
        // Each reads all people of the payer.
        prices: &[
            ("Query.contributionBill", 500),
            ("ContributionBill.owedBefore", 500),
            ("ContributionBill.finesOwedBefore", 500),
            ("ContributionBill.unallocated", 500),
            ("ContributionBill.quote", 500),
        ],
        ..Rules::NONE
    },
};
