//! Worked examples to the rupiah: months of a small company, due days, fines, allocations, a group, a daily worker.

use std::collections::BTreeSet;

use chrono::{NaiveDate, NaiveTime};

use super::*;
use crate::employer::Classification;
use crate::problem::ProblemCode;
use crate::rule::{ContributionRule, Period, Rounding, RoundingRule};
use crate::timeline::PaidMonths;
use crate::vocabulary::Programme::{self, Death, OldAge, Pension, WorkAccident};

mod by_employer;

pub(super) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn cited(code: &str, from: &str, until: Option<&str>) -> Citation {
    let period = Period { from: day(from), until: until.map(day) };
    Citation { code: code.to_owned(), title: code.to_owned(), period }
}

fn rate(programme: Programme, segment: Segment, employer_ppm: i64, worker_ppm: i64) -> ContributionRule {
    ContributionRule {
        programme,
        segment,
        risk_class: None,
        employer_ppm,
        worker_ppm,
        worker_flat: 0,
        wage_ceiling: None,
        multiplier_ppm: 1_000_000,
        is_once: false,
        citation: cited(programme.into(), "1993-02-27", None),
    }
}

fn due(code: &str, segment: Segment, month_offset: u32, from: &str) -> DueRule {
    DueRule {
        segment,
        day: 15,
        month_offset,
        holiday_shift: HolidayShift::Next,
        fine_ppm: if segment == Segment::WageEarner { 20_000 } else { 0 },
        fine_base: FineBase::Whole,
        fine_payer: FinePayer::Employer,
        citation: cited(code, from, None),
    }
}

fn billing(segment: Segment) -> BillingRule {
    BillingRule {
        segment,
        joiner_billed_from_day: 1,
        leaver_billed_in_exit_month: true,
        rounded: Rounded::Worker,
        citation: cited("BILLING", "1993-02-27", None),
    }
}

/// The rates of risk class I, the pension ceiling of 2016, due days and fines.
pub(super) fn rules() -> Rulebook {
    use Segment::{SelfEmployed, WageEarner};
    let mut pension = rate(Pension, WageEarner, 20_000, 10_000);
    pension.wage_ceiling = Some(7_335_300);
    pension.citation = cited("JP-PU-2016", "2016-03-01", Some("2017-02-28"));
    let mut flat = rate(Death, SelfEmployed, 0, 0);
    flat.worker_flat = 6_800;
    let relief = DueRule {
        day: 30,
        holiday_shift: HolidayShift::Previous,
        fine_ppm: 5_000,
        citation: cited("RELIEF", "2020-08-01", Some("2021-01-31")),
        ..due("DUE-PU", WageEarner, 1, "2020-08-01")
    };
    Rulebook {
        contributions: vec![
            rate(WorkAccident, WageEarner, 2_400, 0),
            rate(Death, WageEarner, 3_000, 0),
            rate(OldAge, WageEarner, 37_000, 20_000),
            pension,
            rate(WorkAccident, SelfEmployed, 0, 10_000),
            flat,
            rate(OldAge, SelfEmployed, 0, 20_000),
        ],
        money: MoneyRules {
            dues: vec![
                due("DUE-PU", WageEarner, 1, "1993-02-27"),
                due("DUE-BPU", SelfEmployed, 0, "1993-02-27"),
                relief,
            ],
            billings: vec![billing(WageEarner), billing(SelfEmployed)],
            payments: vec![payment_rule()],
            ..MoneyRules::default()
        },
        ..Rulebook::default()
    }
}

fn payment_rule() -> PaymentRule {
    PaymentRule {
        order: AllocationOrder::FinesLast,
        reviewed_months: 12,
        reversible_until: NaiveTime::from_hms_opt(22, 0, 0).unwrap(),
        citation: cited("PAYMENT", "1993-02-27", None),
    }
}

fn with_rounding(mut rules: Rulebook, direction: Rounding) -> Rulebook {
    rules.roundings = vec![RoundingRule { unit: 1, direction, citation: cited("R", "1993-02-27", None) }];
    rules
}

/// A wage earner with work accident, death and old age.
fn worker(wage: i64) -> Insured {
    Insured {
        segment: Segment::WageEarner,
        programmes: vec![WorkAccident, Death, OldAge],
        classification: Classification::NO_EMPLOYER,
        wage: Some(wage),
        starts_on: day("2010-01-01"),
        ends_on: None,
        deceased_on: None,
        record: MonthRecord::Open,
        people: 1,
    }
}

fn with_pension(mut insured: Insured) -> Insured {
    insured.programmes.push(Pension);
    insured
}

fn bill(people: &[Insured], month: &str, rules: &Rulebook) -> Bill {
    let mut maker = BillMaker::new(day(month), rules);
    people.iter().for_each(|insured| maker.add(insured));
    maker.finish()
}

/// A, B and C; B's wage rises in the month, C leaves on its 20th, D starts on its 16th.
fn month_before() -> Vec<Insured> {
    [2_000_000, 3_000_000, 8_000_000].map(worker).to_vec()
}

fn month(year: i32, month: u32) -> Vec<Insured> {
    let on = |day| NaiveDate::from_ymd_opt(year, month, day).unwrap();
    let leaver = Insured { ends_on: Some(on(21)), ..worker(8_000_000) };
    let joiner = Insured { starts_on: on(16), ..worker(2_500_000) };
    vec![worker(2_000_000), worker(3_300_000), leaver, joiner]
}

fn amounts(bill: &Bill) -> Vec<(i64, i64)> {
    bill.lines.iter().map(|line| (line.employer, line.worker)).collect()
}

#[test]
fn a_month_with_a_joiner_a_leaver_and_a_rise_is_billed_whole() {
    let rules = rules();
    let before = bill(&month_before(), "2014-09-01", &rules);
    assert_eq!((before.wage_base, before.total()), (13_000_000, 811_200));
    let october = bill(&month(2014, 10), "2014-10-01", &rules);
    assert_eq!((october.people, october.wage_base), (4, 15_800_000));
    assert_eq!(amounts(&october), [(37_920, 0), (47_400, 0), (584_600, 316_000)]);
    assert_eq!((october.employer(), october.worker(), october.total()), (669_920, 316_000, 985_920));
    assert_eq!((october.payable(), october.open, october.open_people), (985_920, 985_920, 4));

    let mut lenient = rules.clone();
    lenient.money.billings[0].leaver_billed_in_exit_month = false;
    let october = bill(&month(2014, 10), "2014-10-01", &lenient);
    assert_eq!((october.wage_base, october.total()), (7_800_000, 486_720));
    let november = bill(&month(2014, 10), "2014-11-01", &rules);
    assert_eq!((november.people, november.total()), (3, 486_720), "the leaver is gone");
}

#[test]
fn pension_is_due_up_to_its_ceiling_and_the_rest_on_the_whole_wage() {
    let rules = rules();
    let with = |people: Vec<Insured>| people.into_iter().map(with_pension).collect::<Vec<_>>();
    assert_eq!(bill(&with(month_before()), "2016-09-01", &rules).total(), 1_181_259);
    let october = bill(&with(month(2016, 10)), "2016-10-01", &rules);
    assert_eq!(amounts(&october), [(37_920, 0), (47_400, 0), (584_600, 316_000), (302_706, 151_353)]);
    assert_eq!((october.employer(), october.worker(), october.total()), (972_626, 467_353, 1_439_979));
    let pension = &october.lines[3];
    assert_eq!((pension.base, pension.rules.len()), (15_135_300, 1));
    assert_eq!(pension.rules[0].code, "JP-PU-2016");
    assert_eq!(bill(&with(month(2016, 10)), "2016-11-01", &rules).total(), 720_720);
    assert_eq!(bill(&month(2016, 10), "2016-10-01", &rules).total(), 985_920, "a small firm");
}

#[test]
fn joiners_and_leavers_are_billed_by_the_rule() {
    let october = day("2014-10-01");
    let of = |starts_on: &str, ends_on: Option<&str>| (day(starts_on), ends_on.map(day));
    let rule = BillingRule { joiner_billed_from_day: 16, ..billing(Segment::WageEarner) };
    for (days, without_rule, with_sixteen) in [
        (of("2014-10-16", None), true, true),
        (of("2014-10-17", None), true, false),
        (of("2014-11-01", None), false, false),
        (of("2014-09-30", Some("2014-10-01")), false, false),
        (of("2014-09-30", Some("2014-10-02")), true, true),
        (of("2014-10-05", Some("2014-10-05")), false, false),
        (of("2014-10-05", Some("2014-10-19")), true, false),
    ] {
        assert_eq!(is_billed(days, None, october, None), without_rule, "{days:?}");
        assert_eq!(is_billed(days, None, october, Some(&rule)), with_sixteen, "{days:?}");
    }
    let rule = BillingRule { leaver_billed_in_exit_month: false, ..billing(Segment::WageEarner) };
    let ended = |end: &str| is_billed(of("2014-01-01", Some(end)), None, october, Some(&rule));
    assert_eq!([ended("2014-10-31"), ended("2014-11-01")], [false, true], "covered to the end of the month");
    let died = |on: &str| is_billed(of("2014-01-01", None), Some(day(on)), october, None);
    assert_eq!([died("2014-10-01"), died("2014-10-02")], [false, true]);
}

#[test]
fn a_month_that_is_recorded_without_a_payment_is_not_to_be_paid_again() {
    let rules = rules();
    let mut people = month(2014, 10);
    people[0].record = MonthRecord::WithoutPayment;
    people[1].record = MonthRecord::Paid;
    let bill = bill(&people, "2014-10-01", &rules);
    assert_eq!((bill.total(), bill.without_payment), (985_920, 124_800));
    assert_eq!((bill.payable(), bill.open, bill.open_people), (861_120, 655_200, 2));
}

#[test]
fn due_days_move_from_weekends_and_holidays_as_the_rule_says() {
    let mut rules = rules();
    rules.money.holidays.insert(day("2014-12-15"));
    let due_on = |kind: PayerKind, month: &str| {
        let rule = rules.due_rule(kind.segment(), day(month)).unwrap();
        rule.due_on(day(month), &rules.money.holidays).to_string()
    };
    use PayerKind::{Association, Employer};
    assert_eq!(due_on(Employer, "2014-10-01"), "2014-11-17", "Saturday");
    assert_eq!(due_on(Employer, "2014-11-01"), "2014-12-16", "a holiday");
    assert_eq!(due_on(Employer, "2016-09-01"), "2016-10-17", "Saturday");
    assert_eq!(due_on(Employer, "2016-10-01"), "2016-11-15", "Tuesday");
    assert_eq!(due_on(Employer, "2020-12-01"), "2021-01-29", "the relief moves to the day before");
    assert_eq!(due_on(Association, "2014-11-01"), "2014-11-17", "in the month itself");
    let at_the_end = DueRule { day: 31, month_offset: 0, ..due("X", Segment::WageEarner, 0, "1993-02-27") };
    assert_eq!(at_the_end.due_on(day("2017-02-01"), &BTreeSet::new()).to_string(), "2017-02-28");
}

#[test]
fn a_started_month_counts_for_the_fine() {
    let rules = rules();
    let rule = rules.due_rule(Segment::WageEarner, day("2016-10-01")).unwrap();
    let due_on = rule.due_on(day("2016-10-01"), &rules.money.holidays);
    let terms = FineTerms { rule, due_on, amount: 1_439_979 };
    let paid = |on: &str| [Instalment { paid_on: day(on), amount: 1_439_979 }];
    let today = day("2017-01-01");
    let fine = |on: &str, rules: &Rulebook| fine_of(terms, &paid(on), today, rules);
    assert_eq!([fine("2016-11-15", &rules), fine("2016-11-16", &rules)], [0, 28_800]);
    assert_eq!([fine("2016-12-15", &rules), fine("2016-12-20", &rules)], [28_800, 57_599]);
    assert_eq!(fine("2016-12-20", &with_rounding(rules.clone(), Rounding::Up)), 57_600);
    assert_eq!(fine_of(terms, &[], day("2016-12-20"), &rules), 57_599, "so far");
    assert_eq!(months_late(day("2017-01-31"), day("2017-02-28")), 1);
    assert_eq!(months_late(day("2017-01-31"), day("2017-03-01")), 2);

    // Half in time, half a month late: the rule decides whether the whole is late.
    let halves = [("2016-11-15", 1_000_000), ("2016-11-16", 439_979)]
        .map(|(on, amount)| Instalment { paid_on: day(on), amount });
    assert_eq!(fine_of(terms, &halves, today, &rules), 28_800);
    let unpaid = DueRule { fine_base: FineBase::Unpaid, ..rule.clone() };
    assert_eq!(fine_of(FineTerms { rule: &unpaid, ..terms }, &halves, today, &rules), 8_800);
}

fn receipt(id: i64, paid_on: &str, amount: i64) -> Receipt {
    Receipt { id, paid_on: day(paid_on), amount }
}

const SEPTEMBER: &str = "2014-09-01";
const OCTOBER: &str = "2014-10-01";

fn owed(months: &[(&str, i64)]) -> Vec<MonthDue> {
    months.iter().map(|&(month, amount)| MonthDue { month: day(month), amount }).collect()
}

fn without_fines(months: &[MonthDue], receipts: &[Receipt], kept: &[Allocation]) -> Ledger {
    allocate(months, receipts, kept, AllocationOrder::FinesLast, |_, _| 0)
}

#[test]
fn money_clears_the_oldest_month_first_and_the_last_instalment_dates_it() {
    let months = owed(&[(SEPTEMBER, 811_200), (OCTOBER, 985_920)]);
    let first = receipt(1, "2014-11-10", 1_500_000);
    let ledger = without_fines(&months, &[first], &[]);
    let paid = |ledger: &Ledger, month: &str| ledger.paid(day(month), Purpose::Contribution);
    assert_eq!((paid(&ledger, SEPTEMBER), paid(&ledger, OCTOBER)), (811_200, 688_800));
    assert_eq!((985_920 - paid(&ledger, OCTOBER), ledger.unallocated()), (297_120, 0));
    let rest = receipt(2, "2014-11-28", 297_120);
    let ledger = without_fines(&months, &[first, rest], &ledger.allocations());
    let last = ledger.instalments(day(OCTOBER)).last().copied();
    assert_eq!(last, Some(Instalment { paid_on: day("2014-11-28"), amount: 297_120 }));
    assert_eq!(ledger.unallocated(), 0);
}

#[test]
fn an_excess_waits_for_the_next_month_unless_a_fine_is_open() {
    let paid = receipt(1, "2014-11-17", 5_000_000);
    let ledger = without_fines(&owed(&[(OCTOBER, 4_300_000)]), &[paid], &[]);
    assert_eq!(ledger.unallocated(), 700_000);
    let months = owed(&[(OCTOBER, 4_300_000), ("2014-11-01", 4_300_000)]);
    let next = without_fines(&months, &[paid], &ledger.allocations());
    assert_eq!((next.paid(day("2014-11-01"), Purpose::Contribution), next.unallocated()), (700_000, 0));

    // Paid a month late: the fine takes its part of the excess, before or after the next month.
    let fine = |due: &MonthDue, _: &[Instalment]| if due.month == day(OCTOBER) { 86_000 } else { 0 };
    let pay = |order| {
        let ledger = allocate(&months, &[paid], &[], order, fine);
        let of = |month: &str, purpose| ledger.paid(day(month), purpose);
        (of("2014-11-01", Purpose::Contribution), of(OCTOBER, Purpose::Fine), ledger.unallocated())
    };
    assert_eq!(pay(AllocationOrder::FinesLast), (700_000, 0, 0));
    assert_eq!(pay(AllocationOrder::FinesWithMonth), (614_000, 86_000, 0));
    let ledger = allocate(&months[..1], &[paid], &[], AllocationOrder::FinesLast, fine);
    assert_eq!((ledger.paid(day(OCTOBER), Purpose::Fine), ledger.unallocated()), (86_000, 614_000));
}

#[test]
fn a_correction_adds_a_shortage_and_the_next_payment_clears_it_first() {
    let rules = rules();
    let corrected = |people: Vec<Insured>, rise: i64| {
        let mut people = people;
        people[1].wage = Some(3_000_000 + rise);
        people
    };
    let total = |people: &[Insured], month: &str| bill(people, month, &rules).total();
    let shortage = total(&corrected(month_before(), 300_000), "2014-09-01")
        - total(&corrected(month_before(), 0), "2014-09-01");
    assert_eq!(shortage, 18_720);
    let with = |people: Vec<Insured>| people.into_iter().map(with_pension).collect::<Vec<_>>();
    let of_2016 = total(&corrected(with(month_before()), 300_000), "2016-09-01")
        - total(&corrected(with(month_before()), 0), "2016-09-01");
    assert_eq!(of_2016, 27_720);

    let receipts = [receipt(1, "2014-10-15", 811_200), receipt(2, "2014-11-17", 985_920)];
    let before = without_fines(&owed(&[(SEPTEMBER, 811_200), (OCTOBER, 985_920)]), &receipts, &[]);
    let months = owed(&[(SEPTEMBER, 829_920), (OCTOBER, 985_920)]);
    let again = without_fines(&months, &receipts, &before.allocations());
    assert_eq!(again.paid(day(OCTOBER), Purpose::Contribution), 985_920, "what is paid stays paid");
    let third = [&receipts[..], &[receipt(3, "2014-11-20", 20_000)]].concat();
    let cleared = without_fines(&months, &third, &again.allocations());
    assert_eq!(cleared.paid(day(SEPTEMBER), Purpose::Contribution), 829_920);
    assert_eq!(cleared.unallocated(), 1_280);
}

#[test]
fn without_a_reversed_receipt_the_others_clear_the_oldest_month() {
    let months = owed(&[(SEPTEMBER, 811_200), (OCTOBER, 985_920)]);
    let october = receipt(2, "2014-11-17", 985_920);
    let ledger = without_fines(&months, &[october], &[]);
    assert_eq!(ledger.paid(day(SEPTEMBER), Purpose::Contribution), 811_200);
    assert_eq!(ledger.paid(day(OCTOBER), Purpose::Contribution), 174_720);
}

#[test]
fn a_group_of_twelve_pays_a_quarter() {
    let rules = rules();
    let of = |people, programmes: &[Programme]| Insured {
        segment: Segment::SelfEmployed,
        programmes: programmes.to_vec(),
        people,
        ..worker(1_000_000)
    };
    let group = [of(7, &[WorkAccident, Death]), of(5, &[WorkAccident, Death, OldAge])];
    let months = ["2014-10-01", "2014-11-01", "2014-12-01"].map(|month| bill(&group, month, &rules).total());
    assert_eq!(months[0], 301_600);
    assert_eq!(months.iter().sum::<i64>(), 904_800);
}

#[test]
fn rounding_is_of_each_worker_or_of_the_sum() {
    let mut rules = rules();
    let seven = Insured { people: 7, programmes: vec![WorkAccident], ..worker(2_441_301) };
    assert_eq!(bill(std::slice::from_ref(&seven), OCTOBER, &rules).total(), 41_013);
    rules.money.billings[0].rounded = Rounded::Total;
    assert_eq!(bill(&[seven], OCTOBER, &rules).total(), 41_014);
}

#[test]
fn the_split_of_a_round_sum_gives_back_its_rates() {
    // An outlet's receipt of 100,000: its parts are the rates, with the parts of the job-loss programme moved.
    let parts = [61_688_i64, 1_082, 2_166, 2_597, 32_467];
    assert_eq!(parts.iter().sum::<i64>(), 100_000);
    let base = parts[0] * 1_000_000 / 57_000;
    let ppm = parts.map(|part| (part * 1_000_000 + base / 2) / base);
    assert_eq!(ppm.map(|ppm| (ppm + 50) / 100 * 100), [57_000, 1_000, 2_000, 2_400, 30_000]);
}

#[test]
fn a_daily_worker_is_billed_by_the_monthly_wage_of_the_time() {
    let rules = rules();
    let work_accident = |wage| {
        let worker = Insured { programmes: vec![WorkAccident], ..worker(wage) };
        bill(&[worker], OCTOBER, &rules).total()
    };
    assert_eq!(work_accident(80_000 * 22), 4_224, "by the days worked");
    assert_eq!(work_accident(80_000 * 25), 4_800, "by 25 days, since 2015");
}

#[test]
fn a_payment_has_a_reference_a_day_and_an_amount() {
    let today = day("2014-11-17");
    let parse = |reference: &str, on: &str, amount| PaymentForm::parse(reference, day(on), amount, today);
    let form = parse(" 41234567000 ", "2014-11-17", 985_920).unwrap();
    assert_eq!((form.reference.as_str(), form.amount), ("41234567000", 985_920));
    let wrong = |form: Result<PaymentForm, Vec<crate::problem::Problem>>| {
        let problems = form.unwrap_err().into_iter();
        problems.map(|problem| (problem.code, problem.path.concat())).collect::<Vec<_>>()
    };
    let at = |code, field: &str| (code, field.to_owned());
    assert_eq!(
        wrong(parse("", "2014-11-18", 0)),
        [
            at(ProblemCode::OutOfRange, "paidOn"),
            at(ProblemCode::OutOfRange, "amount"),
            at(ProblemCode::Required, "reference")
        ]
    );
    assert_eq!(wrong(parse("a b", "2014-11-17", 1)), [at(ProblemCode::InvalidFormat, "reference")]);
    assert_eq!(wrong(parse(&"1".repeat(65), "2014-11-17", 1)), [at(ProblemCode::OutOfRange, "reference")]);
    assert_eq!(wrong(parse("1", "2014-11-17", MAXIMUM_AMOUNT + 1)), [at(ProblemCode::OutOfRange, "amount")]);
}

#[test]
fn months_without_a_payment_count_for_a_clearance_until_a_rule_says_otherwise() {
    let mut rules = rules();
    let paid = PaidMonths::from_until(day("2014-08-01"), day("2014-12-31"));
    let by_payment = PaidMonths::from_until(day("2014-11-01"), day("2014-11-30"));
    let counted = |rules: &Rulebook| {
        let months = rules.counted_months(paid.clone(), &by_payment);
        months.months().map(|month| month.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(counted(&rules).len(), 5, "without a rule");
    let rule = |count, from: &str, until| UnpaidMonthRule { count, citation: cited("U", from, until) };
    rules.money.unpaid_months =
        vec![rule(true, "1993-02-27", Some("2014-09-30")), rule(false, "2014-10-01", None)];
    assert_eq!(counted(&rules), ["2014-08-01", "2014-09-01", "2014-11-01"]);
    assert!(rules.unpaid_month_rule(day("2014-09-01")).is_none());
    assert!(rules.unpaid_month_rule(day("2014-10-01")).is_some());
}

#[test]
fn an_outlet_reverses_until_the_cut_off_of_the_day() {
    let rule = payment_rule();
    let moment = |text: &str| text.parse().unwrap();
    let judge = |now: &str| {
        let time = ReversalTime { recorded_at: moment("2014-11-17T03:00:00Z"), now: moment(now) };
        judge_reversal(time, Some(&rule)).map(|problem| problem.code)
    };
    assert_eq!(judge("2014-11-17T14:59:59Z"), None, "21:59 in Jakarta");
    assert_eq!(judge("2014-11-17T15:00:00Z"), Some(ProblemCode::NotEligible));
    assert_eq!(judge("2014-11-18T03:00:00Z"), Some(ProblemCode::NotEligible));
    let time =
        ReversalTime { recorded_at: moment("2014-11-17T03:00:00Z"), now: moment("2015-01-01T00:00:00Z") };
    assert_eq!(judge_reversal(time, None), None, "without a rule there is no cut-off");
}
