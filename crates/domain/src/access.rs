//! Who may do what: the one table of rights.
//!
//! [`Operation`] is a verb on a group of fields. [`Operation::roles`] says which roles have it, and `FIELDS` which
//! fields of the API belong to it. What stands in neither is nobody's: a new field or mutation is refused to everybody
//! until somebody has decided whose it is, and a test says so before that.
//!
//! Whose people somebody sees is another question, and each statement's: see [`super::actor::Scope`].

use super::text;
pub use super::vocabulary::Operation;
use super::vocabulary::Role;

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

/// What the fields of the API belong to: types, and the fields that differ from their type. Of roots each field.
const FIELDS: &[(Operation, &[&str])] = &[
    (
        Operation::ReadOneself,
        // Ids say nothing; what they lead to is another field's.
        &["Viewer", "Query.viewer", "Query.node", "Query.nodes", "Node", "PageInfo", "UserError"],
    ),
    (
        Operation::ReadReference,
        &[
            "Query.province",
            "Query.provinces",
            "Province",
            "Query.channel",
            "Query.channels",
            "Channel",
            "ChannelConnection",
            "ChannelEdge",
            "Agreement",
            "AgreementState",
            "Commitment",
            "Target",
            "ReportedFigure",
            "RuleCitation",
            "Query.licenceTypes",
        ],
    ),
    (
        Operation::ReadPayers,
        &[
            "Query.employer",
            "Query.employers",
            "Province.employers",
            "Employer",
            "EmployerConnection",
            "EmployerEdge",
            "Query.association",
            "Query.associations",
            "Province.associations",
            "Association",
            "AssociationConnection",
            "AssociationEdge",
        ],
    ),
    (
        Operation::ReadFigures,
        &[
            "ParticipantCounts",
            "Province.counts",
            "Channel.counts",
            "Channel.ownCounts",
            "Employer.counts",
            "Association.counts",
        ],
    ),
    (
        Operation::ReadCoverage,
        &[
            "Query.coverage",
            "Subscription.coverage",
            "Coverage",
            "ProvinceCoverage",
            "SegmentCoverage",
            "ChannelKindCoverage",
            "CoveragePoint",
            "Commitment.enrolled",
            "Commitment.active",
            "Channel.lastEnrollmentOn",
        ],
    ),
    (
        Operation::ReadPeople,
        &[
            "Query.participant",
            "Query.participants",
            "Province.participants",
            "Employer.participants",
            "Association.participants",
            "Participant",
            "ParticipantConnection",
            "ParticipantEdge",
            "Enrollment",
            "EnrollmentConnection",
            "EnrollmentEdge",
            "CivilServant",
            "ParticipantEvent",
            "ParticipantEventConnection",
            "ParticipantEventEdge",
            "OnboardingRow.participant",
        ],
    ),
    (
        Operation::ReadPersonalData,
        &[
            "Participant.nationalId",
            "Participant.birthDate",
            "CivilServant.serviceNumber",
            "Enrollment.monthlyWage",
            "Enrollment.contributions",
            "Contribution",
            "ParticipantEvent.reason",
            "ParticipantEvent.changes",
            "ParticipantChange",
        ],
    ),
    (
        Operation::ReadOnboarding,
        &[
            "Query.onboardingBatch",
            "Query.onboardingBatches",
            "Subscription.onboardingBatch",
            "OnboardingBatch",
            "OnboardingBatchConnection",
            "OnboardingBatchEdge",
            "OnboardingCounts",
            "OnboardingRow",
            "OnboardingRowConnection",
            "OnboardingRowEdge",
            "WorkUnitCounts",
            "ProblemCount",
        ],
    ),
    (
        Operation::Enroll,
        &[
            "Mutation.enrollParticipant",
            "EnrollParticipantPayload",
            "Mutation.onboardCivilServants",
            "OnboardCivilServantsPayload",
            "Mutation.startOnboarding",
            "StartOnboardingPayload",
        ],
    ),
    (Operation::ApproveOnboarding, &["Mutation.approveOnboarding", "ApproveOnboardingPayload"]),
    (Operation::CancelOnboarding, &["Mutation.cancelOnboarding", "CancelOnboardingPayload"]),
    (Operation::RecordContributions, &["Mutation.recordContributions", "RecordContributionsPayload"]),
    (
        Operation::ChangePeople,
        &[
            "Mutation.correctParticipant",
            "CorrectParticipantPayload",
            "Mutation.transferEnrollment",
            "TransferEnrollmentPayload",
        ],
    ),
    (Operation::EndEnrollments, &["Mutation.endEnrollment", "EndEnrollmentPayload"]),
    (Operation::DeclareHeadcounts, &["Mutation.declareHeadcount", "DeclareHeadcountPayload"]),
    (
        Operation::RegisterPayers,
        &[
            "Mutation.closeEmployer",
            "CloseEmployerPayload",
            "Mutation.registerEmployer",
            "RegisterEmployerPayload",
            "Mutation.registerAssociation",
            "RegisterAssociationPayload",
        ],
    ),
    (
        Operation::ManageChannels,
        &["Mutation.openChannel", "OpenChannelPayload", "Mutation.closeChannel", "CloseChannelPayload"],
    ),
    (
        Operation::ManageAgreements,
        &["Mutation.recordAgreement", "RecordAgreementPayload", "Mutation.setTarget", "SetTargetPayload"],
    ),
    (
        Operation::ManageClients,
        &[
            "Query.client",
            "Query.clients",
            "Client",
            "ClientConnection",
            "ClientEdge",
            "Mutation.registerClient",
            "RegisterClientPayload",
            "Mutation.changeClient",
            "ChangeClientPayload",
        ],
    ),
    (Operation::AskClearance, &["Query.licenceClearance", "Query.licenceClearanceGiven", "LicenceClearance"]),
    (Operation::ReadAudit, &["Query.auditEntries", "AuditEntry", "AuditEntryConnection", "AuditEntryEdge"]),
];

/// What a field of a type belongs to; `None`: nobody has decided, and nobody may ask for it.
pub fn operation_of(of: &str, field: &str) -> Option<Operation> {
    let find =
        |name: &str| FIELDS.iter().find(|(_, names)| names.contains(&name)).map(|&(operation, _)| operation);
    find(&format!("{of}.{field}")).or_else(|| find(of))
}

/// Every type and field that the table names.
pub fn names() -> impl Iterator<Item = &'static str> {
    FIELDS.iter().flat_map(|(_, names)| names.iter().copied())
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
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nothing_is_named_twice() {
        let mut seen = HashSet::new();
        let twice: Vec<&str> = names().filter(|name| !seen.insert(*name)).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }

    #[test]
    fn a_field_goes_before_its_type_and_what_is_not_named_is_nobodys() {
        assert_eq!(operation_of("Participant", "fullName"), Some(Operation::ReadPeople));
        assert_eq!(operation_of("Participant", "birthDate"), Some(Operation::ReadPersonalData));
        assert_eq!(operation_of("Mutation", "dropEverything"), None);
        assert_eq!(operation_of("Secret", "id"), None);
    }

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
