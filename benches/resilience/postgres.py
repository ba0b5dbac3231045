"""A PostgreSQL of our own that may be killed, on 127.0.0.1, for one run of the attacks."""

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
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def programs() -> pathlib.Path:
    """The newest installed PostgreSQL's folder of programs."""
    found = glob.glob("/usr/lib/postgresql/*/bin/postgres")
    if found:
        newest = max(found, key=lambda path: int(pathlib.Path(path).parts[-3]))
        return pathlib.Path(newest).parent
    in_path = shutil.which("postgres")
    if in_path is None:
        raise SystemExit("PostgreSQL's programs are not installed: initdb and postgres are needed")
    return pathlib.Path(in_path).resolve().parent


class Cluster:
    """The cluster. As root it runs under the account `postgres`, because PostgreSQL refuses root."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.bin = programs()
        self.home = folder / "cluster"
        self.data = self.home / "data"
        self.port = free_port()
        self._log = folder / "postgres.log"
        self._process: subprocess.Popen | None = None
        # The Popen arguments that change the account, where there is one to change from.
        self._account = {"user": ACCOUNT, "group": ACCOUNT, "extra_groups": []} if os.geteuid() == 0 else {}
        self._initialise()

    def _initialise(self) -> None:
        self.home.mkdir()
        if self._account:
            account = pwd.getpwnam(ACCOUNT)
            os.chown(self.home, account.pw_uid, account.pw_gid)
        command = [self.bin / "initdb", "-D", self.data, "-U", ACCOUNT, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.home, **self._account)

    def start(self) -> float:
        """Starts it and waits until it accepts; says when that was (monotonic seconds)."""
        command = [
            self.bin / "postgres",
            "-D",
            self.data,
            "-p",
            str(self.port),
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            f"unix_socket_directories={self.home}",
            "-c",
            "max_connections=200",
            "-c",
            "log_error_verbosity=terse",
        ]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.home, **self._account)
        ready = [self.bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        deadline = time.monotonic() + 60
        while subprocess.run(ready).returncode != 0:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL does not start: {self._log.read_text()[-500:]}")
            time.sleep(0.05)
        return time.monotonic()

    def kill(self) -> None:
        """kill -9 of the postmaster and of all that it started, as a machine that loses its power."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        # Stopped first, so that it starts nobody between the list and the blow.
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
        """Starts it where a resilience has left it dead."""
        if self._process is None or self._process.poll() is not None:
            self.start()

    def stop(self) -> None:
        """Ends it for good."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    def sql(self, text: str, database: str = "postgres") -> str:
        """Runs one statement as the superuser, past the registry; the answer as psql prints it, bare."""
        command = [
            self.bin / "psql",
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            "127.0.0.1",
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
        """A database of its own for a resilience; the template's sessions must be over."""
        self.sql(f"drop database if exists {name} with (force)")
        self.sql(f"create database {name} template {template}")

    def url(self, database: str, port: int | None = None) -> str:
        """As `DATABASE_URL` wants it; by another port where a proxy stands between."""
        return f"postgres://{ACCOUNT}@127.0.0.1:{port or self.port}/{database}"


def is_alive(pid: int) -> bool:
    """Does the process run? One that nobody has buried yet does not."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"
