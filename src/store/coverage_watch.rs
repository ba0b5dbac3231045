//! Shared reads for coverage subscriptions: counts are read once for all subscribers with the same scope.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use chrono::NaiveDate;
use parking_lot::Mutex;

use super::coverage::{Country, Figures, Part, figures};
use super::error::StoreError;
use super::reference::Reference;
use super::session::Session;
use domain::actor::{Actor, Role, Scope};

/// The properties that subscribers share if they see the same counts: role, scope, part and day.
type Key = (Role, Scope, Part, Option<NaiveDate>);

/// The watches of this process, by key.
#[derive(Debug, Default)]
pub struct Watched(Mutex<HashMap<Key, Weak<Watch>>>);

/// The counts that subscribers share. A watch exists as long as one of its subscribers.
#[derive(Debug, Default)]
pub struct Watch(tokio::sync::Mutex<Option<(Instant, Figures)>>);

impl Watched {
    /// Returns the watch of a part. All subscribers with the same key share it.
    pub fn of(&self, actor: &Actor, part: &Part, as_of: Option<NaiveDate>) -> Arc<Watch> {
        let key = (actor.role, actor.scope.clone(), part.clone(), as_of);
        let mut watched = self.0.lock();
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
    /// Returns the counts that one of the subscribers has read, at most `age` ago.
    pub async fn figures(
        &self,
        source: (&Country, &Reference),
        (session, actor): (&Session, &Actor),
        (part, as_of): (&Part, Option<NaiveDate>),
        age: Duration,
    ) -> Result<Figures, StoreError> {
        let mut read = self.0.lock().await;
        if let Some((_, figures)) = read.as_ref().filter(|(at, _)| at.elapsed() < age) {
            return Ok(figures.clone());
        }
        // A subscriber that leaves cancels its read, and the next subscriber reads.
        let at = Instant::now();
        let figures = figures(source, (session, actor), part, as_of).await?;
        *read = Some((at, figures.clone()));
        Ok(figures)
    }
}
