//! Bills by the risk class and the size of the employer.

use super::*;
use crate::employer::EmployerSize;
use crate::rule::SizeRule;

#[test]
fn a_bill_goes_by_the_risk_class_of_its_month() {
    let class = |class, ppm| ContributionRule {
        risk_class: Some(class),
        citation: cited(&format!("JKK-{class}"), "1993-02-27", None),
        ..rate(WorkAccident, Segment::WageEarner, ppm, 0)
    };
    let mut rules = rules();
    rules.contributions.retain(|rule| rule.programme != WorkAccident);
    rules.contributions.extend([class(1, 2_400), class(3, 8_900)]);
    let of_class = |risk_class| {
        let classification = Classification { risk_class, size: None };
        let people = month_before().into_iter().map(|insured| Insured { classification, ..insured });
        bill(&people.collect::<Vec<_>>(), "2014-09-01", &rules)
    };
    let (before, after) = (of_class(1), of_class(3));
    // 13,000,000 at 0.24 % and at 0.89 %.
    assert_eq!((amounts(&before)[0], before.total()), ((31_200, 0), 811_200));
    assert_eq!((amounts(&after)[0], after.total()), ((115_700, 0), 895_700));
    assert_eq!(after.lines[0].rules[0].code, "JKK-3");
}

#[test]
fn a_bill_names_the_mandatory_programmes_that_people_lack_and_bills_none_of_them() {
    let mut rules = rules();
    rules.sizes = vec![SizeRule {
        size: EmployerSize::Medium,
        segment: Segment::WageEarner,
        required: vec![WorkAccident, Death, OldAge, Pension],
        citation: cited("SIZE-MEDIUM", "2015-07-01", None),
    }];
    let classification = Classification { risk_class: 1, size: Some(EmployerSize::Medium) };
    let mut people = month(2016, 10);
    people[0] = with_pension(people[0].clone());
    people[1].programmes.pop();
    people.iter_mut().for_each(|insured| insured.classification = classification);
    let named = |month| {
        let missing = bill(&people, month, &rules).missing.into_iter();
        missing.map(|missing| (missing.programme, missing.people, missing.rule.code)).collect::<Vec<_>>()
    };
    let code = || "SIZE-MEDIUM".to_owned();
    assert_eq!(named("2016-10-01"), [(OldAge, 1, code()), (Pension, 3, code())]);
    assert_eq!(named("2016-11-01"), [(OldAge, 1, code()), (Pension, 2, code())], "the leaver is gone");
    assert_eq!(named("2015-06-01"), []);
    let known = bill(&people, "2016-10-01", &rules);
    people.iter_mut().for_each(|insured| insured.classification.size = None);
    let unknown = bill(&people, "2016-10-01", &rules);
    assert_eq!((unknown.total(), unknown.missing.len()), (known.total(), 0));
}
