//! The languages that the registry speaks to people. Codes, names and paths are the same in both.

closed_list! {
    /// What a sentence is written in.
    Language { English = "en", Indonesian = "id" }
}

/// One sentence in both languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// In English.
    pub english: &'static str,
    /// In Indonesian.
    pub indonesian: &'static str,
}

impl Sentence {
    /// The sentence in one of them.
    pub const fn in_language(self, language: Language) -> &'static str {
        match language {
            Language::English => self.english,
            Language::Indonesian => self.indonesian,
        }
    }
}
