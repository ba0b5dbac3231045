//! The one judge of forms.

use chrono::{Datelike as _, Months, NaiveDate};

use super::{CivilServant, KnownPerson, NewEnrollment, PersonForm, Terms};
use crate::cell::{LEAST_BELIEVABLE_WAGE, MAX_MONTHLY_WAGE};
use crate::identity::{self, NationalId, ServiceNumber};
use crate::participant::{FullName, PhoneNumber, shares_words};
use crate::problem::{Problem, ProblemCode, collect, keep, refuses};
use crate::rule::{ProgrammeRefusal, Rulebook};
use crate::text;
use crate::timeline::{PaidMonths, Timeline};
use crate::vocabulary::{CivilServantCategory, EmployerKind, Programme, Segment, Sex};

/// A birth year before it is a slip of the keyboard.
const EARLIEST_BIRTH_YEAR: i32 = 1900;
/// Months ahead of today that an enrollment may start at most: the same day of the next year.
const LATEST_START: Months = Months::new(12);

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
    problems.extend(form.monthly_wage.and_then(|wage| judge_wage(wage).or_else(|| doubt_wage(wage))));
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
                timeline: timeline(terms, starts_on, rules, today),
                civil_servant,
                flags,
            })
        }
        _ => None,
    };
    debug_assert_eq!(candidate.is_none(), refused, "a form without all four must have been refused for it");
    (candidate, problems)
}

/// How it stands today: registered until something was paid, with the first contribution active from the start on, and
/// lapsed where that was long ago.
fn timeline(terms: &Terms<'_>, starts_on: NaiveDate, rules: &Rulebook, today: NaiveDate) -> Timeline {
    let paid = match terms.first_contribution_paid {
        true => PaidMonths::from_until(starts_on, starts_on),
        false => PaidMonths::default(),
    };
    let counts_from = starts_on.min(today);
    let mut timeline = Timeline { counts_from, starts_on, ends_on: None, paid, has_lapsed: false };
    timeline.settle(today, terms.segment, rules);
    timeline
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
    let closed_on = terms.employer.and_then(|employer| employer.closed_on);
    problems.extend(closed_on.map(|day| super::employer_closed(Some(day))));
    let is_civil_servant =
        terms.civil_servants.is_some_and(|category| category != CivilServantCategory::NonAsn);
    if is_civil_servant && terms.employer.is_some_and(|employer| employer.kind != EmployerKind::Government) {
        problems.push(
            Problem::error(
                ProblemCode::NotEligible,
                "employerId",
                "Civil servants are employed by the state.",
            )
            .hint("Choose an employer of the kind GOVERNMENT."),
        );
    }
    if is_civil_servant && terms.segment != Segment::WageEarner {
        problems.push(
            Problem::error(ProblemCode::NotEligible, "segment", "Civil servants are wage earners.")
                .hint("Choose the segment WAGE_EARNER."),
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
    if today.checked_add_months(LATEST_START).is_some_and(|latest| starts_on > latest) {
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

/// Programmes that belong together are entered together. That none was named at all is said elsewhere.
fn judge_combination(terms: &Terms<'_>, rules: &Rulebook, starts_on: NaiveDate) -> Option<Problem> {
    if terms.programmes.is_empty() {
        return None;
    }
    let rule = rules.broken_combination_rule(terms.programmes, terms.segment, starts_on)?;
    let required: Vec<&str> = rule.required.iter().map(|programme| programme.as_str()).collect();
    let (segment, required) = (terms.segment, required.join(" and "));
    let message = format!("Whoever is enrolled in the segment {segment} is covered for {required} at least.");
    Some(Problem::error(ProblemCode::Required, "programmes", message).hint(rule.citation.title.clone()))
}

pub(super) fn judge_wage(wage: i64) -> Option<Problem> {
    (!(1..=MAX_MONTHLY_WAGE).contains(&wage)).then(|| {
        Problem::error(
            ProblemCode::OutOfRange,
            "monthlyWage",
            "A monthly wage is between Rp 1 and Rp 10,000,000,000.",
        )
        .hint("Whole rupiah a month, or nothing where it is not known.")
    })
}

/// A wage below every floor: the contributions that are reckoned from it are too low, but the person is covered.
fn doubt_wage(wage: i64) -> Option<Problem> {
    (wage < LEAST_BELIEVABLE_WAGE).then(|| {
        let message = "The monthly wage is below Rp 100,000: thousands may be missing.";
        Problem::warning(ProblemCode::OutOfRange, "monthlyWage", message)
            .hint("Compare it with the list of wages. Write whole rupiah a month: 4250000 or 4.250.000,00.")
    })
}

/// What is wrong with a birth date of anybody.
pub(crate) fn judge_birth_date(birth_date: NaiveDate, today: NaiveDate) -> Option<Problem> {
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
    None
}

/// What is wrong with the age of somebody who enters a segment.
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

fn each_once(programmes: &[Programme]) -> Vec<Programme> {
    let mut each_once = programmes.to_vec();
    each_once.sort_unstable();
    each_once.dedup();
    each_once
}
