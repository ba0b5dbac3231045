//! The database role and scope under which statements run.

use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use super::array::array_literal;
use domain::actor::{Actor, Right};

/// A database role, and the scope that row security compares each row with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DatabaseIdentity {
    pub(super) role: &'static str,
    /// Provinces, employer, association and channels, as the policies read them. All empty: no people.
    scope: [String; 4],
}

impl DatabaseIdentity {
    /// The identity of the registry itself: for writes, background jobs and reference data.
    pub(super) fn registry() -> Self {
        Self { role: "registry_writer", scope: Default::default() }
    }

    /// The identity of an actor who reads: it sees the people of the scope.
    pub(super) fn reader(actor: &Actor) -> Self {
        let scope = &actor.scope;
        // These roles see no people, nor counts of people.
        let sees_no_people = !actor.may(Right::ReadPeople) && !actor.may(Right::ReadFigures);
        if scope.is_everything() && !sees_no_people {
            return Self { role: "registry_reader", scope: Default::default() };
        }
        let array = |ids: &mut dyn Iterator<Item = i64>| {
            let ids: Vec<i64> = ids.collect();
            if ids.is_empty() { String::new() } else { array_literal(ids) }
        };
        let scope = if sees_no_people {
            Default::default()
        } else {
            [
                array(&mut scope.provinces.iter().map(|&id| id.into())),
                array(&mut scope.employer.into_iter()),
                array(&mut scope.association.into_iter()),
                array(&mut scope.channels.iter().copied()),
            ]
        };
        let set = scope.each_ref().map(|part| !part.is_empty());
        let role = match set {
            [true, false, false, false] => "registry_of_provinces",
            [false, true, false, false] => "registry_of_employer",
            [false, false, true, false] => "registry_of_association",
            [false, false, false, true] => "registry_of_channels",
            _ => "registry_scoped",
        };
        Self { role, scope }
    }

    /// Does row security show it everything?
    pub(super) fn reads_everything(&self) -> bool {
        matches!(self.role, "registry_writer" | "registry_reader")
    }

    /// Returns the statements that tell the scope to the workers of a cluster, in a transaction that has begun. Workers are told
    /// what `set local` sets there, and nothing else. `None` where they need no scope.
    ///
    /// Citus sends them the whole text that a `set local` is in, so `begin` has to be a text of its own.
    pub(super) fn scope_for_workers(&self) -> Option<String> {
        if self.reads_everything() {
            return None;
        }
        let parts = ["provinces", "employer", "association", "channels"];
        // Array literals of numbers need no escaping.
        let set = |(part, ids): (&&str, &String)| {
            (!ids.is_empty()).then(|| format!("set local registry.{part} = '{ids}'; "))
        };
        let scope: String = parts.iter().zip(&self.scope).filter_map(set).collect();
        (!scope.is_empty()).then_some(scope)
    }

    /// Assumes the role on a connection. Returns whether the server is read-only.
    pub(super) async fn assume(&self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let [provinces, employer, association, channels] = &self.scope;
        let assume = sqlx::query(
            "select set_config('role', $1, false), set_config('registry.provinces', $2, false),
                    set_config('registry.employer', $3, false), set_config('registry.association', $4, false),
                    set_config('registry.channels', $5, false), current_setting('transaction_read_only') = 'on'",
        );
        let row = assume.bind(self.role).bind(provinces).bind(employer).bind(association).bind(channels);
        row.fetch_one(connection).await?.try_get(5)
    }
}
