"""An HTTP client that measures time and never retries by itself, and helpers for raw sockets."""

import dataclasses
import http.client
import json
import re
import socket
import time

GRAPHQL = "application/graphql-response+json"


@dataclasses.dataclass(frozen=True)
class Answer:
    """The answer to a request. Status 0 means none: the connection broke or the time was over."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def json(self) -> dict:
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def comparable_body(self) -> bytes:
        """The body without the parts that differ between equal answers: request id and cost."""
        body = self.body.replace(self.headers.get("x-request-id", "-").encode(), b"")
        return re.sub(rb'"cost":\{[^}]*\}', b"", body)

    @property
    def data(self) -> dict:
        return self.json.get("data") or {}

    @property
    def code(self) -> str:
        """The code of the first error."""
        errors = self.json.get("errors") or [{}]
        return errors[0].get("extensions", {}).get("code", "")

    @property
    def position(self) -> dict[str, str]:
        """The header that shows a client, in its next request, what it wrote with this one."""
        said = self.headers.get("x-registry-position")
        return {"x-registry-position": said} if said else {}

    @property
    def is_refused(self) -> bool:
        """Whether the request was refused before any of it ran."""
        return 400 <= self.status < 500 and not self.data

    @property
    def may_retry(self) -> bool:
        """Whether the answer is 503 or 429 with Retry-After."""
        return self.status in (429, 503) and "retry-after" in self.headers


class Client:
    """A caller with one connection that stays open."""

    def __init__(self, port: int, token: str | None, timeout: float = 30) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        self._token = token

    def send(self, method: str, path: str, body: bytes | None = None, headers: dict | None = None) -> Answer:
        """Sends one request. Returns status 0 if the connection breaks."""
        headers = {"accept": GRAPHQL, **(headers or {})}
        if self._token is not None and "authorization" not in headers:
            headers["authorization"] = f"Bearer {self._token}"
        begun = time.monotonic()
        try:
            self._connection.request(method, path, body, headers)
            got = self._connection.getresponse()
            content = got.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return Answer(0, {}, b"", time.monotonic() - begun)
        named = {name.lower(): value for name, value in got.getheaders()}
        return Answer(got.status, named, content, time.monotonic() - begun)

    def post(self, body: bytes, headers: dict | None = None) -> Answer:
        """Sends the bytes of one GraphQL request."""
        return self.send("POST", "/graphql", body, {"content-type": "application/json", **(headers or {})})

    def ask(self, query: str, variables: dict | None = None) -> Answer:
        """Sends one GraphQL request."""
        return self.post(json.dumps({"query": query, "variables": variables or {}}).encode())

    def post_with_retries(self, body: bytes, limit: float = 30) -> Answer:
        """Sends a GraphQL request, which must be safe to repeat, until the answer is final."""
        deadline = time.monotonic() + limit
        while True:
            answer = self.post(body)
            if not (answer.status == 0 or answer.may_retry) or time.monotonic() > deadline:
                return answer
            time.sleep(0.2)

    def close(self) -> None:
        self._connection.close()


def open_socket(port: int, timeout: float = 20) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=timeout)


def read_head(raw: socket.socket) -> bytes:
    """Reads until the head is complete, the peer closes or the timeout of the socket is over."""
    head = b""
    try:
        while b"\r\n\r\n" not in head:
            part = raw.recv(4096)
            if not part:
                break
            head += part
    except OSError:
        pass
    return head


def status_of(head: bytes) -> int:
    """Returns the status in a response head, or 0."""
    parts = head.split(b" ", 2)
    return int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0


def wait_for_end(raw: socket.socket, limit: float) -> float | None:
    """Returns the seconds until the peer closes, or None if it does not within the limit."""
    begun = time.monotonic()
    raw.settimeout(limit)
    try:
        while raw.recv(4096):
            raw.settimeout(max(0.01, limit - (time.monotonic() - begun)))
    except TimeoutError:
        return None
    except OSError:
        pass
    return time.monotonic() - begun
