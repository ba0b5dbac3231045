//! Queries that always read from the primary, also where there are standbys.

use std::collections::HashSet;
use std::sync::LazyLock;

use async_graphql::Pos;
use async_graphql::parser::types::OperationType;
use graphql_front::analysis::Operation;
use graphql_front::catalogue::FieldId;

use super::rights::CATALOGUE;

/// Types and root fields that are read at the primary, whatever else a request selects:
/// - licence clearances write: an answer is kept. Those that were given are shown to somebody else a moment later, who must not
///   take them for forged;
/// - the audit trail names everybody who saw a person, also a moment ago;
/// - onboardings are watched while another process writes them, and their progress never goes back.
const AT_PRIMARY: &[&str] = &[
    "AuditEntry",
    "OnboardingBatch",
    "OnboardingRow",
    "Query.auditEntries",
    "Query.licenceClearance",
    "Query.licenceClearanceGiven",
    "Query.licenceClearances",
    "Query.licenceClearancesGiven",
    "Query.onboardingBatch",
    "Query.onboardingBatches",
    "Query.ownLicenceClearance",
];

static FIELDS: LazyLock<HashSet<usize>> = LazyLock::new(|| {
    let named = |field: &FieldId| {
        let known = CATALOGUE.get(*field);
        AT_PRIMARY.contains(&known.of.as_str()) || AT_PRIMARY.contains(&known.to_string().as_str())
    };
    CATALOGUE.ids().filter(named).map(FieldId::index).collect()
});

/// Returns whether an operation may read from a standby as a whole: it is a query without any field that needs the primary.
pub fn may_read_at_standby(operation: &Operation) -> bool {
    let needs_primary = |(field, _): &(FieldId, Pos)| FIELDS.contains(&field.index());
    operation.kind == OperationType::Query && !operation.fields.iter().any(needs_primary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_in_the_schema() {
        for name in AT_PRIMARY {
            assert!(CATALOGUE.has(name), "{name}");
        }
    }
}
