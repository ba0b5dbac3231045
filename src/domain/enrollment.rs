//! Enrollments: what a person is covered for, through whom and from when; and the one judge of a form.
//!
//! [`judge_terms`] looks at what a whole request has in common, [`judge_person`] at one person under those terms.
//! A single enrollment and one row of eight thousand go through the same two functions.

use chrono::{Datelike as _, Days, NaiveDate};

use super::cell::MAX_MONTHLY_WAGE;
use super::channel::Channel;
use super::identity::{self, NationalId, ServiceNumber};
use super::participant::{FullName, PhoneNumber, Sex, shares_words};
use super::problem::{Problem, ProblemCode, refuses};
use super::rule::{ProgrammeRefusal, Rulebook, end_of_month};
use super::text;

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

/// A birth year before it is a slip of the keyboard.
const EARLIEST_BIRTH_YEAR: i32 = 1900;
/// Days ahead of today that an enrollment may start at most.
const LATEST_START_DAYS: u64 = 366;

/// The employer of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payer {
    /// Internal id.
    pub id: i64,
    /// Work-accident risk class of its business, 1 to 5.
    pub risk_class: i16,
}

/// What all people of a request have in common.
#[derive(Clone, Debug)]
pub struct Terms<'a> {
    /// Segment.
    pub segment: Segment,
    /// Programmes, as asked for.
    pub programmes: &'a [Programme],
    /// The channel that brings them in.
    pub channel: &'a Channel,
    /// Their employer.
    pub employer: Option<Payer>,
    /// Their association, by internal id.
    pub association: Option<i64>,
    /// Province of residence, by internal id.
    pub province: i16,
    /// First day, where a person's form has none of its own.
    pub starts_on: NaiveDate,
    /// Was the first contribution taken with the form?
    pub first_contribution_paid: bool,
    /// What kind of civil servants they are; `None`: none.
    pub civil_servants: Option<CivilServantCategory>,
}

/// One person as written down by somebody. A field that could not even be read is empty here, and its problem stands
/// in `problems` already.
#[derive(Clone, Debug, Default)]
pub struct PersonForm {
    /// Identity number (NIK).
    pub national_id: String,
    /// Name with its titles.
    pub full_name: String,
    /// Date of birth.
    pub birth_date: Option<NaiveDate>,
    /// Sex.
    pub sex: Option<Sex>,
    /// Telephone number.
    pub phone: Option<String>,
    /// Rupiah a month.
    pub monthly_wage: Option<i64>,
    /// First day, where it differs from that of the request.
    pub starts_on: Option<NaiveDate>,
    /// Service number (NIP) of a civil servant.
    pub service_number: Option<String>,
    /// Work unit (SKPD, OPD) of a civil servant.
    pub work_unit: Option<String>,
    /// Grade (golongan) of a civil servant.
    pub grade: Option<String>,
    /// What was wrong with the cells themselves.
    pub problems: Vec<Problem>,
}

/// A civil servant's own particulars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CivilServant {
    /// Service number (NIP).
    pub service_number: Option<ServiceNumber>,
    /// Category.
    pub category: CivilServantCategory,
    /// Work unit (SKPD, OPD).
    pub work_unit: Option<String>,
    /// Grade (golongan).
    pub grade: Option<String>,
}

/// A person and an enrollment that break no rule, ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEnrollment {
    /// Identity number.
    pub national_id: NationalId,
    /// Name.
    pub full_name: FullName,
    /// Date of birth.
    pub birth_date: NaiveDate,
    /// Sex.
    pub sex: Sex,
    /// Telephone number.
    pub phone: Option<PhoneNumber>,
    /// Province of residence, by internal id.
    pub province: i16,
    /// Segment.
    pub segment: Segment,
    /// Programmes, each once.
    pub programmes: Vec<Programme>,
    /// Channel, by internal id.
    pub channel: i64,
    /// Employer, by internal id.
    pub employer: Option<i64>,
    /// Association, by internal id.
    pub association: Option<i64>,
    /// Rupiah a month.
    pub monthly_wage: Option<i64>,
    /// First day.
    pub starts_on: NaiveDate,
    /// Last day of the month paid for with the form.
    pub paid_through: Option<NaiveDate>,
    /// Particulars of a civil servant.
    pub civil_servant: Option<CivilServant>,
    /// The warnings under which it was taken, each code once.
    pub flags: Vec<ProblemCode>,
}

impl NewEnrollment {
    /// A form is registered until something was paid; with the first contribution it starts active.
    pub fn status(&self) -> EnrollmentStatus {
        if self.paid_through.is_some() { EnrollmentStatus::Active } else { EnrollmentStatus::Registered }
    }
}

/// What is wrong with what a whole request has in common, on the day that it is made.
pub fn judge_terms(terms: &Terms<'_>, rules: &Rulebook, today: NaiveDate) -> Vec<Problem> {
    let mut problems = payer_problems(terms);
    if !terms.channel.is_open_on(today) {
        problems.push(
            Problem::error(
                ProblemCode::ChannelClosed,
                "channelCode",
                "Nobody can be enrolled at this channel: it is not open.",
            )
            .hint("Choose an open channel: channels(filterBy: {open: true})."),
        );
    }
    if terms.programmes.is_empty() {
        problems.push(Problem::error(ProblemCode::Required, "programmes", "Name at least one programme."));
    }
    problems.extend(judge_start(terms, rules, terms.starts_on, today));
    problems
}

/// Judges one person under the terms of the request. All problems come at once; there is a new enrollment exactly
/// where none of them is an error.
pub fn judge_person(
    form: PersonForm,
    terms: &Terms<'_>,
    rules: &Rulebook,
    today: NaiveDate,
) -> (Option<NewEnrollment>, Vec<Problem>) {
    let mut problems = form.problems;
    let full_name = keep(FullName::parse(&form.full_name, "fullName"), &mut problems);
    let phone = form.phone.as_deref().filter(|text| !text.trim().is_empty());
    let phone = phone.and_then(|text| keep(PhoneNumber::parse(text, "phone"), &mut problems));
    let work_unit = keep(text::label(form.work_unit.as_deref(), 200, "workUnit"), &mut problems).flatten();
    let grade = keep(text::label(form.grade.as_deref(), 40, "grade"), &mut problems).flatten();

    let starts_on = form.starts_on.unwrap_or(terms.starts_on);
    if starts_on != terms.starts_on {
        problems.extend(judge_start(terms, rules, starts_on, today));
    }
    problems.extend(form.monthly_wage.and_then(judge_wage));
    let national_id = NationalId::parse(&form.national_id, &rules.regions, "nationalId");
    let national_id = collect(national_id, &mut problems);
    if let (Some(number), Some(birth_date), Some(sex)) = (&national_id, form.birth_date, form.sex) {
        problems.extend(identity::check_against_person(number, birth_date, sex, "birthDate", "sex"));
    }
    if let Some(birth_date) = form.birth_date {
        problems.extend(judge_age(terms.segment, birth_date, rules, starts_on, today));
    }
    let civil_servant = terms.civil_servants.map(|category| CivilServant {
        service_number: judge_service_number(
            form.service_number.as_deref(),
            category,
            (form.birth_date, form.sex, national_id.as_ref()),
            rules,
            today,
            &mut problems,
        ),
        category,
        work_unit,
        grade,
    });

    let mut flags: Vec<ProblemCode> = problems.iter().filter(|p| !p.is_error()).map(|p| p.code).collect();
    flags.sort_unstable();
    flags.dedup();
    let refused = refuses(&problems);
    let candidate = match (national_id, full_name, form.birth_date, form.sex) {
        (Some(national_id), Some(full_name), Some(birth_date), Some(sex)) if !refused => {
            Some(NewEnrollment {
                national_id,
                full_name,
                birth_date,
                sex,
                phone,
                province: terms.province,
                segment: terms.segment,
                programmes: each_once(terms.programmes),
                channel: terms.channel.id,
                employer: terms.employer.map(|employer| employer.id),
                association: terms.association,
                monthly_wage: form.monthly_wage,
                starts_on,
                paid_through: terms.first_contribution_paid.then(|| end_of_month(starts_on)),
                civil_servant,
                flags,
            })
        }
        _ => None,
    };
    debug_assert_eq!(candidate.is_none(), refused, "a form without all four must have been refused for it");
    (candidate, problems)
}

/// What the registry knows of a person whose identity number came in again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownPerson {
    /// Date of birth.
    pub birth_date: NaiveDate,
    /// Sex.
    pub sex: Sex,
    /// Name, normalised.
    pub name_key: String,
}

/// Is the person of a form the one whom the registry knows under its identity number? Birth date and sex must be
/// equal, and the names must share words: titles and spelling differ from list to list, people do not.
pub fn is_same_person(known: &KnownPerson, new: &NewEnrollment, rules: &Rulebook) -> bool {
    known.birth_date == new.birth_date
        && known.sex == new.sex
        && shares_words(&known.name_key, &new.full_name.key(), rules.minimum_shared_words)
}

/// The problem of a form whose identity number belongs to somebody else in the registry.
pub fn identity_mismatch(field: &str) -> Problem {
    Problem::error(
        ProblemCode::IdentityMismatch,
        field,
        "The registry holds this number under other particulars.",
    )
    .hint("Compare name, birth date and sex with the identity card. If the form is right, ask the agency for a correction.")
}

fn payer_problems(terms: &Terms<'_>) -> Vec<Problem> {
    let needs_employer = matches!(terms.segment, Segment::WageEarner | Segment::Construction);
    let mut problems = Vec::new();
    if needs_employer && terms.employer.is_none() {
        problems.push(Problem::error(
            ProblemCode::Required,
            "employerId",
            "This segment is enrolled by an employer.",
        ));
    }
    if !needs_employer && terms.employer.is_some() {
        problems.push(
            Problem::error(
                ProblemCode::Conflict,
                "employerId",
                "People of this segment have no employer here.",
            )
            .hint("Leave employerId out, or choose the segment WAGE_EARNER."),
        );
    }
    if terms.association.is_some() && terms.segment != Segment::SelfEmployed {
        problems.push(
            Problem::error(
                ProblemCode::Conflict,
                "associationId",
                "Only self-employed people come through an association.",
            )
            .hint("Leave associationId out, or choose the segment SELF_EMPLOYED."),
        );
    }
    problems
}

/// The rules that hang on the first day: its own range, the programmes, the eligibility of civil servants.
fn judge_start(terms: &Terms<'_>, rules: &Rulebook, starts_on: NaiveDate, today: NaiveDate) -> Vec<Problem> {
    let mut problems = Vec::new();
    if today.checked_add_days(Days::new(LATEST_START_DAYS)).is_some_and(|latest| starts_on > latest) {
        problems.push(Problem::error(
            ProblemCode::OutOfRange,
            "startsOn",
            "An enrollment can start a year from today at the latest.",
        ));
    }
    for &programme in &each_once(terms.programmes) {
        match rules.programme(programme, terms.segment, starts_on) {
            Ok(_) => {}
            Err(ProgrammeRefusal::NotInForce(next)) => problems.push(
                Problem::error(
                    ProblemCode::ProgrammeNotInForce,
                    "programmes",
                    format!("{programme} is not in force on {starts_on}."),
                )
                .hint(match next {
                    Some(rule) => {
                        format!("It is in force from {}: {}.", rule.citation.period.from, rule.citation.title)
                    }
                    None => "Leave it out.".to_owned(),
                }),
            ),
            Err(ProgrammeRefusal::NotForSegment(rule)) => problems.push(
                Problem::error(
                    ProblemCode::NotEligible,
                    "programmes",
                    format!(
                        "{programme} is not open to the segment {} ({}).",
                        terms.segment, rule.citation.title
                    ),
                )
                .hint("Leave it out."),
            ),
        }
    }
    if let Some(category) = terms.civil_servants {
        match rules.civil_servant(category, starts_on) {
            Some(rule) if rule.eligible => {}
            rule => problems.push(
                Problem::error(
                    ProblemCode::NotEligible,
                    "startsOn",
                    format!(
                        "Civil servants of the category {category} cannot be enrolled from {starts_on} on."
                    ),
                )
                .hint(match rule {
                    Some(rule) => {
                        format!("{}, in force from {}.", rule.citation.title, rule.citation.period.from)
                    }
                    None => "No rule covers that day.".to_owned(),
                }),
            ),
        }
    }
    problems
}

fn judge_wage(wage: i64) -> Option<Problem> {
    (!(1..=MAX_MONTHLY_WAGE).contains(&wage)).then(|| {
        Problem::error(
            ProblemCode::OutOfRange,
            "monthlyWage",
            "A monthly wage is between Rp 1 and Rp 10,000,000,000.",
        )
        .hint("Whole rupiah a month, or nothing where it is not known.")
    })
}

fn judge_age(
    segment: Segment,
    birth_date: NaiveDate,
    rules: &Rulebook,
    starts_on: NaiveDate,
    today: NaiveDate,
) -> Option<Problem> {
    if birth_date > today {
        return Some(Problem::error(
            ProblemCode::OutOfRange,
            "birthDate",
            "This birth date is in the future.",
        ));
    }
    if birth_date.year() < EARLIEST_BIRTH_YEAR {
        let message = format!("Nobody who can be enrolled was born before {EARLIEST_BIRTH_YEAR}.");
        return Some(Problem::error(ProblemCode::OutOfRange, "birthDate", message));
    }
    rules.broken_age_rule(segment, birth_date, starts_on).map(|rule| {
        let range = match rule.maximum {
            Some(maximum) => format!("between {} and {maximum} years old", rule.minimum),
            None => format!("at least {} years old", rule.minimum),
        };
        Problem::error(
            ProblemCode::OutOfRange,
            "birthDate",
            format!("A person of the segment {segment} is {range} when the enrollment starts."),
        )
        .hint(rule.citation.title.clone())
    })
}

fn judge_service_number(
    text: Option<&str>,
    category: CivilServantCategory,
    (birth_date, sex, national_id): (Option<NaiveDate>, Option<Sex>, Option<&NationalId>),
    rules: &Rulebook,
    today: NaiveDate,
    problems: &mut Vec<Problem>,
) -> Option<ServiceNumber> {
    let text = text.filter(|text| !text.trim().is_empty());
    let Some(text) = text else {
        // Workers of the state who are not civil servants have none.
        if category != CivilServantCategory::NonAsn {
            problems.push(Problem::error(
                ProblemCode::Required,
                "serviceNumber",
                "A civil servant has a service number (NIP).",
            ));
        }
        return None;
    };
    let on_contract = category == CivilServantCategory::Pppk;
    let parsed = ServiceNumber::parse(text, &rules.service_number, on_contract, today, "serviceNumber");
    let number = collect(parsed, problems)?;
    problems.extend(identity::check_service_number(&number, birth_date, sex, national_id, "serviceNumber"));
    Some(number)
}

fn keep<T>(parsed: Result<T, Problem>, problems: &mut Vec<Problem>) -> Option<T> {
    parsed.map_err(|problem| problems.push(problem)).ok()
}

fn collect<T>(parsed: Result<(T, Vec<Problem>), Vec<Problem>>, problems: &mut Vec<Problem>) -> Option<T> {
    match parsed {
        Ok((value, doubts)) => {
            problems.extend(doubts);
            Some(value)
        }
        Err(faults) => {
            problems.extend(faults);
            None
        }
    }
}

fn each_once(programmes: &[Programme]) -> Vec<Programme> {
    let mut each_once = programmes.to_vec();
    each_once.sort_unstable();
    each_once.dedup();
    each_once
}
