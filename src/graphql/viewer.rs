//! The viewer: the client that sent the request.

use async_graphql::{Context, Enum, Object, Result};
use graphql_front::catalogue::Rules;

use super::association::Association;
use super::caller::Caller;
use super::channel::Channel;
use super::context::caller;
use super::declarations::Declarations;
use super::employer::Employer;
use super::error::FieldError;
use super::province::Province;
use super::rights;
use super::scalar::Date;
use domain::access::Right;
use domain::actor as model;

/// The caller of the request.
pub struct Viewer(Caller);

/// The client that sent the request, with its role and scope.
#[Object]
impl Viewer {
    /// Name of the client.
    fn name(&self) -> &str {
        &self.0.actor.client
    }

    /// Role of the client.
    fn role(&self) -> Role {
        self.0.actor.role.into()
    }

    /// Scope: only people who live in these provinces. Empty: no restriction.
    fn provinces(&self) -> Result<Vec<Province>, FieldError> {
        self.0.actor.scope.provinces.iter().map(|&id| Province::find(&self.0, id)).collect()
    }

    /// Scope: only people of this employer. Null: no restriction.
    async fn employer(&self, ctx: &Context<'_>) -> Option<Result<Employer, FieldError>> {
        let employer = self.0.actor.scope.employer?;
        Employer::load(ctx, employer).await.map_err(FieldError::from).transpose()
    }

    /// Scope: only people of this association. Null: no restriction.
    async fn association(&self, ctx: &Context<'_>) -> Option<Result<Association, FieldError>> {
        let association = self.0.actor.scope.association?;
        Association::load(ctx, association).await.map_err(FieldError::from).transpose()
    }

    /// Scope: only people first enrolled through this channel or a channel below it. Null: no restriction.
    fn channel(&self) -> Option<Result<Channel, FieldError>> {
        Some(Channel::find(&self.0, *self.0.actor.scope.channels.first()?))
    }

    /// The registry's today: the date in Jakarta. That of a demonstration is in 2014.
    fn today(&self) -> Date {
        self.0.today().into()
    }

    /// Root fields that your role and scope let you use, such as `Mutation.enrollParticipant`. Whether a single record is
    /// within your scope is decided by each call.
    fn may(&self) -> Vec<String> {
        rights::usable_by(&self.0.actor).map(ToString::to_string).collect()
    }

    /// Whether the client may read personal data (full identity numbers, birth dates, wages) if it states a purpose
    /// (`X-Purpose`).
    fn may_read_personal_data(&self) -> bool {
        self.0.actor.reads_personal_data()
    }
}

/// Role of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::Role")]
pub enum Role {
    /// Operates the installation.
    Administrator,
    /// Works for the agency, in some provinces or at a channel.
    Officer,
    /// An employer, association or bank that enrolls people.
    Partner,
    /// Approves what others submitted.
    Approver,
    /// Asks for licence clearances.
    LicensingDesk,
    /// Reads counts, never people.
    Analyst,
    /// Reads the audit trail, never people.
    Auditor,
}

/// Root fields of this module.
#[derive(Default)]
pub struct ViewerQuery;

#[Object]
impl ViewerQuery {
    /// The client that sent the request, with its role and scope.
    fn viewer(&self, ctx: &Context<'_>) -> Viewer {
        Viewer(caller(ctx).clone())
    }
}

/// The rights and costs of these fields.
pub(super) const DECLARATIONS: Declarations =
    Declarations { rights: &[(Right::ReadOneself, &["Query.viewer", "Viewer"])], rules: Rules::NONE };
