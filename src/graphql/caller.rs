//! The caller: who asks, and the database session in that name.

use std::sync::Arc;

use chrono::NaiveDate;
use zeroize::Zeroizing;

use super::error::FieldError;
use crate::clock::Clock;
use crate::store::Database;
use crate::store::coverage::Country;
use crate::store::participant::{ParticipantColumns, SharedPeople};
use crate::store::reference::Reference;
use crate::store::session::Session;
use crate::store::standby::Standby;
use domain::access::{Purpose, Right};
use domain::actor::Actor;
use domain::identity;

/// The caller of a request: shared by its resolvers and loaders.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The database.
    pub database: Arc<Database>,
    /// The session that resolvers read through. Row security applies to it.
    pub session: Session,
    /// The standby of that session; `None`: the primary.
    standby: Option<Arc<Standby>>,
    /// The client, its role and its scope.
    pub actor: Arc<Actor>,
    /// Provinces, channels and rules as of the start of the request.
    pub reference: Arc<Reference>,
    /// The clock.
    pub clock: Clock,
    /// The purpose for which personal data are read, if the request states one.
    pub purpose: Option<String>,
    /// The columns of people that the request needs.
    pub participant_columns: ParticipantColumns,
}

impl Caller {
    /// Returns the caller of a new request.
    pub fn new(database: Arc<Database>, actor: Arc<Actor>, clock: Clock) -> Self {
        let reference = database.reference();
        let session = database.reading(&actor);
        let participant_columns = ParticipantColumns::all();
        Self { session, standby: None, database, actor, reference, clock, purpose: None, participant_columns }
    }

    /// Returns the same caller, who needs these columns of people alone.
    pub fn needing(self, participant_columns: ParticipantColumns) -> Self {
        Self { participant_columns, ..self }
    }

    /// Returns the same caller, who reads at a standby.
    pub fn at(self, standby: &Arc<Standby>) -> Self {
        Self { session: standby.reading(&self.actor), standby: Some(Arc::clone(standby)), ..self }
    }

    /// Returns the session of the registry itself at the server that this caller reads from: for sums over people whom the
    /// caller does not see one by one.
    pub fn registry(&self) -> Session {
        self.session.as_registry()
    }

    /// Returns the same for statements that may take long.
    pub fn bulk_registry(&self) -> Session {
        match self.standby {
            Some(_) => self.registry(),
            None => self.database.bulk.clone(),
        }
    }

    /// Returns the current counters of the country as the server has them that this caller reads from.
    pub fn country(&self) -> &Country {
        self.standby.as_ref().map_or(&self.database.country, |standby| standby.country())
    }

    /// Returns the people whom requests read together at the server that this caller reads from.
    pub fn people(&self) -> &SharedPeople {
        self.standby.as_ref().map_or(&self.database.people, |standby| standby.people())
    }

    /// Returns the same caller with a purpose for reading personal data.
    pub fn for_purpose(self, purpose: Option<&Purpose>) -> Self {
        Self { purpose: purpose.map(|purpose| purpose.as_str().to_owned()), ..self }
    }

    /// Returns whether this request may read personal data. All of them or none: an identity number contains a birth date
    /// and a district, so a masked number next to a birth date would not be masked any more.
    pub fn reads_personal_data(&self) -> bool {
        self.purpose.is_some() && self.actor.reads_personal_data()
    }

    /// Returns an identity or service number as far as it is visible to this request: in full, or its last two digits.
    pub fn visible_number(&self, number: Zeroizing<String>) -> String {
        if self.reads_personal_data() { number.to_string() } else { identity::masked(&number) }
    }

    /// Returns today's date where the agency works.
    pub fn today(&self) -> NaiveDate {
        self.clock.today()
    }

    /// Checks that the caller's role has a right.
    ///
    /// # Errors
    /// `FORBIDDEN`.
    pub fn require(&self, right: Right) -> Result<(), FieldError> {
        let role = self.actor.role;
        match self.actor.may(right) {
            true => Ok(()),
            false => Err(FieldError::Forbidden { role, right, field: None }),
        }
    }

    /// Checks that a list may be ordered by counters, which are those of the whole country.
    ///
    /// # Errors
    /// `FORBIDDEN` or `BAD_FILTER`.
    pub fn require_figures_of_the_country(&self) -> Result<(), FieldError> {
        self.require(Right::ReadCoverage)?;
        match self.actor.scope.is_everything() {
            true => Ok(()),
            false => Err(FieldError::Filter("Only clients for the whole country can order by counts.")),
        }
    }
}
