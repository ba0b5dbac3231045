//! Reads `postmaster.pid`, the file in which PostgreSQL publishes its state, and ends processes that a killed
//! PostgreSQL left.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::DATA_FOLDER;
use super::process::{Signal, end_all};

/// The contents of `postmaster.pid`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Postmaster {
    pub(super) pid: u32,
    pub(super) sockets: PathBuf,
    pub(super) state: PostmasterState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PostmasterState {
    Starting,
    /// It accepts connections.
    Ready,
    Stopping,
}

impl Postmaster {
    pub(super) fn read(data: &Path) -> Option<Postmaster> {
        Postmaster::parse(&fs::read_to_string(data.join("postmaster.pid")).ok()?)
    }

    /// Parses the file. Its lines are process, data folder, start, port, socket folder, address, shared memory, state.
    fn parse(text: &str) -> Option<Postmaster> {
        let mut lines = text.lines();
        let pid = lines.next()?.trim().parse().ok()?;
        let sockets = PathBuf::from(lines.nth(3)?);
        let state = match lines.nth(2).map(str::trim) {
            Some("ready") => PostmasterState::Ready,
            Some("stopping") => PostmasterState::Stopping,
            _ => PostmasterState::Starting,
        };
        Some(Postmaster { pid, sockets, state })
    }

    /// Returns whether the process id belongs to a zombie, or to another process than a PostgreSQL in this folder.
    /// Returns `false` if that is uncertain.
    pub(super) fn process_id_is_reused(&self, data: &Path) -> bool {
        // The working folder of PostgreSQL is its data folder; a zombie has none.
        match fs::read_link(self.process().join("cwd")) {
            Ok(folder) => folder != data,
            Err(error) => error.kind() == ErrorKind::NotFound && self.process().exists(),
        }
    }

    /// Returns whether no process has this id any more. Returns `false` on a system without /proc.
    fn is_dead(&self) -> bool {
        let gone = |error: io::Error| error.kind() == ErrorKind::NotFound;
        Path::new("/proc/self").exists() && fs::read_link(self.process().join("cwd")).is_err_and(gone)
    }

    fn process(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}", self.pid))
    }
}

/// Watches the PostgreSQL of an owner that was killed, while this process waits for the lock.
///
/// That PostgreSQL gets the death signal. But it may have died already and left sessions that still compute, or it may
/// hang: a fast shutdown while PostgreSQL 15 recovers from the crash of a session never ends.
#[derive(Debug, Default)]
pub(super) struct OrphanWatch {
    stopping_since: Option<Instant>,
    last_signal: Option<Instant>,
}

impl OrphanWatch {
    /// Ends the processes that do not end by themselves in time. A living owner would do the same.
    pub(super) fn end_overdue(&mut self, folder: &Path, patience: Duration) {
        if self.last_signal.is_some_and(|last| last.elapsed() < patience / 2) {
            return;
        }
        let Ok(data) = folder.join(DATA_FOLDER).canonicalize() else {
            return;
        };
        let Some(found) = Postmaster::read(&data) else {
            return;
        };
        let overdue = match found.state {
            _ if found.is_dead() => {
                // If its owner is restarting it right now, the file changes in a moment.
                std::thread::sleep(Duration::from_millis(200));
                Postmaster::read(&data) == Some(found)
            }
            PostmasterState::Stopping => {
                self.stopping_since.get_or_insert_with(Instant::now).elapsed() > patience
            }
            PostmasterState::Starting | PostmasterState::Ready => {
                *self = OrphanWatch::default();
                false
            }
        };
        if overdue {
            let signal = if self.last_signal.is_none() { Signal::Quit } else { Signal::Kill };
            end_all(&data, signal);
            self.last_signal = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postmaster_pid_names_the_process_the_socket_and_the_state() {
        let text = "4711\n/data/cluster\n1416614400\n5432\n/data/sockets\n\n  5431  12\nready   \n";
        let expected =
            Postmaster { pid: 4711, sockets: "/data/sockets".into(), state: PostmasterState::Ready };
        assert_eq!(Postmaster::parse(text), Some(expected));
        let stopping = text.replace("ready   ", "stopping");
        assert_eq!(Postmaster::parse(&stopping).unwrap().state, PostmasterState::Stopping);
        assert_eq!(Postmaster::parse("4711\n"), None);
    }
}
