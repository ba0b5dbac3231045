//! `registry onboard`: its output, its exit codes, and the state after a kill.

mod monthly_list;

use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use domain::actor::Role;
use participant_registry::actions::onboarding::retention::{RetentionPeriods, Tidied, tidy};
use participant_registry::graphql::node_id::NodeId;

use crate::support::app::codes;
use crate::support::onboarding::{Onboardings, line, roster};
use crate::support::program::{ChildProcess, Folder, command, registry};
use crate::support::{TokenScope, json};

/// A registry, and a folder in which commands run.
struct Terminal {
    onboardings: Onboardings,
    folder: Folder,
    channel: String,
}

/// The output and the exit code of a command.
struct CommandResult {
    code: i32,
    out: String,
    err: String,
}

impl From<Output> for CommandResult {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl CommandResult {
    /// Checks the exit code, and that the output contains these texts.
    #[track_caller]
    fn assert(&self, code: i32, words: &[&str]) {
        let Self { out, err, .. } = self;
        assert_eq!(self.code, code, "{out}{err}");
        for words in words {
            assert!(out.contains(words) || err.contains(words), "not printed: {words}\n{out}{err}");
        }
    }
}

impl Terminal {
    async fn new(name: &str) -> Self {
        let onboardings = Onboardings::new(1_000).await;
        let channel = onboardings.app.channel("BR-BTA").await;
        let folder = Folder::new(name);
        // The key of the tests.
        folder.write("key", &"07".repeat(32));
        Self { onboardings, folder, channel }
    }

    fn file(&self, name: &str, lines: impl IntoIterator<Item = String>) -> String {
        self.folder.write(name, &roster(lines))
    }

    fn command(&self, file: &str, more: &[&str], settings: &[(&str, &str)]) -> std::process::Command {
        self.command_of(["--employer", &self.onboardings.employer], file, more, settings)
    }

    fn command_of(
        &self,
        payer: [&str; 2],
        file: &str,
        more: &[&str],
        settings: &[(&str, &str)],
    ) -> std::process::Command {
        let (url, key) =
            (self.onboardings.app.database_url(), self.folder.0.join("key").display().to_string());
        let all = [("DATABASE_URL", url.as_str()), ("REGISTRY_KEY_FILE", key.as_str())];
        let arguments = ["onboard", file, payer[0], payer[1], "--channel", &self.channel];
        let arguments = [&arguments[..], &["--province", "16", "--starts-on", "2014-11-01"], more].concat();
        command(&self.folder, &arguments, &[&all[..], settings].concat())
    }

    fn run_with(&self, file: &str, more: &[&str], settings: &[(&str, &str)]) -> CommandResult {
        self.command(file, more, settings).output().expect("the program starts").into()
    }

    fn run(&self, file: &str, more: &[&str]) -> CommandResult {
        self.run_with(file, more, &[])
    }

    /// Starts a command and kills it as soon as this table has rows.
    async fn kill_when(&self, mut command: std::process::Command, there_is: &'static str) {
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = ChildProcess(command.spawn().unwrap());
        self.wait_until(&mut process.0, there_is).await;
        drop(process);
        // This ends the lease of the killed command.
        sqlx::query("update onboarding_batch set leased_until = now() - interval '1 second'")
            .execute(&self.onboardings.app.sql)
            .await
            .unwrap();
    }

    /// Waits until this table has rows.
    async fn wait_until(&self, process: &mut Child, there_is: &'static str) {
        let began = Instant::now();
        while self.onboardings.app.count(there_is).await == 0 {
            assert!(process.try_wait().unwrap().is_none(), "it ended before {there_is}");
            // The limit only ends a failed test.
            assert!(began.elapsed() < Duration::from_secs(120), "no rows within two minutes: {there_is}");
        }
    }

    async fn age_batch(&self, hours: i32) {
        let sql = "update onboarding_batch set submitted_at = submitted_at - make_interval(hours => $1),
                       finished_at = finished_at - make_interval(hours => $1)";
        sqlx::query(sql).bind(hours).execute(&self.onboardings.app.sql).await.unwrap();
    }

    async fn people(&self) -> i64 {
        self.onboardings.app.count("select count(*) from participant").await
    }

    /// Returns id and state of the only batch.
    async fn batch(&self) -> (String, String) {
        let sql = "select id, state::text from onboarding_batch";
        let (id, state): (i64, String) =
            sqlx::query_as(sql).fetch_one(&self.onboardings.app.sql).await.unwrap();
        (NodeId::Batch(id).encode().to_string(), state)
    }

    /// Checks that the only batch cannot be approved.
    async fn assert_cannot_be_approved(&self) {
        let sql = "select coalesce(encode(plan_digest, 'hex'), '00') from onboarding_batch";
        let digest: String = sqlx::query_scalar(sql).fetch_one(&self.onboardings.app.sql).await.unwrap();
        let approver = self.onboardings.app.token(Role::Approver, TokenScope::default()).await;
        let refused = self.onboardings.approve(&approver, &self.batch().await.0, &digest).await;
        assert_eq!(codes(&refused["errors"]), ["CONFLICT"], "{refused}");
        self.onboardings.work().await;
        assert_eq!(self.people().await, 0);
    }
}

#[tokio::test]
async fn the_exit_code_and_the_output_report_the_outcome() {
    let terminal = Terminal::new("onboard-codes").await;
    let bad = line(3).replace(";L;", ";x;");
    let good = terminal.file("good.csv", (1..=3).map(line));
    let mixed = terminal.file("mixed.csv", [line(1), bad.clone(), line(5)]);

    let plan = terminal.run(&mixed, &["--plan"]);
    plan.assert(1, &["A plan: nobody was enrolled.", "Would be enrolled", "INVALID_FORMAT"]);
    assert_eq!(terminal.people().await, 0);
    terminal.run(&good, &["--plan"]).assert(0, &["A plan: nobody was enrolled."]);
    terminal.run(&mixed, &["--all-or-nothing"]).assert(2, &["Nobody was enrolled", "INVALID_FORMAT"]);
    assert_eq!(terminal.people().await, 0);
    let report = terminal.folder.0.join("refused.csv").display().to_string();
    terminal.run(&mixed, &["--report", &report]).assert(1, &["Batch ", "INVALID_FORMAT"]);
    // Its errors name the columns of the file, as the report over HTTP does.
    let report = std::fs::read_to_string(&report).unwrap();
    assert!(report.contains("INVALID_FORMAT at JENIS KELAMIN: "), "{report}");
    terminal.run(&good, &[]).assert(0, &["Batch ", "Enrolled before"]);
    assert_eq!(terminal.people().await, 4);
    terminal.run(&good, &["--channel", "NOWHERE"]).assert(2, &["error: "]);
    let away = [("DATABASE_URL", "postgres://nobody@127.0.0.1:1/registry")];
    terminal.run_with(&good, &[], &away).assert(3, &["cannot use its database"]);
}

#[tokio::test]
async fn a_repeated_file_is_reported_as_already_onboarded() {
    let terminal = Terminal::new("onboard-again").await;
    let file = terminal.file("roster.csv", (1..=3).map(line));
    let first = terminal.run(&file, &[]);
    first.assert(0, &["Batch "]);
    assert!(!first.out.contains("before, as batch"), "{}", first.out);
    let (id, _) = terminal.batch().await;
    let again = terminal.run(&file, &[]);
    again.assert(0, &["This file was already onboarded, as batch", &id, "Nobody was added", "submitted 20"]);
    // The outcome is reported again.
    assert_eq!(again.out.lines().skip(1).collect::<Vec<_>>(), first.out.lines().skip(1).collect::<Vec<_>>());
    assert_eq!(terminal.people().await, 3);
    assert_eq!(terminal.onboardings.app.count("select count(*) from onboarding_batch").await, 1);
}

#[tokio::test]
async fn a_file_that_is_not_a_roster_is_refused_in_one_sentence() {
    let terminal = Terminal::new("onboard-none").await;
    let empty = terminal.folder.write("empty.csv", "");
    let folder = terminal.folder.0.display().to_string();
    let missing = terminal.folder.0.join("missing.csv").display().to_string();
    for (path, words) in
        [(&folder, "is a folder"), (&missing, "There is no file"), (&empty, "The file is empty.")]
    {
        let refused = terminal.run(path, &[]);
        refused.assert(2, &[words]);
        assert!(refused.out.is_empty(), "{}", refused.out);
        let errors = refused.err.lines().filter(|line| line.starts_with("error: ")).count();
        assert!(errors == 1 && !refused.err.contains("Split it"), "{}", refused.err);
    }
}

#[tokio::test]
async fn file_limits_come_from_the_settings() {
    let terminal = Terminal::new("onboard-limits").await;
    let file = terminal.file("roster.csv", (1..=30).map(line));
    for (setting, value, words) in [
        ("REGISTRY_MAX_ROSTER_ROWS", "29", "more than 29 rows"),
        ("REGISTRY_MAX_UPLOAD", "1024", "larger than 1 KiB"),
        ("REGISTRY_MAX_ROSTER_COLUMNS", "5", "more than 5 columns"),
        ("REGISTRY_MAX_ROSTER_ROWS", "0", "REGISTRY_MAX_ROSTER_ROWS must be between"),
    ] {
        terminal.run_with(&file, &[], &[(setting, value)]).assert(2, &[words]);
    }
    assert_eq!(terminal.people().await, 0);
    terminal.run_with(&file, &[], &[("REGISTRY_MAX_ROSTER_ROWS", "30")]).assert(0, &["Batch "]);
    // `template` needs none of these settings.
    let template = terminal.folder.0.join("template.csv").display().to_string();
    let settings = [("DATABASE_URL", "postgres://nowhere"), ("REGISTRY_MAX_ROSTER_ROWS", "30")];
    let made: CommandResult =
        registry(&terminal.folder, &["onboard", "--template", &template], &settings).into();
    made.assert(0, &["Wrote an empty roster to"]);
}

#[tokio::test]
async fn a_file_larger_than_one_request_is_planned_and_onboarded_by_one_command() {
    let terminal = Terminal::new("onboard-large").await;
    let app = &terminal.onboardings.app;
    let bad = line(7).replace(";L;", ";x;");
    let file = terminal.file("roster.csv", (1..=10_050).map(line).chain([bad, line(1)]));
    let report = terminal.folder.0.join("refused.csv").display().to_string();

    let plan = terminal.run(&file, &["--plan", "--report", &report]);
    plan.assert(1, &["A plan: nobody was enrolled.", "10,050", "Planning"]);
    assert!(!plan.err.contains("Enrolling"), "{}", plan.err);
    assert_eq!(std::fs::read_to_string(&report).unwrap().lines().count(), 3);
    assert_eq!(terminal.people().await, 0);
    // The batch remains without rows and cannot be approved.
    let (id, state) = terminal.batch().await;
    assert_eq!((state.as_str(), app.count("select count(*) from onboarding_chunk").await), ("CANCELLED", 0));
    assert!(plan.out.contains(&id), "{}", plan.out);
    let left = "{ onboardingBatches { nodes { state cancelReason reportUrl counts { pending rejected } } } }";
    let left = app.ask(left, json!({})).await["onboardingBatches"]["nodes"][0].take();
    let reason = left["cancelReason"].as_str().unwrap();
    assert!(reason.contains("dry run") && reason.contains("enrolled nobody"), "{left}");
    assert_eq!(left["reportUrl"], json!(null));
    terminal.assert_cannot_be_approved().await;

    let done = terminal.run(&file, &["--report", &report]);
    done.assert(1, &["Batch ", "DUPLICATE_IN_REQUEST", "Enrolling"]);
    assert_eq!(terminal.people().await, 10_050);
    let refused = std::fs::read_to_string(&report).unwrap();
    assert_eq!(refused.lines().count(), 3, "{refused}");
    // Repeating the command continues the same batch and says so.
    let again = terminal.run(&file, &[]);
    again.assert(1, &["This file was already onboarded, as batch", "Nobody was added"]);
    assert_eq!(again.out.lines().skip(1).collect::<Vec<_>>(), done.out.lines().skip(1).collect::<Vec<_>>());
    assert_eq!(app.count("select count(*) from onboarding_batch where state = 'COMPLETED'").await, 1);
}

#[tokio::test]
async fn a_plan_killed_halfway_enrolls_nobody() {
    let terminal = Terminal::new("onboard-killed").await;
    let file = terminal.file("roster.csv", (1..=10_050).map(line));
    let command = terminal.command(&file, &["--plan"], &[("REGISTRY_CHUNK_ROWS", "50")]);
    let planning = "select count(*) from onboarding_batch where state = 'VALIDATING' and next_row > 1";
    terminal.kill_when(command, planning).await;
    assert_eq!(terminal.batch().await.1, "VALIDATING");
    // A worker of a server takes it over.
    terminal.onboardings.work().await;
    assert_eq!(terminal.batch().await.1, "CANCELLED");
    terminal.assert_cannot_be_approved().await;
    // The periodic cleanup of a server discards the staged rows.
    let tidied =
        async || tidy(&terminal.onboardings.app.database, RetentionPeriods::default()).await.unwrap();
    assert_eq!(tidied().await, Tidied::default());
    terminal.age_batch(2).await;
    assert_eq!(tidied().await, Tidied { ended: 0, discarded: 1 });
    assert_eq!(terminal.onboardings.app.count("select count(*) from onboarding_chunk").await, 0);
}

#[tokio::test]
async fn a_plan_killed_while_staging_is_cleaned_up() {
    let terminal = Terminal::new("onboard-staging").await;
    let file = terminal.file("roster.csv", (1..=10_050).map(line));
    let command = terminal.command(&file, &["--plan"], &[("REGISTRY_CHUNK_ROWS", "50")]);
    let staging = "select count(*) from onboarding_chunk";
    terminal.kill_when(command, staging).await;
    assert_eq!(terminal.batch().await.1, "RECEIVING");
    terminal.assert_cannot_be_approved().await;
    terminal.age_batch(25).await;
    let tidied = tidy(&terminal.onboardings.app.database, RetentionPeriods::default()).await.unwrap();
    assert_eq!(tidied, Tidied { ended: 1, discarded: 0 });
    assert_eq!(terminal.batch().await.1, "CANCELLED");
    assert_eq!(terminal.onboardings.app.count(staging).await, 0);
    // The leftovers do not block the next command.
    terminal.run(&file, &["--plan"]).assert(0, &["A plan: nobody was enrolled.", "10,050"]);
}

#[tokio::test]
async fn a_plan_whose_report_cannot_be_written_leaves_no_rows() {
    let terminal = Terminal::new("onboard-unwritten").await;
    let file = terminal.file("roster.csv", (1..=10_050).map(line));
    let folder = terminal.folder.0.join("reports");
    std::fs::create_dir(&folder).unwrap();
    let report = folder.join("refused.csv").display().to_string();
    let mut command = terminal.command(&file, &["--plan", "--report", &report], &[]);
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    terminal.wait_until(&mut process, "select count(*) from onboarding_batch").await;
    std::fs::remove_dir_all(&folder).unwrap();
    CommandResult::from(process.wait_with_output().unwrap()).assert(3, &["the report cannot be written"]);
    assert_eq!(terminal.batch().await.1, "CANCELLED");
    assert_eq!(terminal.onboardings.app.count("select count(*) from onboarding_chunk").await, 0);
    terminal.assert_cannot_be_approved().await;
}

#[tokio::test]
async fn the_members_of_an_association_are_enrolled_by_their_own_columns() {
    let terminal = Terminal::new("association").await;
    let association = terminal.onboardings.app.association("Nelayan Sungsang").await;
    let run = |payer: [&str; 2], file: &str| -> CommandResult {
        terminal.command_of(payer, file, &[], &[]).output().expect("the program starts").into()
    };
    let members = "NIK;NO PASPOR;NAMA;TGL LAHIR;L/P\n1671010208600002;;Budi Santoso;1960-08-02;L\n;E1234567;Ann Lee;1980-09-03;P\n";
    let file = terminal.folder.write("members.csv", members);
    run(["--association", &association], &file).assert(0, &["Enrolled", "2"]);
    // The same file is of no government: it lacks the service number.
    run(["--employer", &terminal.onboardings.employer], &file).assert(2, &["The header lacks NIP."]);
    run(["--segment", "WAGE_EARNER"], &file).assert(2, &["The header lacks GAJI POKOK."]);
    let enrolled =
        "select count(*) from enrollment where association_id is not null and segment = 'SELF_EMPLOYED'";
    assert_eq!(terminal.onboardings.app.count(enrolled).await, 2);
    assert_eq!(terminal.onboardings.app.differing_counters().await, 0);
}
