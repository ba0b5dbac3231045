//! The mutation that moves a person to another province.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::Participant;
use crate::actions::move_participant::{self as action, Moved, move_participant};
use crate::graphql::context::{caller, request, written};
use crate::graphql::error::FieldError;
use crate::graphql::input::{InputReader, Lenient};
use crate::graphql::node_id::participant_id;
use crate::graphql::problem::{UserError, user_errors};
use crate::graphql::scalar::Date;

/// Input of `moveParticipant`.
#[derive(InputObject)]
pub struct MoveParticipantInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// Only checks the input: the errors are those of a real call, but nothing is written, no idempotency key is used up, and
    /// the payload has no record.
    #[graphql(default)]
    validate_only: bool,
    /// Id of the person.
    participant_id: ID,
    /// Code of the province in which the person lives from then on. It exists on that day.
    province_code: String,
    /// First day there: after the day of registration and not in the future. A later move that is recorded already stays.
    on: Lenient<Date>,
    /// Reason, at most 200 characters, without long numbers.
    reason: Option<String>,
    /// Code of the channel that was notified (default: your own).
    channel_code: Option<String>,
}

/// Result of `moveParticipant`.
#[derive(SimpleObject)]
pub struct MoveParticipantPayload {
    /// The person. Null if an error rejects the input.
    participant: Option<Participant>,
    /// All problems with the input.
    errors: Vec<UserError>,
}

/// Root fields of this module.
#[derive(Default)]
pub struct MoveMutation;

#[Object]
impl MoveMutation {
    /// Moves a person to another province from a day on. Counts of earlier days stay. If the recorded province was wrong
    /// from the start, use `correctParticipant`.
    async fn move_participant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Input of the mutation.")] input: MoveParticipantInput,
    ) -> Result<MoveParticipantPayload, FieldError> {
        let caller = caller(ctx);
        let (today, trail) = (caller.today(), &request(ctx).trail);
        let mut reader = InputReader::default();
        let wanted = action::Input {
            participant: reader.id(input.participant_id, participant_id, "participantId"),
            province_code: input.province_code,
            on: reader.scalar(input.on, "on").unwrap_or(today),
            reason: input.reason,
            channel_code: input.channel_code,
        };
        let submission = reader.submission(input.idempotency_key.as_deref()).validating(input.validate_only);
        let done =
            move_participant(&caller.database, &caller.actor, today, submission, &wanted, trail).await?;
        let moved = done.value.map(|Moved { participant }| participant);
        let participant = written(moved, |id| Participant::load_root(ctx, id)).await?;
        Ok(MoveParticipantPayload { participant, errors: user_errors(done.problems) })
    }
}
