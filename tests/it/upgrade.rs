//! The update of a database that the last release made, by a plain owner, whom row security binds.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use participant_registry::store::Database;
use participant_registry::store::database::PoolSettings;
use participant_registry::store::keys::Keys;
use participant_registry::store::migration::{LockWait, MIGRATIONS, apply_migrations};
use participant_registry::store::open_error::OpenError;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection};

use crate::support::app::TODAY;
use crate::support::cluster::{OWNER, TestDatabase, empty_database};
use crate::support::program::{ChildProcess, Folder, command};
use crate::support::{App, Person, json};

/// The last migration of release 0.1.0.
const LAST_RELEASE: i64 = 25;

/// What a registry holds of its people, so that a table comes after those that it refers to.
const TABLES: [&str; 20] = [
    "installation",
    "channel",
    "channel_province",
    "employer",
    "association",
    "headcount_declaration",
    "client",
    "participant",
    "identifier",
    "enrollment",
    "participant_event",
    "count_delta",
    "figure",
    "figure_day",
    "figure_month",
    "channel_figure",
    "channel_figure_day",
    "channel_figure_month",
    "employer_count",
    "association_count",
];

/// Copies what a registry holds into a database of another release: the columns that both have.
async fn copy(from: &App, to: &mut PgConnection) {
    for table in TABLES {
        let columns = "select array_agg(quote_ident(column_name)) from information_schema.columns
                       where table_schema = 'public' and table_name = $1 and is_generated = 'NEVER'";
        let here: Vec<String> = sqlx::query_scalar(columns).bind(table).fetch_one(&from.sql).await.unwrap();
        let there: Vec<String> = sqlx::query_scalar(columns).bind(table).fetch_one(&mut *to).await.unwrap();
        let both: Vec<&str> = there.iter().filter(|name| here.contains(name)).map(String::as_str).collect();
        let (both, rows) =
            (both.join(", "), format!("select coalesce(json_agg(t), '[]')::text from {table} t"));
        let rows: String = sqlx::query_scalar(AssertSqlSafe(rows)).fetch_one(&from.sql).await.unwrap();
        let insert = format!(
            "insert into {table} ({both}) overriding system value
             select {both} from json_populate_recordset(null::{table}, $1::json)"
        );
        sqlx::query(AssertSqlSafe(insert)).bind(rows).execute(&mut *to).await.unwrap();
    }
    let sequences = "select sequencename::text, last_value from pg_sequences where last_value is not null";
    let sequences: Vec<(String, i64)> = sqlx::query_as(sequences).fetch_all(&from.sql).await.unwrap();
    for (name, last) in sequences {
        sqlx::query("select setval(to_regclass($1), $2) where to_regclass($1) is not null")
            .bind(name)
            .bind(last)
            .execute(&mut *to)
            .await
            .unwrap();
    }
}

async fn number(connection: &mut PgConnection, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(connection).await.unwrap()
}

/// Opens the registry on a database.
async fn opened(database: TestDatabase) -> App {
    let pools = PoolSettings { interactive: 4, bulk: 4, ..PoolSettings::default() };
    let open = Database::open(database.options.clone(), Keys::derive(&[7; 32]), pools).await.unwrap();
    App::with_database(open, TODAY, database)
}

/// Enrolls people of both kinds of payers, with and without a payment, in two provinces.
async fn registry() -> App {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let (employer, association) =
        (app.employer("PT Melati").await, app.association("Paguyuban Melati").await);
    for n in 0..12 {
        let name = if n == 0 { "Renelina Muntari" } else { "Siti Rahayu" };
        let person = Person::new(&channel)
            .with("fullName", json!(name))
            .with("provinceCode", json!(if n % 3 == 0 { "15" } else { "16" }))
            .with("firstContributionPaid", json!(n % 2 == 0));
        let person =
            if n % 2 == 0 { person.at(&employer) } else { person.with("associationId", json!(association)) };
        app.enrolled(&person).await;
    }
    let government = app.government("Pemda Melati").await;
    let staff = json!({"category": "NON_ASN", "serviceNumber": ""});
    for paid in [true, false] {
        let person = Person::new(&channel).at(&government).with("civilServant", staff.clone());
        app.enrolled(&person.with("firstContributionPaid", json!(paid))).await;
    }
    app.fold().await;
    app
}

#[tokio::test]
async fn a_database_of_the_last_release_is_updated_by_its_plain_owner() {
    let former = registry().await;
    let database = empty_database().await;
    let mut owner = database.owner.connect().await.unwrap();
    let bound =
        "select count(*) from pg_roles where rolname = current_user and not rolsuper and not rolbypassrls";
    assert_eq!(number(&mut owner, bound).await, 1, "row security binds the owner");
    MIGRATIONS.run_to(LAST_RELEASE, &mut owner).await.unwrap();
    copy(&former, &mut owner).await;
    // As the last release stored them: names as typed, and their keys without the accents.
    for update in [
        "update participant set full_name = E'Rene\\u0301lina Mun\\u0303tari' where name_key = 'renelina muntari'",
        "update employer set name = E'PT Mela\\u0301ti' where name = 'PT Melati'",
        "update association set name = E'Paguyuban Mela\\u0301ti'",
    ] {
        assert_eq!(sqlx::query(update).execute(&mut owner).await.unwrap().rows_affected(), 1, "{update}");
    }
    // The last release took staff of the category NON_ASN from any employer, and counted them as staff of a government.
    let company = "update employer set kind = 'COMPANY' where name = 'Pemda Melati'";
    assert_eq!(sqlx::query(company).execute(&mut owner).await.unwrap().rows_affected(), 1);
    let people = "select count(*) from participant";
    assert_eq!(number(&mut owner, people).await, 14);

    apply_migrations(&mut owner, &database.owner, LockWait::default()).await.unwrap();

    let other_form = "select (select count(*) from participant where full_name is not nfc normalized)
                      + (select count(*) from employer where name is not nfc normalized)
                      + (select count(*) from association where name is not nfc normalized)";
    assert_eq!(number(&mut owner, other_form).await, 0);
    assert_eq!(number(&mut owner, people).await, 14);
    drop(owner);
    let app = opened(database).await;
    assert_eq!(app.recount().await.differences, []);
    let query = "{ participants(filterBy: {name: \"muñtari\"}) { nodes { fullName } }
        employers(filterBy: {name: \"meláti\"}) { nodes { name participants { totalCount } } }
        associations(filterBy: {name: \"meláti\"}) { nodes { name counts { total } } } coverage { counts { total active } } }";
    assert_eq!(
        app.ask(query, json!({})).await,
        json!({"participants": {"nodes": [{"fullName": "Renélina Muñtari"}]},
               "employers": {"nodes": [{"name": "PT Meláti", "participants": {"totalCount": 6}}]},
               "associations": {"nodes": [{"name": "Paguyuban Meláti", "counts": {"total": 6}}]},
               "coverage": {"counts": {"total": 14, "active": 7}}})
    );
    let staff = "select count(*) from enrollment where civil_servant = 'NON_ASN'";
    assert_eq!(sqlx::query_scalar::<_, i64>(staff).fetch_one(&app.sql).await.unwrap(), 0);
    // It goes on: the next person gets the next numbers.
    app.enrolled(&Person::new("BR-PLG")).await;
    assert_eq!(app.differing_counters().await, 0);
}

/// The last migration before the history of people got partitions.
const ONE_TABLE: i64 = 56;

#[tokio::test]
async fn the_history_of_people_becomes_the_first_partition_without_a_copy() {
    let former = registry().await;
    let database = empty_database().await;
    let mut owner = database.owner.connect().await.unwrap();
    MIGRATIONS.run_to(ONE_TABLE, &mut owner).await.unwrap();
    copy(&former, &mut owner).await;
    let files = async |owner: &mut PgConnection, names: &str| -> Vec<i64> {
        let sql = format!(
            "select pg_relation_filenode(name)::bigint from unnest('{{{names}}}'::regclass[]) as n(name)"
        );
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(owner).await.unwrap()
    };
    let policies =
        "select polname || ' of ' || array(select unnest(polroles)::regrole order by 1)::text || ' '
                           || coalesce(pg_get_expr(polqual, polrelid), '')
                    from pg_policy where polrelid = 'participant_event'::regclass
                                      or pg_get_expr(polqual, polrelid) ~ 'participant_event' order by 1";
    let rights = "select relacl::text from pg_class where oid = 'participant_event'::regclass";
    let before: Vec<String> = sqlx::query_scalar(policies).fetch_all(&mut owner).await.unwrap();
    let granted: String = sqlx::query_scalar(rights).fetch_one(&mut owner).await.unwrap();
    let rows = number(&mut owner, "select count(*) from participant_event").await;
    let stored = files(&mut owner, "participant_event, participant_event_pkey").await;
    assert_eq!((before.len(), rows), (10, 14), "{before:?}");

    apply_migrations(&mut owner, &database.owner, LockWait::default()).await.unwrap();

    assert_eq!(number(&mut owner, "select count(*) from participant_event_0").await, rows);
    assert_eq!(files(&mut owner, "participant_event_0, participant_event_0_pkey").await, stored);
    let after: Vec<String> = sqlx::query_scalar(policies).fetch_all(&mut owner).await.unwrap();
    assert_eq!(after, before);
    assert_eq!(sqlx::query_scalar::<_, String>(rights).fetch_one(&mut owner).await.unwrap(), granted);
    let keys = "select count(*) from pg_constraint where conrelid = 'participant_event'::regclass
                and contype in ('p', 'f') and convalidated";
    assert_eq!(number(&mut owner, keys).await, 2);
    drop(owner);
    let app = opened(database).await;
    let everybody = "{ participants(first: 100) { nodes { id events { totalCount nodes { kind } } } } }";
    assert_eq!(app.ask(everybody, json!({})).await, former.ask(everybody, json!({})).await);
    assert_eq!(app.recount().await.differences, []);
    app.enrolled(&Person::new("BR-PLG")).await;
    assert!(app.count("select count(*) from participant_event_0").await > rows);
}

#[tokio::test]
async fn a_superuser_is_not_needed_from_zero_either() {
    let database = empty_database().await;
    let mut owner = database.owner.connect().await.unwrap();
    apply_migrations(&mut owner, &database.owner, LockWait::default()).await.unwrap();
    apply_migrations(&mut owner, &database.owner, LockWait::default()).await.unwrap();
    drop(owner);
    let app = opened(database).await;
    app.enrolled(&Person::new(&app.channel("BR-PLG").await)).await;
    assert_eq!(app.differing_counters().await, 0);
}

/// A database of the last release, and a session that holds a lock on its people, as a dump does.
async fn locked_database() -> (TestDatabase, PgConnection, i32) {
    let database = empty_database().await;
    let mut owner = database.owner.connect().await.unwrap();
    MIGRATIONS.run_to(LAST_RELEASE, &mut owner).await.unwrap();
    let mut dump = database.owner.clone().application_name("pg_dump").connect().await.unwrap();
    sqlx::raw_sql("begin; lock table participant in access share mode").execute(&mut dump).await.unwrap();
    let process = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut dump).await.unwrap();
    (database, dump, process)
}

#[tokio::test]
async fn a_migration_names_the_session_that_locks_its_tables_and_goes_on_when_it_ends() {
    let (database, mut dump, process) = locked_database().await;
    let folder = Folder::new("locked");
    let key = folder.write("key", &"07".repeat(32));
    let url = database.url_of(OWNER);
    let mut command = command(&folder, &["migrate"], &[("DATABASE_URL", &url), ("REGISTRY_KEY_FILE", &key)]);
    let mut migrating = ChildProcess(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    let mut log = BufReader::new(migrating.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let begins = log.find(|line| line.contains("migration 26 begins: names in one form"));
    assert!(begins.is_some(), "it says which migration begins");
    let holder = format!("waits for a lock of process {process} of PostgreSQL (pg_dump, login {OWNER}, ");
    assert!(log.any(|line| line.contains(&holder)), "it says whose lock it waits for");
    // Requests do not queue behind the migration for longer than it waits.
    let mut reader = database.owner.connect().await.unwrap();
    assert_eq!(number(&mut reader, "select count(*) from participant").await, 0);
    sqlx::raw_sql("rollback").execute(&mut dump).await.unwrap();
    let rest: Vec<String> = log.collect();
    assert!(migrating.0.wait().unwrap().success(), "{rest:?}");
}

#[tokio::test]
async fn a_migration_gives_up_a_table_that_stays_locked_and_can_be_run_again() {
    let (database, mut dump, process) = locked_database().await;
    let mut owner = database.owner.connect().await.unwrap();
    let wait = LockWait { timeout: Duration::from_secs(1), pause: Duration::ZERO, attempts: 2 };
    let refused = apply_migrations(&mut owner, &database.owner, wait).await.unwrap_err();
    let OpenError::TablesLocked { migration: 33, holder } = &refused else { panic!("{refused:?}") };
    assert!(holder.contains(&format!("process {process} of PostgreSQL (pg_dump")), "{refused}");
    sqlx::raw_sql("rollback").execute(&mut dump).await.unwrap();
    apply_migrations(&mut owner, &database.owner, wait).await.unwrap();
    let settings = "select count(*) from pg_settings where name = 'lock_timeout' and setting = '0'";
    assert_eq!(number(&mut owner, settings).await, 1, "statements after the migrations wait as before");
}
