use proptest::prelude::*;

use super::*;
use crate::rule::{Citation, EmployerRule, Period};

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn number(digit: u8) -> StoredNumber {
    StoredNumber { index: vec![digit], sealed: vec![digit, 0] }
}

fn company() -> EmployerHistory {
    EmployerHistory::new(Facts {
        name: "PT Musi".into(),
        tax_number: None,
        business_number: None,
        classification: Classification { risk_class: 1, size: None },
    })
}

fn class(risk_class: i16) -> FactChange {
    FactChange { risk_class: Some(risk_class), ..FactChange::default() }
}

fn named(name: &str) -> FactChange {
    FactChange { name: Some(name.into()), ..FactChange::default() }
}

#[test]
fn each_fact_holds_from_its_day_until_its_next_change() {
    let mut history = company();
    history.record(day("2014-11-01"), class(3));
    history.record(day("2014-12-01"), named("PT Musi Jaya"));
    // Recorded last, for an earlier day: the class of November stays, and the size reaches beyond it.
    let earlier =
        FactChange { risk_class: Some(2), size: Some(EmployerSize::Small), ..FactChange::default() };
    history.record(day("2014-10-01"), earlier);
    let on = |text| {
        let Facts { name, classification, .. } = history.on(day(text));
        (name, classification.risk_class, classification.size)
    };
    let small = Some(EmployerSize::Small);
    assert_eq!(on("2014-09-30"), ("PT Musi".into(), 1, None));
    assert_eq!(on("2014-10-31"), ("PT Musi".into(), 2, small));
    assert_eq!(on("2014-11-30"), ("PT Musi".into(), 3, small));
    assert_eq!(on("2014-12-01"), ("PT Musi Jaya".into(), 3, small));
    assert_eq!(history.next_change(day("2014-11-01")), Some(day("2014-12-01")));
    assert_eq!(history.next_change(day("2014-12-01")), None);
}

fn judged(history: &EmployerHistory, on: &str, change: &FactChange) -> Vec<(ProblemCode, String)> {
    let life = (day("2014-09-01"), Some(day("2015-01-01")));
    let problems = judge_change(history, (day(on), change), life).err().unwrap_or_default();
    problems.into_iter().map(|problem| (problem.code, problem.path.join("."))).collect()
}

#[test]
fn a_change_lies_within_the_life_of_the_employer_and_changes_something() {
    let mut history = company();
    history.record(day("2014-11-01"), class(3));
    let at = |code, path: &str| vec![(code, path.to_owned())];
    assert_eq!(judged(&history, "2014-08-31", &class(2)), at(ProblemCode::OutOfRange, "effectiveOn"));
    assert_eq!(judged(&history, "2015-01-01", &class(2)), at(ProblemCode::OutOfRange, "effectiveOn"));
    assert_eq!(judged(&history, "2014-12-01", &class(3)), at(ProblemCode::Conflict, "riskClass"));
    assert_eq!(judged(&history, "2014-11-01", &class(2)), at(ProblemCode::Conflict, "riskClass"));
    assert_eq!(judged(&history, "2014-11-01", &named("PT Musi")), at(ProblemCode::Conflict, "name"));
    assert_eq!(judged(&history, "2014-11-01", &named("PT Musi Jaya")), [], "another fact of the same day");
    assert_eq!(judged(&history, "2014-10-01", &class(3)), []);
    // What holds already is left out of a change that changes something else.
    let both = FactChange { risk_class: Some(3), tax_number: Some(number(7)), ..FactChange::default() };
    let life = (day("2014-09-01"), None);
    let new = judge_change(&history, (day("2014-11-01"), &both), life).unwrap();
    assert_eq!(new.fields(), [EmployerField::TaxNumber]);
}

fn rules(kinds: &[EmployerRuleKind]) -> Rulebook {
    let period = Period { from: day("1993-02-27"), until: None };
    let rule = |&kind: &EmployerRuleKind| EmployerRule {
        kind,
        citation: Citation { code: kind.to_string(), title: "Ours".into(), period },
    };
    Rulebook { employers: kinds.iter().map(rule).collect(), ..Rulebook::default() }
}

#[test]
fn a_form_has_a_fact_and_a_day_and_for_a_month_that_is_over_a_reason() {
    let judged = |has_fields, on: &str, reason| {
        let rules = rules(&[EmployerRuleKind::PastNeedsReason]);
        let problems = judge_change_form((has_fields, day(on)), reason, &rules, day("2014-10-02"));
        problems.into_iter().map(|problem| (problem.code, problem.path.join("."))).collect::<Vec<_>>()
    };
    let at = |code, path: &str| vec![(code, path.to_owned())];
    assert_eq!(judged(false, "2014-10-02", None), at(ProblemCode::Required, "name"));
    assert_eq!(judged(true, "1945-08-16", Some("x")), at(ProblemCode::OutOfRange, "effectiveOn"));
    assert_eq!(judged(true, "2015-10-02", None), []);
    assert_eq!(judged(true, "2015-10-03", None), at(ProblemCode::OutOfRange, "effectiveOn"));
    assert_eq!(judged(true, "2014-10-01", None), []);
    assert_eq!(judged(true, "2014-09-30", None), at(ProblemCode::Required, "reason"));
    assert_eq!(judged(true, "2014-09-30", Some("x")), []);
}

#[test]
fn a_month_goes_by_the_class_of_its_first_day_unless_a_rule_says_the_last() {
    let classes = Dated::new(1_i16, [(day("2014-11-15"), 3), (day("2014-12-01"), 5)]);
    let months = |rules: &Rulebook| {
        ["2014-10-01", "2014-11-30", "2014-12-01"].map(|month| classes.in_month(day(month), rules))
    };
    assert_eq!(months(&Rulebook::default()), [1, 1, 5]);
    assert_eq!(months(&rules(&[EmployerRuleKind::MonthByFirstDay])), [1, 1, 5]);
    assert_eq!(months(&rules(&[EmployerRuleKind::MonthByLastDay])), [1, 3, 5]);
}

fn changes() -> impl Strategy<Value = Vec<(u64, FactChange)>> {
    let change = (
        proptest::option::of("[a-c]"),
        proptest::option::of(0_u8..3),
        proptest::option::of("[0-2]{1}"),
        proptest::option::of(1_i16..=5),
        proptest::option::of(0_usize..EmployerSize::VARIANTS.len()),
    );
    let change = change.prop_map(|(name, tax_number, business_number, risk_class, size)| FactChange {
        name,
        tax_number: tax_number.map(number),
        business_number,
        risk_class,
        size: size.map(|at| EmployerSize::VARIANTS[at]),
    });
    proptest::collection::vec((0_u64..40, change), 0..12)
}

proptest! {
    #[test]
    fn versions_tell_the_facts_of_each_day_and_the_order_of_recording_does_not_matter(changes in changes()) {
        let on = |days| day("2014-09-01") + chrono::Days::new(days);
        // Each fact changes once a day, as `judge_change` demands.
        let mut history = company();
        let mut accepted = Vec::new();
        for (days, change) in &changes {
            let life = (day("2014-09-01"), None);
            if let Ok(new) = judge_change(&history, (on(*days), change), life) {
                history.record(on(*days), new.clone());
                accepted.push((on(*days), new));
            }
        }
        let mut backwards = company();
        for (day, change) in accepted.iter().rev() {
            backwards.record(*day, change.clone());
        }
        prop_assert_eq!(&backwards, &history);
        let versions = Dated::new(history.first().clone(), history.versions());
        for days in 0..45 {
            prop_assert_eq!(versions.on(on(days)), &history.on(on(days)));
        }
    }

    #[test]
    fn a_recorded_change_is_read_back(changes in changes()) {
        for (_, change) in changes {
            let steps = change.steps(&company().on(day("2014-10-01")));
            prop_assert_eq!(FactChange::from_steps(&steps, change.tax_number.clone()), Ok(change));
        }
    }
}
