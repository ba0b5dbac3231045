"""A private PostgreSQL on 127.0.0.1 for one run, which the tests may kill."""

import contextlib
import glob
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import time

ACCOUNT = "postgres"


def free_port() -> int:
    """Returns a TCP port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def programs() -> pathlib.Path:
    """Returns the folder with the programs of the newest installed PostgreSQL."""
    found = glob.glob("/usr/lib/postgresql/*/bin/postgres")
    if found:
        newest = max(found, key=lambda path: int(pathlib.Path(path).parts[-3]))
        return pathlib.Path(newest).parent
    in_path = shutil.which("postgres")
    if in_path is None:
        raise SystemExit("initdb and postgres are missing: install PostgreSQL's server programs")
    return pathlib.Path(in_path).resolve().parent


class Cluster:
    """A PostgreSQL cluster. For root it runs under the account `postgres`, because PostgreSQL refuses root."""

    def __init__(
        self,
        folder: pathlib.Path,
        name: str = "cluster",
        copy_of: pathlib.Path | None = None,
        namespace: pathlib.Path | None = None,
    ) -> None:
        """Makes a cluster below the folder: an empty one, or a copy of a base backup. It may run in a network namespace."""
        self.bin = programs()
        self.home = folder / name
        self.data = self.home / "data"
        self.port = free_port()
        self._log = folder / f"postgres-{name}.log"
        self._process: subprocess.Popen | None = None
        # Popen arguments that change the account; empty unless root runs the tests.
        self._account = {"user": ACCOUNT, "group": ACCOUNT, "extra_groups": []} if os.geteuid() == 0 else {}
        # In a namespace PostgreSQL listens to the addresses there, and this process uses the socket in the folder.
        self._namespace = namespace
        self._host = "127.0.0.1" if namespace is None else self.home
        self.own(self.home)
        if copy_of is None:
            self._initialise()
        else:
            self._run("cp", "-a", copy_of, self.data)

    def own(self, folder: pathlib.Path) -> None:
        """Makes a folder for PostgreSQL."""
        folder.mkdir(mode=0o700)
        if self._account:
            account = pwd.getpwnam(ACCOUNT)
            os.chown(folder, account.pw_uid, account.pw_gid)

    def _run(self, *command: str | pathlib.Path) -> None:
        command, account = self._within(*command)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.home, timeout=300, **account)

    def _within(self, *command: str | pathlib.Path) -> tuple[list, dict]:
        """Returns the command with what takes it into the namespace, and the Popen arguments."""
        if self._namespace is None:
            return [*command], self._account
        # Only root enters a namespace, so the account changes after that.
        enter = ["nsenter", f"--net={self._namespace}", "setpriv", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}"]
        return [*enter, "--clear-groups", *command], {}

    def configure(self, **settings: str) -> None:
        """Adds settings, before the start."""
        with (self.data / "postgresql.auto.conf").open("a") as file:
            for name, value in settings.items():
                quoted = value.replace("'", "''")
                file.write(f"{name} = '{quoted}'\n")

    def admit(self, network: str) -> None:
        """Admits connections from a network, before the start."""
        with (self.data / "pg_hba.conf").open("a") as file:
            for database in ("all", "replication"):
                file.write(f"host {database} all {network} trust\n")

    def set(self, **settings: str) -> None:
        """Changes settings of a running server."""
        for name, value in settings.items():
            self.sql(f"alter system set {name} = '{value}'")
        self.sql("select pg_reload_conf()")

    def base_backup(self, folder: pathlib.Path) -> float:
        """Takes a base backup. Returns the seconds that it took."""
        begun = time.monotonic()
        self.own(folder)
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", ACCOUNT]
        self._run(self.bin / "pg_basebackup", *where, "-D", folder, "-X", "stream", "-c", "fast")
        return time.monotonic() - begun

    def follow(self, primary: "Cluster", at: tuple[str, int] | None = None) -> None:
        """Becomes a standby of another cluster, with a new copy of its data. `at`: where it finds it."""
        self.stop()
        shutil.rmtree(self.data, ignore_errors=True)
        host, port = at or ("127.0.0.1", primary.port)
        where = ["-h", host, "-p", str(port), "-U", ACCOUNT]
        self._run(self.bin / "pg_basebackup", *where, "-D", self.data, "-X", "stream", "-c", "fast", "-R")
        self.start()

    def promote(self) -> None:
        """Becomes a primary, and waits until it takes writes."""
        self.sql("select pg_promote(true, 60)")

    def recover(self) -> None:
        """Starts as a restore, and waits until it takes writes."""
        self._run("touch", self.data / "recovery.signal")
        self.start()
        deadline = time.monotonic() + 120
        while self.sql("select pg_is_in_recovery()") != "f":
            if time.monotonic() > deadline:
                raise RuntimeError(f"the restore does not end: {self._log.read_text()[-500:]}")
            time.sleep(0.1)

    def _initialise(self) -> None:
        command = [self.bin / "initdb", "-D", self.data, "-U", ACCOUNT, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.home, **self._account)

    def start(self) -> float:
        """Starts PostgreSQL. Returns the monotonic time at which it accepts connections."""
        command = [
            self.bin / "postgres",
            "-D",
            self.data,
            "-p",
            str(self.port),
            "-c",
            f"listen_addresses={'127.0.0.1' if self._namespace is None else '*'}",
            "-c",
            f"unix_socket_directories={self.home}",
            "-c",
            "max_connections=200",
            "-c",
            "log_error_verbosity=terse",
        ]
        command, account = self._within(*command)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.home, **account)
        ready = [self.bin / "pg_isready", "-q", "-h", self._host, "-p", str(self.port)]
        deadline = time.monotonic() + 60
        while subprocess.run(ready).returncode != 0:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {self._log.read_text()[-500:]}")
            time.sleep(0.05)
        return time.monotonic()

    def kill(self) -> None:
        """Sends SIGKILL to the postmaster and all of its children, as if the machine lost its power."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        # SIGSTOP first, so that it starts no process between the listing and the kill.
        os.kill(process.pid, signal.SIGSTOP)
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.kill()
        for child in map(int, children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        process.wait()
        self._await_gone([int(child) for child in children])

    @staticmethod
    def _await_gone(pids: list[int]) -> None:
        deadline = time.monotonic() + 10
        while any(is_alive(pid) for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.01)

    def revive(self) -> None:
        """Starts PostgreSQL if a group has left it killed."""
        if self._process is None or self._process.poll() is not None:
            self.start()

    def stop(self) -> None:
        """Ends PostgreSQL."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    def sql(self, text: str, database: str = "postgres") -> str:
        """Runs one statement as superuser. Returns the unaligned output of psql."""
        command = [
            self.bin / "psql",
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            self._host,
            "-p",
            str(self.port),
            "-U",
            ACCOUNT,
            "-d",
            database,
            "-c",
            text,
        ]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
        return done.stdout.strip()

    def copy_database(self, template: str, name: str) -> None:
        """Replaces a database by a copy of the template, which must have no sessions."""
        self.sql(f"drop database if exists {name} with (force)")
        self.sql(f"create database {name} template {template}")

    def url(self, database: str, port: int | None = None) -> str:
        """Returns a `DATABASE_URL`, with another port if a proxy is used."""
        return f"postgres://{ACCOUNT}@127.0.0.1:{port or self.port}/{database}"


def is_alive(pid: int) -> bool:
    """Returns whether the process runs. A zombie does not."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"
