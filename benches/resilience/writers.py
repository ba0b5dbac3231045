"""Callers that go on through a fault: writers that retry with the same key until it is acknowledged, and readers."""

import dataclasses
import random
import threading
import time
import uuid

import people
from wire import Answer, Client
from world import Server

# How long a writer or reader waits for one answer: longer than the server's own deadlines, so that the server is
# seen to give up, and not the caller.
PATIENCE = 40
PAUSE = 0.05


@dataclasses.dataclass(frozen=True)
class Event:
    """One request and what came of it. Times are monotonic seconds."""

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
    """Somebody whom the registry said to have enrolled."""

    national_id: str
    card_number: str
    tries: int


class Callers:
    """Threads that enroll and read, until `finish`."""

    def __init__(self, server: Server, writers: int, readers: int = 0) -> None:
        self._server = server
        self._stop, self._lock = threading.Event(), threading.Lock()
        self.events: list[Event] = []
        self.acknowledged: list[Acknowledged] = []
        # What no retry may ever be told: the same key and input got another answer than "enrolled".
        self.surprises: list[str] = []
        work = [self._write] * writers + [self._read] * readers
        self._threads = [threading.Thread(target=task, daemon=True) for task in work]

    def start(self) -> "Callers":
        for thread in self._threads:
            thread.start()
        return self

    def finish(self, limit: float = 120) -> bool:
        """Begins nobody new and waits until every writer has its answer; False where one never got it."""
        self._stop.set()
        deadline = time.monotonic() + limit
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def rate(self, since: float, until: float) -> float:
        """Successes a second."""
        with self._lock:
            return sum(event.succeeded and since <= event.ended < until for event in self.events) / (until - since)

    def between(self, since: float, until: float) -> list[Event]:
        """What was begun between two moments."""
        with self._lock:
            return [event for event in self.events if since <= event.begun < until]

    def _send(self, client: Client, body: bytes, writes: bool, good) -> Answer:
        begun = time.monotonic()
        answer = client.post(body)
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

    def _until_acknowledged(self, client: Client, form: dict, body: bytes) -> None:
        tries = 0
        while True:
            tries += 1
            answer = self._send(client, body, True, lambda answer: card_of(answer) is not None)
            card = card_of(answer)
            if card is not None:
                with self._lock:
                    self.acknowledged.append(Acknowledged(form["nationalId"], card, tries))
                return
            if answer.status == 200 and answer.data.get("enrollParticipant"):
                with self._lock:
                    self.surprises.append(str(answer.data["enrollParticipant"].get("errors"))[:200])
                return
            time.sleep(PAUSE * (0.5 + random.random()))

    def _read(self) -> None:
        client = self._server.client(PATIENCE)
        body = people.question(people.READ)
        while not self._stop.is_set():
            answer = self._send(client, body, False, lambda answer: "participants" in answer.data)
            if not answer.data:
                time.sleep(PAUSE * (0.5 + random.random()))
        client.close()


def card_of(answer: Answer) -> str | None:
    """The card of the person of an enrollment, if it was acknowledged."""
    payload = answer.data.get("enrollParticipant") or {}
    return payload["participant"]["cardNumber"] if payload.get("enrollment") else None


@dataclasses.dataclass(frozen=True)
class Ledger:
    """What the registry holds, beside what it had acknowledged."""

    acknowledged: int
    lost: int
    double: int
    added: int

    @property
    def balances(self) -> bool:
        return self.lost == 0 and self.double == 0 and self.added == self.acknowledged

    def __str__(self) -> str:
        return f"{self.acknowledged} acknowledged, {self.added} added, {self.lost} lost, {self.double} double"


def audit(server: Server, callers: Callers, before: int) -> Ledger:
    """Asks for everybody who was acknowledged, by number, and counts all."""
    client, lost, double = server.client(), 0, 0
    cards = [person.card_number for person in callers.acknowledged]
    double += len(cards) - len(set(cards))
    at_once = 10
    for start in range(0, len(callers.acknowledged), at_once):
        some = callers.acknowledged[start : start + at_once]
        query = people.LOOKUP.format(" ".join(people.lookup(i, one.national_id) for i, one in enumerate(some)))
        answer = client.patiently(people.question(query))
        for i, one in enumerate(some):
            found = answer.data[f"p{i}"]
            lost += found is None or found["cardNumber"] != one.card_number
            double += found is not None and found["enrollments"]["totalCount"] > 1
    return Ledger(len(callers.acknowledged), lost, double, people.total(client) - before)
