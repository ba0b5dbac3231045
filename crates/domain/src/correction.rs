//! Corrections of personal data. The old value stays in the history, and the rules are checked again.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::count::HeldEnrollment;
use super::enrollment::{judge_age, judge_birth_date};
use super::identity::{self, NationalId};
use super::participant::FullName;
use super::problem::{Problem, ProblemCode, collect, keep, refuses};
use super::rule::Rulebook;
use super::text;
use super::vocabulary::{EnrollmentStatus, Sex};

/// Data of a person whose changes are recorded with their values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum CorrectedField {
    /// The name.
    FullName,
    /// The date of birth.
    BirthDate,
    /// The sex.
    Sex,
    /// The province of residence.
    Province,
    /// The identity number (NIK).
    NationalId,
    /// The monthly wage in rupiah, by a change of the wage.
    MonthlyWage,
    /// The telephone number, by a change of the contact. Its values are not recorded.
    Phone,
}

/// One corrected value. Identity numbers are stored encrypted elsewhere, so a change of the number carries no values.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The field.
    pub field: CorrectedField,
    /// Value before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Value after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// A correction, a move or a change of a wage, as recorded in a person's history.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// Reason given by the actor. A correction has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Changed values; at least one.
    pub changes: Vec<Change>,
}

/// A requested correction. Fields that are `None` stay as they are.
#[derive(Clone, Default)]
pub struct Form {
    /// Name with its titles.
    pub full_name: Option<String>,
    /// Date of birth.
    pub birth_date: Option<NaiveDate>,
    /// Sex.
    pub sex: Option<Sex>,
    /// Province of residence, by internal id.
    pub province: Option<i16>,
    /// Identity number (NIK).
    pub national_id: Option<String>,
    /// Reason.
    pub reason: String,
}

/// A correction with all values parsed.
#[derive(Clone)]
pub struct Wanted {
    /// Name.
    pub full_name: Option<FullName>,
    /// Date of birth.
    pub birth_date: Option<NaiveDate>,
    /// Sex.
    pub sex: Option<Sex>,
    /// Province of residence, by internal id.
    pub province: Option<i16>,
    /// Identity number.
    pub national_id: Option<NationalId>,
    /// Reason.
    pub reason: String,
}

/// The correctable data of a person.
#[derive(Clone, PartialEq, Eq)]
pub struct Particulars {
    /// Name.
    pub full_name: String,
    /// Name, normalised.
    pub name_key: String,
    /// Date of birth.
    pub birth_date: NaiveDate,
    /// Sex.
    pub sex: Sex,
    /// Province of residence, by internal id.
    pub province: i16,
    /// Identity number; foreigners have none.
    pub national_id: Option<NationalId>,
}

redacted_debug!(Change, Correction, Form, Wanted, Particulars);

/// Parses a correction and returns it with its warnings.
///
/// # Errors
/// All problems that do not depend on the person.
pub fn read(form: Form, rules: &Rulebook, today: NaiveDate) -> Result<(Wanted, Vec<Problem>), Vec<Problem>> {
    let mut problems = Vec::new();
    let full_name = form.full_name.map(|text| keep(FullName::parse(&text, "fullName"), &mut problems));
    let national_id = form
        .national_id
        .map(|text| collect(NationalId::parse(&text, &rules.regions, "nationalId"), &mut problems));
    problems.extend(form.birth_date.and_then(|birth_date| judge_birth_date(birth_date, today)));
    let reason = keep(text::required(&form.reason, 200, "reason"), &mut problems);
    let is_empty = full_name.is_none()
        && national_id.is_none()
        && form.birth_date.is_none()
        && form.sex.is_none()
        && form.province.is_none();
    if is_empty {
        let problem = Problem::error(ProblemCode::Required, "fullName", "There is nothing to correct.");
        problems.push(
            problem.hint("Send at least one of fullName, birthDate, sex, provinceCode and nationalId."),
        );
    }
    match reason {
        Some(reason) if !refuses(&problems) => {
            let (full_name, national_id) = (full_name.flatten(), national_id.flatten());
            let (birth_date, sex, province) = (form.birth_date, form.sex, form.province);
            Ok((Wanted { full_name, birth_date, sex, province, national_id, reason }, problems))
        }
        _ => Err(problems),
    }
}

impl Wanted {
    /// Returns the data of the person after the correction.
    pub fn apply(&self, before: &Particulars) -> Particulars {
        let name = self.full_name.as_ref();
        Particulars {
            full_name: name.map_or_else(|| before.full_name.clone(), |name| name.as_str().to_owned()),
            name_key: name.map_or_else(|| before.name_key.clone(), FullName::key),
            birth_date: self.birth_date.unwrap_or(before.birth_date),
            sex: self.sex.unwrap_or(before.sex),
            province: self.province.unwrap_or(before.province),
            national_id: self.national_id.clone().or_else(|| before.national_id.clone()),
        }
    }
}

/// Returns the differences between the data before and after. Provinces are given by code.
pub fn changes(
    before: &Particulars,
    after: &Particulars,
    province_code: impl Fn(i16) -> String,
) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut compare = |field, before: String, after: String| {
        if before != after {
            changes.push(Change { field, before: Some(before), after: Some(after) });
        }
    };
    compare(CorrectedField::FullName, before.full_name.clone(), after.full_name.clone());
    compare(CorrectedField::BirthDate, before.birth_date.to_string(), after.birth_date.to_string());
    compare(CorrectedField::Sex, before.sex.to_string(), after.sex.to_string());
    compare(CorrectedField::Province, province_code(before.province), province_code(after.province));
    if before.national_id != after.national_id {
        changes.push(Change { field: CorrectedField::NationalId, before: None, after: None });
    }
    changes
}

/// Returns the problem of a correction that changes nothing.
pub fn nothing_changes() -> Problem {
    let message = "These values are already recorded. Nothing was changed.";
    let problem = Problem { path: Vec::new(), ..Problem::error(ProblemCode::Conflict, "", message) };
    problem.hint("If this was a retry, the first attempt succeeded. With an idempotencyKey, a retry returns the first answer.")
}

/// Checks the corrected data by the rules: number against birth date and sex, and the age at the start of each open
/// enrollment.
pub fn judge(
    (before, after): (&Particulars, &Particulars),
    enrollments: &BTreeMap<i64, HeldEnrollment>,
    deceased_on: Option<NaiveDate>,
    rules: &Rulebook,
    today: NaiveDate,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let is_same_identity = (before.birth_date, before.sex, &before.national_id)
        == (after.birth_date, after.sex, &after.national_id);
    if let Some(number) = after.national_id.as_ref().filter(|_| !is_same_identity) {
        let (birth_date, sex) = (after.birth_date, after.sex);
        let doubts = identity::check_against_person(number, birth_date, sex, "birthDate", "sex");
        problems.extend(doubts.into_iter().map(|problem| problem.hint(CORRECTION_IS_RECORDED)));
    }
    if let Some(problem) = judge_life(before, after, enrollments, deceased_on) {
        problems.push(problem);
    } else if before.birth_date != after.birth_date {
        let open = enrollments.values().filter(|held| held.timeline.status() != EnrollmentStatus::Ended);
        let broken = |held: &HeldEnrollment| {
            judge_age(held.segment, after.birth_date, rules, held.timeline.starts_on, today)
        };
        problems.extend(open.into_iter().find_map(broken).map(|problem| {
            let rule = problem.hint.clone().unwrap_or_default();
            problem.hint(format!("End that enrollment as ENROLLED_IN_ERROR first. {rule}"))
        }));
    }
    problems
}

const CORRECTION_IS_RECORDED: &str = "Check the identity card (KTP). The number is permanent and is not reissued to \
    match, so the correction is recorded anyway.";

/// Returns the problem of a birth date after an enrollment or the death. Enrollments that ended on their first day are
/// ignored.
fn judge_life(
    before: &Particulars,
    after: &Particulars,
    enrollments: &BTreeMap<i64, HeldEnrollment>,
    deceased_on: Option<NaiveDate>,
) -> Option<Problem> {
    if before.birth_date == after.birth_date {
        return None;
    }
    let held = enrollments.values().map(|held| &held.timeline);
    let held = held.filter(|timeline| timeline.ends_on.is_none_or(|ends_on| timeline.starts_on < ends_on));
    let first = held.map(|timeline| timeline.starts_on).min();
    let refuse = |message: String| {
        let problem = Problem::error(ProblemCode::OutOfRange, "birthDate", message);
        Some(problem.hint("Compare the date with the identity card: was the year typed correctly?"))
    };
    match (first, deceased_on) {
        (Some(first), _) if first < after.birth_date => {
            refuse(format!("This person has been enrolled since {first}, before that day."))
        }
        (_, Some(died)) if died < after.birth_date => {
            refuse(format!("This person died on {died}, before that day."))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::RegionCodes;
    use crate::timeline::{PaidMonths, Timeline};
    use crate::vocabulary::Segment;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn rules() -> Rulebook {
        Rulebook { regions: RegionCodes::new(["16"]), ..Rulebook::default() }
    }

    fn siti() -> Particulars {
        Particulars {
            full_name: "Siti Rahayu".into(),
            name_key: "siti rahayu".into(),
            birth_date: day("1985-08-02"),
            sex: Sex::Female,
            province: 16,
            national_id: NationalId::parse("1671014208850001", &rules().regions, "x").ok().map(|(id, _)| id),
        }
    }

    fn codes(problems: &[Problem]) -> Vec<(ProblemCode, &str)> {
        let at = |problem: &'_ Problem| problem.code;
        problems.iter().map(|p| (at(p), p.path.first().map_or("", String::as_str))).collect()
    }

    fn read(form: Form) -> Result<(Wanted, Vec<Problem>), Vec<Problem>> {
        super::read(form, &rules(), day("2014-10-02"))
    }

    #[test]
    fn a_correction_needs_a_value_and_a_reason() {
        let problems = read(Form { reason: " ".into(), ..Form::default() }).err().unwrap();
        let (nothing, why) = ((ProblemCode::Required, "fullName"), (ProblemCode::Required, "reason"));
        assert_eq!(codes(&problems), [why, nothing]);
        let ahead = Form { birth_date: Some(day("2014-10-03")), reason: "KTP".into(), ..Form::default() };
        let problems = read(ahead).err().unwrap();
        assert_eq!(codes(&problems), [(ProblemCode::OutOfRange, "birthDate")]);
    }

    #[test]
    fn only_differences_are_recorded_and_never_the_number_itself() {
        let form = Form {
            full_name: Some("Siti  Rahayu".into()),
            birth_date: Some(day("1985-08-03")),
            national_id: Some("1671014208850002".into()),
            reason: "KTP".into(),
            ..Form::default()
        };
        let (wanted, _) = read(form).ok().unwrap();
        let (before, after) = (siti(), wanted.apply(&siti()));
        let changes = changes(&before, &after, |id| id.to_string());
        let fields: Vec<_> = changes.iter().map(|change| change.field).collect();
        assert_eq!(fields, [CorrectedField::BirthDate, CorrectedField::NationalId]);
        assert!(!serde_json::to_string(&changes).unwrap().contains("167101"));
        let doubts = judge((&before, &after), &BTreeMap::new(), None, &rules(), day("2014-10-02"));
        assert_eq!(codes(&doubts), [(ProblemCode::NationalIdBirthMismatch, "birthDate")]);
        assert!(
            doubts[0].hint.as_deref().unwrap().contains("correction is recorded"),
            "{:?}",
            doubts[0].hint
        );
    }

    #[test]
    fn a_birth_date_after_an_enrollment_or_a_death_is_refused() {
        let held = |starts_on: &str, ends_on: Option<&str>| HeldEnrollment {
            segment: Segment::SelfEmployed,
            civil_servant: None,
            employer: None,
            association: None,
            end_reason: None,
            timeline: Timeline {
                counts_from: day(starts_on),
                starts_on: day(starts_on),
                ends_on: ends_on.map(day),
                paid: PaidMonths::default(),
                has_lapsed: false,
            },
        };
        let judged = |born: &str, enrollments: Vec<HeldEnrollment>, died: Option<&str>| {
            let after = Particulars { birth_date: day(born), national_id: None, ..siti() };
            let enrollments = (1_i64..).zip(enrollments).collect();
            let today = day("2014-10-02");
            let problems = judge((&siti(), &after), &enrollments, died.map(day), &rules(), today);
            problems.iter().map(|problem| (problem.code, problem.path.join("."))).collect::<Vec<_>>()
        };
        let refused = [(ProblemCode::OutOfRange, "birthDate".to_owned())];
        let ended = || vec![held("2010-01-01", Some("2012-01-01"))];
        assert_eq!(judged("2010-01-02", ended(), None), refused);
        assert_eq!(judged("2010-01-01", ended(), None), []);
        assert_eq!(
            judged("2011-01-01", vec![held("2010-01-01", Some("2010-01-01"))], None),
            [],
            "it covered no day"
        );
        assert_eq!(judged("2013-05-02", vec![], Some("2013-05-01")), refused);
        assert_eq!(judged("2013-05-01", vec![], Some("2013-05-01")), []);
    }
}
