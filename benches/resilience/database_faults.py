"""Faults of the database: a silent network, terminated sessions, a PostgreSQL that is down."""

import contextlib
import time

import people
from environment import Environment
from proxy import Proxy
from report import Report
from writers import Callers, audit

# Seconds within which a request must be refused while the database does not answer.
REFUSAL_LIMIT = 3.0
# The deadline of a mutation in seconds (`mutation_deadline`), and one second of tolerance.
MUTATION_LIMIT = 31.0
# The share of the usual rate that counts as recovered: a rate over two seconds varies.
RECOVERED = 0.8
# Seconds of a fault with --quick. The registry caches clients for four seconds; after them it needs the database.
QUICK_FAULT = 8
WINDOW = 2.0
# Every client session except the one that runs this.
TERMINATE = """select count(pg_terminate_backend(pid)) from pg_stat_activity
    where pid <> pg_backend_pid() and backend_type = 'client backend'"""


def silence(environment: Environment, report: Report) -> None:
    """Silences the network under 8 writers and 8 readers. Old connections stay dead, as after a pulled cable."""
    seconds, rounds = (QUICK_FAULT, 1) if environment.quick else (30, 3)
    with contextlib.closing(Proxy(environment.cluster.port)) as proxy:
        server = environment.server(through=proxy.port)
        before = people.total(server.client())
        callers = Callers(server, writers=8, readers=8).start()
        usual = measure_usual(callers)
        recoveries, faults = [], []
        for _ in range(rounds):
            begun = time.monotonic()
            proxy.silence()
            time.sleep(seconds)
            faults += [(begun, time.monotonic())]
            proxy.resume()
            recoveries.append(await_rate(callers, usual, 40))
            time.sleep(2)
        answered = callers.finish()
        ledger = audit(server, callers, before)
    measured = ", ".join("never" if took is None else f"{took:.1f} s" for took in recoveries)
    report.judge(
        "silence",
        f"the network silent for {seconds} s, {rounds} times in a row: back at full rate within 15 s",
        f"{measured} (usual rate {usual:.0f} a second)",
        all(took is not None and took <= 15 for took in recoveries),
    )
    judge_refusals(report, "silence", callers, faults)
    held = answered and ledger.balances and not callers.unexpected
    report.judge("silence", "0 lost, 0 duplicated", str(ledger), held)


def backends(environment: Environment, report: Report) -> None:
    """Terminates every session of PostgreSQL once a second under 16 writers."""
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
        f"all backends terminated each second for {seconds} s: 0 lost, 0 duplicated",
        f"{terminated} terminated; {ledger}",
        terminated > 0 and answered and ledger.balances and not callers.unexpected,
    )
    report.judge(
        "backends",
        "each error is marked as retryable (503 and Retry-After)",
        f"{len(failed)} errors, {len(final)} not marked {sorted(set(final)) or ''}",
        not final,
    )
    report.judge(
        "backends",
        "back at the usual rate within 3 s of the last termination",
        "never" if took is None else f"{took:.1f} s",
        took is not None and took <= 3,
    )


def stop(environment: Environment, report: Report) -> None:
    """Kills PostgreSQL and starts it again after some seconds, under 8 writers and 8 readers."""
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
    took = await_rate(callers, usual, 30, share=0.1)
    answered = callers.finish()
    ledger = audit(server, callers, before)
    judge_refusals(report, "stop", callers, [(begun, ended)])
    same = server.is_alive and server.pid == process
    report.judge(
        "stop",
        f"PostgreSQL gone for {seconds} s: serves 5 s after it accepts, without a restart",
        f"{'never' if took is None else f'{took:.1f} s'}; {'the same process' if same else 'the process has ended'}",
        took is not None and took <= 5 and same,
    )
    held = answered and ledger.balances and not callers.unexpected
    report.judge("stop", "0 lost, 0 duplicated", str(ledger), held)


def measure_usual(callers: Callers) -> float:
    """Returns the successes per second without a fault."""
    time.sleep(1)
    begun = time.monotonic()
    time.sleep(4)
    usual = callers.rate(begun, time.monotonic())
    if usual == 0:
        raise RuntimeError("nothing succeeds even without a fault")
    return usual


def await_rate(callers: Callers, usual: float, limit: float, share: float = RECOVERED) -> float | None:
    """Returns the seconds from now to the first window in which the rate has recovered."""
    begun = time.monotonic()
    while (passed := time.monotonic() - begun) < limit + WINDOW:
        time.sleep(0.1)
        if passed >= WINDOW and callers.rate(begun + passed - WINDOW, begun + passed) >= usual * share:
            return passed - WINDOW
    return None


def judge_refusals(report: Report, group: str, callers: Callers, faults: list[tuple[float, float]]) -> None:
    """Judges the requests that were sent during a fault.

    Its first half second is left out: the ledger judges what was in flight then.
    """
    sent = [event for begun, ended in faults for event in callers.between(begun + 0.5, ended - REFUSAL_LIMIT)]
    failed = [event for event in sent if not event.succeeded]
    unmarked = sorted({f"{event.status} {event.code}" for event in failed if not event.retryable})
    # Successes count too: a caller that waited until the fault was over was not refused in time.
    slowest = max((event.seconds for event in sent), default=0.0)
    late = sum(event.seconds > REFUSAL_LIMIT for event in sent)
    report.judge(
        group,
        "meanwhile requests fail within 3 s, with 503 and Retry-After",
        f"{len(sent)} sent, {len(failed)} failed, {late} waited for over 3 s, the slowest for {slowest:.1f} s; "
        f"not marked: {', '.join(unmarked) or 'none'}",
        bool(failed) and not unmarked and slowest <= REFUSAL_LIMIT,
    )
    in_flight = [
        event
        for begun, _ in faults
        for event in callers.between(begun - REFUSAL_LIMIT, begun + 0.5)
        if event.ended > begun
    ]
    longest = max((event.seconds for event in in_flight), default=0.0)
    report.judge(
        group,
        "requests in flight when the fault began are answered within the 30 s of a mutation",
        f"slowest {longest:.1f} s",
        longest <= MUTATION_LIMIT,
    )
