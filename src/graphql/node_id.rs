//! Opaque ids: the kind of an object and its internal id.

use async_graphql::ID;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::error::FieldError;

/// The length of the longest id before it is encoded: a letter, and two numbers with a dot between.
const LONGEST: usize = 1 + 20 + 1 + 20;

/// The object that an id refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeId {
    /// A person.
    Participant(i64),
    /// An enrollment of a person.
    Enrollment(i64, i64),
    /// An event in the history of a person.
    Event(i64, i64),
    /// An employer.
    Employer(i64),
    /// An event in the history of an employer.
    EmployerEvent(i64, i64),
    /// An association.
    Association(i64),
    /// A province.
    Province(i16),
    /// A channel.
    Channel(i64),
    /// An agreement.
    Agreement(i64),
    /// A target.
    Target(i64),
    /// A client.
    Client(i64),
    /// An audit entry.
    AuditEntry(i64),
    /// An onboarding batch.
    Batch(i64),
    /// A row of an onboarding batch.
    Row(i64, i64),
    /// An absent person of a monthly list: batch and person.
    Absent(i64, i64),
    /// A payment.
    Payment(i64),
}

impl NodeId {
    /// Returns the id as clients see it.
    pub fn encode(self) -> ID {
        let (kind, id, second) = self.parts();
        // Lists have one for each row, so it is made without formatting and without a text between.
        let (mut text, mut length) = ([0; LONGEST], 0);
        let mut push = |part: &[u8]| {
            text[length..length + part.len()].copy_from_slice(part);
            length += part.len();
        };
        push(&[kind]);
        push(itoa::Buffer::new().format(id).as_bytes());
        if let Some(second) = second {
            push(b".");
            push(itoa::Buffer::new().format(second).as_bytes());
        }
        ID(URL_SAFE_NO_PAD.encode(&text[..length]))
    }

    /// Returns the letter of its kind, and its numbers.
    fn parts(self) -> (u8, i64, Option<i64>) {
        match self {
            Self::Participant(id) => (b'p', id, None),
            Self::Enrollment(participant, id) => (b'e', participant, Some(id)),
            Self::Event(participant, id) => (b'v', participant, Some(id)),
            Self::Employer(id) => (b'm', id, None),
            Self::EmployerEvent(employer, id) => (b'h', employer, Some(id)),
            Self::Association(id) => (b'a', id, None),
            Self::Province(id) => (b'r', id.into(), None),
            Self::Channel(id) => (b'c', id, None),
            Self::Agreement(id) => (b'g', id, None),
            Self::Target(id) => (b't', id, None),
            Self::Client(id) => (b'k', id, None),
            Self::AuditEntry(id) => (b'u', id, None),
            Self::Batch(id) => (b'b', id, None),
            Self::Row(batch, number) => (b'w', batch, Some(number)),
            Self::Absent(batch, participant) => (b'x', batch, Some(participant)),
            Self::Payment(id) => (b'y', id, None),
        }
    }

    /// Reads an id that a client sends back.
    ///
    /// # Errors
    /// Not an id of this API.
    pub fn decode(id: &str) -> Result<Self, FieldError> {
        Self::read(id).filter(|read| read.encode().as_str() == id).ok_or(FieldError::Id)
    }

    fn read(id: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(id).ok()?).ok()?;
        let kind = text.chars().next().filter(char::is_ascii)?;
        let rest = &text[1..];
        let pair = || rest.split_once('.').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        match kind {
            'p' => rest.parse().ok().map(Self::Participant),
            'e' => pair().map(|(participant, id)| Self::Enrollment(participant, id)),
            'v' => pair().map(|(participant, id)| Self::Event(participant, id)),
            'm' => rest.parse().ok().map(Self::Employer),
            'h' => pair().map(|(employer, id)| Self::EmployerEvent(employer, id)),
            'a' => rest.parse().ok().map(Self::Association),
            'r' => rest.parse().ok().map(Self::Province),
            'c' => rest.parse().ok().map(Self::Channel),
            'g' => rest.parse().ok().map(Self::Agreement),
            't' => rest.parse().ok().map(Self::Target),
            'k' => rest.parse().ok().map(Self::Client),
            'u' => rest.parse().ok().map(Self::AuditEntry),
            'b' => rest.parse().ok().map(Self::Batch),
            'w' => pair().map(|(batch, number)| Self::Row(batch, number)),
            'x' => pair().map(|(batch, participant)| Self::Absent(batch, participant)),
            'y' => rest.parse().ok().map(Self::Payment),
            _ => None,
        }
    }
}

/// Reads the id of one kind of thing.
macro_rules! id_of {
    ($name:ident, $variant:ident, $what:literal) => {
        #[doc = concat!("Reads the id of ", $what, ".\n\n# Errors\nNot an id of ", $what, ".")]
        pub fn $name(id: &str) -> Result<i64, FieldError> {
            match NodeId::decode(id)? {
                NodeId::$variant(id) => Ok(id),
                _ => Err(FieldError::Id),
            }
        }
    };
}
id_of!(participant_id, Participant, "a participant");
id_of!(employer_id, Employer, "an employer");
id_of!(association_id, Association, "an association");
id_of!(client_id, Client, "a client");
id_of!(batch_id, Batch, "an onboarding batch");

/// Reads the id of an enrollment: its person, and its own.
///
/// # Errors
/// Not an id of an enrollment.
pub fn enrollment_id(id: &str) -> Result<(i64, i64), FieldError> {
    match NodeId::decode(id)? {
        NodeId::Enrollment(participant, id) => Ok((participant, id)),
        _ => Err(FieldError::Id),
    }
}

/// Reads the id of an event: its person, and its own.
///
/// # Errors
/// Not an id of an event.
pub fn event_id(id: &str) -> Result<(i64, i64), FieldError> {
    match NodeId::decode(id)? {
        NodeId::Event(participant, id) => Ok((participant, id)),
        _ => Err(FieldError::Id),
    }
}

/// An event that can be retracted: of a person or of an employer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetractableId {
    /// Of a person.
    Participant(i64, i64),
    /// Of an employer.
    Employer(i64, i64),
}

impl Default for RetractableId {
    /// Returns the id of no event.
    fn default() -> Self {
        Self::Participant(0, 0)
    }
}

/// Reads the id of an event of a person or of an employer.
///
/// # Errors
/// Not an id of an event.
pub fn retractable_id(id: &str) -> Result<RetractableId, FieldError> {
    match NodeId::decode(id)? {
        NodeId::Event(participant, id) => Ok(RetractableId::Participant(participant, id)),
        NodeId::EmployerEvent(employer, id) => Ok(RetractableId::Employer(employer, id)),
        _ => Err(FieldError::Id),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_is_of_one_kind() {
        let employer = NodeId::Employer(7).encode();
        assert_eq!(employer_id(&employer).ok(), Some(7));
        assert!(matches!(participant_id(&employer), Err(FieldError::Id)));
    }

    proptest! {
        #[test]
        fn ids_come_back_as_what_they_stand_for(a: i64, b: i64, c: i16) {
            for id in [NodeId::Participant(a), NodeId::Enrollment(a, b), NodeId::Event(a, b), NodeId::Employer(a),
                       NodeId::Association(a), NodeId::Province(c), NodeId::Channel(a), NodeId::Client(a), NodeId::AuditEntry(a),
                       NodeId::Agreement(a), NodeId::Target(a), NodeId::Batch(a), NodeId::Row(a, b), NodeId::Absent(a, b),
                       NodeId::Payment(a), NodeId::EmployerEvent(a, b)] {
                prop_assert_eq!(NodeId::decode(&id.encode()).ok(), Some(id));
            }
        }

        #[test]
        fn no_text_makes_the_reader_of_ids_panic(text: String) {
            let _ = NodeId::decode(&text);
            let _ = NodeId::decode(&URL_SAFE_NO_PAD.encode(text));
        }
    }
}
