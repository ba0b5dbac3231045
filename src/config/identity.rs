//! Whose tokens hold: settings of the identity provider, and of the installation's own tokens.

use std::path::PathBuf;

use anyhow::{anyhow, bail};
use axum::http::Uri;
use clap::{ArgAction, Args};

use super::Environment;
use crate::http::auth::OWN_ISSUER;
use crate::http::auth::jwks::algorithms;
use crate::http::auth::provider::{AuthorityError, Fetcher, KeySource, ProviderSettings, Timing, is_safe};

/// Who may vouch for clients.
#[derive(Args, Clone, Debug)]
pub struct Identity {
    /// Issuer of the tokens of an identity provider (OpenID Connect), to the letter: `iss`. An address with https.
    #[arg(long, env = "REGISTRY_OIDC_ISSUER", value_name = "URL", global = true)]
    pub oidc_issuer: Option<String>,

    /// What the provider's tokens for this registry have as `aud`.
    #[arg(long, env = "REGISTRY_OIDC_AUDIENCE", value_name = "NAME", global = true)]
    pub oidc_audience: Option<String>,

    /// Where the provider's keys are (JWKS). Unless said, where its own description says:
    /// ISSUER/.well-known/openid-configuration.
    #[arg(long, env = "REGISTRY_OIDC_JWKS_URL", value_name = "URL", global = true)]
    pub oidc_jwks_url: Option<String>,

    /// File with the provider's keys, for a network without a way to the provider. Read again every ten minutes.
    #[arg(long, env = "REGISTRY_OIDC_JWKS_FILE", value_name = "FILE", global = true)]
    pub oidc_jwks_file: Option<PathBuf>,

    /// By what the provider's tokens may be signed, with commas: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384,
    /// EdDSA.
    #[arg(
        long,
        env = "REGISTRY_OIDC_ALGORITHMS",
        value_name = "NAMES",
        default_value = "RS256,ES256",
        global = true
    )]
    pub oidc_algorithms: String,

    /// File with the certificates (PEM) of the authorities that the provider's certificate is from. Unless said, those
    /// that browsers trust.
    #[arg(long, env = "REGISTRY_OIDC_CA_FILE", value_name = "FILE", global = true)]
    pub oidc_ca_file: Option<PathBuf>,

    /// Do tokens hold that are signed with the installation's own key? Yes unless said, and never in production.
    #[arg(long, env = "REGISTRY_OWN_TOKENS", value_name = "BOOL", action = ArgAction::Set, global = true)]
    pub own_tokens: Option<bool>,
}

/// Whose tokens hold.
#[derive(Clone, Debug)]
pub struct Trust {
    /// The installation's own?
    pub own: bool,
    /// Those of a provider.
    pub provider: Option<ProviderSettings>,
}

impl Identity {
    /// Whose tokens hold, if the settings make sense.
    ///
    /// # Errors
    /// A sentence that names the setting and not its value.
    pub fn trust(&self, environment: Environment) -> anyhow::Result<Trust> {
        let production = environment == Environment::Production;
        if production && self.own_tokens == Some(true) {
            bail!(
                "REGISTRY_OWN_TOKENS: tokens signed with the installation's own key are for development; unset it, \
                 because REGISTRY_ENV=production"
            );
        }
        let provider = self.provider()?;
        if production && provider.is_none() {
            bail!(
                "REGISTRY_OIDC_ISSUER is missing: with REGISTRY_ENV=production clients bring tokens of an identity \
                 provider"
            );
        }
        let own = !production && self.own_tokens.unwrap_or(true);
        if !own && provider.is_none() {
            bail!("REGISTRY_OWN_TOKENS: without them and without REGISTRY_OIDC_ISSUER nobody can come in");
        }
        Ok(Trust { own, provider })
    }

    /// The issuer that clients have unless said otherwise.
    pub fn issuer(&self) -> &str {
        given(self.oidc_issuer.as_deref()).unwrap_or(OWN_ISSUER)
    }

    fn provider(&self) -> anyhow::Result<Option<ProviderSettings>> {
        let file = |path: &Option<PathBuf>| path.clone().filter(|path| !path.as_os_str().is_empty());
        let (audience, url) = (given(self.oidc_audience.as_deref()), given(self.oidc_jwks_url.as_deref()));
        let (jwks_file, authorities) = (file(&self.oidc_jwks_file), file(&self.oidc_ca_file));
        let Some(issuer) = given(self.oidc_issuer.as_deref()) else {
            if audience.is_some() || url.is_some() || jwks_file.is_some() {
                bail!(
                    "REGISTRY_OIDC_ISSUER is missing: the other settings of the provider say nothing without it"
                );
            }
            return Ok(None);
        };
        address(issuer, "REGISTRY_OIDC_ISSUER")?;
        let Some(audience) = audience else {
            bail!(
                "REGISTRY_OIDC_AUDIENCE is missing: without it a token for any other service would hold here"
            );
        };
        let algorithms = algorithms(&self.oidc_algorithms).ok_or_else(|| {
            anyhow!(
                "REGISTRY_OIDC_ALGORITHMS: name algorithms with a public key, with commas between them; those with a \
                 secret (HS256) and none are never accepted from a provider"
            )
        })?;
        let (source, address) = match (url, jwks_file) {
            (Some(_), Some(_)) => {
                bail!(
                    "REGISTRY_OIDC_JWKS_URL and REGISTRY_OIDC_JWKS_FILE: the keys are at one place, give one"
                )
            }
            (Some(url), None) => {
                let uri = address(url, "REGISTRY_OIDC_JWKS_URL")?;
                (KeySource::Url(uri), url)
            }
            (None, Some(path)) => (KeySource::File(path), ""),
            (None, None) => (KeySource::Discovery, issuer),
        };
        let fetcher = match Fetcher::new(authorities.as_deref()) {
            // Nothing is fetched over TLS.
            Err(AuthorityError::NoneInstalled) if !address.starts_with("https:") => Fetcher::without_tls(),
            fetcher => fetcher.map_err(|reason| anyhow!("REGISTRY_OIDC_CA_FILE: {reason}"))?,
        };
        Ok(Some(ProviderSettings {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            source,
            algorithms,
            fetcher,
            timing: Timing::default(),
        }))
    }
}

/// An empty setting is none: that is how files of settings leave one out.
fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

fn address(text: &str, setting: &str) -> anyhow::Result<Uri> {
    let uri = text.parse::<Uri>().ok().filter(is_safe);
    uri.ok_or_else(|| {
        anyhow!("{setting}: an address with https is needed; http will do only on this machine itself")
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
        line.unwrap().identity.trust(environment).map_err(|error| error.to_string())
    }

    const PROVIDER: &str = "--oidc-issuer http://127.0.0.1:1/realm --oidc-audience registry";

    #[test]
    fn production_needs_a_provider_and_takes_no_tokens_of_its_own() {
        let with = |more: &str| trust(Environment::Production, &format!("{PROVIDER} {more}"));
        assert!(with("").is_ok_and(|trust| !trust.own && trust.provider.is_some()));
        assert!(with("--own-tokens false").is_ok_and(|trust| !trust.own));
        assert!(with("--own-tokens true").unwrap_err().starts_with("REGISTRY_OWN_TOKENS"));
        let refused = trust(Environment::Production, "").unwrap_err();
        assert!(refused.starts_with("REGISTRY_OIDC_ISSUER"), "{refused}");
        let development = trust(Environment::Development, "").unwrap();
        assert!(development.own && development.provider.is_none());
        assert!(trust(Environment::Development, "--own-tokens false").is_err());
    }

    #[test]
    fn each_wrong_setting_is_named_and_its_value_is_not() {
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
