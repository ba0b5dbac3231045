"""Onboarding of a roster in one request, on servers that are killed at a random instant."""

import json
import pathlib
import random
import threading
import time

import people
from environment import Environment, Server
from http_client import Answer
from report import Report, note

BATCHES = """{ onboardingBatches(first: 5) { totalCount nodes { id state
  counts { received pending enrolled alreadyEnrolled rejected } rows(first: 1) { totalCount } } } }"""


def onboarding_kills(environment: Environment, report: Report) -> None:
    """Onboards the roster many times, each with one kill and a retry with the same key."""
    times = 3 if environment.quick else 20
    body, rows = roster_request(environment)
    usual = usual_seconds(environment, body)
    wrong, before_end = [], 0
    for kill in range(times):
        fault, was_early = kill_one(environment, body, rows, random.uniform(0, usual * 1.05))
        wrong += [f"kill {kill + 1}: {fault}"] * bool(fault)
        before_end += was_early
        if kill % 5 == 4:
            note(f"{kill + 1} onboardings killed")
    report.judge(
        "onboarding_kills",
        f"an onboarding of {rows:,} rows, killed at a random instant x {times}, then retried with its key: one batch, "
        "all enrolled, one outcome per row",
        f"{'; '.join(wrong[:3]) or 'each time'}; {before_end} were killed before their answer; without a kill it "
        f"takes {usual:.1f} s",
        not wrong and before_end > 0,
    )


def roster_request(environment: Environment) -> tuple[bytes, int]:
    """Returns the request with the clean roster that the demonstration writes, and its number of rows."""
    request = json.loads(pathlib.Path(environment.data / "south-sumatra.json").read_text())
    request["query"] = """mutation($input: OnboardCivilServantsInput!) { onboardCivilServants(input: $input) {
      batch { id counts { received enrolled } } errors { code message } } }"""
    request["variables"]["input"]["idempotencyKey"] = "resilience-onboarding-000001"
    return json.dumps(request).encode(), len(request["variables"]["input"]["rows"])


def usual_seconds(environment: Environment, body: bytes) -> float:
    """Returns the seconds that the request takes without a kill."""
    server = environment.server()
    answer = server.client(60).post(body)
    server.stop()
    if answer.status != 200 or not answer.data:
        raise RuntimeError(f"onboardCivilServants failed: {answer.status} {answer.body[:200]!r}")
    return answer.seconds


def kill_one(environment: Environment, body: bytes, rows: int, after: float) -> tuple[str, bool]:
    """Returns what is wrong afterwards, and whether the kill came before the answer."""
    database = environment.new_database()
    server = environment.server(database)
    before = people.total(server.client())
    first: list[Answer] = []
    caller = threading.Thread(target=lambda: first.append(server.client(60).post(body)))
    caller.start()
    time.sleep(after)
    server.kill()
    caller.join()
    server.start()
    fault = fault_of_retry(server, body, rows, before)
    server.stop()
    environment.cluster.sql(f"drop database {database} with (force)")
    return fault, first[0].status == 0


def fault_of_retry(server: Server, body: bytes, rows: int, before: int) -> str:
    """Retries twice with the same key. Returns how the answers or the stored batch are wrong, or an empty text."""
    client = server.client(60)
    answers = [client.post_with_retries(body) for _ in range(2)]
    batches = [(answer.data.get("onboardCivilServants") or {}).get("batch") for answer in answers]
    if None in batches:
        return f"the retry was answered with {answers[0].status} {answers[0].body[:150]!r}"
    if batches[0] != batches[1]:
        return "two retries have different answers"
    found = client.ask(BATCHES).data["onboardingBatches"]
    if found["totalCount"] != 1:
        return f"{found['totalCount']} batches"
    counts, kept = found["nodes"][0]["counts"], found["nodes"][0]["rows"]["totalCount"]
    wanted = {"received": rows, "pending": 0, "enrolled": rows, "alreadyEnrolled": 0, "rejected": 0}
    if counts != wanted or kept != rows:
        return f"counts {counts}, {kept} outcomes"
    added = people.total(client) - before
    return "" if added == rows else f"{added} people added"
