//! Associations of informal workers (paguyuban, wadah).

/// An association as the registry keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAssociation {
    /// Its name.
    pub name: String,
    /// Lower case, without punctuation: within a province a name is taken once.
    pub name_key: String,
    /// What its members do.
    pub trade: String,
    /// Province, by internal id.
    pub province: i16,
}
