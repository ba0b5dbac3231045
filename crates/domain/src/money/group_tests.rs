//! Payments of a group: its months, and what stays with its members when other money is allocated anew.

use chrono::NaiveDate;

use super::tests::{day, rules};
use super::*;
use crate::employer::Classification;
use crate::problem::ProblemCode;
use crate::rule::Period;
use crate::timeline::PaidMonths;
use crate::vocabulary::Programme::{self, Death, OldAge, WorkAccident};
use crate::wage::WageHistory;

const TODAY: &str = "2014-10-02";

fn months(texts: &[&str]) -> Vec<NaiveDate> {
    texts.iter().map(|text| day(text)).collect()
}

fn quarter() -> Vec<NaiveDate> {
    months(&["2014-10-01", "2014-11-01", "2014-12-01"])
}

fn member(starts_on: &str, programmes: &[Programme]) -> Member {
    let starts_on = day(starts_on);
    Member {
        insured: Insured {
            segment: Segment::SelfEmployed,
            programmes: programmes.to_vec(),
            classification: Classification::NO_EMPLOYER,
            wage: None,
            starts_on,
            ends_on: None,
            deceased_on: None,
            record: MonthRecord::Open,
            people: 1,
        },
        wages: WageHistory::from_columns(Some(1_000_000), (starts_on, None), None, None),
        recorded: RecordedMonths::default(),
    }
}

fn prepayment(months_ahead: u32) -> PrepaymentRule {
    let period = Period { from: day("1993-02-27"), until: None };
    let citation = Citation { code: "PREPAYMENT".to_owned(), title: "Ours".to_owned(), period };
    PrepaymentRule { segment: Segment::SelfEmployed, months_ahead, citation }
}

#[test]
fn the_months_of_a_payment_end_within_the_rule() {
    let rule = prepayment(2);
    let span = |month: &str, months| judge_span((day(month), months), Some(&rule), day(TODAY));
    assert_eq!(span("2014-10-01", 3), Ok(quarter()));
    assert_eq!(span("2014-12-01", 1), Ok(months(&["2014-12-01"])));
    let wrong = |month: &str, months| {
        let problem = span(month, months).unwrap_err();
        (problem.code, problem.path.concat())
    };
    let out_of_range = (ProblemCode::OutOfRange, "months".to_owned());
    for (month, months) in [("2014-10-01", 4), ("2014-10-01", 0), ("2012-10-01", 37)] {
        assert_eq!(wrong(month, months), out_of_range, "{month} {months}");
    }
    assert_eq!(wrong("2015-01-01", 1), (ProblemCode::OutOfRange, "month".to_owned()));
    assert_eq!(wrong("2014-10-02", 1), (ProblemCode::InvalidFormat, "month".to_owned()));
    let without_rule = |month| judge_span((day(month), 1), None, day(TODAY)).is_ok();
    assert_eq!([without_rule("2014-10-01"), without_rule("2014-11-01")], [true, false]);
}

#[test]
fn each_member_gets_the_months_that_its_enrollment_covers() {
    let rules = rules();
    let of = |member: &Member| member.months_to_pay(&quarter(), day(TODAY), true, &rules);
    let whole = member("2014-09-10", &[Death]);
    assert_eq!(of(&whole), Ok(quarter()));
    let joiner = member("2014-11-20", &[Death]);
    assert_eq!(
        of(&joiner),
        Ok(quarter()[1..].to_vec()),
        "active from the day of recording, as with the form"
    );
    let mut leaver = whole.clone();
    leaver.insured.ends_on = Some(day("2014-11-16"));
    assert_eq!(of(&leaver), Ok(quarter()[..2].to_vec()));
    leaver.insured.ends_on = Some(day("2014-10-01"));
    assert_eq!(of(&leaver), Err(Unpayable::NotBilled));
    let mut died = whole;
    died.insured.deceased_on = Some(day("2014-09-30"));
    assert_eq!(of(&died), Err(Unpayable::NotBilled));
}

#[test]
fn a_month_is_paid_once_and_one_ahead_continues_those_before() {
    let rules = rules();
    let mut paid = member("2014-08-01", &[Death]);
    let until_november = PaidMonths::from_until(day("2014-08-01"), day("2014-11-30"));
    paid.recorded = RecordedMonths {
        by_payment: until_november.clone(),
        all: until_november,
        ..RecordedMonths::default()
    };
    let months_of = |member: &Member, months: &[NaiveDate], is_strict, rules: &Rulebook| {
        member.months_to_pay(months, day(TODAY), is_strict, rules)
    };
    assert_eq!(months_of(&paid, &quarter(), true, &rules), Err(Unpayable::Paid(day("2014-10-01"))));
    assert_eq!(months_of(&paid, &quarter(), false, &rules), Ok(quarter()[2..].to_vec()));
    assert_eq!(months_of(&paid, &quarter()[..2], false, &rules), Err(Unpayable::Paid(day("2014-10-01"))));
    let ahead = months(&["2015-01-01"]);
    assert_eq!(months_of(&paid, &ahead, true, &rules), Err(Unpayable::Gap(day("2014-12-01"))));

    // A month that was recorded without a payment is owed where only paid ones count.
    paid.recorded.by_payment = PaidMonths::default();
    assert_eq!(months_of(&paid, &quarter(), false, &rules), Ok(quarter()[2..].to_vec()));
    let mut only_paid = rules.clone();
    let citation = prepayment(0).citation;
    only_paid.money.unpaid_months = vec![UnpaidMonthRule { count: false, citation }];
    assert_eq!(months_of(&paid, &quarter(), true, &only_paid), Ok(quarter()));
}

#[test]
fn a_group_of_twelve_owes_a_quarter_to_the_rupiah_and_less_without_one() {
    let rules = rules();
    let mut group = vec![member("2014-01-01", &[WorkAccident, Death]); 7];
    group.extend(vec![member("2014-01-01", &[WorkAccident, Death, OldAge]); 5]);
    let quarter = quarter();
    let sums = |group: &[Member]| {
        let sums = sums_of(group.iter().map(|member| (member, &quarter[..])), &quarter, &rules);
        sums.iter().map(|due| due.amount).collect::<Vec<_>>()
    };
    assert_eq!(sums(&group), [301_600; 3]);
    assert_eq!(sums(&group).iter().sum::<i64>(), 904_800);
    assert_eq!(sums(&group[1..]), [284_800; 3], "without a member of 16,800");
    assert_eq!(sums(&[]), [0; 3]);
}

#[test]
fn the_money_of_members_stays_with_them_and_other_money_clears_the_rest() {
    let (september, october) = (day("2014-09-01"), day("2014-10-01"));
    let months = [september, october].map(|month| MonthDue { month, amount: 50_400 });
    let receipt = |id, amount| Receipt { id, paid_on: day(TODAY), amount };
    let (group, other) = (receipt(1, 33_600), receipt(2, 60_000));
    let named = Allocation { receipt: 1, month: october, purpose: Purpose::Members, amount: 33_600 };
    let pay = |receipts: &[Receipt], months: &[MonthDue]| {
        allocate(months, receipts, &[named], AllocationOrder::FinesLast, |_, _| 0)
    };
    let ledger = pay(&[group], &months);
    assert_eq!((ledger.contributions(september), ledger.contributions(october)), (0, 33_600));
    let ledger = pay(&[group, other], &months);
    assert_eq!((ledger.contributions(september), ledger.contributions(october)), (50_400, 43_200));
    assert_eq!(ledger.paid(october, Purpose::Contribution), 9_600, "what the other members owe");
    assert_eq!(
        ledger.instalments(october).iter().map(|part| part.amount).collect::<Vec<_>>(),
        [33_600, 9_600]
    );

    // A member who leaves frees money, which the oldest month gets.
    let fewer = [months[0], MonthDue { month: october, amount: 16_800 }];
    let ledger = pay(&[group], &fewer);
    assert_eq!((ledger.contributions(september), ledger.contributions(october)), (16_800, 16_800));
}
