//! Who may do what: the roles of each right.
//!
//! [`Operation`] is a verb on a group of fields, and [`Operation::roles`] says which roles have it. Which fields of the API
//! need it is declared beside them.
//!
//! Whose people somebody sees is another question, and each statement's: see [`super::actor::Scope`].

use super::actor::Role;
use super::text;

closed_list! {
    /// What somebody wants to do with a group of fields.
    Operation {
        /// See who one is, and what is wrong with what one sent.
        ReadOneself = "read oneself",
        /// See provinces, channels, agreements, targets and the rules in force.
        ReadReference = "read reference data",
        /// See employers and associations: what is known of them publicly.
        ReadPayers = "read payers",
        /// See how many people there are. Roles that see no people see multiples of five.
        ReadFigures = "read figures",
        /// See how far the country or a part of it has come. Roles that see no people see multiples of five.
        ReadCoverage = "read coverage",
        /// See people and their enrollments.
        ReadPeople = "read people",
        /// See numbers unmasked, birth dates and wages: all of them or none, by a client that has the right, for a stated [`Purpose`].
        ReadPersonalData = "read personal data",
        /// See what became of rosters, row by row.
        ReadOnboarding = "read onboarding",
        /// Enroll people, one or many.
        Enroll = "enroll people",
        /// Onboard from a file without somebody else's approval.
        OnboardUnapproved = "onboard without approval",
        /// Approve what somebody else wants to onboard.
        ApproveOnboarding = "approve onboardings",
        /// Stop an onboarding: one's own, or, for whoever may approve it, somebody else's.
        CancelOnboarding = "stop onboardings",
        /// Record what was paid for people.
        RecordContributions = "record contributions",
        /// Correct what the registry holds of a person, and transfer people between employers.
        ChangePeople = "correct and transfer people",
        /// End enrollments.
        EndEnrollments = "end enrollments",
        /// Declare how many workers an employer has: a partner for its own.
        DeclareHeadcounts = "declare headcounts",
        /// Register employers and associations, and close employers.
        RegisterPayers = "register payers",
        /// Open and close channels.
        ManageChannels = "manage channels",
        /// Record what provincial governments agreed to, and set targets.
        ManageAgreements = "record agreements and targets",
        /// Say who may ask, and for whom.
        ManageClients = "manage clients",
        /// See who did what.
        ReadAudit = "read audit",
        /// Ask whether a company may have its licence.
        AskClearance = "ask clearance",
    }
}

impl Operation {
    /// The roles that may do it.
    pub const fn roles(self) -> &'static [Role] {
        use Role::{Administrator, Analyst, Approver, Auditor, LicensingDesk, Officer, Partner};
        match self {
            Self::ReadOneself | Self::ReadReference => Role::ALL,
            Self::ReadPayers | Self::ReadFigures => &[Administrator, Officer, Partner, Approver, Analyst],
            Self::ReadCoverage => &[Administrator, Officer, Approver, Analyst],
            Self::ReadPeople | Self::ReadOnboarding => &[Administrator, Officer, Partner, Approver],
            Self::ReadPersonalData
            | Self::Enroll
            | Self::RecordContributions
            | Self::EndEnrollments
            | Self::DeclareHeadcounts => &[Administrator, Officer, Partner],
            Self::ChangePeople | Self::RegisterPayers | Self::OnboardUnapproved => &[Administrator, Officer],
            Self::ApproveOnboarding => &[Administrator, Approver],
            Self::CancelOnboarding => &[Administrator, Officer, Partner, Approver],
            Self::ManageChannels | Self::ManageAgreements | Self::ManageClients => &[Administrator],
            Self::ReadAudit => &[Administrator, Auditor],
            Self::AskClearance => &[Administrator, Officer, LicensingDesk],
        }
    }

    /// May a role select the fields of this group?
    ///
    /// Personal data may be selected by whoever sees the person: they are masked or null without the right.
    pub fn is_selectable_by(self, role: Role) -> bool {
        role.may(if self == Self::ReadPersonalData { Self::ReadPeople } else { self })
    }
}

impl Role {
    /// May somebody in this role do that?
    pub fn may(self, operation: Operation) -> bool {
        operation.roles().contains(&self)
    }
}

/// The size of the steps in which figures are told to roles that see no people.
const STEP: i64 = 5;

impl Role {
    /// A number of people as somebody in this role is told it.
    ///
    /// Roles that see no people are told multiples of five, rounded down, every figure for itself: one to four people are
    /// 0, as nobody is. So no cell below five can be told from another one, and neither can it be had as a difference,
    /// within a row, between overlapping tables (provinces and channels count the same people) or from one day to the
    /// next: what a sum of such figures leaves open is as large as what each of them does.
    pub fn told_figure(self, people: i64) -> i64 {
        if self.may(Operation::ReadPeople) { people } else { people.div_euclid(STEP) * STEP }
    }
}

/// For what somebody reads personal data, in its own words: 3 to 200 printable characters. It is kept with the record of
/// who read what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purpose(String);

impl Purpose {
    /// Reads it; blanks around it do not matter. `None`: too short, too long, not printable, or with an identity number
    /// in it, which has no place in a record.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text::required(text, 200, "purpose").ok()?;
        (text.chars().count() >= 3).then_some(Self(text))
    }

    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The table as the README shows it: a row for each operation, a column for each role.
pub fn markdown() -> String {
    let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
    let with = |first, rest: &dyn Fn(Role) -> &'static str| {
        line(std::iter::once(first).chain(Role::ALL.iter().map(|&role| rest(role))).collect())
    };
    let mut table = with("", &|role| role.as_str()) + &with("---", &|_| "---");
    for &operation in Operation::ALL {
        let cell = |role: Role| match (operation, role.may(operation)) {
            (Operation::ReadPersonalData, true) => "with a purpose",
            (Operation::ReadPersonalData, false) if role.may(Operation::ReadPeople) => "masked",
            (Operation::ReadFigures | Operation::ReadCoverage, true) if !role.may(Operation::ReadPeople) => {
                "in fives"
            }
            (_, true) => "yes",
            (_, false) => "",
        };
        table += &with(operation.as_str(), &cell);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sees_no_people_is_told_no_figure_below_five() {
        let told = |figures: [i64; 6]| figures.map(|figure| Role::Analyst.told_figure(figure));
        assert_eq!(told([0, 1, 4, 5, 9, 20_000_003]), [0, 0, 0, 5, 5, 20_000_000]);
        assert_eq!(Role::Approver.told_figure(3), 3);
    }

    #[test]
    fn a_purpose_is_a_few_printable_words() {
        let parse = |text: &str| Purpose::parse(text).map(|purpose| purpose.as_str().to_owned());
        assert_eq!(parse("  Klaim JKK 17 é "), Some("Klaim JKK 17 é".to_owned()));
        assert_eq!(parse(&"x".repeat(200)).map(|purpose| purpose.len()), Some(200));
        for bad in
            ["", "   ", "ab", " ab ", "abc\u{7}", "abc\u{202E}", "for 1671014208850001", &"x".repeat(201)]
        {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_administrator_may_everything_and_personal_data_are_of_roles_that_see_people() {
        for &operation in Operation::ALL {
            assert!(Role::Administrator.may(operation), "{operation}");
        }
        for &role in Operation::ReadPersonalData.roles() {
            assert!(role.may(Operation::ReadPeople), "{role}");
        }
    }
}
