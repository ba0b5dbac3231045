//! `registry onboard --monthly-list`: a payroll compares its list with the registry, and applies it.

use domain::number::rupiah;

use super::*;
use crate::support::row;

const HEADER: &str = "NIK;NAMA;TGL LAHIR;L/P;UPAH;TMT;HARI TERAKHIR;SEBAB KELUAR";

/// A company with four workers since November, in a terminal.
struct Payroll {
    terminal: Terminal,
    employer: String,
}

impl Payroll {
    async fn new(name: &str) -> Self {
        let terminal = Terminal::new(name).await;
        let employer = terminal.onboardings.app.employer("PT Musi Jaya").await;
        let payroll = Self { terminal, employer };
        let staff = payroll.file("staff.csv", &[(1, ""), (2, ""), (3, ""), (4, "")]);
        payroll.run(&staff, &[]).assert(0, &["Batch ", "Enrolled"]);
        payroll
    }

    /// Writes a list of people by number, each with its cells from the wage on.
    fn file(&self, name: &str, people: &[(u32, &str)]) -> String {
        let line = |&(n, cells): &(u32, &str)| {
            let person = row(n);
            let cell = |field: &str| person[field].as_str().unwrap().to_owned();
            let cells = if cells.is_empty() { "2000000;;;" } else { cells };
            format!("{};Budi Santoso;{};L;{cells}", cell("nationalId"), cell("birthDate"))
        };
        let lines: Vec<String> = people.iter().map(line).collect();
        self.terminal.folder.write(name, &format!("{HEADER}\n{}\n", lines.join("\n")))
    }

    fn run(&self, file: &str, more: &[&str]) -> CommandResult {
        let payer = ["--employer", self.employer.as_str()];
        self.terminal.command_of(payer, file, more, &[]).output().expect("the program starts").into()
    }

    fn path(&self, name: &str) -> String {
        self.terminal.folder.0.join(name).display().to_string()
    }

    async fn count(&self, sql: &'static str) -> i64 {
        self.terminal.onboardings.app.count(sql).await
    }
}

const DECEMBER: [(u32, &str); 4] =
    [(1, ""), (2, "2200000;;;"), (3, "2000000;;20-12-2014;A1"), (5, "2000000;05-12-2014;;")];

#[tokio::test]
async fn a_list_is_planned_with_its_differences_and_then_applied() {
    let payroll = Payroll::new("list").await;
    let faulty = [&DECEMBER[..], &[(6, "2000000;;20-12-2014;bored")]].concat();
    let mixed = payroll.file("mixed.csv", &faulty);
    let (differences, report) = (payroll.path("differences.csv"), payroll.path("refused.csv"));
    let more = ["--monthly-list", "2014-12", "--plan", "--differences", &differences, "--report", &report];
    let plan = payroll.run(&mixed, &more);
    plan.assert(1, &["A plan: nothing was changed.", "Absent people stay enrolled.", "INVALID_FORMAT"]);
    let counted = |out: &str, name: &str| {
        let line = out.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {out}"));
        line.split_whitespace().last().unwrap().to_owned()
    };
    for (change, rows) in [
        ("JOINS", "1"),
        ("LEAVES", "1"),
        ("WAGE_CHANGES", "1"),
        ("UNCHANGED", "1"),
        ("PROBLEM", "1"),
        ("ABSENT", "1"),
    ] {
        assert_eq!(counted(&plan.out, change), rows, "{change}: {}", plan.out);
    }
    // 0.24 and 0.30 percent of four wages, and of those of the list with the absent one.
    plan.assert(1, &["Due for 2014-12", &rupiah(43_200), &rupiah(55_080)]);
    let written = std::fs::read_to_string(&differences).unwrap();
    let changes: Vec<&str> = written.lines().skip(1).map(|line| line.split(',').nth(2).unwrap()).collect();
    assert_eq!(changes, ["WAGE_CHANGES", "LEAVES", "JOINS", "PROBLEM", "ABSENT"], "{written}");
    assert!(written.contains("2000000,2200000"), "{written}");
    assert_eq!(std::fs::read_to_string(&report).unwrap().lines().count(), 2);
    let changed = "select count(*) from participant_event where kind <> 'ENROLLED'";
    assert_eq!((payroll.terminal.people().await, payroll.count(changed).await), (4, 0));

    let list = payroll.file("december.csv", &DECEMBER);
    let differences = payroll.path("differences.xlsx");
    let apply = ["--monthly-list", "12/2014", "--differences", &differences];
    let done = payroll.run(&list, &apply);
    done.assert(0, &["Batch ", "Applying", "Due for 2014-12"]);
    assert!(std::fs::read(&differences).unwrap().starts_with(b"PK"), "a workbook is an archive");
    assert_eq!(payroll.terminal.people().await, 5);
    assert_eq!(payroll.count("select count(*) from enrollment where ends_on = '2014-12-21'").await, 1);
    assert_eq!(payroll.count("select count(*) from enrollment where ends_on is null").await, 4);
    let again = payroll.run(&list, &apply[..2]);
    again.assert(0, &["This file was already onboarded", "Nothing was changed now"]);
    assert_eq!(again.out.lines().skip(1).collect::<Vec<_>>(), done.out.lines().skip(1).collect::<Vec<_>>());
    let another = ["--monthly-list", "2014-12", "--idempotency-key", "december-once-more"];
    let again = payroll.run(&list, &another);
    again.assert(0, &["Batch "]);
    assert_eq!(counted(&again.out, "UNCHANGED"), "4", "{}", again.out);
    assert_eq!(payroll.terminal.onboardings.app.differing_counters().await, 0);
    payroll.run(&list, &["--monthly-list", "2014-11"]).assert(2, &["CONFLICT at month", "applied already"]);
}

#[tokio::test]
async fn a_list_without_its_terms_is_refused() {
    let payroll = Payroll::new("list-terms").await;
    let list = payroll.file("december.csv", &DECEMBER);
    let month = ["--monthly-list", "2014-12"];
    let run = |more: &[&str]| payroll.run(&list, &[&month[..], more].concat());
    run(&["--differences", &payroll.path("x.ods")])
        .assert(2, &["Name the file of differences .csv or .xlsx."]);
    run(&["--differences", &list]).assert(2, &["it is the roster itself"]);
    payroll.run(&list, &["--differences", &payroll.path("x.csv")]).assert(2, &["--monthly-list"]);
    payroll.run(&list, &["--monthly-list", "December"]).assert(2, &["2014-10"]);
    payroll.run(&list, &["--monthly-list", "1990-01"]).assert(2, &["OUT_OF_RANGE at month"]);
    payroll.run(&payroll.path("none.csv"), &month).assert(2, &["There is no file"]);
    let nobodys: CommandResult = payroll
        .terminal
        .command_of(["--segment", "SELF_EMPLOYED"], &list, &month, &[])
        .output()
        .unwrap()
        .into();
    nobodys.assert(2, &["A monthly list is of a payer"]);
    assert_eq!(payroll.count("select count(*) from onboarding_batch where kind = 'MONTHLY_LIST'").await, 0);
    let template = payroll.path("list.csv");
    let arguments =
        ["onboard", "--template", &template, "--monthly-list", "2014-12", "--segment", "WAGE_EARNER"];
    let made: CommandResult = registry(&payroll.terminal.folder, &arguments, &[]).into();
    made.assert(0, &["Wrote an empty monthly list to"]);
    assert!(
        std::fs::read_to_string(&template).unwrap().contains("UPAH;TMT;NO HP;HARI TERAKHIR;SEBAB KELUAR")
    );
}
