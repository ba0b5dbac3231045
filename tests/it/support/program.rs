//! The registry program as a process.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use serde_json::{Value, json};

/// A process, killed when dropped. A failed test would leave it behind, with the output of the test open.
pub struct ChildProcess(pub Child);

impl Drop for ChildProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server process and its log. Killed when dropped.
pub struct Program {
    process: ChildProcess,
    address: String,
    /// Further addresses in its log.
    addresses: Mutex<mpsc::Receiver<String>>,
    reading: std::thread::JoinHandle<String>,
}

/// Only ends a test that has failed.
const DEADLINE: Duration = Duration::from_secs(60);

impl Program {
    /// Starts a server with only these settings. Returns when it accepts requests.
    pub fn serve(settings: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_registry"));
        command.arg("serve");
        Self::start(command, settings)
    }

    /// Starts a server that can write no file longer than this, in blocks of 512 bytes. Its writes fail; without the trap, the
    /// signal would end it.
    pub fn serve_with_small_files(settings: &[(&str, &str)], blocks: u32) -> Self {
        let mut command = Command::new("sh");
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" serve");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_registry")]);
        Self::start(command, settings)
    }

    fn start(mut command: Command, settings: &[(&str, &str)]) -> Self {
        // Not the output of the test: if the test is killed, the server would keep it open.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.env_clear().envs(settings.iter().copied());
        let mut process = ChildProcess(command.spawn().expect("the program starts"));
        let mut lines = BufReader::new(process.0.stderr.take().expect("its stderr is a pipe"));
        let (send, receive) = mpsc::channel();
        let reading = std::thread::spawn(move || {
            let (mut all, mut line) = (String::new(), String::new());
            while lines.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
                if let Some(at) = line.find("127.0.0.1:") {
                    let end = line[at..].find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ':')));
                    // Few tests ask for another address than the first.
                    let _ = send.send(line[at..end.map_or(line.len(), |end| at + end)].to_owned());
                }
                all.push_str(&line);
                line.clear();
            }
            all
        });
        match receive.recv_timeout(DEADLINE) {
            Ok(address) => Self { process, address, addresses: Mutex::new(receive), reading },
            Err(_) => {
                drop(process);
                panic!("it does not serve: {}", reading.join().unwrap_or_default())
            }
        }
    }

    /// Returns where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns the next address in its log: that of the metrics, if it serves them.
    pub fn next_address(&self) -> String {
        self.addresses.lock().unwrap().recv_timeout(DEADLINE).expect("another address in the log")
    }

    /// Posts a query, and returns the whole HTTP answer.
    pub fn ask(&self, token: &str, query: &str, variables: Value) -> String {
        let body = json!({"query": query, "variables": variables}).to_string();
        self.send(&format!(
            "POST /graphql HTTP/1.1\r\nHost: registry\r\nContent-Type: application/json\r\nConnection: close\r\n\
             Authorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    /// Sends a whole request, and returns the whole HTTP answer.
    pub fn send(&self, request: &str) -> String {
        send(&self.address, request)
    }

    /// Kills it with SIGKILL.
    pub fn kill(self) {
        drop(self.process);
    }

    /// Stops it, and returns its log.
    pub fn stop(mut self) -> String {
        let id = self.process.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert!(self.process.0.wait().unwrap().success());
        self.reading.join().unwrap()
    }
}

/// Sends a whole request to an address, and returns the whole HTTP answer.
pub fn send(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A folder of one test, removed when it is dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("registry-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file, and returns its path.
    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Returns a command with only these settings.
pub fn command(folder: &Folder, arguments: &[&str], settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_registry"));
    command.args(arguments).env_clear().env("REGISTRY_DATA_DIR", folder.0.join("data"));
    command.envs(settings.iter().copied());
    command
}

/// Runs a command to its end.
pub fn registry(folder: &Folder, arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    command(folder, arguments, settings).output().expect("the program starts")
}

/// Runs `registry doctor`. Returns its exit code, and its lines as level, subject and text.
pub fn doctor(folder: &Folder, settings: &[(&str, &str)]) -> (Option<i32>, Vec<(String, String, String)>) {
    let mut all = vec![("REGISTRY_LISTEN", "127.0.0.1:0")];
    all.extend(settings);
    let output = registry(folder, &["doctor"], &all);
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |line: &str| {
        let (level, rest) = line.split_at(8);
        let (about, text) = rest.split_at(16);
        (level.trim().to_owned(), about.trim().to_owned(), text.to_owned())
    };
    (output.status.code(), text.lines().map(line).collect())
}
