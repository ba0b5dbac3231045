//! The program itself: the settings that it refuses, and its commands.

use std::process::Output;

use axum::http::StatusCode;
use participant_registry::store::audit::seal::seal;
use sqlx::ConnectOptions as _;

use crate::support::cluster::empty_database;
use crate::support::program::{Folder, Program, registry};
use crate::support::provider::Signer;
use crate::support::{App, Person, json};

#[test]
fn production_refuses_to_start_with_settings_that_are_missing_weak_or_for_development() {
    let folder = Folder::new("production");
    let keys = folder.write("keys.json", &json!({"keys": [Signer::rsa("key").jwk()]}).to_string());
    let weak = folder.write("weak.json", &json!({"keys": [Signer::weak("key").jwk()]}).to_string());
    let key = folder.write("key", &"07".repeat(32));
    let good = [
        ("REGISTRY_ENV", "production"),
        ("REGISTRY_LISTEN", "127.0.0.1:0"),
        // No server listens there: the settings are refused before the database is needed.
        ("DATABASE_URL", "postgres://login:SECRET@127.0.0.1:1/registry"),
        ("REGISTRY_KEY_FILE", key.as_str()),
        ("REGISTRY_OIDC_ISSUER", "https://login.example/SECRET"),
        ("REGISTRY_OIDC_AUDIENCE", "registry"),
        ("REGISTRY_OIDC_JWKS_FILE", keys.as_str()),
    ];
    let refused = |arguments: &[&str], changed: &[(&str, &str)]| {
        let output = registry(&folder, &[&["serve"], arguments].concat(), &[&good[..], changed].concat());
        assert!(!output.status.success(), "{arguments:?} {changed:?}");
        let printed = String::from_utf8(output.stderr).unwrap();
        assert!(!printed.contains("SECRET"), "{printed}");
        printed
    };
    for (arguments, changed, named) in [
        (&["--demo"][..], &[][..], "--demo"),
        (&[], &[("REGISTRY_OWN_TOKENS", "true")], "REGISTRY_OWN_TOKENS"),
        (&[], &[("REGISTRY_OIDC_ISSUER", "")], "REGISTRY_OIDC_ISSUER"),
        (&[], &[("REGISTRY_OIDC_AUDIENCE", "")], "REGISTRY_OIDC_AUDIENCE"),
        (&[], &[("REGISTRY_OIDC_ALGORITHMS", "HS256")], "REGISTRY_OIDC_ALGORITHMS"),
        (&[], &[("REGISTRY_OIDC_JWKS_FILE", "/SECRET")], "REGISTRY_OIDC_JWKS_FILE"),
        (&[], &[("REGISTRY_OIDC_JWKS_FILE", weak.as_str())], "REGISTRY_OIDC_JWKS_FILE"),
        (&[], &[("REGISTRY_KEY_FILE", "")], "REGISTRY_KEY_FILE is missing"),
        (&[], &[("DATABASE_URL", "")], "DATABASE_URL is missing"),
        (&[], &[("DATABASE_URL", "SECRET")], "DATABASE_URL"),
        (&["--listen", "0.0.0.0:0", "--demo"], &[], "REGISTRY_LISTEN"),
    ] {
        let printed = refused(arguments, changed);
        assert!(printed.contains(named), "{named}: {printed}");
    }
    let token = registry(&folder, &["token", "--role", "AUDITOR"], &good);
    assert!(!token.status.success() && token.stdout.is_empty());
}

#[test]
fn production_names_everything_that_is_missing_at_once() {
    let folder = Folder::new("missing");
    let output =
        registry(&folder, &["serve"], &[("REGISTRY_ENV", "production"), ("REGISTRY_QUEUE", "99999")]);
    assert_eq!(output.status.code(), Some(3));
    let printed = String::from_utf8(output.stderr).unwrap();
    for name in ["DATABASE_URL", "REGISTRY_KEY_FILE", "REGISTRY_OIDC_ISSUER", "REGISTRY_OIDC_AUDIENCE"] {
        assert!(printed.contains(&format!("\n  {name} is missing: ")), "{name}: {printed}");
    }
    assert!(printed.contains("\n  REGISTRY_QUEUE must be between 0 and 10000"), "{printed}");
}

#[test]
fn production_starts_no_private_postgresql_and_loads_no_invented_people() {
    let folder = Folder::new("no-demo");
    let key = folder.write("key", &"07".repeat(32));
    let settings = [("REGISTRY_ENV", "production"), ("REGISTRY_KEY_FILE", key.as_str())];
    for (arguments, reason) in [
        (&["migrate"][..], "DATABASE_URL is missing"),
        (&["client", "list"], "DATABASE_URL is missing"),
        (&["recount"], "DATABASE_URL is missing"),
        (&["lapse"], "DATABASE_URL is missing"),
        (&["key", "status"], "DATABASE_URL is missing"),
        (&["audit", "verify"], "DATABASE_URL is missing"),
        (&["demo"], "REGISTRY_ENV=production"),
    ] {
        let output = registry(&folder, arguments, &settings);
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && printed.contains(reason), "{arguments:?}: {printed}");
        assert!(!folder.0.join("data").exists(), "{arguments:?} has made a data folder");
    }
}

/// Commands that need a registry, and make none.
const COMMANDS: [&[&str]; 6] = [
    &["client", "list"],
    &["audit", "verify"],
    &["recount"],
    &["lapse"],
    &["key", "status"],
    &["token", "--role", "AUDITOR"],
];

#[tokio::test]
async fn only_migrate_brings_tables_up_to_date() {
    let folder = Folder::new("migrating");
    let key = folder.write("key", &"07".repeat(32));
    let database = empty_database().await;
    let owner = database.url_of(database.owner.get_username());
    let settings = [("DATABASE_URL", owner.as_str()), ("REGISTRY_KEY_FILE", key.as_str())];
    let all_say = |expected: &str| {
        for arguments in COMMANDS {
            let output = registry(&folder, arguments, &settings);
            let printed = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(
                output.status.code() == Some(3) && printed.contains(expected),
                "{arguments:?}: {printed}"
            );
        }
    };
    let mut sql = database.owner.connect().await.unwrap();
    all_say("there are no tables yet: run `registry migrate`");
    let tables = "select count(*) from pg_class where relnamespace = 'public'::regnamespace";
    assert_eq!(sqlx::query_scalar::<_, i64>(tables).fetch_one(&mut sql).await.unwrap(), 0);
    assert!(registry(&folder, &["migrate"], &settings).status.success());
    assert!(registry(&folder, &["client", "list"], &settings).status.success());
    // As an older version left them.
    let older =
        "create temporary table newest as select * from _sqlx_migrations order by version desc limit 1;
                 delete from _sqlx_migrations where version = (select version from newest)";
    sqlx::raw_sql(older).execute(&mut sql).await.unwrap();
    all_say("the tables are of another version: back up, and run `registry migrate`");
    let newer = "insert into _sqlx_migrations select * from newest;
                 insert into _sqlx_migrations select 9999, 'newer', now(), true, '\\x00', 1";
    sqlx::raw_sql(newer).execute(&mut sql).await.unwrap();
    all_say("the tables are of a newer version than this program: install the newer program");
}

#[test]
fn no_command_makes_a_registry_where_there_is_none() {
    let folder = Folder::new("nowhere");
    for arguments in COMMANDS {
        let output = registry(&folder, arguments, &[]);
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        let expected = "there is no registry in ";
        assert!(output.status.code() == Some(3) && printed.contains(expected), "{arguments:?}: {printed}");
        assert!(!folder.0.join("data").exists(), "{arguments:?} has made a data folder");
    }
}

#[test]
fn a_wrong_variable_is_refused_by_its_name_and_a_wrong_flag_by_its_own() {
    let folder = Folder::new("variables");
    let run = |arguments: &[&str], settings: &[(&str, &str)]| {
        let output = registry(&folder, arguments, settings);
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, printed) = run(
        &["serve"],
        &[
            ("REGISTRY_MAX_BODY", "10SECRETS"),
            ("REGISTRY_QUERY_TIMEOUT", "SECRET"),
            ("REGISTRY_POOL", "SECRET"),
            ("REGISTRY_ENV", "SECRET"),
            ("REGISTRY_LISTEN", "SECRET"),
            ("REGISTRY_INTROSPECTION", "SECRET"),
            ("REGISTRY_OIDC_ISUER", "SECRET"),
            // An empty variable counts as missing.
            ("REGISTRY_QUEUE_WAIT", ""),
        ],
    );
    assert!(code == 3 && !printed.contains("SECRET"), "{printed}");
    for line in [
        "7 settings are wrong",
        "REGISTRY_OIDC_ISUER is not a setting; did you mean REGISTRY_OIDC_ISSUER?",
        "REGISTRY_MAX_BODY: write a size with a unit, as 512KiB, 8MiB, 10MB or 2GB, or a number of bytes",
        "REGISTRY_QUERY_TIMEOUT: write a duration with a unit",
        "REGISTRY_POOL: write a whole number",
        "REGISTRY_ENV: write one of development, production",
        "REGISTRY_LISTEN: invalid socket address syntax",
        "REGISTRY_INTROSPECTION: write one of true, false",
    ] {
        assert!(printed.contains(line), "{line}: {printed}");
    }
    let (code, printed) = run(&["serve", "--max-body", "10 apples"], &[("REGISTRY_MAX_BODY", "10MB")]);
    assert!(code == 2 && printed.contains("--max-body"), "{printed}");
    // A size with a unit is understood: only the other value is wrong.
    let units = [("REGISTRY_MAX_BODY", "10MB"), ("REGISTRY_BODY_TIMEOUT", "1m"), ("REGISTRY_QUEUE", "99999")];
    let (code, printed) = run(&["serve"], &units);
    assert!(
        code == 3 && printed.contains("registry: REGISTRY_QUEUE must be between 0 and 10000"),
        "{printed}"
    );
    // Every command checks the variables, but help works anyway.
    assert_eq!(run(&["schema"], &[("REGISTRY_OIDC_ISUER", "x")]).0, 3);
    assert_eq!(run(&["--help"], &[("REGISTRY_OIDC_ISUER", "x")]).0, 0);
}

#[tokio::test]
async fn production_serves_under_a_login_that_owns_nothing() {
    let app = App::new().await;
    let folder = Folder::new("login");
    let keys = folder.write("keys.json", &json!({"keys": [Signer::rsa("key").jwk()]}).to_string());
    let key = folder.write("key", &"07".repeat(32));
    let settings = |url: &str| {
        [
            ("REGISTRY_ENV", "production".to_owned()),
            ("REGISTRY_LISTEN", "127.0.0.1:0".to_owned()),
            ("REGISTRY_OIDC_ISSUER", "https://login.example".to_owned()),
            ("REGISTRY_OIDC_AUDIENCE", "registry".to_owned()),
            ("REGISTRY_OIDC_JWKS_FILE", keys.clone()),
            ("REGISTRY_KEY_FILE", key.clone()),
            ("DATABASE_URL", url.to_owned()),
        ]
    };
    let owner = settings(&app.owner_url());
    let owner: Vec<(&str, &str)> = owner.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let refused = registry(&folder, &["serve"], &owner);
    let printed = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && printed.contains("DATABASE_URL: in production"), "{printed}");

    let login = app.login().await;
    let url = app.database_url_of(&login.name);
    let served = settings(&url);
    let served: Vec<(&str, &str)> = served.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let program = Program::serve(&served);
    let ready = program.send("GET /readyz HTTP/1.1\r\nHost: registry\r\nConnection: close\r\n\r\n");
    assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
    let page = program.send("GET / HTTP/1.1\r\nHost: registry\r\nConnection: close\r\n\r\n");
    assert!(page.starts_with("HTTP/1.1 404"), "production has no playground: {page}");
    program.stop();
    login.drop().await;
}

#[tokio::test]
async fn a_token_registers_its_client_and_changes_it_only_with_replace() {
    let app = App::new().await;
    let folder = Folder::new("token");
    // The key of the tests.
    let key = folder.write("key", &"07".repeat(32));
    let url = app.database_url();
    let settings = [("DATABASE_URL", url.as_str()), ("REGISTRY_KEY_FILE", key.as_str())];
    let run = |arguments: &[&str]| registry(&folder, arguments, &settings);
    let token = |output: Output| {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    };
    let role_of = async |token: &str| {
        let viewer = app.ask_as(token, "{ viewer { name role provinces { code } } }", json!({})).await;
        viewer["viewer"].clone()
    };
    let officer = token(run(&["token", "--role", "officer", "--province", "16", "--name", "field"]));
    let sixteen = json!({"name": "field", "role": "OFFICER", "provinces": [{"code": "16"}]});
    assert_eq!(role_of(&officer).await, sixteen);
    // The same values change nothing. Other values are refused, and the client stays as it was.
    token(run(&["token", "--role", "officer", "--province", "16", "--name", "field"]));
    let other = run(&["token", "--role", "administrator", "--name", "field"]);
    assert!(!other.status.success() && other.stdout.is_empty());
    assert!(String::from_utf8_lossy(&other.stderr).contains("--replace"));
    assert_eq!(role_of(&officer).await, sixteen);
    let administrator = token(run(&["token", "--role", "administrator", "--name", "field", "--replace"]));
    // Other processes get a notification of the change; this test does not listen.
    app.database.clients.refresh(&app.database.control).await.unwrap();
    assert_eq!(role_of(&administrator).await["role"], "ADMINISTRATOR");
    // A partner without a scope is refused, as in the API.
    let partner = run(&["token", "--role", "partner", "--name", "bank"]);
    assert!(!partner.status.success() && partner.stdout.is_empty());
}

#[tokio::test]
async fn clients_are_added_listed_and_disabled_from_the_command_line() {
    let app = App::new().await;
    let folder = Folder::new("client");
    let key = folder.write("key", &"07".repeat(32));
    let url = app.database_url();
    let settings = [
        ("DATABASE_URL", url.as_str()),
        ("REGISTRY_KEY_FILE", key.as_str()),
        ("REGISTRY_ENV", "production"),
        ("REGISTRY_OIDC_ISSUER", "https://login.example"),
        ("REGISTRY_OIDC_AUDIENCE", "registry"),
    ];
    let run = |arguments: &[&str]| {
        let output = registry(&folder, arguments, &settings);
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), String::from_utf8(output.stdout).unwrap(), printed)
    };
    let add = ["client", "add", "--subject", "auth0|1", "--name", "First", "--role", "administrator"];
    assert!(run(&add).0);
    let (added, _, printed) = run(&add);
    assert!(!added && printed.contains("registered already"), "{printed}");
    let ours = ["client", "add", "--issuer", "participant-registry", "--subject", "desk", "--name", "Desk"];
    assert!(run(&[&ours[..], &["--role", "licensing-desk"]].concat()).0);
    let (_, listed, _) = run(&["client", "list"]);
    assert_eq!(
        listed,
        "Desk\tLICENSING_DESK\tenabled\tparticipant-registry\tdesk\tmasked\teverybody\n\
         First\tADMINISTRATOR\tenabled\thttps://login.example\tauth0|1\tmasked\teverybody\n"
    );
    let token = app.token_of("desk");
    assert_eq!(app.status_of(&token).await, StatusCode::OK);
    assert!(run(&["client", "disable", "--name", "Desk"]).0);
    app.database.clients.refresh(&app.database.control).await.unwrap();
    assert_eq!(app.status_of(&token).await, StatusCode::UNAUTHORIZED);
    assert!(run(&["client", "enable", "--name", "Desk"]).0);
    // The command line may disable even the last administrator, because its token may be stolen.
    assert!(run(&["client", "disable", "--name", "First"]).0);
    assert!(run(&["client", "list"]).1.contains("First\tADMINISTRATOR\tdisabled"));
    let (found, _, printed) = run(&["client", "disable", "--name", "Nobody"]);
    assert!(!found && printed.contains("client list"), "{printed}");
}

#[tokio::test]
async fn the_audit_trail_is_read_and_verified_from_the_command_line() {
    let app = App::new().await;
    let folder = Folder::new("audit");
    let key = folder.write("key", &"07".repeat(32));
    let url = app.database_url();
    let settings = [("DATABASE_URL", url.as_str()), ("REGISTRY_KEY_FILE", key.as_str())];
    let run = |arguments: &[&str]| {
        let output = registry(&folder, &[&["audit"], arguments].concat(), &settings);
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let id = app.enrolled(&Person::new(&app.channel("BR-PLG").await)).await;
    let card = app.ask("{ participants { nodes { cardNumber } } }", json!({})).await;
    let card = card["participants"]["nodes"][0]["cardNumber"].as_str().unwrap().to_owned();
    assert_eq!(run(&["head"]), (3, String::new()));
    app.wait_until_all_can_be_sealed().await;
    seal(&app.database).await.unwrap();
    let (code, head) = run(&["head"]);
    assert!(code == 0 && head.starts_with("1\t"), "{head}");
    let kept = folder.write("head", &head);
    let (code, printed) = run(&["verify", "--head", &kept]);
    assert!(code == 0 && printed.starts_with("intact: 2 entries under 1 seals; 0 newer"), "{printed}");
    // Id and card number find the same entries; a period limits them.
    let (_, saw) = run(&["who-saw", &id]);
    let lines: Vec<&str> = saw.lines().collect();
    assert_eq!(lines.len(), 3, "{saw}");
    assert!(lines[1].contains("\tADMINISTRATOR\tADMINISTRATOR\tWRITTEN\tenrollParticipant\t1\t-\t"), "{saw}");
    assert!(lines[2].contains("\tREAD\tparticipants\t1\t-\t"), "{saw}");
    assert_eq!(run(&["who-saw", &card]).1, saw);
    assert_eq!(run(&["who-saw", &card, "--until", "2014-10-02"]).1.lines().count(), 1);
    let (_, seen) = run(&["seen-by", "ADMINISTRATOR", "--from", "2014-10-02"]);
    assert!(seen.lines().nth(1).unwrap().starts_with(&format!("{card}\t2\t")), "{seen}");
    assert_eq!(run(&["seen-by", "nobody of this name"]), (3, String::new()));
    // After seals and entries are removed, the rest verifies by itself, but not against the stored head.
    app.owner("alter table audit_entry disable trigger user; alter table audit_seal disable trigger user")
        .await;
    app.owner(
        "delete from audit_seal; delete from audit_entry where id > 1; truncate audit_segment, audit_posting",
    )
    .await;
    assert_eq!(run(&["verify"]).0, 0);
    let (code, printed) = run(&["verify", "--head", &kept]);
    assert!(code == 1 && printed.starts_with("TAMPERED: the given head"), "{printed}");
    assert_eq!(run(&["verify", "--head", "nowhere"]).0, 3);
}
