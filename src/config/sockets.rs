//! The limits of WebSockets and event streams.

use clap::Args;
use graphql_front::settings::Sockets;

use super::problems::Problems;
use super::quantity::{Bytes, Seconds};

/// Limits of WebSockets and event streams.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
pub struct SocketSettings {
    /// WebSocket connections that are open at the same time.
    #[arg(long, env = "REGISTRY_MAX_SOCKETS", default_value_t = 1_000)]
    pub max_sockets: u64,
    /// WebSocket connections of one client that are open at the same time.
    #[arg(long, env = "REGISTRY_MAX_SOCKETS_OF_CLIENT", default_value_t = 100)]
    pub max_sockets_of_client: u64,
    /// Operations that run at the same time on one WebSocket connection.
    #[arg(long, env = "REGISTRY_MAX_SOCKET_OPERATIONS", default_value_t = 20)]
    pub max_socket_operations: u64,
    /// How long a WebSocket client may take to send `connection_init` with its token.
    #[arg(long, env = "REGISTRY_SOCKET_INIT_TIMEOUT", value_name = "DURATION", default_value_t = Seconds::of(5))]
    pub socket_init_timeout: Seconds,
    /// How often the server pings a WebSocket client. It closes a connection whose client has not answered by the next ping.
    #[arg(long, env = "REGISTRY_SOCKET_PING_INTERVAL", value_name = "DURATION", default_value_t = Seconds::of(20))]
    pub socket_ping_interval: Seconds,
    /// Largest message of a WebSocket client.
    #[arg(long, env = "REGISTRY_MAX_SOCKET_MESSAGE", value_name = "SIZE", default_value_t = Bytes::kib(64))]
    pub max_socket_message: Bytes,
}

impl SocketSettings {
    /// Reads the limits.
    pub fn sockets(&self, problems: &mut Problems) -> Sockets {
        let minute = Seconds::of(1)..=Seconds::of(60);
        let pings = Seconds::of(1)..=Seconds::of(600);
        let message = Bytes::kib(1)..=Bytes::mib(16);
        Sockets {
            maximum: problems.count("REGISTRY_MAX_SOCKETS", self.max_sockets, 0..=100_000),
            per_client: problems.count(
                "REGISTRY_MAX_SOCKETS_OF_CLIENT",
                self.max_sockets_of_client,
                1..=100_000,
            ),
            operations: problems.count(
                "REGISTRY_MAX_SOCKET_OPERATIONS",
                self.max_socket_operations,
                1..=1_000,
            ),
            init_deadline: problems
                .within("REGISTRY_SOCKET_INIT_TIMEOUT", self.socket_init_timeout, minute)
                .0,
            message_bytes: problems.within("REGISTRY_MAX_SOCKET_MESSAGE", self.max_socket_message, message).0
                as usize,
            ping_interval: problems
                .within("REGISTRY_SOCKET_PING_INTERVAL", self.socket_ping_interval, pings)
                .0,
        }
    }
}
