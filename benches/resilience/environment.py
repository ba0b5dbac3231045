"""The test environment: a temporary folder, a PostgreSQL, the registry's program and its tokens."""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from postgres import Cluster, free_port
from http_client import Client

TEMPLATE = "resilience_demo"
# Clients of the load generator: the rate limit of one client is below the capacity of the server.
LOADERS = [f"resilience-loader-{number}" for number in range(1, 9)]
# Settings that a server inherits from the caller. The tests set its keys and its database themselves.
PASSED_ON = ("REGISTRY_POOL", "REGISTRY_BULK_POOL", "REGISTRY_STATEMENT_TIMEOUT")
PEOPLE = 2_000


class Server:
    """One process of the registry."""

    def __init__(
        self, environment: "Environment", url: str, port: int | None = None, settings: dict[str, str] | None = None
    ) -> None:
        self._environment, self.url = environment, url
        self.port = port or free_port()
        self._variables = {**environment.variables, **(settings or {})}
        self._process: subprocess.Popen | None = None

    def launch(self, *more: str) -> None:
        """Starts the process and does not wait until it serves."""
        command = [
            self._environment.binary,
            "serve",
            *more,
            "--listen",
            f"127.0.0.1:{self.port}",
            "--data-dir",
            self._environment.data,
            "--database-url",
            self.url,
        ]
        with self._environment.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self._environment.folder, env=self._variables
            )
        self._environment.processes.append(self._process)

    def start(self, *more: str) -> "Server":
        """Starts the process and waits until it is ready."""
        self.launch(*more)
        if not self.wait_until_ready(60):
            raise RuntimeError(f"the registry is not ready within 60 s: {self._environment.log.read_text()[-800:]}")
        return self

    def wait_until_ready(self, limit: float) -> bool:
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                return False
            if self.is_ready():
                return True
            time.sleep(0.03)
        return False

    def is_ready(self) -> bool:
        client = Client(self.port, None, timeout=5)
        answer = client.send("GET", "/readyz")
        client.close()
        return answer.status == 200

    @property
    def token(self) -> str:
        return self._environment.token

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """Sends SIGKILL and waits for the end."""
        self._process.kill()
        self._process.wait()

    def stop(self, limit: float = 30) -> float | None:
        """Sends SIGTERM. Returns the seconds until the process ended, or None if it had to be killed."""
        begun = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(limit)
        except subprocess.TimeoutExpired:
            self.kill()
            return None
        return time.monotonic() - begun

    def client(self, timeout: float = 30, token: str | None = None) -> Client:
        return Client(self.port, token or self._environment.token, timeout)

    def memory(self, field: str = "VmRSS") -> float:
        """Returns the memory in MiB: now (`VmRSS`), or the peak since `reset_peak` (`VmHWM`)."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) / 1024
        raise RuntimeError("the process has no memory")

    def reset_peak(self) -> None:
        pathlib.Path(f"/proc/{self.pid}/clear_refs").write_text("5")


class Environment:
    """Everything that one run needs. `close` removes all of it."""

    def __init__(self, binary: pathlib.Path, quick: bool) -> None:
        self.binary, self.quick = binary.resolve(), quick
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="registry-resilience-"))
        # The account of PostgreSQL has to enter subfolders, but not to list this one.
        self.folder.chmod(0o711)
        self.data, self.log = self.folder / "registry", self.folder / "registry.log"
        withheld = ("DATABASE_URL", "RUST_LOG")
        self.variables = {
            name: value
            for name, value in os.environ.items()
            if name in PASSED_ON or not name.startswith("REGISTRY_") and name not in withheld
        }
        self.processes: list[subprocess.Popen] = []
        self.cluster: Cluster | None = None
        self.token = ""
        self.tokens: list[str] = []
        self._copies = 0

    def prepare(self) -> None:
        """Creates the tokens and the database of invented people that each group copies."""
        self.cluster = Cluster(self.folder)
        self.cluster.start()
        self.cluster.sql(f"create database {TEMPLATE}")
        server = Server(self, self.cluster.url(TEMPLATE))
        server.start("--demo", "--demo-participants", str(PEOPLE))
        self.token, *self.tokens = (self.make_token(server.url, name) for name in ["resilience", *LOADERS])
        server.stop()

    def make_token(self, url: str, name: str) -> str:
        """Returns an administrator's token for a client of that name."""
        command = [self.binary, "token", "--role", "administrator", "--name", name, "--ttl", "2h"]
        command += ["--data-dir", self.data, "--database-url", url]
        made = subprocess.run(
            command, check=True, capture_output=True, text=True, cwd=self.folder, timeout=60, env=self.variables
        )
        return made.stdout.strip()

    def new_database(self) -> str:
        """Copies the demonstration and returns the name of the copy."""
        self._copies += 1
        name = f"resilience_{self._copies}"
        self.cluster.copy_database(TEMPLATE, name)
        return name

    def server(self, database: str | None = None, through: int | None = None) -> Server:
        """Starts a server on this database (default: a new copy), through the port of a proxy if given."""
        database = database or self.new_database()
        return Server(self, self.cluster.url(database, through)).start()

    def sign(self, claims: dict, header: dict | None = None) -> str | None:
        """Returns a token signed with the installation's own key (store/keys.rs), or None if the key cannot be read."""
        try:
            secret = bytes.fromhex((self.data / "registry.key").read_text().strip())
        except (OSError, ValueError):
            return None
        return sign(hmac.digest(secret, b"token", "sha256"), claims, header)

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        if self.cluster is not None:
            self.cluster.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def sign(key: bytes, claims: dict, header: dict | None = None, digest: str = "sha256") -> str:
    """Returns a JSON Web Token signed by HMAC."""
    header = header or {"typ": "JWT", "alg": "HS256"}
    text = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    return f"{text}.{base64url(hmac.new(key, text.encode(), getattr(hashlib, digest)).digest())}"
