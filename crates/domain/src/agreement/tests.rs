use super::*;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn terms(status: AgreementStatus, dates: [Option<&str>; 3]) -> Terms {
    let [signed_on, valid_from, valid_until] = dates.map(|date| date.map(day));
    Terms {
        status,
        signed_on,
        valid_from,
        valid_until,
        scopes: vec![AgreementScope::CivilServants, AgreementScope::Licensing],
        commitments: Vec::new(),
        source: "Peraturan Gubernur".to_owned(),
    }
}

fn province() -> Province {
    Province {
        id: 65,
        code: "65".to_owned(),
        iso_code: "ID-KU".to_owned(),
        valid_from: Some(day("2012-11-16")),
        valid_until: None,
        predecessor: Some(64),
        editions: Vec::new(),
    }
}

fn wrong(terms: Terms) -> Vec<(ProblemCode, String)> {
    let problems = judge(terms, Some(&province()), day("2014-10-02")).err().unwrap_or_default();
    problems.into_iter().map(|problem| (problem.code, problem.path.join("."))).collect()
}

#[test]
fn the_status_of_an_agreement_on_a_day_follows_from_its_dates() {
    use AgreementStatus::*;
    let dates = [Some("2014-02-01"), Some("2014-03-01"), Some("2014-12-31")];
    for (stated, days) in [
        (Signed, [Planned, Signed, InForce, Expired]),
        (InForce, [Planned, Signed, InForce, Expired]),
        (Terminated, [Planned, Signed, InForce, Terminated]),
        (Suspended, [Suspended; 4]),
        (Planned, [Planned; 4]),
    ] {
        let terms = terms(stated, dates);
        let found =
            ["2014-01-31", "2014-02-28", "2014-12-31", "2015-01-01"].map(|at| terms.status_on(day(at)));
        assert_eq!(found, days, "{stated}");
    }
    assert_eq!(terms(Signed, [Some("2014-02-01"), None, None]).status_on(day("2020-01-01")), Signed);
}

#[test]
fn the_agreement_nearest_to_force_is_shown_and_among_equals_the_newest() {
    use AgreementStatus::*;
    let agreement = |id, status, from| {
        let terms = terms(status, [None, from, Some("2014-12-31")]);
        let state = AgreementState { terms, recorded_at: DateTime::UNIX_EPOCH };
        std::sync::Arc::new(Agreement { id, number: id.to_string(), province: 65, states: vec![state] })
    };
    let all = [
        agreement(1, Planned, None),
        agreement(2, InForce, Some("2014-01-01")),
        agreement(3, InForce, Some("2013-01-01")),
        agreement(4, Suspended, Some("2014-01-01")),
    ];
    let found = |on| nearest_to_force(&all, day(on)).map(|agreement| agreement.id);
    assert_eq!((found("2014-10-02"), found("2013-06-01"), found("2015-01-01")), (Some(2), Some(3), Some(4)));
    assert_eq!(nearest_to_force::<std::sync::Arc<Agreement>>(&[], day("2014-10-02")), None);
}

#[test]
fn each_status_has_its_dates_and_they_are_in_order() {
    use AgreementStatus::*;
    use ProblemCode::{Conflict, OutOfRange, Required};
    let at = |code, field: &str| vec![(code, field.to_owned())];
    let cases = [
        (Planned, [None, None, None], vec![]),
        (Planned, [Some("2014-01-01"), None, None], at(Conflict, "signedOn")),
        (Signed, [None, None, None], at(Required, "signedOn")),
        (Signed, [Some("2014-10-03"), None, None], at(OutOfRange, "signedOn")),
        (Signed, [Some("2014-10-02"), Some("2015-01-01"), None], vec![]),
        (InForce, [Some("2014-01-01"), None, None], at(Required, "validFrom")),
        (InForce, [None, Some("2014-10-02"), None], vec![]),
        (InForce, [None, Some("2014-10-03"), None], at(Conflict, "status")),
        (InForce, [None, Some("2013-01-01"), Some("2013-12-31")], at(Conflict, "status")),
        (InForce, [Some("2014-02-01"), Some("2014-01-01"), None], at(Conflict, "validFrom")),
        (InForce, [None, Some("2014-02-01"), Some("2014-01-01")], at(Conflict, "validUntil")),
        (Expired, [None, Some("2013-02-01"), None], at(Required, "validUntil")),
        (Expired, [None, Some("2013-02-01"), Some("2014-10-02")], at(Conflict, "status")),
        (Terminated, [None, Some("2013-02-01"), Some("2014-12-31")], vec![]),
        (InForce, [None, Some("2012-11-15"), None], at(Conflict, "provinceCode")),
    ];
    for (status, dates, expected) in cases {
        assert_eq!(wrong(terms(status, dates)), expected, "{status} {dates:?}");
    }
}

#[test]
fn implausible_days_are_refused_and_commitments_are_due_within_the_agreement() {
    use AgreementStatus::{InForce, Signed};
    use ProblemCode::{Conflict, OutOfRange};
    let at = |code, field: &str| (code, field.to_owned());
    let early = wrong(terms(Signed, [Some("0001-01-01"), None, None]));
    assert!(early.contains(&at(OutOfRange, "signedOn")), "{early:?}");
    let dates = [Some("2014-01-01"), Some("2014-01-01"), Some("9999-12-31")];
    assert_eq!(wrong(terms(InForce, dates)), [at(OutOfRange, "validUntil")]);
    let due = |until, due_on: &str, headcount| {
        let mut terms = terms(InForce, [None, Some("2014-01-01"), until]);
        let scope = AgreementScope::CivilServants;
        terms.commitments = vec![Commitment { scope, headcount, due_on: Some(day(due_on)) }];
        judge(terms, Some(&province()), day("2014-10-02")).err().unwrap_or_default()
    };
    let found = |until, due_on, headcount| -> Vec<_> {
        due(until, due_on, headcount).iter().map(|p| at(p.code, &p.path.join("."))).collect()
    };
    let (code, path) = (Conflict, "commitments.0.dueOn");
    assert_eq!(found(Some("2015-12-31"), "2016-01-01", 5), [at(code, path)]);
    assert_eq!(found(Some("2015-12-31"), "2015-12-31", 5), []);
    let mut ended = terms(AgreementStatus::Terminated, [None, Some("2014-01-01"), Some("2014-09-30")]);
    let (scope, due_on) = (AgreementScope::CivilServants, Some(day("2014-12-31")));
    ended.commitments = vec![Commitment { scope, headcount: 5, due_on }];
    assert_eq!(wrong(ended), [], "terminated before it was due");
    assert_eq!(found(None, "9999-12-31", 5), [at(OutOfRange, path)]);
    let too_many = due(None, "2015-01-01", i32::MAX);
    assert!(too_many[0].message.contains("at most 300,000,000 people"), "{}", too_many[0].message);
}

#[test]
fn commitments_match_the_scopes_of_the_agreement() {
    let promised =
        |scope, headcount, due_on: Option<&str>| Commitment { scope, headcount, due_on: due_on.map(day) };
    let mut bad = terms(AgreementStatus::InForce, [None, Some("2014-01-01"), None]);
    bad.scopes.push(AgreementScope::CivilServants);
    bad.commitments = vec![
        promised(AgreementScope::CivilServants, 8_000, Some("2014-12-31")),
        promised(AgreementScope::CivilServants, 0, Some("2013-12-31")),
        promised(AgreementScope::FormalWorkers, 1, None),
        promised(AgreementScope::Licensing, 1, None),
    ];
    use ProblemCode::{Conflict, OutOfRange, Required};
    let expected = [
        (Conflict, "scopes.2"),
        (OutOfRange, "commitments.1.headcount"),
        (Conflict, "commitments.1.scope"),
        (Conflict, "commitments.1.dueOn"),
        (Conflict, "commitments.2.scope"),
        (Conflict, "commitments.3.scope"),
    ];
    assert_eq!(wrong(bad), expected.map(|(code, path)| (code, path.to_owned())));
    let mut empty = terms(AgreementStatus::Planned, [None; 3]);
    empty.scopes.clear();
    empty.source = "  ".to_owned();
    let expected = [(Required, "scopes"), (Required, "source")];
    assert_eq!(wrong(empty), expected.map(|(code, path)| (code, path.to_owned())));
}
