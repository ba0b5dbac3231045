//! The audit trail, for auditors. It counts people and names none, so reading it is not itself recorded.

use async_graphql::{Context, ID, InputObject, Object, Result};
use chrono::Datelike as _;
use graphql_front::catalogue::Rules;

use super::caller::Caller;
use super::connection::{PageArguments, Total};
use super::context::caller;
use super::declarations::Declarations;
use super::error::FieldError;
use super::input::Lenient;
use super::node_id::{NodeId, participant_id};
use super::scalar::DateTime;
use super::viewer::Role;
use crate::store::audit::{self as store, EntryRow};
use domain::actor::Right;

/// An entry of the audit trail.
pub struct AuditEntry(EntryRow);

connection!(AuditEntryConnection, AuditEntryEdge, AuditEntry, "audit entries", "audit entry");

impl AuditEntry {
    /// Loads the entry with an internal id. It is visible to auditors only.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn load(ctx: &Context<'_>, id: i64) -> Result<Option<Self>, FieldError> {
        let caller = caller(ctx);
        if !caller.actor.may(Right::ReadAudit) {
            return Ok(None);
        }
        Ok(store::find(&caller.database.bulk, id).await?.map(Self))
    }
}

/// An entry of the audit trail: one request that read or changed people's data. Entries cannot be changed or removed.
#[rows::row]
#[Object]
impl AuditEntry {
    /// Opaque, stable id.
    pub(super) async fn id(&self) -> ID {
        NodeId::AuditEntry(self.0.id).encode()
    }

    /// Time of the request, by the database's clock.
    fn at(&self) -> DateTime {
        self.0.at.into()
    }

    /// Name of the client.
    fn actor(&self) -> &str {
        &self.0.client
    }

    /// Role of the client at the time of the request.
    fn role(&self) -> Role {
        self.0.role.into()
    }

    /// Root fields of the request, separated by spaces. For a download of rejected rows: `onboardingReport`, the id of
    /// the batch and the number of rows.
    fn operation(&self) -> &str {
        &self.0.operation
    }

    /// Purpose that the client stated.
    fn purpose(&self) -> Option<&str> {
        self.0.purpose.as_deref()
    }

    /// Number of people whom the request read or wrote. 0 for a report of rejected rows, which contains no participant.
    fn subjects(&self) -> i32 {
        self.0.subjects
    }

    /// READ if people's data were read, WRITTEN if they were changed.
    fn outcome(&self) -> &str {
        self.0.outcome.into()
    }

    /// Id of the request, as in the response header `X-Request-Id`.
    fn request_id(&self) -> String {
        self.0.request_id.to_string()
    }
}

/// A filter. All given conditions must match.
#[derive(Clone, Debug, Default, InputObject)]
pub struct AuditFilter {
    /// At or after this time.
    from: Option<Lenient<DateTime>>,
    /// Before this time.
    until: Option<Lenient<DateTime>>,
    /// By the client with this name.
    actor: Option<String>,
    /// About this participant.
    participant_id: Option<ID>,
    /// With this root field. `onboardingReport`, or the id of a batch, finds downloads of rejected rows.
    operation: Option<String>,
}

impl AuditFilter {
    /// Returns the store's filter.
    ///
    /// # Errors
    /// `BAD_ID` or `BAD_FILTER`.
    fn read(self) -> Result<store::EntryFilter, FieldError> {
        let from = self.from.map(|moment| moment.argument("filterBy.from")).transpose()?;
        let until = self.until.map(|moment| moment.argument("filterBy.until")).transpose()?;
        for moment in [from, until].into_iter().flatten() {
            // The years of PostgreSQL end before those of chrono.
            if !(1..=9999).contains(&moment.year()) {
                return Err(FieldError::Filter("`from` and `until` must be between the years 1 and 9999."));
            }
        }
        if [&self.actor, &self.operation].into_iter().flatten().any(|text| text.contains('\0')) {
            return Err(FieldError::Filter("`actor` and `operation` must not contain a null character."));
        }
        Ok(store::EntryFilter {
            from,
            until,
            client: self.actor,
            subject: self.participant_id.map(|id| participant_id(&id)).transpose()?,
            operation: self.operation,
        })
    }
}

/// Root fields of this module.
#[derive(Default)]
pub struct AuditQuery;

#[Object]
impl AuditQuery {
    /// Lists the audit trail, newest entry first. For auditors and administrators.
    async fn audit_entries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first n items (default 20, maximum 100).")] first: Option<i32>,
        #[graphql(desc = "Returns items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last n items (maximum 100).")] last: Option<i32>,
        #[graphql(desc = "Returns items before this cursor.")] before: Option<String>,
        #[graphql(desc = "Returns only items that match this filter.")] filter_by: Option<AuditFilter>,
    ) -> Option<Result<AuditEntryConnection, FieldError>> {
        let arguments = PageArguments { first, after, last, before };
        Some(list(caller(ctx), &arguments, filter_by.unwrap_or_default()).await)
    }
}

async fn list(
    caller: &Caller,
    arguments: &PageArguments,
    filter: AuditFilter,
) -> Result<AuditEntryConnection, FieldError> {
    caller.require(Right::ReadAudit)?;
    let page = arguments.newest_first()?;
    let filter = filter.read()?;
    // Not through the pool `control`: the trail is long, and everything else depends on those connections.
    let slice = store::list(&caller.database.bulk, &filter, &page).await?;
    let slice = slice.map(|row| (row.position(), AuditEntry(row)));
    Ok(AuditEntryConnection::new(slice, &page, Total::Entries(filter)))
}

/// The rights and costs of these fields.
pub(super) const DECLARATIONS: Declarations = Declarations {
    rights: &[(
        Right::ReadAudit,
        &["Query.auditEntries", "AuditEntry", "AuditEntryConnection", "AuditEntryEdge"],
    )],
    rules: Rules::NONE,
};
