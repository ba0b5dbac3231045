//! What a request carries to its resolvers: who asks, the reference data of that moment, and loaders of its own.

use std::sync::Arc;

use async_graphql::Context;
use chrono::NaiveDate;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::error::FieldError;
use super::loaders::Loaders;
use crate::actions::quota;
use crate::clock::Clock;
use crate::store::Database;
use crate::store::audit::{About, Trail};
use crate::store::reference::Reference;
use crate::store::session::Session;
use domain::access::{Operation, Purpose};
use domain::actor::Actor;
use domain::identity;
use domain::language::Language;

/// Who asks, and of what: shared by the resolvers and loaders of one request.
#[derive(Clone, Debug)]
pub struct Caller {
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
    /// For what personal data are read, where that was said.
    pub purpose: Option<String>,
}

impl Caller {
    /// Begins a request.
    pub fn new(database: Arc<Database>, actor: Arc<Actor>, clock: Clock) -> Self {
        let reference = database.reference();
        Self { session: database.reading(&actor), database, actor, reference, clock, purpose: None }
    }

    /// The same one, who says for what it reads personal data.
    pub fn for_purpose(self, purpose: Option<&Purpose>) -> Self {
        Self { purpose: purpose.map(|purpose| purpose.as_str().to_owned()), ..self }
    }

    /// May this request be told personal data? All of them or none: an identity number holds a birth date and a district,
    /// so that a masked number beside a birth date would be no longer masked.
    pub fn reads_personal_data(&self) -> bool {
        self.purpose.is_some() && self.actor.reads_personal_data()
    }

    /// An identity or service number as this request is told it: in full, or masked but for its last two digits.
    pub fn told(&self, number: Zeroizing<String>) -> String {
        if self.reads_personal_data() { number.to_string() } else { identity::masked(&number) }
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
    pub caller: Caller,
    /// The door to everything that relations lead to.
    pub loaders: Loaders,
    /// Lookups by number, one after the other: else a request could try hundreds before the first of them is counted.
    lookups: Mutex<()>,
    /// Where it goes on record whom it was shown and whom it wrote.
    pub trail: Arc<Trail>,
}

impl RequestContext {
    /// Begins a request.
    pub fn new(caller: Caller, about: About) -> Self {
        let trail = Trail::new(&caller.database.journal, &caller.session, Arc::clone(&caller.actor), about);
        Self { loaders: Loaders::new(&caller), caller, lookups: Mutex::default(), trail: Arc::new(trail) }
    }

    /// Looks somebody up by a number, within the client's quota of misses.
    ///
    /// # Errors
    /// `QUOTA_EXCEEDED`, or what `lookup` fails with.
    pub async fn by_number<T>(
        &self,
        lookup: impl Future<Output = Result<Option<T>, FieldError>>,
    ) -> Result<Option<T>, FieldError> {
        let Caller { database, actor, .. } = &self.caller;
        let _turn = self.lookups.lock().await;
        quota::demand(database, actor).await?;
        let found = lookup.await?;
        if found.is_none() {
            quota::missed(database, actor).await?;
        }
        Ok(found)
    }
}

/// The request's own state; the HTTP layer puts it into every request.
pub fn request<'a>(ctx: &Context<'a>) -> &'a RequestContext {
    ctx.data_unchecked::<RequestContext>()
}

/// Who asks.
pub fn caller<'a>(ctx: &Context<'a>) -> &'a Caller {
    &request(ctx).caller
}

/// Are people on the other side told what is wrong in Indonesian? The HTTP layer says so in the request's data; English
/// where it says nothing, as over a socket.
pub fn speaks_indonesian(ctx: &Context<'_>) -> bool {
    ctx.data_opt::<Language>() == Some(&Language::Indonesian)
}
