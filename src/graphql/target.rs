//! Targets and published figures. They are answered from memory.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use domain::access::Right;
use graphql_front::catalogue::Rules;

use super::caller::Caller;
use super::context::caller;
use super::declarations::Declarations;
use super::error::FieldError;
use super::input::{InputReader, Lenient};
use super::node_id::NodeId;
use super::problem::{UserError, user_errors};
use super::province::Province;
use super::scalar::Date;
use crate::actions::set_target::{self as action, set_target};
use domain::target as model;

/// Target: the number of active participants to reach in a year.
#[derive(Clone, Copy, Debug)]
pub struct Target(pub model::Target);

impl Target {
    /// Returns the target with an internal id.
    pub fn find(caller: &Caller, id: i64) -> Option<Self> {
        let find = |targets: &[model::Target]| targets.iter().find(|target| target.id == id).copied();
        // Set by another process a moment ago: not part of this request's reference data yet.
        let newest = || find(&caller.database.reference().targets);
        find(&caller.reference.targets).or_else(newest).map(Self)
    }
}

/// Target: the number of active participants to reach in a year.
#[rows::row]
#[Object]
impl Target {
    /// Opaque, stable id.
    pub(super) async fn id(&self) -> ID {
        NodeId::Target(self.0.id).encode()
    }

    /// Year of the target.
    fn year(&self) -> i32 {
        self.0.year.into()
    }

    /// Number of active participants to reach.
    fn active(&self) -> i32 {
        self.0.active
    }

    /// Province of the target. Null: the whole country.
    fn province(&self, ctx: &Context<'_>) -> Option<Result<Province, FieldError>> {
        Some(Province::find(caller(ctx), self.0.province?))
    }
}

/// A figure published by others. It is shown next to the registry's own counts and never mixed with them.
pub struct ReportedFigure(pub model::ReportedFigure);

/// A figure published by others. It is shown next to the registry's own counts and never mixed with them.
#[rows::row]
#[Object]
impl ReportedFigure {
    /// What the figure counts, such as `PROVINCES_UNDER_AGREEMENT` or `ACTIVE_PARTICIPANTS`.
    fn metric(&self) -> &str {
        &self.0.metric
    }

    /// The published number.
    fn value(&self) -> i32 {
        self.0.value
    }

    /// Day to which the figure refers.
    fn on(&self) -> Date {
        Date(self.0.on)
    }

    /// Province of the figure. Null: the whole country.
    fn province(&self, ctx: &Context<'_>) -> Option<Result<Province, FieldError>> {
        Some(Province::find(caller(ctx), self.0.province?))
    }

    /// Source in which it was published.
    fn source(&self) -> &str {
        &self.0.source
    }
}

/// Input of `setTarget`.
#[derive(InputObject)]
pub struct SetTargetInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// Only checks the input: the errors are those of a real call, but nothing is written, no idempotency key is used up, and
    /// the payload has no record.
    #[graphql(default)]
    validate_only: bool,
    /// Year of the target, from 2000 to 2100.
    year: Lenient<i32>,
    /// Number of active participants to reach, at least 1.
    active: Lenient<i32>,
    /// Code of the province. Omit it for the whole country.
    province_code: Option<String>,
}

/// Result of `setTarget`.
#[derive(SimpleObject)]
pub struct SetTargetPayload {
    /// The target. Null if an error rejects the input.
    target: Option<Target>,
    /// All problems with the input.
    errors: Vec<UserError>,
}

/// Root fields of this module.
#[derive(Default)]
pub struct TargetMutation;

#[Object]
impl TargetMutation {
    /// Sets the target of a year, once for the country and once for each province. A target cannot be changed once it
    /// is set.
    async fn set_target(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Input of the mutation.")] input: SetTargetInput,
    ) -> Result<SetTargetPayload, FieldError> {
        let caller = caller(ctx);
        let mut reader = InputReader::default();
        let wanted = action::Input {
            year: reader.scalar(input.year, "year").unwrap_or_default(),
            active: reader.scalar(input.active, "active").unwrap_or_default(),
            province_code: input.province_code,
        };
        let submission = reader.submission(input.idempotency_key.as_deref()).validating(input.validate_only);
        let done = set_target(&caller.database, &caller.actor, submission, &wanted).await?;
        let target = done.value.and_then(|set| Target::find(caller, set.target));
        Ok(SetTargetPayload { target, errors: user_errors(done.problems) })
    }
}

/// The rights and costs of these fields.
pub(super) const DECLARATIONS: Declarations = Declarations {
    rights: &[
        (Right::ReadReference, &["Target"]),
        (Right::ManageAgreements, &["Mutation.setTarget", "SetTargetPayload"]),
    ],
    rules: Rules::NONE,
};
