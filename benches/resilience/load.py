"""A load generator: two processes, each with many raw sockets and requests that are built in advance."""

import dataclasses
import heapq
import multiprocessing
import random
import selectors
import socket
import time

import people
from http_client import GRAPHQL

PROCESSES = 2
# Person numbers that one process may use in one round: far more than it can enroll.
BLOCK = 2_000_000
WRITES = 0.3
PAUSE_AFTER_BREAK = 0.1


@dataclasses.dataclass(frozen=True)
class Plan:
    """One round of load. A connection sends a request every `interval` seconds at most; 0 means at once."""

    port: int
    # Each connection uses one of these tokens, in turn.
    tokens: list[str]
    connections: int
    seconds: float
    interval: float = 0.0
    first_person: int = 1_000_000
    # A path to request instead of GraphQL, which measures the limit of the generator itself.
    path: str = ""
    # What reads ask, and the share of writes.
    read: str = people.READ
    writes: float = WRITES


@dataclasses.dataclass
class Outcome:
    """The answers to one kind of request: seconds of each that was accepted or refused."""

    accepted: list[float] = dataclasses.field(default_factory=list)
    refused: list[float] = dataclasses.field(default_factory=list)
    # Answers that were neither, counted by status.
    failed: dict[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Result:
    reads: Outcome
    writes: Outcome
    seconds: float

    @property
    def goodput(self) -> float:
        return (len(self.reads.accepted) + len(self.writes.accepted)) / self.seconds

    @property
    def demand(self) -> float:
        refused = len(self.reads.refused) + len(self.writes.refused)
        failed = sum(self.reads.failed.values()) + sum(self.writes.failed.values())
        return self.goodput + (refused + failed) / self.seconds


class Load:
    """Runs a plan in the background. Used as `with Load(plan) as load: …; load.result()`."""

    def __init__(self, plan: Plan) -> None:
        context = multiprocessing.get_context("fork")
        self._plan, self._pipes, self._processes = plan, [], []
        for number in range(PROCESSES):
            ours, theirs = context.Pipe(duplex=False)
            self._pipes.append(ours)
            self._processes.append(context.Process(target=drive, args=(plan, number, theirs), daemon=True))

    def __enter__(self) -> "Load":
        for process in self._processes:
            process.start()
        return self

    def __exit__(self, *_) -> None:
        for process in self._processes:
            process.kill()
            process.join()

    @property
    def is_running(self) -> bool:
        return not all(pipe.poll() for pipe in self._pipes)

    def result(self) -> Result:
        """Waits for the end and adds up the results of all processes."""
        whole = Result(Outcome(), Outcome(), self._plan.seconds)
        for pipe in self._pipes:
            if not pipe.poll(self._plan.seconds + 60):
                raise RuntimeError("a process of the load generator does not end")
            for mine, theirs in zip((whole.reads, whole.writes), pipe.recv()):
                mine.accepted += theirs.accepted
                mine.refused += theirs.refused
                for status, times in theirs.failed.items():
                    mine.failed[status] = mine.failed.get(status, 0) + times
        return whole


def drive(plan: Plan, number: int, pipe) -> None:
    """Runs the connections of one process and sends their outcomes."""
    people.begin_at(plan.first_person + number * BLOCK)
    driver = Driver(plan, plan.connections // PROCESSES)
    driver.run()
    pipe.send((driver.reads, driver.writes))
    pipe.close()


class Connection:
    """One caller: it sends a request, waits for the answer and sends the next one."""

    __slots__ = ("answer", "begun", "length", "raw", "read", "token", "writes")

    def __init__(self, token: str, read: bytes) -> None:
        self.token, self.read = token, read
        self.raw: socket.socket | None = None
        self.answer = bytearray()
        self.length = 0
        self.begun = 0.0
        self.writes = False


class Driver:
    """Drives many connections in one thread."""

    def __init__(self, plan: Plan, connections: int) -> None:
        self._plan = plan
        self.reads, self.writes = Outcome(), Outcome()
        self._selector = selectors.DefaultSelector()
        callers = [self._connection(at) for at in range(connections)]
        # A thousand sockets that are opened at once fill the backlog, and this thread would wait for it instead of measuring.
        for caller in callers:
            self._open(caller)
        self._end = time.monotonic() + plan.seconds
        # The connections start at different moments, so that the load does not come in waves.
        now, spread = time.monotonic(), plan.interval or 0.05
        self._due = [(now + random.random() * spread, at, caller) for at, caller in enumerate(callers)]
        heapq.heapify(self._due)
        self._sequence = connections

    def _connection(self, at: int) -> Connection:
        token = self._plan.tokens[at % len(self._plan.tokens)]
        return Connection(token, self._request(token, people.query_body(self._plan.read)))

    def _request(self, token: str, body: bytes) -> bytes:
        plan = self._plan
        if plan.path:
            return f"GET {plan.path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode()
        head = (
            f"POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: {GRAPHQL}\r\ncontent-type: application/json\r\n"
            f"authorization: Bearer {token}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def run(self) -> None:
        while (now := time.monotonic()) < self._end:
            while self._due and self._due[0][0] <= now:
                self._send(heapq.heappop(self._due)[2])
            wait = min(self._due[0][0] if self._due else self._end, self._end) - time.monotonic()
            for key, _ in self._selector.select(max(0.0, wait)):
                self._receive(key.data)

    def _schedule(self, connection: Connection, due: float) -> None:
        self._sequence += 1
        heapq.heappush(self._due, (due, self._sequence, connection))

    def _send(self, connection: Connection) -> None:
        connection.writes = not self._plan.path and random.random() < self._plan.writes
        request = connection.read
        if connection.writes:
            request = self._request(connection.token, people.enrollment(people.person()))
        connection.begun = time.monotonic()
        try:
            if connection.raw is None:
                self._open(connection)
            # `send` takes the whole request: it is far smaller than the empty buffer of the socket.
            connection.raw.send(request)
        except OSError:
            self._break(connection)

    def _open(self, connection: Connection) -> None:
        connection.raw = socket.create_connection(("127.0.0.1", self._plan.port), timeout=5)
        connection.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.raw.setblocking(False)
        self._selector.register(connection.raw, selectors.EVENT_READ, connection)

    def _receive(self, connection: Connection) -> None:
        try:
            part = connection.raw.recv(65_536)
        except OSError:
            part = b""
        if not part:
            self._break(connection)
            return
        answer = connection.answer
        answer += part
        if not connection.length:
            head = answer.find(b"\r\n\r\n")
            if head < 0:
                return
            at = answer.find(b"content-length: ", 0, head)
            if at < 0:
                self._break(connection)
                return
            connection.length = head + 4 + int(answer[at + 16 : answer.find(b"\r\n", at)])
        if len(answer) >= connection.length:
            self._judge(connection)

    def _judge(self, connection: Connection) -> None:
        now = time.monotonic()
        answer, seconds = bytes(connection.answer), now - connection.begun
        connection.answer, connection.length = bytearray(), 0
        outcome, status = self.writes if connection.writes else self.reads, answer[9:12]
        done = b'"enrollment":{' if connection.writes else b'"participants":{'
        if status == b"200" and (self._plan.path or done in answer):
            outcome.accepted.append(seconds)
        elif status in (b"503", b"429") and b"\r\nretry-after: " in answer:
            outcome.refused.append(seconds)
        else:
            self._count_failure(outcome, status.decode())
        self._schedule(connection, max(now, connection.begun + self._plan.interval))

    def _break(self, connection: Connection) -> None:
        self._count_failure(self.writes if connection.writes else self.reads, "broken")
        if connection.raw is not None:
            self._selector.unregister(connection.raw)
            connection.raw.close()
        connection.raw, connection.answer, connection.length = None, bytearray(), 0
        self._schedule(connection, time.monotonic() + PAUSE_AFTER_BREAK)

    @staticmethod
    def _count_failure(outcome: Outcome, status: str) -> None:
        outcome.failed[status] = outcome.failed.get(status, 0) + 1
