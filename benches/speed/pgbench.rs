//! Runs pgbench, which measures the speed of PostgreSQL without the registry.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use sqlx::PgConnection;
use tokio::process::Command;

use crate::register::Register;

/// Finds pgbench in the folder of the running PostgreSQL, or else in `PATH`.
pub async fn find(connection: &mut PgConnection) -> anyhow::Result<PathBuf> {
    let bin: String = sqlx::query_scalar("select setting from pg_config where name = 'BINDIR'")
        .fetch_one(connection)
        .await?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::iter::once(PathBuf::from(bin)).chain(std::env::split_paths(&path));
    let program = folders.find_map(|folder| Some(folder.join("pgbench")).filter(|program| program.is_file()));
    program.context(
        "pgbench is missing: install PostgreSQL's server or contrib package, or set PG_BIN to a folder that has it",
    )
}

/// Runs a script of this folder with a number of clients, and returns its transactions per second.
pub async fn run(
    register: &Register,
    script: &str,
    clients: u32,
    duration: Duration,
    variables: &[(&str, i64)],
) -> anyhow::Result<f64> {
    let options = register.options();
    let host = options
        .get_socket()
        .map_or_else(|| options.get_host().into(), |socket| socket.as_os_str().to_owned());
    let mut pgbench = Command::new(&register.pgbench);
    pgbench.arg("-h").arg(host).args(["-p", &options.get_port().to_string(), "-U", options.get_username()]);
    // -n: the tables that pgbench would vacuum do not exist. -j: two threads, not one for each client.
    pgbench.args(["-n", "-M", "prepared", "-j", "2", "-c", &clients.to_string()]);
    pgbench.args(["-T", &duration.as_secs().max(1).to_string()]);
    for (name, value) in variables {
        pgbench.args(["-D", &format!("{name}={value}")]);
    }
    pgbench.env("PGOPTIONS", &register.planning);
    pgbench.arg("-f").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/speed").join(script));
    let output = pgbench.arg(options.get_database().unwrap_or_default()).kill_on_drop(true).output().await?;
    let output_text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("pgbench failed with {script}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let rate =
        output_text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    rate.with_context(|| format!("pgbench printed no rate: {output_text}"))
}
