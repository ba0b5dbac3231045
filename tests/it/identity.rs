//! Who asks: every token that is not exactly right gets one answer, whatever is wrong with it.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use participant_registry::http::auth::{Authority, OWN_ISSUER};
use participant_registry::store::keys::Keys;

use crate::support::provider::{AUDIENCE, FakeProvider, Published, Signer, seconds_from_now};
use crate::support::{App, Value, json};

/// The subject of the only client that may come in.
const OPERATOR: &str = "operator";

/// Two keys, a provider that publishes them, and a registry that trusts it and itself.
struct House {
    app: App,
    provider: FakeProvider,
    rsa: Signer,
    ec: Signer,
}

impl House {
    async fn new() -> Self {
        let (rsa, ec) = (Signer::rsa("rsa-1"), Signer::ec("ec-1"));
        let provider = FakeProvider::start(Published::Keys(vec![rsa.jwk(), ec.jwk()])).await;
        let opened = provider.open().await.unwrap();
        let app = App::new().await.trusting(Authority::new(true, Some(opened)));
        let house = Self { app, provider, rsa, ec };
        for (issuer, subject, name, role) in [
            (house.provider.issuer(), OPERATOR, "The operator", "ADMINISTRATOR"),
            (house.provider.issuer(), "dismissed", "Dismissed", "OFFICER"),
            (OWN_ISSUER, "ours", "Ours", "OFFICER"),
            ("https://other.example", "theirs", "Theirs", "ADMINISTRATOR"),
        ] {
            let query = "mutation ($input: RegisterClientInput!) { registerClient(input: $input) { client { id } errors { message } } }";
            let input = json!({"issuer": issuer, "subject": subject, "name": name, "role": role});
            let payload = house.app.ask(query, json!({"input": input})).await["registerClient"].take();
            assert_eq!(payload["errors"], json!([]));
            if subject == "dismissed" {
                let query = "mutation ($id: ID!) { changeClient(input: {id: $id, disabled: true}) { errors { message } } }";
                let id = &payload["client"]["id"];
                assert_eq!(
                    house.app.ask(query, json!({"id": id})).await["changeClient"]["errors"],
                    json!([])
                );
            }
        }
        house
    }

    fn claims(&self) -> Value {
        self.provider.claims(OPERATOR)
    }

    /// A good token but for one claim.
    fn with(&self, claim: &str, value: Value) -> String {
        let mut claims = self.claims();
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(claim)),
            value => claims[claim] = value,
        }
        self.rsa.sign(&claims)
    }

    /// A good token without `nbf`, whose `iat` (if any) and `exp` are so many seconds from now.
    fn only_with(&self, iat: Option<i64>, exp: i64) -> String {
        let mut claims = self.claims();
        let members = claims.as_object_mut().unwrap();
        members.retain(|name, _| !["nbf", "iat"].contains(&name.as_str()));
        members.extend(iat.map(|iat| ("iat".to_owned(), json!(seconds_from_now(iat)))));
        claims["exp"] = json!(seconds_from_now(exp));
        self.rsa.sign(&claims)
    }

    /// A good token but for its header.
    fn headed(&self, change: impl FnOnce(&mut Header)) -> String {
        let mut header = self.rsa.header();
        change(&mut header);
        self.rsa.sign_with(&header, &self.claims())
    }

    /// A token signed with whatever somebody may take for a secret.
    fn confused(&self, secret: &[u8]) -> String {
        let header = Header { kid: Some("rsa-1".to_owned()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &self.claims(), &EncodingKey::from_secret(secret)).unwrap()
    }
}

fn own(keys: &Keys, claims: &Value, algorithm: Algorithm) -> String {
    let key = EncodingKey::from_secret(keys.token_key());
    jsonwebtoken::encode(&Header::new(algorithm), claims, &key).unwrap()
}

fn forged(house: &House) -> Vec<(&'static str, String)> {
    let good = house.rsa.sign(&house.claims());
    let parts: Vec<&str> = good.split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("a token has three parts") };
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let unsigned = encode(r#"{"alg":"none","typ":"JWT","kid":"rsa-1"}"#);
    let jwk = house.rsa.jwk();
    let modulus = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    let stranger = Signer::other_rsa("rsa-1");
    let issuer = house.provider.issuer();
    let elsewhere = "https://attacker.example/keys";
    let mut by_stranger = stranger.header();
    by_stranger.jku = Some(elsewhere.to_owned());
    let mut brings_its_key = stranger.header();
    brings_its_key.jwk = serde_json::from_value(stranger.jwk()).ok();
    assert!(brings_its_key.jwk.is_some());
    let of = |subject: &str| house.rsa.sign(&house.provider.claims(subject));
    let ours = json!({"iss": OWN_ISSUER, "aud": OWN_ISSUER, "sub": "ours", "nbf": seconds_from_now(0),
                      "exp": seconds_from_now(60)});
    let changed = |field: &str, value: Value| {
        let mut claims = ours.clone();
        claims[field] = value;
        claims
    };
    let keys = &house.app.database.keys;
    let compressed = json!({"alg": "RS256", "typ": "JWT", "kid": "rsa-1", "zip": "DEF"});
    let compressed: Header = serde_json::from_value(compressed).unwrap();
    vec![
        ("nothing", String::new()),
        ("no token", "nonsense".to_owned()),
        ("two parts", format!("{header}.{claims}")),
        ("four parts", format!("{good}.{signature}")),
        ("dots alone", "..".to_owned()),
        ("not base64", format!("{header}.{claims}.§§")),
        ("alg none", format!("{unsigned}.{claims}.")),
        ("alg none with a signature", format!("{unsigned}.{claims}.{signature}")),
        ("no signature", format!("{header}.{claims}.")),
        ("signature cut short", good[..good.len() - 8].to_owned()),
        ("signature too long", format!("{good}AAAA")),
        ("signature padded", format!("{good}=")),
        (
            "claims exchanged",
            format!("{header}.{}.{signature}", encode(&house.provider.claims("x").to_string())),
        ),
        ("HS256 with the modulus", house.confused(&modulus)),
        ("HS256 with the public key as text", house.confused(jwk.to_string().as_bytes())),
        ("HS256 with an empty secret", house.confused(b"")),
        (
            "an algorithm that is not allowed",
            house.rsa.sign_with(&Header { alg: Algorithm::RS512, ..house.rsa.header() }, &house.claims()),
        ),
        (
            "the RSA key's name with the EC key",
            house
                .ec
                .sign_with(&Header { kid: Some("rsa-1".to_owned()), ..house.ec.header() }, &house.claims()),
        ),
        ("another's key under a good name", stranger.sign(&house.claims())),
        ("another's key, and where it is", stranger.sign_with(&by_stranger, &house.claims())),
        ("another's key, and itself", stranger.sign_with(&brings_its_key, &house.claims())),
        ("jku", house.headed(|header| header.jku = Some(elsewhere.to_owned()))),
        ("x5u", house.headed(|header| header.x5u = Some(elsewhere.to_owned()))),
        ("x5c", house.headed(|header| header.x5c = Some(vec!["AAAA".to_owned()]))),
        ("crit", house.headed(|header| header.crit = Some(vec!["exp".to_owned()]))),
        ("nested", house.headed(|header| header.cty = Some("JWT".to_owned()))),
        ("compressed", house.headed(|header| *header = compressed.clone())),
        ("another typ", house.headed(|header| header.typ = Some("secevent+jwt".to_owned()))),
        ("no kid", house.headed(|header| header.kid = None)),
        ("unknown kid", house.headed(|header| header.kid = Some("rsa-2".to_owned()))),
        ("kid is a path", house.headed(|header| header.kid = Some("../../../../dev/null".to_owned()))),
        ("kid is a statement", house.headed(|header| header.kid = Some("' or 1=1 --".to_owned()))),
        ("kid without end", house.headed(|header| header.kid = Some("k".repeat(4_000)))),
        ("a token without end", format!("{header}.{}.{signature}", "A".repeat(9_000))),
        ("no iss", house.with("iss", Value::Null)),
        ("another iss", house.with("iss", json!("https://other.example"))),
        ("our own iss", house.with("iss", json!(OWN_ISSUER))),
        ("iss with a slash more", house.with("iss", json!(format!("{issuer}/")))),
        ("several iss", house.with("iss", json!([issuer, "https://other.example"]))),
        ("no aud", house.with("aud", Value::Null)),
        ("another aud", house.with("aud", json!("other"))),
        ("empty aud", house.with("aud", json!([]))),
        ("our own aud", house.with("aud", json!(OWN_ISSUER))),
        ("no sub", house.with("sub", Value::Null)),
        ("empty sub", house.with("sub", json!(""))),
        ("sub is a number", house.with("sub", json!(1))),
        ("sub without end", house.with("sub", json!("s".repeat(300)))),
        ("sub in capitals", of("OPERATOR")),
        ("sub with a blank", of("operator ")),
        ("sub with NUL", of("operator\0")),
        ("unknown subject", of("nobody")),
        ("subject of another issuer", of("theirs")),
        ("subject of our own issuer", of("ours")),
        ("disabled", of("dismissed")),
        ("no exp", house.with("exp", Value::Null)),
        ("exp as text", house.with("exp", json!(seconds_from_now(60).to_string()))),
        ("exp huge", house.with("exp", json!(u64::MAX))),
        ("exp in a thousand years", house.with("exp", json!(seconds_from_now(31_536_000_000)))),
        ("exp negative", house.with("exp", json!(-1))),
        ("exp 0", house.with("exp", json!(0))),
        ("ended 90 seconds ago", house.with("exp", json!(seconds_from_now(-90)))),
        ("nbf as text", house.with("nbf", json!("0"))),
        ("begins in 90 seconds", house.with("nbf", json!(seconds_from_now(90)))),
        ("begins in 90 and a half seconds", house.with("nbf", json!(seconds_from_now(90) as f64 + 0.5))),
        ("without nbf, too long after iat", house.only_with(Some(-600), 32 * 86_400)),
        ("without nbf and iat, too long from now on", house.only_with(None, 32 * 86_400)),
        ("without nbf and iat, ended 90 seconds ago", house.only_with(None, -90)),
        ("claims are a list", house.rsa.sign(&json!([]))),
        ("ours with another key", own(&Keys::derive(&[8; 32]), &ours, Algorithm::HS256)),
        ("ours with HS512", own(keys, &ours, Algorithm::HS512)),
        ("ours for a provider's client", own(keys, &changed("sub", json!(OPERATOR)), Algorithm::HS256)),
        ("ours in a provider's name", own(keys, &house.claims(), Algorithm::HS256)),
        ("ours for others", own(keys, &changed("aud", json!(AUDIENCE)), Algorithm::HS256)),
        (
            "ours without end",
            own(keys, &changed("exp", json!(seconds_from_now(40 * 86_400))), Algorithm::HS256),
        ),
    ]
}

#[tokio::test]
async fn every_bad_token_gets_the_same_answer() {
    let house = House::new().await;
    let app = &house.app;
    let none = app.answer_to(&[]).await;
    assert_eq!(none.0, StatusCode::UNAUTHORIZED);
    for (what, token) in forged(&house) {
        assert!(app.answer_to(&[&format!("Bearer {token}")]).await == none, "{what}: {token}");
    }
    let good = house.rsa.sign(&house.claims());
    let header = format!("Bearer {good}");
    for headers in [
        &[good.as_str()][..],
        &[&format!("Basic {good}")],
        &[&format!("Bearer {good} {good}")],
        &[&format!("Bearer {good},{good}")],
        &[&header, &header],
        &[&header, "Basic eDp5"],
    ] {
        assert!(app.answer_to(headers).await == none, "{headers:?}");
    }
}

#[tokio::test]
async fn good_tokens_are_let_in() {
    let house = House::new().await;
    let good = || house.rsa.sign(&house.claims());
    // Made when they are shown, because signing takes its time in a debug build.
    let tokens: [(&dyn Fn() -> String, &str, &str); 13] = [
        (&good, "The operator", "ADMINISTRATOR"),
        (&|| house.ec.sign(&house.claims()), "The operator", "ADMINISTRATOR"),
        (&|| house.with("aud", json!(["other", AUDIENCE])), "The operator", "ADMINISTRATOR"),
        (&|| house.headed(|header| header.typ = Some("at+jwt".to_owned())), "The operator", "ADMINISTRATOR"),
        // Clocks may differ by half a minute.
        (&|| house.with("exp", json!(seconds_from_now(-15))), "The operator", "ADMINISTRATOR"),
        (&|| house.with("nbf", json!(seconds_from_now(25))), "The operator", "ADMINISTRATOR"),
        (&|| house.app.token_of("ours"), "Ours", "OFFICER"),
        // `nbf` and `iat` are optional, and dates may have fractions.
        (&|| house.with("nbf", Value::Null), "The operator", "ADMINISTRATOR"),
        (&|| house.only_with(None, 3_600), "The operator", "ADMINISTRATOR"),
        (&|| house.only_with(None, -15), "The operator", "ADMINISTRATOR"),
        (&|| house.with("exp", json!(seconds_from_now(60) as f64 + 0.75)), "The operator", "ADMINISTRATOR"),
        (&|| house.with("nbf", json!(seconds_from_now(-60) as f64 + 0.5)), "The operator", "ADMINISTRATOR"),
        // What else it says is not read: the row knows.
        (&|| house.with("role", json!("AUDITOR")), "The operator", "ADMINISTRATOR"),
    ];
    for (token, name, role) in tokens {
        let viewer = house.app.ask_as(&token(), "{ viewer { name role } }", json!({})).await["viewer"].take();
        assert_eq!(viewer, json!({"name": name, "role": role}));
    }
    let token = house.rsa.sign(&house.claims());
    assert_eq!(house.app.answer_to(&[&format!("bearer {token}")]).await.0, StatusCode::OK);
}

#[tokio::test]
async fn tokens_of_our_own_hold_only_where_that_is_said() {
    let house = House::new().await;
    let opened = house.provider.open().await.unwrap();
    let app = house.app.trusting(Authority::new(false, Some(opened)));
    assert_eq!(app.status_of(&app.token_of("ours")).await, StatusCode::UNAUTHORIZED);
    let token = house.rsa.sign(&house.provider.claims(OPERATOR));
    assert_eq!(app.status_of(&token).await, StatusCode::OK);
    let app = app.trusting(Authority::own_tokens());
    assert_eq!(app.status_of(&token).await, StatusCode::UNAUTHORIZED);
    assert_eq!(app.status_of(&app.token_of("ours")).await, StatusCode::OK);
}
