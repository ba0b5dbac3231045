//! The daily run that lets enrollments lapse when their grace period is over. One process of the installation does it.

use std::collections::HashMap;

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::changing::{self, Change, History};
use crate::store::audit::Trail;
use crate::store::enrollment::{self, TimelineRow};
use crate::store::event::NewEvent;
use crate::store::participant::{self, Person};
use crate::store::{Database, StoreError, lapse_run};
use domain::actor::Actor;
use domain::enrollment::EnrollmentStatus;
use domain::rule::Rulebook;

/// Number of people in one transaction.
const CHUNK: i64 = 2_000;

/// Lets all due enrollments lapse, and returns their number. Returns `None` if the run of today is complete, or another
/// process is doing it. After an error, committed chunks stay, and the next run does the rest.
pub async fn lapse(database: &Database, today: NaiveDate) -> Result<Option<u64>, StoreError> {
    database.require_begun(today).await?;
    if lapse_run::is_done(&database.control, today).await? {
        return Ok(None);
    }
    let registry = Actor::command_line();
    let trail = Trail::for_command(database, &registry, "lapse");
    let reference = database.reference();
    let mut lapsed = 0;
    let chunk = async |lapsed: u64| -> Result<Lapsed, StoreError> {
        let mut transaction = database.bulk.begin().await?;
        if !lapse_run::is_alone(&mut transaction).await? {
            transaction.rollback().await?;
            return Ok(Lapsed::Elsewhere);
        }
        let due = enrollment::people_to_lapse(&mut transaction, today, CHUNK).await?;
        if due.is_empty() {
            lapse_run::finish(&mut transaction, today, lapsed).await?;
            transaction.commit().await?;
            return Ok(Lapsed::All);
        }
        let people = participant::lock(&mut transaction, &due).await?;
        let some = let_lapse(&mut transaction, &registry, people, today, &reference.rules).await?;
        trail.append(&mut transaction, &due).await?;
        transaction.commit().await?;
        Ok(Lapsed::Some(some))
    };
    loop {
        match database.bulk.in_time(chunk(lapsed)).await? {
            Lapsed::Some(more) => lapsed += more,
            Lapsed::All => return Ok(Some(lapsed)),
            Lapsed::Elsewhere => return Ok(None),
        }
    }
}

/// The result of a chunk.
enum Lapsed {
    /// The number of enrollments that lapsed.
    Some(u64),
    /// No enrollment is left to lapse.
    All,
    /// Another process is doing it.
    Elsewhere,
}

async fn let_lapse(
    conn: &mut PgConnection,
    registry: &Actor,
    people: HashMap<i64, Person>,
    today: NaiveDate,
    rules: &Rulebook,
) -> Result<u64, StoreError> {
    let (mut rows, mut changes, mut history) = (Vec::new(), Vec::new(), History::default());
    for (participant, before) in people {
        let mut after = before.clone();
        for (&id, held) in &mut after.enrollments {
            let was = held.timeline.clone();
            if was.status() != EnrollmentStatus::Active {
                continue;
            }
            held.timeline.update_lapse(today, held.segment, rules);
            let of = |effective_on| NewEvent {
                participant_id: participant,
                enrollment_id: Some(id),
                channel_id: None,
                effective_on,
            };
            history.add_change(&was, held, of, rules);
            // Written even if the enrollment has not lapsed: then a rule has changed, and it is due on another day.
            rows.push(TimelineRow::of((participant, id), held, rules));
        }
        changes.push(Change { participant, before: Some(before), after });
    }
    enrollment::update_timelines(conn, &rows).await?;
    history.write(conn, registry).await?;
    changing::write_consequences(conn, rules, &changes).await?;
    let lapsed = rows.iter().filter(|row| row.status == EnrollmentStatus::Inactive).count();
    Ok(lapsed as u64)
}
