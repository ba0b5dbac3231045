//! PgBouncer in front of a test's database.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// A running PgBouncer, killed when dropped.
pub struct Pooler {
    process: Child,
    folder: PathBuf,
    port: u16,
    server: PgConnectOptions,
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Pooler {
    /// Starts PgBouncer with this `pool_mode`. Returns `None`, and prints a note, if PgBouncer is not installed.
    /// Continuous integration installs it.
    pub async fn start(server: &PgConnectOptions, pool_mode: &str) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let Some(program) = program() else {
            assert!(std::env::var_os("CI").is_none(), "continuous integration installs pgbouncer");
            eprintln!("NOT TESTED: pgbouncer is not installed");
            return None;
        };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("registry-pooler-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let host = match server.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => server.get_host().to_owned(),
        };
        let users = folder.join("users.txt");
        fs::write(&users, format!("\"{}\" \"\"\n", server.get_username())).unwrap();
        let settings = folder.join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host={host} port={}\n\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = {pool_mode}\n",
            server.get_port(),
            users.display()
        );
        fs::write(&settings, text).unwrap();
        // PgBouncer refuses to run as root. For root, PostgreSQL runs in a user namespace, and so does PgBouncer.
        let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
        let mut command = if is_root { Command::new("unshare") } else { Command::new(&program) };
        if is_root {
            command.args(["--user", "--map-user=1000", "--map-group=1000"]).arg(&program);
        }
        command.arg(&settings).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // The socket belongs to the account of PostgreSQL.
        if let Ok(owner) = fs::metadata(&host)
            && fs::metadata(&folder).unwrap().uid() != owner.uid()
        {
            for path in [&folder, &users, &settings] {
                chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
            }
            command.uid(owner.uid()).gid(owner.gid());
        }
        let process = command.spawn().unwrap();
        let pooler = Self { process, folder, port, server: server.clone() };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(10), "pgbouncer does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some(pooler)
    }

    /// Returns the options to connect through it.
    pub fn options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username(self.server.get_username())
            .database(self.server.get_database().expect("a test's database has a name"))
            .ssl_mode(PgSslMode::Disable)
    }
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join("pgbouncer")).find(|program| program.is_file())
}
