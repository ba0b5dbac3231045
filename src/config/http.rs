//! Limits of the front http: what an operator may change of [`Settings`].

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{ArgAction, Args};

use super::{Environment, RosterLimits};
use graphql_front::admission::Admission;
use graphql_front::cost::Cost;
use graphql_front::documents::{Documents, StoredDocuments};
use graphql_front::guard::Limits;
use graphql_front::origin::Origins;
use graphql_front::settings::Sockets;

use crate::graphql::rights::CATALOGUE;
use crate::http::settings::{Connections, Settings, Upload, Verification};

/// How much the front http takes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
pub struct HttpSettings {
    /// Connections at once.
    #[arg(long, env = "REGISTRY_MAX_CONNECTIONS", default_value_t = 2_048)]
    pub max_connections: u64,
    /// Seconds that a client may take to send the head of a request.
    #[arg(long, env = "REGISTRY_HEAD_TIMEOUT", default_value_t = 10)]
    pub head_timeout: u64,
    /// Bytes that the body of a request may have.
    #[arg(long, env = "REGISTRY_MAX_BODY", default_value_t = 8 * 1024 * 1024)]
    pub max_body: u64,
    /// Seconds that a client may take to send the body of a request.
    #[arg(long, env = "REGISTRY_BODY_TIMEOUT", default_value_t = 30)]
    pub body_timeout: u64,
    /// Seconds after which a query is given up.
    #[arg(long, env = "REGISTRY_QUERY_TIMEOUT", default_value_t = 10)]
    pub query_timeout: u64,
    /// Seconds after which the client of a mutation is told that the outcome is unknown. The mutation goes on.
    #[arg(long, env = "REGISTRY_MUTATION_TIMEOUT", default_value_t = 30)]
    pub mutation_timeout: u64,

    /// Bytes of a document's text.
    #[arg(long, env = "REGISTRY_MAX_QUERY", default_value_t = 32 * 1024)]
    pub max_query: u64,
    /// Names, numbers, strings and punctuators in a document.
    #[arg(long, env = "REGISTRY_MAX_TOKENS", default_value_t = 2_000)]
    pub max_tokens: u64,
    /// Brackets open at once in a document.
    #[arg(long, env = "REGISTRY_MAX_NESTING", default_value_t = 50)]
    pub max_nesting: u64,
    /// Fields below fields.
    #[arg(long, env = "REGISTRY_MAX_DEPTH", default_value_t = 15)]
    pub max_depth: u64,
    /// Fields of a document, each fragment counted at each use.
    #[arg(long, env = "REGISTRY_MAX_FIELDS", default_value_t = 2_000)]
    pub max_fields: u64,
    /// Aliases of a document, each fragment counted at each use.
    #[arg(long, env = "REGISTRY_MAX_ALIASES", default_value_t = 30)]
    pub max_aliases: u64,
    /// Directives of a document, each fragment counted at each use.
    #[arg(long, env = "REGISTRY_MAX_DIRECTIVES", default_value_t = 50)]
    pub max_directives: u64,
    /// Objects that an answer may have, by the page sizes asked for.
    #[arg(long, env = "REGISTRY_MAX_OBJECTS", default_value_t = 50_000)]
    pub max_objects: u64,

    /// Points that one client may spend in a minute: one for each object that it may get. 0: no limit.
    #[arg(long, env = "REGISTRY_COST_PER_MINUTE", default_value_t = 6_000_000)]
    pub cost_per_minute: u64,
    /// Points that one client may spend at once, after a rest.
    #[arg(long, env = "REGISTRY_COST_BURST", default_value_t = 1_000_000)]
    pub cost_burst: u64,

    /// Certificates of licence clearance that may be verified in a minute, by everybody. 0: no limit.
    #[arg(long, env = "REGISTRY_VERIFICATIONS_IN_ALL", default_value_t = 600)]
    pub verifications_in_all: u64,
    /// The same for one address; behind a balancer, which has one address, 0: no limit.
    #[arg(long, env = "REGISTRY_VERIFICATIONS_PER_MINUTE", default_value_t = 30)]
    pub verifications_per_minute: u64,

    /// Requests at once, from the head to the answer.
    #[arg(long, env = "REGISTRY_MAX_IN_FLIGHT", default_value_t = 1_024)]
    pub max_in_flight: u64,
    /// Queries and mutations that run at once.
    #[arg(long, env = "REGISTRY_MAX_RUNNING", default_value_t = 32)]
    pub max_running: u64,
    /// Hundredths of the places to run that queries leave to mutations.
    #[arg(long, env = "REGISTRY_WRITE_SHARE", default_value_t = 20)]
    pub write_share: u64,
    /// Hundredths of the places to run that mutations leave to queries.
    #[arg(long, env = "REGISTRY_READ_SHARE", default_value_t = 70)]
    pub read_share: u64,
    /// Onboardings that run at once.
    #[arg(long, env = "REGISTRY_MAX_BULK", default_value_t = 8)]
    pub max_bulk: u64,
    /// Queries that wait for a place to run. Long, because who waits asks for nothing else meanwhile.
    #[arg(long, env = "REGISTRY_QUEUE", default_value_t = 512)]
    pub queue: u64,
    /// Milliseconds that a query waits for a place to run.
    #[arg(long, env = "REGISTRY_QUEUE_WAIT", default_value_t = 75)]
    pub queue_wait: u64,
    /// Mutations that wait for a place to run; onboardings wait apart, as many.
    #[arg(long, env = "REGISTRY_WRITE_QUEUE", default_value_t = 128)]
    pub write_queue: u64,
    /// Milliseconds that a mutation waits for a place to run.
    #[arg(long, env = "REGISTRY_WRITE_QUEUE_WAIT", default_value_t = 1_000)]
    pub write_queue_wait: u64,

    /// Sockets at once.
    #[arg(long, env = "REGISTRY_MAX_SOCKETS", default_value_t = 1_000)]
    pub max_sockets: u64,
    /// Sockets at once of one client.
    #[arg(long, env = "REGISTRY_MAX_SOCKETS_OF_CLIENT", default_value_t = 100)]
    pub max_sockets_of_client: u64,
    /// Subscriptions at once on one socket.
    #[arg(long, env = "REGISTRY_MAX_SOCKET_OPERATIONS", default_value_t = 20)]
    pub max_socket_operations: u64,
    /// Seconds that a socket may take to send its token.
    #[arg(long, env = "REGISTRY_SOCKET_INIT_TIMEOUT", default_value_t = 5)]
    pub socket_init_timeout: u64,

    /// Files that onboardings come in.
    #[command(flatten)]
    pub rosters: RosterLimits,
    /// Seconds that a client may take for each 64 KiB of a file that an onboarding comes in.
    #[arg(long, env = "REGISTRY_UPLOAD_TIMEOUT", default_value_t = 30)]
    pub upload_timeout: u64,
    /// Bytes of it that a client has to bring in each second, on the average since it began.
    #[arg(long, env = "REGISTRY_UPLOAD_RATE", default_value_t = 32 * 1024)]
    pub upload_rate: u64,
    /// Such files that are received at once.
    #[arg(long, env = "REGISTRY_MAX_UPLOADS", default_value_t = 4)]
    pub max_uploads: u64,
    /// Those of one client among them.
    #[arg(long, env = "REGISTRY_MAX_UPLOADS_OF_CLIENT", default_value_t = 2)]
    pub max_uploads_of_client: u64,
    /// Where they lie while they are received, on a disk with room for all of them. Unless said, the folder for temporary
    /// files.
    #[arg(long, env = "REGISTRY_SPOOL_DIR", value_name = "FOLDER")]
    pub spool_dir: Option<PathBuf>,

    /// Origins whose pages may ask, with commas: `https://apps.example`. None unless said.
    #[arg(long, env = "REGISTRY_CORS_ORIGINS", value_name = "ORIGINS", value_delimiter = ',')]
    pub cors_origins: Vec<String>,
    /// May the schema be asked for? Yes unless said, and in production no unless said.
    #[arg(long, env = "REGISTRY_INTROSPECTION", value_name = "BOOL", action = ArgAction::Set)]
    pub introspection: Option<bool>,
    /// Manifest of stored documents: a JSON object of SHA-256 to text. Checked at the start.
    #[arg(long, env = "REGISTRY_STORED_DOCUMENTS", value_name = "FILE")]
    pub stored_documents: Option<PathBuf>,
    /// Runs nothing but the stored documents.
    #[arg(long, env = "REGISTRY_STORED_DOCUMENTS_ONLY")]
    pub stored_documents_only: bool,
    /// Documents that one client may register by sending them once (automatic persisted queries). 0: none.
    #[arg(long, env = "REGISTRY_AUTOMATIC_DOCUMENTS", default_value_t = 100)]
    pub automatic_documents: u64,
}

/// A number within its bounds, or a sentence that names the key and not the value.
pub(super) fn within(
    key: &str,
    value: u64,
    bounds: RangeInclusive<u64>,
    unit: &str,
) -> anyhow::Result<usize> {
    if !bounds.contains(&value) {
        bail!("{key} must be between {} and {}{unit}", bounds.start(), bounds.end());
    }
    usize::try_from(value).with_context(|| format!("{key} is too large for this machine"))
}

fn seconds(key: &str, value: u64, bounds: RangeInclusive<u64>) -> anyhow::Result<Duration> {
    within(key, value, bounds, " seconds").map(|_| Duration::from_secs(value))
}

impl HttpSettings {
    /// The limits, each within what makes sense.
    ///
    /// # Errors
    /// One does not make sense, or the stored documents cannot be served.
    pub async fn settings(&self, environment: Environment) -> anyhow::Result<Settings> {
        let limits = self.limits(environment)?;
        let graphql = graphql_front::Settings {
            max_body_bytes: within(
                "REGISTRY_MAX_BODY",
                self.max_body,
                64 * 1024..=256 * 1024 * 1024,
                " bytes",
            )?,
            body_deadline: seconds("REGISTRY_BODY_TIMEOUT", self.body_timeout, 1..=600)?,
            query_deadline: seconds("REGISTRY_QUERY_TIMEOUT", self.query_timeout, 1..=300)?,
            mutation_deadline: seconds("REGISTRY_MUTATION_TIMEOUT", self.mutation_timeout, 1..=600)?,
            cost: self.cost()?,
            admission: self.admission()?,
            sockets: self.sockets()?,
            origins: self.origins()?,
            documents: self.documents(&limits).await?,
            limits,
        };
        Ok(Settings {
            connections: self.connections()?,
            graphql,
            verification: self.verification()?,
            upload: self.upload()?,
        })
    }

    fn connections(&self) -> anyhow::Result<Connections> {
        Ok(Connections {
            maximum: within("REGISTRY_MAX_CONNECTIONS", self.max_connections, 1..=100_000, "")?,
            head_deadline: seconds("REGISTRY_HEAD_TIMEOUT", self.head_timeout, 1..=60)?,
            ..Connections::default()
        })
    }

    fn limits(&self, environment: Environment) -> anyhow::Result<Limits> {
        Ok(Limits {
            max_query_bytes: within("REGISTRY_MAX_QUERY", self.max_query, 1_024..=256 * 1024, " bytes")?,
            max_tokens: within("REGISTRY_MAX_TOKENS", self.max_tokens, 100..=20_000, "")?,
            // The parser overflows its stack between 300 and 500.
            max_nesting: within("REGISTRY_MAX_NESTING", self.max_nesting, 5..=100, "")?,
            max_depth: within("REGISTRY_MAX_DEPTH", self.max_depth, 3..=30, "")?,
            max_fields: within("REGISTRY_MAX_FIELDS", self.max_fields, 10..=20_000, "")?,
            max_aliases: within("REGISTRY_MAX_ALIASES", self.max_aliases, 0..=1_000, "")?,
            max_directives: within("REGISTRY_MAX_DIRECTIVES", self.max_directives, 0..=1_000, "")?,
            max_objects: within("REGISTRY_MAX_OBJECTS", self.max_objects, 100..=1_000_000, "")?,
            introspection: self.introspection.unwrap_or(environment == Environment::Development),
            ..Limits::default()
        })
    }

    fn cost(&self) -> anyhow::Result<Cost> {
        const MOST: u64 = 1_000_000_000;
        within("REGISTRY_COST_PER_MINUTE", self.cost_per_minute, 0..=MOST, " points")?;
        within("REGISTRY_COST_BURST", self.cost_burst, 1_000..=MOST, " points")?;
        Ok(Cost { per_minute: self.cost_per_minute as u32, burst: self.cost_burst as u32 })
    }

    fn admission(&self) -> anyhow::Result<Admission> {
        within("REGISTRY_QUEUE_WAIT", self.queue_wait, 0..=5_000, " milliseconds")?;
        within("REGISTRY_WRITE_QUEUE_WAIT", self.write_queue_wait, 0..=10_000, " milliseconds")?;
        Ok(Admission {
            in_flight: within("REGISTRY_MAX_IN_FLIGHT", self.max_in_flight, 1..=100_000, "")?,
            running: within("REGISTRY_MAX_RUNNING", self.max_running, 2..=10_000, "")?,
            share_of_writes: within("REGISTRY_WRITE_SHARE", self.write_share, 0..=90, "")?,
            share_of_reads: within("REGISTRY_READ_SHARE", self.read_share, 0..=90, "")?,
            bulk: within("REGISTRY_MAX_BULK", self.max_bulk, 1..=1_000, "")?,
            queue: within("REGISTRY_QUEUE", self.queue, 0..=10_000, "")?,
            queue_of_writes: within("REGISTRY_WRITE_QUEUE", self.write_queue, 0..=10_000, "")?,
            wait: Duration::from_millis(self.queue_wait),
            wait_of_writes: Duration::from_millis(self.write_queue_wait),
        })
    }

    fn verification(&self) -> anyhow::Result<Verification> {
        const MOST: u64 = 1_000_000;
        within("REGISTRY_VERIFICATIONS_IN_ALL", self.verifications_in_all, 0..=MOST, "")?;
        within("REGISTRY_VERIFICATIONS_PER_MINUTE", self.verifications_per_minute, 0..=MOST, "")?;
        Ok(Verification {
            per_minute: self.verifications_in_all as u32,
            per_minute_of_peer: self.verifications_per_minute as u32,
        })
    }

    fn sockets(&self) -> anyhow::Result<Sockets> {
        Ok(Sockets {
            maximum: within("REGISTRY_MAX_SOCKETS", self.max_sockets, 0..=100_000, "")?,
            per_client: within(
                "REGISTRY_MAX_SOCKETS_OF_CLIENT",
                self.max_sockets_of_client,
                1..=100_000,
                "",
            )?,
            operations: within("REGISTRY_MAX_SOCKET_OPERATIONS", self.max_socket_operations, 1..=1_000, "")?,
            init_deadline: seconds("REGISTRY_SOCKET_INIT_TIMEOUT", self.socket_init_timeout, 1..=60)?,
            ..Sockets::default()
        })
    }

    fn upload(&self) -> anyhow::Result<Upload> {
        within("REGISTRY_UPLOAD_RATE", self.upload_rate, 1..=1 << 30, " bytes")?;
        let spool = self.spool_dir.clone().unwrap_or_else(|| Upload::default().spool);
        if !spool.is_dir() {
            bail!("REGISTRY_SPOOL_DIR: there is no such folder");
        }
        Ok(Upload {
            limits: self.rosters.limits()?,
            chunk_rows: self.rosters.chunk_rows()?,
            progress_deadline: seconds("REGISTRY_UPLOAD_TIMEOUT", self.upload_timeout, 1..=600)?,
            least_rate: u32::try_from(self.upload_rate)?.try_into()?,
            at_once: within("REGISTRY_MAX_UPLOADS", self.max_uploads, 1..=100, "")?,
            at_once_of_client: within(
                "REGISTRY_MAX_UPLOADS_OF_CLIENT",
                self.max_uploads_of_client,
                1..=100,
                "",
            )?,
            spool,
        })
    }

    fn origins(&self) -> anyhow::Result<Origins> {
        let origins = self.cors_origins.iter().map(String::as_str).filter(|origin| !origin.is_empty());
        Origins::parse(origins).context("REGISTRY_CORS_ORIGINS")
    }

    async fn documents(&self, limits: &Limits) -> anyhow::Result<Documents> {
        let stored = match &self.stored_documents {
            None if self.stored_documents_only => {
                bail!("REGISTRY_STORED_DOCUMENTS_ONLY: there are none; see REGISTRY_STORED_DOCUMENTS")
            }
            None => None,
            Some(path) => {
                let json =
                    std::fs::read(path).context("REGISTRY_STORED_DOCUMENTS: the file cannot be read")?;
                let read = StoredDocuments::read(&json, &crate::graphql::schema(), &CATALOGUE, limits).await;
                Some(Arc::new(read.context("REGISTRY_STORED_DOCUMENTS")?))
            }
        };
        Ok(Documents {
            stored,
            stored_only: self.stored_documents_only,
            automatic: within("REGISTRY_AUTOMATIC_DOCUMENTS", self.automatic_documents, 0..=10_000, "")?,
            ..Documents::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        http: HttpSettings,
    }

    async fn settings(arguments: &[&str], environment: Environment) -> anyhow::Result<Settings> {
        let line = Line::parse_from([&["registry"], arguments].concat());
        line.http.settings(environment).await
    }

    #[tokio::test]
    async fn what_is_not_said_is_the_default() {
        let said = settings(&[], Environment::Development).await.unwrap();
        assert_eq!(format!("{said:?}"), format!("{:?}", Settings::default()));
    }

    #[tokio::test]
    async fn the_schema_is_not_told_in_production_unless_that_is_said() {
        use Environment::{Development, Production};
        for (arguments, environment, told) in [
            (&[][..], Development, true),
            (&[], Production, false),
            (&["--introspection", "true"], Production, true),
            (&["--introspection", "false"], Development, false),
        ] {
            let limits = settings(arguments, environment).await.unwrap().graphql.limits;
            assert_eq!(limits.introspection, told, "{arguments:?} {environment:?}");
        }
    }

    #[tokio::test]
    async fn an_absurd_value_is_refused_by_its_key() {
        for (flag, value, key) in [
            ("--max-connections", "0", "REGISTRY_MAX_CONNECTIONS"),
            ("--head-timeout", "0", "REGISTRY_HEAD_TIMEOUT"),
            ("--max-body", "3", "REGISTRY_MAX_BODY"),
            ("--body-timeout", "99999", "REGISTRY_BODY_TIMEOUT"),
            ("--query-timeout", "0", "REGISTRY_QUERY_TIMEOUT"),
            ("--mutation-timeout", "0", "REGISTRY_MUTATION_TIMEOUT"),
            ("--max-query", "1", "REGISTRY_MAX_QUERY"),
            ("--max-tokens", "1", "REGISTRY_MAX_TOKENS"),
            ("--max-nesting", "500", "REGISTRY_MAX_NESTING"),
            ("--max-depth", "99", "REGISTRY_MAX_DEPTH"),
            ("--max-fields", "0", "REGISTRY_MAX_FIELDS"),
            ("--max-aliases", "99999", "REGISTRY_MAX_ALIASES"),
            ("--max-directives", "99999", "REGISTRY_MAX_DIRECTIVES"),
            ("--max-objects", "0", "REGISTRY_MAX_OBJECTS"),
            ("--cost-per-minute", "99999999999", "REGISTRY_COST_PER_MINUTE"),
            ("--cost-burst", "0", "REGISTRY_COST_BURST"),
            ("--verifications-in-all", "9999999", "REGISTRY_VERIFICATIONS_IN_ALL"),
            ("--verifications-per-minute", "9999999", "REGISTRY_VERIFICATIONS_PER_MINUTE"),
            ("--max-in-flight", "0", "REGISTRY_MAX_IN_FLIGHT"),
            ("--max-running", "1", "REGISTRY_MAX_RUNNING"),
            ("--write-share", "100", "REGISTRY_WRITE_SHARE"),
            ("--read-share", "100", "REGISTRY_READ_SHARE"),
            ("--max-bulk", "0", "REGISTRY_MAX_BULK"),
            ("--queue", "99999", "REGISTRY_QUEUE"),
            ("--queue-wait", "99999", "REGISTRY_QUEUE_WAIT"),
            ("--write-queue", "99999", "REGISTRY_WRITE_QUEUE"),
            ("--write-queue-wait", "99999", "REGISTRY_WRITE_QUEUE_WAIT"),
            ("--max-sockets", "999999", "REGISTRY_MAX_SOCKETS"),
            ("--max-sockets-of-client", "0", "REGISTRY_MAX_SOCKETS_OF_CLIENT"),
            ("--max-socket-operations", "0", "REGISTRY_MAX_SOCKET_OPERATIONS"),
            ("--socket-init-timeout", "0", "REGISTRY_SOCKET_INIT_TIMEOUT"),
            ("--max-upload", "1", "REGISTRY_MAX_UPLOAD"),
            ("--max-roster-rows", "0", "REGISTRY_MAX_ROSTER_ROWS"),
            ("--max-roster-row", "1", "REGISTRY_MAX_ROSTER_ROW"),
            ("--max-roster-cell", "1", "REGISTRY_MAX_ROSTER_CELL"),
            ("--max-roster-columns", "1", "REGISTRY_MAX_ROSTER_COLUMNS"),
            ("--chunk-rows", "0", "REGISTRY_CHUNK_ROWS"),
            ("--upload-timeout", "0", "REGISTRY_UPLOAD_TIMEOUT"),
            ("--upload-rate", "0", "REGISTRY_UPLOAD_RATE"),
            ("--max-uploads", "0", "REGISTRY_MAX_UPLOADS"),
            ("--max-uploads-of-client", "0", "REGISTRY_MAX_UPLOADS_OF_CLIENT"),
            ("--spool-dir", "/nowhere", "REGISTRY_SPOOL_DIR"),
            ("--cors-origins", "https://apps.example,*", "REGISTRY_CORS_ORIGINS"),
            ("--stored-documents", "/nowhere", "REGISTRY_STORED_DOCUMENTS"),
            ("--automatic-documents", "99999", "REGISTRY_AUTOMATIC_DOCUMENTS"),
        ] {
            let error = settings(&[flag, value], Environment::Development).await.expect_err(flag);
            assert!(error.to_string().starts_with(key), "{flag}: {error}");
        }
        let error = settings(&["--stored-documents-only"], Environment::Development).await.unwrap_err();
        assert!(error.to_string().starts_with("REGISTRY_STORED_DOCUMENTS_ONLY"), "{error}");
    }
}
