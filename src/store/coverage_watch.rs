//! Figures that somebody follows: read once for all followers who see the same, however many they are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use chrono::NaiveDate;

use super::coverage::{Figures, Part, figures};
use super::error::StoreError;
use super::session::Session;
use domain::actor::{Actor, Role, Scope};

/// Who sees the same: by role and scope, of the same part and day.
type Key = (Role, Scope, Part, Option<NaiveDate>);

/// What is followed in this process.
#[derive(Debug, Default)]
pub struct Watched(Mutex<HashMap<Key, Weak<Watch>>>);

/// The figures that followers of one part share for as long as one of them is left.
#[derive(Debug, Default)]
pub struct Watch(tokio::sync::Mutex<Option<(Instant, Figures)>>);

impl Watched {
    /// The figures of a part, shared with everybody who sees the same.
    pub fn of(&self, actor: &Actor, part: &Part, as_of: Option<NaiveDate>) -> Arc<Watch> {
        let key = (actor.role, actor.scope.clone(), part.clone(), as_of);
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watch) = watched.get(&key).and_then(Weak::upgrade) {
            return watch;
        }
        watched.retain(|_, watch| watch.strong_count() > 0);
        let watch = Arc::new(Watch::default());
        watched.insert(key, Arc::downgrade(&watch));
        watch
    }
}

impl Watch {
    /// The figures, as they were read by one of the followers at most so long ago.
    ///
    /// # Errors
    /// The database is away.
    pub async fn figures(
        &self,
        session: &Session,
        actor: &Actor,
        (part, as_of): (&Part, Option<NaiveDate>),
        age: Duration,
    ) -> Result<Figures, StoreError> {
        let mut read = self.0.lock().await;
        if let Some((_, figures)) = read.as_ref().filter(|(at, _)| at.elapsed() < age) {
            return Ok(figures.clone());
        }
        // Whoever leaves meanwhile leaves it to the next one.
        let at = Instant::now();
        let figures = figures(session, actor, part, as_of).await?;
        *read = Some((at, figures.clone()));
        Ok(figures)
    }
}
