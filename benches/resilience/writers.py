"""Callers that continue through a fault: readers, and writers that retry until they are acknowledged."""

import dataclasses
import random
import threading
import time
import uuid

import people
from balancer import Balancer
from environment import Server
from http_client import Answer, Client

# Seconds that a caller waits for one answer: longer than the deadlines of the server, so that the server gives up
# first.
PATIENCE = 40
PAUSE = 0.05


@dataclasses.dataclass(frozen=True)
class Event:
    """A request and its outcome. Times are monotonic seconds."""

    begun: float
    ended: float
    writes: bool
    status: int
    code: str
    retryable: bool
    succeeded: bool

    @property
    def seconds(self) -> float:
        return self.ended - self.begun


@dataclasses.dataclass(frozen=True)
class Acknowledged:
    """A person whose enrollment the registry acknowledged."""

    national_id: str
    card_number: str
    tries: int
    # When the answer came, as monotonic seconds.
    at: float


class Callers:
    """Threads that enroll and read people until `finish`."""

    def __init__(self, server: Server | Balancer, writers: int, readers: int = 0, rereaders: int = 0) -> None:
        self._server = server
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._abandoned = threading.Event()
        self.events: list[Event] = []
        self.acknowledged: list[Acknowledged] = []
        # Errors of payloads: a retry with the same key and input must always return the enrollment.
        self.unexpected: list[str] = []
        # People whom their own writer was not shown.
        self.missed: list[str] = []
        # How many of them write.
        self.writers = writers + rereaders
        work = [self._write] * writers + [self._read] * readers + [self._write_and_read] * rereaders
        self._threads = [threading.Thread(target=task, daemon=True) for task in work]

    def start(self) -> "Callers":
        for thread in self._threads:
            thread.start()
        return self

    def finish(self, limit: float = 120) -> bool:
        """Starts no new requests. Returns whether every caller got its last answer within the limit."""
        self._stop.set()
        deadline = time.monotonic() + limit
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def abandon(self) -> None:
        """Starts no new requests, and waits for nobody: the server is gone for good."""
        self._stop.set()
        self._abandoned.set()

    def rate(self, since: float, until: float) -> float:
        """Returns the successes per second."""
        with self._lock:
            return sum(event.succeeded and since <= event.ended < until for event in self.events) / (until - since)

    def between(self, since: float, until: float) -> list[Event]:
        """Returns the requests that began between two moments."""
        with self._lock:
            return [event for event in self.events if since <= event.begun < until]

    def _send(self, client: Client, body: bytes, writes: bool, good, headers: dict | None = None) -> Answer:
        begun = time.monotonic()
        answer = client.post(body, headers)
        event = Event(begun, time.monotonic(), writes, answer.status, answer.code, answer.may_retry, good(answer))
        with self._lock:
            self.events.append(event)
        return answer

    def _write(self) -> None:
        client = self._server.client(PATIENCE)
        while not self._stop.is_set():
            form, key = people.person(), str(uuid.uuid4())
            self._until_acknowledged(client, form, people.enrollment(form, key))
        client.close()

    def _write_and_read(self) -> None:
        """Enrolls people, and looks each up as soon as it is acknowledged."""
        client = self._server.client(PATIENCE)
        while not self._stop.is_set():
            form = people.person()
            written = self._until_acknowledged(client, form, people.enrollment(form, str(uuid.uuid4())))
            body = people.query_body(people.LOOKUP.format(people.lookup(0, form["nationalId"])))
            while written and not self._abandoned.is_set():
                read = self._send(client, body, False, lambda answer: "p0" in answer.data, written.position)
                if "p0" in read.data:
                    if read.data["p0"] is None:
                        self.missed.append(form["nationalId"])
                    break
                time.sleep(PAUSE * (0.5 + random.random()))
        client.close()

    def _until_acknowledged(self, client: Client, form: dict, body: bytes) -> Answer | None:
        tries = 0
        while not self._abandoned.is_set():
            tries += 1
            answer = self._send(client, body, True, lambda answer: card_of(answer) is not None)
            card = card_of(answer)
            if card is not None:
                with self._lock:
                    self.acknowledged.append(Acknowledged(form["nationalId"], card, tries, time.monotonic()))
                return answer
            if answer.status == 200 and answer.data.get("enrollParticipant"):
                with self._lock:
                    self.unexpected.append(str(answer.data["enrollParticipant"].get("errors"))[:200])
                return None
            time.sleep(PAUSE * (0.5 + random.random()))
        return None

    def _read(self) -> None:
        client = self._server.client(PATIENCE)
        body = people.query_body(people.READ)
        while not self._stop.is_set():
            answer = self._send(client, body, False, lambda answer: "participants" in answer.data)
            if not answer.data:
                time.sleep(PAUSE * (0.5 + random.random()))
        client.close()


def card_of(answer: Answer) -> str | None:
    """Returns the card number of the person if the enrollment was acknowledged."""
    payload = answer.data.get("enrollParticipant") or {}
    return payload["participant"]["cardNumber"] if payload.get("enrollment") else None


@dataclasses.dataclass(frozen=True)
class Ledger:
    """What the registry holds, compared with what it acknowledged."""

    acknowledged: int
    lost: int
    duplicated: int
    added: int

    @property
    def balances(self) -> bool:
        return self.lost == 0 and self.duplicated == 0 and self.added == self.acknowledged

    def __str__(self) -> str:
        return f"{self.acknowledged} acknowledged, {self.added} added, {self.lost} lost, {self.duplicated} duplicated"


def audit(server: Server | Balancer, callers: Callers, before: int) -> Ledger:
    """Looks up every acknowledged person by identity number, and counts all people."""
    client, lost, duplicated = server.client(), 0, 0
    cards = [person.card_number for person in callers.acknowledged]
    duplicated += len(cards) - len(set(cards))
    at_once = 10
    for start in range(0, len(callers.acknowledged), at_once):
        some = callers.acknowledged[start : start + at_once]
        query = people.LOOKUP.format(" ".join(people.lookup(i, one.national_id) for i, one in enumerate(some)))
        answer = client.post_with_retries(people.query_body(query))
        for i, one in enumerate(some):
            found = answer.data[f"p{i}"]
            lost += found is None or found["cardNumber"] != one.card_number
            duplicated += found is not None and found["enrollments"]["totalCount"] > 1
    return Ledger(len(callers.acknowledged), lost, duplicated, people.total(client) - before)
