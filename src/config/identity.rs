//! Settings of the identity provider, and of the installation's own tokens.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use axum::http::Uri;
use clap::{ArgAction, Args};

use super::environment::Environment;
use super::problems::Problems;
use crate::http::auth::OWN_ISSUER;
use crate::http::auth::jwks::algorithms;
use crate::http::auth::provider::{AuthorityError, Fetcher, KeySource, ProviderSettings, Timing, is_safe};

/// The issuers whose tokens are accepted.
#[derive(Args, Clone, Debug)]
pub struct Identity {
    /// Issuer of the identity provider (OpenID Connect): an https address, exactly as in the `iss` of its tokens.
    #[arg(
        long,
        env = "REGISTRY_OIDC_ISSUER",
        value_name = "URL",
        global = true,
        help_heading = "Identity provider",
        hide_short_help = true
    )]
    pub oidc_issuer: Option<String>,

    /// The `aud` of the provider's tokens for this registry, or one of several.
    #[arg(
        long,
        env = "REGISTRY_OIDC_AUDIENCE",
        value_name = "NAME",
        global = true,
        help_heading = "Identity provider",
        hide_short_help = true
    )]
    pub oidc_audience: Option<String>,

    /// Address of the provider's keys (JWKS). Default: the `jwks_uri` of ISSUER/.well-known/openid-configuration.
    #[arg(
        long,
        env = "REGISTRY_OIDC_JWKS_URL",
        value_name = "URL",
        global = true,
        help_heading = "Identity provider",
        hide_short_help = true
    )]
    pub oidc_jwks_url: Option<String>,

    /// File with the provider's keys, for a network without access to the provider. It is read again every ten minutes.
    #[arg(
        long,
        env = "REGISTRY_OIDC_JWKS_FILE",
        value_name = "FILE",
        global = true,
        help_heading = "Identity provider",
        hide_short_help = true
    )]
    pub oidc_jwks_file: Option<PathBuf>,

    /// Accepted signature algorithms, separated by commas: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA.
    #[arg(
        long,
        env = "REGISTRY_OIDC_ALGORITHMS",
        value_name = "NAMES",
        default_value = "RS256,ES256",
        global = true,
        help_heading = "Identity provider",
        hide_short_help = true
    )]
    pub oidc_algorithms: String,

    /// File with the certificates (PEM) of the authorities that sign the provider's certificate. Default: those of the
    /// operating system, or of SSL_CERT_FILE.
    #[arg(
        long,
        env = "REGISTRY_OIDC_CA_FILE",
        value_name = "FILE",
        global = true,
        help_heading = "Identity provider",
        hide_short_help = true
    )]
    pub oidc_ca_file: Option<PathBuf>,

    /// Accept tokens signed with the installation's own key. Default: true, in production always false.
    #[arg(long, env = "REGISTRY_OWN_TOKENS", value_name = "BOOL", action = ArgAction::Set, global = true, help_heading = "Identity provider", hide_short_help = true)]
    pub own_tokens: Option<bool>,
}

/// The issuers whose tokens are accepted.
#[derive(Clone, Debug)]
pub struct Trust {
    /// Whether tokens signed with the installation's own key are accepted.
    pub own: bool,
    /// The identity provider, if there is one.
    pub provider: Option<ProviderSettings>,
}

impl Identity {
    /// Returns the issuers whose tokens are accepted.
    pub(super) fn trust(&self, environment: Environment, problems: &mut Problems) -> Option<Trust> {
        let production = environment == Environment::Production;
        if production && self.own_tokens == Some(true) {
            problems.add(
                "REGISTRY_OWN_TOKENS: tokens signed with the installation's own key are for development; unset it, \
                 because REGISTRY_ENV=production",
            );
        }
        let own = !production && self.own_tokens.unwrap_or(true);
        let provider = self.provider(production, problems)?;
        if !own && !production && provider.is_none() {
            problems.add(
                "REGISTRY_OWN_TOKENS: without own tokens and without REGISTRY_OIDC_ISSUER no client can authenticate",
            );
        }
        Some(Trust { own, provider })
    }

    /// Returns the issuer for a client that is registered without one.
    pub fn default_issuer(&self, environment: Environment) -> Option<&str> {
        let own = (environment == Environment::Development).then_some(OWN_ISSUER);
        given(self.oidc_issuer.as_deref()).or(own)
    }

    /// Returns the settings of the provider, or `Some(None)` if there is no provider and none is needed.
    fn provider(&self, needed: bool, problems: &mut Problems) -> Option<Option<ProviderSettings>> {
        let (audience, jwks_url) =
            (given(self.oidc_audience.as_deref()), given(self.oidc_jwks_url.as_deref()));
        let jwks_file = given_path(self.oidc_jwks_file.as_deref());
        let Some(issuer) = given(self.oidc_issuer.as_deref()) else {
            let others = audience.is_some() || jwks_url.is_some() || jwks_file.is_some();
            if needed {
                problems.add(
                    "REGISTRY_OIDC_ISSUER is missing: with REGISTRY_ENV=production clients use tokens of an identity \
                     provider",
                );
            } else if others {
                problems.add(
                    "REGISTRY_OIDC_ISSUER is missing: the other settings of the provider have no effect without it",
                );
            }
            if needed && audience.is_none() {
                problems.add(NO_AUDIENCE);
            }
            return (!needed && !others).then_some(None);
        };
        if audience.is_none() {
            problems.add(NO_AUDIENCE);
        }
        let address = problems.ok(address(issuer, "REGISTRY_OIDC_ISSUER"));
        let source = problems.ok(source(jwks_url, jwks_file));
        let algorithms = problems.ok(algorithms(&self.oidc_algorithms).context(
            "REGISTRY_OIDC_ALGORITHMS: name algorithms with public keys, separated by commas; symmetric ones (HS256) and \
             none are never accepted from a provider",
        ));
        let source = source?;
        let over_tls = match &source {
            KeySource::Discovery => address?.scheme_str() == Some("https"),
            KeySource::Url(url) => url.scheme_str() == Some("https"),
            KeySource::File(_) => false,
        };
        let fetcher = problems.ok(self.fetcher(over_tls));
        Some(Some(ProviderSettings {
            issuer: issuer.to_owned(),
            audience: audience?.to_owned(),
            source,
            algorithms: algorithms?,
            fetcher: fetcher?,
            timing: Timing::default(),
        }))
    }

    fn fetcher(&self, over_tls: bool) -> anyhow::Result<Fetcher> {
        match Fetcher::new(given_path(self.oidc_ca_file.as_deref())) {
            Err(AuthorityError::NoneInstalled) if !over_tls => Ok(Fetcher::without_tls()),
            fetcher => fetcher.context("REGISTRY_OIDC_CA_FILE"),
        }
    }
}

const NO_AUDIENCE: &str =
    "REGISTRY_OIDC_AUDIENCE is missing: without it a token for any other service would be accepted here";

fn source(url: Option<&str>, file: Option<&Path>) -> anyhow::Result<KeySource> {
    match (url, file) {
        (Some(_), Some(_)) => {
            bail!("REGISTRY_OIDC_JWKS_URL and REGISTRY_OIDC_JWKS_FILE are both set; unset one of them")
        }
        (Some(url), None) => address(url, "REGISTRY_OIDC_JWKS_URL").map(KeySource::Url),
        (None, Some(path)) => Ok(KeySource::File(path.to_owned())),
        (None, None) => Ok(KeySource::Discovery),
    }
}

/// Returns a setting, or `None` if it is empty: an environment file unsets a variable by leaving it empty.
fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

fn given_path(path: Option<&Path>) -> Option<&Path> {
    path.filter(|path| !path.as_os_str().is_empty())
}

fn address(text: &str, setting: &str) -> anyhow::Result<Uri> {
    let uri = text.parse::<Uri>().ok().filter(is_safe);
    uri.ok_or_else(|| {
        anyhow!("{setting} must be an https address; http is accepted only for this machine itself")
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        identity: Identity,
    }

    fn trust(environment: Environment, line: &str) -> Result<Trust, String> {
        let line = Line::try_parse_from(std::iter::once("registry").chain(line.split_whitespace()));
        let mut problems = Problems::default();
        let trust = line.unwrap().identity.trust(environment, &mut problems);
        problems.finish(trust).map_err(|error| error.to_string())
    }

    const PROVIDER: &str = "--oidc-issuer http://127.0.0.1:1/realm --oidc-audience registry";

    #[test]
    fn production_needs_a_provider_and_accepts_no_own_tokens() {
        let with = |more: &str| trust(Environment::Production, &format!("{PROVIDER} {more}"));
        assert!(with("").is_ok_and(|trust| !trust.own && trust.provider.is_some()));
        assert!(with("--own-tokens false").is_ok_and(|trust| !trust.own));
        assert!(with("--own-tokens true").unwrap_err().starts_with("REGISTRY_OWN_TOKENS"));
        let refused = trust(Environment::Production, "").unwrap_err();
        assert!(
            refused.contains("  REGISTRY_OIDC_ISSUER") && refused.contains("  REGISTRY_OIDC_AUDIENCE"),
            "{refused}"
        );
        let development = trust(Environment::Development, "").unwrap();
        assert!(development.own && development.provider.is_none());
        assert!(trust(Environment::Development, "--own-tokens false").is_err());
    }

    #[test]
    fn each_wrong_setting_is_named_without_its_value() {
        for (line, setting) in [
            ("--oidc-audience SECRET", "REGISTRY_OIDC_ISSUER"),
            ("--oidc-issuer http://SECRET.example --oidc-audience a", "REGISTRY_OIDC_ISSUER"),
            ("--oidc-issuer SECRET --oidc-audience a", "REGISTRY_OIDC_ISSUER"),
            ("--oidc-issuer http://127.0.0.1/SECRET", "REGISTRY_OIDC_AUDIENCE"),
            (&format!("{PROVIDER} --oidc-jwks-url http://SECRET.example/"), "REGISTRY_OIDC_JWKS_URL"),
            (
                &format!("{PROVIDER} --oidc-jwks-url http://127.0.0.1/SECRET --oidc-jwks-file SECRET"),
                "REGISTRY_OIDC_JWKS_URL and",
            ),
            (&format!("{PROVIDER} --oidc-algorithms RS256,HS256"), "REGISTRY_OIDC_ALGORITHMS"),
            (&format!("{PROVIDER} --oidc-algorithms none"), "REGISTRY_OIDC_ALGORITHMS"),
            (&format!("{PROVIDER} --oidc-ca-file SECRET"), "REGISTRY_OIDC_CA_FILE"),
        ] {
            let refused = trust(Environment::Development, line).unwrap_err();
            assert!(refused.starts_with(setting) && !refused.contains("SECRET"), "{line}: {refused}");
        }
    }
}
