//! The figures of a monthly list: its rows by kind of change, and what is due for the month before and after it.

use std::collections::BTreeMap;
use std::fmt;

use chrono::NaiveDate;
use strum::VariantArray as _;

use super::table::table;
use domain::monthly_list::{Due, DueSums, ListChange, Summary};
use domain::number::{grouped, rupiah};

/// The figures of the plan of a list.
pub(super) struct ListFigures {
    /// First day of the month.
    pub(super) month: NaiveDate,
    pub(super) figures: Summary,
}

impl fmt::Display for ListFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |&change: &ListChange| [change.to_string(), grouped(self.figures.count(change))];
        let changes: Vec<_> = ListChange::VARIANTS.iter().map(count).collect();
        write!(f, "{}", table(&changes, [false, true]))?;
        if self.figures.count(ListChange::Absent) > 0 {
            writeln!(f, "Absent people stay enrolled.")?;
        }
        if self.figures.fallen_wages > 0 {
            let fallen = grouped(self.figures.fallen_wages);
            writeln!(
                f,
                "Wages that fall by more than the rule's limit: {fallen}. Compare them with the payroll."
            )?;
        }
        write!(f, "\n{}", self.due())
    }
}

impl ListFigures {
    /// Returns a table of what is due by programme, before and after the list.
    fn due(&self) -> String {
        let (before, after) = (by_name(&self.figures.before), by_name(&self.figures.after));
        let names: BTreeMap<&str, &Due> =
            before.iter().chain(&after).map(|(&name, &due)| (name, due)).collect();
        let month = format!("Due for {}", self.month.format("%Y-%m"));
        let header = [month.as_str(), "People", "Before", "People", "After", "Rule"].map(str::to_owned);
        let people = |due: Option<&&Due>| due.map_or(0, |due| due.people).to_string();
        let amount = |due: Option<&&Due>| rupiah(due.map_or(0, |due| due.employer + due.worker));
        let row = |(&name, due): (&&str, &&Due)| {
            let (was, is) = (before.get(name), after.get(name));
            [name.to_owned(), people(was), amount(was), people(is), amount(is), due.rule.code.clone()]
        };
        let (was, is) = (rupiah(self.figures.before.total()), rupiah(self.figures.after.total()));
        let total = ["Total", "", &was, "", &is, ""].map(str::to_owned);
        let rows: Vec<_> = [header].into_iter().chain(names.iter().map(row)).chain([total]).collect();
        table(&rows, [false, true, true, true, true, false])
    }
}

fn by_name(sums: &DueSums) -> BTreeMap<&'static str, &Due> {
    sums.by_programme().map(|due| (due.programme.into(), due)).collect()
}
