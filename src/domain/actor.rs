//! Who asks, and whose people they may see.
//!
//! Every store function that touches a person takes an [`Actor`]: a query that forgot to ask who is asking does not
//! compile.

use serde::{Deserialize, Serialize};

closed_list! {
    /// What a client is to the agency.
    Role {
        /// Runs the installation.
        Administrator = "ADMINISTRATOR",
        /// Works for the agency in some provinces or at a channel.
        Officer = "OFFICER",
        /// An employer, association or bank that brings people in.
        Partner = "PARTNER",
        /// Signs what another submitted.
        Approver = "APPROVER",
        /// Asks whether a company may have its licence.
        LicensingDesk = "LICENSING_DESK",
        /// Sees figures, never people.
        Analyst = "ANALYST",
        /// Sees who did what, never the people it was done to.
        Auditor = "AUDITOR",
    }
}

/// Whose people an actor sees: all conditions that are set must hold. Nothing set: the whole country.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Name of the client, as its token says; idempotency keys belong to it.
    pub client: String,
    /// What it is.
    pub role: Role,
    /// Whose people it sees.
    pub scope: Scope,
}

/// What an actor wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// See people and their enrollments.
    ReadPeople,
    /// See birth dates, wages and the like, not only names.
    ReadPersonalData,
    /// Enroll people, one or many.
    Enroll,
    /// Register employers and associations.
    RegisterPayers,
    /// Open channels.
    ManageChannels,
}

impl Actor {
    /// The table of rights: role by operation.
    pub fn may(&self, operation: Operation) -> bool {
        use Operation::{Enroll, ManageChannels, ReadPeople, ReadPersonalData};
        match self.role {
            Role::Administrator => true,
            Role::Officer => operation != ManageChannels,
            Role::Partner => matches!(operation, ReadPeople | ReadPersonalData | Enroll),
            Role::Approver => operation == ReadPeople,
            Role::LicensingDesk | Role::Analyst | Role::Auditor => false,
        }
    }
}
