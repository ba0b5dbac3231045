//! A registry for one test, with its own database, and the requests of its clients.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use chrono::{DateTime, NaiveDate, Utc};
use domain::actor::{Actor, Role};
use http_body_util::BodyExt as _;
use participant_registry::actions::Submission;
use participant_registry::actions::register_client::{self, register_client};
use participant_registry::clock::Clock;
use participant_registry::graphql::error::FieldError;
use participant_registry::graphql::node_id;
use participant_registry::http::auth::{Authority, OWN_ISSUER, issue};
use participant_registry::http::pages::Pages;
use participant_registry::http::settings::Settings;
use participant_registry::http::shared_limits::SharedLimits;
use participant_registry::http::{BuiltServer, ServerParts, build};
use participant_registry::store::database::PoolSettings;
use participant_registry::store::keys::{KeyRing, Keys};
use participant_registry::store::{Database, count, recount};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool};
use tower::ServiceExt as _;

use super::citus;
use super::cluster::{TestDatabase, create_login, fresh_database};

/// The moment at which most tests run: Thursday, 2 October 2014, 10:00 in Jakarta.
pub const TODAY: &str = "2014-10-02T03:00:00Z";

/// A registry with only provinces and rules.
pub struct App {
    /// The database behind it.
    pub database: Arc<Database>,
    /// The routes.
    pub router: Router,
    /// What it counts together with other servers, when a test says so.
    pub shared_limits: Arc<SharedLimits>,
    /// Its current day.
    pub today: NaiveDate,
    /// A connection as the owner of the tables, to whom row security does not apply.
    pub sql: PgPool,
    // Dropped last, because that drops the database.
    _database: Arc<TestDatabase>,
}

/// The scope of a client, by codes and ids of the API.
#[derive(Clone, Debug, Default)]
pub struct TokenScope {
    /// Codes of provinces.
    pub provinces: Vec<String>,
    /// Id of an employer.
    pub employer: Option<String>,
    /// Id of an association.
    pub association: Option<String>,
    /// Code of a channel.
    pub channel: Option<String>,
}

impl TokenScope {
    /// Returns the name of the client with this role and scope, such as `PARTNER-bTE`.
    fn name(&self, role: Role) -> String {
        let limits = [&self.employer, &self.association, &self.channel];
        let limits = self.provinces.iter().chain(limits.into_iter().flatten());
        std::iter::once(<&str>::from(role)).chain(limits.map(String::as_str)).collect::<Vec<_>>().join("-")
    }
}

/// A login of a test. Logins belong to the whole cluster, so it must be dropped explicitly.
pub struct Login {
    pub name: String,
    sql: PgPool,
}

impl Login {
    /// Drops the login.
    pub async fn drop(self) {
        let sql = format!("drop role {}", self.name);
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&self.sql)
            .await
            .expect("no session uses the login any more");
    }
}

/// Returns the longest time that requests may take, or wait for a permit or a connection, so that no test depends on the speed of
/// the machine. On a cluster connections open and answer more slowly.
fn patience() -> Duration {
    Duration::from_secs(if citus::is_in_use() { 600 } else { 60 })
}

/// Returns the default settings, except that requests wait for a permit and run as long as it takes.
fn patient_settings() -> Settings {
    let mut settings = Settings::default();
    settings.graphql.admission.wait = patience();
    settings.graphql.admission.wait_of_writes = patience();
    settings.graphql.query_deadline = patience();
    settings.graphql.mutation_deadline = patience();
    settings
}

/// Returns the settings of small pools.
fn small_pools() -> PoolSettings {
    PoolSettings { interactive: 4, bulk: 4, acquire_timeout: patience(), ..PoolSettings::default() }
}

/// A response.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl App {
    /// Creates an app on [`TODAY`].
    pub async fn new() -> Self {
        Self::on(TODAY).await
    }

    /// Creates an app that connects as the owner of the tables, which loading a demonstration needs.
    pub async fn under_its_owner() -> Self {
        let fresh = fresh_database().await;
        let owner = fresh.owner.clone();
        let database = Database::open(owner, Keys::derive(&[7; 32]), PoolSettings::default()).await;
        Self::with_database(database.expect("the database opens"), TODAY, fresh)
    }

    /// Creates an app on another day.
    pub async fn on(moment: &str) -> Self {
        let fresh = fresh_database().await;
        let pools = small_pools();
        let keys = Keys::derive(&[7; 32]);
        let database = Database::open(fresh.options.clone(), keys, pools).await.expect("the database opens");
        Self::with_database(database, moment, fresh)
    }

    /// Creates an app with an open database.
    pub fn with_database(database: Arc<Database>, moment: &str, fresh: impl Into<Arc<TestDatabase>>) -> Self {
        let moment: DateTime<Utc> = moment.parse().expect("a moment");
        let parts = ServerParts {
            database: Arc::clone(&database),
            authority: Authority::own_tokens(),
            clock: Clock::Fixed(moment),
            settings: patient_settings(),
            playground: Some(Arc::new(Default::default)),
            pages: Some(Pages::new(None, Arc::new(Default::default))),
        };
        let fresh = fresh.into();
        let sql = PgPoolOptions::new().max_connections(1).connect_lazy_with(fresh.owner.clone());
        let today = parts.clock.today();
        let BuiltServer { router, shared_limits, .. } = build(parts);
        Self { database, router, shared_limits, today, sql, _database: fresh }
    }

    /// Returns the same registry, which accepts the tokens of other issuers.
    pub fn with_authority(mut self, authority: Authority) -> Self {
        let parts = ServerParts {
            database: Arc::clone(&self.database),
            authority,
            clock: Clock::Fixed(TODAY.parse().expect("a moment")),
            settings: patient_settings(),
            playground: None,
            pages: None,
        };
        BuiltServer { router: self.router, shared_limits: self.shared_limits, .. } = build(parts);
        self
    }

    /// Returns the same registry with other HTTP settings.
    pub fn with_settings(mut self, settings: impl Into<Settings>) -> Self {
        let parts = ServerParts {
            database: Arc::clone(&self.database),
            authority: Authority::own_tokens(),
            clock: Clock::Fixed(TODAY.parse().expect("a moment")),
            settings: settings.into(),
            playground: None,
            pages: None,
        };
        BuiltServer { router: self.router, shared_limits: self.shared_limits, .. } = build(parts);
        self
    }

    /// Creates a login that owns nothing and may take on the roles of the registry.
    pub async fn login(&self) -> Login {
        let name = format!("login_{}", self._database.name);
        let sql = create_login(&name);
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&self.sql).await.expect("the owner makes logins");
        Login { name, sql: self.sql.clone() }
    }

    /// Returns the options to connect to its database.
    pub fn options(&self) -> PgConnectOptions {
        self._database.options.clone()
    }

    /// Returns the options to connect as the owner of the tables.
    pub fn owner_options(&self) -> PgConnectOptions {
        self._database.owner.clone()
    }

    /// Returns the `DATABASE_URL`, for another process.
    pub fn database_url(&self) -> String {
        self.database_url_of(self._database.options.get_username())
    }

    /// Returns the `DATABASE_URL` of the owner of the tables.
    pub fn owner_url(&self) -> String {
        self.database_url_of(self._database.owner.get_username())
    }

    /// Returns the `DATABASE_URL` of another login.
    pub fn database_url_of(&self, login: &str) -> String {
        self._database.url_of(login)
    }

    /// Sends `viewer` with these headers. Returns status and body byte by byte, without the request id.
    pub async fn answer_to(&self, authorization: &[&str]) -> (StatusCode, Vec<u8>) {
        let mut request = Request::post("/graphql").header(header::CONTENT_TYPE, "application/json");
        for value in authorization {
            request = request.header(header::AUTHORIZATION, *value);
        }
        let request = request.body(Body::from(r#"{"query":"{viewer{name role}}"}"#)).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("the router answers");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("the body arrives").to_bytes();
        let id = parts.headers["x-request-id"].to_str().expect("an id");
        (parts.status, String::from_utf8_lossy(&body).replace(id, "").into_bytes())
    }

    /// Returns the status of the answer to a token.
    pub async fn status_of(&self, token: &str) -> StatusCode {
        self.answer_to(&[&format!("Bearer {token}")]).await.0
    }

    /// Opens the same database as another process would.
    pub async fn second_process(&self) -> Self {
        self.second_process_with_keys(Keys::derive(&[7; 32])).await
    }

    /// Opens the same database as another process would, on another day.
    pub async fn second_process_on(&self, moment: &str) -> Self {
        let other = self.second_process().await;
        Self::with_database(other.database, moment, Arc::clone(&self._database))
    }

    /// Opens the same database as another process would, with these keys.
    pub async fn second_process_with_keys(&self, keys: impl Into<KeyRing>) -> Self {
        let pools = small_pools();
        let database = Database::open(self.options(), keys, pools).await.expect("the database opens");
        Self::with_database(database, TODAY, Arc::clone(&self._database))
    }

    /// Opens the same database as another process would, with other pool settings.
    pub async fn second_process_with_pools(&self, pools: PoolSettings) -> Self {
        let keys = Keys::derive(&[7; 32]);
        let database = Database::open(self.options(), keys, pools).await.expect("the database opens");
        Self::with_database(database, TODAY, Arc::clone(&self._database))
    }

    /// Returns a token of a role with a scope. Each pair has its own client, which is registered at the first call.
    pub async fn token(&self, role: Role, scope: TokenScope) -> String {
        let name = scope.name(role);
        if self.database.clients.known().by_token(OWN_ISSUER, &name).is_none() {
            self.register(&name, role, scope).await;
        }
        self.token_of(&name)
    }

    /// Registers a client for own tokens. Returns its database id.
    pub async fn register(&self, name: &str, role: Role, scope: TokenScope) -> i64 {
        self.register_with(name, role, scope, false).await
    }

    /// Returns a token of a client with the right to personal data.
    pub async fn reader(&self, role: Role, scope: TokenScope) -> String {
        let name = format!("reader-{}", scope.name(role));
        if self.database.clients.known().by_token(OWN_ISSUER, &name).is_none() {
            self.register_with(&name, role, scope, true).await;
        }
        self.token_of(&name)
    }

    async fn register_with(
        &self,
        name: &str,
        role: Role,
        scope: TokenScope,
        reads_personal_data: bool,
    ) -> i64 {
        let read = |id: Option<String>, read: fn(&str) -> Result<i64, FieldError>| {
            id.map(|id| read(&id).expect("an id of this API"))
        };
        let input = register_client::Input {
            issuer: OWN_ISSUER.to_owned(),
            subject: name.to_owned(),
            name: name.to_owned(),
            role,
            scope: register_client::Scope {
                province_codes: scope.provinces,
                employer: read(scope.employer, node_id::employer_id),
                association: read(scope.association, node_id::association_id),
                channel_code: scope.channel,
            },
            reads_personal_data,
        };
        let done =
            register_client(&self.database, &Actor::command_line(), Submission::default(), &input).await;
        let done = done.expect("the database answers");
        done.value.unwrap_or_else(|| panic!("no client: {:?}", done.problems)).client
    }

    /// Returns a token for a subject, even if there is no such client.
    pub fn token_of(&self, subject: &str) -> String {
        #[expect(clippy::disallowed_methods, reason = "the validity of a token depends on the system's time")]
        let now = Utc::now();
        issue(&self.database.keys, subject, (now, now + chrono::Duration::hours(1))).expect("a token")
    }

    /// Returns a token of an administrator.
    pub async fn administrator(&self) -> String {
        self.token(Role::Administrator, TokenScope::default()).await
    }

    /// Returns a token of an officer of these provinces.
    pub async fn officer(&self, provinces: &[&str]) -> String {
        let provinces = provinces.iter().map(|code| (*code).to_owned()).collect();
        self.token(Role::Officer, TokenScope { provinces, ..TokenScope::default() }).await
    }

    /// Returns a token of a partner with this employer as scope.
    pub async fn partner(&self, employer: &str) -> String {
        let scope = TokenScope { employer: Some(employer.to_owned()), ..TokenScope::default() };
        self.token(Role::Partner, scope).await
    }

    /// Sends any request.
    pub async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.expect("the router answers");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("the body arrives").to_bytes();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into()));
        Reply { status: parts.status, headers: parts.headers, body }
    }

    /// Posts a query with a token.
    pub async fn post(&self, token: &str, query: &str, variables: Value) -> Reply {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let request = Request::post("/graphql")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/graphql-response+json")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Body::from(body));
        self.send(request.expect("a request")).await
    }

    /// Posts a query with a token and a purpose.
    pub async fn post_for(&self, purpose: &[u8], token: &str, query: &str, variables: Value) -> Reply {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let request = Request::post("/graphql")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/graphql-response+json")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header("x-purpose", purpose)
            .body(Body::from(body));
        self.send(request.expect("a request")).await
    }

    /// Sends a query as administrator. Returns its data, and panics on errors.
    #[track_caller]
    pub fn ask(&self, query: &str, variables: Value) -> impl Future<Output = Value> {
        let place = std::panic::Location::caller();
        async move { self.data(self.administrator().await, query, variables, place).await }
    }

    /// Sends a query with a token. Returns its data, and panics on errors.
    #[track_caller]
    pub fn ask_as(&self, token: &str, query: &str, variables: Value) -> impl Future<Output = Value> {
        self.data(token.to_owned(), query, variables, std::panic::Location::caller())
    }

    async fn data(
        &self,
        token: String,
        query: &str,
        variables: Value,
        place: &std::panic::Location<'_>,
    ) -> Value {
        let mut reply = self.post(&token, query, variables).await;
        assert_eq!(reply.body.get("errors"), None, "at {place}");
        reply.body["data"].take()
    }

    /// Sends a query with a token. Returns the code of its only error.
    pub async fn refused(&self, token: &str, query: &str, variables: Value) -> String {
        let reply = self.post(token, query, variables).await;
        let errors = reply.body["errors"].as_array().unwrap_or_else(|| panic!("no errors in {}", reply.body));
        assert_eq!(errors.len(), 1, "{errors:?}");
        errors[0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("no code in {errors:?}")).to_owned()
    }

    /// Waits for the next hour if this one ends within a minute: the quota of misses begins anew with each hour.
    pub async fn begin_within_an_hour(&self) {
        let sleep = "select pg_sleep_until(date_trunc('hour', now() + interval '1 minute'))";
        sqlx::query(sleep).execute(&self.sql).await.unwrap();
    }

    /// Runs a counting statement as the owner, for data that the API does not show.
    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.sql).await.expect("a count")
    }

    /// Runs a recount. Returns the number of maintained counters and stored values that differ from it.
    pub async fn differing_counters(&self) -> u64 {
        self.recount().await.different
    }

    /// Runs a recount.
    pub async fn recount(&self) -> recount::Recount {
        let rules = &self.database.reference().rules;
        recount::recount(self.database.connect_options(), rules, self.today, |_| ()).await.expect("a recount")
    }

    /// Folds the counter deltas, as `serve` does each second.
    pub async fn fold(&self) {
        count::fold(&self.database.control).await.expect("a fold");
    }
}

/// Returns the code and the first path segment of each user error in a payload.
pub fn problems(payload: &Value) -> Vec<(&str, &str)> {
    let errors = payload["errors"].as_array().expect("a list of errors");
    errors.iter().map(|e| (e["code"].as_str().unwrap(), e["path"][0].as_str().unwrap_or_default())).collect()
}

/// Returns the codes of user errors.
pub fn codes(errors: &Value) -> Vec<&str> {
    errors
        .as_array()
        .expect("a list of errors")
        .iter()
        .map(|error| error["code"].as_str().expect("a code"))
        .collect()
}
