//! The actor of a request: the client, its role and the people that it may see.
//!
//! Store functions whose result reaches a caller take the [`Actor`] and put its scope into the statement. Functions that
//! only serve a write lock people without it, and say so.

use serde::{Deserialize, Serialize};

pub use super::vocabulary::{Right, Role};

/// The people that an actor may see. A person must meet all conditions that are set. Without conditions, the scope is
/// the whole country.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Scope {
    /// Provinces of residence, by internal id. Empty: all.
    pub provinces: Vec<i16>,
    /// Only people enrolled with this employer.
    pub employer: Option<i64>,
    /// Only people enrolled through this association.
    pub association: Option<i64>,
    /// Only people with an enrollment made by one of these channels. The caller has added their descendants. Empty: all.
    pub channels: Vec<i64>,
}

impl Scope {
    /// Returns whether the client sees the enrollments of people with all payers, and not only its own.
    pub fn sees_all_payers(&self) -> bool {
        self.employer.is_none() && self.association.is_none() && self.channels.is_empty()
    }

    /// Returns whether the scope has no condition, so that everybody is visible.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}

/// The client that reads or writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Name of the client. It is unique and never reused, and idempotency keys belong to it.
    pub client: String,
    /// Primary key of the client; 0 for the command line, which has no row.
    pub client_id: i64,
    /// Role of the client.
    pub role: Role,
    /// Whether the client may request unmasked personal data. It must also state a purpose.
    pub reads_personal_data: bool,
    /// The people that the client may see.
    pub scope: Scope,
}

impl Actor {
    /// The actor name of the registry itself, reserved: no client can have it.
    pub const COMMAND_LINE: &str = "command line";

    /// Returns the actor of the command line, an administrator with every right: access to the installation implies
    /// access to its key.
    pub fn command_line() -> Self {
        Self {
            client: Self::COMMAND_LINE.to_owned(),
            client_id: 0,
            role: Role::Administrator,
            reads_personal_data: true,
            scope: Scope::default(),
        }
    }

    /// Returns everybody, who sees what an analyst sees. It has no row, and nothing but public figures is read for it.
    pub fn public() -> Self {
        Self {
            client: "public".to_owned(),
            client_id: 0,
            role: Role::Analyst,
            reads_personal_data: false,
            scope: Scope::default(),
        }
    }

    /// Returns whether the actor may read personal data (unmasked numbers, birth dates, wages) once it states a
    /// purpose.
    pub fn reads_personal_data(&self) -> bool {
        self.reads_personal_data && self.may(Right::ReadPersonalData)
    }

    /// Returns whether the role of the actor has a right.
    pub fn may(&self, right: Right) -> bool {
        self.role.may(right)
    }

    /// Returns whether the role has a right, and the scope leaves something to use it on. A partner ends enrollments with
    /// its own payer only, and declares the headcount of its own employer only. One whose scope is a payer
    /// records and reverses no payments: a payer cannot confirm its own payments.
    pub fn can_use(&self, right: Right) -> bool {
        let Scope { employer, association, .. } = &self.scope;
        let has_object = match right {
            _ if self.role != Role::Partner => true,
            Right::EndEnrollments => employer.is_some() || association.is_some(),
            Right::DeclareHeadcounts | Right::AskOwnClearance => employer.is_some(),
            Right::ReversePayments => employer.is_none() && association.is_none(),
            _ => true,
        };
        self.may(right) && has_object
    }
}
