"""The network between the registry, a primary and its standby, which the tests cut: namespaces, or TCP relays."""

import contextlib
import os
import pathlib
import shutil
import subprocess

from proxy import Proxy

# The registry stays in the namespace of the tests.
REGISTRY, ONE, TWO = "registry", "one", "two"
MEMBERS = (REGISTRY, ONE, TWO)
# Addresses for benchmarks of networks, which nobody routes (RFC 2544).
NETWORK = "198.18.0.0/15"


class Namespaces:
    """A namespace for each server of PostgreSQL, and a pair of virtual interfaces for each two members."""

    name = "network namespaces"

    def __init__(self) -> None:
        self._prefix = f"rr{os.getpid()}"
        self._pairs = [(REGISTRY, ONE), (REGISTRY, TWO), (ONE, TWO)]
        try:
            for member in (ONE, TWO):
                ip("netns", "add", self._named(member))
                self._ip(member, "link", "set", "lo", "up")
            for number, pair in enumerate(self._pairs):
                self._connect(number, pair)
        except (OSError, subprocess.CalledProcessError):
            self.close()
            raise

    def _connect(self, number: int, pair: tuple[str, str]) -> None:
        names = [f"{self._prefix}{number}{end}" for end in "ab"]
        ip("link", "add", names[0], "type", "veth", "peer", "name", names[1])
        for end, (member, name) in enumerate(zip(pair, names)):
            if member != REGISTRY:
                ip("link", "set", name, "netns", self._named(member))
            self._ip(member, "addr", "add", f"198.18.{number}.{end + 1}/24", "dev", name)
            self._ip(member, "link", "set", name, "up")

    def _named(self, member: str) -> str:
        return f"{self._prefix}-{member}"

    def _ip(self, member: str, *arguments: str) -> None:
        ip(*([] if member == REGISTRY else ["-n", self._named(member)]), *arguments)

    def namespace(self, member: str) -> pathlib.Path | None:
        """Returns the namespace in which a member runs."""
        return pathlib.Path("/run/netns") / self._named(member)

    def address(self, source: str, target: str, port: int) -> tuple[str, int]:
        """Returns where one member finds a port of another one."""
        number, end = self._link(source, target)
        return f"198.18.{number}.{end}", port

    def _link(self, source: str, target: str) -> tuple[int, int]:
        for number, pair in enumerate(self._pairs):
            if {source, target} == set(pair):
                return number, pair.index(target) + 1
        raise ValueError(f"{source} and {target} have no link")

    def cut(self, one: str, other: str) -> None:
        """Drops everything between two members. Nothing tells them so."""
        self._set(one, other, "down")

    def heal(self, one: str, other: str) -> None:
        self._set(one, other, "up")

    def _set(self, one: str, other: str, state: str) -> None:
        number, _ = self._link(one, other)
        # The far end: here the interface stays, so that connections wait as they do for a machine far away.
        self._ip(self._pairs[number][1], "link", "set", f"{self._prefix}{number}b", state)

    def close(self) -> None:
        for member in (ONE, TWO):
            # Its interfaces go with it, and so do their other ends.
            with contextlib.suppress(OSError, subprocess.CalledProcessError):
                ip("netns", "delete", self._named(member))


class Relays:
    """Everything on 127.0.0.1, and a relay for each direction in which a member connects."""

    name = "TCP relays"

    def __init__(self) -> None:
        self._relays: dict[tuple[str, str, int], Proxy] = {}

    def namespace(self, member: str) -> None:
        return None

    def address(self, source: str, target: str, port: int) -> tuple[str, int]:
        relay = self._relays.get((source, target, port)) or Proxy(port)
        self._relays[source, target, port] = relay
        return "127.0.0.1", relay.port

    def cut(self, one: str, other: str) -> None:
        for relay in self._between(one, other):
            relay.silence()

    def heal(self, one: str, other: str) -> None:
        for relay in self._between(one, other):
            relay.resume()

    def _between(self, one: str, other: str) -> list[Proxy]:
        return [relay for (source, target, _), relay in self._relays.items() if {source, target} == {one, other}]

    def close(self) -> None:
        for relay in self._relays.values():
            relay.close()


def build() -> tuple[Namespaces | Relays, str]:
    """Returns namespaces if this process may make them, and relays otherwise, with the reason."""
    if os.geteuid() != 0:
        return Relays(), "TCP relays, because only root makes network namespaces"
    missing = [program for program in ("ip", "nsenter", "setpriv") if shutil.which(program) is None]
    if missing:
        return Relays(), f"TCP relays, because {' and '.join(missing)} is missing"
    try:
        return Namespaces(), "network namespaces"
    except (OSError, subprocess.CalledProcessError) as error:
        return Relays(), f"TCP relays, because namespaces cannot be made: {error}"


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=10)
