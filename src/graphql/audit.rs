//! Evidence: who read or changed whose data. For auditors; reading it is no reading of people, whom it only counts.

use async_graphql::{Context, ID, InputObject, Object, Result};
use chrono::Datelike as _;
use graphql_front::catalogue::Rules;

use super::connection::{PageArguments, Total};
use super::context::caller;
use super::error::FieldError;
use super::node_id::{NodeId, participant_id};
use super::noun::Noun;
use super::scalar::DateTime;
use super::viewer::Role;
use crate::store::audit::{self as store, EntryRow};
use domain::actor::Operation;

/// Who read or changed people's data, and when.
pub struct AuditEntry(EntryRow);

connection!(AuditEntryConnection, AuditEntryEdge, AuditEntry, "audit entries", "audit entry");

impl AuditEntry {
    /// The entry of an internal id, for auditors; for everybody else there is none.
    ///
    /// # Errors
    /// The database is away.
    pub async fn load(ctx: &Context<'_>, id: i64) -> Result<Option<Self>, FieldError> {
        let caller = caller(ctx);
        if !caller.actor.may(Operation::ReadAudit) {
            return Ok(None);
        }
        Ok(store::find(&caller.database.bulk, id).await?.map(Self))
    }
}

/// One request that read or changed people's data. It can never be changed or removed.
#[Object]
impl AuditEntry {
    /// Opaque and stable.
    pub(super) async fn id(&self) -> ID {
        NodeId::AuditEntry(self.0.id).encode()
    }

    /// When, by the database's clock.
    async fn at(&self) -> DateTime {
        self.0.at.into()
    }

    /// Name of the client.
    async fn actor(&self) -> &str {
        &self.0.client
    }

    /// What the client was to the agency.
    async fn role(&self) -> Role {
        self.0.role.into()
    }

    /// The root fields of the request, with blanks between. Of a report of refused rows: `onboardingReport`, the id of the
    /// batch, and how many rows.
    async fn operation(&self) -> &str {
        &self.0.operation
    }

    /// What for, as the client said.
    async fn purpose(&self) -> Option<&str> {
        self.0.purpose.as_deref()
    }

    /// How many people it was shown or wrote. 0 for a report of refused rows, which names nobody.
    async fn subjects(&self) -> i32 {
        self.0.subjects
    }

    /// READ: people were shown, or the answer told something of them. WRITTEN: they were written.
    async fn outcome(&self) -> &str {
        self.0.outcome.as_str()
    }

    /// The request, as the header `X-Request-Id` of its answer has it.
    async fn request_id(&self) -> String {
        self.0.request_id.to_string()
    }
}

/// All given conditions must hold.
#[derive(Clone, Debug, Default, InputObject)]
pub struct AuditFilter {
    /// At this moment or later.
    from: Option<DateTime>,
    /// Before this moment.
    until: Option<DateTime>,
    /// Of the client of this name.
    actor: Option<String>,
    /// That concern this participant.
    participant_id: Option<ID>,
    /// Of requests with this root field; `onboardingReport`, or the id of a batch, finds reports of refused rows.
    operation: Option<String>,
}

impl AuditFilter {
    /// What it means.
    ///
    /// # Errors
    /// `BAD_ID` or `BAD_FILTER`.
    fn read(self) -> Result<store::EntryFilter, FieldError> {
        for moment in [self.from, self.until].into_iter().flatten() {
            // The database ends before chrono does.
            if !(1..=9999).contains(&moment.0.year()) {
                return Err(FieldError::Filter("A moment lies between the years 1 and 9999."));
            }
        }
        if [&self.actor, &self.operation].into_iter().flatten().any(|text| text.contains('\0')) {
            return Err(FieldError::Filter("No client and no field has such a name."));
        }
        Ok(store::EntryFilter {
            from: self.from.map(|moment| moment.0),
            until: self.until.map(|moment| moment.0),
            client: self.actor,
            subject: self.participant_id.map(|id| participant_id(&id)).transpose()?,
            operation: self.operation,
        })
    }
}

/// Root fields.
#[derive(Default)]
pub struct AuditQuery;

#[Object]
impl AuditQuery {
    /// Who read or changed whose data, newest first. For auditors and administrators.
    async fn audit_entries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless said, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Ahead of this cursor.")] before: Option<String>,
        #[graphql(desc = "Only these.")] filter_by: Option<AuditFilter>,
    ) -> Result<AuditEntryConnection, FieldError> {
        let caller = caller(ctx);
        caller.demand(Operation::ReadAudit)?;
        let page = PageArguments { first, after, last, before }.newest_first()?;
        let filter = filter_by.unwrap_or_default().read()?;
        // Not by way of `control`: the trail is long, and everything else hangs on those connections.
        let slice = store::list(&caller.database.bulk, &filter, &page).await?;
        let slice = slice.map(|row| (row.position(), AuditEntry(row)));
        Ok(AuditEntryConnection::new(slice, &page, Total::Entries(filter)))
    }
}

/// The rights and costs of these fields.
pub(super) const NOUN: Noun = Noun {
    rights: &[(
        Operation::ReadAudit,
        &["Query.auditEntries", "AuditEntry", "AuditEntryConnection", "AuditEntryEdge"],
    )],
    rules: Rules::NONE,
};
