//! `changeContact`: changes how a person is reached. The telephone number is kept encrypted, and the history has no numbers.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::request::{Mutation, Request};
use super::{ActionError, Done, Submission, ending, found, keep, terms};
use crate::store::audit::Trail;
use crate::store::event::NewEvent;
use crate::store::keys::{Keys, NumberKind};
use crate::store::{Database, StoreError, event, participant, rotation};
use domain::actor::{Actor, Right};
use domain::correction::{Change, CorrectedField, Correction, nothing_changes};
use domain::event::EventKind;
use domain::participant::PhoneNumber;
use domain::problem::{Problem, ProblemCode, refuses};
use domain::text;

/// The input.
#[derive(Clone, Serialize)]
pub struct Input {
    /// The person, by internal id.
    pub participant: i64,
    /// Telephone number, as typed. An empty text removes it.
    pub phone: Option<String>,
    /// The reason, as typed.
    pub reason: Option<String>,
    /// The channel that takes the request.
    pub channel_code: Option<String>,
}

domain::redacted_debug!(Input);

/// The person whose contact was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactChanged {
    /// The person.
    pub participant: i64,
}

/// Changes the contact of a person, recorded in `trail`.
pub async fn change_contact(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    submission: Submission<'_>,
    input: &Input,
    trail: &Trail,
) -> Result<Done<ContactChanged>, ActionError> {
    let request = Request::new(database, actor, ("changeContact", Right::ChangePeople), submission, input)?
        .recorded_in(trail);
    let reference = database.reference();
    let mut problems = Vec::new();
    let is_visible = participant::is_visible(&database.reading(actor), actor, input.participant).await?;
    if !is_visible {
        problems.push(found::no_participant());
    }
    let phone = match input.phone.as_deref() {
        None => {
            problems.push(nothing_to_change());
            None
        }
        Some(text) if text.trim().is_empty() => None,
        Some(text) => keep(PhoneNumber::parse(text, "phone"), &mut problems),
    };
    let channel = terms::service_channel(&reference, actor, input.channel_code.as_deref());
    let channel = keep(channel, &mut problems).flatten();
    let reason = keep(text::label(input.reason.as_deref(), 200, "reason"), &mut problems).flatten();
    if refuses(&problems) {
        // They tell that the actor sees the person.
        trail.saw(is_visible.then_some(input.participant));
        return request.refuse(problems).await;
    }
    let keys = &database.keys;
    let tells_phone = submission.tells_withheld(actor);
    request.run(ContactChange { keys, actor, today, input, phone, channel, reason, tells_phone }).await
}

struct ContactChange<'a> {
    keys: &'a Keys,
    actor: &'a Actor,
    today: NaiveDate,
    input: &'a Input,
    phone: Option<PhoneNumber>,
    channel: Option<i64>,
    reason: Option<String>,
    /// May a problem tell that the telephone number is the present one?
    tells_phone: bool,
}

impl Mutation for ContactChange<'_> {
    type Output = ContactChanged;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<ContactChanged>, StoreError> {
        let participant = self.input.participant;
        if ending::lock_one(conn, self.actor, participant).await?.is_none() {
            return Ok(Done::refused(vec![found::no_participant()]));
        }
        let kept = participant::phone(conn, participant).await?;
        let kept = kept.map(|sealed| self.keys.open(NumberKind::Phone, &sealed)).transpose();
        let kept = kept.map_err(|error| StoreError::Fault(error.to_string()))?;
        if self.tells_phone
            && kept.as_ref().map(|number| number.as_str()) == self.phone.as_ref().map(PhoneNumber::as_str)
        {
            return Ok(Done::refused(vec![nothing_changes()]).concerning(vec![participant]));
        }
        let sealed = self.phone.as_ref().map(|phone| self.keys.seal(NumberKind::Phone, phone.as_str()));
        participant::change_phone(conn, participant, sealed.as_deref()).await?;
        rotation::require_in_force(&mut *conn, self.keys).await?;
        event::insert_detailed(conn, self.actor, EventKind::ContactChanged, &[self.event()]).await?;
        Ok(Done::did(ContactChanged { participant }, Vec::new()).concerning(vec![participant]))
    }
}

impl ContactChange<'_> {
    fn event(&self) -> (NewEvent, Correction) {
        let event = NewEvent {
            participant_id: self.input.participant,
            enrollment_id: None,
            channel_id: self.channel,
            effective_on: self.today,
        };
        let change = Change { field: CorrectedField::Phone, before: None, after: None };
        (event, Correction { reason: self.reason.clone(), changes: vec![change] })
    }
}

fn nothing_to_change() -> Problem {
    let problem = Problem::error(ProblemCode::Required, "phone", "There is nothing to change.");
    problem.hint("Send a telephone number, or an empty text to remove it.")
}
