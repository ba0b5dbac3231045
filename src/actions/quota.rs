//! The quota of misses: asking by numbers who is registered is a few mistakes an hour, and no more.
//!
//! A lookup that finds somebody costs nothing. One that finds nobody costs one, whether the person does not exist or is
//! none of the client's business: both are the same answer. A form that the registry refuses because of a person whom
//! the client may not see tells it that the number is registered, and costs as much.

use super::ActionError;
use crate::domain::actor::Actor;
use crate::store::lookup_miss::{self, Spent};
use crate::store::{Database, StoreError, participant};

/// Refuses a client that has spent its quota: before it is told anything.
///
/// # Errors
/// The quota is spent, or the database is away.
pub async fn demand(database: &Database, actor: &Actor) -> Result<(), ActionError> {
    if actor.client == Actor::COMMAND_LINE {
        return Ok(());
    }
    let spent = lookup_miss::spent(&database.control, &actor.client).await?;
    if spent.misses < database.misses_per_hour { Ok(()) } else { Err(refusal(spent)) }
}

/// The same for forms: they tell nothing to whoever sees everybody.
///
/// # Errors
/// As [`demand`].
pub(super) async fn demand_where_scoped(database: &Database, actor: &Actor) -> Result<(), ActionError> {
    if actor.scope.is_everything() { Ok(()) } else { demand(database, actor).await }
}

/// A lookup has found nobody.
///
/// # Errors
/// Others have spent the rest of the quota meanwhile, or the database is away.
pub async fn missed(database: &Database, actor: &Actor) -> Result<(), ActionError> {
    let spent = lookup_miss::add(&database.control, &actor.client, 1).await?;
    if spent.misses <= database.misses_per_hour { Ok(()) } else { Err(refusal(spent)) }
}

/// The registry has refused forms because of what it knows of the people with these numbers, given by index: those
/// whom the actor may not see are counted.
///
/// # Errors
/// The database is away.
pub(super) async fn refused(
    database: &Database,
    actor: &Actor,
    numbers: &[Vec<u8>],
) -> Result<(), StoreError> {
    if numbers.is_empty() || actor.scope.is_everything() {
        return Ok(());
    }
    let session = database.reading(actor);
    let seen = participant::count_by_national_ids(&session, actor, numbers).await?;
    let unseen = i64::try_from(numbers.len()).unwrap_or(i64::MAX).saturating_sub(seen);
    if unseen > 0 {
        lookup_miss::add(&database.control, &actor.client, unseen).await?;
    }
    Ok(())
}

fn refusal(spent: Spent) -> ActionError {
    ActionError::QuotaSpent { seconds: spent.seconds_left }
}
