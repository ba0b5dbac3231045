//! A server of the registry on one database.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::process::{Child, Command};

use crate::client::Client;
use crate::process::Process;
use crate::register::Register;

/// The longest time that a start may take.
const START_DEADLINE: Duration = Duration::from_secs(20);
/// The longest time to end after SIGTERM: a little more than the registry gives its clients.
const STOP_DEADLINE: Duration = Duration::from_secs(25);

/// A running registry. Dropping it kills the process.
pub struct Server {
    child: Child,
    /// The address that it listens on.
    pub address: SocketAddr,
    /// The file that its log goes to.
    pub log: PathBuf,
    /// The time from the start to the answer of the first query.
    pub first_answer: Duration,
}

impl Server {
    /// Starts a registry and waits until it answers `query`. `log` is its `RUST_LOG`. It takes other settings from the
    /// environment.
    pub async fn start(register: &Register, log: &str, query: &[u8]) -> anyhow::Result<Self> {
        let path = register.folder.join("registry.log");
        // Another program could take this port before the registry does, but that is unlikely.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let began = Instant::now();
        let child = Command::new(env!("CARGO_BIN_EXE_registry"))
            .args(["serve", "--no-playground", "--listen", &address.to_string()])
            .env("DATABASE_URL", register.url())
            .env("REGISTRY_DATA_DIR", &register.folder)
            .env("RUST_LOG", log)
            // The rate limit would refuse one client that sends as fast as it can.
            .env("REGISTRY_COST_PER_MINUTE", "0")
            // `statements` searches the log, and colour codes would split the text.
            .env("NO_COLOR", "1")
            .env_remove("REGISTRY_ENV")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&path)?)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the program `registry`")?;
        let mut server = Self { child, address, log: path, first_answer: Duration::ZERO };
        server.wait_until_ready(began).await?;
        Client::connect(address).await?.send(query).await?;
        server.first_answer = began.elapsed();
        Ok(server)
    }

    async fn wait_until_ready(&mut self, began: Instant) -> anyhow::Result<()> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the registry ended with {status}: {}", last_line(&self.log));
            }
            if is_ready(self.address).await.unwrap_or(false) {
                return Ok(());
            }
            if began.elapsed() > START_DEADLINE {
                bail!("the registry was not ready within {START_DEADLINE:?}: {}", last_line(&self.log));
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Returns the process of the registry.
    pub fn process(&self) -> Process {
        // Only `stop` waits for the end, and it takes `self`.
        Process(self.child.id().expect("a registry that was not stopped has a process id"))
    }

    /// Sends SIGTERM and waits for the end.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let id = self.process().0.to_string();
        Command::new("kill").args(["-TERM", &id]).status().await.context("cannot run the program `kill`")?;
        match tokio::time::timeout(STOP_DEADLINE, self.child.wait()).await {
            Ok(status) => {
                status?;
            }
            Err(_) => self.child.kill().await?,
        }
        Ok(())
    }
}

async fn is_ready(address: SocketAddr) -> anyhow::Result<bool> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.1 200"))
}

fn last_line(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().next_back().unwrap_or("its log is empty").to_owned()
}
