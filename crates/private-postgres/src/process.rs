//! Starts the programs of PostgreSQL and sends them signals. They inherit the lock, run under an account that they
//! accept, and end with this process.
//!
//! All `unsafe` code of the package is in this file: the code between `fork` and `exec`, and system calls that the
//! standard library does not offer.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};

use tokio::process::Child;

/// The account that the programs run under. PostgreSQL refuses to run as root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunAs {
    /// The account of this process.
    Ourselves,
    /// A user namespace in which root has another user id, if this process is root. The files still belong to root, so
    /// this works below a home folder that no other account may enter.
    Namespace(Account),
    /// Another account, if this process is root. It becomes the owner of the files.
    Account(Account),
}

/// The ids of an account and of its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// A signal that PostgreSQL reacts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// Fast shutdown: ends sessions and writes everything.
    Interrupt,
    /// Immediate shutdown: writes nothing, the next start recovers.
    Quit,
    Terminate,
    Kill,
}

impl Signal {
    fn number(self) -> libc::c_int {
        match self {
            Signal::Interrupt => libc::SIGINT,
            Signal::Quit => libc::SIGQUIT,
            Signal::Terminate => libc::SIGTERM,
            Signal::Kill => libc::SIGKILL,
        }
    }
}

/// Returns the user id of this process.
pub(super) fn our_uid() -> u32 {
    #[expect(unsafe_code, reason = "the standard library does not offer it")]
    // SAFETY: takes nothing, touches no memory, cannot fail.
    unsafe {
        libc::geteuid()
    }
}

/// Returns an account of this machine that PostgreSQL can run under. It needs a name, because `initdb` looks it up.
pub(super) fn unprivileged_account() -> Option<Account> {
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let find = |wanted: &str| {
        accounts.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            let uid = fields.nth(1)?.parse().ok()?;
            let gid = fields.next()?.parse().ok()?;
            (name == wanted && uid != 0).then_some(Account { uid, gid })
        })
    };
    ["postgres", "_postgres", "nobody"].into_iter().find_map(find)
}

/// Returns a command for a program of PostgreSQL.
///
/// - It inherits `lock`, and so do its own children: the data folder stays locked until the last of them has ended,
///   even if this process is killed first. A process that gets the lock therefore knows that no other one writes into
///   the folder.
/// - It gets `on_parent_death` when the *thread* that spawns it ends (Linux). That is why the supervisor has its own
///   thread.
/// - It has its own process group: Ctrl-C at the terminal goes to this process alone, which may have requests to finish.
/// - It does not get the caller's `PG…` variables.
pub(super) fn command(
    program: &Path,
    run_as: RunAs,
    lock: &File,
    on_parent_death: Signal,
) -> io::Result<Command> {
    let mut command = Command::new(program);
    command.process_group(0).env("LC_ALL", "C");
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"PG") {
            command.env_remove(name);
        }
    }
    if let RunAs::Account(Account { uid, gid }) = run_as {
        command.uid(uid).gid(gid);
    }

    let lock = lock.try_clone()?;
    #[cfg(target_os = "linux")]
    let (namespace, parent) = (linux::Namespace::new(run_as), std::process::id());
    #[cfg(not(target_os = "linux"))]
    let _ = on_parent_death;
    #[expect(unsafe_code, reason = "what a child does between fork and exec")]
    // SAFETY: the closure runs in the forked child, where only async-signal-safe calls are allowed: it makes
    // system calls on values that were made before the fork, and neither allocates nor locks.
    unsafe {
        command.pre_exec(move || {
            inherit(&lock)?;
            #[cfg(target_os = "linux")]
            {
                if let Some(namespace) = &namespace {
                    namespace.enter()?;
                }
                // After the namespace and the account, because a change of credentials clears the death signal.
                linux::end_with_parent(parent, on_parent_death)?;
            }
            Ok(())
        });
    }
    Ok(command)
}

/// Replaces the death signal on systems without it. A shell waits until this process's end of a pipe closes, which
/// happens however this process ends. On Linux it does nothing.
#[derive(Debug)]
pub(super) struct DeathWatch(Option<ChildStdin>);

impl DeathWatch {
    /// Sends `signal` to `child` when this process ends. Drop it as soon as the child has ended.
    pub(super) fn start(child: &Child, signal: Signal) -> io::Result<DeathWatch> {
        let Some(pid) = child.id().filter(|_| cfg!(not(target_os = "linux"))) else {
            return Ok(DeathWatch(None));
        };
        let script = format!("read -r _ || kill -{} {pid}", signal.number());
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(script).process_group(0);
        let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let pipe = shell.stdin.take();
        // Reaps the shell.
        std::thread::Builder::new().name("postgres watch".into()).spawn(move || shell.wait())?;
        Ok(DeathWatch(pipe))
    }
}

impl Drop for DeathWatch {
    fn drop(&mut self) {
        if let Some(pipe) = &mut self.0 {
            // A line of input ends the shell without a signal. An error means that the shell has already ended.
            let _ = pipe.write_all(b"\n");
        }
    }
}

/// Sends a signal to a child, unless it is known to have ended.
pub(super) fn send(child: &Child, signal: Signal) {
    // The id cannot belong to another process: an ended child keeps it until tokio reaps it, and then `id` is `None`.
    if let Some(pid) = child.id().and_then(|pid| libc::pid_t::try_from(pid).ok()) {
        kill(pid, signal);
    }
}

/// Ends every process of PostgreSQL whose working folder is this data folder: sessions that a killed PostgreSQL left. A
/// session that computes would end only when it is done, and would prevent the start of a new PostgreSQL until then.
#[cfg(target_os = "linux")]
pub(super) fn end_all(data: &Path, signal: Signal) {
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // All processes of PostgreSQL have the data folder as working folder; a shell may have it, too.
        let works_there = std::fs::read_link(entry.path().join("cwd")).is_ok_and(|folder| folder == data);
        if works_there
            && std::fs::read_link(entry.path().join("exe")).is_ok_and(|program| is_postgres(&program))
        {
            tracing::info!(pid, ?signal, "ending a session that a killed PostgreSQL left");
            kill(pid, signal);
        }
    }
}

/// Does nothing: without /proc, the sessions of a data folder cannot be found. They end by themselves when they next
/// wait for input.
#[cfg(not(target_os = "linux"))]
pub(super) fn end_all(_: &Path, _: Signal) {}

/// Returns whether a program is PostgreSQL. If its file was replaced meanwhile, the kernel adds " (deleted)" to the
/// name.
#[cfg(target_os = "linux")]
fn is_postgres(program: &Path) -> bool {
    program.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"postgres"))
}

fn kill(pid: libc::pid_t, signal: Signal) {
    #[expect(unsafe_code, reason = "the standard library only knows SIGKILL")]
    // SAFETY: touches no memory of this process.
    unsafe {
        libc::kill(pid, signal.number());
    }
}

/// Flushes the whole file system of `folder` to the disk in one call. Flushing the thousand files of a new database one
/// by one takes seconds on a slow disk.
#[cfg(target_os = "linux")]
pub(super) fn sync_file_system(folder: &File) -> io::Result<()> {
    #[expect(unsafe_code, reason = "the standard library only syncs single files")]
    // SAFETY: touches no memory; `folder` keeps the descriptor open.
    let result = unsafe { libc::syncfs(folder.as_raw_fd()) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Does nothing: `initdb` has flushed its files.
#[cfg(not(target_os = "linux"))]
pub(super) fn sync_file_system(_: &File) -> io::Result<()> {
    Ok(())
}

fn inherit(file: &File) -> io::Result<()> {
    #[expect(unsafe_code, reason = "the standard library cannot make a file inheritable")]
    // SAFETY: a flag of a descriptor that `file` keeps open; the only flag there is, close-on-exec, is taken
    // away.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFD, 0) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(target_os = "linux")]
mod linux {
    use super::{Account, RunAs, Signal};
    use std::ffi::CStr;
    use std::io;

    /// A user namespace to enter. Its tables are prepared beforehand, because the child may not allocate.
    pub(super) struct Namespace {
        uid_map: String,
        gid_map: String,
    }

    impl Namespace {
        pub(super) fn new(run_as: RunAs) -> Option<Namespace> {
            let RunAs::Namespace(Account { uid, gid }) = run_as else {
                return None;
            };
            Some(Namespace { uid_map: format!("{uid} 0 1"), gid_map: format!("{gid} 0 1") })
        }

        pub(super) fn enter(&self) -> io::Result<()> {
            #[expect(unsafe_code, reason = "the standard library knows no namespaces")]
            // SAFETY: touches no memory; the child has one thread, as the call demands.
            let result = unsafe { libc::unshare(libc::CLONE_NEWUSER) };
            if result == -1 {
                return Err(io::Error::last_os_error());
            }
            // The kernel requires that `setgroups` is denied before groups are mapped.
            write(c"/proc/self/setgroups", b"deny")?;
            write(c"/proc/self/gid_map", self.gid_map.as_bytes())?;
            write(c"/proc/self/uid_map", self.uid_map.as_bytes())
        }
    }

    /// Asks the kernel to send a signal to this process when the thread that forked it ends.
    pub(super) fn end_with_parent(parent: u32, signal: Signal) -> io::Result<()> {
        #[expect(unsafe_code, reason = "the standard library does not offer it")]
        // SAFETY: sets one number of the calling process.
        let result = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal.number() as libc::c_ulong) };
        if result == -1 {
            return Err(io::Error::last_os_error());
        }
        // The parent may have died before this call.
        if std::os::unix::process::parent_id() != parent {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        Ok(())
    }

    fn write(path: &CStr, text: &[u8]) -> io::Result<()> {
        #[expect(unsafe_code, reason = "the standard library allocates to open a file")]
        // SAFETY: the path ends with NUL, the buffer is as long as we say, the descriptor is closed once.
        let written = unsafe {
            let file = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
            if file == -1 {
                return Err(io::Error::last_os_error());
            }
            let written = libc::write(file, text.as_ptr().cast(), text.len());
            if written == -1 {
                let error = io::Error::last_os_error();
                libc::close(file);
                return Err(error);
            }
            libc::close(file);
            written
        };
        if written.unsigned_abs() == text.len() {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(libc::EIO))
        }
    }
}
