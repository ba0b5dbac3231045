//! The terms that all rows of an onboarding share: as they are asked for, and as they hold.

use chrono::NaiveDate;
use serde::{Serialize, Serializer};

use crate::actions::terms::{self, Asked, Found, Named};
use crate::store::bill::PayerId;
use crate::store::onboarding::RosterOf;
use crate::store::onboarding::writing::BatchTerms;
use crate::store::reference::Reference;
use crate::store::session::Session;
use crate::store::{Database, StoreError};
use domain::actor::Actor;
use domain::employer::Classification;
use domain::enrollment::{
    CivilServantCategory, Lookup, NewEnrollment, Payer, Programme, Segment, Terms, judge_terms,
};
use domain::onboarding::RosterKind;
use domain::problem::Problem;
use domain::rule::Rulebook;

/// The terms that are asked for. New fields are left out of the fingerprint of the input where they are not given, so that a
/// retry of a request of an earlier release is still one.
#[derive(Clone, Debug, Serialize)]
pub struct RosterTerms {
    /// Employer, by internal id.
    pub employer: Option<i64>,
    /// Channel.
    pub channel_code: String,
    /// Province of residence.
    pub province_code: String,
    /// Programmes.
    pub programmes: Vec<Programme>,
    /// Category of government staff; `None`: PNS at a government.
    #[serde(serialize_with = "category_or_default")]
    pub category: Option<CivilServantCategory>,
    /// First day, for rows without their own.
    pub starts_on: NaiveDate,
    /// Whether the first contribution was paid with the forms.
    pub first_contribution_paid: bool,
    /// Association, by internal id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub association: Option<i64>,
    /// Segment; `None`: self-employed members of an association, and wage earners otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<Segment>,
}

fn category_or_default<S: Serializer>(
    category: &Option<CivilServantCategory>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    category.unwrap_or(CivilServantCategory::Pns).serialize(serializer)
}

impl RosterTerms {
    /// Looks up what the terms name, and judges them as of today. Returns all problems, and the terms if all of it exists.
    pub(in crate::actions) async fn judge(
        &self,
        database: &Database,
        reference: &Reference,
        (actor, today): (&Actor, NaiveDate),
    ) -> Result<(Option<SharedTerms>, Vec<Problem>), StoreError> {
        self.judge_in(&database.writer, reference, (actor, today)).await
    }

    /// As [`judge`](Self::judge), on other connections.
    pub(super) async fn judge_in(
        &self,
        session: &Session,
        reference: &Reference,
        (actor, today): (&Actor, NaiveDate),
    ) -> Result<(Option<SharedTerms>, Vec<Problem>), StoreError> {
        let named = Named {
            province_code: &self.province_code,
            channel_code: &self.channel_code,
            employer: self.employer,
            association: self.association,
        };
        let looked_up = terms::look_up(session, reference, actor, today, named).await?;
        let kind = self.kind_with(looked_up.employer().as_ref());
        let asked = Asked {
            segment: kind.segment,
            programmes: &self.programmes,
            starts_on: self.starts_on,
            first_contribution_paid: self.first_contribution_paid,
            civil_servants: kind.category,
        };
        let mut problems = looked_up.problems.clone();
        problems.extend(judge_terms(&looked_up.terms(asked), &reference.rules, today));
        let agreed = looked_up.complete().ok().map(|found| SharedTerms {
            kind,
            programmes: self.programmes.clone(),
            starts_on: self.starts_on,
            first_contribution_paid: self.first_contribution_paid,
            found,
        });
        Ok((agreed, problems))
    }
}

impl RosterTerms {
    /// Returns the kind of the roster, which decides the columns that its file needs.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn kind(&self, database: &Database, actor: &Actor) -> Result<RosterKind, StoreError> {
        let employer = match self.employer {
            Some(id) => terms::find_employer(&database.writer, actor, id).await?.ok(),
            None => None,
        };
        Ok(self.kind_with(employer.as_ref()))
    }

    fn kind_with(&self, employer: Option<&Payer>) -> RosterKind {
        let has_association = self.association.is_some();
        let segment = self.segment.unwrap_or_else(|| RosterKind::default_segment(has_association));
        RosterKind { segment, category: RosterKind::category(self.category, segment, employer) }
    }
}

/// The valid common terms of the rows of an onboarding.
#[derive(Clone, Debug)]
pub(in crate::actions) struct SharedTerms {
    pub kind: RosterKind,
    pub programmes: Vec<Programme>,
    pub starts_on: NaiveDate,
    pub first_contribution_paid: bool,
    pub found: Found,
}

impl SharedTerms {
    /// Returns the terms by which rows are judged.
    pub(in crate::actions) fn terms(&self) -> Terms<'_> {
        Terms {
            segment: self.kind.segment,
            programmes: &self.programmes,
            channel: Lookup::Found(&self.found.channel),
            employer: self.found.employer.into(),
            classification: self.found.classification.as_ref(),
            association: self.found.association.into(),
            province: Lookup::Found(self.found.province),
            starts_on: self.starts_on,
            first_contribution_paid: self.first_contribution_paid,
            civil_servants: self.kind.category,
        }
    }

    /// Returns whose roster it is, and of which month if it is a monthly list.
    pub(in crate::actions) fn roster_of(&self, month: Option<NaiveDate>) -> RosterOf {
        let Found { employer, association, .. } = &self.found;
        RosterOf { employer: employer.map(|employer| employer.id), association: *association, month }
    }

    /// Returns who pays.
    pub(in crate::actions) fn payer(&self) -> Option<PayerId> {
        PayerId::of(self.found.employer.map(|employer| employer.id), self.found.association)
    }

    /// Returns risk class and size of the employer by which a month goes, given by one of its days.
    pub(super) fn classification_in(&self, month: NaiveDate, rules: &Rulebook) -> Classification {
        let dated = self.found.classification.as_ref();
        dated.map_or(Classification::NO_EMPLOYER, |dated| dated.in_month(month, rules))
    }

    /// Returns the terms as a batch stores them.
    pub(in crate::actions) fn of_batch(&self) -> BatchTerms<'_> {
        BatchTerms {
            employer_id: self.found.employer.map(|employer| employer.id),
            association_id: self.found.association,
            channel_id: self.found.channel.id,
            province_id: self.found.province,
            segment: self.kind.segment,
            category: self.kind.category,
            programmes: &self.programmes,
            starts_on: self.starts_on,
            first_contribution_paid: self.first_contribution_paid,
        }
    }

    /// Returns the monthly contributions for one of the people.
    pub(super) fn contributions(&self, rules: &Rulebook, new: &NewEnrollment) -> i64 {
        let starts_on = new.timeline.starts_on;
        let risk_class = self.classification_in(starts_on, rules).risk_class;
        let wage = new.monthly_wage.unwrap_or_default();
        let due = rules.contributions(&new.programmes, new.segment, risk_class, wage, starts_on);
        due.iter().map(|due| due.employer + due.worker).sum()
    }
}
