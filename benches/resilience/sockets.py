"""Clients that open a connection and send nothing more: WebSockets and partial request heads."""

import base64
import concurrent.futures
import contextlib
import json
import os
import socket
import time

from environment import Environment, Server
from http_client import open_socket, read_head, status_of, wait_for_end
from report import Report


def half_open_sockets(environment: Environment, server: Server, report: Report) -> None:
    """Runs all of them at once, because each is mostly waiting."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        silent = pool.submit(silent_socket, server)
        head = pool.submit(partial_head, server)
        ended = pool.submit(socket_outlives_token, environment, server)
        foreign = foreign_origin(server)
    report.judge("table", "a WebSocket from a foreign Origin is refused", f"{foreign}", foreign == 403)
    judge_end(report, "table", "a silent WebSocket is closed after 5 to 7 s", silent.result(), 4.5, 7)
    judge_end(report, "table", "a partial request head is closed after 10 to 12 s", head.result(), 9.5, 12)
    judge_end(report, "table", "a WebSocket is closed within 5 s of its token's expiry", ended.result(), -0.5, 5)


def judge_end(report: Report, group: str, promised: str, seconds: float | None, least: float, most: float) -> None:
    measured = "still open" if seconds is None else f"{seconds:.1f} s"
    report.judge(group, promised, measured, seconds is not None and least <= seconds <= most)


def upgrade(server: Server, origin: str | None = None) -> tuple[socket.socket, int]:
    """Sends a WebSocket handshake. Returns the connection and the status."""
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
    """Tries several foreign origins. Returns a status other than 403 if one was not refused."""
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
            raise RuntimeError(f"the WebSocket handshake failed: {status}")
        return wait_for_end(raw, 15)


def partial_head(server: Server) -> float | None:
    with contextlib.closing(open_socket(server.port)) as raw:
        raw.sendall(b"POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-le")
        return wait_for_end(raw, 20)


def socket_outlives_token(environment: Environment, server: Server) -> float | None:
    """Returns the seconds from the expiry of the token to the end of its socket."""
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
            raise RuntimeError("connection_init with a valid token was not acknowledged")
        wait_for_end(raw, 15)
        ended = time.time()
    return None if ended - until > 14 else ended - until


def masked(message: dict) -> bytes:
    """Returns a masked text frame, which clients have to send (RFC 6455, 5.2)."""
    payload, mask = json.dumps(message).encode(), os.urandom(4)
    length = len(payload)
    head = bytes([0x81, 0x80 | length]) if length < 126 else bytes([0x81, 0xFE]) + length.to_bytes(2, "big")
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
