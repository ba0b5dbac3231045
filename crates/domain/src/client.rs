//! Clients of the API. A token identifies a client. The registry stores its role and scope.

use chrono::{DateTime, Utc};

use super::actor::{Actor, Scope};
use super::problem::{Problem, ProblemCode};
use super::text;
use super::vocabulary::{Right, Role};

/// Maximum length of an issuer or a subject, in characters.
const MAXIMUM_CLAIM: usize = 255;
/// Maximum length of a name, in characters.
const MAXIMUM_NAME: usize = 100;

/// The stored scope of a client. Without any condition it is the whole country.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredScope {
    /// Provinces of residence, by internal id, in order. Empty: all.
    pub provinces: Vec<i16>,
    /// Only people enrolled with this employer.
    pub employer: Option<i64>,
    /// Only people enrolled through this association.
    pub association: Option<i64>,
    /// Only people with an enrollment made by this channel or a descendant of it.
    pub channel: Option<i64>,
}

/// An API client.
#[derive(Clone, PartialEq, Eq)]
pub struct Client {
    /// Internal id.
    pub id: i64,
    /// Issuer (`iss`) of its tokens, compared exactly.
    pub issuer: String,
    /// Subject (`sub`) of its tokens, compared exactly.
    pub subject: String,
    /// Unique name, which never changes.
    pub name: String,
    /// Role.
    pub role: Role,
    /// Whether it may request unmasked personal data, with a purpose.
    pub reads_personal_data: bool,
    /// The people that it may see.
    pub stored_scope: StoredScope,
    /// When it was disabled; its tokens are refused since then.
    pub disabled_at: Option<DateTime<Utc>>,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// Actor that registered it.
    pub created_by: String,
    /// When it was last changed.
    pub changed_at: DateTime<Utc>,
}

// A subject may be an e-mail address.
redacted_debug!(Client);

impl Client {
    /// Returns whether its tokens are accepted.
    pub fn is_enabled(&self) -> bool {
        self.disabled_at.is_none()
    }

    /// Returns the actor for its tokens. `channels` are its channel and all descendants.
    pub fn actor(&self, channels: Vec<i64>) -> Actor {
        Actor {
            client: self.name.clone(),
            client_id: self.id,
            role: self.role,
            reads_personal_data: self.reads_personal_data,
            scope: Scope {
                provinces: self.stored_scope.provinces.clone(),
                employer: self.stored_scope.employer,
                association: self.stored_scope.association,
                channels,
            },
        }
    }
}

/// Checks scope and rights against the role. The database has the same constraints.
///
/// A partner must have a condition, since none means the whole country. Conditions that the role does not use are
/// refused instead of ignored, because the person who sets one relies on it.
pub fn judge(role: Role, stored_scope: &StoredScope, reads_personal_data: bool) -> Vec<Problem> {
    let at = |field: &str| Problem::error(ProblemCode::Conflict, field, "").within(&["scope"]);
    let mut problems = Vec::new();
    let mut refuse = |problem: Problem, message: String| problems.push(Problem { message, ..problem });
    let unused = |what: &str| format!("A client with the role {role} cannot be limited by {what}.");
    let partner = role == Role::Partner;
    if partner
        && stored_scope.employer.is_none()
        && stored_scope.association.is_none()
        && stored_scope.channel.is_none()
    {
        let missing = Problem::error(ProblemCode::Required, "scope", "");
        refuse(
            missing.hint("Set employerId, associationId or channelCode."),
            "The scope of a PARTNER needs an employer, an association or a channel.".to_owned(),
        );
    }
    if !partner && stored_scope.employer.is_some() {
        refuse(at("employerId"), unused("employer"));
    }
    if !partner && stored_scope.association.is_some() {
        refuse(at("associationId"), unused("association"));
    }
    if stored_scope.channel.is_some() && !matches!(role, Role::Partner | Role::Officer | Role::Approver) {
        refuse(at("channelCode"), unused("channel"));
    }
    if !stored_scope.provinces.is_empty() && matches!(role, Role::Administrator | Role::Auditor) {
        refuse(at("provinceCodes"), unused("provinces"));
    }
    if reads_personal_data && !role.may(Right::ReadPersonalData) {
        let field = Problem::error(ProblemCode::Conflict, "readsPersonalData", "");
        refuse(field, format!("The role {role} may not read personal data."));
    }
    problems
}

/// Parses the name of a client.
///
/// # Errors
/// `REQUIRED`, `INVALID_FORMAT` or `OUT_OF_RANGE`; `CONFLICT` for the reserved name of the command line.
pub fn parse_name(text: &str) -> Result<String, Problem> {
    let name = text::required(text, MAXIMUM_NAME, "name")?;
    if name == Actor::COMMAND_LINE {
        let message = "This name is reserved for the registry itself.";
        return Err(Problem::error(ProblemCode::Conflict, "name", message));
    }
    Ok(name)
}

/// Parses an issuer or a subject. Nothing is trimmed or folded, because tokens are compared with it exactly.
///
/// # Errors
/// `REQUIRED`, `OUT_OF_RANGE`, or `INVALID_FORMAT` for white space and unprintable characters.
pub fn parse_claim(text: &str, field: &str) -> Result<String, Problem> {
    if text.is_empty() {
        return Err(Problem::error(ProblemCode::Required, field, "This must not be empty."));
    }
    if text.chars().count() > MAXIMUM_CLAIM {
        let message = format!("This is longer than {MAXIMUM_CLAIM} characters.");
        return Err(Problem::error(ProblemCode::OutOfRange, field, message));
    }
    if !text.chars().all(|c| c.is_ascii_graphic()) {
        let message = "Use printable ASCII characters without spaces, as tokens do.";
        return Err(Problem::error(ProblemCode::InvalidFormat, field, message)
            .hint("Copy it exactly from a token of the client."));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;

    use super::*;

    fn fields(role: Role, stored_scope: &StoredScope, numbers: bool) -> Vec<String> {
        judge(role, stored_scope, numbers).iter().map(|problem| problem.path.join(".")).collect()
    }

    #[test]
    fn a_partner_needs_a_scope_and_unused_conditions_are_refused() {
        let nothing = StoredScope::default();
        let provinces = StoredScope { provinces: vec![16], ..StoredScope::default() };
        let employer = StoredScope { employer: Some(1), ..StoredScope::default() };
        let association = StoredScope { association: Some(1), ..StoredScope::default() };
        let channel = StoredScope { channel: Some(1), ..StoredScope::default() };
        for (role, stored_scope, refused) in [
            (Role::Partner, &nothing, "scope"),
            (Role::Partner, &provinces, "scope"),
            (Role::Partner, &employer, ""),
            (Role::Partner, &association, ""),
            (Role::Partner, &channel, ""),
            (Role::Administrator, &nothing, ""),
            (Role::Administrator, &provinces, "scope.provinceCodes"),
            (Role::Administrator, &channel, "scope.channelCode"),
            (Role::Officer, &provinces, ""),
            (Role::Officer, &channel, ""),
            (Role::Officer, &employer, "scope.employerId"),
            (Role::Approver, &association, "scope.associationId"),
            (Role::LicensingDesk, &provinces, ""),
            (Role::LicensingDesk, &channel, "scope.channelCode"),
            (Role::Analyst, &provinces, ""),
            (Role::Auditor, &provinces, "scope.provinceCodes"),
        ] {
            assert_eq!(fields(role, stored_scope, false).join(" "), refused, "{role} {stored_scope:?}");
        }
    }

    #[test]
    fn only_roles_with_the_right_may_read_personal_data() {
        for &role in Role::VARIANTS {
            let refused = !judge(role, &StoredScope { employer: Some(1), ..StoredScope::default() }, true)
                .iter()
                .all(|problem| problem.path != ["readsPersonalData"]);
            assert_eq!(refused, !role.may(Right::ReadPersonalData), "{role}");
        }
    }

    #[test]
    fn claims_are_stored_exactly() {
        assert_eq!(parse_claim("auth0|6fAb", "subject").as_deref(), Ok("auth0|6fAb"));
        for bad in ["", " a", "a b", "a\0", "é", "a\u{200B}"] {
            assert!(parse_claim(bad, "subject").is_err(), "{bad:?}");
        }
        assert!(parse_claim(&"a".repeat(256), "subject").is_err());
        assert!(parse_name(Actor::COMMAND_LINE).is_err());
    }
}
