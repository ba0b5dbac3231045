//! The mutation that corrects personal details.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::{Participant, Sex};
use crate::actions::correct_participant::{self as action, Corrected, correct_participant};
use crate::graphql::context::{caller, request, written};
use crate::graphql::error::FieldError;
use crate::graphql::input::{InputReader, Lenient};
use crate::graphql::node_id::participant_id;
use crate::graphql::problem::{UserError, user_errors};
use crate::graphql::scalar::Date;

/// Input of `correctParticipant`. Omitted fields stay as they are.
#[derive(InputObject)]
pub struct CorrectParticipantInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// Only checks the input: the errors are those of a real call, but nothing is written, no idempotency key is used up, and
    /// the payload has no record.
    #[graphql(default)]
    validate_only: bool,
    /// Id of the person.
    participant_id: ID,
    /// Full name with titles, at most 100 characters.
    full_name: Option<String>,
    /// Date of birth.
    birth_date: Option<Lenient<Date>>,
    /// Sex, as on the identity card.
    sex: Option<Sex>,
    /// Code of the province of residence. Counts of past days change too, as if it had always been so; a move that was
    /// recorded before no longer counts. For a move from a day on use `moveParticipant`.
    province_code: Option<String>,
    /// Identity number (NIK), 16 digits. The person can still be found by the previous number.
    national_id: Option<String>,
    /// Code of the channel that was notified (default: your own).
    channel_code: Option<String>,
    /// Reason, at most 200 characters, without long numbers.
    reason: String,
}

/// Result of `correctParticipant`.
#[derive(SimpleObject)]
pub struct CorrectParticipantPayload {
    /// The person. Null if an error rejects the input.
    participant: Option<Participant>,
    /// All problems with the input, warnings included.
    errors: Vec<UserError>,
}

/// Root fields of this module.
#[derive(Default)]
pub struct ParticipantMutation;

#[Object]
impl ParticipantMutation {
    /// Corrects personal details. Previous values remain readable in `Participant.events`.
    async fn correct_participant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Input of the mutation.")] input: CorrectParticipantInput,
    ) -> Result<CorrectParticipantPayload, FieldError> {
        let caller = caller(ctx);
        let (today, trail) = (caller.today(), &request(ctx).trail);
        let mut reader = InputReader::default();
        let wanted = action::Input {
            participant: reader.id(input.participant_id, participant_id, "participantId"),
            full_name: input.full_name,
            birth_date: input.birth_date.and_then(|day| reader.scalar(day, "birthDate")),
            sex: input.sex.map(Into::into),
            province_code: input.province_code,
            national_id: input.national_id,
            channel_code: input.channel_code,
            reason: input.reason,
        };
        let submission = reader.submission(input.idempotency_key.as_deref()).validating(input.validate_only);
        let done =
            correct_participant(&caller.database, &caller.actor, today, submission, &wanted, trail).await?;
        let corrected = done.value.map(|Corrected { participant }| participant);
        let participant = written(corrected, |id| Participant::load_root(ctx, id)).await?;
        Ok(CorrectParticipantPayload { participant, errors: user_errors(done.problems) })
    }
}
