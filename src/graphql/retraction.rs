//! Taking back what was recorded in error.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use futures_util::future::try_join_all;
use graphql_front::catalogue::Rules;

use super::context::{caller, request, written};
use super::declarations::Declarations;
use super::employer::EmployerEvent;
use super::error::FieldError;
use super::event::ParticipantEvent;
use super::input::InputReader;
use super::node_id::{RetractableId, event_id, retractable_id};
use super::problem::{UserError, user_errors};
use crate::actions::decide_retraction::{self, decide_retraction};
use crate::actions::retract_employer_event::{Input as EmployerInput, retract_employer_event};
use crate::actions::retract_event::{self, Retraction, retract_event};
use crate::actions::retracting::{MAXIMUM_RELIANCES, Reliance};
use crate::actions::{Done, Submission};
use domain::access::Right;
use domain::clearance::CertificateNumber;
use domain::retraction as model;

/// State of the retraction of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "model::RetractionState")]
pub enum RetractionState {
    /// Another client must approve it. The event still counts.
    AwaitingApproval,
    /// The event counts as never recorded.
    Retracted,
    /// Another client declined it. The event counts.
    Declined,
}

/// Something that relied on an event that is retracted.
#[derive(SimpleObject)]
pub struct RetractionReliance {
    /// Whether this is a later event or a clearance certificate.
    kind: RetractionRelianceKind,
    /// Whether it contradicts the retraction, which is then refused.
    contradicts: bool,
    /// The later event. Null for a certificate.
    event: Option<ParticipantEvent>,
    /// Number of the clearance certificate. Null for an event.
    certificate_number: Option<String>,
}

/// Kinds of things that rely on an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum RetractionRelianceKind {
    /// A later event of an enrollment that the retraction changes.
    LaterEvent,
    /// A clearance certificate that the employer was given since the event was recorded. It stays valid until its end.
    Certificate,
}

/// Input of `retractEvent`.
#[derive(InputObject)]
pub struct RetractEventInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// Id of the event.
    event_id: ID,
    /// Why it was recorded in error, at most 200 characters. It stays in the history.
    reason: String,
    /// Only checks the input: the errors are those of a real call, but nothing is written, no idempotency key is used up, and
    /// the payload has no record.
    #[graphql(default)]
    validate_only: bool,
}

/// Result of `retractEvent`.
#[derive(SimpleObject)]
pub struct RetractEventPayload {
    /// The event of a person. Null if an error rejects the input, if you no longer see the event, and for that of an employer.
    event: Option<ParticipantEvent>,
    /// The event of an employer. Null if an error rejects the input, and for that of a person.
    employer_event: Option<EmployerEvent>,
    /// State of the retraction. Null if an error rejects the input.
    state: Option<RetractionState>,
    /// Other events that are retracted with it: recorded together with it, or no longer true without it.
    retracted_with: Vec<ParticipantEvent>,
    /// What relied on the event, at most 100: later events, then certificates. If some contradict the retraction, it is
    /// refused. Also with `validateOnly`.
    reliances: Vec<RetractionReliance>,
    /// All problems with the input.
    errors: Vec<UserError>,
}

/// Input of `decideRetraction`.
#[derive(InputObject)]
pub struct DecideRetractionInput {
    /// Idempotency key: makes retries safe. 16 to 255 characters; use a new key for each call and the same key for its
    /// retries.
    idempotency_key: Option<String>,
    /// Id of the event.
    event_id: ID,
    /// Whether you approve the retraction. If not, the event stays, and its retraction can be asked for again.
    approve: bool,
    /// Only checks the input: the errors are those of a real call, but nothing is written, no idempotency key is used up, and
    /// the payload has no record.
    #[graphql(default)]
    validate_only: bool,
}

/// Result of `decideRetraction`.
#[derive(SimpleObject)]
pub struct DecideRetractionPayload {
    /// The event. Null if an error rejects the input, or if you no longer see the event.
    event: Option<ParticipantEvent>,
    /// State of the retraction. Null if an error rejects the input.
    state: Option<RetractionState>,
    /// Other events that are retracted with it.
    retracted_with: Vec<ParticipantEvent>,
    /// What relied on the event, at most 100.
    reliances: Vec<RetractionReliance>,
    /// All problems with the input.
    errors: Vec<UserError>,
}

/// Root fields of this module.
#[derive(Default)]
pub struct RetractionMutation;

#[Object]
impl RetractionMutation {
    /// Takes back an event that was recorded in error, also if it is not the last one: an enrollment, a contribution, an end,
    /// a transfer, a death, a wage or a move, or a change of an employer (`changeEmployer`). Statuses and figures of all days become those of a history in which it was never recorded. The
    /// event stays in the history as retracted. A transfer is retracted with both its events. A death needs the approval of
    /// another client (`decideRetraction`). Refused if a later event contradicts; `reliances` names it. A change of an employer is
    /// not taken back if another employer has the former number since.
    async fn retract_event(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Input of the mutation.")] input: RetractEventInput,
    ) -> Result<RetractEventPayload, FieldError> {
        let caller = caller(ctx);
        let (today, trail) = (caller.today(), &request(ctx).trail);
        let mut reader = InputReader::default();
        let named = reader.id(input.event_id, retractable_id, "eventId");
        let submission = reader.submission(input.idempotency_key.as_deref()).validating(input.validate_only);
        let event = match named {
            RetractableId::Participant(participant, event) => (participant, event),
            RetractableId::Employer(employer, event) => {
                let wanted = EmployerInput { employer_event: (employer, event), reason: input.reason };
                return retract_of_employer(ctx, submission, &wanted).await;
            }
        };
        let wanted = retract_event::Input { event, reason: input.reason };
        let done = retract_event(&caller.database, &caller.actor, today, submission, &wanted, trail).await?;
        let Parts { event, state, retracted_with, reliances, errors } = parts(ctx, event.0, done).await?;
        Ok(RetractEventPayload { event, employer_event: None, state, retracted_with, reliances, errors })
    }

    /// Approves or declines the retraction of an event that another client asked for. It is judged again, because something
    /// that contradicts it may have been recorded since.
    async fn decide_retraction(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Input of the mutation.")] input: DecideRetractionInput,
    ) -> Result<DecideRetractionPayload, FieldError> {
        let caller = caller(ctx);
        let (today, trail) = (caller.today(), &request(ctx).trail);
        let mut reader = InputReader::default();
        let event = reader.id(input.event_id, event_id, "eventId");
        let wanted = decide_retraction::Input { event, approves: input.approve };
        let submission = reader.submission(input.idempotency_key.as_deref()).validating(input.validate_only);
        let done =
            decide_retraction(&caller.database, &caller.actor, today, submission, &wanted, trail).await?;
        let Parts { event, state, retracted_with, reliances, errors } = parts(ctx, event.0, done).await?;
        Ok(DecideRetractionPayload { event, state, retracted_with, reliances, errors })
    }
}

async fn retract_of_employer(
    ctx: &Context<'_>,
    submission: Submission<'_>,
    wanted: &EmployerInput,
) -> Result<RetractEventPayload, FieldError> {
    let caller = caller(ctx);
    let today = caller.today();
    let (done, relied) =
        retract_employer_event(&caller.database, &caller.actor, today, submission, wanted).await?;
    let errors = user_errors(done.problems);
    let (named, relied) = match done.value {
        Some(done) => (Some((done.employer, done.event)), done.reliances),
        None => (None, relied),
    };
    let state = named.map(|_| RetractionState::Retracted);
    let employer_event = written(named, |(employer, id)| EmployerEvent::load(ctx, employer, id)).await?;
    // Only certificates rely on an event of an employer, so nobody's history is asked for.
    let reliances = try_join_all(relied.into_iter().map(|relied| reliance(ctx, 0, relied))).await?;
    Ok(RetractEventPayload {
        event: None,
        employer_event,
        state,
        retracted_with: Vec::new(),
        reliances,
        errors,
    })
}

/// The fields of both payloads.
struct Parts {
    event: Option<ParticipantEvent>,
    state: Option<RetractionState>,
    retracted_with: Vec<ParticipantEvent>,
    reliances: Vec<RetractionReliance>,
    errors: Vec<UserError>,
}

async fn parts(
    ctx: &Context<'_>,
    participant: i64,
    (done, relied): (Done<Retraction>, Vec<Reliance>),
) -> Result<Parts, FieldError> {
    let errors = user_errors(done.problems);
    let load = move |id| written(Some(id), move |id| ParticipantEvent::load(ctx, participant, id));
    let (named, state, with, relied) = match done.value {
        Some(done) => (Some(done.event), Some(done.state.into()), done.with, done.reliances),
        None => (None, None, Vec::new(), relied),
    };
    let (named, with, reliances) = tokio::try_join!(
        try_join_all(named.map(load)),
        try_join_all(with.into_iter().take(MAXIMUM_RELIANCES).map(load)),
        try_join_all(relied.into_iter().map(|relied| reliance(ctx, participant, relied)))
    )?;
    let event = named.into_iter().next().flatten();
    // An event of an enrollment that no longer exists may be out of the caller's sight.
    Ok(Parts { event, state, retracted_with: with.into_iter().flatten().collect(), reliances, errors })
}

async fn reliance(
    ctx: &Context<'_>,
    participant: i64,
    relied: Reliance,
) -> Result<RetractionReliance, FieldError> {
    Ok(match relied {
        Reliance::Event { id, contradicts } => RetractionReliance {
            kind: RetractionRelianceKind::LaterEvent,
            contradicts,
            event: written(Some(id), |id| ParticipantEvent::load(ctx, participant, id)).await?,
            certificate_number: None,
        },
        Reliance::Certificate { number } => RetractionReliance {
            kind: RetractionRelianceKind::Certificate,
            contradicts: false,
            event: None,
            certificate_number: CertificateNumber::parse(&number).map(|number| number.to_string()),
        },
    })
}

/// The rights and costs of these fields.
pub(super) const DECLARATIONS: Declarations = Declarations {
    rights: &[
        (Right::RetractEvents, &["Mutation.retractEvent", "RetractEventPayload"]),
        (Right::ApproveRetractions, &["Mutation.decideRetraction", "DecideRetractionPayload"]),
        (Right::ReadPeople, &["RetractionReliance"]),
    ],
    rules: Rules {
        lists: &[
            ("RetractionReliance", MAXIMUM_RELIANCES),
            ("RetractEventPayload.retractedWith", MAXIMUM_RELIANCES),
            ("DecideRetractionPayload.retractedWith", MAXIMUM_RELIANCES),
        ],
        ..Rules::NONE
    },
};
