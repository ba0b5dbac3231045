//! What is due for an enrollment, and the mandatory programmes that it lacks.

use async_graphql::{Context, Result};
use chrono::Datelike as _;

use super::Enrollment;
use crate::graphql::context::{caller, request};
use crate::graphql::contribution::Contribution;
use crate::graphql::employer::{MandatoryProgramme, mandatory};
use crate::graphql::error::FieldError;
use crate::graphql::input::Lenient;
use crate::graphql::loaders::{load, missing};
use crate::graphql::scalar::Date;
use crate::store::employer::EmployerRow;
use crate::store::enrollment::ContributionBasis;
use domain::employer::Classification;
use domain::enrollment::EnrollmentStatus;

impl Enrollment {
    /// Returns what is due: without a month, as of the first day.
    pub(super) async fn contributions_due(
        &self,
        ctx: &Context<'_>,
        month: Option<Lenient<Date>>,
    ) -> Result<Vec<Contribution>, FieldError> {
        let (row, rules) = (&self.row, &caller(ctx).reference.rules);
        let month = month.map(|month| month.argument("month")).transpose()?;
        if month.is_some_and(|month| month.day() != 1) {
            let message = "`month` is not the first day of a month. Write it as 2014-10-01.".into();
            return Err(FieldError::Argument { path: "month", message });
        }
        let basis = row.contribution_basis(month, rules);
        let Some(ContributionBasis { wage, on, includes_once }) = basis else { return Ok(Vec::new()) };
        let due = match wage {
            None => rules.flat_contributions(&row.programmes, row.segment, on),
            Some(wage) => {
                let employer = self.employer_row(ctx).await?;
                let classification = employer.map(|employer| employer.classifications().in_month(on, rules));
                let Classification { risk_class, .. } = classification.unwrap_or(Classification::NO_EMPLOYER);
                rules.contributions(&row.programmes, row.segment, risk_class, wage, on)
            }
        };
        let due = due.into_iter().filter(|due| includes_once || !due.is_once);
        Ok(due.map(Contribution::from).collect())
    }

    /// Returns the mandatory programmes that do not cover the person.
    pub(super) async fn missing(&self, ctx: &Context<'_>) -> Result<Vec<MandatoryProgramme>, FieldError> {
        let row = &self.row;
        let employer = match row.status {
            EnrollmentStatus::Ended => None,
            _ => self.employer_row(ctx).await?,
        };
        let Some(employer) = employer else { return Ok(Vec::new()) };
        let day = self.on.unwrap_or_else(|| caller(ctx).today());
        let size = employer.classifications().on(day).size;
        Ok(mandatory(caller(ctx), row.segment, (size, day), &row.programmes))
    }

    async fn employer_row(&self, ctx: &Context<'_>) -> Result<Option<EmployerRow>, FieldError> {
        let Some(id) = self.row.employer_id else { return Ok(None) };
        load(&request(ctx).loaders.employers, id).await?.ok_or_else(missing).map(Some)
    }
}
