//! The limits of the server. `config/http.rs` says which of them an operator may change, with their flags and checks; the
//! defaults are here.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::peer::TrustedProxies;
use crate::telemetry::traces::Traces;

/// The limits of the server.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// TCP connections.
    pub connections: Connections,
    /// The GraphQL endpoint.
    pub graphql: graphql_front::Settings,
    /// Certificates that are verified without a login.
    pub verification: Verification,
    /// Files of onboardings.
    pub upload: Upload,
    /// Exports.
    pub export: Export,
    /// Proxies that name the client.
    pub proxies: TrustedProxies,
    /// Whether figures are published without a login.
    pub public_figures: bool,
    /// Whether each request is logged.
    pub logs_requests: bool,
    /// Whether metrics are recorded.
    pub metrics: bool,
    /// Opens spans; `None` if nobody collects them.
    pub traces: Option<Traces>,
    /// TLS of the server's own, if it has any.
    pub tls: Option<Arc<rustls::ServerConfig>>,
}

impl From<graphql_front::Settings> for Settings {
    /// Takes the defaults for everything but the endpoint.
    fn from(graphql: graphql_front::Settings) -> Self {
        Self { graphql, ..Self::default() }
    }
}

/// Limits of the server loop.
#[derive(Clone, Copy, Debug)]
pub struct Connections {
    /// Maximum number of open connections; further ones wait in the backlog of the socket.
    pub maximum: usize,
    /// Time that a client may take to send the head of a request.
    pub head_deadline: Duration,
    /// Time after the signal to stop in which the server still answers new requests, so that proxies find out that it is not
    /// ready before it refuses any. `None`: [`DRAIN`] where other servers can take over, and none where it is alone.
    pub drain: Option<Duration>,
    /// Time that running requests have after that.
    pub stop_deadline: Duration,
}

/// How long a server that is not alone goes on after the signal to stop, unless a setting says otherwise: a proxy that asks for
/// readiness every two seconds has asked twice.
pub const DRAIN: Duration = Duration::from_secs(5);

/// How often certificates may be verified; see [`clearance`](super::clearance).
#[derive(Clone, Copy, Debug)]
pub struct Verification {
    /// Verifications per minute of all addresses together. 0: there is no limit.
    pub per_minute: u32,
    /// Verifications per minute of one address. 0: there is no limit.
    pub per_minute_of_peer: u32,
}

/// Limits of the files of onboardings.
#[derive(Clone, Debug)]
pub struct Upload {
    /// How much of a file is read.
    pub limits: roster::Limits,
    /// Rows that one transaction stages, plans or applies.
    pub chunk_rows: usize,
    /// Time that a client may take for each 64 KiB of a file.
    pub progress_deadline: Duration,
    /// Bytes per second that a client has to send on average since it began, with `progress_deadline` on top.
    pub least_rate: NonZeroU32,
    /// Maximum number of files that are received at once.
    pub at_once: usize,
    /// Maximum number of files of one client among them.
    pub at_once_of_client: usize,
    /// Folder for files while they are received. They have no name there, so nothing is left of them.
    pub spool: PathBuf,
}

/// Limits of exports.
#[derive(Clone, Copy, Debug)]
pub struct Export {
    /// Time that an export may take. Its snapshot keeps the database from removing old versions of rows.
    pub deadline: Duration,
    /// Time that a client may take for each piece of an export.
    pub progress_deadline: Duration,
}

impl Default for Export {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(600), progress_deadline: Duration::from_secs(30) }
    }
}

impl Default for Upload {
    fn default() -> Self {
        Self {
            limits: roster::Limits { bytes: 2 << 30, rows: 2_000_000, ..roster::Limits::default() },
            chunk_rows: 2_000,
            progress_deadline: Duration::from_secs(30),
            least_rate: const { NonZeroU32::new(32 * 1024).unwrap() },
            at_once: 4,
            at_once_of_client: 2,
            spool: std::env::temp_dir(),
        }
    }
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            maximum: 2_048,
            head_deadline: Duration::from_secs(10),
            drain: None,
            stop_deadline: Duration::from_secs(20),
        }
    }
}

impl Default for Verification {
    fn default() -> Self {
        Self { per_minute: 600, per_minute_of_peer: 30 }
    }
}
