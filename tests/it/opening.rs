//! The errors of opening a database, and the registry behind a connection pooler.

use std::sync::Arc;

use participant_registry::store::Database;
use participant_registry::store::database::PoolSettings;
use participant_registry::store::keys::Keys;
use participant_registry::store::open_error::OpenError;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _};

use crate::support::app::TODAY;
use crate::support::cluster::{TestDatabase, create_login, fresh_database};
use crate::support::pooler::Pooler;
use crate::support::{App, Person, json};

async fn open(options: PgConnectOptions) -> Result<Arc<Database>, OpenError> {
    Database::open(options, Keys::derive(&[7; 32]), PoolSettings::default()).await
}

/// Returns the error of an attempt to open, and its message.
async fn refusal(options: PgConnectOptions) -> (OpenError, String) {
    let error = open(options).await.expect_err("the database does not open");
    let message = error.to_string();
    (error, message)
}

async fn run(options: &PgConnectOptions, statements: String) {
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut connection).await.unwrap();
}

/// Creates a login that may serve, with a unique name.
async fn new_login(fresh: &TestDatabase) -> (String, PgConnectOptions) {
    let login = format!("login_of_{}", fresh.name);
    run(&fresh.owner, create_login(&login)).await;
    let options = fresh.options.clone().username(&login);
    (login, options)
}

#[tokio::test]
async fn an_address_without_a_server_is_named() {
    let fresh = fresh_database().await;
    let (error, message) = refusal(fresh.options.clone().socket("/nonexistent")).await;
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error:?}");
    assert!(message.contains("/nonexistent"), "{message}");
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_named_with_the_statement_that_creates_it() {
    let fresh = fresh_database().await;
    let (error, message) = refusal(fresh.options.clone().database("no_such_register")).await;
    assert!(matches!(error, OpenError::NoDatabase(_)), "{error:?}");
    assert!(message.contains("create database no_such_register"), "{message}");
}

#[tokio::test]
async fn a_refused_login_is_named_with_the_missing_right() {
    let fresh = fresh_database().await;
    let (login, options) = new_login(&fresh).await;
    let change = async |statement: String| run(&fresh.owner, statement).await;

    change(format!("alter role {login} nologin")).await;
    let (error, message) = refusal(options.clone()).await;
    assert!(matches!(error, OpenError::LoginRefused { .. }) && message.contains(&login), "{message}");

    change(format!("alter role {login} login connection limit 0")).await;
    let (error, message) = refusal(options.clone()).await;
    assert!(matches!(error, OpenError::TooManyConnections(_)), "{message}");

    change(format!("alter role {login} connection limit 5")).await;
    let (error, message) = refusal(options.clone()).await;
    assert!(matches!(error, OpenError::TooFewConnections { needed: 23, limit: 5, .. }), "{message}");

    let name = &fresh.name;
    change(format!("alter role {login} connection limit -1; revoke connect on database {name} from public"))
        .await;
    let (error, message) = refusal(options.clone()).await;
    assert!(matches!(error, OpenError::NoConnectRight { .. }), "{error:?}");
    let statement = format!("grant connect on database {name} to {login}");
    assert!(message.contains(&statement), "{message}");

    change(format!("{statement}; revoke registry_reader from {login}")).await;
    let (error, message) = refusal(options.clone()).await;
    assert!(matches!(error, OpenError::NotGranted { role: "registry_reader", .. }), "{error:?}");
    assert!(message.contains(&format!("to {login}")), "{message}");

    change(format!("grant registry_reader to {login}")).await;
    open(options).await.expect("it lacks nothing now").close().await;
    change(format!("revoke connect on database {name} from {login}; drop role {login}")).await;
}

#[tokio::test]
async fn a_wrong_password_is_not_reported_as_an_unreachable_server() {
    if std::env::var_os("TEST_DATABASE_URL").is_some() {
        assert!(std::env::var_os("CI").is_none(), "continuous integration runs its own PostgreSQL");
        eprintln!("NOT TESTED: the access rules of another server stay as they are");
        return;
    }
    let fresh = fresh_database().await;
    let (login, options) = new_login(&fresh).await;
    let superuser = fresh.options.clone().username("postgres");
    let mut connection = superuser.connect().await.unwrap();
    let rules: String = sqlx::query_scalar("show hba_file").fetch_one(&mut connection).await.unwrap();
    let others = std::fs::read_to_string(&rules).unwrap();
    std::fs::write(&rules, format!("local all {login} scram-sha-256\n{others}")).unwrap();
    let change = format!("alter role {login} password 'right'; select pg_reload_conf()");
    sqlx::raw_sql(AssertSqlSafe(change)).execute(&mut connection).await.unwrap();

    // The server reads its rules a moment later, so the test tries again.
    let mut refused = refusal_or_none(options.clone().password("wrong")).await;
    for _ in 0..100 {
        if refused.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        refused = refusal_or_none(options.clone().password("wrong")).await;
    }
    let error = refused.expect("a wrong password is refused");
    assert!(matches!(error, OpenError::WrongPassword { .. }), "{error:?}");
    assert!(error.to_string().contains(&format!("alter role {login} password")), "{error}");
    open(options.password("right")).await.expect("the right password opens").close().await;
    run(&fresh.owner, format!("drop role {login}")).await;
}

async fn refusal_or_none(options: PgConnectOptions) -> Option<OpenError> {
    match open(options).await {
        Ok(database) => {
            database.close().await;
            None
        }
        Err(error) => Some(error),
    }
}

#[tokio::test]
async fn pgbouncer_in_session_mode_serves() {
    let fresh = fresh_database().await;
    let Some(pooler) = Pooler::start(&fresh.options, "session").await else { return };
    let database = open(pooler.options()).await.expect("session mode works");
    let limit = sqlx::query_scalar::<_, String>("select current_setting('statement_timeout')");
    assert_eq!(limit.fetch_one(&database.writer).await.unwrap(), "10s", "a connection has its timeouts");
    let app = App::with_database(database, TODAY, fresh);
    app.enrolled(&Person::new(&app.channel("BR-PLG").await)).await;
    assert_eq!(app.ask("{ participants { totalCount } }", json!({})).await["participants"]["totalCount"], 1);
    let (error, message) = refusal(pooler.options().ssl_mode(PgSslMode::Require)).await;
    assert!(matches!(error, OpenError::Tls(_)), "{message}");
    app.database.close().await;
}

#[tokio::test]
async fn pgbouncer_in_transaction_or_statement_mode_is_refused_with_its_reason() {
    for pool_mode in ["transaction", "statement"] {
        let fresh = fresh_database().await;
        let Some(pooler) = Pooler::start(&fresh.options, pool_mode).await else { return };
        let (error, message) = refusal(pooler.options()).await;
        assert!(matches!(error, OpenError::TransactionPooling), "{pool_mode}: {error:?}");
        assert!(message.contains("pool_mode = session"), "{message}");
    }
}
