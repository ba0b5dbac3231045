//! The languages that the registry speaks to people. Codes, names and paths are the same in both.

closed_list! {
    /// What a sentence is written in.
    Language { English = "en", Indonesian = "id" }
}
