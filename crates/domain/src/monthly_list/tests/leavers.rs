//! Tests of rows with a last day.

use super::*;

#[test]
fn an_end_needs_somebody_to_end_and_a_day_that_is_over() {
    let office = Office::new(&PROGRAMMES, MONTH);
    let here = registered(1, 2_000_000);
    let problem = |last_day: &str, reason: &str, registered: Option<&Registered>| {
        let comparison = office.compare(&leaving(row(1, None), last_day, reason), registered);
        assert_eq!(comparison.change, ListChange::Problem, "{last_day} {reason}");
        let problem = comparison.problems.last().unwrap();
        (problem.code, problem.path[0].clone())
    };
    let at = |code, field: &str| (code, field.to_owned());
    assert_eq!(problem("2016-10-20", "A1", None), at(ProblemCode::NotFound, "nationalId"));
    assert_eq!(problem(TODAY, "A1", Some(&here)), at(ProblemCode::OutOfRange, "lastDay"));
    assert_eq!(problem("2015-12-01", "A1", Some(&here)), at(ProblemCode::OutOfRange, "lastDay"));
    assert_eq!(problem("2016-10-20", "A6", Some(&here)), at(ProblemCode::NotEligible, "leavingReason"));
    let elsewhere = person(1, vec![enrollment(1, 8, ("2016-01-01", None))]);
    assert_eq!(problem("2016-10-20", "A1", Some(&elsewhere)), at(ProblemCode::NotFound, "nationalId"));
    let mut gone = here;
    gone.enrollments[0].held.timeline.ends_on = Some(day("2016-10-21"));
    gone.enrollments[0].held.end_reason = Some(EndReason::Resigned);
    let again = leaving(row(1, None), "2016-10-20", "A1");
    assert_eq!(office.change(&again, Some(&gone)), ListChange::Unchanged);
    assert_eq!(problem("2016-10-19", "A1", Some(&gone)), at(ProblemCode::Conflict, "lastDay"));
    assert_eq!(problem("2016-10-20", "A2", Some(&gone)), at(ProblemCode::Conflict, "lastDay"));
}

fn comes_and_leaves(n: i64, (first_day, last_day): (&str, &str)) -> Row {
    Row { starts_on: Some(first_day.into()), ..leaving(row(n, Some(2_500_000)), last_day, "A1") }
}

#[test]
fn a_person_who_comes_and_leaves_within_the_month_is_enrolled_and_has_left() {
    let office = Office::new(&PROGRAMMES[..3], MONTH);
    let row = comes_and_leaves(1, ("2016-10-03", "2016-10-20"));
    let left = Some((day("2016-10-21"), EndReason::Resigned));
    let comparison = office.compare(&row, None);
    let joins = (ListChange::Joins, Action::Enroll { moved: None, left });
    assert_eq!((comparison.change, comparison.action), joins);
    let elsewhere = person(1, vec![enrollment(1, 8, ("2016-01-01", None))]);
    assert_eq!(office.change(&row, Some(&elsewhere)), ListChange::Elsewhere);
    let before = person(1, vec![enrollment(1, EMPLOYER, ("2016-01-01", None))]);
    let mut before = before;
    end(&mut before.enrollments[0], (day("2016-10-03"), EndReason::ContractEnded));
    assert_eq!(office.compare(&row, Some(&before)).action, joins.1, "the person has come back");

    let rows = [row];
    let (summary, after) = office.apply(&rows, &[]);
    // A whole month is due on 2,500,000: 0.24 + 0.30 + 5.70 percent.
    assert_eq!((summary.before.total(), summary.after.total()), (0, 156_000));
    assert_eq!(after[0].enrollments[0].held.timeline.ends_on, left.map(|(on, _)| on));
    let (again, same) = office.apply(&rows, &after);
    assert_eq!(again.changes, [(ListChange::Unchanged, 1)].into());
    assert_eq!((again.before.total(), again.after.total()), (156_000, 156_000));
    assert_eq!(format!("{same:?}"), format!("{after:?}"));
}

#[test]
fn coming_and_leaving_needs_days_of_the_month_in_their_order_that_no_enrollment_covers() {
    let office = Office::new(&PROGRAMMES, MONTH);
    let problem = |days: (&str, &str), registered: Option<&Registered>| {
        let comparison = office.compare(&comes_and_leaves(1, days), registered);
        assert_eq!(
            (comparison.change, &comparison.action),
            (ListChange::Problem, &Action::Nothing),
            "{days:?}"
        );
        let problem = comparison.problems.last().unwrap();
        (problem.code, problem.path[0].clone())
    };
    let at = |code, field: &str| (code, field.to_owned());
    assert_eq!(problem(("2016-09-30", "2016-10-20"), None), at(ProblemCode::NotFound, "nationalId"));
    assert_eq!(problem(("2016-10-20", "2016-10-19"), None), at(ProblemCode::OutOfRange, "lastDay"));
    assert_eq!(problem(("2016-10-20", TODAY), None), at(ProblemCode::OutOfRange, "lastDay"));
    let died = Registered { deceased_on: Some(day("2016-10-25")), ..person(1, vec![]) };
    assert_eq!(
        problem(("2016-10-03", "2016-10-20"), Some(&died)),
        at(ProblemCode::NotEligible, "nationalId")
    );
    let mut here = registered(1, 2_500_000);
    end(&mut here.enrollments[0], (day("2016-10-15"), EndReason::Resigned));
    let overlaps = problem(("2016-10-03", "2016-10-20"), Some(&here));
    assert_eq!(overlaps, at(ProblemCode::Conflict, "lastDay"), "the first day is covered already");
    let dead = Row { leaving_reason: Some("A6".into()), ..comes_and_leaves(1, ("2016-10-03", "2016-10-20")) };
    assert_eq!(office.change(&dead, None), ListChange::Problem);
    let young = Row { birth_date: "2014-08-02".into(), ..comes_and_leaves(1, ("2016-10-03", "2016-10-20")) };
    assert_eq!(office.change(&young, None), ListChange::Problem, "a person who left had to be able to join");
}

#[test]
fn the_wage_of_a_leaver_is_recorded_for_the_last_month() {
    let office = Office::new(&PROGRAMMES[..3], MONTH);
    let of = |wage, last_day: &str| leaving(row(1, Some(wage)), last_day, "A1");
    let compare = |row: &Row, registered: &Registered| office.compare(row, Some(registered));
    let here = with_programmes(&PROGRAMMES[..3], registered(1, 3_000_000));
    let rise = compare(&of(3_300_000, "2016-10-20"), &here);
    let reason = EndReason::Resigned;
    let ended = |on: &str, wage| Action::End { enrollment: 1, on: day(on), reason, wage };
    assert_eq!(rise.change, ListChange::Leaves);
    assert_eq!(rise.action, ended("2016-10-21", Some((day(MONTH), 3_300_000))));
    assert_eq!((rise.wage_before, rise.is_flagged()), (Some(3_000_000), false));
    assert_eq!(compare(&of(3_000_000, "2016-10-20"), &here).action, ended("2016-10-21", None));
    assert_eq!(compare(&leaving(row(1, None), "2016-10-20", "A1"), &here).action, ended("2016-10-21", None));
    let earlier = compare(&of(3_300_000, "2016-09-30"), &here);
    assert_eq!(earlier.action, ended("2016-10-01", None), "the month of the list is not covered");
    let fall = compare(&of(2_000_000, "2016-10-20"), &here);
    assert_eq!((fall.change, fall.is_flagged()), (ListChange::Leaves, true));
    // 20 of 31 days.
    let part = compare(&of(1_935_484, "2016-10-20"), &here);
    let codes: Vec<_> = part.problems.iter().map(|problem| problem.code).collect();
    assert_eq!(part.change, ListChange::Problem);
    assert!(codes.contains(&ProblemCode::WageProrated), "{codes:?}");
    // A wage from a day on that is not covered any more counts for nothing.
    let mut planned = here.clone();
    planned.enrollments[0].wages.change(day("2016-10-25"), 9_000_000);
    assert_eq!(compare(&of(3_000_000, "2016-10-20"), &planned).action, ended("2016-10-21", None));

    let rows = [of(3_300_000, "2016-10-20")];
    let (summary, after) = office.apply(&rows, &[here]);
    assert_eq!((summary.before.total(), summary.after.total()), (187_200, 205_920));
    let (again, same) = office.apply(&rows, &after);
    assert_eq!((again.changes, again.after.total()), ([(ListChange::Unchanged, 1)].into(), 205_920));
    assert_eq!(format!("{same:?}"), format!("{after:?}"));
    // A corrected list corrects the wage of the month, and the end stays.
    let corrected = compare(&of(3_200_000, "2016-10-20"), &after[0]);
    let action = Action::Change { enrollment: 1, on: day(MONTH), wage: Some(3_200_000), province: None };
    assert_eq!((corrected.change, corrected.action), (ListChange::WageChanges, action));
}

#[test]
fn each_enrollment_that_covers_a_day_of_the_month_is_paid_for() {
    let office = Office::new(&PROGRAMMES, MONTH);
    let here = registered(1, 2_000_000);
    assert_eq!(office.compare(&row(1, None), Some(&here)).held, Some(0));
    let mut both = here.clone();
    end(&mut both.enrollments[0], (day("2016-10-10"), EndReason::ContractEnded));
    both.enrollments.push(enrollment(2, EMPLOYER, ("2016-10-12", Some(2_000_000))));
    assert_eq!(office.compare(&row(1, None), Some(&both)).held, Some(1), "the open one comes first");
    let (one, _) = office.apply(&[row(1, None)], &[here]);
    let (two, _) = office.apply(&[row(1, None)], &[both]);
    assert_eq!(two.before.total(), 2 * one.before.total(), "each enrollment of the month is paid for");
    assert_eq!(two.before, two.after);
}
