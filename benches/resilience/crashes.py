"""kill -9, of the registry and of PostgreSQL, under writers."""

import random
import time

import people
from report import Report, note
from world import Server, World
from writers import Callers, audit

WRITERS = 32
# How long it may take from the moment that a caller looks at the clock until the server has read what it asks.
SENT = 0.03


def kills(world: World, report: Report) -> None:
    times = 5 if world.quick else 50
    server = world.server()
    before = people.total(server.client())
    callers = Callers(server, WRITERS).start()
    slowest = 0.0
    for kill in range(times):
        time.sleep(random.uniform(0.3, 1.0))
        slowest = max(slowest, kill_once(world, server, of_postgres=kill % 3 == 2))
        if kill % 10 == 9:
            note(f"{kill + 1} kills, {len(callers.acknowledged)} acknowledged")
    answered = callers.finish()
    ledger = audit(server, callers, before)
    again = sum(one.tries > 1 for one in callers.acknowledged)
    report.judge(
        "kills",
        f"{times} x kill -9 (each third of PostgreSQL) under {WRITERS} writers: 0 lost, 0 double",
        f"{ledger}; {again} were acknowledged to a retry",
        ledger.balances and again > 0,
    )
    told = ", ".join(callers.surprises[:3])
    who = "all" if answered else "not all"
    report.judge(
        "kills",
        "every retry with the same key ends in its enrollment",
        f"{who} writers were answered; {len(callers.surprises)} with something else {told}",
        answered and not callers.surprises,
    )
    report.judge("kills", "serves again within 15 s of each restart", f"slowest {slowest:.1f} s", slowest <= 15)


def kill_once(world: World, server: Server, of_postgres: bool) -> float:
    """Kills one of both and starts it again; seconds until the registry is ready."""
    if of_postgres:
        world.cluster.kill()
        begun = world.cluster.start()
        if not server.wait_until_ready(60):
            raise RuntimeError("the registry does not come back after PostgreSQL has")
    else:
        server.kill()
        begun = time.monotonic()
        server.start()
    return time.monotonic() - begun


def sigterm(world: World, report: Report) -> None:
    """SIGTERM under writers: whoever had asked before is answered, and nothing is lost."""
    times = 5 if world.quick else 10
    server = world.server()
    before = people.total(server.client())
    callers = Callers(server, WRITERS).start()
    unanswered, under_way, slowest = 0, 0, 0.0
    for _ in range(times):
        time.sleep(random.uniform(1.0, 1.5))
        told = time.monotonic()
        took = server.stop(30)
        ended = time.monotonic()
        slowest = max(slowest, ended - told if took is None else took)
        server.start()
        # Asked long enough before for the bytes to have arrived: the callers are threads, and take turns.
        asked = [event for event in callers.between(told - 30, told - SENT) if event.ended > told]
        under_way += len(asked)
        unanswered += sum(event.status == 0 for event in asked)
    answered = callers.finish()
    ledger = audit(server, callers, before)
    report.judge(
        "sigterm",
        f"{times} x SIGTERM under {WRITERS} writers: nothing in flight is lost, it ends within 25 s",
        f"{under_way} were under way, {unanswered} got no answer; {ledger}; slowest end {slowest:.1f} s",
        under_way > 0 and not unanswered and answered and ledger.balances and slowest <= 25,
    )
