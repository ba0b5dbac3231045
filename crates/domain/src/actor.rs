//! Who asks, and whose people they may see.
//!
//! Every store function that touches a person takes an [`Actor`]: a query that forgot to ask who is asking does not
//! compile.

use serde::{Deserialize, Serialize};

pub use super::vocabulary::{Operation, Role};

/// Whose people an actor sees: all conditions that are set must hold. Nothing set: the whole country.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Scope {
    /// Provinces of residence, by internal id. Empty: all.
    pub provinces: Vec<i16>,
    /// Only people enrolled with this employer.
    pub employer: Option<i64>,
    /// Only people enrolled through this association.
    pub association: Option<i64>,
    /// Only people whom one of these channels brought in: a channel with all that are below it. Empty: all.
    pub channels: Vec<i64>,
}

impl Scope {
    /// The whole country?
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}

/// The one who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Name of the client, unique and for ever; idempotency keys belong to it.
    pub client: String,
    /// Its row; 0 for the command line, which has none.
    pub client_id: i64,
    /// What it is.
    pub role: Role,
    /// May it ask for unmasked numbers, with a purpose?
    pub reads_personal_data: bool,
    /// Whose people it sees.
    pub scope: Scope,
}

impl Actor {
    /// The name under which the registry itself writes; no client has it.
    pub const COMMAND_LINE: &str = "command line";

    /// Whoever can run commands on the installation itself has its key, and with it all rights.
    pub fn command_line() -> Self {
        Self {
            client: Self::COMMAND_LINE.to_owned(),
            client_id: 0,
            role: Role::Administrator,
            reads_personal_data: true,
            scope: Scope::default(),
        }
    }

    /// May it be told personal data (numbers unmasked, birth dates, wages), once it says for what?
    pub fn reads_personal_data(&self) -> bool {
        self.reads_personal_data && self.may(Operation::ReadPersonalData)
    }

    /// May its role do that?
    pub fn may(&self, operation: Operation) -> bool {
        self.role.may(operation)
    }
}
