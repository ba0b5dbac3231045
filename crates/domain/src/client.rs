//! Clients: who asks, as the registry knows them. A token says who; this says what they are and whose people they see.

use chrono::{DateTime, Utc};

use super::actor::{Actor, Scope};
use super::problem::{Problem, ProblemCode};
use super::text;
use super::vocabulary::{Operation, Role};

/// Characters of an issuer or a subject at most.
const MAXIMUM_CLAIM: usize = 255;
/// Characters of a name at most.
const MAXIMUM_NAME: usize = 100;

/// Whom a client sees, as it is kept: a channel stands for itself and all below it. Nothing set: the whole country.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Provinces of residence, by internal id, in order. Empty: all.
    pub provinces: Vec<i16>,
    /// Only people enrolled with this employer.
    pub employer: Option<i64>,
    /// Only people enrolled through this association.
    pub association: Option<i64>,
    /// Only people whom this channel, or one below it, brought in.
    pub channel: Option<i64>,
}

/// Somebody who may ask.
#[derive(Clone, PartialEq, Eq)]
pub struct Client {
    /// Internal id.
    pub id: i64,
    /// `iss` of its tokens, to the letter.
    pub issuer: String,
    /// `sub` of its tokens, to the letter.
    pub subject: String,
    /// For people; unique, and never changes.
    pub name: String,
    /// What it is to the agency.
    pub role: Role,
    /// May it ask for unmasked numbers, with a purpose?
    pub reads_personal_data: bool,
    /// Whom it sees.
    pub reach: Reach,
    /// Since when its tokens are refused.
    pub disabled_at: Option<DateTime<Utc>>,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// By whom.
    pub created_by: String,
    /// When it was changed last.
    pub changed_at: DateTime<Utc>,
}

// A subject may be somebody's e-mail address.
redacted_debug!(Client);

impl Client {
    /// Do its tokens hold?
    pub fn is_enabled(&self) -> bool {
        self.disabled_at.is_none()
    }

    /// Who asks with its token; `channels` are its channel and all that are below it.
    pub fn actor(&self, channels: Vec<i64>) -> Actor {
        Actor {
            client: self.name.clone(),
            client_id: self.id,
            role: self.role,
            reads_personal_data: self.reads_personal_data,
            scope: Scope {
                provinces: self.reach.provinces.clone(),
                employer: self.reach.employer,
                association: self.reach.association,
                channels,
            },
        }
    }
}

/// What of a client is compared with its role; the table in the database has the same constraints.
///
/// Nothing set means the whole country, so a partner has something set. What a role does not use is refused rather than
/// kept without effect: whoever sets it believes that it limits something.
pub fn judge(role: Role, reach: &Reach, reads_personal_data: bool) -> Vec<Problem> {
    let at = |field: &str| Problem::error(ProblemCode::Conflict, field, "").within(&["scope"]);
    let mut problems = Vec::new();
    let mut refuse = |problem: Problem, message: String| problems.push(Problem { message, ..problem });
    let unused = |what: &str| format!("The scope of {role} has no {what}.");
    let partner = role == Role::Partner;
    if partner && reach.employer.is_none() && reach.association.is_none() && reach.channel.is_none() {
        let missing = Problem::error(ProblemCode::Required, "scope", "");
        refuse(
            missing.hint("Set employerId, associationId or channelCode."),
            "A PARTNER has an employer, an association or a channel.".to_owned(),
        );
    }
    if !partner && reach.employer.is_some() {
        refuse(at("employerId"), unused("employer"));
    }
    if !partner && reach.association.is_some() {
        refuse(at("associationId"), unused("association"));
    }
    if reach.channel.is_some() && !matches!(role, Role::Partner | Role::Officer | Role::Approver) {
        refuse(at("channelCode"), unused("channel"));
    }
    if !reach.provinces.is_empty() && matches!(role, Role::Administrator | Role::Auditor) {
        refuse(at("provinceCodes"), unused("provinces"));
    }
    if reads_personal_data && !role.may(Operation::ReadPersonalData) {
        let field = Problem::error(ProblemCode::Conflict, "readsPersonalData", "");
        refuse(field, format!("Personal data are not for the role {role}."));
    }
    problems
}

/// The name of a client.
///
/// # Errors
/// `REQUIRED`, `INVALID_FORMAT`, `OUT_OF_RANGE`; `CONFLICT` for the name under which the registry itself writes.
pub fn parse_name(text: &str) -> Result<String, Problem> {
    let name = text::required(text, MAXIMUM_NAME, "name")?;
    if name == Actor::COMMAND_LINE {
        let message = "The registry itself writes under this name.";
        return Err(Problem::error(ProblemCode::Conflict, "name", message));
    }
    Ok(name)
}

/// An issuer or a subject. Nothing is trimmed or folded: a token is compared with it to the letter.
///
/// # Errors
/// `REQUIRED`, `OUT_OF_RANGE`, or `INVALID_FORMAT` for white space and what cannot be printed.
pub fn parse_claim(text: &str, field: &str) -> Result<String, Problem> {
    if text.is_empty() {
        return Err(Problem::error(ProblemCode::Required, field, "This must not be empty."));
    }
    if text.chars().count() > MAXIMUM_CLAIM {
        let message = format!("This is longer than {MAXIMUM_CLAIM} characters.");
        return Err(Problem::error(ProblemCode::OutOfRange, field, message));
    }
    if !text.chars().all(|c| c.is_ascii_graphic()) {
        let message = "Tokens carry this in printable ASCII characters without spaces.";
        return Err(Problem::error(ProblemCode::InvalidFormat, field, message)
            .hint("Copy it from a token of the client, to the letter."));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(role: Role, reach: &Reach, numbers: bool) -> Vec<String> {
        judge(role, reach, numbers).iter().map(|problem| problem.path.join(".")).collect()
    }

    #[test]
    fn a_partner_has_a_scope_and_the_others_none_that_they_do_not_use() {
        let nothing = Reach::default();
        let provinces = Reach { provinces: vec![16], ..Reach::default() };
        let employer = Reach { employer: Some(1), ..Reach::default() };
        let association = Reach { association: Some(1), ..Reach::default() };
        let channel = Reach { channel: Some(1), ..Reach::default() };
        for (role, reach, refused) in [
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
            assert_eq!(fields(role, reach, false).join(" "), refused, "{role} {reach:?}");
        }
    }

    #[test]
    fn personal_data_are_read_by_the_roles_that_have_them() {
        for &role in Role::ALL {
            let refused = !judge(role, &Reach { employer: Some(1), ..Reach::default() }, true)
                .iter()
                .all(|problem| problem.path != ["readsPersonalData"]);
            assert_eq!(refused, !role.may(Operation::ReadPersonalData), "{role}");
        }
    }

    #[test]
    fn claims_are_kept_to_the_letter() {
        assert_eq!(parse_claim("auth0|6fAb", "subject").as_deref(), Ok("auth0|6fAb"));
        for bad in ["", " a", "a b", "a\0", "é", "a\u{200B}"] {
            assert!(parse_claim(bad, "subject").is_err(), "{bad:?}");
        }
        assert!(parse_claim(&"a".repeat(256), "subject").is_err());
        assert!(parse_name(Actor::COMMAND_LINE).is_err());
    }
}
