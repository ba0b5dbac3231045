//! What a request carries to its resolvers: who asks, the reference data of that moment, and loaders of its own.

use std::sync::Arc;

use async_graphql::Context;
use chrono::NaiveDate;

use super::error::FieldError;
use super::loaders::Loaders;
use crate::clock::Clock;
use crate::domain::actor::{Actor, Operation};
use crate::domain::language::Language;
use crate::store::Database;
use crate::store::reference::Reference;
use crate::store::session::Session;

/// Who asks, and of what: shared by the resolvers and loaders of one request.
#[derive(Clone, Debug)]
pub struct Asker {
    /// The database.
    pub database: Arc<Database>,
    /// What the resolvers read, they read through this, as the one who asks.
    pub session: Session,
    /// Who asks.
    pub actor: Arc<Actor>,
    /// Provinces, channels and rules, as they stood when the request began.
    pub reference: Arc<Reference>,
    /// The time.
    pub clock: Clock,
}

impl Asker {
    /// Begins a request.
    pub fn new(database: Arc<Database>, actor: Arc<Actor>, clock: Clock) -> Self {
        let reference = database.reference();
        Self { session: database.reading(&actor), database, actor, reference, clock }
    }

    /// Today where the agency works.
    pub fn today(&self) -> NaiveDate {
        self.clock.today()
    }

    /// May the actor do that?
    ///
    /// # Errors
    /// `FORBIDDEN`.
    pub fn demand(&self, operation: Operation) -> Result<(), FieldError> {
        if self.actor.may(operation) { Ok(()) } else { Err(FieldError::Forbidden) }
    }
}

/// A request's own state. Loaders live and die with it, so nobody is ever answered from another one's rights.
pub struct RequestContext {
    /// Who asks.
    pub asker: Asker,
    /// The door to everything that relations lead to.
    pub loaders: Loaders,
}

impl RequestContext {
    /// Begins a request.
    pub fn new(asker: Asker) -> Self {
        Self { loaders: Loaders::new(&asker), asker }
    }
}

/// The request's own state; the HTTP layer puts it into every request.
pub fn request<'a>(ctx: &Context<'a>) -> &'a RequestContext {
    ctx.data_unchecked::<RequestContext>()
}

/// Who asks.
pub fn asker<'a>(ctx: &Context<'a>) -> &'a Asker {
    &request(ctx).asker
}

/// Are people on the other side told what is wrong in Indonesian? The HTTP layer says so in the request's data; English
/// where it says nothing, as over a socket.
pub fn speaks_indonesian(ctx: &Context<'_>) -> bool {
    ctx.data_opt::<Language>() == Some(&Language::Indonesian)
}
