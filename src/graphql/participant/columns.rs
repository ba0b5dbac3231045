//! Which columns of people an operation needs: those of the fields that it selects anywhere.

use std::sync::LazyLock;

use graphql_front::analysis::Operation;

use crate::graphql::rights::CATALOGUE;
use crate::store::participant::ParticipantColumns;

/// The columns that make each field. A field that is not here is taken to need all.
const COLUMNS: &[(&str, ParticipantColumns)] = &[
    ("id", ParticipantColumns::empty()),
    ("cardNumber", ParticipantColumns::empty()),
    ("nationalId", ParticipantColumns::NUMBERS),
    ("passportNumber", ParticipantColumns::NUMBERS),
    ("fullName", ParticipantColumns::NAME),
    ("birthDate", ParticipantColumns::DETAILS),
    ("birthYear", ParticipantColumns::DETAILS),
    ("sex", ParticipantColumns::DETAILS),
    ("status", ParticipantColumns::STATUS),
    ("province", ParticipantColumns::PLACES),
    ("channel", ParticipantColumns::PLACES),
    ("employer", ParticipantColumns::PAYERS),
    ("association", ParticipantColumns::PAYERS),
    ("enrollments", ParticipantColumns::empty()),
    ("events", ParticipantColumns::empty()),
    ("eventsDetachedUntil", ParticipantColumns::DETAILS),
    ("registeredAt", ParticipantColumns::DETAILS),
];

/// The columns of each field of the schema, in the order of the catalogue.
static OF_FIELDS: LazyLock<Vec<ParticipantColumns>> = LazyLock::new(|| {
    let of = |name: &str| COLUMNS.iter().find(|(field, _)| *field == name).map(|(_, columns)| *columns);
    let fields = CATALOGUE.fields().iter();
    fields
        .map(|field| match field.of.as_str() {
            "Participant" => of(&field.name).unwrap_or(ParticipantColumns::all()),
            _ => ParticipantColumns::empty(),
        })
        .collect()
});

/// Returns the columns of people that an operation needs.
pub fn columns_of(operation: &Operation) -> ParticipantColumns {
    operation.fields.iter().map(|(field, _)| OF_FIELDS[field.index()]).collect()
}
