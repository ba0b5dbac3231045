//! The mutation that changes how a person is reached.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::Participant;
use crate::actions::change_contact::{self as action, ContactChanged, change_contact};
use crate::graphql::context::{caller, request, written};
use crate::graphql::error::FieldError;
use crate::graphql::input::InputReader;
use crate::graphql::node_id::participant_id;
use crate::graphql::problem::{UserError, user_errors};

/// Input of `changeContact`.
#[derive(InputObject)]
pub struct ChangeContactInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// Only checks the input: the errors are those of a real call, but nothing is written, no idempotency key is used up, and
    /// the payload has no record.
    #[graphql(default)]
    validate_only: bool,
    /// Id of the person.
    participant_id: ID,
    /// Telephone number, such as +62… or 08…. An empty text removes the recorded one.
    phone: Option<String>,
    /// Reason, at most 200 characters, without long numbers.
    reason: Option<String>,
    /// Code of the channel that was notified (default: your own).
    channel_code: Option<String>,
}

/// Result of `changeContact`.
#[derive(SimpleObject)]
pub struct ChangeContactPayload {
    /// The person. Null if an error rejects the input.
    participant: Option<Participant>,
    /// All problems with the input.
    errors: Vec<UserError>,
}

/// Root fields of this module.
#[derive(Default)]
pub struct ContactMutation;

#[Object]
impl ContactMutation {
    /// Changes the telephone number of a person. Numbers are kept encrypted, and no field returns them.
    async fn change_contact(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Input of the mutation.")] input: ChangeContactInput,
    ) -> Result<ChangeContactPayload, FieldError> {
        let caller = caller(ctx);
        let (today, trail) = (caller.today(), &request(ctx).trail);
        let mut reader = InputReader::default();
        let wanted = action::Input {
            participant: reader.id(input.participant_id, participant_id, "participantId"),
            phone: input.phone,
            reason: input.reason,
            channel_code: input.channel_code,
        };
        let submission = reader.submission(input.idempotency_key.as_deref()).validating(input.validate_only);
        let done = change_contact(&caller.database, &caller.actor, today, submission, &wanted, trail).await?;
        let changed = done.value.map(|ContactChanged { participant }| participant);
        let participant = written(changed, |id| Participant::load_root(ctx, id)).await?;
        Ok(ChangeContactPayload { participant, errors: user_errors(done.problems) })
    }
}
