//! Properties of any row and any registered person.

use proptest::prelude::*;

use super::*;

fn some_registered() -> impl Strategy<Value = Option<Registered>> {
    let wage = prop::option::of(100_000_i64..9_000_000);
    let day_of =
        |within: std::ops::Range<u64>| within.prop_map(|after| day("2016-01-01") + chrono::Days::new(after));
    let held =
        (prop::sample::select(vec![EMPLOYER, 8]), wage, day_of(0..300), prop::option::of(day_of(1..306)))
            .prop_map(|(employer, wage, starts_on, ends_on)| {
                let mut held = enrollment(starts_on.to_string().len() as i64, employer, ("2016-01-01", wage));
                held.held.timeline.starts_on = starts_on;
                held.held.timeline.counts_from = starts_on;
                held.held.timeline.ends_on = ends_on.filter(|&end| end > starts_on);
                held.held.end_reason = held.held.timeline.ends_on.map(|_| EndReason::Resigned);
                held.wages = WageHistory::new(wage, (starts_on, held.held.timeline.ends_on));
                held
            });
    prop::option::of(held.prop_map(|held| person(1, vec![held])))
}

fn some_row() -> impl Strategy<Value = Row> {
    let wage = prop::option::of(100_000_i64..9_000_000);
    let last_day = prop::option::of(
        (1_u64..310).prop_map(|after| (day("2016-01-01") + chrono::Days::new(after)).to_string()),
    );
    let reason = prop::option::of((1..=10).prop_map(|n| format!("A{n}")));
    let province = prop::option::of(prop::sample::select(vec!["16", "31", "99"]));
    let first_day = prop::option::of(
        (270_u64..310).prop_map(|after| (day("2016-01-01") + chrono::Days::new(after)).to_string()),
    );
    (wage, first_day, last_day, reason, province).prop_map(
        |(wage, starts_on, last_day, leaving_reason, province)| Row {
            starts_on,
            last_day,
            leaving_reason,
            province: province.map(str::to_owned),
            ..row(1, wage)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn the_same_list_again_changes_nothing(row in some_row(), registered in some_registered()) {
        let office = Office::new(&PROGRAMMES, MONTH);
        let people: Vec<Registered> = registered.into_iter().collect();
        let (first, after) = office.apply(std::slice::from_ref(&row), &people);
        let (again, same) = office.apply(std::slice::from_ref(&row), &after);
        if first.count(ListChange::Problem) == 0 {
            prop_assert_eq!(again.count(ListChange::Unchanged), 1, "{:?} then {:?}", first.changes, again.changes);
        } else {
            prop_assert_eq!(again.count(ListChange::Problem), 1);
        }
        prop_assert_eq!(format!("{after:?}"), format!("{same:?}"));
        prop_assert_eq!(&again.before, &again.after);
        prop_assert_eq!(&first.after, &again.before, "what is due by the list is due once it is applied");
    }
}
