//! Addresses of PostgreSQL servers.

use sqlx::postgres::PgConnectOptions;

use crate::store::hosts::Hosts;

/// Why an address cannot be used. The messages repeat only names of parameters, because any part of a malformed address may belong to
/// the password.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// It has another form.
    #[error("it is not a PostgreSQL address; write it as postgres://user:password@host/database")]
    Malformed,
    /// It has an `@` behind the hosts, or a `#`: parts of a password.
    #[error(
        "the password must be percent-encoded: write %40 for @, %2F for /, %3F for ?, %23 for # and %25 for %"
    )]
    NotEncoded,
    /// It has an unknown mode of TLS.
    #[error("sslmode must be disable, allow, prefer, require, verify-ca or verify-full")]
    SslMode,
    /// It has a parameter that the driver would ignore.
    #[error(
        "it has a parameter that is not known; the usual ones are sslmode, sslrootcert, sslcert, sslkey and application_name"
    )]
    Parameter,
    /// It names a file that cannot be read.
    #[error("the file that {0} names cannot be read")]
    File(&'static str),
}

/// Reads an address with one host or several, as libpq takes them: `postgres://user@one:5432,two:5432/database`. Like libpq
/// with `target_session_attrs=read-write`, the registry uses the one that takes writes.
pub fn hosts(url: &str) -> Result<Hosts, BadAddress> {
    let url = url.replace("target_session_attrs=read-write", "");
    let (scheme, rest) = url.split_once("://").ok_or(BadAddress::Malformed)?;
    let (authority, path) = split(rest);
    let (login, hosts) =
        authority.rsplit_once('@').map_or((None, authority), |(login, hosts)| (Some(login), hosts));
    let login = login.map(|login| format!("{login}@")).unwrap_or_default();
    let mut all = hosts.split(',').map(|host| address(&format!("{scheme}://{login}{host}{path}")));
    let first = all.next().ok_or(BadAddress::Malformed)??;
    Ok(Hosts::new(first, all.collect::<Result<_, _>>()?))
}

/// Reads the address of a server.
pub fn address(url: &str) -> Result<PgConnectOptions, BadAddress> {
    let is_postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
    let rest = url.split_once("://").map(|(_, rest)| rest).unwrap_or_default();
    let (authority, path) = split(rest);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    // A `/` or `?` in the password ends the authority early. The rest of the password then looks like the database or a parameter.
    let is_cut = path.contains('@') || (!authority.contains('@') && path.is_empty() && query.contains('@'));
    if rest.contains('#') || is_cut {
        return Err(BadAddress::NotEncoded);
    }
    for (name, value) in parameters(url) {
        match canonical(name) {
            "sslmode" if !MODES.contains(&&*value.to_lowercase()) => return Err(BadAddress::SslMode),
            file @ ("sslrootcert" | "sslcert" | "sslkey") => readable(file, value)?,
            // Of a misspelt `sslmode` only a line in the log would tell.
            _ if !KNOWN.contains(&name) && !name.starts_with("options[") => {
                return Err(BadAddress::Parameter);
            }
            _ => {}
        }
    }
    url.parse().ok().filter(|_| is_postgres).ok_or(BadAddress::Malformed)
}

/// Splits what follows the scheme into the authority and the rest.
fn split(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()))
}

const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
/// The parameters of the driver, and those of libpq that it leaves out, with a line in the log.
const KNOWN: &[&str] = &[
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "target_session_attrs",
    "connect_timeout",
    "client_encoding",
    "channel_binding",
    "fallback_application_name",
    "gssencmode",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "passfile",
    "require_auth",
    "requirepeer",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcertmode",
    "sslcompression",
    "sslcrl",
    "sslcrldir",
    "sslnegotiation",
    "sslpassword",
    "sslsni",
    "tcp_user_timeout",
];
const FILES: [&str; 3] = ["sslrootcert", "sslcert", "sslkey"];

fn parameters(url: &str) -> impl Iterator<Item = (&str, &str)> {
    let query = url.split_once('?').map(|(_, query)| query).unwrap_or_default();
    query.split('&').filter_map(|parameter| parameter.split_once('='))
}

/// Returns the usual name of a parameter that the driver knows by several.
fn canonical(name: &str) -> &str {
    match name {
        "ssl-mode" => "sslmode",
        "ssl-root-cert" | "ssl-ca" => "sslrootcert",
        "ssl-cert" => "sslcert",
        "ssl-key" => "sslkey",
        name => name,
    }
}

/// Refuses a file that is not there: the driver would say that the server cannot be reached.
fn readable(name: &str, path: &str) -> Result<(), BadAddress> {
    // One that is percent-encoded is left to the driver.
    match FILES.into_iter().find(|file| *file == name && !path.contains('%')) {
        Some(file) if std::fs::File::open(path).is_err() => Err(BadAddress::File(file)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_have_several_hosts() {
        let read = |url: &str| {
            hosts(url).map(|hosts| {
                let shown = |options: &PgConnectOptions| {
                    let database = options.get_database().unwrap_or_default();
                    format!(
                        "{}@{}:{}/{database}",
                        options.get_username(),
                        options.get_host(),
                        options.get_port()
                    )
                };
                hosts.all().iter().map(shown).collect::<Vec<_>>().join(" ")
            })
        };
        for (url, found) in [
            ("postgres://anna@one/register", "anna@one:5432/register"),
            (
                "postgres://anna:p%40ss@one:6,two:7/register?sslmode=disable",
                "anna@one:6/register anna@two:7/register",
            ),
            (
                "postgres://anna@one/register?connect_timeout=10&channel_binding=prefer",
                "anna@one:5432/register",
            ),
            ("postgres://anna:p@ss@one/register?sslmode=Prefer", "anna@one:5432/register"),
            ("postgres://one/register?user=anna@corp&application_name=a@b", "anna@corp@one:5432/register"),
            (
                "postgresql://anna@one,two/register?target_session_attrs=read-write&sslmode=disable",
                "anna@one:5432/register anna@two:5432/register",
            ),
        ] {
            assert_eq!(read(url).as_deref(), Ok(found), "{url}");
        }
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said_without_its_password() {
        for (url, wrong) in [
            ("mysql://one/register", BadAddress::Malformed),
            ("one", BadAddress::Malformed),
            ("postgres://one:x,two/register", BadAddress::Malformed),
            ("postgres://anna:12?x@one/register", BadAddress::NotEncoded),
            ("postgres://anna:p@ss#w/rd%1@one:6/register", BadAddress::NotEncoded),
            ("postgres://anna:p/ss@one/register", BadAddress::NotEncoded),
            ("postgres://anna:p#ss@one/register", BadAddress::NotEncoded),
            ("postgres://anna@one/register?sslmode=verfy-full", BadAddress::SslMode),
            ("postgres://anna@one/register?sslmod=verify-full", BadAddress::Parameter),
            (
                "postgres://anna@one/register?sslmode=require&sslrootcert=/no/file",
                BadAddress::File("sslrootcert"),
            ),
        ] {
            assert_eq!(hosts(url).unwrap_err(), wrong, "{url}");
            let one = address(url).err();
            assert!(one.is_none_or(|one| one == wrong), "{url}");
        }
    }
}
