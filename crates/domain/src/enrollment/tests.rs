//! Tests of the rules for enrollments, with a rulebook made for them.

use strum::VariantArray as _;

use super::*;
use crate::cell::MAX_MONTHLY_WAGE;
use crate::identity::{RegionCodes, ServiceNumberRules};
use crate::problem::Severity;
use crate::rule::{
    AgeRule, Citation, CivilServantRule, CombinationRule, Period, ProgrammeRule, Rulebook, SizeRule,
};
use crate::vocabulary::{ChannelKind, EmployerSize};

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn citation(from: &str, until: Option<&str>) -> Citation {
    Citation {
        code: "X".into(),
        title: "PP 1/2014".into(),
        period: Period { from: day(from), until: until.map(day) },
    }
}

fn rules() -> Rulebook {
    let programme = |programme, segments: &[Segment], from| ProgrammeRule {
        programme,
        segments: segments.to_vec(),
        citation: citation(from, None),
    };
    let servant = |eligible, from, until| CivilServantRule {
        category: CivilServantCategory::Pns,
        eligible,
        citation: citation(from, until),
    };
    Rulebook {
        regions: RegionCodes::new(["16"]),
        service_number: ServiceNumberRules {
            minimum_age_at_appointment: 18,
            contract_markers: vec!["21".into()],
        },
        minimum_shared_words: 1,
        programmes: vec![
            programme(Programme::WorkAccident, Segment::VARIANTS, "1993-01-01"),
            programme(Programme::Pension, &[Segment::WageEarner], "2015-07-01"),
        ],
        civil_servants: vec![
            servant(true, "1993-01-01", Some("2015-06-30")),
            servant(false, "2015-07-01", None),
        ],
        ages: vec![AgeRule {
            segment: Segment::SelfEmployed,
            minimum: 15,
            maximum: Some(65),
            citation: citation("1993-01-01", None),
        }],
        contributions: vec![],
        clearances: Vec::new(),
        licences: Vec::new(),
        graces: vec![],
        combinations: vec![],
        employers: vec![],
        sizes: vec![],
        roundings: vec![],
        wages: vec![],
        wage_falls: vec![],
        channel_kinds: vec![],
        money: Default::default(),
    }
}

fn channel() -> Channel {
    Channel {
        id: 1,
        code: "BR".into(),
        name: "BR".into(),
        name_key: "br".into(),
        kind: ChannelKind::Branch,
        parent: None,
        provinces: vec![16],
        operator: None,
        opened_on: Some(day("2014-01-01")),
        closed_on: None,
    }
}

fn terms(channel: &Channel) -> Terms<'_> {
    Terms {
        segment: Segment::SelfEmployed,
        programmes: &[Programme::WorkAccident],
        channel: Lookup::Found(channel),
        employer: Lookup::NotNamed,
        classification: None,
        association: Lookup::NotNamed,
        province: Lookup::Found(16),
        starts_on: day("2014-10-02"),
        first_contribution_paid: false,
        civil_servants: None,
    }
}

fn form() -> PersonForm {
    PersonForm {
        national_id: "1671010208850001".into(),
        full_name: "Budi Santoso".into(),
        birth_date: Some(day("1985-08-02")),
        sex: Some(Sex::Male),
        ..PersonForm::default()
    }
}

const TODAY: &str = "2014-10-02";

fn of_terms(terms: &Terms<'_>) -> Vec<(ProblemCode, String)> {
    pairs(&judge_terms(terms, &rules(), day(TODAY)))
}

fn of_person(form: PersonForm, terms: &Terms<'_>) -> (Option<NewEnrollment>, Vec<(ProblemCode, String)>) {
    let (new, problems) = judge_person(form, terms, &rules(), day(TODAY));
    (new, pairs(&problems))
}

fn pairs(problems: &[Problem]) -> Vec<(ProblemCode, String)> {
    problems.iter().map(|problem| (problem.code, problem.path.join("."))).collect()
}

fn pair(code: ProblemCode, field: &str) -> (ProblemCode, String) {
    (code, field.to_owned())
}

#[test]
fn valid_terms_and_a_valid_form_break_no_rule() {
    let channel = channel();
    assert_eq!(of_terms(&terms(&channel)), []);
    let (new, problems) = of_person(form(), &terms(&channel));
    assert_eq!(problems, []);
    let new = new.unwrap();
    assert_eq!((new.timeline.status(), new.timeline.paid.through()), (EnrollmentStatus::Registered, None));
}

#[test]
fn with_the_first_contribution_an_enrollment_starts_active_and_is_paid_to_the_end_of_the_month() {
    let channel = channel();
    let terms = Terms { first_contribution_paid: true, ..terms(&channel) };
    let new = of_person(form(), &terms).0.unwrap();
    let paid_through = new.timeline.paid.through();
    assert_eq!((new.timeline.status(), paid_through), (EnrollmentStatus::Active, Some(day("2014-10-31"))));
}

#[test]
fn each_segment_has_its_payer() {
    let channel = channel();
    let employer = Some(Payer { id: 1, kind: EmployerKind::Government, closed_on: None });
    for (segment, employer, association, expected) in [
        (Segment::WageEarner, None, None, vec![pair(ProblemCode::Required, "employerId")]),
        (Segment::WageEarner, employer, None, vec![]),
        (Segment::WageEarner, employer, Some(1), vec![pair(ProblemCode::Conflict, "associationId")]),
        (Segment::Construction, None, None, vec![pair(ProblemCode::Required, "employerId")]),
        (Segment::SelfEmployed, employer, None, vec![pair(ProblemCode::Conflict, "employerId")]),
        (Segment::SelfEmployed, None, Some(1), vec![]),
        (Segment::MigrantWorker, None, None, vec![]),
    ] {
        let (employer, association) = (employer.into(), association.into());
        let terms = Terms { segment, employer, association, ..terms(&channel) };
        assert_eq!(of_terms(&terms), expected, "{segment} {employer:?} {association:?}");
    }
}

#[test]
fn a_channel_is_open_between_its_days() {
    for (opened_on, closed_on, open) in [
        (None, None, true),
        (Some("2014-10-02"), None, true),
        (Some("2014-10-03"), None, false),
        (None, Some("2014-10-03"), true),
        (None, Some("2014-10-02"), false),
    ] {
        let channel = Channel { opened_on: opened_on.map(day), closed_on: closed_on.map(day), ..channel() };
        assert_eq!(of_terms(&terms(&channel)).is_empty(), open, "{opened_on:?} {closed_on:?}");
    }
}

#[test]
fn programmes_are_judged_on_the_first_day_and_each_once() {
    let channel = channel();
    let twice = [Programme::Pension, Programme::Pension, Programme::WorkAccident];
    let pension = Terms { programmes: &twice, ..terms(&channel) };
    assert_eq!(of_terms(&pension), [pair(ProblemCode::ProgrammeNotInForce, "programmes")]);
    let later = Terms { starts_on: day("2015-07-01"), ..pension.clone() };
    assert_eq!(of_terms(&later), [pair(ProblemCode::NotEligible, "programmes")], "not for the self-employed");
    let none = Terms { programmes: &[], ..terms(&channel) };
    assert_eq!(of_terms(&none), [pair(ProblemCode::Required, "programmes")]);
}

#[test]
fn a_row_with_a_first_day_of_its_own_is_judged_by_that_day() {
    let channel = channel();
    let employer = Lookup::Found(Payer { id: 1, kind: EmployerKind::Government, closed_on: None });
    let servants = Terms {
        segment: Segment::WageEarner,
        employer,
        civil_servants: Some(CivilServantCategory::Pns),
        starts_on: day("2014-11-01"),
        ..terms(&channel)
    };
    let servant = PersonForm { service_number: Some("198508022008011001".into()), ..form() };
    assert_eq!(of_person(servant.clone(), &servants).1, []);
    let late = PersonForm { starts_on: Some(day("2015-07-01")), ..servant.clone() };
    assert_eq!(of_person(late, &servants).1, [pair(ProblemCode::NotEligible, "startsOn")]);
    let far = PersonForm { starts_on: Some(day("2016-10-02")), ..servant };
    let codes: Vec<_> = of_person(far, &servants).1.into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, [ProblemCode::OutOfRange, ProblemCode::NotEligible]);
}

#[test]
fn ages_are_counted_on_the_first_day() {
    let channel = channel();
    let born = |date: &str, number: &str| PersonForm {
        birth_date: Some(day(date)),
        national_id: number.into(),
        ..form()
    };
    for (form, fits) in [
        (born("1999-10-02", "1671010210990001"), true),
        (born("1999-10-03", "1671010310990001"), false),
        (born("1948-10-03", "1671010310480001"), true),
        (born("1948-10-02", "1671010210480001"), false),
        (born("1899-12-31", "1671013112990001"), false),
        (born("2014-10-03", "1671010310140001"), false),
    ] {
        let (new, problems) = of_person(form, &terms(&channel));
        assert_eq!(new.is_some(), fits, "{problems:?}");
        assert!(fits || problems == [pair(ProblemCode::OutOfRange, "birthDate")], "{problems:?}");
    }
}

#[test]
fn a_warning_flags_and_an_error_refuses() {
    let channel = channel();
    let (new, problems) =
        judge_person(PersonForm { sex: Some(Sex::Female), ..form() }, &terms(&channel), &rules(), day(TODAY));
    assert_eq!(problems.iter().map(|p| p.severity).collect::<Vec<_>>(), [Severity::Warning]);
    assert_eq!(new.unwrap().flags, [ProblemCode::NationalIdSexMismatch]);
    for wage in [0, -1, MAX_MONTHLY_WAGE + 1] {
        let (new, problems) = of_person(PersonForm { monthly_wage: Some(wage), ..form() }, &terms(&channel));
        assert_eq!((new.is_none(), problems), (true, vec![pair(ProblemCode::OutOfRange, "monthlyWage")]));
    }
}

#[test]
fn a_foreigner_is_identified_by_a_passport_and_everybody_by_one_number() {
    let channel = channel();
    let with = |national_id: &str, passport: &str| {
        let form =
            PersonForm { national_id: national_id.into(), passport_number: Some(passport.into()), ..form() };
        of_person(form, &terms(&channel))
    };
    let (new, problems) = with(" ", "e 1234567");
    let identity = new.unwrap().identity;
    assert_eq!((identity.as_str(), identity.field(), problems), ("E1234567", "passportNumber", vec![]));
    assert_eq!(with("1671010208850001", "-").0.unwrap().identity.field(), "nationalId");
    assert_eq!(with("", "").1, [pair(ProblemCode::Required, "nationalId")]);
    assert_eq!(with("-", "E123").1, [pair(ProblemCode::InvalidFormat, "passportNumber")]);
    assert_eq!(with("1671010208850001", "E1234567").1, [pair(ProblemCode::Conflict, "passportNumber")]);
}

#[test]
fn a_known_person_is_the_same_by_birth_sex_and_a_word_of_the_name() {
    let channel = channel();
    let new = of_person(form(), &terms(&channel)).0.unwrap();
    let known =
        KnownPerson { birth_date: day("1985-08-02"), sex: Sex::Male, name_key: "santoso budi".into() };
    assert!(is_same_person(&known, &new, &rules()));
    for other in [
        KnownPerson { birth_date: day("1985-08-03"), ..known.clone() },
        KnownPerson { sex: Sex::Female, ..known.clone() },
        KnownPerson { name_key: "agus wijaya".into(), ..known },
    ] {
        assert!(!is_same_person(&other, &new, &rules()), "{other:?}");
    }
}

#[test]
fn only_staff_who_are_no_civil_servants_may_lack_a_service_number() {
    let channel = channel();
    let servants = Terms {
        segment: Segment::WageEarner,
        employer: Lookup::Found(Payer { id: 1, kind: EmployerKind::Government, closed_on: None }),
        civil_servants: Some(CivilServantCategory::Pns),
        ..terms(&channel)
    };
    assert_eq!(of_person(form(), &servants).1, [pair(ProblemCode::Required, "serviceNumber")]);
    let others = Terms { civil_servants: Some(CivilServantCategory::NonAsn), ..servants };
    assert_eq!(of_person(form(), &others).1, []);
}

#[test]
fn programmes_that_belong_together_are_entered_together_by_the_rule_of_the_first_day() {
    let channel = channel();
    let combination = CombinationRule {
        segment: Segment::SelfEmployed,
        required: vec![Programme::WorkAccident, Programme::Death],
        citation: citation("2014-11-01", None),
    };
    let rules = Rulebook { combinations: vec![combination], ..rules() };
    let today = day("2014-10-02");
    assert_eq!(judge_terms(&terms(&channel), &rules, today), [], "before it is in force");
    let later = Terms { starts_on: day("2014-11-01"), ..terms(&channel) };
    let problems = judge_terms(&later, &rules, today);
    assert_eq!(
        problems.iter().map(|p| (p.code, p.path[0].as_str())).collect::<Vec<_>>(),
        [(ProblemCode::Required, "programmes")]
    );
    assert_eq!(problems[0].hint.as_deref(), Some("PP 1/2014"));
    // Another segment has its own rules, and an empty list has only its own problem.
    let other = Terms { segment: Segment::MigrantWorker, ..later.clone() };
    assert_eq!(judge_terms(&other, &rules, today), []);
    assert_eq!(judge_terms(&Terms { programmes: &[], ..later }, &rules, today).len(), 1);
}

#[test]
fn an_unknown_code_hides_no_other_problem_and_enrolls_nobody() {
    let channel = channel();
    let known = Terms { programmes: &[], segment: Segment::WageEarner, ..terms(&channel) };
    let form = PersonForm { national_id: "12".into(), full_name: "-".into(), ..form() };
    let (all, of_form) = (of_terms(&known), of_person(form.clone(), &known).1);
    assert_eq!(all, [pair(ProblemCode::Required, "employerId"), pair(ProblemCode::Required, "programmes")]);
    assert_eq!(of_form.len(), 2, "{of_form:?}");
    let unknown = Terms { province: Lookup::Failed, channel: Lookup::Failed, ..known.clone() };
    assert_eq!((of_terms(&unknown), of_person(form, &unknown).1), (all.clone(), of_form));
    // The look-up itself reports an employer that does not exist.
    let employer = Terms { employer: Lookup::Failed, ..known };
    assert_eq!(of_terms(&employer), all[1..]);
    let good = terms(&channel);
    for terms in [
        Terms { province: Lookup::Failed, ..good.clone() },
        Terms { channel: Lookup::Failed, ..good.clone() },
        Terms { employer: Lookup::Failed, ..good.clone() },
        Terms { association: Lookup::Failed, ..good.clone() },
    ] {
        let (new, problems) = of_person(self::form(), &terms);
        assert_eq!((new, problems), (None, vec![]));
    }
}

#[test]
fn an_optional_field_never_refuses_a_person() {
    let channel = channel();
    let servants = Terms {
        segment: Segment::WageEarner,
        employer: Lookup::Found(Payer { id: 1, kind: EmployerKind::Government, closed_on: None }),
        civil_servants: Some(CivilServantCategory::NonAsn),
        ..terms(&channel)
    };
    for (phone, stored, warning) in [
        ("081234567890 / 081398765432", Some("+6281234567890"), Some(ProblemCode::InvalidFormat)),
        ("tidak ada", None, Some(ProblemCode::InvalidFormat)),
        ("(0711) 123456", Some("+62711123456"), None),
        ("0", None, Some(ProblemCode::InvalidFormat)),
        ("+62-812-3456-7890", Some("+6281234567890"), None),
        ("8,12346E+11", None, Some(ProblemCode::IdentifierDamagedBySpreadsheet)),
        ("81234567890.0", Some("+6281234567890"), None),
        ("-", None, None),
        (" ", None, None),
    ] {
        let form = PersonForm { phone: Some(phone.into()), ..form() };
        let (new, problems) = of_person(form, &servants);
        assert_eq!(new.unwrap().phone.as_ref().map(PhoneNumber::as_str), stored, "{phone}");
        let expected: Vec<_> = warning.map(|code| pair(code, "phone")).into_iter().collect();
        assert_eq!(problems, expected, "{phone}");
    }
    let form = PersonForm {
        service_number: Some("tidak ada".into()),
        work_unit: Some("1671010208850001".into()),
        grade: Some("x".repeat(41)),
        ..form()
    };
    let (new, problems) = judge_person(form, &servants, &rules(), day(TODAY));
    assert!(problems.iter().all(|problem| problem.message.ends_with("It is left out.")), "{problems:?}");
    assert_eq!(problems.len(), 3);
    let expected = CivilServant {
        service_number: None,
        category: CivilServantCategory::NonAsn,
        work_unit: None,
        grade: None,
    };
    assert_eq!(new.unwrap().civil_servant, Some(expected));
}

#[test]
fn missing_mandatory_programmes_are_a_warning_by_the_size_of_the_first_day() {
    let channel = channel();
    let rules = Rulebook {
        sizes: vec![SizeRule {
            size: EmployerSize::Small,
            segment: Segment::SelfEmployed,
            required: vec![Programme::WorkAccident, Programme::OldAge],
            citation: citation("2014-01-01", None),
        }],
        ..rules()
    };
    let of = |size| Classification { risk_class: 1, size };
    let sizes = Dated::new(of(None), [(day("2014-10-01"), of(Some(EmployerSize::Small)))]);
    let judged = |starts_on: &str| {
        let terms = Terms { classification: Some(&sizes), ..terms(&channel) };
        let form = PersonForm { starts_on: Some(day(starts_on)), ..form() };
        let (new, problems) = judge_person(form, &terms, &rules, day("2014-10-02"));
        let problems = problems.into_iter().map(|p| (p.code, p.path.join("."), p.severity));
        (new.map(|new| new.flags), problems.collect::<Vec<_>>())
    };
    let missing = vec![(ProblemCode::Required, "programmes".to_owned(), Severity::Warning)];
    assert_eq!(judged("2014-10-01"), (Some(vec![ProblemCode::Required]), missing));
    assert_eq!(judged("2014-09-30"), (Some(Vec::new()), Vec::new()));
}
