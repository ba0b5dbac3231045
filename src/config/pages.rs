//! Settings of the web pages.

use clap::Args;

use super::environment::Environment;
use super::identity::Trust;
use super::problems::Problems;
use crate::http::pages::SignIn;

/// How people use the web pages.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Web pages")]
pub struct PagesSettings {
    /// Client of the web pages at the identity provider: a public client with the redirect address `/signed-in` of this
    /// server (authorization code with PKCE). In production there are no pages without it.
    #[arg(long, env = "REGISTRY_PAGES_CLIENT_ID", value_name = "ID")]
    pub pages_client_id: Option<String>,
    /// Scopes that the web pages ask for, separated by spaces.
    #[arg(long, env = "REGISTRY_PAGES_SCOPES", value_name = "SCOPES", default_value = "openid profile")]
    pub pages_scopes: String,
    /// Serves no web pages.
    #[arg(long, env = "REGISTRY_NO_PAGES")]
    pub no_pages: bool,
}

/// The web pages that are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServedPages {
    /// None.
    None,
    /// People sign in with a token: that of a demonstration, or one that they paste.
    WithToken,
    /// People sign in at the identity provider.
    WithProvider(SignIn),
}

impl PagesSettings {
    /// Reads which pages are served.
    pub fn served(
        &self,
        trust: Option<&Trust>,
        environment: Environment,
        problems: &mut Problems,
    ) -> ServedPages {
        let client = self.pages_client_id.as_deref().filter(|id| !id.is_empty());
        let provider = trust.and_then(|trust| trust.provider.as_ref());
        if client.is_some() && trust.is_some() && provider.is_none() {
            problems.add(
                "REGISTRY_PAGES_CLIENT_ID: the pages sign in at the identity provider, so it needs REGISTRY_OIDC_ISSUER \
                 and REGISTRY_OIDC_AUDIENCE",
            );
        }
        // The characters of a scope in RFC 6749.
        let is_scope = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
        if !self.pages_scopes.chars().all(|c| c == ' ' || is_scope(c)) {
            problems
                .add("REGISTRY_PAGES_SCOPES: scopes are printable ASCII without quotes, separated by spaces");
        }
        if self.no_pages {
            return ServedPages::None;
        }
        match client.zip(provider) {
            Some((client, provider)) => ServedPages::WithProvider(SignIn {
                issuer: provider.issuer.clone(),
                client_id: client.to_owned(),
                scopes: self.pages_scopes.split_whitespace().collect::<Vec<_>>().join(" "),
                audience: provider.audience.clone(),
            }),
            None if environment == Environment::Production => ServedPages::None,
            None => ServedPages::WithToken,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::identity::Identity;
    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        identity: Identity,
        #[command(flatten)]
        pages: PagesSettings,
    }

    fn served(environment: Environment, line: &str) -> Result<ServedPages, String> {
        let arguments = std::iter::once("registry").chain(line.split_whitespace());
        let Line { identity, pages } = Line::try_parse_from(arguments).unwrap();
        let mut problems = Problems::default();
        let trust = identity.trust(environment, &mut problems);
        let served = pages.served(trust.as_ref(), environment, &mut problems);
        problems.finish(trust.map(|_| served)).map_err(|error| error.to_string())
    }

    const PROVIDER: &str = "--oidc-issuer http://127.0.0.1:1/realm --oidc-audience registry";

    #[test]
    fn production_serves_pages_only_with_a_client_at_the_provider() {
        let production = |more: &str| served(Environment::Production, &format!("{PROVIDER} {more}"));
        assert_eq!(production(""), Ok(ServedPages::None));
        let sign_in = SignIn {
            issuer: "http://127.0.0.1:1/realm".to_owned(),
            client_id: "pages".to_owned(),
            scopes: "openid profile".to_owned(),
            audience: "registry".to_owned(),
        };
        assert_eq!(production("--pages-client-id pages"), Ok(ServedPages::WithProvider(sign_in)));
        assert_eq!(production("--pages-client-id pages --no-pages"), Ok(ServedPages::None));
        assert_eq!(served(Environment::Development, ""), Ok(ServedPages::WithToken));
    }

    #[test]
    fn a_client_without_a_provider_and_scopes_with_quotes_are_refused() {
        let development = |line| served(Environment::Development, line).unwrap_err();
        assert!(development("--pages-client-id pages").starts_with("REGISTRY_PAGES_CLIENT_ID"));
        assert!(development("--pages-scopes \"openid\"").starts_with("REGISTRY_PAGES_SCOPES"));
    }
}
