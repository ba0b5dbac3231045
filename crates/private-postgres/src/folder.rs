//! The data folder: the paths of its parts, and the account that owns them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::PostgresError;
use super::postmaster::Postmaster;
use super::process::{Account, RunAs, Signal, command, our_uid, unprivileged_account};
use super::programs::Programs;
use super::settings::{DATA_FOLDER, PORT};

/// Maximum length of a socket's path in bytes, without the final NUL.
const SOCKET_PATH: usize = if cfg!(target_os = "macos") { 103 } else { 107 };

/// Size in bytes above which the log is rotated.
const LOG_LIMIT: u64 = 8 << 20;

/// Creates the data folder if it is missing. Returns an absolute path, because PostgreSQL changes its working folder.
pub(super) fn open(folder: &Path) -> Result<PathBuf, PostgresError> {
    let make = || {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        folder.canonicalize()
    };
    make().map_err(PostgresError::folder(folder))
}

pub(super) fn lock_path(folder: &Path) -> PathBuf {
    folder.join("postgres.lock")
}

/// Opens the lock, without locking it.
pub(super) fn open_lock(folder: &Path) -> Result<File, PostgresError> {
    let path = lock_path(folder);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(&path).map_err(PostgresError::folder(path))
}

/// Returns the release that created the database in this folder, if there is one.
pub(super) fn made_by(data: &Path) -> Option<u32> {
    fs::read_to_string(data.join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// The paths of a cluster, and the account that it runs under.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// The folder of everything that belongs to PostgreSQL's account, such as the database and the sockets.
    pub(super) home: PathBuf,
    pub(super) data: PathBuf,
    pub(super) sockets: PathBuf,
    pub(super) log: PathBuf,
    pub(super) run_as: RunAs,
}

impl Layout {
    /// Decides which account PostgreSQL runs under, and therefore where its files are. `sockets` is the folder of the
    /// socket if other processes already use it.
    pub(super) fn decide(
        folder: &Path,
        lock: &File,
        programs: &Programs,
        sockets: Option<&Path>,
    ) -> Result<Layout, PostgresError> {
        let (run_as, home) = choose_account(folder, lock, programs)?;
        let sockets = match sockets {
            Some(sockets) => sockets.to_owned(),
            None => socket_folder(&home, &std::env::temp_dir())?,
        };
        let log = folder.join("postgres.log");
        let layout = Layout { data: home.join(DATA_FOLDER), home, sockets, log, run_as };
        // A later process may run without root, under the account that owns the folder.
        layout.give_to_account(&lock_path(folder))?;
        Ok(layout)
    }

    /// Creates a folder that only PostgreSQL's account may enter, or restricts an existing one to it.
    pub(super) fn make_private(&self, path: &Path) -> Result<(), PostgresError> {
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => return self.give_to_account(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(PostgresError::folder(path)(error)),
        }
        // In a temporary folder any account could have created it, or a link with its name.
        let found = fs::symlink_metadata(path).map_err(PostgresError::folder(path))?;
        let owner = match self.run_as {
            RunAs::Ourselves | RunAs::Namespace(_) => our_uid(),
            RunAs::Account(account) => account.uid,
        };
        if !found.is_dir() || (found.uid() != owner && found.uid() != our_uid()) {
            return Err(PostgresError::Sockets {
                path: path.to_owned(),
                reason: "it belongs to another account",
            });
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(PostgresError::folder(path))?;
        self.give_to_account(path)
    }

    /// Makes PostgreSQL's account the owner of a file, unless it is the account of this process.
    fn give_to_account(&self, path: &Path) -> Result<(), PostgresError> {
        match self.run_as {
            RunAs::Account(Account { uid, gid }) => {
                chown(path, Some(uid), Some(gid)).map_err(PostgresError::folder(path))
            }
            RunAs::Ourselves | RunAs::Namespace(_) => Ok(()),
        }
    }

    /// Opens the log for PostgreSQL, at its end.
    pub(super) fn open_log(&self) -> Result<File, PostgresError> {
        let mut options = OpenOptions::new();
        let log = options.create(true).append(true).mode(0o600).open(&self.log);
        let log = log.map_err(PostgresError::folder(&self.log))?;
        self.give_to_account(&self.log)?;
        Ok(log)
    }

    /// Rotates the log if it is large. It is copied, because PostgreSQL keeps its file open.
    pub(super) fn rotate_large_log(&self) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(&self.log)?;
        if file.metadata()?.len() > LOG_LIMIT {
            fs::copy(&self.log, self.log.with_extension("log.1"))?;
            file.set_len(0)?;
        }
        Ok(())
    }

    /// Returns the line of the log, after the byte `from`, that says why PostgreSQL ended.
    pub(super) fn reason_in_log(&self, from: u64) -> String {
        let read = || {
            let mut log = File::open(&self.log)?;
            log.seek(SeekFrom::Start(from))?;
            let mut said = Vec::new();
            log.take(1 << 20).read_to_end(&mut said)?;
            io::Result::Ok(String::from_utf8_lossy(&said).into_owned())
        };
        let said = read().unwrap_or_default();
        let grave = |line: &&str| ["FATAL: ", "PANIC: "].iter().any(|level| line.contains(level));
        let line = said.lines().rfind(grave).or_else(|| said.lines().next_back());
        line.unwrap_or("its log is empty").trim().to_owned()
    }

    /// Links the database into the data folder if it is stored elsewhere.
    pub(super) fn link_from(&self, folder: &Path) -> Result<(), PostgresError> {
        let link = folder.join(DATA_FOLDER);
        if self.home == folder || link.symlink_metadata().is_ok() {
            return Ok(());
        }
        symlink(&self.data, &link).map_err(PostgresError::folder(link))
    }

    /// Removes stale files of a killed PostgreSQL that would prevent the next start.
    ///
    /// Only the process that has just got the lock may call this: then no process of the old PostgreSQL is left.
    /// PostgreSQL removes stale files by itself, unless another process has its old process id. That is common in
    /// containers, where ids are small and start again.
    pub(super) fn remove_stale_files(&self) -> Result<(), PostgresError> {
        let pid_file = self.data.join("postmaster.pid");
        let Some(left) = Postmaster::read(&self.data) else {
            return Ok(());
        };
        if !left.process_id_is_reused(&self.data) {
            return Ok(());
        }
        tracing::info!(pid = left.pid, "removing stale files of a killed PostgreSQL");
        let socket = self.sockets.join(format!(".s.PGSQL.{PORT}"));
        for path in [socket.with_added_extension("lock"), socket, pid_file] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(PostgresError::folder(path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Chooses an account for PostgreSQL, which refuses to run as root, and a folder where that account can write.
fn choose_account(
    folder: &Path,
    lock: &File,
    programs: &Programs,
) -> Result<(RunAs, PathBuf), PostgresError> {
    if our_uid() != 0 {
        return Ok((RunAs::Ourselves, folder.to_owned()));
    }
    let link = folder.join(DATA_FOLDER);
    let existing = match fs::metadata(&link) {
        Ok(found) => Some(found),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(PostgresError::folder(link)(error)),
    };
    if let Some(found) = &existing
        && found.uid() != 0
    {
        let data = link.canonicalize().map_err(PostgresError::folder(&link))?;
        let home = data.parent().unwrap_or(folder).to_owned();
        return Ok((RunAs::Account(Account { uid: found.uid(), gid: found.gid() }), home));
    }

    let Some(account) = unprivileged_account() else {
        return Err(PostgresError::Root {
            reason: "this machine has neither an account `postgres` nor `nobody`".into(),
        });
    };
    let refused = match try_namespace(account, lock, programs) {
        Ok(()) => return Ok((RunAs::Namespace(account), folder.to_owned())),
        Err(refused) => refused,
    };
    if existing.is_some() {
        let reason = format!(
            "the database in {} belongs to root, but no user namespace is available: {refused}",
            link.display()
        );
        return Err(PostgresError::Root { reason });
    }
    let home = home_of(account, folder).map_err(|error| PostgresError::Root {
        reason: format!(
            "neither a user namespace ({refused}) nor a folder for another account ({error}) is available"
        ),
    })?;
    tracing::info!(
        folder = %home.display(),
        "no user namespace is available ({refused}); another account owns the files"
    );
    Ok((RunAs::Account(account), home))
}

/// Checks that PostgreSQL can run in a user namespace, by running `postgres --version` there.
fn try_namespace(account: Account, lock: &File, programs: &Programs) -> io::Result<()> {
    if cfg!(not(target_os = "linux")) {
        return Err(io::Error::from(ErrorKind::Unsupported));
    }
    let mut probe = command(&programs.postgres(), RunAs::Namespace(account), lock, Signal::Kill)?;
    let output = probe.arg("--version").output()?;
    if output.status.success() { Ok(()) } else { Err(io::Error::other(output.status.to_string())) }
}

/// Creates a folder that another account can reach, because it may not be able to reach the data folder.
fn home_of(account: Account, folder: &Path) -> io::Result<PathBuf> {
    let name = short_name(folder);
    let make = |home: PathBuf| {
        DirBuilder::new().recursive(true).mode(0o755).create(home.parent().unwrap_or(&home))?;
        match DirBuilder::new().mode(0o700).create(&home) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let found = fs::symlink_metadata(&home)?;
        if !found.is_dir() || ![0, account.uid].contains(&found.uid()) {
            return Err(io::Error::other(format!("{} belongs to another account", home.display())));
        }
        chown(&home, Some(account.uid), Some(account.gid))?;
        Ok(home)
    };
    make(PathBuf::from("/var/lib/private-postgres").join(&name))
        .or_else(|_| make(std::env::temp_dir().join(format!("private-postgres-{name}"))))
}

/// Returns the folder for the socket: next to the data, or in the temporary folder if the path would be too long.
fn socket_folder(home: &Path, temporary: &Path) -> Result<PathBuf, PostgresError> {
    let fits = |folder: &Path| folder.join(format!(".s.PGSQL.{PORT}")).as_os_str().len() <= SOCKET_PATH;
    let next_to_data = home.join("sockets");
    let elsewhere = temporary.join(format!("postgres-{}", short_name(home)));
    [next_to_data, elsewhere.clone()]
        .into_iter()
        .find(|folder| fits(folder))
        .ok_or(PostgresError::Sockets { path: elsewhere, reason: "its path is too long" })
}

/// Returns a short name for a path, the same in every process and release.
fn short_name(path: &Path) -> String {
    let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
    hex::encode(&digest[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_puts_the_socket_into_the_temporary_folder() {
        let temporary = Path::new("/tmp");
        let short = Path::new("/srv/registry data");
        assert_eq!(socket_folder(short, temporary).unwrap(), short.join("sockets"));

        let long = Path::new("/srv").join("x".repeat(90));
        let sockets = socket_folder(&long, temporary).unwrap();
        assert!(sockets.starts_with(temporary), "{}", sockets.display());
        assert_eq!(sockets, socket_folder(&long, temporary).unwrap(), "the same one for every process");

        assert!(socket_folder(&long, &long).is_err());
    }

    #[test]
    fn the_longest_path_that_fits_is_used() {
        let home = |length: usize| PathBuf::from(format!("/{}", "x".repeat(length - 1)));
        let rest = "/sockets/.s.PGSQL.5432".len();
        let fits = home(SOCKET_PATH - rest);
        assert_eq!(socket_folder(&fits, Path::new("/tmp")).unwrap(), fits.join("sockets"));
        assert!(socket_folder(&home(SOCKET_PATH - rest + 1), Path::new("/tmp")).unwrap().starts_with("/tmp"));
    }
}
