//! Prefetching: a list loads the relations that the query selects of its rows, before their resolvers run.
//!
//! A resolver that waits costs more than the statement that it waits for: a page of fifty would park and wake a
//! hundred futures. So a list looks ahead at the selection below it, asks the loaders for all of it at once, and gives
//! each row its own. A row without a prefetched value asks the loader itself; the answer is the same.

use std::collections::HashMap;

use async_graphql::Lookahead;

use super::loaders::{LoaderOf, Source, load_many};
use crate::store::StoreError;

/// A related value that a list may have loaded for its row.
#[derive(Clone, Debug, Default)]
pub enum Prefetched<T> {
    /// Not prefetched: ask the loader.
    #[default]
    No,
    /// Prefetched; `None` where the row has none.
    Yes(Option<T>),
}

/// The rows that a list's nodes refer to by one field.
pub struct Relation<R> {
    /// `None`: the query does not select the field.
    rows: Option<HashMap<i64, R>>,
}

impl<R: Clone> Relation<R> {
    /// Loads the rows of these ids, if the query selects the field of the list's nodes.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn load<S: Source<Key = i64, Value = R>>(
        list: &Lookahead<'_>,
        field: &str,
        loader: &LoaderOf<S>,
        ids: impl Iterator<Item = i64>,
    ) -> Result<Self, StoreError> {
        if !is_selected(list, field) {
            return Ok(Self { rows: None });
        }
        let mut ids: Vec<i64> = ids.collect();
        ids.sort_unstable();
        ids.dedup();
        let rows = if ids.is_empty() { HashMap::new() } else { load_many(loader, ids).await? };
        Ok(Self { rows: Some(rows) })
    }

    /// Returns the row that a node refers to; `None` too where the query does not select it.
    pub fn get(&self, id: Option<i64>) -> Option<R> {
        self.rows.as_ref()?.get(&id?).cloned()
    }

    /// Returns the prefetched value of a node. Its id is read only where the query selects the field.
    pub fn of<T>(&self, id: impl FnOnce() -> Option<i64>, new: impl FnOnce(R) -> T) -> Prefetched<T> {
        match &self.rows {
            None => Prefetched::No,
            Some(_) => Prefetched::Yes(self.get(id()).map(new)),
        }
    }
}

/// Does the query select this field of the list's nodes?
pub fn is_selected(list: &Lookahead<'_>, field: &str) -> bool {
    list.field("nodes").field(field).exists() || list.field("edges").field("node").field(field).exists()
}
