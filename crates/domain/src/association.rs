//! Associations of informal workers (paguyuban, wadah).

/// An association to be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAssociation {
    /// Its name.
    pub name: String,
    /// Normalised name, unique within a province: lower case, without punctuation.
    pub name_key: String,
    /// Trade of the members.
    pub trade: String,
    /// Province, by internal id.
    pub province: i16,
}
