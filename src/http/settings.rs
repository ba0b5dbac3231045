//! Every limit of the front door, in one place. What an operator may change is in `config/door.rs`, with its flag and its
//! sanity check; the defaults are here.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::documents::StoredDocuments;
use super::guard::Limits;
use super::origin::Origins;

/// What the front door allows.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Connections of TCP.
    pub connections: Connections,
    /// How large a query may be, and whether it may ask for the schema.
    pub limits: Limits,
    /// Length of a body, in bytes.
    pub max_body_bytes: usize,
    /// How long a client may take to send its body.
    pub body_deadline: Duration,
    /// How long a query may run.
    pub query_deadline: Duration,
    /// How long a client waits for a mutation, which goes on after that.
    pub mutation_deadline: Duration,
    /// What one client may spend.
    pub cost: Cost,
    /// How much runs at one time.
    pub admission: Admission,
    /// Certificates that are verified without a login.
    pub verification: Verification,
    /// Subscriptions.
    pub sockets: Sockets,
    /// Pages of which origins may ask, beside our own.
    pub origins: Origins,
    /// Documents that are known before they are sent.
    pub documents: Documents,
    /// Files of onboardings.
    pub upload: Upload,
}

/// Limits of the server loop.
#[derive(Clone, Copy, Debug)]
pub struct Connections {
    /// Connections at once; further ones wait in the backlog of the socket.
    pub maximum: usize,
    /// How long a client may take to send the head of a request.
    pub head_deadline: Duration,
    /// How long what is under way may go on after the signal to stop.
    pub stop_deadline: Duration,
}

/// The points that one client may spend: see [`Measure::cost`](super::guard::Measure::cost).
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Points that come back in a minute. 0: there is no limit, and nothing is counted.
    pub per_minute: u32,
    /// Points that a client has after a rest; a request that costs more is never run.
    pub burst: u32,
}

/// How many requests run at one time, by class; see [`ConcurrencyLimiter`](super::admission::ConcurrencyLimiter).
#[derive(Clone, Copy, Debug)]
pub struct Admission {
    /// Requests at once from the head to the answer, whatever they are.
    pub in_flight: usize,
    /// Queries and mutations that run at once.
    pub running: usize,
    /// Hundredths of `running` that queries leave to mutations.
    pub share_of_writes: usize,
    /// Hundredths of `running` that mutations leave to queries.
    pub share_of_reads: usize,
    /// Onboardings that run at once, beside the others.
    pub bulk: usize,
    /// Queries that wait for a place.
    pub queue: usize,
    /// Mutations of one class that wait for a place: a hundred that are sent with one key all get its answer.
    pub queue_of_writes: usize,
    /// How long a query waits for a place.
    pub wait: Duration,
    /// How long a mutation waits for one: its client would only have to send it again.
    pub wait_of_writes: Duration,
}

/// How often certificates may be verified; see [`clearance`](super::clearance).
#[derive(Clone, Copy, Debug)]
pub struct Verification {
    /// In a minute, by everybody together. 0: there is no limit.
    pub per_minute: u32,
    /// In a minute, by one address. 0: there is no limit.
    pub per_minute_of_peer: u32,
}

/// Limits of subscriptions.
#[derive(Clone, Copy, Debug)]
pub struct Sockets {
    /// Sockets at once.
    pub maximum: usize,
    /// Sockets at once of one client.
    pub per_client: usize,
    /// Operations at once on one socket.
    pub operations: usize,
    /// How long a socket may take to introduce itself.
    pub init_deadline: Duration,
    /// Bytes of one message: a subscription's text and variables.
    pub message_bytes: usize,
}

/// Documents that are known before they are sent.
#[derive(Clone, Debug)]
pub struct Documents {
    /// Those of a manifest; `None`: there is none.
    pub stored: Option<Arc<StoredDocuments>>,
    /// Does nothing else run?
    pub stored_only: bool,
    /// Documents that one client may register by sending them once (Apollo's automatic persisted queries). 0: none.
    pub automatic: usize,
    /// Bytes of all documents that clients registered so.
    pub automatic_bytes: usize,
}

/// Limits of the files that onboardings come in.
#[derive(Clone, Debug)]
pub struct Upload {
    /// How much of a file is read.
    pub limits: roster::Limits,
    /// Rows that are staged, planned and applied at once, each time in one transaction.
    pub chunk_rows: usize,
    /// How long a client may take for each 64 KiB of a file.
    pub progress_deadline: Duration,
    /// Bytes that a client has to bring in each second, on the average since it began; it has `progress_deadline` on top.
    pub least_rate: NonZeroU32,
    /// Files that are received at once; further ones are told to come back.
    pub at_once: usize,
    /// Those of one client among them.
    pub at_once_of_client: usize,
    /// Where a file lies while it is received, without a name, so that nothing is left of it.
    pub spool: PathBuf,
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

impl Default for Settings {
    fn default() -> Self {
        Self {
            connections: Connections {
                maximum: 2_048,
                head_deadline: Duration::from_secs(10),
                stop_deadline: Duration::from_secs(20),
            },
            limits: Limits::default(),
            max_body_bytes: 8 * 1024 * 1024,
            body_deadline: Duration::from_secs(30),
            query_deadline: Duration::from_secs(10),
            mutation_deadline: Duration::from_secs(30),
            cost: Cost { per_minute: 6_000_000, burst: 1_000_000 },
            admission: Admission {
                in_flight: 1_024,
                running: 32,
                share_of_writes: 20,
                share_of_reads: 70,
                bulk: 8,
                queue: 512,
                queue_of_writes: 128,
                wait: Duration::from_millis(75),
                wait_of_writes: Duration::from_secs(1),
            },
            verification: Verification { per_minute: 600, per_minute_of_peer: 30 },
            sockets: Sockets {
                maximum: 1_000,
                per_client: 100,
                operations: 20,
                init_deadline: Duration::from_secs(5),
                message_bytes: 64 * 1024,
            },
            upload: Upload::default(),
            origins: Origins::default(),
            documents: Documents {
                stored: None,
                stored_only: false,
                automatic: 100,
                automatic_bytes: 16 * 1024 * 1024,
            },
        }
    }
}
