//! Databases for tests on a Citus cluster: `CITUS_TEST_URL` has the addresses of its servers, separated by commas, the
//! coordinator first. Each is that of a superuser, and of a database that no test uses.
//!
//! The template is set up as docs/scale-out.md says. The database of a test is a copy of it on each server: the copies know
//! the servers and the tables that the template knows.

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::cluster::{LOGIN, OWNER, connect, create_login, drop_database, execute, migrate};

/// The tests of a run on a cluster that use the private PostgreSQL, because they do not apply there: the beginnings of their
/// names, and why. docs/scale-out.md says the reasons too.
pub const ON_ONE_SERVER: [(&str, &str); 21] = [
    ("rotation::", KEY),
    ("audit_partitions::a_detachment_outlives_a_rotation_of_the_key", KEY),
    ("audit_seals::a_replaced_key_verifies_only_the_seals_of_its_own_time", KEY),
    ("enrolling_again::a_person_under_the_former_and_the_new_number_in_one_request_is_enrolled_once", KEY),
    ("enrolling_again::a_row_that_loses_a_race_leaves_no_identifier_behind", KEY),
    ("enrolling_again::if_the_first_row_of_a_person_is_refused_the_second_is_tried", KEY),
    ("passports::a_passport_is_found_under_the_new_key", KEY),
    ("retracting::an_enrollment_in_error_leaves_no_figure_and_no_claim_on_its_service_number", KEY),
    ("row_security::", POLICIES),
    ("correcting::row_security_hides_former_numbers_of_invisible_people", POLICIES),
    ("wages::row_security_hides_wages_with_their_enrollment", POLICIES),
    ("distribution::the_check_of_the_catalogue_finds_a_policy_with_a_subquery_and_a_trigger", POLICIES),
    (
        "distribution::the_policies_of_a_cluster_show_nobody_without_a_scope_and_each_scope_its_own_rows",
        POLICIES,
    ),
    ("upgrade::", OTHER_TABLES),
    ("faults::five_processes_open_an_empty_database_together", OTHER_TABLES),
    ("names::names_stored_by_an_earlier_release_are_normalized", OTHER_TABLES),
    ("event_partitions::only_the_partition_that_was_detached_is_attached", OTHER_TABLES),
    ("opening::a_wrong_password_is_not_reported_as_an_unreachable_server", SERVER),
    ("tls::postgresql_is_reached_over_tls_by_an_authority_in_a_file", SERVER),
    ("lock_waits::", "Citus passes no lock_timeout on"),
    ("statements::somebody_new_is_enrolled_by_one_statement", "a cluster needs several statements for it"),
];

const KEY: &str = "the identity key cannot be rotated on a cluster";
const POLICIES: &str = "the policies of a cluster are narrower";
const OTHER_TABLES: &str = "it makes or changes tables by itself, in a way that Citus refuses";
const SERVER: &str = "it needs a socket or a password rule of the server";

/// Returns whether tests run on a cluster.
pub fn is_in_use() -> bool {
    std::env::var_os("CITUS_TEST_URL").is_some()
}

/// Returns whether the test of this thread is one of [`ON_ONE_SERVER`]. Its thread has its name.
pub fn needs_one_server() -> bool {
    let thread = std::thread::current();
    let test = thread.name().expect("a test asks for its database on its own thread");
    ON_ONE_SERVER.iter().any(|(beginning, _)| test.starts_with(beginning))
}

/// Returns how to connect to the servers.
pub fn nodes(urls: &str) -> Vec<PgConnectOptions> {
    urls.split(',').map(|url| url.parse().expect("the address of a server of a cluster")).collect()
}

/// Creates the template, and drops what earlier runs have left. One run at a time uses a cluster.
pub async fn make_template(nodes: &[PgConnectOptions], prefix: &str, name: &str) {
    for node in nodes {
        let mut superuser = connect(node).await;
        let leftovers = "select datname::text from pg_database where starts_with(datname, $1)";
        let leftovers: Vec<String> =
            sqlx::query_scalar(leftovers).bind(prefix).fetch_all(&mut superuser).await.unwrap();
        for database in leftovers {
            execute(&mut superuser, format!("alter database {database} is_template false")).await;
            drop_database(&mut superuser, &database).await;
        }
        for statement in set_up(name) {
            execute_unless_done(&mut superuser, statement).await;
        }
        superuser.close().await.unwrap();
        let mut superuser = connect(&node.clone().database(name)).await;
        execute(&mut superuser, "create extension citus".to_owned()).await;
        superuser.close().await.unwrap();
    }
    let mut coordinator = connect(&nodes[0].clone().database(name)).await;
    for (at, node) in nodes.iter().enumerate() {
        let function = if at == 0 { "citus_set_coordinator_host" } else { "citus_add_node" };
        let add = format!("select {function}('{}', {})", node.get_host(), node.get_port());
        execute(&mut coordinator, add).await;
    }
    coordinator.close().await.unwrap();
    migrate(nodes[0].clone().database(name).username(OWNER)).await;
    for node in nodes {
        let mut superuser = connect(node).await;
        // The extension has a session of its own, and a database with sessions cannot be copied.
        let close = "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname =";
        execute(&mut superuser, format!("alter database {name} allow_connections false")).await;
        execute(&mut superuser, format!("{close} '{name}'")).await;
        superuser.close().await.unwrap();
    }
}

/// Returns the statements for each server: those of the page about clusters for its roles and its database, and what tests
/// need besides.
fn set_up(database: &str) -> Vec<String> {
    let page = include_str!("../../../docs/scale-out.md");
    let of_citus = page.split_once("\n## Citus\n").expect("the page has the section").1;
    let block = of_citus.split_once("```sql\n").expect("it has statements").1;
    let statements = block.split_once("```").expect("they end").0;
    let mut statements = statements
        .replace("registry_owner", OWNER)
        .replace("database registry ", &format!("database {database} "));
    // Few shards, because each table of each test has them.
    statements += &format!(
        "alter database {database} set citus.shard_count = 4;
         grant pg_read_all_stats, pg_signal_backend to {OWNER};
         {}",
        create_login(LOGIN)
    );
    statements.split(';').map(|statement| statement.trim().to_owned()).filter(|s| !s.is_empty()).collect()
}

/// Runs a statement. Roles belong to the server, so an earlier run has created them.
async fn execute_unless_done(superuser: &mut PgConnection, statement: String) {
    let result = sqlx::query(AssertSqlSafe(statement)).execute(superuser).await;
    let is_done = |error: &sqlx::Error| {
        error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "42710")
    };
    if let Err(error) = result
        && !is_done(&error)
    {
        panic!("{error}");
    }
}
