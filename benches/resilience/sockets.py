"""Clients that open and do not go on: WebSockets and half-sent heads."""

import base64
import concurrent.futures
import contextlib
import json
import os
import socket
import time

from report import Report
from wire import open_socket, read_head, status_of, wait_for_end
from environment import Server, Environment


def half_open_sockets(environment: Environment, server: Server, report: Report) -> None:
    """Rows 5 and 6. All at once, because each is mostly waiting."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        silent = pool.submit(silent_socket, server)
        head = pool.submit(half_a_head, server)
        ended = pool.submit(socket_outlives_token, environment, server)
        foreign = foreign_origin(server)
    report.judge("table", "a WebSocket from a foreign Origin is refused", f"{foreign}", foreign == 403)
    judge_end(report, "table", "a WebSocket that says nothing is closed after 5 to 7 s", silent.result(), 4.5, 7)
    judge_end(report, "table", "half a head is closed after 10 to 12 s", head.result(), 9.5, 12)
    judge_end(report, "table", "a WebSocket ends within 5 s of its token", ended.result(), -0.5, 5)


def judge_end(report: Report, resilience: str, promised: str, seconds: float | None, least: float, most: float) -> None:
    measured = "still open" if seconds is None else f"{seconds:.1f} s"
    report.judge(resilience, promised, measured, seconds is not None and least <= seconds <= most)


def upgrade(server: Server, origin: str | None = None) -> tuple[socket.socket, int]:
    """Asks for a socket; what came of it."""
    raw = open_socket(server.port)
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        "GET /graphql HTTP/1.1",
        f"host: 127.0.0.1:{server.port}",
        "connection: Upgrade",
        "upgrade: websocket",
        "sec-websocket-version: 13",
        f"sec-websocket-key: {key}",
        "sec-websocket-protocol: graphql-transport-ws",
    ]
    if origin is not None:
        lines.append(f"origin: {origin}")
    raw.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    return raw, status_of(read_head(raw))


def foreign_origin(server: Server) -> int:
    """The worst status of several foreign origins: 101 is an open door."""
    statuses = []
    for origin in (
        "https://evil.example",
        "null",
        f"http://127.0.0.1:{server.port}.evil.example",
        "http://localhost:1",
    ):
        raw, status = upgrade(server, origin)
        raw.close()
        statuses.append(status)
    return min(statuses, key=lambda status: status == 403)


def silent_socket(server: Server) -> float | None:
    raw, status = upgrade(server)
    with contextlib.closing(raw):
        if status != 101:
            raise RuntimeError(f"a WebSocket of our own is not opened: {status}")
        return wait_for_end(raw, 15)


def half_a_head(server: Server) -> float | None:
    with contextlib.closing(open_socket(server.port)) as raw:
        raw.sendall(b"POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-le")
        return wait_for_end(raw, 20)


def socket_outlives_token(environment: Environment, server: Server) -> float | None:
    """Seconds from the token's end to the socket's."""
    now = int(time.time())
    until = now + 3
    issuer = "participant-registry"
    token = environment.sign({"iss": issuer, "aud": issuer, "sub": "resilience", "nbf": now, "iat": now, "exp": until})
    if token is None:
        return None
    raw, _ = upgrade(server)
    with contextlib.closing(raw):
        raw.sendall(masked({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}))
        if b"connection_ack" not in raw.recv(4096):
            raise RuntimeError("a socket with a token is not acknowledged")
        wait_for_end(raw, 15)
        ended = time.time()
    return None if ended - until > 14 else ended - until


def masked(message: dict) -> bytes:
    """One text frame as a client has to send it (RFC 6455, 5.2)."""
    payload, mask = json.dumps(message).encode(), os.urandom(4)
    length = len(payload)
    head = bytes([0x81, 0x80 | length]) if length < 126 else bytes([0x81, 0xFE]) + length.to_bytes(2, "big")
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
