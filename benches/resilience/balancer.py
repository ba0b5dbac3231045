"""A load balancer in front of several servers: HAProxy with the settings of docs/scale-out.md, or else a small one."""

import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import threading
import time
from typing import Protocol

from environment import Environment, Server
from http_client import Client
from postgres import free_port
from proxy import Link

SETTINGS = """
global
    maxconn 1000
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 60s
frontend registry
    bind 127.0.0.1:{port}
    default_backend registry
backend registry
    option httpchk GET /readyz
    option redispatch 1
    default-server check inter 1s fall 1 rise 1
{servers}
"""


class Balancer(Protocol):
    """What the tests need of a load balancer."""

    name: str
    port: int

    def client(self, timeout: float = 30) -> Client: ...

    def close(self) -> None: ...


def start(environment: Environment, servers: list[Server]) -> Balancer:
    """Starts HAProxy if it is installed, and the small one otherwise."""
    haproxy = shutil.which("haproxy", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
    balancer = Haproxy(environment, servers, haproxy) if haproxy else Small(environment, servers)
    deadline = time.monotonic() + 30
    while balancer.client(5).send("GET", "/readyz").status != 200:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{balancer.name} finds no server that is ready")
        time.sleep(0.1)
    return balancer


class Haproxy:
    name = "HAProxy"

    def __init__(self, environment: Environment, servers: list[Server], program: str) -> None:
        self._environment, self.port = environment, free_port()
        lines = [f"    server s{at} 127.0.0.1:{server.port}" for at, server in enumerate(servers)]
        file = environment.folder / f"haproxy-{self.port}.cfg"
        file.write_text(SETTINGS.format(port=self.port, servers="\n".join(lines)))
        with (environment.folder / "haproxy.log").open("ab") as log:
            command = [program, "-db", "-f", file]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=environment.folder)
        environment.processes.append(self._process)

    def client(self, timeout: float = 30) -> Client:
        return Client(self.port, self._environment.token, timeout)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


class Small:
    """Leads each connection to the next server that is ready. It asks them once a second, as HAProxy does."""

    name = "the balancer of the tests"

    def __init__(self, environment: Environment, servers: list[Server]) -> None:
        self._environment, self._servers = environment, servers
        self._turns = itertools.count()
        self._ready: list[Server] = []
        self._closed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        for work in (self._check, self._accept):
            threading.Thread(target=work, daemon=True).start()

    def client(self, timeout: float = 30) -> Client:
        return Client(self.port, self._environment.token, timeout)

    def close(self) -> None:
        self._closed.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _check(self) -> None:
        while not self._closed.is_set():
            self._ready = [server for server in self._servers if server.is_ready()]
            self._closed.wait(1)

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        # A server that refuses a connection has not seen the request.
        for server in self._in_turn():
            with contextlib.suppress(OSError):
                connection = socket.create_connection(("127.0.0.1", server.port), timeout=2)
                connection.settimeout(None)
                Link(client, connection).start(lambda _: None)
                return
        client.close()

    def _in_turn(self) -> list[Server]:
        ready = self._ready
        first = next(self._turns) % max(1, len(ready))
        return ready[first:] + ready[:first]
