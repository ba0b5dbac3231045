//! Who asks.

use async_graphql::{Context, Enum, Object, Result};
use domain::access::Operation;
use graphql_front::catalogue::Rules;

use super::association::Association;
use super::channel::Channel;
use super::context::{Caller, caller};
use super::employer::Employer;
use super::error::FieldError;
use super::noun::Noun;
use super::province::Province;
use domain::actor as model;

/// Who asks.
pub struct Viewer(Caller);

/// Who asks, and whose people they see.
#[Object]
impl Viewer {
    /// Name of the client.
    async fn name(&self) -> &str {
        &self.0.actor.client
    }

    /// What the client is to the agency.
    async fn role(&self) -> Role {
        self.0.actor.role.into()
    }

    /// Only people who live in one of these; empty: in any.
    async fn provinces(&self) -> Result<Vec<Province>, FieldError> {
        self.0.actor.scope.provinces.iter().map(|&id| Province::find(&self.0, id)).collect()
    }

    /// Only people of this employer.
    async fn employer(&self, ctx: &Context<'_>) -> Option<Result<Employer, FieldError>> {
        let employer = self.0.actor.scope.employer?;
        Employer::load(ctx, employer).await.map_err(FieldError::from).transpose()
    }

    /// Only people of this association.
    async fn association(&self, ctx: &Context<'_>) -> Option<Result<Association, FieldError>> {
        let association = self.0.actor.scope.association?;
        Association::load(ctx, association).await.map_err(FieldError::from).transpose()
    }

    /// Only people whom this channel, or one below it, brought in.
    async fn channel(&self) -> Option<Result<Channel, FieldError>> {
        Some(Channel::find(&self.0, *self.0.actor.scope.channels.first()?))
    }

    /// May numbers be read unmasked, and birth dates and wages, by whoever says why (`X-Purpose`)?
    async fn may_read_personal_data(&self) -> bool {
        self.0.actor.reads_personal_data()
    }
}

/// What a client is to the agency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::Role")]
pub enum Role {
    /// Runs the installation.
    Administrator,
    /// Works for the agency in some provinces or at a channel.
    Officer,
    /// An employer, association or bank that brings people in.
    Partner,
    /// Signs what another submitted.
    Approver,
    /// Asks whether a company may have its licence.
    LicensingDesk,
    /// Sees figures, never people.
    Analyst,
    /// Sees who did what, never the people it was done to.
    Auditor,
}

/// Root fields.
#[derive(Default)]
pub struct ViewerQuery;

#[Object]
impl ViewerQuery {
    /// Who asks, and whose people they see.
    async fn viewer(&self, ctx: &Context<'_>) -> Viewer {
        Viewer(caller(ctx).clone())
    }
}

/// The rights and costs of these fields.
pub(super) const NOUN: Noun =
    Noun { rights: &[(Operation::ReadOneself, &["Query.viewer", "Viewer"])], rules: Rules::NONE };
