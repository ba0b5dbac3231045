//! The closed lists that several rules share: what people, payers, channels and clients can be.
//!
//! This module stands below all rules and imports nothing. A list that only one concept uses stays with that concept.

closed_list! {
    /// Under which part of the law a person works.
    Segment {
        /// Penerima Upah.
        WageEarner = "WAGE_EARNER",
        /// Bukan Penerima Upah.
        SelfEmployed = "SELF_EMPLOYED",
        /// Jasa Konstruksi.
        Construction = "CONSTRUCTION",
        /// Pekerja Migran.
        MigrantWorker = "MIGRANT_WORKER",
    }
}

closed_list! {
    /// What a person is covered for.
    Programme {
        /// Jaminan Kecelakaan Kerja, JKK.
        WorkAccident = "WORK_ACCIDENT",
        /// Jaminan Kematian, JKM.
        Death = "DEATH",
        /// Jaminan Hari Tua, JHT.
        OldAge = "OLD_AGE",
        /// Jaminan Pensiun, JP.
        Pension = "PENSION",
        /// Jaminan Kehilangan Pekerjaan, JKP.
        JobLoss = "JOB_LOSS",
    }
}

closed_list! {
    /// Where an enrollment stands.
    EnrollmentStatus { Registered = "REGISTERED", Active = "ACTIVE", Inactive = "INACTIVE", Ended = "ENDED" }
}

closed_list! {
    /// Why an enrollment ended.
    EndReason {
        Resigned = "RESIGNED",
        Dismissed = "DISMISSED",
        ContractEnded = "CONTRACT_ENDED",
        Retired = "RETIRED",
        Deceased = "DECEASED",
        Disabled = "DISABLED",
        MovedAbroad = "MOVED_ABROAD",
        EmployerClosed = "EMPLOYER_CLOSED",
        Transferred = "TRANSFERRED",
        EnrolledInError = "ENROLLED_IN_ERROR",
    }
}

closed_list! {
    /// What kind of civil servant (ASN) a person is.
    CivilServantCategory {
        /// Pegawai Negeri Sipil.
        Pns = "PNS",
        /// Calon PNS: on probation.
        Cpns = "CPNS",
        /// Pegawai Pemerintah dengan Perjanjian Kerja: on contract.
        Pppk = "PPPK",
        /// Works for the state without being a civil servant.
        NonAsn = "NON_ASN",
    }
}

closed_list! {
    /// Workers as agreements and figures tell them apart. Segments are made of whole groups.
    WorkerGroup {
        /// A wage earner who does not work for the state.
        FormalWorker = "FORMAL_WORKER",
        /// PNS, CPNS and PPPK.
        CivilServant = "CIVIL_SERVANT",
        /// Works for the state without being a civil servant.
        NonCivilServantStaff = "NON_CIVIL_SERVANT_STAFF",
        /// Works on one's own account.
        SelfEmployed = "SELF_EMPLOYED",
        /// Works for a construction project.
        ConstructionWorker = "CONSTRUCTION_WORKER",
        /// Works abroad.
        MigrantWorker = "MIGRANT_WORKER",
    }
}

closed_list! {
    /// Sex as the civil registry records it.
    Sex {
        /// *Perempuan*, `P` in rosters.
        Female = "FEMALE",
        /// *Laki-laki*, `L` in rosters.
        Male = "MALE",
    }
}

closed_list! {
    /// Where a person stands, over all their enrollments.
    ParticipantStatus {
        /// Enrolled; no contribution has been received yet.
        Registered = "REGISTERED",
        /// At least one enrollment is paid for.
        Active = "ACTIVE",
        /// Contributions have lapsed.
        Inactive = "INACTIVE",
        /// No enrollment is left.
        Ended = "ENDED",
        /// Has died; enrollments are closed, heirs may claim.
        Deceased = "DECEASED",
    }
}

closed_list! {
    /// What an employer is.
    EmployerKind {
        /// A legal person or partnership, private or owned by the state.
        Company = "COMPANY",
        /// A body of the state that employs: a provincial government, an agency.
        Government = "GOVERNMENT",
        /// A natural person who employs others.
        Individual = "INDIVIDUAL",
    }
}

closed_list! {
    /// What kind of place a channel is.
    ChannelKind {
        RegionalOffice = "REGIONAL_OFFICE",
        Branch = "BRANCH",
        BankOutlet = "BANK_OUTLET",
        Kiosk = "KIOSK",
        MobileOfficer = "MOBILE_OFFICER",
        Online = "ONLINE",
        Agent = "AGENT",
        AssociationDesk = "ASSOCIATION_DESK",
        LicensingDesk = "LICENSING_DESK",
        GovernmentUnit = "GOVERNMENT_UNIT",
    }
}

closed_list! {
    /// What a licence is given or refused for: each is a rule, where one is in force.
    ClearanceGround {
        /// Its workers are registered and paid for.
        Cleared = "CLEARED",
        /// A body of the state: the sanction does not reach it.
        StateBody = "STATE_BODY",
        /// It has no workers yet.
        NoWorkersYet = "NO_WORKERS_YET",
        /// It is not known, or has registered nobody.
        NotRegistered = "NOT_REGISTERED",
        /// Fewer registered than declared.
        PartialWorkers = "PARTIAL_WORKERS",
        /// Workers in arrears.
        Arrears = "ARREARS",
    }
}

closed_list! {
    /// What a client is to the agency.
    Role {
        /// Runs the installation.
        Administrator = "ADMINISTRATOR",
        /// Works for the agency in some provinces or at a channel.
        Officer = "OFFICER",
        /// An employer, association or bank that brings people in.
        Partner = "PARTNER",
        /// Signs what another submitted.
        Approver = "APPROVER",
        /// Asks whether a company may have its licence.
        LicensingDesk = "LICENSING_DESK",
        /// Sees figures, never people.
        Analyst = "ANALYST",
        /// Sees who did what, never the people it was done to.
        Auditor = "AUDITOR",
    }
}

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
        /// See numbers unmasked, birth dates and wages: all of them or none, by a client that has the right, for a stated [`Purpose`](crate::access::Purpose).
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
