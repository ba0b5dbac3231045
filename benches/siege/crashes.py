"""kill -9, of the registry and of PostgreSQL, under writers."""

import random
import time

import people
from report import Report, note
from world import Server, World
from writers import Callers, audit

WRITERS = 32


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
