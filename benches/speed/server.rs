//! The program `registry` as it is shipped, serving one database.

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

/// How long a start may take.
const START_DEADLINE: Duration = Duration::from_secs(20);
/// How long it may take to end after it was asked to: a little more than it gives its own clients.
const STOP_DEADLINE: Duration = Duration::from_secs(25);

/// A running registry. Killed when it is dropped.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// What it says.
    pub log: PathBuf,
    /// From its start to the answer of the first query.
    pub first_answer: Duration,
}

impl Server {
    /// Starts it, and waits until it answers `query`. `log` is what it is to say of itself, as `RUST_LOG` has it;
    /// other settings come from the environment, as for every registry.
    pub async fn start(register: &Register, log: &str, query: &[u8]) -> anyhow::Result<Self> {
        let path = register.folder.join("registry.log");
        // Free a moment ago. Nobody else on this machine should want it within the next few milliseconds.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let began = Instant::now();
        let child = Command::new(env!("CARGO_BIN_EXE_registry"))
            .args(["serve", "--no-playground", "--listen", &address.to_string()])
            .env("DATABASE_URL", register.url())
            .env("REGISTRY_DATA_DIR", &register.folder)
            .env("RUST_LOG", log)
            // One client asks as fast as it can here, which is what this limit is against.
            .env("REGISTRY_COST_PER_MINUTE", "0")
            // Its log is read, and colours would stand between the words.
            .env("NO_COLOR", "1")
            .env_remove("REGISTRY_ENV")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&path)?)
            .kill_on_drop(true)
            .spawn()
            .context("the program `registry` cannot be started")?;
        let mut server = Self { child, address, log: path, first_answer: Duration::ZERO };
        server.wait_until_ready(began).await?;
        Client::connect(address).await?.ask(query).await?;
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

    /// Its process.
    pub fn process(&self) -> Process {
        // It has no number only after somebody waited for its end, which `stop` alone does.
        Process(self.child.id().expect("a registry that was not stopped has a process number"))
    }

    /// Asks it to stop, and waits for that.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let id = self.process().0.to_string();
        Command::new("kill").args(["-TERM", &id]).status().await.context("there is no program `kill`")?;
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
    let said = std::fs::read_to_string(log).unwrap_or_default();
    said.lines().next_back().unwrap_or("it said nothing").to_owned()
}
