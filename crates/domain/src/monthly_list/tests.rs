//! Tests of the comparison: the worked example of the agency's month, and each kind of row.

mod leavers;
mod properties;

use super::*;
use crate::channel::Channel;
use crate::count::HeldEnrollment;
use crate::enrollment::{KnownPerson, Payer};
use crate::rule::{AgeRule, Citation, ContributionRule, Period, WageFallRule, WageRule, WageRuleKind};
use crate::timeline::{PaidMonths, Timeline};
use crate::vocabulary::{ChannelKind, EmployerKind, EndReason, Programme, Segment};
use crate::wage::WageHistory;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn citation(code: &str) -> Citation {
    let period = Period { from: day("1993-01-01"), until: None };
    Citation { code: code.into(), title: code.into(), period }
}

fn rules() -> Rulebook {
    let rate = |programme, employer_ppm, worker_ppm, wage_ceiling| ContributionRule {
        programme,
        segment: Segment::WageEarner,
        risk_class: (programme == Programme::WorkAccident).then_some(1),
        employer_ppm,
        worker_ppm,
        worker_flat: 0,
        wage_ceiling,
        multiplier_ppm: 1_000_000,
        is_once: false,
        citation: citation(programme.into()),
    };
    let programme = |programme| crate::rule::ProgrammeRule {
        programme,
        segments: vec![Segment::WageEarner],
        citation: citation("IN-FORCE"),
    };
    Rulebook {
        regions: crate::identity::RegionCodes::new(["16"]),
        minimum_shared_words: 1,
        programmes: PROGRAMMES.into_iter().map(programme).collect(),
        ages: vec![AgeRule {
            segment: Segment::WageEarner,
            minimum: 15,
            maximum: Some(56),
            citation: citation("AGE"),
        }],
        contributions: vec![
            rate(Programme::WorkAccident, 2_400, 0, None),
            rate(Programme::Death, 3_000, 0, None),
            rate(Programme::OldAge, 37_000, 20_000, None),
            rate(Programme::Pension, 20_000, 10_000, Some(7_335_300)),
        ],
        wages: vec![WageRule { kind: WageRuleKind::WholeMonthsOnly, citation: citation("WHOLE") }],
        wage_falls: vec![WageFallRule { percent: 20, citation: citation("FALL") }],
        ..Rulebook::default()
    }
}

const PROGRAMMES: [Programme; 4] =
    [Programme::WorkAccident, Programme::Death, Programme::OldAge, Programme::Pension];
const EMPLOYER: i64 = 7;
const MONTH: &str = "2016-10-01";
const TODAY: &str = "2016-11-02";

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
        opened_on: None,
        closed_on: None,
    }
}

fn terms<'a>(channel: &'a Channel, programmes: &'a [Programme], month: &str) -> Terms<'a> {
    let employer = Payer { id: EMPLOYER, kind: EmployerKind::Company, closed_on: None };
    Terms {
        segment: Segment::WageEarner,
        programmes,
        channel: Lookup::Found(channel),
        employer: Lookup::Found(employer),
        classification: None,
        association: Lookup::NotNamed,
        province: Lookup::Found(16),
        starts_on: day(month),
        first_contribution_paid: false,
        civil_servants: None,
    }
}

/// A payer with its rules in one month.
struct Office {
    channel: Channel,
    programmes: Vec<Programme>,
    rules: Rulebook,
    month: &'static str,
    provinces: Vec<i16>,
}

impl Office {
    fn new(programmes: &[Programme], month: &'static str) -> Self {
        let (channel, programmes, rules) = (channel(), programmes.to_vec(), rules());
        Self { channel, programmes, rules, month, provinces: Vec::new() }
    }

    fn ask<T>(&self, ask: impl FnOnce(&ListTerms<'_>) -> T) -> T {
        let terms = terms(&self.channel, &self.programmes, self.month);
        ask(&ListTerms {
            month: day(self.month),
            terms: &terms,
            risk_class: 1,
            provinces: &self.provinces,
            rules: &self.rules,
            today: day(TODAY),
        })
    }

    fn judge(&self, row: &Row) -> ListedRow {
        self.ask(|list| judge_listed(row, list, |code| code.parse().ok().filter(|id| [16, 31].contains(id))))
    }

    fn compare(&self, row: &Row, registered: Option<&Registered>) -> Comparison {
        self.ask(|list| compare(&self.judge(row), registered, list))
    }

    fn change(&self, row: &Row, registered: Option<&Registered>) -> ListChange {
        self.compare(row, registered).change
    }

    /// Returns the figures of a list, and what is registered after it was applied.
    fn apply(&self, rows: &[Row], registered: &[Registered]) -> (Summary, Vec<Registered>) {
        let (mut summary, mut after) = (Summary::default(), registered.to_vec());
        let mut listed = Vec::new();
        let month = day(self.month);
        for row in rows {
            let judged = self.judge(row);
            let at =
                after.iter().position(|one| row.national_id.ends_with(&format!("{:04}", one.participant)));
            listed.extend(at);
            let comparison = self.ask(|list| compare(&judged, at.map(|at| &after[at]), list));
            self.ask(|list| summary.add(&judged, at.map(|at| &after[at]), &comparison, list));
            match at {
                Some(at) => apply(&mut after[at], &judged, &comparison.action),
                None => {
                    if let Action::Enroll { left, .. } = comparison.action {
                        after.push(joined(&judged, left));
                    }
                }
            }
        }
        for (at, one) in registered.iter().enumerate() {
            for held in one.enrollments.iter().filter(|_| !listed.contains(&at)) {
                self.ask(|list| match held.held.timeline.ends_on {
                    None => summary.add_absent(held, list),
                    Some(ends_on) if ends_on > month => summary.add_left(held, list),
                    Some(_) => {}
                });
            }
        }
        (summary, after)
    }
}

/// Does what an action says.
fn apply(registered: &mut Registered, row: &ListedRow, action: &Action) {
    match *action {
        Action::Nothing => {}
        Action::Enroll { moved, left } => {
            registered.enrollments.extend(joined(row, left).enrollments);
            registered.province = moved.map_or(registered.province, |(province, _)| province);
        }
        Action::End { enrollment, on, reason, wage } => {
            let held = registered.enrollments.iter_mut().find(|held| held.id == enrollment).unwrap();
            wage.map(|(from, wage)| held.wages.change(from, wage));
            end(held, (on, reason));
        }
        Action::Change { enrollment, on, wage, province } => {
            let held = registered.enrollments.iter_mut().find(|held| held.id == enrollment).unwrap();
            wage.map(|wage| held.wages.change(on, wage));
            registered.province = province.map_or(registered.province, |(province, _)| province);
        }
    }
}

fn end(held: &mut RegisteredEnrollment, (on, reason): (NaiveDate, EndReason)) {
    held.held.timeline.ends_on = Some(on);
    held.held.end_reason = Some(reason);
    held.wages = held.wages.ending(on);
}

fn joined(row: &ListedRow, left: Option<(NaiveDate, EndReason)>) -> Registered {
    let new = row.joining.candidate.as_ref().unwrap();
    let number = new.identity.as_str();
    let mut held = RegisteredEnrollment {
        id: 99,
        held: new.held(),
        wages: WageHistory::new(new.monthly_wage, (new.timeline.starts_on, None)),
        programmes: new.programmes.clone(),
    };
    left.into_iter().for_each(|left| end(&mut held, left));
    Registered {
        participant: number[12..].parse().unwrap(),
        known: KnownPerson { birth_date: new.birth_date, sex: new.sex, name_key: new.full_name.key() },
        deceased_on: None,
        province: new.province,
        enrollments: vec![held],
    }
}

fn row(n: i64, wage: Option<i64>) -> Row {
    Row {
        national_id: format!("167101020885{n:04}"),
        full_name: "Budi Santoso".into(),
        birth_date: "1985-08-02".into(),
        sex: "L".into(),
        monthly_wage: wage.map(|wage| wage.to_string()),
        ..Row::default()
    }
}

fn leaving(row: Row, last_day: &str, reason: &str) -> Row {
    Row { last_day: Some(last_day.into()), leaving_reason: Some(reason.into()), ..row }
}

fn enrollment(id: i64, employer: i64, (from, wage): (&str, Option<i64>)) -> RegisteredEnrollment {
    let starts_on = day(from);
    let paid = PaidMonths::default();
    RegisteredEnrollment {
        id,
        held: HeldEnrollment {
            segment: Segment::WageEarner,
            civil_servant: None,
            employer: Some(employer),
            association: None,
            end_reason: None,
            timeline: Timeline { counts_from: starts_on, starts_on, ends_on: None, paid, has_lapsed: false },
        },
        wages: WageHistory::new(wage, (starts_on, None)),
        programmes: PROGRAMMES.to_vec(),
    }
}

fn person(n: i64, enrollments: Vec<RegisteredEnrollment>) -> Registered {
    let known =
        KnownPerson { birth_date: day("1985-08-02"), sex: Sex::Male, name_key: "budi santoso".into() };
    Registered { participant: n, known, deceased_on: None, province: 16, enrollments }
}

fn registered(n: i64, wage: i64) -> Registered {
    person(n, vec![enrollment(n, EMPLOYER, ("2016-01-01", Some(wage)))])
}

fn with_programmes(programmes: &[Programme], mut registered: Registered) -> Registered {
    registered.enrollments[0].programmes = programmes.to_vec();
    registered
}

#[test]
fn the_worked_example_of_a_month_is_due_to_the_rupiah() {
    // A stays, B gets a rise, C leaves on the 20th and is paid for in that month, D starts on the 16th with a whole wage.
    for (programmes, before, month, next) in
        [(&PROGRAMMES[..3], 811_200, 985_920, 486_720), (&PROGRAMMES, 1_181_259, 1_439_979, 720_720)]
    {
        let office = Office::new(programmes, MONTH);
        let people: Vec<_> = [2_000_000, 3_000_000, 8_000_000]
            .into_iter()
            .zip(1..)
            .map(|(wage, n)| with_programmes(programmes, registered(n, wage)))
            .collect();
        let joiner = Row { starts_on: Some("2016-10-16".into()), ..row(4, Some(2_500_000)) };
        let rows = [
            row(1, Some(2_000_000)),
            row(2, Some(3_300_000)),
            leaving(row(3, Some(8_000_000)), "2016-10-20", "A1"),
            joiner,
        ];
        let (summary, after) = office.apply(&rows, &people);
        assert_eq!((summary.before.total(), summary.after.total()), (before, month));
        let changes: Vec<_> = summary.changes.iter().map(|(&change, &rows)| (change, rows)).collect();
        let one_each =
            [ListChange::Joins, ListChange::Leaves, ListChange::WageChanges, ListChange::Unchanged];
        assert_eq!(changes, one_each.map(|change| (change, 1)));
        let cited: Vec<_> = summary.after.by_programme().map(|due| (due.programme, due.people)).collect();
        assert_eq!(cited, programmes.iter().map(|&programme| (programme, 4)).collect::<Vec<_>>());
        assert!(summary.after.by_programme().all(|due| due.rule.code == due.programme.to_string()));

        // The same list again: a person who left in the month is still paid for in it, in the list or not.
        for rows in [&rows[..], &rows[..2]] {
            let (again, same) = office.apply(rows, &after);
            assert_eq!((again.before.total(), again.after.total()), (month, month));
            assert_eq!(format!("{same:?}"), format!("{after:?}"));
        }

        let november = Office::new(programmes, "2016-11-01");
        let rows = [row(1, None), row(2, None), row(4, Some(2_500_000))];
        let (summary, _) = november.apply(&rows, &after);
        assert_eq!((summary.before.total(), summary.after.total()), (next, next));
        assert_eq!(summary.changes.keys().collect::<Vec<_>>(), [&ListChange::Unchanged]);
    }
}

#[test]
fn whoever_is_not_in_the_list_is_absent_and_stays_paid_for() {
    let office = Office::new(&PROGRAMMES, MONTH);
    let (summary, _) = office.apply(&[row(1, None)], &[registered(1, 2_000_000), registered(2, 3_000_000)]);
    assert_eq!((summary.count(ListChange::Unchanged), summary.count(ListChange::Absent)), (1, 1));
    assert_eq!(summary.before, summary.after);
    assert_eq!(summary.before.by_programme().next().map(|due| due.people), Some(2));
}

#[test]
fn each_row_is_one_thing() {
    let office = Office::new(&PROGRAMMES, MONTH);
    let here = registered(1, 2_000_000);
    let change = |row: &Row| office.change(row, Some(&here));
    assert_eq!(office.change(&row(1, Some(2_000_000)), None), ListChange::Joins);
    assert_eq!(change(&row(1, Some(2_000_000))), ListChange::Unchanged);
    assert_eq!(change(&row(1, None)), ListChange::Unchanged, "a list without a wage changes none");
    assert_eq!(change(&row(1, Some(2_100_000))), ListChange::WageChanges);
    let moved = Row { province: Some("31".into()), ..row(1, Some(2_100_000)) };
    assert_eq!(change(&moved), ListChange::Moved);
    let both = Action::Change {
        enrollment: 1,
        on: day(MONTH),
        wage: Some(2_100_000),
        province: Some((31, day(MONTH))),
    };
    assert_eq!(office.compare(&moved, Some(&here)).action, both);
    assert_eq!(change(&Row { province: Some("99".into()), ..row(1, None) }), ListChange::Problem);
    assert_eq!(change(&leaving(row(1, None), "2016-10-31", "PHK")), ListChange::Leaves);
    let elsewhere = person(1, vec![enrollment(1, 8, ("2016-01-01", None))]);
    assert_eq!(office.change(&row(1, Some(2_000_000)), Some(&elsewhere)), ListChange::Elsewhere);
    let wrong = Row { birth_date: "1985-08-03".into(), ..row(1, None) };
    assert_eq!(change(&wrong), ListChange::Problem);
    assert_eq!(office.compare(&wrong, Some(&here)).held, Some(0), "the number is in the list");
}

#[test]
fn codes_that_end_nothing_mark_the_row_and_leave_the_person() {
    let office = Office::new(&PROGRAMMES, MONTH);
    for code in ["A7", "A10"] {
        let row = leaving(row(1, Some(2_100_000)), "2016-10-20", code);
        let comparison = office.compare(&row, Some(&registered(1, 2_000_000)));
        assert_eq!((comparison.change, comparison.is_flagged()), (ListChange::WageChanges, true), "{code}");
    }
}

#[test]
fn rules_for_joiners_do_not_bind_those_who_are_registered() {
    let office = Office::new(&PROGRAMMES, MONTH);
    let old = Row {
        national_id: "1671010208500001".into(),
        birth_date: "1950-08-02".into(),
        ..row(1, Some(2_000_000))
    };
    let mut registered = registered(1, 2_000_000);
    registered.known.birth_date = day("1950-08-02");
    assert_eq!(office.change(&old, None), ListChange::Problem, "too old to join");
    let comparison = office.compare(&old, Some(&registered));
    assert_eq!((comparison.change, comparison.is_flagged()), (ListChange::Unchanged, false));
}

#[test]
fn a_wage_that_falls_by_more_than_a_fifth_is_marked_and_one_for_a_part_of_a_month_refused() {
    let office = Office::new(&PROGRAMMES, MONTH);
    let compare = |wage, registered: &Registered| {
        let comparison = office.compare(&row(1, Some(wage)), Some(registered));
        (comparison.change, comparison.problems.iter().map(|p| p.code).collect::<Vec<_>>())
    };
    let here = registered(1, 2_500_000);
    assert_eq!(compare(2_000_000, &here), (ListChange::WageChanges, vec![]));
    assert_eq!(compare(1_999_999, &here), (ListChange::WageChanges, vec![ProblemCode::WageFalls]));
    let (summary, _) = office.apply(&[row(1, Some(1_999_999))], &[here]);
    assert_eq!(summary.fallen_wages, 1);
    let begins = person(1, vec![enrollment(1, EMPLOYER, ("2016-10-16", Some(2_500_000)))]);
    let (change, codes) = compare(1_290_322, &begins);
    assert_eq!((change, codes.contains(&ProblemCode::WageProrated)), (ListChange::Problem, true));
}

#[test]
fn a_wage_that_changed_within_the_month_is_recorded_where_the_month_goes_by_it() {
    let office = Office::new(&PROGRAMMES, MONTH);
    let mut here = registered(1, 2_000_000);
    here.enrollments[0].wages.change(day("2016-10-15"), 2_200_000);
    assert_eq!(office.change(&row(1, Some(2_200_000)), Some(&here)), ListChange::Unchanged);
    let action = office.compare(&row(1, Some(2_400_000)), Some(&here)).action;
    let expected =
        Action::Change { enrollment: 1, on: day("2016-10-15"), wage: Some(2_400_000), province: None };
    assert_eq!(action, expected);
}

#[test]
fn a_row_of_another_month_or_province_is_a_problem() {
    let office = Office { provinces: vec![16], ..Office::new(&PROGRAMMES, MONTH) };
    let of = |month: &str| {
        let row = Row { month: Some(month.into()), ..row(1, None) };
        office.change(&row, Some(&registered(1, 2_000_000)))
    };
    for month in ["01-10-2016", "2016-10", "10/2016", "201610", "2016-10-31", "OKTOBER 2016", "Okt-16", "-"] {
        assert_eq!(of(month), ListChange::Unchanged, "{month}");
    }
    for month in ["01-09-2016", "2016-11", "October", "13/2016", "2016", "201611", "Nop-16"] {
        assert_eq!(of(month), ListChange::Problem, "{month}");
    }
    let away = Row { province: Some("31".into()), ..row(1, Some(2_000_000)) };
    assert_eq!(office.change(&away, Some(&registered(1, 2_000_000))), ListChange::Problem);
    assert_eq!(office.change(&away, None), ListChange::Problem, "nobody joins outside of the scope either");
    let stranger = Registered { province: 31, ..registered(1, 2_000_000) };
    assert_eq!(office.change(&row(1, None), Some(&stranger)), ListChange::Problem);
}

#[test]
fn a_month_has_begun_and_is_not_older_than_the_programmes() {
    let judge = |month: &str| judge_month(day(month), &rules(), day(TODAY)).map(|problem| problem.code);
    assert_eq!([judge("2016-11-01"), judge("1993-01-01")], [None, None]);
    assert_eq!(judge("2016-12-01"), Some(ProblemCode::OutOfRange));
    assert_eq!(judge("1992-12-01"), Some(ProblemCode::OutOfRange));
}

#[test]
fn a_month_is_read_in_every_form_that_payrolls_use() {
    for text in [
        "2014-10",
        "10/2014",
        "201410",
        "01-10-2014",
        "31/10/2014",
        "Oktober 2014",
        "OCTOBER 2014",
        " Okt. 2014",
        "2014 Oct",
        "Okt-14",
        "Oct 14",
        "okt2014",
        "'Oktober-2014",
    ] {
        assert_eq!(parse_month(text, "month"), Ok(day("2014-10-01")), "{text}");
    }
    assert_eq!(parse_month("Nov-26", "month"), parse_month("NOPEMBER 2026", "month"));
    for text in ["26-Nov", "Nov", "Nov 126", "Nov-6", "201413", "000010", "2014é1", "Smarch 2014"] {
        let problem = parse_month(text, "month").unwrap_err();
        assert_eq!(problem.code, ProblemCode::InvalidFormat, "{text}");
        assert!(problem.hint.unwrap().contains("November 2014"), "{text}");
    }
}

#[test]
fn who_comes_back_without_a_first_day_or_joins_after_the_month_is_marked() {
    let office = Office::new(&PROGRAMMES, MONTH);
    let marks = |row: &Row, person: Option<&Registered>| {
        let compared = office.compare(row, person);
        assert_eq!(compared.change, ListChange::Joins);
        compared.problems.iter().map(|problem| (problem.code, problem.is_error())).collect::<Vec<_>>()
    };
    let mut left = registered(1, 2_000_000);
    end(&mut left.enrollments[0], (day("2016-09-15"), EndReason::Resigned));
    let came_back = Row { starts_on: Some("2016-10-03".into()), ..row(1, Some(2_000_000)) };
    assert_eq!(marks(&row(1, Some(2_000_000)), Some(&left)), [(ProblemCode::AlreadyEnrolled, false)]);
    assert_eq!(marks(&came_back, Some(&left)), []);
    assert_eq!(marks(&row(1, Some(2_000_000)), None), []);
    let later = Row { starts_on: Some("2016-11-15".into()), ..row(1, Some(2_000_000)) };
    assert_eq!(marks(&later, None), [(ProblemCode::OutOfRange, false)]);
}
