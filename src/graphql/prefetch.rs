//! Hands to the rows of a list what the query asks of them, before their resolvers run.
//!
//! A resolver that waits costs more than the statement that it waits for: a page of fifty would park and wake a
//! hundred futures. So a list looks ahead at what is selected below it, asks the loaders for all of it at once, and
//! gives each row its own. A row that was handed nothing asks the loaders itself; the answer is the same.

use std::collections::HashMap;

use async_graphql::{Context, Lookahead};

use super::association::Association;
use super::context::request;
use super::employer::Employer;
use super::error::FieldError;
use super::loaders::load_many;
use super::participant::Participant;
use crate::store::participant::ParticipantRow;
use domain::page::{Page, Position, Slice};

/// Something that a row may have been handed.
#[derive(Clone, Debug, Default)]
pub enum Handed<T> {
    /// Not handed: ask the loader.
    #[default]
    No,
    /// Handed; `None` where there is none.
    Yes(Option<T>),
}

/// Does the list's selection ask for that field of its nodes?
fn selected(list: &Lookahead<'_>, field: &str) -> bool {
    list.field("nodes").field(field).exists() || list.field("edges").field("node").field(field).exists()
}

/// The people of a page, each with its employer and association where the query asks for them.
///
/// # Errors
/// The database is away.
pub async fn people(
    ctx: &Context<'_>,
    slice: Slice<ParticipantRow>,
    page: &Page,
) -> Result<Slice<(Position, Participant)>, FieldError> {
    let list = ctx.look_ahead();
    let loaders = &request(ctx).loaders;
    let ids = |field: &str, id: fn(&ParticipantRow) -> Option<i64>| {
        selected(&list, field).then(|| {
            let mut ids: Vec<i64> = slice.rows.iter().filter_map(id).collect();
            ids.sort_unstable();
            ids.dedup();
            ids
        })
    };
    let (employers, associations) =
        (ids("employer", |row| row.employer_id), ids("association", |row| row.association_id));
    let employers = async {
        match employers {
            Some(ids) if !ids.is_empty() => load_many(&loaders.employers, ids).await.map(Some),
            Some(_) => Ok(Some(HashMap::new())),
            None => Ok(None),
        }
    };
    let associations = async {
        match associations {
            Some(ids) if !ids.is_empty() => load_many(&loaders.associations, ids).await.map(Some),
            Some(_) => Ok(Some(HashMap::new())),
            None => Ok(None),
        }
    };
    let (employers, associations) = tokio::try_join!(employers, associations)?;
    Ok(slice.map(|row| {
        let position = row.position(page);
        let employer = hand(&employers, row.employer_id, Employer::new);
        let association = hand(&associations, row.association_id, Association::new);
        (position, Participant::handed(row, employer, association))
    }))
}

fn hand<R: Clone, T>(found: &Option<HashMap<i64, R>>, id: Option<i64>, make: fn(R) -> T) -> Handed<T> {
    match found {
        None => Handed::No,
        Some(found) => Handed::Yes(id.and_then(|id| found.get(&id).cloned()).map(make)),
    }
}
