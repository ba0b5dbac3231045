//! Correcting what the registry holds of a person.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::{Participant, Sex};
use crate::actions::correct_participant::{self as action, Corrected, correct_participant};
use crate::graphql::context::{caller, request};
use crate::graphql::enrollment::read_id;
use crate::graphql::error::FieldError;
use crate::graphql::node_id::participant_id;
use crate::graphql::problem::{UserError, user_errors};
use crate::graphql::scalar::Date;
use domain::actor::Operation;

/// A form that corrects what the registry holds of a person. What is left out stays.
#[derive(InputObject)]
pub struct CorrectParticipantInput {
    /// Makes retrying safe: 16 to 255 characters, new for each correction, the same for each retry.
    idempotency_key: Option<String>,
    /// The person.
    participant_id: ID,
    /// Name with its titles, at most 100 characters.
    full_name: Option<String>,
    /// Date of birth.
    birth_date: Option<Date>,
    /// Sex.
    sex: Option<Sex>,
    /// Where the person lives. Figures of the past move along: it was always so.
    province_code: Option<String>,
    /// Identity number (NIK): 16 digits. The number before stays the person's, and still finds it.
    national_id: Option<String>,
    /// The channel that was told; your own unless said.
    channel_code: Option<String>,
    /// Why, in at most 200 characters and without long numbers.
    reason: String,
}

/// The person as it is now, or why nothing was corrected.
#[derive(SimpleObject)]
pub struct CorrectParticipantPayload {
    /// The person; null where an error refuses the form.
    participant: Option<Participant>,
    /// All that is wrong with the form, warnings included.
    errors: Vec<UserError>,
}

/// Root fields.
#[derive(Default)]
pub struct ParticipantMutation;

#[Object]
impl ParticipantMutation {
    /// Corrects what the registry holds of a person. What it held before stays readable in `Participant.events`.
    async fn correct_participant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The form.")] input: CorrectParticipantInput,
    ) -> Result<CorrectParticipantPayload, FieldError> {
        let caller = caller(ctx);
        let (key, mut problems) = (input.idempotency_key, Vec::new());
        let id = read_id(Some(input.participant_id), participant_id, "participantId", &mut problems);
        let Some(participant) = id else {
            caller.demand(Operation::ChangePeople)?;
            return Ok(CorrectParticipantPayload { participant: None, errors: user_errors(problems) });
        };
        let input = action::Input {
            participant,
            full_name: input.full_name,
            birth_date: input.birth_date.map(|day| day.0),
            sex: input.sex.map(Into::into),
            province_code: input.province_code,
            national_id: input.national_id,
            channel_code: input.channel_code,
            reason: input.reason,
        };
        let (today, trail) = (caller.today(), &request(ctx).trail);
        let done = correct_participant(&caller.database, &caller.actor, today, key.as_deref(), &input, trail)
            .await?;
        let participant = match done.value {
            Some(Corrected { participant }) => {
                Participant::load(ctx, participant).await.map_err(FieldError::of_write)?
            }
            None => None,
        };
        Ok(CorrectParticipantPayload { participant, errors: user_errors(done.problems) })
    }
}
