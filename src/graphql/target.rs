//! Targets, and figures that somebody has published: from memory.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use domain::access::Operation;
use graphql_front::catalogue::Rules;

use super::context::{Caller, caller};
use super::error::FieldError;
use super::node_id::NodeId;
use super::noun::Noun;
use super::problem::{UserError, user_errors};
use super::province::Province;
use super::scalar::Date;
use crate::actions::set_target::{self as action, set_target};
use domain::target as model;

/// How many active participants are wanted in a year.
#[derive(Clone, Copy, Debug)]
pub struct Target(pub model::Target);

impl Target {
    /// The target of an internal id.
    pub fn find(caller: &Caller, id: i64) -> Option<Self> {
        let find = |targets: &[model::Target]| targets.iter().find(|target| target.id == id).copied();
        // Set by another process this very moment, and not heard of yet.
        let newest = || find(&caller.database.reference().targets);
        find(&caller.reference.targets).or_else(newest).map(Self)
    }
}

/// How many active participants are wanted in a year.
#[Object]
impl Target {
    /// Opaque and stable.
    pub(super) async fn id(&self) -> ID {
        NodeId::Target(self.0.id).encode()
    }

    /// The year.
    async fn year(&self) -> i32 {
        self.0.year.into()
    }

    /// How many active participants.
    async fn active(&self) -> i32 {
        self.0.active
    }

    /// In this province; null: in the country.
    async fn province(&self, ctx: &Context<'_>) -> Option<Result<Province, FieldError>> {
        Some(Province::find(caller(ctx), self.0.province?))
    }
}

/// A figure that somebody has published. It stands beside what the registry counts, and is never mixed with it.
pub struct ReportedFigure(pub model::ReportedFigure);

/// A figure that somebody has published. It stands beside what the registry counts, and is never mixed with it.
#[Object]
impl ReportedFigure {
    /// What was counted or promised: `PROVINCES_UNDER_AGREEMENT`, `ACTIVE_PARTICIPANTS`.
    async fn metric(&self) -> &str {
        &self.0.metric
    }

    /// How many.
    async fn value(&self) -> i32 {
        self.0.value
    }

    /// The day for which it was published.
    async fn on(&self) -> Date {
        Date(self.0.on)
    }

    /// Of this province; null: of the country.
    async fn province(&self, ctx: &Context<'_>) -> Option<Result<Province, FieldError>> {
        Some(Province::find(caller(ctx), self.0.province?))
    }

    /// Where it can be read.
    async fn source(&self) -> &str {
        &self.0.source
    }
}

/// A form that sets a target.
#[derive(InputObject)]
pub struct SetTargetInput {
    /// Makes retrying safe: 16 to 255 characters, new for each target, the same for each retry.
    idempotency_key: Option<String>,
    /// The year, from 2000 to 2100.
    year: i32,
    /// How many active participants: one or more.
    active: i32,
    /// In this province; leave out: in the country.
    province_code: Option<String>,
}

/// The target, or why not.
#[derive(SimpleObject)]
pub struct SetTargetPayload {
    /// The target; null where an error refuses the form.
    target: Option<Target>,
    /// All that is wrong with the form.
    errors: Vec<UserError>,
}

/// Root fields.
#[derive(Default)]
pub struct TargetMutation;

#[Object]
impl TargetMutation {
    /// Sets how many active participants are wanted in a year: once for the country, and once for each province. A target
    /// that was set stays.
    async fn set_target(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The form.")] input: SetTargetInput,
    ) -> Result<SetTargetPayload, FieldError> {
        let caller = caller(ctx);
        let key = input.idempotency_key;
        let input =
            action::Input { year: input.year, active: input.active, province_code: input.province_code };
        let done = set_target(&caller.database, &caller.actor, key.as_deref(), &input).await?;
        let target = done.value.and_then(|set| Target::find(caller, set.target));
        Ok(SetTargetPayload { target, errors: user_errors(done.problems) })
    }
}

/// The rights and costs of these fields.
pub(super) const NOUN: Noun = Noun {
    rights: &[
        (Operation::ReadReference, &["Target"]),
        (Operation::ManageAgreements, &["Mutation.setTarget", "SetTargetPayload"]),
    ],
    rules: Rules::NONE,
};
