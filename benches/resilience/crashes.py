"""Kills and stops the registry and PostgreSQL while writers run."""

import random
import time

import people
from environment import Environment, Server
from report import Report, note
from writers import Callers, audit

WRITERS = 32
# Seconds that a request takes at most from the caller's clock reading until the server has read it.
SEND_TIME = 0.03


def kills(environment: Environment, report: Report) -> None:
    """Sends kill -9 to the registry, and each third time to PostgreSQL."""
    times = 5 if environment.quick else 50
    server = environment.server()
    before = people.total(server.client())
    callers = Callers(server, WRITERS).start()
    slowest = 0.0
    for kill in range(times):
        time.sleep(random.uniform(0.3, 1.0))
        slowest = max(slowest, kill_once(environment, server, of_postgres=kill % 3 == 2))
        if kill % 10 == 9:
            note(f"{kill + 1} kills, {len(callers.acknowledged)} acknowledged")
    answered = callers.finish()
    ledger = audit(server, callers, before)
    retried = sum(one.tries > 1 for one in callers.acknowledged)
    report.judge(
        "kills",
        f"{times} x kill -9 (each third of PostgreSQL) under {WRITERS} writers: 0 lost, 0 duplicated",
        f"{ledger}; {retried} were acknowledged to a retry",
        ledger.balances and retried > 0,
    )
    examples = ", ".join(callers.unexpected[:3])
    writers = "all" if answered else "not all"
    report.judge(
        "kills",
        "every retry with the same key returns the enrollment",
        f"{writers} writers were answered; {len(callers.unexpected)} unexpected answers {examples}",
        answered and not callers.unexpected,
    )
    report.judge("kills", "serves again within 15 s of each restart", f"slowest {slowest:.1f} s", slowest <= 15)


def kill_once(environment: Environment, server: Server, of_postgres: bool) -> float:
    """Kills one of the two and starts it again. Returns the seconds until the registry is ready."""
    if of_postgres:
        environment.cluster.kill()
        begun = environment.cluster.start()
        if not server.wait_until_ready(60):
            raise RuntimeError("the registry is not ready although PostgreSQL accepts connections")
    else:
        server.kill()
        begun = time.monotonic()
        server.start()
    return time.monotonic() - begun


def sigterm(environment: Environment, report: Report) -> None:
    """Sends SIGTERM under writers: requests that had arrived are answered, and nothing is lost."""
    times = 5 if environment.quick else 10
    server = environment.server()
    before = people.total(server.client())
    callers = Callers(server, WRITERS).start()
    unanswered, in_flight, slowest = 0, 0, 0.0
    for _ in range(times):
        time.sleep(random.uniform(1.0, 1.5))
        signalled = time.monotonic()
        took = server.stop(30)
        ended = time.monotonic()
        slowest = max(slowest, ended - signalled if took is None else took)
        server.start()
        # A request that began within SEND_TIME of the signal may not have arrived: the callers share an interpreter.
        sent = [event for event in callers.between(signalled - 30, signalled - SEND_TIME) if event.ended > signalled]
        in_flight += len(sent)
        unanswered += sum(event.status == 0 for event in sent)
    answered = callers.finish()
    ledger = audit(server, callers, before)
    report.judge(
        "sigterm",
        f"{times} x SIGTERM under {WRITERS} writers: nothing in flight is lost, the process ends within 25 s",
        f"{in_flight} were in flight, {unanswered} got no answer; {ledger}; slowest end {slowest:.1f} s",
        in_flight > 0 and not unanswered and answered and ledger.balances and slowest <= 25,
    )
