"""Attacks on the HTTP interface: query bombs, foreign mutations, large bodies, inputs that upset a database."""

import contextlib
import json
import socket
import statistics
import threading
import time
import urllib.parse

import people
from environment import Environment, Server
from http_client import open_socket, read_head, status_of
from report import Report, milliseconds
from sockets import half_open_sockets

REFUSAL_LIMIT = 0.050
BODY_BYTES = 300 * 1024 * 1024
BODY_GROWTH_MIB = 64
ATTEMPTS = 5
# Fragments of messages of PostgreSQL, its driver and Rust that no answer may contain.
INTERNAL_TEXTS = (
    b"duplicate key",
    b"violates",
    b"SQLSTATE",
    b'relation \\"',
    b"Key (",
    b"sqlx",
    b"PgDatabaseError",
    b"syntax error at",
    b"invalid byte sequence",
    b"out of range for type",
    b"panicked",
    b"null value in column",
)


def table(environment: Environment, report: Report) -> None:
    server = environment.server()
    bombs(server, report)
    foreign_mutations(server, report)
    big_bodies(server, report)
    awkward_inputs(server, report)
    half_open_sockets(environment, server, report)
    panics = environment.log.read_bytes().count(b"panicked")
    alive = server.is_alive and server.client().ask("{ viewer { name } }").status == 200
    report.judge(
        "table",
        "afterwards the server runs and no resolver has panicked",
        f"{'running' if alive else 'ended'}, {panics} panics in its log",
        alive and panics == 0,
    )
    stop_with_partial_head(server, report)


def bombs(server: Server, report: Report) -> None:
    """Query bombs. The median of five leaves out the time that other programs took from the core."""
    client, medians, wrong = server.client(), {}, []
    for name, query in bomb_queries().items():
        answers = [client.ask(query) for _ in range(ATTEMPTS)]
        medians[name] = statistics.median(answer.seconds for answer in answers)
        wrong += {f"{name}: {answer.status} {answer.code}" for answer in answers if not answer.is_refused}
        if not server.is_alive:
            report.judge("table", "no query ends the process", f"{name} ended it", False)
            return
    slowest = max(medians, key=medians.get)
    report.judge(
        "table",
        "nested values, doubling fragments, 10,000 aliases, depth 29: refused",
        f"{len(medians)} bombs, {'all refused' if not wrong else '; '.join(sorted(wrong))}",
        not wrong,
    )
    report.judge(
        "table",
        "each bomb is refused within 50 ms",
        f"slowest: {slowest}, {milliseconds(medians[slowest])}",
        medians[slowest] <= REFUSAL_LIMIT,
    )


def bomb_queries() -> dict[str, str]:
    def nested(opening: str, closing: str, times: int) -> str:
        return "{ participants(filterBy: " + opening * times + closing * times + ") { totalCount } }"

    doubling = "".join(f"fragment F{i} on Query {{ ...F{i + 1} ...F{i + 1} }} " for i in range(22))
    cycle = "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }"
    deep = "provinces { " + "employers { nodes { province { " * 9 + "name" + " } } }" * 9 + " }"
    events = "events(first: 100) { nodes { kind } }"
    lists = f"employers(first: 100) {{ nodes {{ participants(first: 100) {{ nodes {{ {events} }} }} }} }}"
    return {
        "2,000 nested [": nested("[", "]", 2_000),
        "100,000 nested [": nested("[", "]", 100_000),
        "100,000 open [": nested("[", "", 100_000),
        "10,000 nested {": nested("{a:", "}", 10_000),
        "22 doubling fragments": "{ ...F0 } " + doubling + "fragment F22 on Query { viewer { name } }",
        "a cycle of fragments": cycle,
        "10,000 aliases": "{ " + " ".join(f"a{i}: viewer {{ name }}" for i in range(10_000)) + " }",
        "1,000 aliases": "{ " + " ".join(f"a{i}: viewer {{ name }}" for i in range(1_000)) + " }",
        "depth 29": "{ " + deep + " }",
        "10,000 directives": "{ viewer { name " + "@skip(if: false) " * 10_000 + "} }",
        "a million objects": "{ " + lists + " }",
        "nested introspection": "{ __schema { types { " + "fields { type { " * 6 + "name" + " } }" * 6 + " } } }",
    }


def foreign_mutations(server: Server, report: Report) -> None:
    """Mutations in the forms that a page of another origin can make a browser send."""
    client = server.client()
    before = people.total(client)
    body = people.enrollment(people.person())
    literals = ", ".join(f"{name}: {literal_of(name, value)}" for name, value in people.person().items())
    by_get = f"mutation {{ enrollParticipant(input: {{ {literals} }}) {{ participant {{ id }} }} }}"
    multipart = b'--x\r\ncontent-disposition: form-data; name="operations"\r\n\r\n' + body + b"\r\n--x--\r\n"
    forms = {
        "text/plain": (body, {"content-type": "text/plain"}),
        "form": (body, {"content-type": "application/x-www-form-urlencoded"}),
        "multipart": (multipart, {"content-type": "multipart/form-data; boundary=x"}),
        "no type": (body, {}),
    }
    # Each needs its own connection: a server may close it after a refusal, without reading the body.
    answers = {name: server.client().send("POST", "/graphql", sent, headers) for name, (sent, headers) in forms.items()}
    answers["GET"] = server.client().send("GET", "/graphql?query=" + urllib.parse.quote(by_get, safe=""))
    wrong = [f"{name}: {answer.status}" for name, answer in answers.items() if not answer.is_refused]
    added = people.total(client) - before
    slowest = max(answer.seconds for answer in answers.values())
    report.judge(
        "table",
        "a mutation by GET, text/plain, form, multipart or without a type: refused, nothing written",
        f"{', '.join(f'{name} {answer.status}' for name, answer in answers.items())}; {added} written; "
        f"slowest {milliseconds(slowest)}",
        not wrong and added == 0 and slowest <= REFUSAL_LIMIT,
    )


def literal_of(name: str, value) -> str:
    if name == "programmes":
        return "[" + ", ".join(value) + "]"
    return value if name in ("sex", "segment") else json.dumps(value)


def big_bodies(server: Server, report: Report) -> None:
    """Bodies of 300 MB, with and without a content-length."""
    for chunked in (False, True):
        server.reset_peak()
        before = server.memory()
        status, seconds, sent = push_body(server, chunked)
        grown = server.memory("VmHWM") - before
        form = "chunked" if chunked else "with content-length"
        report.judge(
            "table",
            f"300 MB of body, {form}: 413 within 1 s, memory grows by < 64 MiB",
            f"{status or 'no answer'} after {milliseconds(seconds)} and {sent / 2**20:.0f} MiB; {grown:.0f} MiB more",
            status == 413 and seconds <= 1 and grown < BODY_GROWTH_MIB,
        )


def push_body(server: Server, chunked: bool) -> tuple[int, float, int]:
    """Sends a body until the server answers. Returns the status, the seconds and the bytes that were sent.

    The time counts from where the body is surely over the limit: from the head, or from 8 MiB of chunks.
    """
    block = b" " * 65_536
    length = "transfer-encoding: chunked" if chunked else f"content-length: {BODY_BYTES}"
    with contextlib.closing(open_socket(server.port)) as raw:
        head = (
            f"POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
            f"authorization: Bearer {server.token}\r\n{length}\r\n\r\n"
        )
        raw.sendall(head.encode())
        answered = threading.Event()
        answer: list[bytes] = []

        def read() -> None:
            answer.append(read_head(raw))
            answered.set()

        reader = threading.Thread(target=read)
        reader.start()
        begun, sent = time.monotonic(), 0
        with contextlib.suppress(OSError):
            while sent < BODY_BYTES and not answered.is_set():
                raw.sendall(b"%x\r\n%s\r\n" % (len(block), block) if chunked else block)
                sent += len(block)
                if chunked and sent <= 8 * 2**20:
                    begun = time.monotonic()
        answered.wait(20)
        seconds = time.monotonic() - begun
        with contextlib.suppress(OSError):
            raw.shutdown(socket.SHUT_RDWR)
        reader.join()
    return status_of(answer[0]), seconds, sent


def awkward_inputs(server: Server, report: Report) -> None:
    """Inputs that cause errors of the database if they reach it."""
    client, leaks, internal = server.client(), [], []
    for name, answer in answers_to_awkward_inputs(client):
        leaks += [f"{name}: {text.decode()}" for text in INTERNAL_TEXTS if text in answer.body]
        # INTERNAL leaks nothing, but validation should have caught the input.
        if answer.status in (0, 500) or answer.code == "INTERNAL":
            internal.append(f"{name}: {answer.status} {answer.code}")
    report.judge("table", "no answer has text of the database", "; ".join(leaks) or "none has", not leaks)
    report.judge("table", "no input is answered with INTERNAL", "; ".join(internal) or "none is", not internal)


def answers_to_awkward_inputs(client):
    """Yields the name of each input and its answer."""
    form = people.person()
    yield "enrolled", client.post(people.enrollment(form))
    yield "enrolled again", client.post(people.enrollment(form))
    changes = {
        "NUL in the name": {"fullName": "Budi\0Santoso"},
        "a name of 100 kB": {"fullName": "B" * 100_000},
        "lone surrogate": {"fullName": "Budi \ud800"},
        "year 9999": {"startsOn": "9999-12-31"},
        "year 0": {"birthDate": "0000-01-01"},
        "a negative wage": {"monthlyWage": -1},
        "wage 2^53": {"monthlyWage": 2**53},
        "wage 2^70": {"monthlyWage": 2**70},
        "wage 1e308": {"monthlyWage": 1e308},
        "NUL in the channel": {"channelCode": "A\0"},
        "NUL in the key": {"idempotencyKey": "0123456789abcdef\0"},
        "another name": {"fullName": "Siti Lain"},
        "quotes": {"fullName": "'; drop table participant; --"},
        "a foreign id": {"associationId": "bTE"},
    }
    for name, change in changes.items():
        yield name, client.post(people.enrollment({**people.person(), **change}))
    searches = {
        "NUL in a search": {"name": "a\0b"},
        "a search of operators": {"name": "a & | ! ( :* <-> '"},
        "a search of 10 kB": {"name": "a " * 5_000},
        "a backslash": {"name": "\\"},
        "year 275760": {"enrolledFrom": "275760-09-13"},
    }
    search = "query($f: ParticipantFilter) { participants(first: 1, filterBy: $f) { totalCount nodes { id } } }"
    for name, filters in searches.items():
        yield name, client.ask(search, {"f": filters})
    for cursor in ("", "x", "AAAA", "////", "bTE", "\0", "-" * 5_000):
        yield (
            f"cursor {cursor[:5]!r}",
            client.ask("query($a: String) { participants(first: 1, after: $a) { totalCount } }", {"a": cursor}),
        )
    for first in (-1, 0, 101, 2**31, 2**63):
        yield f"first {first}", client.ask(f"{{ participants(first: {first}) {{ nodes {{ id }} }} }}")


def stop_with_partial_head(server: Server, report: Report) -> None:
    """Sends SIGTERM while a client has sent only a part of a request head."""
    with contextlib.closing(open_socket(server.port)) as raw:
        raw.sendall(b"POST /graphql HTTP/1.1\r\nhost: 127.0")
        time.sleep(0.2)
        seconds = server.stop(30)
    report.judge(
        "table",
        "SIGTERM with a partial request head: ends within 25 s",
        "had to be killed" if seconds is None else f"{seconds:.1f} s",
        seconds is not None and seconds <= 25,
    )
