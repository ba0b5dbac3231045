//! TLS to PostgreSQL and to the identity provider, with the certificate of an agency's own authority.

use axum::http::StatusCode;
use participant_registry::http::auth::Authority;
use participant_registry::http::auth::provider::{AuthorityError, Fetcher, Provider, ProviderSettings};

use crate::support::App;
use crate::support::program::{Folder, registry};
use crate::support::provider::{FakeProvider, Published, Signer};
use crate::support::tls::{PostgresPort, authority};

#[tokio::test]
async fn postgresql_is_reached_over_tls_by_an_authority_in_a_file() {
    let app = App::new().await;
    let folder = Folder::new("tls");
    let key = folder.write("key", &"07".repeat(32));
    let (encrypted, plain) =
        (PostgresPort::open(&app.options(), true).await, PostgresPort::open(&app.options(), false).await);
    let options = app.options();
    let url = |port: &PostgresPort, rest: &str| {
        let (login, database) = (options.get_username(), options.get_database().unwrap());
        format!("postgres://{login}@localhost:{}/{database}?{rest}", port.number)
    };
    let file = authority().display().to_string();
    let list = async |url: String, variable: Option<(&'static str, String)>| {
        let (key, folder) = (key.clone(), folder.0.clone());
        // This runtime serves the port, so another thread waits for the program.
        tokio::task::spawn_blocking(move || {
            let mut settings = vec![("DATABASE_URL", url.as_str()), ("REGISTRY_KEY_FILE", key.as_str())];
            settings.extend(variable.as_ref().map(|(name, value)| (*name, value.as_str())));
            let folder = Folder(folder.join("commands"));
            registry(&folder, &["client", "list"], &settings)
        })
        .await
        .unwrap()
    };
    let verified = url(&encrypted, &format!("sslmode=verify-full&sslrootcert={file}"));
    let listed = list(verified, None).await;
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    // The authority may also be one of the operating system.
    let of_system = list(url(&encrypted, "sslmode=verify-full"), Some(("SSL_CERT_FILE", file.clone()))).await;
    assert!(of_system.status.success(), "{}", String::from_utf8_lossy(&of_system.stderr));
    let unknown = list(url(&encrypted, "sslmode=verify-full"), None).await;
    assert!(!unknown.status.success());
    let unencrypted = list(url(&plain, &format!("sslmode=verify-full&sslrootcert={file}")), None).await;
    assert!(!unencrypted.status.success());
}

#[tokio::test]
async fn the_provider_is_reached_over_tls_by_an_authority_in_a_file() {
    let key = Signer::ec("key");
    let fake = FakeProvider::start_over_tls(Published::Keys(vec![key.jwk()]), "/realms/agency").await;
    assert!(fake.issuer().starts_with("https://localhost:"));
    let open = async |fetcher| {
        let settings = ProviderSettings { fetcher, ..fake.settings() };
        Authority::new(false, Some(Provider::open(settings).await.unwrap()))
    };
    let trusted = open(Fetcher::new(Some(&authority())).unwrap()).await;
    let app = App::new().await.with_authority(trusted);
    let token = key.sign(&fake.claims("nobody"));
    // The signature was verified, and only the client is unknown.
    assert_eq!(app.status_of(&token).await, StatusCode::UNAUTHORIZED);
    // A provider of another authority is not trusted: its keys are not used.
    let app = app.with_authority(open(Fetcher::without_tls()).await);
    assert_eq!(app.status_of(&token).await, StatusCode::SERVICE_UNAVAILABLE);
}

#[test]
fn a_file_without_certificates_is_refused() {
    let folder = Folder::new("authorities");
    let (empty, text) = (folder.write("empty.pem", ""), folder.write("text.pem", "no certificate"));
    for path in [empty.as_str(), text.as_str(), "/nowhere/authorities.pem"] {
        assert_eq!(Fetcher::new(Some(path.as_ref())).err(), Some(AuthorityError::File), "{path}");
    }
}
