"""PostgreSQL goes silent, throws everybody out, or is gone; the registry stays."""

import contextlib
import time

import people
from proxy import Proxy
from report import Report
from environment import Environment
from writers import Callers, audit

# A caller is told within this that it cannot be served now.
TELL_WITHIN = 3.0
# How long a caller waits for a mutation at most (`mutation_deadline`), and a second for the machine.
MUTATION_LIMIT = 31.0
# Back at full rate: this part of the rate before, since a rate over two seconds is never twice the same.
FULL = 0.8
# Longer than the registry believes what it last read of its clients (four seconds), after which it asks again.
QUICK_FAULT = 8
WINDOW = 2.0
# No session but the one that asks, and none of PostgreSQL's own processes.
TERMINATE = """select count(pg_terminate_backend(pid)) from pg_stat_activity
    where pid <> pg_backend_pid() and backend_type = 'client backend'"""


def silence(environment: Environment, report: Report) -> None:
    """Under 8 writers and 8 readers. What was connected before stays mute for ever, as after a cable was pulled."""
    seconds, rounds = (QUICK_FAULT, 1) if environment.quick else (30, 3)
    with contextlib.closing(Proxy(environment.cluster.port)) as proxy:
        server = environment.server(through=proxy.port)
        before = people.total(server.client())
        callers = Callers(server, writers=8, readers=8).start()
        usual = measure_usual(callers)
        recoveries, asked = [], []
        for _ in range(rounds):
            begun = time.monotonic()
            proxy.silence()
            time.sleep(seconds)
            asked += [(begun, time.monotonic())]
            proxy.speak()
            recoveries.append(await_rate(callers, usual, 40))
            time.sleep(2)
        answered = callers.finish()
        ledger = audit(server, callers, before)
    said = ", ".join("never" if took is None else f"{took:.1f} s" for took in recoveries)
    report.judge(
        "silence",
        f"the network silent for {seconds} s, {rounds} times in a row: back at full rate within 15 s",
        f"{said} (usual rate {usual:.0f} a second)",
        all(took is not None and took <= 15 for took in recoveries),
    )
    judge_told(report, "silence", callers, asked)
    report.judge("silence", "0 lost, 0 double", str(ledger), answered and ledger.balances and not callers.surprises)


def backends(environment: Environment, report: Report) -> None:
    seconds = 5 if environment.quick else 30
    server = environment.server()
    before = people.total(server.client())
    callers = Callers(server, writers=16).start()
    usual = measure_usual(callers)
    begun = time.monotonic()
    terminated = 0
    for turn in range(seconds):
        terminated += int(environment.cluster.sql(TERMINATE))
        time.sleep(max(0.0, begun + turn + 1 - time.monotonic()))
    ended = time.monotonic()
    took = await_rate(callers, usual, 20)
    answered = callers.finish()
    ledger = audit(server, callers, before)
    failed = [event for event in callers.between(begun - 1, ended + 3) if not event.succeeded]
    final = [f"{event.status} {event.code}" for event in failed if not event.retryable]
    report.judge(
        "backends",
        f"all backends terminated each second for {seconds} s: 0 lost, 0 double",
        f"{terminated} terminated; {ledger}",
        terminated > 0 and answered and ledger.balances and not callers.surprises,
    )
    report.judge(
        "backends",
        "each error is marked as one to retry (503 and Retry-After)",
        f"{len(failed)} errors, {len(final)} not marked {sorted(set(final)) or ''}",
        not final,
    )
    report.judge(
        "backends",
        "normal 3 s after the last",
        "never" if took is None else f"{took:.1f} s",
        took is not None and took <= 3,
    )


def stop(environment: Environment, report: Report) -> None:
    seconds = QUICK_FAULT if environment.quick else 10
    server = environment.server()
    before, process = people.total(server.client()), server.pid
    callers = Callers(server, writers=8, readers=8).start()
    usual = measure_usual(callers)
    begun = time.monotonic()
    environment.cluster.kill()
    time.sleep(seconds)
    ended = time.monotonic()
    environment.cluster.start()
    took = await_rate(callers, usual, 30, full=0.1)
    answered = callers.finish()
    ledger = audit(server, callers, before)
    judge_told(report, "stop", callers, [(begun, ended)])
    same = server.is_alive and server.pid == process
    report.judge(
        "stop",
        f"PostgreSQL gone for {seconds} s: serves 5 s after it accepts, without a restart",
        f"{'never' if took is None else f'{took:.1f} s'}; {'the same process' if same else 'the process has ended'}",
        took is not None and took <= 5 and same,
    )
    report.judge("stop", "0 lost, 0 double", str(ledger), answered and ledger.balances and not callers.surprises)


def measure_usual(callers: Callers) -> float:
    """Successes a second without a fault."""
    time.sleep(1)
    begun = time.monotonic()
    time.sleep(4)
    usual = callers.rate(begun, time.monotonic())
    if usual == 0:
        raise RuntimeError("nothing succeeds even without a fault")
    return usual


def await_rate(callers: Callers, usual: float, limit: float, full: float = FULL) -> float | None:
    """Seconds from now until the rate is back: the beginning of the first two seconds that have it."""
    begun = time.monotonic()
    while (passed := time.monotonic() - begun) < limit + WINDOW:
        time.sleep(0.1)
        if passed >= WINDOW and callers.rate(begun + passed - WINDOW, begun + passed) >= usual * full:
            return passed - WINDOW
    return None


def judge_told(report: Report, resilience: str, callers: Callers, faults: list[tuple[float, float]]) -> None:
    """What was asked during a fault, its first half second apart: what was under way then is judged by the ledger."""
    asked = [event for begun, ended in faults for event in callers.between(begun + 0.5, ended - TELL_WITHIN)]
    failed = [event for event in asked if not event.succeeded]
    unmarked = sorted({f"{event.status} {event.code}" for event in failed if not event.retryable})
    # Of all: a caller who was let wait until the fault was over was not told either.
    slowest = max((event.seconds for event in asked), default=0.0)
    late = sum(event.seconds > TELL_WITHIN for event in asked)
    report.judge(
        resilience,
        "meanwhile requests fail within 3 s, with 503 and Retry-After",
        f"{len(asked)} asked, {len(failed)} failed, {late} waited for over 3 s, the slowest for {slowest:.1f} s; "
        f"not marked: {', '.join(unmarked) or 'none'}",
        bool(failed) and not unmarked and slowest <= TELL_WITHIN,
    )
    under_way = [
        event
        for begun, _ in faults
        for event in callers.between(begun - TELL_WITHIN, begun + 0.5)
        if event.ended > begun
    ]
    longest = max((event.seconds for event in under_way), default=0.0)
    report.judge(
        resilience,
        "what was under way when it began is answered within the 30 s of a mutation",
        f"slowest {longest:.1f} s",
        longest <= MUTATION_LIMIT,
    )
