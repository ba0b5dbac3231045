//! The settings that PostgreSQL is started with.
//!
//! They are passed on the command line, where neither a file nor `ALTER SYSTEM` overrides them. A newer version of this
//! package therefore applies its newer settings.

use std::ffi::OsString;
use std::path::Path;

use super::{ClusterSettings, Durability};

/// The name of the database's folder in the data folder.
pub const DATA_FOLDER: &str = "cluster";

/// The oldest supported release.
pub(super) const OLDEST: u32 = 15;

/// Part of the name of the socket. PostgreSQL does not listen on a port.
pub(super) const PORT: u16 = 5432;

const ALWAYS: &[&str] = &[
    // Clients connect through the socket only, and only its owner can open the socket.
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "timezone=UTC",
    "log_timezone=UTC",
    // Values of the application stay out of the log. They occur in parameters, in statements, in the details of an
    // error ("Key (email)=(…) already exists") and in its message ("invalid input syntax for type bigint: …"). So
    // errors of statements are not logged at all; the client gets them. Events of the server itself are logged.
    "log_destination=stderr",
    "logging_collector=off",
    "log_min_messages=log",
    "log_min_error_statement=panic",
    "log_error_verbosity=terse",
    "log_statement=none",
    "log_duration=off",
    "log_min_duration_statement=-1",
    "log_min_duration_sample=-1",
    "log_transaction_sample_rate=0",
    "log_parameter_max_length=0",
    "log_parameter_max_length_on_error=0",
    "log_lock_waits=off",
    // For short statements, compiling takes longer than running.
    "jit=off",
];

const DURABLE: &[&str] = &[
    "fsync=on",
    #[cfg(target_os = "linux")]
    // One call before crash recovery instead of one for each file, which took seconds.
    "recovery_init_sync_method=syncfs",
    "synchronous_commit=on",
    "full_page_writes=on",
    "shared_buffers=256MB",
    "max_wal_size=4GB",
    "max_connections=60",
];

const THROWAWAY: &[&str] = &[
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "autovacuum=off",
    "shared_buffers=128MB",
    // Each test has a pool of its own, and there are as many tests at a time as there are cores.
    "max_connections=300",
];

/// Returns the arguments for `postgres`.
pub(super) fn arguments(data: &Path, sockets: &Path, cluster: ClusterSettings) -> Vec<OsString> {
    let mut sockets_setting = OsString::from("unix_socket_directories=");
    sockets_setting.push(list_item(sockets));
    let mut arguments = vec!["-D".into(), data.into(), "-c".into(), sockets_setting];
    arguments.extend(["-c".into(), format!("port={PORT}").into()]);
    arguments.extend(["-c".into(), format!("cluster_name={}", cluster.database).into()]);
    let settings = match cluster.durability {
        Durability::Durable => DURABLE,
        Durability::Throwaway => THROWAWAY,
    };
    for setting in ALWAYS.iter().chain(settings) {
        arguments.extend(["-c".into(), setting.into()]);
    }
    arguments
}

/// Returns the arguments for `initdb`. Every account that can open the socket may connect: the folder around it limits
/// access.
pub(super) fn initdb_arguments(data: &Path, durability: Durability) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["-D".into(), data.into()];
    arguments.extend(
        [
            "--username=postgres",
            "--auth-local=trust",
            "--auth-host=reject",
            "--encoding=UTF8",
            "--no-instructions",
        ]
        .map(OsString::from),
    );
    if cfg!(target_os = "macos") {
        // Older releases of macOS have no C.UTF-8; this is the same.
        arguments.extend(["--locale=C".into(), "--lc-ctype=UTF-8".into()]);
    } else {
        arguments.push("--locale=C.UTF-8".into());
    }
    if durability == Durability::Throwaway {
        // Tests may copy the whole folder, and a smaller one is copied faster.
        arguments.push("--wal-segsize=1".into());
    }
    // On Linux the whole file system is synced afterwards, which is faster.
    if durability == Durability::Throwaway || cfg!(target_os = "linux") {
        arguments.push("--no-sync".into());
    }
    arguments
}

/// Returns the arguments for `pg_basebackup`, which copies a running cluster and configures the copy as its standby.
pub(super) fn basebackup_arguments(data: &Path, primary: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["-D".into(), data.into(), "--host".into(), primary.into()];
    arguments.extend([format!("--port={PORT}").into(), "--username=postgres".into()]);
    let options = ["--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync"];
    arguments.extend(options.map(OsString::from));
    arguments
}

/// Returns a path as one item of a comma-separated setting: in quotes, inner quotes doubled.
fn list_item(path: &Path) -> OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut quoted = vec![b'"'];
    for &byte in path.as_os_str().as_bytes() {
        if byte == b'"' {
            quoted.push(b'"');
        }
        quoted.push(byte);
    }
    quoted.push(b'"');
    OsString::from_vec(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_commas_and_quotes_is_one_item() {
        assert_eq!(list_item(Path::new(r#"/a, "b"/c"#)), OsString::from(r#""/a, ""b""/c""#));
    }
}
