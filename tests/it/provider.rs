//! The keys of an identity provider. They are refreshed, kept while the provider is down, and not fetched for each
//! unknown key id.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use domain::actor::{Actor, Role};
use futures_util::future::join_all;
use participant_registry::actions::Submission;
use participant_registry::actions::register_client::{Input, Scope, register_client};
use participant_registry::http::auth::Authority;
use participant_registry::http::auth::provider::{KeySource, Provider, ProviderSettings, Timing};

use crate::support::program::Folder;
use crate::support::provider::{FakeProvider, Published, Signer, TOKEN_ENDPOINT};
use crate::support::{App, json};

const SUBJECT: &str = "payroll";

/// Returns a registry that trusts a provider and has one of its clients.
async fn trusting(provider: Arc<Provider>, issuer: &str) -> App {
    let app = App::new().await.with_authority(Authority::new(false, Some(provider)));
    let input = Input {
        issuer: issuer.to_owned(),
        subject: SUBJECT.to_owned(),
        name: "Payroll".to_owned(),
        role: Role::Analyst,
        scope: Scope::default(),
        reads_personal_data: false,
    };
    let done =
        register_client(&app.database, &Actor::command_line(), Submission::default(), &input).await.unwrap();
    assert!(done.value.is_some(), "{:?}", done.problems);
    app
}

#[tokio::test]
async fn the_pages_may_fetch_tokens_where_the_discovery_document_says() {
    let provider = FakeProvider::start(Published::Keys(vec![Signer::rsa("one").jwk()])).await;
    let discovered = provider.open().await.unwrap();
    assert_eq!(discovered.token_endpoint().as_deref(), Some(TOKEN_ENDPOINT));
    // Without the document nobody knows.
    let keys = ProviderSettings { source: provider.keys_url(), ..provider.settings() };
    assert_eq!(Provider::open(keys).await.unwrap().token_endpoint(), None);
}

#[tokio::test]
async fn a_new_key_is_fetched_once_and_unknown_key_ids_are_throttled() {
    let (old, new) = (Signer::rsa("2014-09"), Signer::other_rsa("2014-10"));
    let fake = FakeProvider::start(Published::Keys(vec![old.jwk()])).await;
    let app = trusting(fake.open().await.unwrap(), fake.issuer()).await;
    assert_eq!(app.status_of(&old.sign(&fake.claims(SUBJECT))).await, StatusCode::OK);
    assert_eq!(fake.fetch_count(), 1);
    // The keys change. Many clients with new tokens arrive at once, and one fetch serves all.
    fake.publish(Published::Keys(vec![new.jwk()]));
    let token = new.sign(&fake.claims(SUBJECT));
    let answers = join_all((0..20).map(|_| app.status_of(&token))).await;
    assert!(answers.iter().all(|&status| status == StatusCode::OK), "{answers:?}");
    assert_eq!(fake.fetch_count(), 2);
    // The old key is no longer valid.
    assert_eq!(app.status_of(&old.sign(&fake.claims(SUBJECT))).await, StatusCode::UNAUTHORIZED);
    let made_up: Vec<String> =
        (0..100).map(|n| Signer::rsa(&format!("made-up-{n}")).sign(&fake.claims(SUBJECT))).collect();
    let answers = join_all(made_up.iter().map(|token| app.status_of(token))).await;
    assert!(answers.iter().all(|&status| status == StatusCode::UNAUTHORIZED));
    assert_eq!(fake.fetch_count(), 2);
    assert_eq!(app.status_of(&token).await, StatusCode::OK);
}

#[tokio::test]
async fn a_hundred_unknown_key_ids_cause_one_fetch() {
    let key = Signer::rsa("key");
    let fake = FakeProvider::start(Published::Keys(vec![key.jwk()])).await;
    let app = trusting(fake.open().await.unwrap(), fake.issuer()).await;
    let made_up: Vec<String> =
        (0..100).map(|n| Signer::other_rsa(&format!("made-up-{n}")).sign(&fake.claims(SUBJECT))).collect();
    let answers = join_all(made_up.iter().map(|token| app.status_of(token))).await;
    assert!(answers.iter().all(|&status| status == StatusCode::UNAUTHORIZED));
    assert_eq!(fake.fetch_count(), 2);
}

#[tokio::test]
async fn the_last_keys_stay_valid_while_the_provider_fails() {
    let key = Signer::rsa("key");
    let fake = FakeProvider::start(Published::Keys(vec![key.jwk()])).await;
    let impatient = Timing { unknown: Duration::ZERO, ..Timing::default() };
    let settings = ProviderSettings { timing: impatient, ..fake.settings() };
    let app = trusting(Provider::open(settings).await.unwrap(), fake.issuer()).await;
    let (token, unknown) =
        (key.sign(&fake.claims(SUBJECT)), Signer::rsa("unknown").sign(&fake.claims(SUBJECT)));
    let trap = format!("{}/keys", fake.issuer());
    for (asked, published) in [
        Published::Status(503),
        Published::Status(404),
        Published::Text("<html>".to_owned()),
        Published::Text(" ".repeat(1024 * 1024 + 1)),
        Published::Keys(Vec::new()),
        Published::Keys(vec![Signer::weak("unknown").jwk()]),
        Published::Elsewhere(trap),
    ]
    .into_iter()
    .enumerate()
    {
        fake.publish(published);
        assert_eq!(app.status_of(&unknown).await, StatusCode::UNAUTHORIZED);
        assert_eq!(fake.fetch_count(), asked + 2, "the keys were fetched, and no redirect was followed");
        assert_eq!(app.status_of(&token).await, StatusCode::OK);
    }
    fake.stop();
    assert_eq!(app.status_of(&unknown).await, StatusCode::UNAUTHORIZED);
    assert_eq!(app.status_of(&token).await, StatusCode::OK);
}

#[tokio::test]
async fn keys_expire_if_the_provider_is_away_for_too_long() {
    let key = Signer::rsa("key");
    let fake = FakeProvider::start(Published::Keys(vec![key.jwk()])).await;
    let brief = Timing { lifetime: Duration::ZERO, ..Timing::default() };
    let settings = ProviderSettings { timing: brief, ..fake.settings() };
    let app = trusting(Provider::open(settings).await.unwrap(), fake.issuer()).await;
    let token = key.sign(&fake.claims(SUBJECT));
    assert_eq!(app.status_of(&token).await, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_provider_that_is_down_at_startup_is_used_once_it_is_back() {
    let key = Signer::ec("key");
    let fake = FakeProvider::start(Published::Status(500)).await;
    let app = trusting(fake.open().await.unwrap(), fake.issuer()).await;
    let token = key.sign(&fake.claims(SUBJECT));
    fake.publish(Published::Keys(vec![key.jwk()]));
    assert_eq!(app.status_of(&token).await, StatusCode::OK);
}

#[tokio::test]
async fn keys_are_refreshed_periodically() {
    let (old, new) = (Signer::rsa("key"), Signer::other_rsa("key"));
    let fake = FakeProvider::start(Published::Keys(vec![old.jwk()])).await;
    let often = Timing { renewal: Duration::from_millis(10), ..Timing::default() };
    let settings = ProviderSettings { timing: often, ..fake.settings() };
    let opened = Provider::open(settings).await.unwrap();
    let app = trusting(Arc::clone(&opened), fake.issuer()).await;
    tokio::spawn(Authority::new(false, Some(opened)).renew_keys());
    // Another key with the same id: no token triggers a fetch.
    fake.publish(Published::Keys(vec![new.jwk()]));
    let (before, after) = (old.sign(&fake.claims(SUBJECT)), new.sign(&fake.claims(SUBJECT)));
    let renewed = async {
        while app.status_of(&after).await != StatusCode::OK {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), renewed).await.unwrap();
    assert_eq!(app.status_of(&before).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_invalid_key_location_stops_the_start() {
    let fake = FakeProvider::start(Published::Keys(vec![Signer::weak("key").jwk()])).await;
    let issuer = fake.issuer().to_owned();
    let keys = format!("{issuer}/keys");
    let wrong = async |published| {
        fake.publish(published);
        fake.open_at(&keys).await.err().map(|error| error.setting)
    };
    for published in [
        Published::Keys(vec![Signer::weak("key").jwk()]),
        Published::Text("{}".to_owned()),
        Published::Text(" ".repeat(1024 * 1024 + 1)),
        Published::Status(404),
        Published::Elsewhere(format!("{issuer}/keys")),
    ] {
        assert_eq!(wrong(published).await, Some("REGISTRY_OIDC_JWKS_URL"));
    }
    let unlike = ProviderSettings { issuer: format!("{issuer}/"), ..fake.settings() };
    assert_eq!(Provider::open(unlike).await.err().map(|error| error.setting), Some("REGISTRY_OIDC_ISSUER"));
    let source = KeySource::File("/nonexistent/keys.json".into());
    let missing = ProviderSettings { source, ..fake.settings() };
    let refused = Provider::open(missing).await.err().unwrap();
    assert_eq!(refused.to_string(), "REGISTRY_OIDC_JWKS_FILE: the file cannot be read");
}

#[tokio::test]
async fn keys_can_come_from_a_file() {
    let key = Signer::rsa("key");
    let folder = Folder::new("provider-keys");
    let path = PathBuf::from(folder.write("keys.json", &json!({"keys": [key.jwk()]}).to_string()));
    let fake = FakeProvider::start(Published::Status(500)).await;
    let settings = ProviderSettings { source: KeySource::File(path.clone()), ..fake.settings() };
    let app = trusting(Provider::open(settings).await.unwrap(), fake.issuer()).await;
    std::fs::remove_file(path).unwrap();
    assert_eq!(app.status_of(&key.sign(&fake.claims(SUBJECT))).await, StatusCode::OK);
    assert_eq!(fake.fetch_count(), 0);
}
