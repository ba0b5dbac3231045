//! The steps of docs/operating.md exactly as printed there, with the program itself: from an empty PostgreSQL to the
//! first enrollment, and again after an update.
//!
//! PostgreSQL requires the passwords of the page. The provider uses TLS and changes its keys. The test replaces only
//! parts of another machine: the folder `/etc/registry`, the ports, the provider's address, and the date of the first
//! enrollment.

use std::process::{Command, Output};
use std::sync::Arc;

use chrono::DateTime;
use private_postgres::{Cluster, ClusterSettings, DATA_FOLDER, Durability};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use crate::support::program::{Folder, Program};
use crate::support::provider::{FakeProvider, Published, Signer, seconds_from_now};
use crate::support::tls::{PostgresPort, authority};
use crate::support::{Value, json};

const PAGE: &str = include_str!("../../docs/operating.md");

/// A code block of the page.
#[derive(Debug)]
struct Block {
    language: &'static str,
    text: &'static str,
}

/// Returns the code blocks of a step, in order.
fn step(number: u32) -> Vec<Block> {
    let heading = format!("\n### {number}. ");
    let (_, after) = PAGE.split_once(&heading).unwrap_or_else(|| panic!("no step {number}"));
    let text = &after[..after.find("\n##").unwrap_or(after.len())];
    let mut parts = text.split("```");
    // The text before the first fence is prose. Each fence begins a block of code.
    parts.next();
    let code = parts.step_by(2);
    code.map(|code| {
        let (language, text) = code.split_once('\n').expect("a language and its text");
        Block { language, text }
    })
    .collect()
}

/// Returns the only block of a step in a language.
fn block(number: u32, language: &str) -> &'static str {
    let mut found = step(number).into_iter().filter(|block| block.language == language);
    let only = found.next().unwrap_or_else(|| panic!("step {number} has no {language}")).text;
    assert!(found.next().is_none(), "step {number} has several blocks of {language}");
    only
}

/// A host in a folder, with PostgreSQL and a provider.
struct Host {
    cluster: Cluster,
    port: PostgresPort,
    provider: FakeProvider,
    /// Last, so that it is removed after its PostgreSQL has stopped.
    folder: Folder,
}

impl Host {
    async fn new(name: &str, keys: Vec<Value>) -> Self {
        let folder = Folder::new(name);
        let settings = ClusterSettings { database: "operator", durability: Durability::Throwaway };
        let data = folder.0.join("postgres");
        let cluster = Cluster::start(&data, settings).await.unwrap();
        // As on a real server, only its operator needs no password.
        let rules = "local all postgres trust\nlocal all all scram-sha-256\n";
        std::fs::write(data.join(DATA_FOLDER).join("pg_hba.conf"), rules).unwrap();
        let mut operator = cluster.options().connect().await.unwrap();
        sqlx::raw_sql("select pg_reload_conf()").execute(&mut operator).await.unwrap();
        operator.close().await.unwrap();
        std::fs::create_dir(folder.0.join("bin")).unwrap();
        let program = folder.0.join("bin/registry");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_registry"), program).unwrap();
        std::fs::create_dir(folder.0.join("etc")).unwrap();
        let port = PostgresPort::open(&cluster.options(), false).await;
        let provider = FakeProvider::start_over_tls(Published::Keys(keys), "/realms/agency").await;
        Self { folder, cluster, port, provider }
    }

    /// Returns a text with the paths and ports of this host.
    fn localized(&self, text: &str) -> String {
        let etc = self.folder.0.join("etc").display().to_string();
        text.replace("/etc/registry", &etc)
            .replace("@localhost/", &format!("@localhost:{}/", self.port.number))
            .replace("https://login.example.org/realms/agency", self.provider.issuer())
            .replace("127.0.0.1:8080", "127.0.0.1:0")
    }

    /// Runs a block in a shell.
    async fn paste(&self, text: &str) -> Output {
        let path = format!("{}:{}", self.folder.0.join("bin").display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", &self.localized(text)]).current_dir(&self.folder.0).env_clear();
        // The operating system trusts the agency's own authority.
        shell.env("PATH", path).env("SSL_CERT_FILE", authority());
        tokio::task::spawn_blocking(move || shell.output().unwrap()).await.unwrap()
    }

    /// Runs a block that must succeed, and returns its output.
    async fn run_ok(&self, text: &str) -> String {
        let output = self.paste(text).await;
        assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a block in `psql`.
    async fn sql(&self, options: PgConnectOptions, text: &str) {
        let mut connection = options.connect().await.unwrap();
        // The statements run one by one, because a database cannot be created in a transaction.
        for statement in text.split_inclusive(";\n") {
            let ran = sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await;
            ran.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
        connection.close().await.unwrap();
    }

    /// Returns the address in a block of settings or commands that begins with this text.
    fn database(&self, text: &str, beginning: &str) -> PgConnectOptions {
        let text = self.localized(text);
        let at = text.find(beginning).unwrap_or_else(|| panic!("no {beginning} in {text}"));
        let url: String = text[at..].chars().take_while(|c| !c.is_whitespace() && *c != '\'').collect();
        url.parse().unwrap()
    }

    /// Serves with the settings of the file, as a supervisor does.
    async fn serve(&self) -> Program {
        let file = std::fs::read_to_string(self.folder.0.join("etc/registry.env")).unwrap();
        let authority = authority().display().to_string();
        tokio::task::spawn_blocking(move || {
            let mut settings: Vec<(&str, &str)> =
                file.lines().map(|line| line.split_once('=').expect("NAME=VALUE")).collect();
            settings.push(("SSL_CERT_FILE", &authority));
            Program::serve(&settings)
        })
        .await
        .unwrap()
    }

    /// Posts a document with a token, and returns its data.
    async fn ask(&self, served: &Arc<Program>, token: &str, document: &str) -> Value {
        let (served, token, document) = (Arc::clone(served), token.to_owned(), document.to_owned());
        let answer =
            tokio::task::spawn_blocking(move || served.ask(&token, &document, json!({}))).await.unwrap();
        let body = answer.find('{').map(|at| &answer[at..=answer.rfind('}').unwrap()]);
        let mut body: Value = serde_json::from_str(body.unwrap_or_else(|| panic!("{answer}"))).unwrap();
        assert_eq!(body.get("errors"), None, "{body}");
        body["data"].take()
    }
}

/// Returns the document of the first enrollment, with today's date.
fn enroll() -> String {
    let today = DateTime::from_timestamp(seconds_from_now(0), 0).unwrap().date_naive();
    let document = step(9).into_iter().filter(|block| block.language == "graphql").nth(1).unwrap().text;
    let (before, after) = document.split_once("startsOn: \"").unwrap();
    let (_, after) = after.split_once('"').unwrap();
    format!("{before}startsOn: \"{today}\"{after}")
}

fn without_errors(data: &Value) {
    for (field, payload) in data.as_object().unwrap() {
        assert_eq!(payload["errors"], json!([]), "{field}");
    }
}

async fn stop(served: Arc<Program>) -> String {
    let served = Arc::into_inner(served).expect("no request is running");
    tokio::task::spawn_blocking(move || served.stop()).await.unwrap()
}

#[tokio::test]
async fn production_is_set_up_as_the_page_says_and_works_after_an_update() {
    let (rsa, ec) = (Signer::rsa("2026-11"), Signer::ec("2026-11-ec"));
    let host = Host::new("production-steps", vec![rsa.jwk(), ec.jwk()]).await;
    let subject = "auth0|1234";
    let claims = || {
        let mut claims = host.provider.claims(subject);
        claims["aud"] = json!("registry");
        claims
    };

    // 2 to 5: owner and database, key, tables, login.
    host.sql(host.cluster.options(), block(2, "sql")).await;
    host.run_ok(block(3, "sh")).await;
    let migrate = block(4, "sh");
    host.run_ok(migrate).await;
    host.sql(host.database(migrate, "postgres://registry_owner"), block(5, "sql")).await;

    // 6 and 7: settings, and the first client.
    let file = host.folder.0.join("etc/registry.env");
    std::fs::write(&file, host.localized(block(6, "text"))).unwrap();
    let listed = host.run_ok(block(7, "sh")).await;
    let issuer = host.provider.issuer();
    assert!(
        listed.contains(&format!("Head office\tADMINISTRATOR\tenabled\t{issuer}\t{subject}")),
        "{listed}"
    );

    // 8 and 9: the server, the first channel and employer, the first enrollment.
    let served = Arc::new(host.serve().await);
    let documents = step(9);
    let first = host.ask(&served, &rsa.sign(&claims()), documents[0].text).await;
    without_errors(&first);
    let employer = first["registerEmployer"]["employer"]["id"].as_str().unwrap();
    assert!(
        enroll().contains(&format!("employerId: \"{employer}\"")),
        "the page says another id than {employer}"
    );
    let enrolled = host.ask(&served, &ec.sign(&claims()), &enroll()).await;
    without_errors(&enrolled);
    let card = enrolled["enrollParticipant"]["participant"]["cardNumber"].as_str().unwrap().to_owned();

    // The provider changes its keys: those of the new ones are accepted at once.
    let renewed = Signer::other_rsa("2026-12");
    host.provider.publish(Published::Keys(vec![renewed.jwk()]));
    let people = "{ participants(first: 10) { nodes { cardNumber fullName } } }";
    let expected = json!({"participants": {"nodes": [{"cardNumber": card, "fullName": "Siti Rahayu"}]}});
    assert_eq!(host.ask(&served, &renewed.sign(&claims()), people).await, expected);
    let log = stop(served).await;
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{log}");
    assert!(!log.contains("3171014208850001") && !log.contains("Siti"), "{log}");

    // An update: migrate again as the owner, restart the server.
    host.run_ok(migrate).await;
    let served = Arc::new(host.serve().await);
    assert_eq!(host.ask(&served, &renewed.sign(&claims()), people).await, expected);
    stop(served).await;
    host.cluster.stop().await;
}

#[tokio::test]
async fn an_administrator_can_create_the_roles_for_an_owner_without_createrole() {
    let host = Host::new("production-roles", vec![Signer::rsa("key").jwk()]).await;
    let create = block(2, "sql").replace(" createrole", "");
    host.sql(host.cluster.options(), &create).await;
    host.run_ok(block(3, "sh")).await;
    let migrate = block(4, "sh");
    let refused = host.paste(migrate).await;
    assert!(!refused.status.success());
    host.sql(host.cluster.options(), block(4, "sql")).await;
    host.run_ok(migrate).await;
    // The owner may not create the login either, so the administrator does.
    host.sql(host.cluster.options(), block(5, "sql")).await;
    host.cluster.stop().await;
}

#[test]
fn the_page_has_a_block_for_each_step() {
    for (number, languages) in [
        (1, &["sh"][..]),
        (2, &["sql"]),
        (3, &["sh"]),
        (4, &["sh", "sql"]),
        (5, &["sql"]),
        (6, &["text"]),
        (7, &["sh"]),
        (8, &["sh", "ini"]),
        (9, &["graphql", "graphql"]),
    ] {
        let found: Vec<&str> = step(number).iter().map(|block| block.language).collect();
        assert_eq!(found, languages, "step {number}");
    }
}
