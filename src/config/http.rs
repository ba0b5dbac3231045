//! The limits of the HTTP server that an operator can change: flags, defaults and bounds of [`Settings`].

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{ArgAction, Args};

use super::environment::Environment;
use super::load::LoadSettings;
use super::problems::Problems;
use super::quantity::{Bytes, Seconds};
use super::roster::RosterLimits;
use super::sockets::SocketSettings;
use graphql_front::cost::Cost;
use graphql_front::documents::{Documents, StoredDocuments};
use graphql_front::guard::Limits;
use graphql_front::origin::Origins;

use crate::graphql::rights::CATALOGUE;
use crate::http::peer::TrustedProxies;
use crate::http::settings::{Connections, Export, Settings, Upload, Verification};
use crate::http::tls::server_config;

/// Limits of the HTTP server.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
pub struct HttpSettings {
    /// Maximum number of open connections.
    #[arg(long, env = "REGISTRY_MAX_CONNECTIONS", default_value_t = 2_048)]
    pub max_connections: u64,
    /// How long a client may take to send the head of a request.
    #[arg(long, env = "REGISTRY_HEAD_TIMEOUT", value_name = "DURATION", default_value_t = Seconds::of(10))]
    pub head_timeout: Seconds,
    /// How long a server still answers new requests after the signal to stop, while it is no longer ready. Default: 5s while other
    /// servers serve the same database, else 0s.
    #[arg(long, env = "REGISTRY_DRAIN", value_name = "DURATION")]
    pub drain: Option<Seconds>,
    /// Maximum size of a request body.
    #[arg(long, env = "REGISTRY_MAX_BODY", value_name = "SIZE", default_value_t = Bytes::mib(8))]
    pub max_body: Bytes,
    /// How long a client may take to send the body of a request.
    #[arg(long, env = "REGISTRY_BODY_TIMEOUT", value_name = "DURATION", default_value_t = Seconds::of(30))]
    pub body_timeout: Seconds,
    /// How long a query may run.
    #[arg(long, env = "REGISTRY_QUERY_TIMEOUT", value_name = "DURATION", default_value_t = Seconds::of(10))]
    pub query_timeout: Seconds,
    /// How long a client waits for a mutation. After that the answer says that the outcome is unknown, and the mutation
    /// continues.
    #[arg(long, env = "REGISTRY_MUTATION_TIMEOUT", value_name = "DURATION", default_value_t = Seconds::of(30))]
    pub mutation_timeout: Seconds,

    /// Maximum size of a GraphQL document.
    #[arg(long, env = "REGISTRY_MAX_QUERY", value_name = "SIZE", default_value_t = Bytes::kib(32))]
    pub max_query: Bytes,
    /// Maximum number of tokens in a document: names, numbers, strings and punctuators.
    #[arg(long, env = "REGISTRY_MAX_TOKENS", default_value_t = 2_000)]
    pub max_tokens: u64,
    /// Maximum number of brackets in a document that are open at the same time.
    #[arg(long, env = "REGISTRY_MAX_NESTING", default_value_t = 50)]
    pub max_nesting: u64,
    /// Maximum depth of nested fields.
    #[arg(long, env = "REGISTRY_MAX_DEPTH", default_value_t = 15)]
    pub max_depth: u64,
    /// Maximum number of fields in a document. A fragment counts at each use.
    #[arg(long, env = "REGISTRY_MAX_FIELDS", default_value_t = 2_000)]
    pub max_fields: u64,
    /// Maximum number of aliases in a document. A fragment counts at each use.
    #[arg(long, env = "REGISTRY_MAX_ALIASES", default_value_t = 30)]
    pub max_aliases: u64,
    /// Maximum number of directives in a document. A fragment counts at each use.
    #[arg(long, env = "REGISTRY_MAX_DIRECTIVES", default_value_t = 50)]
    pub max_directives: u64,
    /// Maximum number of objects in an answer, computed from the requested page sizes.
    #[arg(long, env = "REGISTRY_MAX_OBJECTS", default_value_t = 50_000)]
    pub max_objects: u64,

    /// Cost that one client may spend per minute, in points. Each object that a query may return costs one point. 0: no
    /// limit.
    #[arg(long, env = "REGISTRY_COST_PER_MINUTE", default_value_t = 6_000_000)]
    pub cost_per_minute: u64,
    /// Cost that one client may spend at once after a pause, in points.
    #[arg(long, env = "REGISTRY_COST_BURST", default_value_t = 1_000_000)]
    pub cost_burst: u64,

    /// Licence clearance certificates that all clients together may verify per minute. 0: no limit.
    #[arg(long, env = "REGISTRY_VERIFICATIONS_IN_ALL", default_value_t = 600)]
    pub verifications_in_all: u64,
    /// Licence clearance certificates that one address may verify per minute. 0: no limit. Use 0 behind a load
    /// balancer, where all clients have its address.
    #[arg(long, env = "REGISTRY_VERIFICATIONS_PER_MINUTE", default_value_t = 30)]
    pub verifications_per_minute: u64,

    /// The concurrency limits.
    #[command(flatten)]
    pub load: LoadSettings,
    /// The limits of WebSockets.
    #[command(flatten)]
    pub sockets: SocketSettings,

    /// Limits of rosters.
    #[command(flatten)]
    pub rosters: RosterLimits,
    /// How long a client may take to send each 64 KiB of a roster.
    #[arg(long, env = "REGISTRY_UPLOAD_TIMEOUT", value_name = "DURATION", default_value_t = Seconds::of(30))]
    pub upload_timeout: Seconds,
    /// Minimum average rate at which a client must send a roster, per second.
    #[arg(long, env = "REGISTRY_UPLOAD_RATE", value_name = "SIZE", default_value_t = Bytes::kib(32))]
    pub upload_rate: Bytes,
    /// Maximum number of rosters that are received at the same time.
    #[arg(long, env = "REGISTRY_MAX_UPLOADS", default_value_t = 4)]
    pub max_uploads: u64,
    /// Maximum number of rosters of one client that are received at the same time.
    #[arg(long, env = "REGISTRY_MAX_UPLOADS_OF_CLIENT", default_value_t = 2)]
    pub max_uploads_of_client: u64,
    /// Folder for rosters while they are received and workbooks while they are made. Its disk needs room for all of them.
    /// Default: the folder for temporary files.
    #[arg(long, env = "REGISTRY_SPOOL_DIR", value_name = "FOLDER")]
    pub spool_dir: Option<PathBuf>,

    /// How long an export may take, from its first row to its last.
    #[arg(long, env = "REGISTRY_EXPORT_TIMEOUT", value_name = "DURATION", default_value_t = Seconds::of(600))]
    pub export_timeout: Seconds,

    /// File with the server's certificate and those of its authorities, in PEM: the server then speaks TLS alone. Read at
    /// the start, so restart the server after the certificate is renewed.
    #[arg(long, env = "REGISTRY_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// File with the key of the certificate, in PEM.
    #[arg(long, env = "REGISTRY_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Addresses and networks of proxies whose X-Forwarded-For is believed, separated by commas: `10.0.0.0/8,::1`.
    /// Default: none.
    #[arg(long, env = "REGISTRY_TRUSTED_PROXIES", value_name = "NETWORKS", value_delimiter = ',')]
    pub trusted_proxies: Vec<String>,
    /// Publishes figures of the country and its provinces at /public/figures, without a login. They are those of yesterday, in
    /// steps of five.
    #[arg(long, env = "REGISTRY_PUBLIC_FIGURES", value_name = "BOOL", action = ArgAction::Set, default_value_t = false)]
    pub public_figures: bool,
    /// Whether each request leaves a line in the log, with route, status, duration, request id and trace id.
    #[arg(long, env = "REGISTRY_REQUEST_LOG", value_name = "BOOL", action = ArgAction::Set, default_value_t = false)]
    pub request_log: bool,

    /// Origins of web pages that may use the API, separated by commas: `https://apps.example`. Default: none.
    #[arg(long, env = "REGISTRY_CORS_ORIGINS", value_name = "ORIGINS", value_delimiter = ',')]
    pub cors_origins: Vec<String>,
    /// Whether introspection and /schema.graphql are served. Default: true, in production false.
    #[arg(long, env = "REGISTRY_INTROSPECTION", value_name = "BOOL", action = ArgAction::Set)]
    pub introspection: Option<bool>,
    /// Manifest of stored documents: a JSON object that maps SHA-256 to text. It is checked at the start.
    #[arg(long, env = "REGISTRY_STORED_DOCUMENTS", value_name = "FILE")]
    pub stored_documents: Option<PathBuf>,
    /// Refuses every document that is not in the manifest.
    #[arg(long, env = "REGISTRY_STORED_DOCUMENTS_ONLY")]
    pub stored_documents_only: bool,
    /// Maximum number of documents per client that are registered by sending them once (automatic persisted queries).
    /// 0: none.
    #[arg(long, env = "REGISTRY_AUTOMATIC_DOCUMENTS", default_value_t = 100)]
    pub automatic_documents: u64,
}

impl HttpSettings {
    /// Returns the settings of the server, and adds a problem for each value that is wrong.
    pub async fn settings(&self, environment: Environment, problems: &mut Problems) -> Option<Settings> {
        let limits = self.limits(environment, problems);
        let documents = self.documents(&limits, problems).await;
        // All groups are read before the first `?` returns, so that every problem is reported.
        let (connections, verification) = (self.connections(problems), self.verification(problems));
        let (upload, origins) = (self.upload(problems), problems.ok(self.origins(environment)));
        let (proxies, tls) = (problems.ok(self.proxies()), problems.ok(self.tls()));
        let max_body =
            problems.within("REGISTRY_MAX_BODY", self.max_body, Bytes::kib(64)..=Bytes::mib(256)).0;
        let seconds = |most| Seconds::of(1)..=Seconds::of(most);
        let export = Export {
            deadline: problems.within("REGISTRY_EXPORT_TIMEOUT", self.export_timeout, seconds(86_400)).0,
            ..Export::default()
        };
        let graphql = graphql_front::Settings {
            max_body_bytes: max_body as usize,
            body_deadline: problems.within("REGISTRY_BODY_TIMEOUT", self.body_timeout, seconds(600)).0,
            query_deadline: problems.within("REGISTRY_QUERY_TIMEOUT", self.query_timeout, seconds(300)).0,
            mutation_deadline: problems
                .within("REGISTRY_MUTATION_TIMEOUT", self.mutation_timeout, seconds(600))
                .0,
            cost: self.cost(problems),
            admission: self.load.admission(problems),
            sockets: self.sockets.sockets(problems),
            origins: origins?,
            documents: documents?,
            limits,
            // `serve` starts the threads.
            long_work: None,
        };
        Some(Settings {
            connections,
            graphql,
            verification,
            upload: upload?,
            export,
            proxies: proxies?,
            public_figures: self.public_figures,
            logs_requests: self.request_log,
            metrics: false,
            traces: None,
            tls: tls?,
        })
    }

    fn connections(&self, problems: &mut Problems) -> Connections {
        let head = Seconds::of(1)..=Seconds::of(60);
        Connections {
            maximum: problems.count("REGISTRY_MAX_CONNECTIONS", self.max_connections, 1..=100_000),
            head_deadline: problems.within("REGISTRY_HEAD_TIMEOUT", self.head_timeout, head).0,
            drain: self
                .drain
                .map(|drain| problems.within("REGISTRY_DRAIN", drain, Seconds::of(0)..=Seconds::of(300)).0),
            ..Settings::default().connections
        }
    }

    fn limits(&self, environment: Environment, problems: &mut Problems) -> Limits {
        let query = Bytes::kib(1)..=Bytes::kib(256);
        Limits {
            max_query_bytes: problems.within("REGISTRY_MAX_QUERY", self.max_query, query).0 as usize,
            max_tokens: problems.count("REGISTRY_MAX_TOKENS", self.max_tokens, 100..=20_000),
            // The parser overflows its stack at a depth between 300 and 500.
            max_nesting: problems.count("REGISTRY_MAX_NESTING", self.max_nesting, 5..=100),
            max_depth: problems.count("REGISTRY_MAX_DEPTH", self.max_depth, 3..=30),
            max_fields: problems.count("REGISTRY_MAX_FIELDS", self.max_fields, 10..=20_000),
            max_aliases: problems.count("REGISTRY_MAX_ALIASES", self.max_aliases, 0..=1_000),
            max_directives: problems.count("REGISTRY_MAX_DIRECTIVES", self.max_directives, 0..=1_000),
            max_objects: problems.count("REGISTRY_MAX_OBJECTS", self.max_objects, 100..=1_000_000),
            introspection: self.introspection.unwrap_or(environment == Environment::Development),
            ..Limits::default()
        }
    }

    fn cost(&self, problems: &mut Problems) -> Cost {
        const MOST: u64 = 1_000_000_000;
        Cost {
            per_minute: problems.within("REGISTRY_COST_PER_MINUTE", self.cost_per_minute, 0..=MOST) as u32,
            burst: problems.within("REGISTRY_COST_BURST", self.cost_burst, 1_000..=MOST) as u32,
        }
    }

    fn verification(&self, problems: &mut Problems) -> Verification {
        const MOST: u64 = 1_000_000;
        let in_all = problems.within("REGISTRY_VERIFICATIONS_IN_ALL", self.verifications_in_all, 0..=MOST);
        let of_peer =
            problems.within("REGISTRY_VERIFICATIONS_PER_MINUTE", self.verifications_per_minute, 0..=MOST);
        Verification { per_minute: in_all as u32, per_minute_of_peer: of_peer as u32 }
    }

    fn upload(&self, problems: &mut Problems) -> Option<Upload> {
        let progress = Seconds::of(1)..=Seconds::of(600);
        let rate = problems.within("REGISTRY_UPLOAD_RATE", self.upload_rate, Bytes(1)..=Bytes::gib(1)).0;
        let spool = self.spool_dir.clone().unwrap_or_else(|| Upload::default().spool);
        if !spool.is_dir() {
            problems.add("REGISTRY_SPOOL_DIR: there is no such folder");
        }
        let at_once = problems.count("REGISTRY_MAX_UPLOADS", self.max_uploads, 1..=100);
        let of_client = problems.count("REGISTRY_MAX_UPLOADS_OF_CLIENT", self.max_uploads_of_client, 1..=100);
        Some(Upload {
            limits: self.rosters.limits(problems),
            chunk_rows: self.rosters.chunk_rows(problems),
            progress_deadline: problems.within("REGISTRY_UPLOAD_TIMEOUT", self.upload_timeout, progress).0,
            least_rate: u32::try_from(rate).ok()?.try_into().ok()?,
            at_once,
            at_once_of_client: of_client,
            spool,
        })
    }

    fn tls(&self) -> anyhow::Result<Option<Arc<rustls::ServerConfig>>> {
        match (&self.tls_cert, &self.tls_key) {
            (None, None) => Ok(None),
            (Some(certificates), Some(key)) => Ok(Some(server_config(certificates, key)?)),
            (Some(_), None) => bail!("REGISTRY_TLS_KEY is missing: REGISTRY_TLS_CERT needs its key"),
            (None, Some(_)) => bail!("REGISTRY_TLS_CERT is missing: REGISTRY_TLS_KEY needs its certificate"),
        }
    }

    fn proxies(&self) -> anyhow::Result<TrustedProxies> {
        let networks =
            self.trusted_proxies.iter().map(|network| network.trim()).filter(|text| !text.is_empty());
        TrustedProxies::parse(networks).map_err(|_| {
            anyhow::anyhow!(
                "REGISTRY_TRUSTED_PROXIES: write addresses and networks, as 10.0.0.7,10.0.0.0/8,::1"
            )
        })
    }

    fn origins(&self, environment: Environment) -> anyhow::Result<Origins> {
        let origins = self.cors_origins.iter().map(String::as_str).filter(|origin| !origin.is_empty());
        let origins =
            Origins::parse(origins).context("REGISTRY_CORS_ORIGINS")?.named("REGISTRY_CORS_ORIGINS");
        Ok(match environment {
            Environment::Development => origins.and_localhost(),
            Environment::Production => origins,
        })
    }

    async fn documents(&self, limits: &Limits, problems: &mut Problems) -> Option<Documents> {
        let automatic = problems.count("REGISTRY_AUTOMATIC_DOCUMENTS", self.automatic_documents, 0..=10_000);
        let stored = problems.ok(self.stored_documents(limits).await)?;
        let stored_only = self.stored_documents_only;
        Some(Documents { stored, stored_only, automatic, ..Settings::default().graphql.documents })
    }

    async fn stored_documents(&self, limits: &Limits) -> anyhow::Result<Option<Arc<StoredDocuments>>> {
        let Some(path) = &self.stored_documents else {
            if self.stored_documents_only {
                bail!("REGISTRY_STORED_DOCUMENTS_ONLY needs a manifest: set REGISTRY_STORED_DOCUMENTS");
            }
            return Ok(None);
        };
        let json = std::fs::read(path).context("REGISTRY_STORED_DOCUMENTS: the file cannot be read")?;
        let read = StoredDocuments::read(&json, &crate::graphql::schema(), &CATALOGUE, limits).await;
        Ok(Some(Arc::new(read.context("REGISTRY_STORED_DOCUMENTS")?)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        http: HttpSettings,
    }

    async fn settings(arguments: &[&str], environment: Environment) -> Result<Settings, Problems> {
        let line = Line::parse_from([&["registry"], arguments].concat());
        let mut problems = Problems::default();
        let settings = line.http.settings(environment, &mut problems).await;
        problems.finish(settings)
    }

    #[tokio::test]
    async fn the_defaults_are_those_of_the_server() {
        let read = settings(&[], Environment::Production).await.unwrap();
        let mut expected = Settings::default();
        expected.graphql.limits.introspection = false;
        expected.graphql.origins = Origins::default().named("REGISTRY_CORS_ORIGINS");
        assert_eq!(format!("{read:?}"), format!("{expected:?}"));
        let read = settings(&[], Environment::Development).await.unwrap();
        expected.graphql.limits.introspection = true;
        expected.graphql.origins = expected.graphql.origins.and_localhost();
        assert_eq!(format!("{read:?}"), format!("{expected:?}"));
    }

    #[tokio::test]
    async fn introspection_is_off_in_production_unless_it_is_turned_on() {
        use Environment::{Development, Production};
        for (arguments, environment, introspection) in [
            (&[][..], Development, true),
            (&[], Production, false),
            (&["--introspection", "true"], Production, true),
            (&["--introspection", "false"], Development, false),
        ] {
            let limits = settings(arguments, environment).await.unwrap().graphql.limits;
            assert_eq!(limits.introspection, introspection, "{arguments:?} {environment:?}");
        }
    }

    #[tokio::test]
    async fn a_value_out_of_bounds_is_refused_by_the_name_of_its_variable() {
        let mut all = Vec::new();
        let wrong = [
            ("--max-connections", "0", "REGISTRY_MAX_CONNECTIONS"),
            ("--export-timeout", "0", "REGISTRY_EXPORT_TIMEOUT"),
            ("--trusted-proxies", "10.0.0.0/33", "REGISTRY_TRUSTED_PROXIES"),
            ("--tls-cert", "/nowhere", "REGISTRY_TLS_KEY"),
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
            ("--queue-target", "9s", "REGISTRY_QUEUE_TARGET"),
            ("--queue-interval", "0", "REGISTRY_QUEUE_INTERVAL"),
            ("--max-sockets", "999999", "REGISTRY_MAX_SOCKETS"),
            ("--max-sockets-of-client", "0", "REGISTRY_MAX_SOCKETS_OF_CLIENT"),
            ("--max-socket-operations", "0", "REGISTRY_MAX_SOCKET_OPERATIONS"),
            ("--socket-init-timeout", "0", "REGISTRY_SOCKET_INIT_TIMEOUT"),
            ("--socket-ping-interval", "0", "REGISTRY_SOCKET_PING_INTERVAL"),
            ("--max-socket-message", "1", "REGISTRY_MAX_SOCKET_MESSAGE"),
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
        ];
        for (flag, value, name) in wrong {
            let error = settings(&[flag, value], Environment::Development).await.expect_err(flag);
            assert!(error.to_string().starts_with(name), "{flag}: {error}");
            all.extend([flag, value]);
        }
        let error = settings(&all, Environment::Development).await.unwrap_err().to_string();
        for (_, _, name) in wrong {
            assert!(error.contains(&format!("\n  {name}")), "{name} is missing in {error}");
        }
        let error = settings(&["--stored-documents-only"], Environment::Development).await.unwrap_err();
        assert!(error.to_string().starts_with("REGISTRY_STORED_DOCUMENTS_ONLY"), "{error}");
    }

    #[tokio::test]
    async fn sizes_and_durations_take_units() {
        let line = [
            "--max-body",
            "10MB",
            "--queue-wait",
            "1s",
            "--write-queue-wait",
            "250",
            "--query-timeout",
            "1m",
            "--queue-target",
            "20",
            "--max-socket-message",
            "1MiB",
            "--socket-ping-interval",
            "1m",
        ];
        let read = settings(&line, Environment::Development).await.unwrap();
        assert_eq!(read.graphql.max_body_bytes, 10_000_000);
        assert_eq!(read.graphql.admission.wait, Duration::from_secs(1));
        assert_eq!(read.graphql.admission.wait_of_writes, Duration::from_millis(250));
        assert_eq!(read.graphql.query_deadline, Duration::from_secs(60));
        assert_eq!(read.graphql.admission.target, Duration::from_millis(20));
        assert_eq!(read.graphql.sockets.message_bytes, 1 << 20);
        assert_eq!(read.graphql.sockets.ping_interval, Duration::from_secs(60));
    }
}
