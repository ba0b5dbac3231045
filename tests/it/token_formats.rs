//! The default access tokens of common identity providers, with the claims and headers that their documentation shows.
//!
//! Each test uses only the settings that an operator copies from the provider: issuer, audience, and the location of
//! the keys. Values that a provider generates are invented.

use domain::actor::{Actor, Role};
use jsonwebtoken::{Algorithm, Header};
use participant_registry::actions::Submission;
use participant_registry::actions::register_client::{Input, Scope, register_client};
use participant_registry::http::auth::provider::{Provider, ProviderSettings};
use participant_registry::http::auth::{Authority, Invalid, Refusal};

use crate::support::provider::{FakeProvider, Published, Signer, seconds_from_now};
use crate::support::{App, Value, json};

/// A registry whose operator has copied issuer and audience, and registered one subject.
struct Trusting {
    app: App,
    authority: Authority,
    key: Signer,
}

impl Trusting {
    async fn new(issuer: &str, audience: &str, subject: &str, jwk: Value) -> Self {
        let key = Signer::rsa("key-of-the-provider");
        let mut published = key.jwk();
        published.as_object_mut().unwrap().remove("alg");
        published.as_object_mut().unwrap().extend(jwk.as_object().unwrap().clone());
        let fake = FakeProvider::start(Published::Keys(vec![published])).await;
        // The address of the issuer is not on this machine, so the keys have another address.
        let source = fake.keys_url();
        let settings = ProviderSettings {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            source,
            algorithms: vec![Algorithm::RS256, Algorithm::ES256],
            ..fake.settings()
        };
        let authority = Authority::new(false, Some(Provider::open(settings).await.unwrap()));
        let app = App::new().await.with_authority(authority.clone());
        let input = Input {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            name: "Payroll".to_owned(),
            role: Role::Analyst,
            scope: Scope::default(),
            reads_personal_data: false,
        };
        let done = register_client(&app.database, &Actor::command_line(), Submission::default(), &input)
            .await
            .unwrap();
        assert!(done.value.is_some(), "{:?}", done.problems);
        Self { app, authority, key }
    }

    /// Signs a token with these claims and these parameters of its header.
    fn token(&self, header: Value, claims: &Value) -> String {
        let mut header = header;
        header["alg"] = json!("RS256");
        header["kid"] = json!(self.key.kid);
        let header: Header = serde_json::from_value(header).unwrap();
        self.key.sign_with(&header, claims)
    }

    #[track_caller]
    fn accepts(&self, header: Value, claims: &Value) -> impl Future<Output = ()> {
        let token = self.token(header, claims);
        async move {
            let viewer = self.app.ask_as(&token, "{ viewer { name } }", json!({})).await;
            assert_eq!(viewer, json!({"viewer": {"name": "Payroll"}}));
        }
    }

    async fn refuses(&self, header: Value, claims: &Value) -> Option<Refusal> {
        self.authority.verify(&self.app.database, &self.token(header, claims)).await.err()
    }
}

fn now() -> i64 {
    seconds_from_now(0)
}

/// https://www.keycloak.org/docs/latest/server_admin/ (audience support) and the tokens of a fresh realm: no `nbf`, `aud` is
/// "account" unless an audience mapper adds the service, and then it is a list. `typ` in the claims is not that of the header.
#[tokio::test]
async fn keycloak() {
    let issuer = "https://login.example.org/realms/agency";
    let subject = "5b1c2d7e-0f5c-4f0e-9a53-51c6a1f0a1de";
    let trusting = Trusting::new(issuer, "registry", subject, json!({"use": "sig", "alg": "RS256"})).await;
    let header = json!({"typ": "JWT"});
    let mut claims = json!({
        "exp": now() + 300, "iat": now(), "jti": "trrtcc:3f2c58e4-6d8c-4a0c-9d6d-6d4f2a3b1c0e", "iss": issuer,
        "aud": ["registry", "account"], "sub": subject, "typ": "Bearer", "azp": "payroll",
        "acr": "1", "allowed-origins": ["/*"],
        "realm_access": {"roles": ["default-roles-agency", "offline_access", "uma_authorization"]},
        "resource_access": {"account": {"roles": ["manage-account", "view-profile"]}},
        "scope": "profile email", "clientHost": "172.18.0.1", "email_verified": false,
        "preferred_username": "service-account-payroll", "clientAddress": "172.18.0.1", "client_id": "payroll"
    });
    trusting.accepts(header.clone(), &claims).await;
    // Without an audience mapper, the token is for the account console alone.
    claims["aud"] = json!("account");
    assert_eq!(trusting.refuses(header, &claims).await, Some(Invalid::Audience.into()));
}

/// https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles: the default profile has the header `typ: JWT`, the
/// RFC 9068 profile `at+jwt`. The issuer ends with a slash. Of a user, `aud` lists the API and /userinfo; of a machine it is
/// one name, and `sub` ends with @clients. There is no `nbf`. Keys have `x5c` and `x5t`.
#[tokio::test]
async fn auth0() {
    let issuer = "https://agency.eu.auth0.com/";
    let subject = "auth0|507f1f77bcf86cd799439011";
    let jwk = json!({"use": "sig", "alg": "RS256", "x5t": "NjVBRjY5MDlCMUIwNzU4RTA2QzZFMDQ4QzQ2MDAyQjVDNjk1RTM2Qg",
                     "x5c": ["MIIDDTCCAfWgAwIBAgIJ"]});
    let trusting = Trusting::new(issuer, "https://registry.example.org", subject, jwk.clone()).await;
    let of_user = json!({
        "iss": issuer, "sub": subject,
        "aud": ["https://registry.example.org", "https://agency.eu.auth0.com/userinfo"],
        "iat": now(), "exp": now() + 86_400, "azp": "my_client_id", "scope": "openid profile read:people"
    });
    trusting.accepts(json!({"typ": "JWT"}), &of_user).await;
    let rfc9068 = json!({
        "iss": issuer, "sub": subject, "aud": "https://registry.example.org", "iat": now(), "exp": now() + 86_400,
        "jti": "tdELcqCs8Ym1H1pCFBwL4w", "client_id": "my_client_id", "scope": "openid profile read:people"
    });
    trusting.accepts(json!({"typ": "at+jwt"}), &rfc9068).await;

    let machine = "my_client_id@clients";
    let trusting = Trusting::new(issuer, "https://registry.example.org", machine, jwk).await;
    let of_machine = json!({
        "iss": issuer, "sub": machine, "aud": "https://registry.example.org", "iat": now(), "exp": now() + 86_400,
        "azp": "my_client_id", "gty": "client-credentials"
    });
    trusting.accepts(json!({"typ": "JWT"}), &of_machine).await;
}

/// https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference, version 1.0: the issuer is sts.windows.net
/// with a slash at the end, `aud` is the application's URI, and `nbf` and `iat` are five minutes before the issue. Keys have
/// no `alg` (https://learn.microsoft.com/entra/identity-platform/access-tokens#validate-tokens).
#[tokio::test]
async fn entra_id_v1() {
    let issuer = "https://sts.windows.net/aaaabbbb-0000-cccc-1111-dddd2222eeee/";
    let subject = "DdAKpqXaGwFGxJdBSqL5tDZ8i2Q4bT9l1aZ2e3fG7hI";
    let trusting = Trusting::new(issuer, "api://registry", subject, entra_jwk()).await;
    let header = json!({"typ": "JWT", "x5t": trusting.key.kid});
    let claims = json!({
        "aud": "api://registry", "iss": issuer, "iat": now() - 300, "nbf": now() - 300, "exp": now() + 3_900,
        "acr": "1", "aio": "AXQAi/8TAAAA", "amr": ["pwd"], "appid": "11112222-bbbb-3333-cccc-4444dddd5555",
        "appidacr": "0", "ipaddr": "203.0.113.7", "name": "Example", "oid": "22223333-cccc-4444-dddd-5555eeee6666",
        "rh": "I", "scp": "access_as_user", "sub": subject, "tid": "aaaabbbb-0000-cccc-1111-dddd2222eeee",
        "unique_name": "someone@example.org", "upn": "someone@example.org", "uti": "fqiBqXLPj0eQa82S-IYFAA", "ver": "1.0"
    });
    trusting.accepts(header, &claims).await;
}

/// The same reference, version 2.0: the issuer is login.microsoftonline.com/TENANT/v2.0, and `aud` is the client id of the API,
/// without `api://`. A daemon's token has `azp`, `azpacr` and `roles`, and its `sub` is its `oid`.
#[tokio::test]
async fn entra_id_v2() {
    let issuer = "https://login.microsoftonline.com/aaaabbbb-0000-cccc-1111-dddd2222eeee/v2.0";
    let audience = "00001111-aaaa-2222-bbbb-3333cccc4444";
    let subject = "22223333-cccc-4444-dddd-5555eeee6666";
    let trusting = Trusting::new(issuer, audience, subject, entra_jwk()).await;
    let claims = json!({
        "aud": audience, "iss": issuer, "iat": now() - 300, "nbf": now() - 300, "exp": now() + 3_600,
        "aio": "ASQA2/8TAAAA", "azp": "11112222-bbbb-3333-cccc-4444dddd5555", "azpacr": "1", "oid": subject, "rh": "I",
        "roles": ["Registry.Read"], "sub": subject, "tid": "aaaabbbb-0000-cccc-1111-dddd2222eeee",
        "uti": "fqiBqXLPj0eQa82S-IYFAA", "ver": "2.0"
    });
    trusting.accepts(json!({"typ": "JWT"}), &claims).await;
    // A v1 token of the same tenant has another issuer.
    let mut of_v1 = claims;
    of_v1["iss"] = json!("https://sts.windows.net/aaaabbbb-0000-cccc-1111-dddd2222eeee/");
    assert_eq!(trusting.refuses(json!({"typ": "JWT"}), &of_v1).await, Some(Invalid::Issuer.into()));
}

fn entra_jwk() -> Value {
    json!({"use": "sig", "x5t": "1LTMzakihiRla_8z2BEJVXeWMqo", "x5c": ["MIIDYDCCAkigAwIBAgIJ"],
           "cloud_instance_name": "microsoftonline.com",
           "issuer": "https://login.microsoftonline.com/aaaabbbb-0000-cccc-1111-dddd2222eeee/v2.0"})
}

/// https://developer.okta.com/docs/api/openapi/okta-oauth/guides/overview/ (access token claims): the header has `kid` and
/// `alg` alone, `aud` of the default authorization server is api://default, `sub` is a name, and there is no `nbf`.
#[tokio::test]
async fn okta() {
    let issuer = "https://agency.okta.com/oauth2/default";
    let subject = "jane.doe@example.org";
    let trusting =
        Trusting::new(issuer, "api://default", subject, json!({"use": "sig", "alg": "RS256"})).await;
    let claims = json!({
        "ver": 1, "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE", "iss": issuer, "aud": "api://default",
        "sub": subject, "iat": now(), "exp": now() + 3_600, "cid": "nmdP1fcyvdVO11AL7ECm",
        "uid": "00ujmkLgagxeRrAg20g3", "scp": ["openid", "email"], "auth_time": now() - 60
    });
    trusting.accepts(json!({}), &claims).await;
}

/// https://developers.google.com/identity/openid-connect/openid-connect#an-id-tokens-payload and
/// https://cloud.google.com/docs/authentication/get-id-token: Google's access tokens are opaque, so a service calls another one
/// with an ID token. `aud` is the audience that the caller requested; for a service account `azp` and `sub` are its
/// unique id.
#[tokio::test]
async fn google() {
    let issuer = "https://accounts.google.com";
    let subject = "104029292853099978293";
    let audience = "https://registry.example.org";
    let trusting = Trusting::new(issuer, audience, subject, json!({"use": "sig", "alg": "RS256"})).await;
    let claims = json!({
        "aud": audience, "azp": subject, "email": "payroll@agency.iam.gserviceaccount.com", "email_verified": true,
        "exp": now() + 3_600, "iat": now(), "iss": issuer, "sub": subject
    });
    trusting.accepts(json!({"typ": "JWT"}), &claims).await;
}
