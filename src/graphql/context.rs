//! The context of a request: its caller, its loaders and its audit trail.

use std::sync::Arc;

use async_graphql::Context;
use tokio::sync::Mutex;

use super::caller::Caller;
use super::error::FieldError;
use super::loaders::Loaders;
use crate::actions::enroll_participant::RegisteredFormQueue;
use crate::actions::quota;
use crate::store::StoreError;
use crate::store::audit::{About, Trail};
use crate::store::participant::{ParticipantKey, ParticipantRow};
use domain::language::Language;

/// The state of one request. Loaders live as long as the request, so no answer is shared between callers; a subscription empties
/// them before each event.
pub struct RequestContext {
    /// The caller of the request.
    pub caller: Arc<Caller>,
    /// Batched access to everything that relations lead to.
    pub loaders: Arc<Loaders>,
    /// Serializes lookups by number: otherwise one request could try hundreds before the first miss is counted.
    lookups: Mutex<()>,
    /// Is one root field resolved at a time? Then it has nobody to wait for who could ask for something similar.
    pub is_serial: bool,
    /// Writes forms of registered people together with those of other requests; `None`: each alone.
    pub registered_forms: Option<Arc<RegisteredFormQueue>>,
    /// Records the people whom the request reads or writes.
    pub trail: Arc<Trail>,
}

impl RequestContext {
    /// Returns the context of a new request.
    pub fn new(caller: Caller, about: About) -> Self {
        let trail = Trail::new(&caller.database.journal, &caller.session, Arc::clone(&caller.actor), about);
        let caller = Arc::new(caller);
        Self {
            loaders: Arc::new(Loaders::new(&caller)),
            caller,
            lookups: Mutex::default(),
            is_serial: false,
            registered_forms: None,
            trail: Arc::new(trail),
        }
    }

    /// Says whether one root field is resolved at a time.
    pub fn one_root_at_a_time(self, is_serial: bool) -> Self {
        Self { is_serial, ..self }
    }

    /// Writes its forms of registered people together with those of other requests.
    pub fn with_form_queue(self, registered_forms: &Arc<RegisteredFormQueue>) -> Self {
        Self { registered_forms: Some(Arc::clone(registered_forms)), ..self }
    }

    /// Looks up the participant who owns a number within the client's quota of misses.
    ///
    /// # Errors
    /// `QUOTA_EXCEEDED`, or the database is unavailable.
    pub async fn participant_by_number(
        &self,
        key: ParticipantKey<'_>,
    ) -> Result<Option<Arc<ParticipantRow>>, FieldError> {
        let Caller { database, session, actor, participant_columns, .. } = &*self.caller;
        let _turn = self.lookups.lock().await;
        let found =
            quota::look_up(database, (self.caller.people(), session, actor), key, *participant_columns);
        found.await.map_err(FieldError::of_read)
    }

    /// Runs another lookup by number within the client's quota of misses.
    ///
    /// # Errors
    /// `QUOTA_EXCEEDED`, or what `lookup` fails with.
    pub async fn by_number<T>(
        &self,
        lookup: impl Future<Output = Result<Option<T>, FieldError>>,
    ) -> Result<Option<T>, FieldError> {
        let Caller { database, actor, .. } = &*self.caller;
        let _turn = self.lookups.lock().await;
        quota::require_lookups_left(database, actor).await.map_err(FieldError::of_read)?;
        let found = lookup.await?;
        if found.is_none() {
            quota::missed(database, actor).await.map_err(FieldError::of_read)?;
        }
        Ok(found)
    }
}

/// Returns the request's context, which the HTTP layer puts into every request.
pub fn request<'a>(ctx: &Context<'a>) -> &'a RequestContext {
    ctx.data_unchecked::<RequestContext>()
}

/// Returns the request's caller.
pub fn caller<'a>(ctx: &Context<'a>) -> &'a Caller {
    &request(ctx).caller
}

/// Returns the language of messages, which every transport puts into the request's data. A test of the bare schema, which has
/// none, gets English.
pub fn language(ctx: &Context<'_>) -> Language {
    match ctx.data_opt::<graphql_front::language::Language>() {
        Some(graphql_front::language::Language::Indonesian) => Language::Indonesian,
        _ => Language::English,
    }
}

/// Loads what a mutation wrote, with the caller's rights of now: a replay shows nothing that is out of scope by then.
///
/// # Errors
/// The outcome of the mutation is unknown, because the database was lost while the answer was read.
pub async fn written<K, T, F>(key: Option<K>, load: impl FnOnce(K) -> F) -> Result<Option<T>, FieldError>
where
    F: Future<Output = Result<Option<T>, StoreError>>,
{
    match key {
        Some(key) => load(key).await.map_err(FieldError::of_written),
        None => Ok(None),
    }
}
