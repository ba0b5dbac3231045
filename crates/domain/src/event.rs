//! What happens to people in the registry.

closed_list! {
    /// Kinds of entries in a person's history.
    EventKind {
        Enrolled = "ENROLLED",
        Contributed = "CONTRIBUTED",
        Lapsed = "LAPSED",
        Resumed = "RESUMED",
        Transferred = "TRANSFERRED",
        Ended = "ENDED",
        Corrected = "CORRECTED",
        Died = "DIED",
    }
}
