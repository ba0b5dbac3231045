//! The layout on a Citus cluster, checked without one: the catalogue after all migrations, and the recorded statements.
//!
//! `citus.rs` runs the same layout on a real cluster.

use std::collections::BTreeSet;
use std::path::PathBuf;

use domain::actor::Role;
use participant_registry::store::distribution::{DISTRIBUTED, narrow_policies};
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection};

use crate::support::cluster::fresh_database;
use crate::support::{App, Person, TokenScope, json};

/// Recorded statements on a distributed table that do not say where its rows are: each worker answers them. The reason is
/// beside the beginning of each.
const ASKED_OF_ALL_WORKERS: [(&str, &str); 4] = [
    // The chore that lapses enrollments, once a day.
    (
        "enrollment",
        "select distinct participant_id as \"id!\" from ( select participant_id from enrollment where lapses_on",
    ),
    // The people of an employer that closes: they are found by the employer, 5,000 at a time.
    ("enrollment", "select distinct participant_id from enrollment where employer_id = $1"),
    // A rotation of the key reads and writes everybody, while nobody is enrolled.
    ("participant", "select id, national_id, phone from participant where id > $1"),
    ("identifier", "select count(*) as \"n!\" from identifier"),
];

/// Returns what a query of the catalogue finds wrong, with the distributed tables and their columns as `d(name, col)`.
async fn faults(owner: &mut PgConnection, query: &str) -> Vec<String> {
    let declared: Vec<String> =
        DISTRIBUTED.iter().map(|(table, column)| format!("('{table}', '{column}')")).collect();
    let sql = format!("with d(name, col) as (values {}) {query}", declared.join(", "));
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(owner).await.unwrap()
}

#[tokio::test]
async fn every_table_that_names_a_person_is_distributed_or_said_to_be_local() {
    let fresh = fresh_database().await;
    let mut owner = connect(&fresh.owner).await;
    let named = "select c.relname::text from pg_class c join pg_attribute a on a.attrelid = c.oid
                 where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
                       and a.attname = 'participant_id' and not exists (select from d where d.name = c.relname)";
    let local: BTreeSet<String> = faults(&mut owner, named).await.into_iter().collect();
    // Rows of a batch are found by the batch, and members by the payment.
    let found_otherwise = ["onboarding_absent", "onboarding_row", "payment_member"];
    assert_eq!(local, found_otherwise.map(str::to_owned).into());
    let missing = "select name || '.' || col from d where not exists (
                       select from pg_attribute a where a.attrelid = to_regclass(d.name) and a.attname = d.col
                                                    and a.attnotnull)";
    assert_eq!(faults(&mut owner, missing).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_catalogue_has_nothing_that_a_cluster_refuses() {
    let fresh = fresh_database().await;
    let mut owner = connect(&fresh.owner).await;
    narrow_policies(&mut owner).await.unwrap();
    let checks = [
        (
            "a unique index without the distribution column",
            "select i.indexrelid::regclass::text from d join pg_index i on i.indrelid = to_regclass(d.name)
             where i.indisunique and not exists (
                 select from pg_attribute a where a.attrelid = i.indrelid and a.attname = d.col
                                              and a.attnum = any(i.indkey::smallint[]))",
        ),
        (
            "a foreign key that leaves the worker",
            "select conname::text from pg_constraint r
             join d on to_regclass(d.name) in (r.conrelid, r.confrelid)
             where r.contype = 'f' and r.conparentid = 0 and not exists (
                 select from d one, d other
                 where to_regclass(one.name) = r.conrelid and to_regclass(other.name) = r.confrelid
                   and exists (
                       select from unnest(r.conkey, r.confkey) as k(here, there)
                       join pg_attribute h on h.attrelid = r.conrelid and h.attnum = k.here and h.attname = one.col
                       join pg_attribute t on t.attrelid = r.confrelid and t.attnum = k.there and t.attname = other.col))",
        ),
        (
            "a trigger",
            "select tgname::text from pg_trigger t join d on t.tgrelid = to_regclass(d.name) where not t.tgisinternal",
        ),
        (
            "an identity or generated column",
            "select d.name || '.' || a.attname from d join pg_attribute a on a.attrelid = to_regclass(d.name)
             where a.attidentity <> '' or a.attgenerated <> ''",
        ),
        (
            "a policy with a subquery",
            "select d.name || '.' || p.polname from d join pg_policy p on p.polrelid = to_regclass(d.name)
             where coalesce(p.polqual::text, '') || coalesce(p.polwithcheck::text, '') like '%{SUBLINK%'",
        ),
        ("an exclusion constraint", "select conname::text from d join pg_constraint r on r.conrelid = to_regclass(d.name)
             where r.contype = 'x'"),
        ("a rule", "select rulename::text from d join pg_rewrite w on w.ev_class = to_regclass(d.name)"),
    ];
    for (what, query) in checks {
        assert_eq!(faults(&mut owner, query).await, Vec::<String>::new(), "{what}");
    }
}

/// The checks above find what they look for.
#[tokio::test]
async fn the_check_of_the_catalogue_finds_a_policy_with_a_subquery_and_a_trigger() {
    let fresh = fresh_database().await;
    let mut owner = connect(&fresh.owner).await;
    let with_subquery = "select d.name from d join pg_policy p on p.polrelid = to_regclass(d.name)
                         where p.polqual::text like '%{SUBLINK%' group by 1 order by 1";
    // In one database policies may read other tables.
    let found = faults(&mut owner, with_subquery).await;
    assert!(
        ["enrollment", "participant", "participant_event"].iter().all(|t| found.iter().any(|f| f == t)),
        "{found:?}"
    );
    let announces = "create trigger announces after update on enrollment for each statement
                     execute function announce_reference_change()";
    sqlx::raw_sql(announces).execute(&mut owner).await.unwrap();
    let triggers = "select tgname::text from pg_trigger t join d on t.tgrelid = to_regclass(d.name) where not t.tgisinternal";
    assert_eq!(faults(&mut owner, triggers).await, ["announces"]);
}

/// Returns the statements that `query!` records, with single blanks.
fn recorded() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/.sqlx");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    let text = |file: Vec<u8>| {
        let recorded: Value = serde_json::from_slice(&file).unwrap();
        recorded["query"].as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    files.map(text).collect()
}

/// Returns the name by which a statement calls each use of a table: its alias, or the table itself.
fn uses<'a>(statement: &'a str, table: &'a str) -> Vec<&'a str> {
    let words: Vec<&str> = statement.split([' ', '(', ')', ',']).filter(|word| !word.is_empty()).collect();
    let is_use = |at: &usize| {
        words[*at] == table
            && *at > 0
            && matches!(words[at - 1], "from" | "join" | "update" | "using" | "into")
    };
    let name = |at: usize| match words.get(at + 1) {
        Some(&alias) if alias.len() == 1 => alias,
        Some(&"as") => words[at + 2],
        _ => table,
    };
    (0..words.len()).filter(is_use).map(name).collect()
}

/// Does the statement say by the distribution column which rows it means, or write that column?
fn is_routed(statement: &str, name: &str, (table, column): (&str, &str)) -> bool {
    if let Some(columns) = statement.split(&format!("insert into {table} (")).nth(1) {
        return columns.split(')').next().unwrap().split(", ").any(|written| written == column);
    }
    [format!("{name}.{column}"), format!(" {column}")].iter().any(|c| {
        [format!("{c} = "), format!("{c} in (")]
            .iter()
            .any(|condition| statement.contains(condition.as_str()))
    })
}

#[test]
fn recorded_statements_say_on_which_worker_their_rows_are() {
    let statements = recorded();
    assert!(statements.len() > 50, "{}", statements.len());
    let (mut touching, mut of_all) = (0, BTreeSet::new());
    for statement in &statements {
        for (table, column) in DISTRIBUTED {
            for name in uses(statement, table) {
                touching += 1;
                if is_routed(statement, name, (table, column)) {
                    continue;
                }
                let listed = ASKED_OF_ALL_WORKERS
                    .iter()
                    .find(|(on, beginning)| *on == table && statement.starts_with(beginning));
                let (_, beginning) =
                    listed.unwrap_or_else(|| panic!("{table} without {column}: {statement}"));
                of_all.insert(*beginning);
            }
        }
    }
    assert!(touching > 20, "{touching}");
    let unused: Vec<&str> = ASKED_OF_ALL_WORKERS
        .map(|(_, beginning)| beginning)
        .into_iter()
        .filter(|b| !of_all.contains(b))
        .collect();
    assert_eq!(unused, Vec::<&str>::new(), "statements that are no longer recorded");
}

#[test]
fn a_statement_without_its_distribution_column_is_found() {
    let by_status = "select id from enrollment e where e.status = $1";
    assert_eq!(uses(by_status, "enrollment"), ["e"]);
    assert!(!is_routed(by_status, "e", ("enrollment", "participant_id")));
    assert!(is_routed(
        "select id from enrollment e where e.participant_id = $1",
        "e",
        ("enrollment", "participant_id")
    ));
    assert!(!is_routed(
        "insert into enrollment (id) select 1",
        "enrollment",
        ("enrollment", "participant_id")
    ));
}

/// Returns the texts between quotation marks in the program's sources, with single blanks: recorded statements, and those that
/// are put together when they are sent.
fn texts_of_sources() -> Vec<String> {
    let mut folders = vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    let mut texts = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = std::fs::read_to_string(&path).unwrap();
                let of_file = source.split('"').map(|text| text.replace("\\\n", " "));
                texts.extend(of_file.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")));
            }
        }
    }
    texts
}

/// Returns what workers refuse in a text with SQL. `registry migrate` replaces what locks people (`distribution/functions.sql`).
fn refused_by_workers(text: &str) -> Vec<String> {
    let mut refused = Vec::new();
    for (table, column) in DISTRIBUTED {
        let names = uses(text, table);
        let locks = ["for no key update", "for update", "for share", "for key share"];
        if !names.is_empty() && locks.iter().any(|lock| text.contains(lock)) {
            refused.push(format!("locks rows of {table}"));
        }
        // The cast of a text depends on settings of the session, so it has to be done before rows are sent to workers.
        let is_cast = |word: &str| word.trim_start_matches('(').starts_with("u.") && word.contains("::");
        let update = format!("update {table} ");
        if text.split(&update).skip(1).flat_map(|rest| rest.split(' ')).any(is_cast) {
            refused.push(format!("casts a column in an update of {table}"));
        }
        let laterals = text.split("lateral (").skip(1).map(up_to_the_closing_bracket);
        for lateral in laterals.filter(|lateral| lateral.contains(" limit ")) {
            for name in uses(lateral, table) {
                if !is_routed(lateral, name, (table, column)) {
                    refused.push(format!("limits {table} in a lateral join"));
                }
            }
        }
    }
    if asks_local_tables_for_a_person(text) {
        refused.push("asks a local table for each row of a distributed one".to_owned());
    }
    // Citus 13.2 loses the columns of a subquery for a join of two functions in an expression.
    if text.contains("r, unnest(array[lower(r)") {
        refused.push("joins functions in an expression".to_owned());
    }
    refused
}

/// Returns whether a subquery on local tables alone names a column of the query around it, which reads a distributed table.
fn asks_local_tables_for_a_person(text: &str) -> bool {
    let reads_people = |text: &str| DISTRIBUTED.iter().any(|(table, _)| !uses(text, table).is_empty());
    if !text.contains("(select ") || !reads_people(text) {
        return false;
    }
    let (around, inner) = outside_and_inside_of_brackets(text);
    let words: Vec<&str> = around.split_whitespace().collect();
    let aliases = words.windows(3).filter(|w| matches!(w[0], "from" | "join") && w[2].len() == 1);
    let aliases: Vec<String> = aliases.map(|w| format!("= {}.", w[2])).collect();
    // Not a function, and not a common table expression of the query around it.
    let is_table = |name: &str| !name.ends_with("unnest") && !around.contains(&format!("{name} as "));
    let is_local = |inner: &str| {
        let from =
            inner.strip_prefix("select ").and_then(|rest| rest.split_once("from ")).map(|(_, from)| from);
        let name = from.and_then(|from| from.split([' ', '(']).next());
        name.is_some_and(is_table) && !reads_people(inner)
    };
    let is_refused = |inner: &str| {
        reads_people(&around) && is_local(inner) && aliases.iter().any(|alias| inner.contains(alias.as_str()))
    };
    inner.iter().any(|inner| is_refused(inner) || asks_local_tables_for_a_person(inner))
}

/// Splits a text into what is outside of all brackets, and what is inside of each outermost pair.
fn outside_and_inside_of_brackets(text: &str) -> (String, Vec<&str>) {
    let (mut outside, mut inside, mut rest) = (String::new(), Vec::new(), text);
    while let Some((before, after)) = rest.split_once('(') {
        let inner = up_to_the_closing_bracket(after);
        outside += before;
        outside.push(' ');
        inside.push(inner);
        rest = after.get(inner.len() + 1..).unwrap_or_default();
    }
    (outside + rest, inside)
}

fn up_to_the_closing_bracket(text: &str) -> &str {
    let mut depth = 1;
    let closes = |c: char| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth == 0
    };
    text.split(closes).next().unwrap_or_default()
}

#[test]
fn statements_that_are_put_together_when_they_are_sent_have_nothing_that_workers_refuse() {
    let texts = texts_of_sources();
    assert!(texts.len() > 5_000, "{}", texts.len());
    let refused: Vec<_> = texts
        .iter()
        .map(|text| (refused_by_workers(text), text))
        .filter(|(why, _)| !why.is_empty())
        .collect();
    assert!(refused.is_empty(), "{refused:?}");
}

#[test]
fn what_workers_refuse_is_found() {
    let lock = "select id from participant where id = any($1) order by id for no key update";
    assert_eq!(refused_by_workers(lock), ["locks rows of participant"]);
    assert_eq!(refused_by_workers("select id from employer where id = $1 for no key update"), [""; 0]);
    let newest = "select l.id from unnest($1) as c(id) cross join lateral (select p.id from participant p \
                  where p.channel_id = c.id order by (p.id) desc limit 1) l";
    assert_eq!(refused_by_workers(newest), ["limits participant in a lateral join"]);
    let of_person = newest.replace("p.channel_id = c.id", "p.id = c.id");
    assert_eq!(refused_by_workers(&of_person), [""; 0]);
    let status = "update enrollment e set status = u.status::enrollment_status \
                  from unnest($1::bigint[], $2::text[]) as u(participant_id, status) \
                  where e.participant_id = u.participant_id";
    assert_eq!(refused_by_workers(status), ["casts a column in an update of enrollment"]);
    let classes = "select e.id, (select max(v.risk_class) from employer_version v where v.employer_id = m.id) as classes \
                   from enrollment e left join employer m on m.id = e.employer_id";
    assert_eq!(refused_by_workers(classes), ["asks a local table for each row of a distributed one"]);
    let before = "select e.id, m.classes from enrollment e left join (select m.id, (select max(v.risk_class) \
                  from employer_version v where v.employer_id = m.id) as classes from employer m) m on m.id = e.employer_id";
    assert_eq!(refused_by_workers(before), [""; 0]);
    let days = "array(select b from unnest(e.settled) r, unnest(array[lower(r), upper(r) - 1]) b order by b)";
    assert_eq!(refused_by_workers(days), ["joins functions in an expression"]);
}

#[test]
fn the_page_about_scale_names_each_distributed_table_with_its_column() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scale-out.md")).unwrap();
    for (table, column) in DISTRIBUTED {
        let line = format!("| `{table}` | `{column}` |");
        assert!(page.contains(&line), "docs/scale-out.md lacks {line}");
    }
}

/// A few people of two provinces, two employers and two channels, and a token for each kind of scope.
pub struct Scene {
    pub app: App,
    tokens: Vec<String>,
}

impl Scene {
    pub async fn new(app: App) -> Self {
        let (one, two) = (app.channel("BR-ONE").await, app.channel("BR-TWO").await);
        let (mine, theirs) = (app.employer("PT Satu").await, app.employer("PT Dua").await);
        let ours = app.association("Nelayan").await;
        app.enrolled(&Person::new(&one).at(&mine)).await;
        app.enrolled(&Person::new(&two).at(&theirs).with("provinceCode", json!("15"))).await;
        app.enrolled(&Person::new(&one).with("associationId", json!(ours))).await;
        let scope = TokenScope::default;
        let provinces = vec!["15".to_owned()];
        let mut tokens = Vec::new();
        for (role, scope) in [
            (Role::Administrator, scope()),
            (Role::Officer, TokenScope { provinces: provinces.clone(), ..scope() }),
            (Role::Officer, TokenScope { provinces, channel: Some(two), ..scope() }),
            (Role::Partner, TokenScope { employer: Some(mine), ..scope() }),
            (Role::Partner, TokenScope { association: Some(ours), ..scope() }),
            (Role::Partner, TokenScope { channel: Some(one), ..scope() }),
        ] {
            tokens.push(app.token(role, scope).await);
        }
        Self { app, tokens }
    }

    /// Returns what each client is answered about people, enrollments and events.
    pub async fn answers(&self) -> Vec<Value> {
        let mut answers = Vec::new();
        for token in &self.tokens {
            answers.push(self.app.ask_as(token, QUERY, json!({})).await);
        }
        answers
    }
}

const QUERY: &str = "{
    participants { totalCount nodes { fullName status province { code }
        enrollments(first: 2) { totalCount nodes { status employer { name } } }
        events(first: 2) { totalCount nodes { kind } } } }
    employers { nodes { name participants(first: 2) { totalCount nodes { fullName } } } }
    named: participants(filterBy: {name: \"siti\"}) { totalCount } }";

/// On a cluster the statements alone have to show each caller its own people, as they do in one database.
#[tokio::test]
async fn every_role_gets_the_same_answers_under_the_policies_of_a_cluster() {
    let scene = Scene::new(App::new().await).await;
    let before = scene.answers().await;
    let counts: Vec<_> = before.iter().map(|answer| answer["participants"]["totalCount"].clone()).collect();
    assert_eq!(counts, [3, 1, 1, 1, 1, 2].map(|n| json!(n)));
    narrow_policies(&mut scene.app.sql.acquire().await.unwrap()).await.unwrap();
    assert_eq!(scene.answers().await, before);
}

/// What of row security is left on a worker, where a policy sees one row.
#[tokio::test]
async fn the_policies_of_a_cluster_show_nobody_without_a_scope_and_each_scope_its_own_rows() {
    let Scene { app, .. } = Scene::new(App::new().await).await;
    let mut owner = app.sql.acquire().await.unwrap();
    narrow_policies(&mut owner).await.unwrap();
    let employer = "select employer_id from enrollment where employer_id is not null order by 1 limit 1";
    let employer: i64 = sqlx::query_scalar(employer).fetch_one(&mut *owner).await.unwrap();
    let count = async |owner: &mut PgConnection, role: &str, scope: &str, table: &str| -> i64 {
        let set = format!("begin; set local role {role}; {scope}");
        sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut *owner).await.unwrap();
        let sql = AssertSqlSafe(format!("select count(*) from {table}"));
        let rows = sqlx::query_scalar(sql).fetch_one(&mut *owner).await.unwrap();
        sqlx::raw_sql("rollback").execute(owner).await.unwrap();
        rows
    };
    let scoped = ["of_provinces", "of_channels", "of_employer", "of_association", "scoped"];
    let tables = DISTRIBUTED.iter().map(|(table, _)| *table);
    for table in tables.filter(|table| !matches!(*table, "identifier" | "retracted_enrollment")) {
        for role in scoped {
            assert_eq!(count(&mut owner, &format!("registry_{role}"), "", table).await, 0, "{role} {table}");
        }
    }
    let province = "set local registry.provinces = '{15}'";
    let of_employer = format!("set local registry.employer = '{{{employer}}}'");
    for (role, scope, table, rows) in [
        ("registry_of_provinces", province, "participant", 1),
        ("registry_scoped", province, "participant", 1),
        ("registry_of_employer", of_employer.as_str(), "enrollment", 1),
        ("registry_scoped", of_employer.as_str(), "enrollment", 1),
        ("registry_reader", "", "participant", 3),
    ] {
        assert_eq!(count(&mut owner, role, scope, table).await, rows, "{role} {table}");
    }
}

async fn connect(options: &sqlx::postgres::PgConnectOptions) -> PgConnection {
    use sqlx::ConnectOptions as _;
    options.connect().await.unwrap()
}
