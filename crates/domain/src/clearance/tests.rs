use super::*;
use crate::rule::{GraceRule, Period};
use crate::timeline::PaidMonths;
use ClearanceGround as Ground;
use LicenceDecision as Decision;

const SEGMENT: Segment = Segment::WageEarner;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn citation(code: &str) -> Citation {
    let period = Period { from: day("2013-12-24"), until: None };
    Citation { code: code.to_owned(), title: code.to_owned(), period }
}

fn rules() -> Rulebook {
    let rule = |&ground: &Ground| ClearanceRule {
        ground,
        percent: if ground == Ground::PartialWorkers { 90 } else { 0 },
        valid_days: if ground == Ground::NoWorkersYet { 3 } else { 7 },
        citation: citation(ground.into()),
    };
    Rulebook {
        graces: vec![GraceRule { segment: SEGMENT, months: 3, citation: citation("GRACE") }],
        clearances: Ground::VARIANTS.iter().map(rule).collect(),
        licences: vec![citation("SIUP")],
        ..Rulebook::default()
    }
}

fn company(declared: Option<i32>, registered: i64, in_arrears: i64) -> Company {
    let active = registered - in_arrears;
    let segments_in_arrears = BTreeSet::from_iter((in_arrears > 0).then_some(SEGMENT));
    let workers = Workers { registered, active, in_arrears, segments_in_arrears, ..Workers::default() };
    Company { kind: EmployerKind::Company, declared, declared_on: None, workers }
}

fn verdict(company: Option<&Company>) -> (Decision, Vec<String>, i64) {
    let rules = rules();
    let verdict = rules.judge_licence(company, &rules.licences[0], day("2014-10-02")).unwrap();
    (verdict.decision, verdict.reasons.into_iter().map(|reason| reason.code).collect(), verdict.valid_days)
}

fn decision(company: &Company) -> Decision {
    verdict(Some(company)).0
}

#[test]
fn every_decision_names_the_licence_and_its_rule() {
    let reasons = |company: Option<&Company>| verdict(company).1.join(" ");
    assert_eq!(reasons(None), "SIUP NOT_REGISTERED");
    assert_eq!(reasons(Some(&company(Some(10), 10, 0))), "SIUP CLEARED");
    assert_eq!(reasons(Some(&company(None, 0, 0))), "SIUP NO_WORKERS_YET");
    assert_eq!(reasons(Some(&company(Some(10), 5, 0))), "SIUP PARTIAL_WORKERS");
    assert_eq!(reasons(Some(&company(Some(10), 10, 1))), "SIUP ARREARS GRACE");
    assert_eq!(verdict(Some(&company(None, 0, 0))).2, 3, "the days are those of the rule");
}

#[test]
fn an_unknown_company_and_one_without_registered_workers_get_the_same_answer() {
    assert_eq!(verdict(None), verdict(Some(&company(Some(40), 0, 0))));
    assert!(!Decision::NotRegistered.discloses_company());
    for language in [Language::English, Language::Indonesian] {
        let step = |company: Option<&Company>| next_step(Decision::NotRegistered, company, language);
        assert_eq!(step(None), step(Some(&company(Some(40), 0, 0))));
    }
}

#[test]
fn a_new_company_is_cleared_only_by_its_rule() {
    assert_eq!(decision(&company(None, 0, 0)), Decision::ClearNoWorkersYet);
    assert_eq!(decision(&company(Some(0), 0, 0)), Decision::ClearNoWorkersYet);
    assert_eq!(decision(&company(Some(1), 0, 0)), Decision::NotRegistered);
    let mut rules = rules();
    rules.clearances.retain(|rule| rule.ground != Ground::NoWorkersYet);
    let verdict = rules.judge_licence(Some(&company(None, 0, 0)), &rules.licences[0], day("2014-10-02"));
    assert_eq!(verdict.unwrap().decision, Decision::NotRegistered);
}

#[test]
fn the_threshold_is_exact_to_one_worker() {
    for (declared, registered, expected) in [
        (10, 9, Decision::Clear),
        (10, 8, Decision::PartialWorkers),
        (11, 10, Decision::Clear),
        (11, 9, Decision::PartialWorkers),
        (1, 1, Decision::Clear),
        (100_000, 90_000, Decision::Clear),
        (100_000, 89_999, Decision::PartialWorkers),
        (10, 25, Decision::Clear),
    ] {
        assert_eq!(decision(&company(Some(declared), registered, 0)), expected, "{registered} of {declared}");
    }
    assert_eq!(decision(&company(None, 1, 0)), Decision::Clear, "nothing declared, nothing to compare with");
}

#[test]
fn partial_registration_and_arrears_are_both_reported() {
    let (decision, reasons, _) = verdict(Some(&company(Some(10), 5, 5)));
    assert_eq!(
        (decision, reasons.join(" ").as_str()),
        (Decision::PartialWorkers, "SIUP PARTIAL_WORKERS ARREARS GRACE")
    );
    let step = |late| next_step(decision, Some(&company(Some(10), 5, late)), Language::English);
    assert!(
        step(5).contains("registers the rest of its workers") && step(5).contains("pays the contributions")
    );
    assert!(!step(0).contains("pays the contributions"));
}

#[test]
fn the_sanction_does_not_apply_to_state_bodies() {
    let state = Company { kind: EmployerKind::Government, ..company(Some(8_000), 0, 0) };
    let (decision, reasons, _) = verdict(Some(&state));
    assert_eq!((decision, reasons.join(" ").as_str()), (Decision::Clear, "SIUP STATE_BODY"));
}

#[test]
fn without_rules_in_force_there_is_no_answer() {
    let rules = rules();
    assert_eq!(rules.judge_licence(None, &rules.licences[0], day("2013-12-23")), None);
    assert_eq!(rules.licence("siup ", day("2013-12-23")), None);
    assert!(
        rules.licence("siup ", day("2013-12-24")).is_some()
            && rules.licence("X", day("2014-01-01")).is_none()
    );
}

fn timeline(starts_on: &str, paid: Option<(&str, &str)>) -> (Segment, Timeline) {
    let starts_on = day(starts_on);
    let paid =
        paid.map_or_else(PaidMonths::default, |(first, last)| PaidMonths::from_until(day(first), day(last)));
    (SEGMENT, Timeline { counts_from: starts_on, starts_on, ends_on: None, paid, has_lapsed: false })
}

fn workers(on: &str, people: &mut [Vec<(Segment, Timeline)>]) -> Workers {
    let (mut workers, rules) = (Workers::default(), rules());
    people.iter_mut().for_each(|held| workers.add(held, 1, day(on), &rules));
    workers
}

#[test]
fn arrears_begin_after_the_grace_period_even_if_nothing_was_ever_paid() {
    let mut people = [
        vec![timeline("2014-10-02", None)],
        vec![timeline("2014-09-01", Some(("2014-09-01", "2014-09-30")))],
    ];
    let found = |workers: &Workers| (workers.registered, workers.active, workers.in_arrears);
    assert_eq!(found(&workers("2014-10-02", &mut people)), (2, 1, 0));
    assert_eq!(found(&workers("2014-12-31", &mut people)), (2, 1, 0));
    // Three months without a contribution: October, November, December.
    let later = workers("2015-01-01", &mut people);
    assert_eq!((found(&later), later.segments_in_arrears.len()), ((2, 0, 2), 1));
}

#[test]
fn a_person_with_several_enrollments_is_one_worker_and_active_if_any_is() {
    let paid = timeline("2014-09-01", Some(("2014-09-01", "2014-12-31")));
    let workers = workers("2015-01-15", &mut [vec![timeline("2014-01-01", None), paid]]);
    assert_eq!((workers.registered, workers.active, workers.in_arrears), (1, 1, 0));
}

#[test]
fn payments_of_later_months_do_not_count_on_an_earlier_day() {
    let mut people = [vec![timeline("2014-01-01", Some(("2014-01-01", "2014-12-31")))]];
    assert_eq!(workers("2014-03-10", &mut people).paid_through, Some(day("2014-03-31")));
    assert_eq!(workers("2015-02-01", &mut people).paid_through, Some(day("2014-12-31")));
    let mut ahead = [vec![(
        SEGMENT,
        Timeline {
            counts_from: day("2014-10-02"),
            ..timeline("2014-11-01", Some(("2014-11-01", "2014-11-30"))).1
        },
    )]];
    assert_eq!(workers("2014-10-02", &mut ahead).paid_through, Some(day("2014-11-30")));
}

fn ended(on: &str, (segment, timeline): (Segment, Timeline)) -> (Segment, Timeline) {
    (segment, Timeline { ends_on: Some(day(on)), ..timeline })
}

#[test]
fn ending_an_enrollment_keeps_its_arrears_unless_it_covered_no_day() {
    let paid_once = || timeline("2014-01-15", Some(("2014-01-01", "2014-01-31")));
    let found = |people: &mut [Vec<(Segment, Timeline)>]| {
        let workers = workers("2014-10-02", people);
        (workers.registered, workers.in_arrears, workers.left_in_arrears, workers.last_left_on)
    };
    let left = |on| Some(day(on));
    assert_eq!(found(&mut [vec![paid_once()]]), (1, 1, 0, None));
    assert_eq!(found(&mut [vec![ended("2014-10-02", paid_once())]]), (0, 0, 1, left("2014-10-02")));
    // Only the last day counts: within the grace period, paid to the end, or never paid.
    assert_eq!(found(&mut [vec![ended("2014-05-01", paid_once())]]), (0, 0, 0, left("2014-05-01")));
    assert_eq!(found(&mut [vec![ended("2014-05-02", paid_once())]]), (0, 0, 1, left("2014-05-02")));
    assert_eq!(found(&mut [vec![ended("2014-04-02", timeline("2014-01-01", None))]]).2, 1);
    assert_eq!(found(&mut [vec![ended("2014-01-15", paid_once())]]), (0, 0, 0, None));
    assert_eq!(found(&mut [vec![ended("2014-10-03", paid_once())]]), (1, 1, 0, None), "not yet");
    // A new enrollment does not settle the arrears of the old one. A worker with another active enrollment was not in
    // arrears.
    let again = vec![ended("2014-09-01", paid_once()), timeline("2014-09-01", None)];
    assert_eq!(found(&mut [again]), (1, 0, 1, left("2014-09-01")));
    let other = timeline("2014-01-01", Some(("2014-01-01", "2014-10-31")));
    assert_eq!(found(&mut [vec![ended("2014-09-01", paid_once()), other]]), (1, 0, 0, left("2014-09-01")));
}

#[test]
fn a_company_that_had_workers_is_not_new_and_keeps_its_arrears() {
    let had = |left_in_arrears| {
        let workers = Workers {
            left_in_arrears,
            last_left_on: Some(day("2014-10-02")),
            segments_in_arrears: BTreeSet::from_iter((left_in_arrears > 0).then_some(SEGMENT)),
            ..Workers::default()
        };
        Company { workers, ..company(None, 0, 0) }
    };
    assert_eq!(
        verdict(Some(&had(0))),
        verdict(None),
        "the answer is that of a company that registered nobody"
    );
    let (decision, reasons, _) = verdict(Some(&had(3)));
    assert_eq!(
        (decision, reasons.join(" ").as_str()),
        (Decision::Arrears, "SIUP ARREARS NOT_REGISTERED GRACE")
    );
    // A new worker does not remove the arrears.
    let mut one = had(3);
    (one.workers.registered, one.workers.active) = (1, 1);
    assert_eq!(verdict(Some(&one)).0, Decision::Arrears);
    let step = next_step(Decision::Arrears, Some(&one), Language::English);
    assert!(
        step.contains("3 of its workers who have left") && !step.contains("registered workers"),
        "{step}"
    );
}
