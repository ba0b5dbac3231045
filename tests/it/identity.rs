//! Authentication: the tokens that are accepted, and the answers to those that are refused.

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
struct TwoIssuers {
    authority: Authority,
    app: App,
    provider: FakeProvider,
    rsa: Signer,
    ec: Signer,
}

impl TwoIssuers {
    async fn new() -> Self {
        let (rsa, ec) = (Signer::rsa("rsa-1"), Signer::ec("ec-1"));
        let provider = FakeProvider::start(Published::Keys(vec![rsa.jwk(), ec.jwk()])).await;
        let opened = provider.open().await.unwrap();
        let authority = Authority::new(true, Some(opened));
        let app = App::new().await.with_authority(authority.clone());
        let issuers = Self { authority, app, provider, rsa, ec };
        for (issuer, subject, name, role) in [
            (issuers.provider.issuer(), OPERATOR, "The operator", "ADMINISTRATOR"),
            (issuers.provider.issuer(), "dismissed", "Dismissed", "OFFICER"),
            (OWN_ISSUER, "ours", "Ours", "OFFICER"),
            ("https://other.example", "theirs", "Theirs", "ADMINISTRATOR"),
        ] {
            let query = "mutation ($input: RegisterClientInput!) { registerClient(input: $input) { client { id } errors { message } } }";
            let input = json!({"issuer": issuer, "subject": subject, "name": name, "role": role});
            let payload = issuers.app.ask(query, json!({"input": input})).await["registerClient"].take();
            assert_eq!(payload["errors"], json!([]));
            if subject == "dismissed" {
                let query = "mutation ($id: ID!) { changeClient(input: {id: $id, disabled: true}) { errors { message } } }";
                let id = &payload["client"]["id"];
                assert_eq!(
                    issuers.app.ask(query, json!({"id": id})).await["changeClient"]["errors"],
                    json!([])
                );
            }
        }
        issuers
    }

    fn claims(&self) -> Value {
        self.provider.claims(OPERATOR)
    }

    /// Returns a valid token with one claim changed.
    fn with(&self, claim: &str, value: Value) -> String {
        let mut claims = self.claims();
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(claim)),
            value => claims[claim] = value,
        }
        self.rsa.sign(&claims)
    }

    /// Returns a valid token without `nbf`, whose `iat` (if any) and `exp` are this many seconds from now.
    fn only_with(&self, iat: Option<i64>, exp: i64) -> String {
        let mut claims = self.claims();
        let members = claims.as_object_mut().unwrap();
        members.retain(|name, _| !["nbf", "iat"].contains(&name.as_str()));
        members.extend(iat.map(|iat| ("iat".to_owned(), json!(seconds_from_now(iat)))));
        claims["exp"] = json!(seconds_from_now(exp));
        self.rsa.sign(&claims)
    }

    /// Returns a valid token with another header.
    fn headed(&self, change: impl FnOnce(&mut Header)) -> String {
        let mut header = self.rsa.header();
        change(&mut header);
        self.rsa.sign_with(&header, &self.claims())
    }

    /// Returns a token that is signed symmetrically, with something public as the secret.
    fn confused(&self, secret: &[u8]) -> String {
        let header = Header { kid: Some("rsa-1".to_owned()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &self.claims(), &EncodingKey::from_secret(secret)).unwrap()
    }
}

fn own(keys: &Keys, claims: &Value, algorithm: Algorithm) -> String {
    let key = EncodingKey::from_secret(keys.token_key());
    jsonwebtoken::encode(&Header::new(algorithm), claims, &key).unwrap()
}

fn refused(issuers: &TwoIssuers) -> Vec<(&'static str, String, Refusal)> {
    let good = issuers.rsa.sign(&issuers.claims());
    let parts: Vec<&str> = good.split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("a token has three parts") };
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let unsigned = encode(r#"{"alg":"none","typ":"JWT","kid":"rsa-1"}"#);
    let jwk = issuers.rsa.jwk();
    let modulus = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    let stranger = Signer::other_rsa("rsa-1");
    let issuer = issuers.provider.issuer();
    let elsewhere = "https://attacker.example/keys";
    let mut by_stranger = stranger.header();
    by_stranger.jku = Some(elsewhere.to_owned());
    let mut brings_its_key = stranger.header();
    brings_its_key.jwk = serde_json::from_value(stranger.jwk()).ok();
    assert!(brings_its_key.jwk.is_some());
    let of = |subject: &str| issuers.rsa.sign(&issuers.provider.claims(subject));
    let ours = json!({"iss": OWN_ISSUER, "aud": OWN_ISSUER, "sub": "ours", "nbf": seconds_from_now(0),
                      "exp": seconds_from_now(60)});
    let changed = |field: &str, value: Value| {
        let mut claims = ours.clone();
        claims[field] = value;
        claims
    };
    let keys = &issuers.app.database.keys;
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
        // 342 characters are 256 bytes: 340 are 255 bytes, and 341 are no base64, whatever the last of them is.
        ("signature without its last byte", good[..good.len() - 2].to_owned(), Invalid::Signature.into()),
        ("signature cut within a byte", good[..good.len() - 1].to_owned(), Invalid::Malformed.into()),
        ("signature too long", format!("{good}AAAA"), Invalid::Signature.into()),
        ("signature padded", format!("{good}="), Invalid::Malformed.into()),
        (
            "claims exchanged",
            format!("{header}.{}.{signature}", encode(&issuers.provider.claims("x").to_string())),
            Invalid::Signature.into(),
        ),
        ("HS256 with the modulus", issuers.confused(&modulus), Invalid::Signature.into()),
        (
            "HS256 with the public key as text",
            issuers.confused(jwk.to_string().as_bytes()),
            Invalid::Signature.into(),
        ),
        ("HS256 with an empty secret", issuers.confused(b""), Invalid::Signature.into()),
        (
            "an algorithm that is not allowed",
            issuers
                .rsa
                .sign_with(&Header { alg: Algorithm::RS512, ..issuers.rsa.header() }, &issuers.claims()),
            Invalid::Algorithm.into(),
        ),
        (
            "the RSA key's name with the EC key",
            issuers.ec.sign_with(
                &Header { kid: Some("rsa-1".to_owned()), ..issuers.ec.header() },
                &issuers.claims(),
            ),
            Invalid::UnknownKey.into(),
        ),
        ("another's key under a good name", stranger.sign(&issuers.claims()), Invalid::Signature.into()),
        (
            "another's key, and where it is",
            stranger.sign_with(&by_stranger, &issuers.claims()),
            Invalid::Signature.into(),
        ),
        (
            "another's key, and itself",
            stranger.sign_with(&brings_its_key, &issuers.claims()),
            Invalid::Signature.into(),
        ),
        (
            "crit",
            issuers.headed(|header| header.crit = Some(vec!["exp".to_owned()])),
            Invalid::Unsupported.into(),
        ),
        ("nested", issuers.headed(|header| header.cty = Some("JWT".to_owned())), Invalid::Unsupported.into()),
        ("compressed", issuers.headed(|header| *header = compressed.clone()), Invalid::Unsupported.into()),
        (
            "another typ",
            issuers.headed(|header| header.typ = Some("secevent+jwt".to_owned())),
            Invalid::Unsupported.into(),
        ),
        (
            "unknown kid",
            issuers.headed(|header| header.kid = Some("rsa-2".to_owned())),
            Invalid::UnknownKey.into(),
        ),
        (
            "kid is a path",
            issuers.headed(|header| header.kid = Some("../../../../dev/null".to_owned())),
            Invalid::UnknownKey.into(),
        ),
        (
            "kid is a statement",
            issuers.headed(|header| header.kid = Some("' or 1=1 --".to_owned())),
            Invalid::UnknownKey.into(),
        ),
        (
            "kid without end",
            issuers.headed(|header| header.kid = Some("k".repeat(4_000))),
            Invalid::UnknownKey.into(),
        ),
        (
            "a token without end",
            format!("{header}.{}.{signature}", "A".repeat(9_000)),
            Invalid::Malformed.into(),
        ),
        ("no iss", issuers.with("iss", Value::Null), Invalid::ClaimMissing.into()),
        ("another iss", issuers.with("iss", json!("https://other.example")), Invalid::Issuer.into()),
        ("our own iss", issuers.with("iss", json!(OWN_ISSUER)), Invalid::Issuer.into()),
        ("iss with a slash more", issuers.with("iss", json!(format!("{issuer}/"))), Invalid::Issuer.into()),
        (
            "several iss",
            issuers.with("iss", json!([issuer, "https://other.example"])),
            Invalid::ClaimType.into(),
        ),
        ("no aud", issuers.with("aud", Value::Null), Invalid::ClaimMissing.into()),
        ("another aud", issuers.with("aud", json!("other")), Invalid::Audience.into()),
        ("empty aud", issuers.with("aud", json!([])), Invalid::Audience.into()),
        ("our own aud", issuers.with("aud", json!(OWN_ISSUER)), Invalid::Audience.into()),
        ("no sub", issuers.with("sub", Value::Null), Invalid::ClaimMissing.into()),
        ("empty sub", issuers.with("sub", json!("")), Invalid::Subject.into()),
        ("sub is a number", issuers.with("sub", json!(1)), Invalid::ClaimType.into()),
        ("sub without end", issuers.with("sub", json!("s".repeat(300))), Invalid::Subject.into()),
        ("sub in capitals", of("OPERATOR"), Invalid::UnknownClient.into()),
        ("sub with a blank", of("operator "), Invalid::UnknownClient.into()),
        ("sub with NUL", of("operator\0"), Invalid::UnknownClient.into()),
        ("unknown subject", of("nobody"), Invalid::UnknownClient.into()),
        ("subject of another issuer", of("theirs"), Invalid::UnknownClient.into()),
        ("subject of our own issuer", of("ours"), Invalid::UnknownClient.into()),
        ("disabled", of("dismissed"), Invalid::DisabledClient.into()),
        ("no exp", issuers.with("exp", Value::Null), Invalid::ClaimMissing.into()),
        (
            "exp as text",
            issuers.with("exp", json!(seconds_from_now(60).to_string())),
            Invalid::ClaimType.into(),
        ),
        ("exp huge", issuers.with("exp", json!(u64::MAX)), Invalid::Lifetime.into()),
        (
            "exp in a thousand years",
            issuers.with("exp", json!(seconds_from_now(31_536_000_000))),
            Invalid::Lifetime.into(),
        ),
        ("exp negative", issuers.with("exp", json!(-1)), Invalid::ClaimMissing.into()),
        ("exp 0", issuers.with("exp", json!(0)), Refusal::Expired),
        ("ended 90 seconds ago", issuers.with("exp", json!(seconds_from_now(-90))), Refusal::Expired),
        ("nbf as text", issuers.with("nbf", json!("0")), Invalid::ClaimType.into()),
        ("begins in 90 seconds", issuers.with("nbf", json!(seconds_from_now(90))), Invalid::NotYet.into()),
        (
            "begins in 90 and a half seconds",
            issuers.with("nbf", json!(seconds_from_now(90) as f64 + 0.5)),
            Invalid::NotYet.into(),
        ),
        (
            "without nbf, too long after iat",
            issuers.only_with(Some(-600), 32 * 86_400),
            Invalid::Lifetime.into(),
        ),
        (
            "issued in the future, for a day",
            issuers.only_with(Some(60 * 86_400), 61 * 86_400),
            Invalid::Lifetime.into(),
        ),
        (
            "without nbf and iat, too long from now on",
            issuers.only_with(None, 32 * 86_400),
            Invalid::Lifetime.into(),
        ),
        ("without nbf and iat, ended 90 seconds ago", issuers.only_with(None, -90), Refusal::Expired),
        ("claims are a list", issuers.rsa.sign(&json!([])), Invalid::ClaimType.into()),
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
        ("ours in a provider's name", own(keys, &issuers.claims(), Algorithm::HS256), Invalid::Issuer.into()),
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
async fn every_refused_token_gets_the_same_body_and_the_reason_is_known_internally() {
    let issuers = TwoIssuers::new().await;
    let app = &issuers.app;
    let none = app.answer_to(&[]).await;
    assert_eq!(none.0, StatusCode::UNAUTHORIZED);
    for (what, token, refusal) in refused(&issuers) {
        assert!(app.answer_to(&[&format!("Bearer {token}")]).await == none, "{what}: {token}");
        let reason = issuers.authority.verify(&app.database, &token).await.err();
        assert_eq!(reason, Some(refusal), "{what}: {token}");
    }
    let good = issuers.rsa.sign(&issuers.claims());
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
    let issuers = TwoIssuers::new().await;
    let challenge = async |authorization: &[&str]| {
        let mut request = Request::post("/graphql").header(header::CONTENT_TYPE, "application/json");
        for value in authorization {
            request = request.header(header::AUTHORIZATION, *value);
        }
        let reply =
            issuers.app.send(request.body(Body::from(r#"{"query":"{viewer{name}}"}"#)).unwrap()).await;
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
    let good = format!("Bearer {}", issuers.rsa.sign(&issuers.claims()));
    assert_eq!(challenge(&[]).await, MISSING);
    assert_eq!(challenge(&["Basic eDp5"]).await, MISSING);
    assert_eq!(challenge(&["Bearer nonsense"]).await, invalid);
    assert_eq!(challenge(&[&good, &good]).await, invalid);
    assert_eq!(challenge(&[&format!("Bearer {}", issuers.with("aud", json!("other")))]).await, invalid);
    let over = issuers.with("exp", json!(seconds_from_now(-90)));
    assert_eq!(challenge(&[&format!("Bearer {over}")]).await, expired);
    // Only the holder of a genuine token learns that it has expired.
    let forged = Signer::other_rsa("rsa-1").sign(&json!({"exp": 0}));
    assert_eq!(challenge(&[&format!("Bearer {forged}")]).await, invalid);
}

#[tokio::test]
async fn own_tokens_and_tokens_of_an_unknown_provider_are_refused_with_their_reason() {
    let issuers = TwoIssuers::new().await;
    let provider = issuers.rsa.sign(&issuers.claims());
    let reason =
        async |authority: Authority, token: &str| authority.verify(&issuers.app.database, token).await.err();
    assert_eq!(reason(Authority::own_tokens(), &provider).await, Some(Invalid::NoProvider.into()));
    let none = Authority::new(false, None);
    assert_eq!(reason(none, &issuers.app.token_of("ours")).await, Some(Invalid::OwnToken.into()));
}

#[tokio::test]
async fn valid_tokens_are_accepted() {
    let issuers = TwoIssuers::new().await;
    let good = || issuers.rsa.sign(&issuers.claims());
    // Each token is signed just before it is sent, because signing is slow in a debug build.
    let elsewhere = || Some("https://attacker.example/keys".to_owned());
    let tokens: [(&dyn Fn() -> String, &str, &str); 19] = [
        (&good, "The operator", "ADMINISTRATOR"),
        (&|| issuers.ec.sign(&issuers.claims()), "The operator", "ADMINISTRATOR"),
        (&|| issuers.with("aud", json!(["other", AUDIENCE])), "The operator", "ADMINISTRATOR"),
        (
            &|| issuers.headed(|header| header.typ = Some("at+jwt".to_owned())),
            "The operator",
            "ADMINISTRATOR",
        ),
        // Clocks may differ by up to 30 seconds.
        (&|| issuers.with("exp", json!(seconds_from_now(-15))), "The operator", "ADMINISTRATOR"),
        (&|| issuers.with("nbf", json!(seconds_from_now(25))), "The operator", "ADMINISTRATOR"),
        (&|| issuers.app.token_of("ours"), "Ours", "OFFICER"),
        // `nbf` and `iat` are optional, and times may have fractions.
        (&|| issuers.with("nbf", Value::Null), "The operator", "ADMINISTRATOR"),
        (&|| issuers.only_with(None, 3_600), "The operator", "ADMINISTRATOR"),
        (&|| issuers.only_with(None, -15), "The operator", "ADMINISTRATOR"),
        (&|| issuers.with("exp", json!(seconds_from_now(60) as f64 + 0.75)), "The operator", "ADMINISTRATOR"),
        (&|| issuers.with("nbf", json!(seconds_from_now(-60) as f64 + 0.5)), "The operator", "ADMINISTRATOR"),
        // A token without `kid` is accepted if one key verifies it.
        (&|| issuers.headed(|header| header.kid = None), "The operator", "ADMINISTRATOR"),
        // Hints about the location of the key are ignored; no server listens at that address.
        (&|| issuers.headed(|header| header.jku = elsewhere()), "The operator", "ADMINISTRATOR"),
        (&|| issuers.headed(|header| header.x5u = elsewhere()), "The operator", "ADMINISTRATOR"),
        (
            &|| issuers.headed(|header| header.x5c = Some(vec!["AAAA".to_owned()])),
            "The operator",
            "ADMINISTRATOR",
        ),
        (
            &|| issuers.headed(|header| header.jwk = serde_json::from_value(issuers.ec.jwk()).ok()),
            "The operator",
            "ADMINISTRATOR",
        ),
        (
            &|| issuers.headed(|header| header.typ = Some("application/AT+JWT".to_owned())),
            "The operator",
            "ADMINISTRATOR",
        ),
        // Rights in a token are ignored: the row of the client has them.
        (&|| issuers.with("role", json!("AUDITOR")), "The operator", "ADMINISTRATOR"),
    ];
    for (token, name, role) in tokens {
        let viewer =
            issuers.app.ask_as(&token(), "{ viewer { name role } }", json!({})).await["viewer"].take();
        assert_eq!(viewer, json!({"name": name, "role": role}));
    }
    let token = issuers.rsa.sign(&issuers.claims());
    assert_eq!(issuers.app.answer_to(&[&format!("bearer {token}")]).await.0, StatusCode::OK);
}

#[tokio::test]
async fn own_tokens_are_accepted_only_if_they_are_enabled() {
    let issuers = TwoIssuers::new().await;
    let opened = issuers.provider.open().await.unwrap();
    let app = issuers.app.with_authority(Authority::new(false, Some(opened)));
    assert_eq!(app.status_of(&app.token_of("ours")).await, StatusCode::UNAUTHORIZED);
    let token = issuers.rsa.sign(&issuers.provider.claims(OPERATOR));
    assert_eq!(app.status_of(&token).await, StatusCode::OK);
    let app = app.with_authority(Authority::own_tokens());
    assert_eq!(app.status_of(&token).await, StatusCode::UNAUTHORIZED);
    assert_eq!(app.status_of(&app.token_of("ours")).await, StatusCode::OK);
}
