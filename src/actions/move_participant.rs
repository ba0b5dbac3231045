//! `moveParticipant`: records that a person lives in another province from a day on. Counters of earlier days stay. A province
//! that was wrong from the start is corrected by `correctParticipant`.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::changing::{self, Change};
use super::request::{Mutation, Request};
use super::{ActionError, Done, Submission, ending, found, keep, terms};
use crate::store::audit::Trail;
use crate::store::event::NewEvent;
use crate::store::reference::Reference;
use crate::store::{Database, StoreError, event, participant};
use domain::actor::{Actor, Right};
use domain::correction::{self, CorrectedField, Correction};
use domain::event::EventKind;
use domain::problem::refuses;
use domain::residence::{judge_move, judge_move_form};
use domain::text;

/// The input.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// The person, by internal id.
    pub participant: i64,
    /// The province in which the person lives from then on.
    pub province_code: String,
    /// The first day there.
    pub on: NaiveDate,
    /// The reason, as typed.
    pub reason: Option<String>,
    /// The channel that takes the request.
    pub channel_code: Option<String>,
}

/// The person who moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The person.
    pub participant: i64,
}

/// Moves a person to another province, recorded in `trail`.
pub async fn move_participant(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    submission: Submission<'_>,
    input: &Input,
    trail: &Trail,
) -> Result<Done<Moved>, ActionError> {
    let request = Request::new(database, actor, ("moveParticipant", Right::ChangePeople), submission, input)?
        .recorded_in(trail);
    let reference = database.reference();
    let mut problems = Vec::new();
    let is_visible = participant::is_visible(&database.reading(actor), actor, input.participant).await?;
    if !is_visible {
        problems.push(found::no_participant());
    }
    let province =
        keep(terms::find_province_of_any_day(&reference, actor, today, &input.province_code), &mut problems);
    problems.extend(judge_move_form(
        input.on,
        province.and_then(|id| reference.province(id)).map(AsRef::as_ref),
        today,
    ));
    let channel = terms::service_channel(&reference, actor, input.channel_code.as_deref());
    let channel = keep(channel, &mut problems).flatten();
    let reason = keep(text::label(input.reason.as_deref(), 200, "reason"), &mut problems).flatten();
    let Some(province) = province.filter(|_| !refuses(&problems)) else {
        // They tell that the actor sees the person.
        trail.saw(is_visible.then_some(input.participant));
        return request.refuse(problems).await;
    };
    let work = ParticipantMove { reference: &reference, actor, input, province, channel, reason };
    request.run(work).await
}

struct ParticipantMove<'a> {
    reference: &'a Reference,
    actor: &'a Actor,
    input: &'a Input,
    province: i16,
    channel: Option<i64>,
    reason: Option<String>,
}

impl Mutation for ParticipantMove<'_> {
    type Output = Moved;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Moved>, StoreError> {
        let (participant, on) = (self.input.participant, self.input.on);
        let Some(before) = ending::lock_one(conn, self.actor, participant).await? else {
            return Ok(Done::refused(vec![found::no_participant()]));
        };
        let counts_from = before.enrollments.values().map(|held| held.timeline.counts_from).min();
        let life = (counts_from, before.deceased_on);
        if let Some(problem) = judge_move(&before.residence, (on, self.province), life) {
            return Ok(Done::refused(vec![problem]).concerning(vec![participant]));
        }
        let mut after = before.clone();
        let lived_in = after.residence.change(on, self.province);
        participant::move_to(conn, participant, &after.residence).await?;
        event::insert_detailed(conn, self.actor, EventKind::Moved, &[(self.event(), self.details(lived_in))])
            .await?;
        let change = Change { participant, before: Some(before), after };
        changing::write_consequences(conn, &self.reference.rules, &[change]).await?;
        Ok(Done::did(Moved { participant }, Vec::new()).concerning(vec![participant]))
    }
}

impl ParticipantMove<'_> {
    fn event(&self) -> NewEvent {
        NewEvent {
            participant_id: self.input.participant,
            enrollment_id: None,
            channel_id: self.channel,
            effective_on: self.input.on,
        }
    }

    fn details(&self, lived_in: i16) -> Correction {
        let code = |id| self.reference.province(id).map(|province| province.code.clone());
        let (before, after) = (code(lived_in), code(self.province));
        let change = correction::Change { field: CorrectedField::Province, before, after };
        Correction { reason: self.reason.clone(), changes: vec![change] }
    }
}
