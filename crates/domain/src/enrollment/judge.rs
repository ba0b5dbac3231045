//! The rules for a new enrollment.

use chrono::{Datelike as _, Months, NaiveDate};

use super::{CivilServant, KnownPerson, Lookup, NewEnrollment, PersonForm, Terms};
use crate::cell::is_blank;
use crate::identity::{self, IdentityNumber, NationalId, PassportNumber, ServiceNumber};
use crate::participant::{FullName, PhoneNumber, shares_words};
use crate::problem::{Problem, ProblemCode, collect, keep, refuses};
use crate::rule::{ProgrammeRefusal, Rulebook};
use crate::text;
use crate::timeline::{PaidMonths, Timeline};
use crate::vocabulary::{CivilServantCategory, EmployerKind, Programme, Segment, Sex};
use crate::wage::{judge_wage, warn_about_wage};

/// Earliest plausible year of birth.
const EARLIEST_BIRTH_YEAR: i32 = 1900;
/// How far ahead an enrollment may start: until the same day of the next year.
const LATEST_START: Months = Months::new(12);

/// Checks what all people of a request have in common, as of today.
pub fn judge_terms(terms: &Terms<'_>, rules: &Rulebook, today: NaiveDate) -> Vec<Problem> {
    let mut problems = payer_problems(terms);
    if terms.channel.found().is_some_and(|channel| !channel.is_open_on(today)) {
        problems.push(
            Problem::error(ProblemCode::ChannelClosed, "channelCode", "This channel is not open.")
                .hint("Choose an open channel: channels(filterBy: {open: true})."),
        );
    }
    if terms.programmes.is_empty() {
        problems.push(Problem::error(
            ProblemCode::Required,
            "programmes",
            "At least one programme is needed.",
        ));
    }
    problems.extend(judge_start(terms, rules, terms.starts_on, today));
    problems
}

/// Checks one person under the terms of the request and reports all problems at once. Returns an enrollment if and only
/// if no problem is an error.
pub fn judge_person(
    form: PersonForm,
    terms: &Terms<'_>,
    rules: &Rulebook,
    today: NaiveDate,
) -> (Option<NewEnrollment>, Vec<Problem>) {
    let mut problems = form.problems;
    let full_name = keep(FullName::parse(&form.full_name, "fullName"), &mut problems);
    let phone = judge_phone(form.phone.as_deref(), &mut problems);
    let work_unit = text::label(form.work_unit.as_deref(), 200, "workUnit").map_err(Problem::left_out);
    let work_unit = keep(work_unit, &mut problems).flatten();
    let grade =
        keep(text::label(form.grade.as_deref(), 40, "grade").map_err(Problem::left_out), &mut problems)
            .flatten();

    let starts_on = form.starts_on.unwrap_or(terms.starts_on);
    if starts_on != terms.starts_on {
        problems.extend(judge_start(terms, rules, starts_on, today));
    }
    problems.extend(warn_about_programmes(terms, rules, starts_on));
    problems.extend(form.monthly_wage.and_then(|wage| judge_wage(wage).or_else(|| warn_about_wage(wage))));
    let identity = judge_identity(&form.national_id, form.passport_number.as_deref(), rules, &mut problems);
    let national_id = identity.as_ref().and_then(IdentityNumber::national_id);
    if let (Some(number), Some(birth_date), Some(sex)) = (national_id, form.birth_date, form.sex) {
        problems.extend(identity::check_against_person(number, birth_date, sex, "birthDate", "sex"));
    }
    if let Some(birth_date) = form.birth_date {
        problems.extend(judge_age(terms.segment, birth_date, rules, starts_on, today));
    }
    let civil_servant = terms.civil_servants.map(|category| CivilServant {
        service_number: judge_service_number(
            form.service_number.as_deref(),
            category,
            (form.birth_date, form.sex, national_id),
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
    let person = (identity, full_name, form.birth_date, form.sex);
    let candidate = match (person, terms.channel, terms.province, terms.employer, terms.association) {
        (_, _, _, Lookup::Failed, _) | (_, _, _, _, Lookup::Failed) => None,
        (
            (Some(identity), Some(full_name), Some(birth_date), Some(sex)),
            Lookup::Found(channel),
            Lookup::Found(province),
            employer,
            association,
        ) if !refused => Some(NewEnrollment {
            identity,
            full_name,
            birth_date,
            sex,
            phone,
            province,
            segment: terms.segment,
            programmes: each_once(terms.programmes),
            channel: channel.id,
            employer: employer.found().map(|employer| employer.id),
            association: association.found(),
            monthly_wage: form.monthly_wage,
            timeline: timeline(terms, starts_on, rules, today),
            civil_servant,
            flags,
        }),
        _ => None,
    };
    (candidate, problems)
}

/// Parses the number that identifies a person: an identity number (NIK), or the passport of a foreigner who has none.
pub(crate) fn judge_identity(
    national_id: &str,
    passport: Option<&str>,
    rules: &Rulebook,
    problems: &mut Vec<Problem>,
) -> Option<IdentityNumber> {
    let Some(passport) = passport.filter(|text| !is_blank(text)) else {
        let number = NationalId::parse(national_id, &rules.regions, "nationalId");
        return collect(number, problems).map(IdentityNumber::NationalId);
    };
    if !is_blank(national_id) {
        let message = "A person is identified by an identity number (NIK) or by a passport, not by both.";
        let problem = Problem::error(ProblemCode::Conflict, "passportNumber", message);
        problems.push(
            problem.hint("Leave the passport number out: a person with an identity number is found by that."),
        );
        return None;
    }
    keep(PassportNumber::parse(passport, "passportNumber"), problems).map(IdentityNumber::Passport)
}

/// Returns the timeline as of today. The enrollment is registered until a contribution is paid. With the first
/// contribution it is active from the start, or lapsed if the start was long ago.
fn timeline(terms: &Terms<'_>, starts_on: NaiveDate, rules: &Rulebook, today: NaiveDate) -> Timeline {
    let paid = match terms.first_contribution_paid {
        true => PaidMonths::from_until(starts_on, starts_on),
        false => PaidMonths::default(),
    };
    let counts_from = starts_on.min(today);
    let mut timeline = Timeline { counts_from, starts_on, ends_on: None, paid, has_lapsed: false };
    timeline.update_lapse(today, terms.segment, rules);
    timeline
}

/// Returns whether the person of a form is the one registered under the identity number. Birth date and sex must be
/// equal, and the names must share words, because titles and spelling vary between lists.
pub fn is_same_person(known: &KnownPerson, new: &NewEnrollment, rules: &Rulebook) -> bool {
    known.birth_date == new.birth_date
        && known.sex == new.sex
        && shares_words(&known.name_key, &new.full_name.key(), rules.minimum_shared_words)
}

/// Returns the problem of an identity number that belongs to another person in the registry.
pub fn identity_mismatch(field: &str) -> Problem {
    Problem::error(
        ProblemCode::IdentityMismatch,
        field,
        "This number is registered with other personal data.",
    )
    .hint("Compare name, birth date and sex with the identity card. If they are right, ask the agency for a correction.")
}

fn payer_problems(terms: &Terms<'_>) -> Vec<Problem> {
    let needs_employer = matches!(terms.segment, Segment::WageEarner | Segment::Construction);
    let mut problems = Vec::new();
    if needs_employer && terms.employer.is_not_named() {
        problems.push(Problem::error(ProblemCode::Required, "employerId", "This segment needs an employer."));
    }
    if !needs_employer && !terms.employer.is_not_named() {
        problems.push(
            Problem::error(ProblemCode::Conflict, "employerId", "People of this segment have no employer.")
                .hint("Leave employerId out, or choose the segment WAGE_EARNER."),
        );
    }
    let closed_on = terms.employer.found().and_then(|employer| employer.closed_on);
    problems.extend(closed_on.map(|day| super::employer_closed(Some(day))));
    problems.extend(terms.civil_servants.iter().flat_map(|&category| category_problems(category, terms)));
    if !terms.association.is_not_named() && terms.segment != Segment::SelfEmployed {
        problems.push(
            Problem::error(
                ProblemCode::Conflict,
                "associationId",
                "Only self-employed people are enrolled through an association.",
            )
            .hint("Leave associationId out, or choose the segment SELF_EMPLOYED."),
        );
    }
    problems
}

/// Checks who may have a category: people who earn a wage from a government, civil servants or not.
fn category_problems(category: CivilServantCategory, terms: &Terms<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if terms.employer.found().is_some_and(|employer| employer.kind != EmployerKind::Government) {
        let message = match category {
            CivilServantCategory::NonAsn => {
                "The employer of staff of the category NON_ASN must be of the kind GOVERNMENT."
            }
            _ => "The employer of civil servants must be of the kind GOVERNMENT.",
        };
        let problem = Problem::error(ProblemCode::NotEligible, "employerId", message);
        let hint = "Choose such an employer. People of other employers have no category: leave it out.";
        problems.push(problem.hint(hint));
    }
    if terms.segment != Segment::WageEarner {
        let message = "Staff of a government, civil servants or not, are wage earners.";
        let problem = Problem::error(ProblemCode::NotEligible, "segment", message);
        problems.push(problem.hint("Choose the segment WAGE_EARNER, or leave the category out."));
    }
    problems
}

/// Checks what depends on the first day: its range, the programmes, the eligibility of civil servants.
fn judge_start(terms: &Terms<'_>, rules: &Rulebook, starts_on: NaiveDate, today: NaiveDate) -> Vec<Problem> {
    let mut problems = Vec::new();
    if today.checked_add_months(LATEST_START).is_some_and(|latest| starts_on > latest) {
        problems.push(Problem::error(
            ProblemCode::OutOfRange,
            "startsOn",
            "An enrollment starts within a year from today.",
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
    problems.extend(judge_combination(terms, rules, starts_on));
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

/// Checks that programmes that belong together are entered together. An empty list is reported elsewhere.
fn judge_combination(terms: &Terms<'_>, rules: &Rulebook, starts_on: NaiveDate) -> Option<Problem> {
    if terms.programmes.is_empty() {
        return None;
    }
    let rule = rules.broken_combination_rule(terms.programmes, terms.segment, starts_on)?;
    let required: Vec<&str> = rule.required.iter().map(Into::into).collect();
    let (segment, required) = (terms.segment, required.join(" and "));
    let message = format!("An enrollment in the segment {segment} needs at least {required}.");
    Some(Problem::error(ProblemCode::Required, "programmes", message).hint(rule.citation.title.clone()))
}

/// Returns the warning that programmes are missing which are mandatory at a business of that size. The employer is at fault and
/// not the person, who is covered all the same.
fn warn_about_programmes(terms: &Terms<'_>, rules: &Rulebook, starts_on: NaiveDate) -> Option<Problem> {
    let size = terms.classification?.on(starts_on).size;
    let rule = rules.mandatory(terms.segment, size, starts_on)?;
    let missing: Vec<&str> = rule.missing(terms.programmes).map(Into::into).collect();
    if missing.is_empty() {
        return None;
    }
    let message =
        format!("Mandatory at a business of the size {}: {} too.", rule.size, missing.join(" and "));
    Some(Problem::warning(ProblemCode::Required, "programmes", message).hint(rule.citation.title.clone()))
}

/// Checks a birth date.
pub(crate) fn judge_birth_date(birth_date: NaiveDate, today: NaiveDate) -> Option<Problem> {
    if birth_date > today {
        return Some(Problem::error(
            ProblemCode::OutOfRange,
            "birthDate",
            "This birth date is in the future.",
        ));
    }
    if birth_date.year() < EARLIEST_BIRTH_YEAR {
        let message = format!("The birth date is before {EARLIEST_BIRTH_YEAR}. Check the year.");
        return Some(Problem::error(ProblemCode::OutOfRange, "birthDate", message));
    }
    None
}

/// Checks the age of a person who enters a segment.
pub(crate) fn judge_age(
    segment: Segment,
    birth_date: NaiveDate,
    rules: &Rulebook,
    starts_on: NaiveDate,
    today: NaiveDate,
) -> Option<Problem> {
    if let Some(problem) = judge_birth_date(birth_date, today) {
        return Some(problem);
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

/// Parses a telephone number. The field is optional, so a number that cannot be read is left out with a warning.
fn judge_phone(text: Option<&str>, problems: &mut Vec<Problem>) -> Option<PhoneNumber> {
    let text = text.filter(|text| !is_blank(text))?;
    let problem = match PhoneNumber::parse(text, "phone") {
        Ok(number) => return Some(number),
        Err(_) if identity::is_damaged_by_spreadsheet(text) => {
            let message = "A spreadsheet has rounded this telephone number.";
            Problem::error(ProblemCode::IdentifierDamagedBySpreadsheet, "phone", message)
                .hint(identity::EXPORT_AS_TEXT)
        }
        Err(problem) => problem,
    };
    let mut numbers = text.split(['/', ',', ';', '&', '\n']).map(|part| PhoneNumber::parse(part, "phone"));
    let first = numbers.find_map(Result::ok);
    problems.push(match first {
        None => problem.left_out(),
        Some(_) => {
            let message = "Only the first telephone number of this field is stored.";
            Problem::warning(ProblemCode::InvalidFormat, "phone", message).hint("Give one number.")
        }
    });
    first
}

/// Parses a service number. Civil servants need one; for other staff of the state it is optional.
fn judge_service_number(
    text: Option<&str>,
    category: CivilServantCategory,
    (birth_date, sex, national_id): (Option<NaiveDate>, Option<Sex>, Option<&NationalId>),
    rules: &Rulebook,
    today: NaiveDate,
    problems: &mut Vec<Problem>,
) -> Option<ServiceNumber> {
    let is_optional = category == CivilServantCategory::NonAsn;
    let Some(text) = text.filter(|text| !is_blank(text)) else {
        if !is_optional {
            let message = "A civil servant needs a service number (NIP).";
            problems.push(Problem::error(ProblemCode::Required, "serviceNumber", message));
        }
        return None;
    };
    let on_contract = category == CivilServantCategory::Pppk;
    let parsed = ServiceNumber::parse(text, &rules.service_number, on_contract, today, "serviceNumber");
    let parsed = parsed.map_err(|faults| match is_optional {
        true => faults.into_iter().map(Problem::left_out).collect(),
        false => faults,
    });
    let number = collect(parsed, problems)?;
    problems.extend(identity::check_service_number(&number, birth_date, sex, national_id, "serviceNumber"));
    Some(number)
}

fn each_once(programmes: &[Programme]) -> Vec<Programme> {
    let mut each_once = programmes.to_vec();
    each_once.sort_unstable();
    each_once.dedup();
    each_once
}
