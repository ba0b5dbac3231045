//! Tests of the fold against a [model](Register) of the registry.

mod register;

use std::collections::BTreeSet;

use chrono::{Days, Months, NaiveDate};
use proptest::prelude::*;

use self::register::{Command, FIRST_RETRACTION, Moment, Register, day, rules};
use super::{EventRow, Fact, Incomplete, Objection};
use crate::day::first_of_month;
use crate::event::EventKind;
use crate::vocabulary::{EndReason, EnrollmentStatus};

/// A command that names enrollments by their place, and days by their distance.
#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Enroll(i64, i64, bool),
    Contribute(usize, u32),
    Reverse(usize, u32),
    End(usize, u64, bool),
    Transfer(usize, i64, u64),
    Die(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1_u64..150).prop_map(Step::Wait),
        2 => (0_i64..4, -40_i64..200, any::<bool>()).prop_map(|(who, ago, paid)| Step::Enroll(who, ago, paid)),
        8 => (0_usize..3, 0_u32..5).prop_map(|(which, ago)| Step::Contribute(which, ago)),
        3 => (0_usize..3, 0_u32..5).prop_map(|(which, ago)| Step::Reverse(which, ago)),
        3 => (0_usize..4, 0_u64..120, any::<bool>()).prop_map(|(which, ago, error)| Step::End(which, ago, error)),
        6 => (0_usize..3, 1_i64..4, 0_u64..60).prop_map(|(which, to, ago)| Step::Transfer(which, to, ago)),
        1 => (0_u64..60).prop_map(Step::Die),
    ]
}

/// The commands of a history that were accepted, in order, each with its moment.
#[derive(Clone, Debug, Default)]
struct Story {
    commands: Vec<(i64, NaiveDate, Command)>,
    /// The days on which the daily run took place, with the command before.
    lapse_runs: Vec<(i64, NaiveDate)>,
    today: NaiveDate,
}

impl Story {
    /// Tells the steps to a registry. Returns it with the commands that it accepted.
    fn of(steps: &[Step]) -> (Self, Register) {
        let mut register = Register::default();
        let mut story = Self { today: day("2014-10-02"), ..Self::default() };
        for (id, step) in (1..).zip(steps) {
            let ago = |days: u64| story.today - Days::new(days);
            let named = |which: usize| register.enrollments.keys().nth(which).copied();
            let command = match *step {
                Step::Wait(days) => {
                    story.today = story.today + Days::new(days);
                    story.lapse_runs.push((id, story.today));
                    register.lapse(Moment { id, today: story.today });
                    continue;
                }
                Step::Enroll(who, days, is_paid) => {
                    let starts_on = story.today - chrono::TimeDelta::days(days);
                    Some(Command::Enroll { employer: Some(who).filter(|&who| who > 0), starts_on, is_paid })
                }
                Step::Contribute(which, months) => named(which).map(|enrollment| {
                    let month = first_of_month(story.today) - Months::new(months);
                    Command::Contribute { enrollment, month }
                }),
                Step::Reverse(which, months) => named(which).map(|enrollment| {
                    let month = first_of_month(story.today) - Months::new(months);
                    Command::Reverse { enrollment, month }
                }),
                Step::End(which, days, is_error) => named(which).map(|enrollment| {
                    let earliest = register.enrollments[&enrollment].timeline.earliest_end(story.today);
                    let (on, reason) = match is_error {
                        true => (earliest, EndReason::EnrolledInError),
                        false => (ago(days), EndReason::Resigned),
                    };
                    Command::End { enrollment, on, reason }
                }),
                Step::Transfer(which, employer, days) => {
                    named(which).map(|enrollment| Command::Transfer { enrollment, employer, on: ago(days) })
                }
                Step::Die(days) => Some(Command::Die { on: ago(days) }),
            };
            let today = story.today;
            let accepted = command.filter(|&command| register.run(command, Moment { id, today }));
            story.commands.extend(accepted.map(|command| (id, today, command)));
        }
        (story, register)
    }

    /// Tells some of the commands to an empty registry. All of them must be accepted.
    fn told_without(&self, retracted: &BTreeSet<i64>) -> Register {
        let mut register = Register::default();
        let kept = self.commands.iter().filter(|(id, ..)| !retracted.contains(id));
        let commands = kept.map(|&(id, today, command)| (id, today, Some(command)));
        let runs = self.lapse_runs.iter().map(|&(id, today)| (id, today, None));
        let mut all: Vec<_> = commands.chain(runs).collect();
        all.sort_by_key(|&(id, ..)| id);
        for (id, today, command) in all {
            let at = Moment { id, today };
            match command {
                None => register.lapse(at),
                Some(command) => {
                    assert!(register.run(command, at), "{command:?} was kept, so it is accepted")
                }
            }
        }
        register
    }
}

fn is_of_month(kind: EventKind) -> bool {
    matches!(kind, EventKind::Contributed | EventKind::ContributionReversed)
}

/// An enrollment that is active has not lapsed last, and one that is inactive has, unless a transfer began it so. A reversal
/// leaves lapses as they were recorded.
fn lapses_agree(register: &Register) -> bool {
    register.enrollments.iter().all(|(&id, held)| {
        let of_it: Vec<&EventRow> = register.rows.iter().filter(|row| row.enrollment == Some(id)).collect();
        if of_it.iter().any(|row| row.kind == EventKind::ContributionReversed) {
            return true;
        }
        let is_lapse = |row: &&&EventRow| {
            row.retracted_at.is_none() && matches!(row.kind, EventKind::Lapsed | EventKind::Resumed)
        };
        let last = of_it.iter().filter(is_lapse).max_by_key(|row| row.id).map(|row| row.kind);
        match held.timeline.status() {
            EnrollmentStatus::Active => last != Some(EventKind::Lapsed),
            EnrollmentStatus::Registered => last.is_none(),
            _ => true,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn what_is_recorded_and_retracted_equals_what_was_never_recorded(
        steps in prop::collection::vec(step(), 1..32),
        order in prop::collection::vec(any::<prop::sample::Index>(), 1..16),
    ) {
        let (story, mut register) = Story::of(&steps);
        let recorded = register.clone();
        let mut retracted = BTreeSet::new();
        for (id, which) in (FIRST_RETRACTION..).zip(&order) {
            // What `retraction::judge` lets through.
            let is_fact = |row: &&EventRow| {
                use EventKind::{ContributionReversed, Lapsed, Resumed};
                row.retracted_at.is_none() && !matches!(row.kind, Lapsed | Resumed | ContributionReversed)
            };
            let facts: Vec<i64> = register.rows.iter().filter(is_fact).map(|row| row.id).collect();
            if facts.is_empty() {
                break;
            }
            match register.retract(*which.get(&facts), Moment { id, today: story.today }) {
                // An end that a death brought later has its leader in the story.
                Ok(events) => retracted.extend(events.iter().map(|id| id / 100).filter(|&id| id < FIRST_RETRACTION)),
                Err(contradictions) => {
                    let in_force = |id| register.rows.iter().any(|row| row.id == id && row.retracted_at.is_none());
                    prop_assert!(contradictions.iter().all(|found| in_force(found.event)));
                    continue;
                }
            }
            // Contributions that were reversed go with their enrollment.
            let gone = register.rows.iter().filter(|row| row.retracted_at.is_some() && is_of_month(row.kind));
            retracted.extend(gone.map(|row| row.id / 100));
            let never = story.told_without(&retracted);
            prop_assert!(register.state().is_same(&never.state()), "{:?}\n{:?}", register, never);
            prop_assert_eq!(register.counted(), never.counted());
            prop_assert!(lapses_agree(&register), "{:?}", register.rows);
        }
        // What was known before the first retraction is still known.
        let known = register.history().unwrap().known_at(story.today.and_hms_opt(5, 30, 0).unwrap().and_utc());
        prop_assert!(known.state(story.today, &rules()).is_same(&recorded.state()));
    }
}

const TODAY: &str = "2015-02-10";

fn at(id: i64) -> Moment {
    Moment { id, today: day(TODAY) }
}

fn enrolled(employer: i64, starts_on: &str) -> Command {
    Command::Enroll { employer: Some(employer), starts_on: day(starts_on), is_paid: true }
}

/// Tells commands to an empty registry; the first has the id 1, and its first event the id 100.
fn told(commands: &[Command]) -> Register {
    let mut register = Register::default();
    for (id, &command) in (1..).zip(commands) {
        assert!(register.run(command, at(id)), "{command:?}");
    }
    register
}

fn refused(register: &mut Register, event: i64) -> Vec<(i64, Objection)> {
    let refused = register.retract(event, at(FIRST_RETRACTION)).unwrap_err();
    refused.into_iter().map(|found| (found.event, found.objection)).collect()
}

#[test]
fn a_month_that_a_transfer_took_over_is_paid_nowhere_once_it_is_taken_back() {
    let paid = Command::Contribute { enrollment: 1, month: day("2014-12-01") };
    let moved = Command::Transfer { enrollment: 1, employer: 2, on: day("2014-12-10") };
    let mut register = told(&[enrolled(1, "2014-11-01"), paid, moved]);
    assert_eq!(register.enrollments[&3].timeline.paid.through(), Some(day("2014-12-31")));
    assert_eq!(register.retract(200, at(FIRST_RETRACTION)), Ok(vec![200]));
    assert_eq!(register.enrollments[&1].timeline.paid.through(), Some(day("2014-11-30")));
    assert_eq!(register.enrollments[&3].timeline.paid.through(), None);
    // Both events of the transfer go together, whichever is named.
    assert_eq!(register.retract(301, at(FIRST_RETRACTION + 1)), Ok(vec![300, 301]));
    assert_eq!(register.enrollments.keys().collect::<Vec<_>>(), [&1]);
    assert_eq!(register.enrollments[&1].timeline.ends_on, None);
}

#[test]
fn an_end_is_not_taken_back_while_the_person_has_come_back() {
    let left = Command::End { enrollment: 1, on: day("2014-12-01"), reason: EndReason::Resigned };
    let mut register = told(&[enrolled(1, "2014-11-01"), left, enrolled(1, "2015-01-01")]);
    assert_eq!(refused(&mut register, 200), [(300, Objection::AlreadyEnrolled)]);
    assert_eq!(register.retract(300, at(FIRST_RETRACTION)), Ok(vec![300]));
    assert_eq!(register.retract(200, at(FIRST_RETRACTION + 1)), Ok(vec![200]));
    assert!(register.history().unwrap().without(200, day(TODAY), &rules()).is_none(), "it is retracted");
}

#[test]
fn an_enrollment_with_contributions_and_an_end_is_taken_back_after_them() {
    let paid = Command::Contribute { enrollment: 1, month: day("2014-12-01") };
    let left = Command::End { enrollment: 1, on: day("2015-01-01"), reason: EndReason::Resigned };
    let mut register = told(&[enrolled(1, "2014-11-01"), paid, left]);
    let contradicts = [(200, Objection::NoEnrollment), (300, Objection::NoEnrollment)];
    assert_eq!(refused(&mut register, 100), contradicts);
}

#[test]
fn a_month_whose_payment_was_reversed_is_not_paid_and_its_contribution_stays() {
    let december = day("2014-12-01");
    let mut register =
        told(&[enrolled(1, "2014-11-01"), Command::Contribute { enrollment: 1, month: december }]);
    assert!(register.run(Command::Reverse { enrollment: 1, month: december }, at(3)));
    let state = register.history().unwrap().state(day(TODAY), &rules());
    assert_eq!(state.enrollments[&1].timeline.paid.through(), Some(day("2014-11-30")));
    assert_eq!(refused(&mut register, 200), [(300, Objection::NotDue)]);
}

#[test]
fn an_enrollment_whose_payments_were_all_reversed_is_taken_back_with_them() {
    let (november, december) = (day("2014-11-01"), day("2014-12-01"));
    let with_form = Command::Reverse { enrollment: 1, month: november };
    let paid = Command::Contribute { enrollment: 1, month: december };
    let reversed = Command::Reverse { enrollment: 1, month: december };
    let mut register = told(&[enrolled(1, "2014-11-01"), paid, with_form, reversed, paid]);
    let known = |register: &Register, second: u32| {
        let moment = at(i64::from(second)).time();
        let state = register.history().unwrap().known_at(moment).state(day(TODAY), &rules());
        state.enrollments[&1].timeline.paid.months().collect::<Vec<_>>()
    };
    assert_eq!(known(&register, 2), [november, december]);
    assert_eq!(known(&register, 3), [december]);
    assert_eq!(refused(&mut register, 100), [(500, Objection::NoEnrollment)], "only the one in force");
    assert!(register.run(reversed, at(6)));
    assert_eq!(register.retract(100, at(FIRST_RETRACTION)), Ok(vec![100]));
    assert!(register.enrollments.is_empty());
    assert!(register.rows.iter().all(|row| row.retracted_at.is_some()));
    assert_eq!(known(&register, 5), [december]);
}

#[test]
fn a_month_that_was_reversed_after_a_transfer_does_not_come_back_with_the_transfer() {
    let moved = Command::Transfer { enrollment: 1, employer: 2, on: day("2014-11-10") };
    let reversed = Command::Reverse { enrollment: 2, month: day("2014-11-01") };
    let mut register = told(&[enrolled(1, "2014-11-01"), moved, reversed]);
    assert_eq!(refused(&mut register, 200), [(300, Objection::NoEnrollment)]);
}

#[test]
fn a_death_is_taken_back_with_the_ends_that_it_brought() {
    let left = Command::End { enrollment: 1, on: day("2014-12-01"), reason: EndReason::Resigned };
    let died = Command::Die { on: day("2015-01-20") };
    let mut register = told(&[enrolled(1, "2014-11-01"), enrolled(2, "2014-11-01"), left, died]);
    // Without the earlier end, the death would have ended that enrollment too.
    assert_eq!(register.retract(300, at(FIRST_RETRACTION)), Ok(vec![300]));
    let ended = &register.enrollments[&1];
    assert_eq!(
        (ended.timeline.ends_on, ended.end_reason),
        (Some(day("2015-01-20")), Some(EndReason::Deceased))
    );
    let of_death = register.rows.iter().find(|row| row.id >= 100 * FIRST_RETRACTION).unwrap().id;
    assert_eq!(register.retract(400, at(FIRST_RETRACTION + 1)), Ok(vec![400, 401, of_death]));
    assert!(register.enrollments.values().all(|held| held.timeline.ends_on.is_none()));
    assert_eq!(register.deceased_on, None);
}

#[test]
fn a_history_that_does_not_explain_the_state_is_never_computed_with() {
    let complete = told(&[enrolled(1, "2014-11-01"), Command::Die { on: day("2015-01-20") }]);
    assert!(complete.history().is_ok());
    let broken = |change: fn(&mut Register)| {
        let mut register = complete.clone();
        change(&mut register);
        register.history().unwrap_err()
    };
    assert_eq!(broken(|register| register.deceased_on = None), Incomplete::AnotherState);
    assert_eq!(
        broken(|register| register.rows.retain(|row| row.kind != EventKind::Enrolled)),
        Incomplete::AnotherState
    );
    assert_eq!(broken(|register| register.enrollments.clear()), Incomplete::NoEnrollment);
    assert_eq!(broken(|register| register.rows[0].kind = EventKind::Transferred), Incomplete::NoSuccessor);
    let reopened = |register: &mut Register| register.enrollments.get_mut(&1).unwrap().end_reason = None;
    assert_eq!(broken(reopened), Incomplete::NoReason);
}

#[test]
fn a_lapse_that_a_retraction_brings_replaces_the_one_that_was_recorded() {
    let month = |text| Command::Contribute { enrollment: 1, month: day(text) };
    let mut register = Register::default();
    for (id, today, command) in
        [(1, "2014-07-01", enrolled(1, "2014-07-01")), (2, "2014-08-15", month("2014-08-01"))]
    {
        assert!(register.run(command, Moment { id, today: day(today) }));
    }
    register.lapse(Moment { id: 3, today: day(TODAY) });
    let history = register.history().unwrap();
    let without = history.without(200, day(TODAY), &rules()).unwrap();
    assert_eq!(without.consequences.gone, [300]);
    assert_eq!(without.consequences.new, [(EventKind::Lapsed, 1, day("2014-11-01"))]);
    assert!(history.event(100).is_some_and(|event| matches!(event.fact, Fact::Enrolled { .. })));
}
