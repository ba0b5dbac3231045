//! Keys of a participant: an id or a number, and how people are found by them.

use async_graphql::{Context, ID, OneofObject, Result};

use super::Participant;
use crate::graphql::caller::Caller;
use crate::graphql::context::{caller, request};
use crate::graphql::error::FieldError;
use crate::graphql::node_id::participant_id;
use crate::store::keys::NumberKind;
use crate::store::participant as store;
use domain::access::Right;
use domain::identity::{NationalId, PassportNumber, ServiceNumber};
use domain::participant::CardNumber;
use domain::problem::Problem;

/// A key of a participant. Exactly one field must be set.
#[derive(OneofObject)]
pub enum ParticipantKey {
    /// Id of the participant.
    Id(ID),
    /// Full identity number (NIK). Spaces and dots are ignored.
    NationalId(String),
    /// Passport number of a foreigner. Spaces and hyphens are ignored.
    PassportNumber(String),
    /// Card number (KPJ).
    CardNumber(String),
    /// Service number (NIP) of a civil servant, 18 digits. Spaces and dots are ignored.
    ServiceNumber(String),
}

/// A key that was read. Numbers are looked up within the quota of misses.
pub(super) enum Key {
    /// The internal id.
    Id(i64),
    /// The internal id, by the card number.
    CardNumber(i64),
    /// The index of a number.
    Number(NumberKind, Vec<u8>),
}

/// Reads a key.
///
/// # Errors
/// `BAD_ID` or `BAD_IDENTIFIER`, or `UNAVAILABLE` once the key was rotated.
pub(super) fn read(caller: &Caller, by: &ParticipantKey) -> Result<Key, FieldError> {
    let wrong = || {
        FieldError::Identifier(
            "This is not a card number: a card number has 11 digits, the last of which is a check digit."
                .into(),
        )
    };
    let number = |kind, number: &str| -> Result<Key, FieldError> {
        Ok(Key::Number(kind, caller.database.lookup_index(kind, number)?))
    };
    let rules = &caller.reference.rules;
    Ok(match by {
        ParticipantKey::Id(id) => Key::Id(participant_id(id)?),
        ParticipantKey::CardNumber(number) => {
            Key::CardNumber(CardNumber::parse(number).ok_or_else(wrong)?.key())
        }
        ParticipantKey::NationalId(text) => {
            let (parsed, _) = NationalId::parse(text, &rules.regions, "nationalId").map_err(malformed)?;
            number(NumberKind::NationalId, parsed.as_str())?
        }
        ParticipantKey::PassportNumber(text) => {
            let parsed = PassportNumber::parse(text, "passportNumber");
            let parsed = parsed.map_err(|problem| malformed(vec![problem]))?;
            number(NumberKind::Passport, parsed.as_str())?
        }
        ParticipantKey::ServiceNumber(text) => {
            // Of contract staff too: their numbers have a marker in place of the month.
            let parsed =
                ServiceNumber::parse(text, &rules.service_number, true, caller.today(), "serviceNumber");
            let (parsed, _) = parsed.map_err(malformed)?;
            number(NumberKind::ServiceNumber, parsed.as_str())?
        }
    })
}

/// Returns the person with a key, if the caller sees the person. A number that finds nobody counts as a miss.
pub(super) async fn find(ctx: &Context<'_>, by: ParticipantKey) -> Result<Option<Participant>, FieldError> {
    let caller = caller(ctx);
    caller.require(Right::ReadPeople)?;
    match read(caller, &by)? {
        Key::Id(id) => Ok(Participant::load_root(ctx, id).await?),
        Key::CardNumber(id) => by_number(ctx, store::ParticipantKey::Id(id)).await,
        Key::Number(kind, index) => by_number(ctx, store::ParticipantKey::Number(kind, &index)).await,
    }
}

async fn by_number(
    ctx: &Context<'_>,
    key: store::ParticipantKey<'_>,
) -> Result<Option<Participant>, FieldError> {
    Ok(request(ctx).participant_by_number(key).await?.map(Participant::new))
}

fn malformed(problems: Vec<Problem>) -> FieldError {
    FieldError::Identifier(problems.into_iter().map(|p| p.message).collect::<Vec<_>>().join(" "))
}
