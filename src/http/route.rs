//! Routes as logs and metrics name them: a closed list, so that no id, number or name of a client gets there.

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Route {
    Graphql,
    Onboarding,
    Export,
    Clearance,
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
            "livez" | "readyz" => Self::Health,
            "" | "playground" | "coverage" | "schema.graphql" => Self::Pages,
            _ => Self::Other,
        }
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
            ("/readyz", "health"),
            ("/", "pages"),
            ("/3201010101010001", "other"),
        ] {
            assert_eq!(<&str>::from(Route::of(path)), route, "{path}");
        }
    }
}
