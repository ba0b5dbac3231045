"""One idempotency key that many callers use at once."""

import concurrent.futures
import threading
import uuid

import people
from environment import Environment, Server
from http_client import Answer
from report import Report, milliseconds

CALLERS = 100


def one_key(environment: Environment, report: Report) -> None:
    """Sends one enrollment a hundred times at once."""
    server = environment.server()
    client = server.client()
    form, key = people.person(), str(uuid.uuid4())
    judge_one_key([server], form, key, "one_key", report)
    reused(client, form, key, report)


def at_once(servers: list[Server], bodies: list[bytes]) -> list[Answer]:
    """Sends all requests at once, in turn to these servers."""
    together = threading.Barrier(len(bodies))

    def call(at: int) -> Answer:
        mine = servers[at % len(servers)].client()
        mine.ask("{ viewer { name } }")  # Opens the connection before the barrier.
        together.wait(30)
        return mine.post_with_retries(bodies[at])  # The concurrency limit may refuse some at first.

    with concurrent.futures.ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(call, range(len(bodies))))


def judge_one_key(servers: list[Server], form: dict, key: str, group: str, report: Report) -> None:
    client = servers[0].client()
    before = people.total(client)
    answers = at_once(servers, [people.enrollment(form, key)] * CALLERS)
    added = people.total(client) - before
    bodies = {answer.comparable_body for answer in answers}
    statuses = sorted({answer.status for answer in answers})
    enrolled = sum(bool(answer.data.get("enrollParticipant", {}).get("enrollment")) for answer in answers)
    slowest = max(answer.seconds for answer in answers)
    where = "" if len(servers) == 1 else f" at {len(servers)} servers"
    report.judge(
        group,
        f"{CALLERS} callers at once with one key{where}: one row, one answer to all",
        f"{added} rows, {len(bodies)} answers, {enrolled} of {CALLERS} say enrolled, statuses {statuses}, slowest "
        f"{milliseconds(slowest)}",
        added == 1 and len(bodies) == 1 and enrolled == CALLERS,
    )


def reused(client, form: dict, key: str, report: Report) -> None:
    """Sends the same key with other inputs."""
    before = people.total(client)
    codes = set()
    for change in (
        {"fullName": "Siti Lain"},
        {"nationalId": people.person()["nationalId"]},
        {"monthlyWage": 3_000_000},
    ):
        answer = client.post(people.enrollment({**form, **change}, key))
        payload = answer.data.get("enrollParticipant") or {}
        codes |= {error["code"] for error in payload.get("errors", [])} or {answer.code or "none"}
    added = people.total(client) - before
    report.judge(
        "one_key",
        "the same key with another input: IDEMPOTENCY_KEY_REUSED, nothing changed",
        f"{', '.join(sorted(codes))}; {added} rows",
        codes == {"IDEMPOTENCY_KEY_REUSED"} and added == 0,
    )
