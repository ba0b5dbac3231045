//! Authentication: which tokens are accepted, and what a refused one is told.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use participant_registry::http::auth::{Authority, Invalid, OWN_ISSUER, Refusal};
use participant_registry::store::keys::Keys;

use crate::support::provider::{AUDIENCE, FakeProvider, Published, Signer, seconds_from_now};
use crate::support::{App, Value, json};

/// The subject of an enabled client of the provider.
const OPERATOR: &str = "operator";

/// A registry that accepts its own tokens and those of a provider with two keys.
struct House {
    authority: Authority,
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
        let authority = Authority::new(true, Some(opened));
        let app = App::new().await.trusting(authority.clone());
        let house = Self { authority, app, provider, rsa, ec };
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

    /// A valid token except for one claim.
    fn with(&self, claim: &str, value: Value) -> String {
        let mut claims = self.claims();
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(claim)),
            value => claims[claim] = value,
        }
        self.rsa.sign(&claims)
    }

    /// A valid token without `nbf`, whose `iat` (if any) and `exp` are this many seconds from now.
    fn only_with(&self, iat: Option<i64>, exp: i64) -> String {
        let mut claims = self.claims();
        let members = claims.as_object_mut().unwrap();
        members.retain(|name, _| !["nbf", "iat"].contains(&name.as_str()));
        members.extend(iat.map(|iat| ("iat".to_owned(), json!(seconds_from_now(iat)))));
        claims["exp"] = json!(seconds_from_now(exp));
        self.rsa.sign(&claims)
    }

    /// A valid token except for its header.
    fn headed(&self, change: impl FnOnce(&mut Header)) -> String {
        let mut header = self.rsa.header();
        change(&mut header);
        self.rsa.sign_with(&header, &self.claims())
    }

    /// A token signed symmetrically, with something public as the secret.
    fn confused(&self, secret: &[u8]) -> String {
        let header = Header { kid: Some("rsa-1".to_owned()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &self.claims(), &EncodingKey::from_secret(secret)).unwrap()
    }
}

fn own(keys: &Keys, claims: &Value, algorithm: Algorithm) -> String {
    let key = EncodingKey::from_secret(keys.token_key());
    jsonwebtoken::encode(&Header::new(algorithm), claims, &key).unwrap()
}

fn refused(house: &House) -> Vec<(&'static str, String, Refusal)> {
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
        ("nothing", String::new(), Invalid::Malformed.into()),
        ("no token", "nonsense".to_owned(), Invalid::Malformed.into()),
        ("two parts", format!("{header}.{claims}"), Invalid::Malformed.into()),
        ("four parts", format!("{good}.{signature}"), Invalid::Malformed.into()),
        ("dots alone", "..".to_owned(), Invalid::Malformed.into()),
        ("not base64", format!("{header}.{claims}.§§"), Invalid::Malformed.into()),
        ("alg none", format!("{unsigned}.{claims}."), Invalid::Algorithm.into()),
        ("alg none with a signature", format!("{unsigned}.{claims}.{signature}"), Invalid::Algorithm.into()),
        ("no signature", format!("{header}.{claims}."), Invalid::Signature.into()),
        ("signature cut short", good[..good.len() - 8].to_owned(), Invalid::Malformed.into()),
        ("signature too long", format!("{good}AAAA"), Invalid::Signature.into()),
        ("signature padded", format!("{good}="), Invalid::Malformed.into()),
        (
            "claims exchanged",
            format!("{header}.{}.{signature}", encode(&house.provider.claims("x").to_string())),
            Invalid::Signature.into(),
        ),
        ("HS256 with the modulus", house.confused(&modulus), Invalid::Signature.into()),
        (
            "HS256 with the public key as text",
            house.confused(jwk.to_string().as_bytes()),
            Invalid::Signature.into(),
        ),
        ("HS256 with an empty secret", house.confused(b""), Invalid::Signature.into()),
        (
            "an algorithm that is not allowed",
            house.rsa.sign_with(&Header { alg: Algorithm::RS512, ..house.rsa.header() }, &house.claims()),
            Invalid::Algorithm.into(),
        ),
        (
            "the RSA key's name with the EC key",
            house
                .ec
                .sign_with(&Header { kid: Some("rsa-1".to_owned()), ..house.ec.header() }, &house.claims()),
            Invalid::UnknownKey.into(),
        ),
        ("another's key under a good name", stranger.sign(&house.claims()), Invalid::Signature.into()),
        (
            "another's key, and where it is",
            stranger.sign_with(&by_stranger, &house.claims()),
            Invalid::Signature.into(),
        ),
        (
            "another's key, and itself",
            stranger.sign_with(&brings_its_key, &house.claims()),
            Invalid::Signature.into(),
        ),
        (
            "crit",
            house.headed(|header| header.crit = Some(vec!["exp".to_owned()])),
            Invalid::Unsupported.into(),
        ),
        ("nested", house.headed(|header| header.cty = Some("JWT".to_owned())), Invalid::Unsupported.into()),
        ("compressed", house.headed(|header| *header = compressed.clone()), Invalid::Unsupported.into()),
        (
            "another typ",
            house.headed(|header| header.typ = Some("secevent+jwt".to_owned())),
            Invalid::Unsupported.into(),
        ),
        (
            "unknown kid",
            house.headed(|header| header.kid = Some("rsa-2".to_owned())),
            Invalid::UnknownKey.into(),
        ),
        (
            "kid is a path",
            house.headed(|header| header.kid = Some("../../../../dev/null".to_owned())),
            Invalid::UnknownKey.into(),
        ),
        (
            "kid is a statement",
            house.headed(|header| header.kid = Some("' or 1=1 --".to_owned())),
            Invalid::UnknownKey.into(),
        ),
        (
            "kid without end",
            house.headed(|header| header.kid = Some("k".repeat(4_000))),
            Invalid::UnknownKey.into(),
        ),
        (
            "a token without end",
            format!("{header}.{}.{signature}", "A".repeat(9_000)),
            Invalid::Malformed.into(),
        ),
        ("no iss", house.with("iss", Value::Null), Invalid::ClaimMissing.into()),
        ("another iss", house.with("iss", json!("https://other.example")), Invalid::Issuer.into()),
        ("our own iss", house.with("iss", json!(OWN_ISSUER)), Invalid::Issuer.into()),
        ("iss with a slash more", house.with("iss", json!(format!("{issuer}/"))), Invalid::Issuer.into()),
        (
            "several iss",
            house.with("iss", json!([issuer, "https://other.example"])),
            Invalid::ClaimType.into(),
        ),
        ("no aud", house.with("aud", Value::Null), Invalid::ClaimMissing.into()),
        ("another aud", house.with("aud", json!("other")), Invalid::Audience.into()),
        ("empty aud", house.with("aud", json!([])), Invalid::Audience.into()),
        ("our own aud", house.with("aud", json!(OWN_ISSUER)), Invalid::Audience.into()),
        ("no sub", house.with("sub", Value::Null), Invalid::ClaimMissing.into()),
        ("empty sub", house.with("sub", json!("")), Invalid::Subject.into()),
        ("sub is a number", house.with("sub", json!(1)), Invalid::ClaimType.into()),
        ("sub without end", house.with("sub", json!("s".repeat(300))), Invalid::Subject.into()),
        ("sub in capitals", of("OPERATOR"), Invalid::UnknownClient.into()),
        ("sub with a blank", of("operator "), Invalid::UnknownClient.into()),
        ("sub with NUL", of("operator\0"), Invalid::UnknownClient.into()),
        ("unknown subject", of("nobody"), Invalid::UnknownClient.into()),
        ("subject of another issuer", of("theirs"), Invalid::UnknownClient.into()),
        ("subject of our own issuer", of("ours"), Invalid::UnknownClient.into()),
        ("disabled", of("dismissed"), Invalid::DisabledClient.into()),
        ("no exp", house.with("exp", Value::Null), Invalid::ClaimMissing.into()),
        (
            "exp as text",
            house.with("exp", json!(seconds_from_now(60).to_string())),
            Invalid::ClaimType.into(),
        ),
        ("exp huge", house.with("exp", json!(u64::MAX)), Invalid::Lifetime.into()),
        (
            "exp in a thousand years",
            house.with("exp", json!(seconds_from_now(31_536_000_000))),
            Invalid::Lifetime.into(),
        ),
        ("exp negative", house.with("exp", json!(-1)), Invalid::ClaimMissing.into()),
        ("exp 0", house.with("exp", json!(0)), Refusal::Expired),
        ("ended 90 seconds ago", house.with("exp", json!(seconds_from_now(-90))), Refusal::Expired),
        ("nbf as text", house.with("nbf", json!("0")), Invalid::ClaimType.into()),
        ("begins in 90 seconds", house.with("nbf", json!(seconds_from_now(90))), Invalid::NotYet.into()),
        (
            "begins in 90 and a half seconds",
            house.with("nbf", json!(seconds_from_now(90) as f64 + 0.5)),
            Invalid::NotYet.into(),
        ),
        (
            "without nbf, too long after iat",
            house.only_with(Some(-600), 32 * 86_400),
            Invalid::Lifetime.into(),
        ),
        (
            "without nbf and iat, too long from now on",
            house.only_with(None, 32 * 86_400),
            Invalid::Lifetime.into(),
        ),
        ("without nbf and iat, ended 90 seconds ago", house.only_with(None, -90), Refusal::Expired),
        ("claims are a list", house.rsa.sign(&json!([])), Invalid::ClaimType.into()),
        (
            "ours with another key",
            own(&Keys::derive(&[8; 32]), &ours, Algorithm::HS256),
            Invalid::Signature.into(),
        ),
        ("ours with HS512", own(keys, &ours, Algorithm::HS512), Invalid::Algorithm.into()),
        (
            "ours for a provider's client",
            own(keys, &changed("sub", json!(OPERATOR)), Algorithm::HS256),
            Invalid::UnknownClient.into(),
        ),
        ("ours in a provider's name", own(keys, &house.claims(), Algorithm::HS256), Invalid::Issuer.into()),
        (
            "ours for others",
            own(keys, &changed("aud", json!(AUDIENCE)), Algorithm::HS256),
            Invalid::Audience.into(),
        ),
        (
            "ours without end",
            own(keys, &changed("exp", json!(seconds_from_now(40 * 86_400))), Algorithm::HS256),
            Invalid::Lifetime.into(),
        ),
    ]
}

#[tokio::test]
async fn every_refused_token_gets_the_same_body_and_its_reason_is_known_inside() {
    let house = House::new().await;
    let app = &house.app;
    let none = app.answer_to(&[]).await;
    assert_eq!(none.0, StatusCode::UNAUTHORIZED);
    for (what, token, refusal) in refused(&house) {
        assert!(app.answer_to(&[&format!("Bearer {token}")]).await == none, "{what}: {token}");
        let reason = house.authority.verify(&app.database, &token).await.err();
        assert_eq!(reason, Some(refusal), "{what}: {token}");
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
async fn a_client_can_tell_a_missing_an_invalid_and_an_expired_token_apart() {
    let house = House::new().await;
    let challenge = async |authorization: &[&str]| {
        let mut request = Request::post("/graphql").header(header::CONTENT_TYPE, "application/json");
        for value in authorization {
            request = request.header(header::AUTHORIZATION, *value);
        }
        let reply = house.app.send(request.body(Body::from(r#"{"query":"{viewer{name}}"}"#)).unwrap()).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
        let values: Vec<_> = reply.headers.get_all(header::WWW_AUTHENTICATE).iter().collect();
        assert_eq!(values.len(), 1);
        values[0].to_str().unwrap().to_owned()
    };
    const MISSING: &str = r#"Bearer realm="participant-registry""#;
    let invalid =
        format!(r#"{MISSING}, error="invalid_token", error_description="The access token is invalid""#);
    let expired =
        format!(r#"{MISSING}, error="invalid_token", error_description="The access token expired""#);
    let good = format!("Bearer {}", house.rsa.sign(&house.claims()));
    assert_eq!(challenge(&[]).await, MISSING);
    assert_eq!(challenge(&["Basic eDp5"]).await, MISSING);
    assert_eq!(challenge(&["Bearer nonsense"]).await, invalid);
    assert_eq!(challenge(&[&good, &good]).await, invalid);
    assert_eq!(challenge(&[&format!("Bearer {}", house.with("aud", json!("other")))]).await, invalid);
    let over = house.with("exp", json!(seconds_from_now(-90)));
    assert_eq!(challenge(&[&format!("Bearer {over}")]).await, expired);
    // Only the holder of a genuine token learns that it has expired.
    let forged = Signer::other_rsa("rsa-1").sign(&json!({"exp": 0}));
    assert_eq!(challenge(&[&format!("Bearer {forged}")]).await, invalid);
}

#[tokio::test]
async fn own_tokens_and_tokens_of_an_unknown_provider_are_refused_by_that_reason() {
    let house = House::new().await;
    let provider = house.rsa.sign(&house.claims());
    let reason =
        async |authority: Authority, token: &str| authority.verify(&house.app.database, token).await.err();
    assert_eq!(reason(Authority::own_tokens(), &provider).await, Some(Invalid::NoProvider.into()));
    let none = Authority::new(false, None);
    assert_eq!(reason(none, &house.app.token_of("ours")).await, Some(Invalid::OwnToken.into()));
}

#[tokio::test]
async fn valid_tokens_are_accepted() {
    let house = House::new().await;
    let good = || house.rsa.sign(&house.claims());
    // Each token is signed just before it is sent, because signing is slow in a debug build.
    let elsewhere = || Some("https://attacker.example/keys".to_owned());
    let tokens: [(&dyn Fn() -> String, &str, &str); 19] = [
        (&good, "The operator", "ADMINISTRATOR"),
        (&|| house.ec.sign(&house.claims()), "The operator", "ADMINISTRATOR"),
        (&|| house.with("aud", json!(["other", AUDIENCE])), "The operator", "ADMINISTRATOR"),
        (&|| house.headed(|header| header.typ = Some("at+jwt".to_owned())), "The operator", "ADMINISTRATOR"),
        // Clocks may differ by up to 30 seconds.
        (&|| house.with("exp", json!(seconds_from_now(-15))), "The operator", "ADMINISTRATOR"),
        (&|| house.with("nbf", json!(seconds_from_now(25))), "The operator", "ADMINISTRATOR"),
        (&|| house.app.token_of("ours"), "Ours", "OFFICER"),
        // `nbf` and `iat` are optional, and times may have fractions.
        (&|| house.with("nbf", Value::Null), "The operator", "ADMINISTRATOR"),
        (&|| house.only_with(None, 3_600), "The operator", "ADMINISTRATOR"),
        (&|| house.only_with(None, -15), "The operator", "ADMINISTRATOR"),
        (&|| house.with("exp", json!(seconds_from_now(60) as f64 + 0.75)), "The operator", "ADMINISTRATOR"),
        (&|| house.with("nbf", json!(seconds_from_now(-60) as f64 + 0.5)), "The operator", "ADMINISTRATOR"),
        // One key fits a token that names none.
        (&|| house.headed(|header| header.kid = None), "The operator", "ADMINISTRATOR"),
        // Hints where the key is are ignored; nothing listens at that address.
        (&|| house.headed(|header| header.jku = elsewhere()), "The operator", "ADMINISTRATOR"),
        (&|| house.headed(|header| header.x5u = elsewhere()), "The operator", "ADMINISTRATOR"),
        (
            &|| house.headed(|header| header.x5c = Some(vec!["AAAA".to_owned()])),
            "The operator",
            "ADMINISTRATOR",
        ),
        (
            &|| house.headed(|header| header.jwk = serde_json::from_value(house.ec.jwk()).ok()),
            "The operator",
            "ADMINISTRATOR",
        ),
        (
            &|| house.headed(|header| header.typ = Some("application/AT+JWT".to_owned())),
            "The operator",
            "ADMINISTRATOR",
        ),
        // Rights in a token are not read: the row of the client has them.
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
async fn own_tokens_are_accepted_only_where_they_are_turned_on() {
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
