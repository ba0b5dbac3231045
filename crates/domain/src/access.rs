//! Rights, and the roles that have them.
//!
//! [`Right`] is a verb on a group of fields, and [`Right::roles`] returns the roles that have it. Each field of
//! the API declares which right it needs.
//!
//! The [scope](super::actor::Scope) of a client decides whose records it sees. Every statement applies it.

use strum::VariantArray as _;

use super::problem::{Problem, ProblemCode};
use super::text;
pub use super::vocabulary::Right;
use super::vocabulary::Role;

impl Right {
    /// Returns the roles that have this right.
    pub const fn roles(self) -> &'static [Role] {
        use Role::{Administrator, Analyst, Approver, Auditor, LicensingDesk, Officer, Partner};
        match self {
            Self::ReadOneself | Self::ReadReference => Role::VARIANTS,
            Self::ReadPayers | Self::ReadFigures => &[Administrator, Officer, Partner, Approver, Analyst],
            Self::ReadCoverage => &[Administrator, Officer, Approver, Analyst],
            Self::ReadPeople | Self::ReadOnboarding => &[Administrator, Officer, Partner, Approver],
            Self::ReadPersonalData
            | Self::Enroll
            | Self::RecordContributions
            | Self::ReadPayments
            | Self::ReversePayments
            | Self::EndEnrollments
            | Self::ChangeWages
            | Self::DeclareHeadcounts => &[Administrator, Officer, Partner],
            Self::ChangePeople | Self::RetractEvents | Self::RegisterPayers | Self::OnboardUnapproved => {
                &[Administrator, Officer]
            }
            Self::ApproveOnboarding | Self::ApproveRetractions => &[Administrator, Approver],
            Self::CancelOnboarding => &[Administrator, Officer, Partner, Approver],
            Self::ManageChannels | Self::ManageAgreements | Self::ManageClients => &[Administrator],
            Self::ReadAudit => &[Administrator, Auditor],
            Self::AskClearance => &[Administrator, Officer, LicensingDesk],
            Self::AskOwnClearance => &[Administrator, Officer, LicensingDesk, Partner],
        }
    }

    /// Returns whether a role may select the fields of this group.
    ///
    /// Personal data may be selected by every role that sees people: without the right they are masked or null.
    pub fn is_selectable_by(self, role: Role) -> bool {
        role.may(if self == Self::ReadPersonalData { Self::ReadPeople } else { self })
    }
}

impl Role {
    /// Returns whether the role has a right.
    pub fn may(self, right: Right) -> bool {
        right.roles().contains(&self)
    }
}

/// Numbers are rounded down to multiples of this for roles that see no people.
pub const STEP: i64 = 5;

impl Role {
    /// Returns a number of people as this role may see it.
    ///
    /// Roles that see no people get each number rounded down to a multiple of five, so that one to four people look
    /// like nobody. Each number is rounded by itself. Numbers below five can therefore not be found as the difference
    /// of two others, be it within a row, between overlapping tables (provinces and channels count the same people)
    /// or between days.
    pub fn visible_count(self, people: i64) -> i64 {
        let step = self.count_step();
        people.div_euclid(step) * step
    }

    /// Returns the number of which visible counts are multiples.
    pub fn count_step(self) -> i64 {
        if self.may(Right::ReadPeople) { 1 } else { STEP }
    }
}

/// The purpose for which a client reads personal data: 3 to 200 printable characters, stored in the audit trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purpose(String);

impl Purpose {
    /// Reads a purpose and trims it.
    ///
    /// # Errors
    /// It is too short or too long, has control characters, or contains an identity number, which must not enter the
    /// audit trail.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let text = text::required(text, 200, "purpose")?;
        match text.chars().count() {
            3.. => Ok(Self(text)),
            length => {
                let message = format!("This text has {length} characters; at least 3 are needed.");
                Err(Problem::error(ProblemCode::OutOfRange, "purpose", message))
            }
        }
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns the table of `docs/security.md`: a row for each right, a column for each role.
pub fn markdown() -> String {
    let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
    let with = |first, rest: &dyn Fn(Role) -> &'static str| {
        line(std::iter::once(first).chain(Role::VARIANTS.iter().map(|&role| rest(role))).collect())
    };
    let mut table = with("", &|role| role.into()) + &with("---", &|_| "---");
    for &right in Right::VARIANTS {
        let cell = |role: Role| match (right, role.may(right)) {
            (Right::ReadPersonalData, true) => "with a purpose",
            (Right::ReadPersonalData, false) if role.may(Right::ReadPeople) => "masked",
            (Right::ReadFigures | Right::ReadCoverage, true) if !role.may(Right::ReadPeople) => "in fives",
            (_, true) => "yes",
            (_, false) => "",
        };
        table += &with(right.into(), &cell);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_that_see_no_people_get_multiples_of_five() {
        let visible = |figures: [i64; 6]| figures.map(|figure| Role::Analyst.visible_count(figure));
        assert_eq!(visible([0, 1, 4, 5, 9, 20_000_003]), [0, 0, 0, 5, 5, 20_000_000]);
        assert_eq!(Role::Approver.visible_count(3), 3);
    }

    #[test]
    fn a_purpose_is_a_few_printable_words() {
        let parse = |text: &str| Purpose::parse(text).ok().map(|purpose| purpose.as_str().to_owned());
        assert_eq!(parse("  Klaim JKK 17 é "), Some("Klaim JKK 17 é".to_owned()));
        assert_eq!(parse("abc\u{202E}"), Some("abc".to_owned()));
        assert_eq!(parse(&"x".repeat(200)).map(|purpose| purpose.len()), Some(200));
        for bad in
            ["", "   ", "ab", " ab ", "abc\u{7}", "a\u{202E}c", "for 1671014208850001", &"x".repeat(201)]
        {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_administrator_has_every_right_and_personal_data_need_the_right_to_see_people() {
        for &right in Right::VARIANTS {
            assert!(Role::Administrator.may(right), "{right}");
        }
        for &role in Right::ReadPersonalData.roles() {
            assert!(role.may(Right::ReadPeople), "{role}");
        }
    }
}
