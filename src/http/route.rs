//! Routes and operations as logs, metrics and traces name them: closed lists, so that no id, number or name that a client
//! chooses gets there.

use std::collections::BTreeSet;
use std::sync::Arc;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Route {
    Graphql,
    Onboarding,
    Export,
    Clearance,
    PublicFigures,
    Health,
    Pages,
    Other,
}

impl Route {
    /// Returns the route of a path.
    pub(super) fn of(path: &str) -> Self {
        let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        match first {
            "graphql" => Self::Graphql,
            "onboarding" => Self::Onboarding,
            "export" => Self::Export,
            "clearance" => Self::Clearance,
            "public" => Self::PublicFigures,
            "livez" | "readyz" => Self::Health,
            "" | "playground" | "coverage" | "schema.graphql" => Self::Pages,
            _ => Self::Other,
        }
    }
}

/// The names of operations that may be shown: those of stored documents.
#[derive(Clone, Debug, Default)]
pub(super) struct OperationNames(Arc<BTreeSet<String>>);

impl OperationNames {
    pub(super) fn new(names: BTreeSet<String>) -> Self {
        Self(Arc::new(names))
    }

    /// Returns the name of an operation if it may be shown, or else `other`.
    pub(super) fn shown(&self, name: Option<&str>) -> &str {
        name.and_then(|name| self.0.get(name)).map_or("other", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_named_without_what_its_client_chose() {
        for (path, route) in [
            ("/graphql", "graphql"),
            ("/onboarding/YjE/report.csv", "onboarding"),
            ("/export/participants.csv", "export"),
            ("/clearance/3201010101010001", "clearance"),
            ("/public/figures", "public_figures"),
            ("/readyz", "health"),
            ("/", "pages"),
            ("/3201010101010001", "other"),
        ] {
            assert_eq!(<&str>::from(Route::of(path)), route, "{path}");
        }
    }
}
