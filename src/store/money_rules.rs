//! Rules of bills and payments, part of the snapshot in [`super::reference`].

use chrono::{NaiveDate, NaiveTime};
use sqlx::FromRow;

use super::error::StoreError;
use super::session::Session;
use domain::enrollment::Segment;
use domain::money::{BillingRule, DueRule, MoneyRules, PaymentRule, PrepaymentRule, UnpaidMonthRule};
use domain::rule::{Citation, Period};

#[derive(FromRow)]
struct CitationRow {
    code: String,
    title: String,
    valid_from: NaiveDate,
    valid_until: Option<NaiveDate>,
}

impl From<CitationRow> for Citation {
    fn from(row: CitationRow) -> Self {
        let period = Period { from: row.valid_from, until: row.valid_until };
        Self { code: row.code, title: row.title, period }
    }
}

#[derive(FromRow)]
struct DueRow {
    segment: Segment,
    due_day: i16,
    month_offset: i16,
    holiday_shift: String,
    fine_ppm: i32,
    fine_base: String,
    fine_payer: String,
    #[sqlx(flatten)]
    citation: CitationRow,
}

#[derive(FromRow)]
struct BillingRow {
    segment: Segment,
    joiner_billed_from_day: i16,
    leaver_billed_in_exit_month: bool,
    rounded: String,
    #[sqlx(flatten)]
    citation: CitationRow,
}

#[derive(FromRow)]
struct PaymentRow {
    fine_order: String,
    reviewed_months: i16,
    reversible_until: NaiveTime,
    #[sqlx(flatten)]
    citation: CitationRow,
}

#[derive(FromRow)]
struct PrepaymentRow {
    segment: Segment,
    months_ahead: i16,
    #[sqlx(flatten)]
    citation: CitationRow,
}

#[derive(FromRow)]
struct UnpaidMonthRow {
    counts: bool,
    #[sqlx(flatten)]
    citation: CitationRow,
}

/// Reads all of them.
pub(super) async fn load(session: &Session) -> Result<MoneyRules, StoreError> {
    let dues: Vec<DueRow> = sqlx::query_as(
        "select segment, due_day, month_offset, holiday_shift, fine_ppm, fine_base, fine_payer, code, title, valid_from,
                valid_until
         from due_rule order by code",
    )
    .fetch_all(session)
    .await?;
    let billings: Vec<BillingRow> = sqlx::query_as(
        "select segment, joiner_billed_from_day, leaver_billed_in_exit_month, rounded, code, title, valid_from,
                valid_until
         from billing_rule order by code",
    )
    .fetch_all(session)
    .await?;
    let payments: Vec<PaymentRow> = sqlx::query_as(
        "select fine_order, reviewed_months, reversible_until, code, title, valid_from, valid_until
         from payment_rule order by code",
    )
    .fetch_all(session)
    .await?;
    let prepayments: Vec<PrepaymentRow> = sqlx::query_as(
        "select segment, months_ahead, code, title, valid_from, valid_until from prepayment_rule order by code",
    )
    .fetch_all(session)
    .await?;
    let unpaid_months: Vec<UnpaidMonthRow> = sqlx::query_as(
        "select counts, code, title, valid_from, valid_until from unpaid_month_rule order by code",
    )
    .fetch_all(session)
    .await?;
    let holidays: Vec<NaiveDate> = sqlx::query_scalar("select day from holiday").fetch_all(session).await?;
    Ok(MoneyRules {
        dues: dues.into_iter().map(DueRow::rule).collect::<Result<_, _>>()?,
        billings: billings.into_iter().map(BillingRow::rule).collect::<Result<_, _>>()?,
        payments: payments.into_iter().map(PaymentRow::rule).collect::<Result<_, _>>()?,
        prepayments: prepayments.into_iter().map(PrepaymentRow::rule).collect(),
        unpaid_months: unpaid_months
            .into_iter()
            .map(|row| UnpaidMonthRule { count: row.counts, citation: row.citation.into() })
            .collect(),
        holidays: holidays.into_iter().collect(),
    })
}

/// Reads a value of a closed list. The table has a constraint with the same values.
fn read<T: std::str::FromStr>(text: &str, rule: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Fault(format!("rule {rule} has an unknown value")))
}

impl DueRow {
    fn rule(self) -> Result<DueRule, StoreError> {
        let code = &self.citation.code;
        Ok(DueRule {
            segment: self.segment,
            day: self.due_day.unsigned_abs().into(),
            month_offset: self.month_offset.unsigned_abs().into(),
            holiday_shift: read(&self.holiday_shift, code)?,
            fine_ppm: self.fine_ppm.into(),
            fine_base: read(&self.fine_base, code)?,
            fine_payer: read(&self.fine_payer, code)?,
            citation: self.citation.into(),
        })
    }
}

impl BillingRow {
    fn rule(self) -> Result<BillingRule, StoreError> {
        Ok(BillingRule {
            segment: self.segment,
            joiner_billed_from_day: self.joiner_billed_from_day.unsigned_abs().into(),
            leaver_billed_in_exit_month: self.leaver_billed_in_exit_month,
            rounded: read(&self.rounded, &self.citation.code)?,
            citation: self.citation.into(),
        })
    }
}

impl PrepaymentRow {
    fn rule(self) -> PrepaymentRule {
        PrepaymentRule {
            segment: self.segment,
            months_ahead: self.months_ahead.unsigned_abs().into(),
            citation: self.citation.into(),
        }
    }
}

impl PaymentRow {
    fn rule(self) -> Result<PaymentRule, StoreError> {
        Ok(PaymentRule {
            order: read(&self.fine_order, &self.citation.code)?,
            reviewed_months: self.reviewed_months.unsigned_abs().into(),
            reversible_until: self.reversible_until,
            citation: self.citation.into(),
        })
    }
}
