//! The enumerations that several rules share: what people, payers, channels and clients can be.
//!
//! All rules may import this module, and it imports none of them. An enumeration that only one concept uses is in the
//! module of that concept.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// Segment: the kind of work, which decides the part of the law that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Segment {
    /// *Penerima Upah* (PU): works for an employer.
    WageEarner,
    /// *Bukan Penerima Upah* (BPU): works on their own account.
    SelfEmployed,
    /// *Jasa Konstruksi*: works for a construction project.
    Construction,
    /// *Pekerja Migran*: works abroad.
    MigrantWorker,
}

/// Programme: what a person is covered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Programme {
    /// *Jaminan Kecelakaan Kerja* (JKK).
    WorkAccident,
    /// *Jaminan Kematian* (JKM).
    Death,
    /// *Jaminan Hari Tua* (JHT).
    OldAge,
    /// *Jaminan Pensiun* (JP).
    Pension,
    /// *Jaminan Kehilangan Pekerjaan* (JKP).
    JobLoss,
}

/// Status of an enrollment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum EnrollmentStatus {
    /// Enrolled; no contribution has been paid yet.
    Registered,
    /// Paid for, within the grace period.
    Active,
    /// Lapsed: unpaid beyond the grace period.
    Inactive,
    /// Ended.
    Ended,
}

/// Reason for the end of an enrollment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum EndReason {
    /// The person left.
    Resigned,
    /// The employer dismissed the person.
    Dismissed,
    /// A fixed-term or project contract was completed.
    ContractEnded,
    /// The person reached the pension age.
    Retired,
    /// The person died.
    Deceased,
    /// The person cannot work any more.
    Disabled,
    /// The person left the country for good.
    MovedAbroad,
    /// The employer closed.
    EmployerClosed,
    /// The enrollment continues with another employer.
    Transferred,
    /// The enrollment was a mistake; it counts on no day.
    EnrolledInError,
}

/// Category of a civil servant (ASN).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum CivilServantCategory {
    /// *Pegawai Negeri Sipil*.
    Pns,
    /// *Calon PNS*: on probation.
    Cpns,
    /// *Pegawai Pemerintah dengan Perjanjian Kerja*: on contract.
    Pppk,
    /// Works for the state without being a civil servant.
    NonAsn,
}

/// Group of workers, as agreements and counters distinguish them. Each segment consists of whole groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum WorkerGroup {
    /// A wage earner who does not work for the state.
    FormalWorker,
    /// PNS, CPNS and PPPK.
    CivilServant,
    /// Works for the state without being a civil servant.
    NonCivilServantStaff,
    /// Works on their own account.
    SelfEmployed,
    /// Works for a construction project.
    ConstructionWorker,
    /// Works abroad.
    MigrantWorker,
}

/// Sex as the civil registry records it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Sex {
    /// *Perempuan*, `P` in rosters.
    Female,
    /// *Laki-laki*, `L` in rosters.
    Male,
}

/// Status of a person, over all enrollments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum ParticipantStatus {
    /// Enrolled; no contribution has been received yet.
    Registered,
    /// At least one enrollment is paid for.
    Active,
    /// Contributions have lapsed.
    Inactive,
    /// No enrollment is left.
    Ended,
    /// Has died; enrollments are closed, heirs may claim.
    Deceased,
}

/// Kind of employer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum EmployerKind {
    /// A legal person or partnership, private or owned by the state.
    Company,
    /// A state body: a provincial government, an agency.
    Government,
    /// A natural person.
    Individual,
}

/// Size of a business, which decides its mandatory programmes.
///
/// Law 20/2008 tells sizes apart by net assets or yearly sales, Government Regulation 7/2021 by capital or yearly sales.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum EmployerSize {
    /// *Usaha mikro*.
    Micro,
    /// *Usaha kecil*.
    Small,
    /// *Usaha menengah*.
    Medium,
    /// *Usaha besar*.
    Large,
}

/// Kind of channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum ChannelKind {
    /// *Kantor wilayah* (Kanwil), a regional office.
    RegionalOffice,
    /// *Kantor cabang*, a branch.
    Branch,
    /// A counter of a partner bank.
    BankOutlet,
    /// A terminal that people use by themselves.
    Kiosk,
    /// An officer who visits markets and villages.
    MobileOfficer,
    /// The portal or the app.
    Online,
    /// An agent who enrolls for a commission (Perisai).
    Agent,
    /// The desk of an association of informal workers.
    AssociationDesk,
    /// The one-stop licensing office (PTSP).
    LicensingDesk,
    /// A work unit of a provincial or local government.
    GovernmentUnit,
}

/// Ground of a clearance decision. Each is a dated rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum ClearanceGround {
    /// Workers are registered and paid for.
    Cleared,
    /// A state body, to which the sanction does not apply.
    StateBody,
    /// The company has no workers yet.
    NoWorkersYet,
    /// The company is unknown or has registered nobody.
    NotRegistered,
    /// Fewer workers are registered than declared.
    PartialWorkers,
    /// Contributions for workers are overdue.
    Arrears,
}

/// Role of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    /// Administers the installation.
    Administrator,
    /// Works for the agency in some provinces or at a channel.
    Officer,
    /// An employer, association or bank that enrolls people.
    Partner,
    /// Approves what another client submitted.
    Approver,
    /// Asks whether a company may have a licence.
    LicensingDesk,
    /// Sees numbers, never people.
    Analyst,
    /// Reads the audit trail, never people.
    Auditor,
}

/// Right: a verb on a group of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
pub enum Right {
    /// See its own client, and the problems of its own requests.
    #[strum(serialize = "read oneself")]
    ReadOneself,
    /// See provinces, channels, agreements, targets and the rules in force.
    #[strum(serialize = "read reference data")]
    ReadReference,
    /// See the public data of employers and associations.
    #[strum(serialize = "read payers")]
    ReadPayers,
    /// See numbers of people. Roles that see no people get multiples of five.
    #[strum(serialize = "read figures")]
    ReadFigures,
    /// See coverage of the country and its parts. Roles that see no people get multiples of five.
    #[strum(serialize = "read coverage")]
    ReadCoverage,
    /// See people and their enrollments.
    #[strum(serialize = "read people")]
    ReadPeople,
    /// See unmasked numbers, birth dates and wages. The client also needs the right itself and a stated
    /// [`Purpose`](crate::access::Purpose).
    #[strum(serialize = "read personal data")]
    ReadPersonalData,
    /// See the outcomes of onboarding batches, row by row.
    #[strum(serialize = "read onboarding")]
    ReadOnboarding,
    /// Enroll people, singly or in batches.
    #[strum(serialize = "enroll people")]
    Enroll,
    /// Onboard from a file without another client's approval.
    #[strum(serialize = "onboard without approval")]
    OnboardUnapproved,
    /// Approve batches that another client submitted.
    #[strum(serialize = "approve onboardings")]
    ApproveOnboarding,
    /// Cancel a batch: its own, or any batch for roles that may approve it.
    #[strum(serialize = "stop onboardings")]
    CancelOnboarding,
    /// Record contributions.
    #[strum(serialize = "record contributions")]
    RecordContributions,
    /// See bills and payments: a partner those of its own payer, or those that its own channel took.
    #[strum(serialize = "read bills and payments")]
    ReadPayments,
    /// Reverse payments: a partner those of its own channel, until the cut-off of the day.
    #[strum(serialize = "reverse payments")]
    ReversePayments,
    /// Correct personal data, and transfer people between employers.
    #[strum(serialize = "correct and transfer people")]
    ChangePeople,
    /// End enrollments.
    #[strum(serialize = "end enrollments")]
    EndEnrollments,
    /// Change the wages of enrollments; a partner of its own.
    #[strum(serialize = "change wages")]
    ChangeWages,
    /// Take back what was recorded in error.
    #[strum(serialize = "retract events")]
    RetractEvents,
    /// Approve or decline what another client wants to take back.
    #[strum(serialize = "approve retractions")]
    ApproveRetractions,
    /// Declare the headcount of an employer; a partner for its own.
    #[strum(serialize = "declare headcounts")]
    DeclareHeadcounts,
    /// Register employers and associations, and change, close and reopen employers.
    #[strum(serialize = "register payers")]
    RegisterPayers,
    /// Open and close channels.
    #[strum(serialize = "manage channels")]
    ManageChannels,
    /// Record agreements with provincial governments, and set targets.
    #[strum(serialize = "record agreements and targets")]
    ManageAgreements,
    /// Register and change clients.
    #[strum(serialize = "manage clients")]
    ManageClients,
    /// Read the audit trail.
    #[strum(serialize = "read audit")]
    ReadAudit,
    /// Ask whether a company may have a licence.
    #[strum(serialize = "ask clearance")]
    AskClearance,
    /// Ask whether one's own employer may have a licence, and read answers.
    #[strum(serialize = "ask own clearance")]
    AskOwnClearance,
}
