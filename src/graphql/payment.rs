//! Payments: money that outlets took, what it pays for, and its reversal.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use chrono::NaiveDate;
use graphql_front::catalogue::Rules;

use super::association::Association;
use super::caller::Caller;
use super::channel::Channel;
use super::connection::{PageArguments, Total};
use super::context::{caller, request, written};
use super::declarations::Declarations;
use super::employer::Employer;
use super::error::FieldError;
use super::input::{InputReader, Lenient};
use super::loaders::load;
use super::node_id::{NodeId, association_id, employer_id};
use super::problem::{UserError, user_errors};
use super::scalar::{Date, DateTime, Rupiah};
use crate::actions::Submission;
use crate::actions::pay_contributions::{self, Moment};
use crate::actions::record_contributions;
use crate::actions::reverse_payment::{self as action, Reversed, reverse_payment};
use crate::store::StoreError;
use crate::store::bill::PayerId;
use crate::store::payment::{self as store, PaymentRow};
use domain::access::Right;
use domain::money as model;
use domain::money::parse_reference;

/// Most allocations of one payment: months and fines of ten years.
const MAXIMUM_ALLOCATIONS: usize = 240;

/// Returns the moment at which a payment of a request is recorded.
pub(super) fn moment(caller: &Caller) -> Moment {
    Moment { today: caller.today(), now: caller.clock.now() }
}

/// A payment.
#[derive(Clone, Debug)]
pub struct Payment(PaymentRow);

connection!(PaymentConnection, PaymentEdge, Payment, "payments", "payment");

impl Payment {
    /// Loads the payment with an internal id, if it is in the caller's scope.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn load(ctx: &Context<'_>, id: i64) -> Result<Option<Self>, StoreError> {
        Ok(load(&request(ctx).loaders.payments, id).await?.map(Self))
    }

    /// Returns who paid.
    pub fn payer(&self) -> PayerId {
        self.0.payer()
    }
}

/// A payment: money that an outlet took from an employer or association, and what it pays for.
#[rows::row]
#[Object]
impl Payment {
    /// Opaque, stable id.
    pub(super) async fn id(&self) -> ID {
        NodeId::Payment(self.0.id).encode()
    }

    /// Channel that took the money.
    fn channel(&self, ctx: &Context<'_>) -> Result<Channel, FieldError> {
        Channel::find(caller(ctx), self.0.channel_id)
    }

    /// What the channel calls the payment. It is unique within the channel.
    fn reference(&self) -> &str {
        &self.0.reference
    }

    /// Employer that paid. Null for the payment of an association.
    async fn employer(&self, ctx: &Context<'_>) -> Option<Result<Employer, FieldError>> {
        Employer::load(ctx, self.0.employer_id?).await.map_err(FieldError::from).transpose()
    }

    /// Association that paid. Null for the payment of an employer.
    async fn association(&self, ctx: &Context<'_>) -> Option<Result<Association, FieldError>> {
        Association::load(ctx, self.0.association_id?).await.map_err(FieldError::from).transpose()
    }

    /// First day of the first month that it was sent for.
    fn month(&self) -> Date {
        self.0.month.into()
    }

    /// Number of months that it was sent for.
    fn months(&self) -> i32 {
        self.0.months.into()
    }

    /// Number of enrollments whose months it pays, if it was sent for members of an association. Null if it was sent for the
    /// bill of the payer.
    fn members(&self) -> Option<i32> {
        self.0.members
    }

    /// Day on which it was paid.
    fn paid_on(&self) -> Date {
        self.0.paid_on.into()
    }

    /// Amount.
    fn amount(&self) -> Rupiah {
        Rupiah(self.0.amount)
    }

    /// Months and fines that it pays for, by month. Empty if it is reversed. They can change: a reversal of another payment
    /// allocates later ones anew.
    fn allocations(&self) -> Result<Vec<PaymentAllocation>, FieldError> {
        let allocations = self.0.allocations()?.into_iter().take(MAXIMUM_ALLOCATIONS);
        Ok(allocations.map(PaymentAllocation::from).collect())
    }

    /// Part of the amount that pays for nothing yet. It counts towards the next month or a fine.
    fn unallocated(&self) -> Result<Rupiah, FieldError> {
        let allocated: i64 = self.0.allocations()?.iter().map(|allocation| allocation.amount).sum();
        Ok(Rupiah(if self.0.reversed_at.is_some() { 0 } else { self.0.amount - allocated }))
    }

    /// Time of recording.
    fn recorded_at(&self) -> DateTime {
        self.0.recorded_at.into()
    }

    /// Name of the client that recorded it.
    fn recorded_by(&self) -> &str {
        &self.0.recorded_by
    }

    /// Its reversal. Null unless it was reversed.
    fn reversal(&self) -> Option<PaymentReversal> {
        Some(PaymentReversal {
            reason: self.0.reversal_reason.clone()?,
            reversed_at: self.0.reversed_at?.into(),
            reversed_by: self.0.reversed_by.clone()?,
        })
    }
}

/// A part of a payment, and what it pays for.
#[derive(SimpleObject, rows::Row)]
pub struct PaymentAllocation {
    /// First day of the month.
    month: Date,
    /// What of the month it pays for.
    purpose: PaymentPurpose,
    /// Amount.
    amount: Rupiah,
}

impl From<model::Allocation> for PaymentAllocation {
    fn from(allocation: model::Allocation) -> Self {
        let model::Allocation { month, purpose, amount, .. } = allocation;
        Self { month: month.into(), purpose: purpose.into(), amount: Rupiah(amount) }
    }
}

/// What a part of a payment pays for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::Purpose")]
pub enum PaymentPurpose {
    /// The contributions of the month.
    Contribution,
    /// The contributions of the members for whom it was sent, in the month.
    Members,
    /// The fine of the month.
    Fine,
}

/// The reversal of a payment.
#[derive(SimpleObject, rows::Row)]
pub struct PaymentReversal {
    /// Reason that the client stated.
    reason: String,
    /// Time of the reversal.
    reversed_at: DateTime,
    /// Name of the client that reversed it.
    reversed_by: String,
}

/// A payment in the input of `recordContributions`.
#[derive(InputObject)]
pub struct PaymentInput {
    /// Code of the channel that took the money.
    channel_code: String,
    /// What the channel calls the payment: 1 to 64 printable ASCII characters, unique within the channel.
    reference: String,
    /// Day on which it was paid, not in the future.
    paid_on: Lenient<Date>,
    /// Amount.
    amount: Lenient<Rupiah>,
}

impl PaymentInput {
    /// Reads it, together with the contributions that it pays for.
    pub(super) fn read(
        self,
        contributions: record_contributions::Input,
        today: NaiveDate,
        reader: &mut InputReader,
    ) -> pay_contributions::Input {
        pay_contributions::Input {
            contributions,
            channel_code: self.channel_code,
            reference: self.reference,
            paid_on: reader.scalar(self.paid_on, "payment.paidOn").unwrap_or(today),
            amount: reader.scalar(self.amount, "payment.amount").unwrap_or(1),
        }
    }
}

/// A filter. All given conditions must match.
#[derive(Debug, Default, InputObject)]
pub struct PaymentFilter {
    /// Taken by the channel with this code, or by one below it.
    channel_code: Option<String>,
    /// Paid by the employer with this id.
    employer_id: Option<ID>,
    /// Paid by the association with this id.
    association_id: Option<ID>,
    /// Paid on this day.
    paid_on: Option<Lenient<Date>>,
    /// Paid on this day or later.
    paid_from: Option<Lenient<Date>>,
    /// Paid on this day or earlier.
    paid_until: Option<Lenient<Date>>,
    /// True: only reversed payments. False: only others.
    reversed: Option<bool>,
}

impl PaymentFilter {
    fn read(self, caller: &Caller) -> Result<store::PaymentFilter, FieldError> {
        let channels = |code: String| {
            let channel =
                caller.reference.channel_by_code(&code).ok_or(FieldError::UnknownCode("channel"))?;
            Ok::<_, FieldError>(caller.reference.with_descendants(channel.id))
        };
        let day = |day: Option<Lenient<Date>>, path| day.map(|day| day.argument(path)).transpose();
        let paid_on = day(self.paid_on, "filterBy.paidOn")?;
        let (from, until) =
            (day(self.paid_from, "filterBy.paidFrom")?, day(self.paid_until, "filterBy.paidUntil")?);
        Ok(store::PaymentFilter {
            channels: self.channel_code.map(channels).transpose()?,
            employer: self.employer_id.map(|id| employer_id(&id)).transpose()?,
            association: self.association_id.map(|id| association_id(&id)).transpose()?,
            from: from.max(paid_on),
            until: [until, paid_on].into_iter().flatten().min(),
            reversed: self.reversed,
        })
    }
}

/// Root fields of this module.
#[derive(Default)]
pub struct PaymentQuery;

#[Object]
impl PaymentQuery {
    /// Returns the payment that a channel calls by a reference, or null if there is none in your scope. An outlet that got
    /// no answer asks so whether its payment was recorded.
    async fn payment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Code of the channel that took the money.")] channel_code: String,
        #[graphql(desc = "What the channel calls the payment.")] reference: String,
    ) -> Option<Result<Payment, FieldError>> {
        find(ctx, &channel_code, &reference).await.transpose()
    }

    /// Lists payments, newest first. With a channel and `paidOn` it is the channel's statement of a day.
    async fn payments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first n items (default 20, maximum 100).")] first: Option<i32>,
        #[graphql(desc = "Returns items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last n items (maximum 100).")] last: Option<i32>,
        #[graphql(desc = "Returns items before this cursor.")] before: Option<String>,
        #[graphql(desc = "Returns only items that match this filter.")] filter_by: Option<PaymentFilter>,
    ) -> Option<Result<PaymentConnection, FieldError>> {
        Some(list(ctx, PageArguments { first, after, last, before }, filter_by).await)
    }
}

async fn find(ctx: &Context<'_>, channel: &str, reference: &str) -> Result<Option<Payment>, FieldError> {
    let caller = caller(ctx);
    let channel = caller.reference.channel_by_code(channel).ok_or(FieldError::UnknownCode("channel"))?.id;
    let reference = parse_reference(reference).map_err(|problem| FieldError::Identifier(problem.message))?;
    let row = store::by_reference(&caller.session, &caller.actor, channel, &reference).await?;
    Ok(row.map(Payment))
}

async fn list(
    ctx: &Context<'_>,
    arguments: PageArguments,
    filter_by: Option<PaymentFilter>,
) -> Result<PaymentConnection, FieldError> {
    let caller = caller(ctx);
    let page = arguments.newest_first()?;
    let filter = filter_by.unwrap_or_default().read(caller)?;
    let slice = store::list(&caller.session, &caller.actor, &filter, &page).await?;
    let slice = slice.map(|row| (row.position(), Payment(row)));
    Ok(PaymentConnection::new(slice, &page, Total::Payments(filter)))
}

/// Input of `reversePayment`.
#[derive(InputObject)]
pub struct ReversePaymentInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// Only checks the input: the errors are those of a real call, but nothing is written, no idempotency key is used up, and
    /// the payload has no record.
    #[graphql(default)]
    validate_only: bool,
    /// Code of the channel that took the money.
    channel_code: String,
    /// What the channel calls the payment.
    reference: String,
    /// Reason, at most 200 characters.
    reason: String,
}

/// Result of `reversePayment`.
#[derive(SimpleObject)]
pub struct ReversePaymentPayload {
    /// The payment. Null if an error rejects the input.
    payment: Option<Payment>,
    /// Number of months of enrollments that are no longer recorded. 0 if an error rejects the input.
    unrecorded: i32,
    /// All problems with the input.
    errors: Vec<UserError>,
}

/// Root fields of this module.
#[derive(Default)]
pub struct PaymentMutation;

#[Object]
impl PaymentMutation {
    /// Reverses a payment: its money pays for nothing any more, and the other payments of its payer are allocated anew from
    /// the oldest month on that it paid for. Months that are no longer covered are no longer recorded. A PARTNER can do so
    /// until the cut-off of the day of recording, officers also later. A payment that is reversed already stays so.
    async fn reverse_payment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Input of the mutation.")] input: ReversePaymentInput,
    ) -> Result<ReversePaymentPayload, FieldError> {
        let (caller, trail) = (caller(ctx), &request(ctx).trail);
        let ReversePaymentInput { idempotency_key, validate_only, channel_code, reference, reason } = input;
        let submission = Submission::from(idempotency_key.as_deref()).validating(validate_only);
        let input = action::Input { channel_code, reference, reason };
        let moment = moment(caller);
        let done =
            reverse_payment(&caller.database, &caller.actor, moment, submission, &input, trail).await?;
        let errors = user_errors(done.problems);
        let unrecorded = done.value.map_or(0, |reversed| reversed.unrecorded);
        let reversed = done.value.map(|Reversed { payment, .. }| payment);
        let payment = written(reversed, |id| Payment::load(ctx, id)).await?;
        Ok(ReversePaymentPayload { payment, unrecorded, errors })
    }
}

/// The rights and costs of these fields.
pub(super) const DECLARATIONS: Declarations = Declarations {
    rights: &[
        (
            Right::ReadPayments,
            &[
                "Query.payment",
                "Query.payments",
                "Payment",
                "PaymentConnection",
                "PaymentEdge",
                "PaymentAllocation",
                "PaymentReversal",
            ],
        ),
        (Right::ReversePayments, &["Mutation.reversePayment", "ReversePaymentPayload"]),
    ],
    rules: Rules {
        lists: &[("PaymentAllocation", MAXIMUM_ALLOCATIONS)],
        bulk: &["Mutation.reversePayment"],
        ..Rules::NONE
    },
};
