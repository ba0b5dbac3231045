"""Ten times the load that the registry can serve."""

import os
import time

import people
from environment import Environment, Server
from load import BLOCK, PROCESSES, Load, Plan, Result
from report import Report, milliseconds, note, quantile

CONNECTIONS = 32
# Connections of an ordinary load, each of which waits for its answer.
ORDINARY = 64
# The defaults of the pool settings, and how many sessions stay open for each connection in use (docs/operating.md).
POOLS = {"REGISTRY_POOL": (6, 2), "REGISTRY_BULK_POOL": (3, 1)}
# Four of exports, two of the control pool, one for audit entries, one that runs LISTEN.
OTHER_SESSIONS = 8
SESSIONS = """select count(*),
    coalesce(max(extract(epoch from now() - state_change)) filter (where state like 'idle in%'), 0)
    from pg_stat_activity where datname = '{}' and backend_type = 'client backend' and pid <> pg_backend_pid()"""
TIMES = 10
# Connections of the overload: more than may be in flight (REGISTRY_MAX_IN_FLIGHT), and each waits for its answer.
CROWD = 1_120
ACCEPTED_LIMIT, REFUSED_LIMIT = 1.0, 0.100
GOODPUT_KEPT, WRITES_KEPT = 0.8, 0.2
MEMORY_MIB = 512
# What the heap may keep when memory counts as returned.
SLACK_MIB = 64


def overload(environment: Environment, report: Report) -> None:
    """Measures ordinary load, then the capacity with 32 connections, then offers ten times as much."""
    short, long = (4, 10) if environment.quick else (10, 60)
    server = environment.server()
    ordinary = Plan(server.port, environment.tokens, ORDINARY, short, read=people.EMPLOYERS, writes=0)
    judge_ordinary_load(report, run(ordinary))
    limit = run(Plan(server.port, environment.tokens, CONNECTIONS * TIMES, 3, path="/livez")).goodput
    run(Plan(server.port, environment.tokens, CONNECTIONS, 2))  # Warm-up: prepares statements and opens sessions.
    usual = run(Plan(server.port, environment.tokens, CONNECTIONS, short, first_person=people_of(1)))
    note(f"capacity {usual.goodput:.0f} a second; the limit of the generator is {limit:.0f} a second")
    before = server.memory()
    server.reset_peak()
    demand = usual.goodput * TIMES
    plan = Plan(server.port, environment.tokens, CROWD, long, CROWD / demand, people_of(2))
    with Load(plan) as load:
        sessions, idle = watch_sessions(environment, server, load)
        result = load.result()
    peak = server.memory("VmHWM")
    judge_answers(report, usual, result, limit, long)
    judge_sessions(report, sessions, idle)
    judge_memory(report, server, before, peak)
    after = run(Plan(server.port, environment.tokens, CONNECTIONS, short, first_person=people_of(3)))
    report.judge(
        "overload",
        "afterwards the rate is at least half of the rate before",
        f"{after.goodput:.0f} a second, {usual.goodput:.0f} before",
        after.goodput >= usual.goodput / 2,
    )


def judge_ordinary_load(report: Report, result: Result) -> None:
    reads = result.reads
    report.judge(
        "overload",
        f"{ORDINARY} connections that ask for 20 employers with 10 people each: none is refused",
        f"{len(reads.accepted)} answered, p99 {milliseconds(quantile(reads.accepted, 0.99))}; "
        f"{len(reads.refused)} refused; other failures: {reads.failed or 'none'}",
        bool(reads.accepted) and not reads.refused and not reads.failed,
    )


def people_of(round_: int) -> int:
    """Returns the first person number of a round: no two rounds enroll the same people."""
    return 1_000_000 + round_ * BLOCK * PROCESSES


def run(plan: Plan) -> Result:
    with Load(plan) as load:
        return load.result()


def judge_answers(report: Report, usual: Result, result: Result, limit: float, seconds: float) -> None:
    accepted = result.reads.accepted + result.writes.accepted
    refused = result.reads.refused + result.writes.refused
    failed = {
        name: outcome.failed for name, outcome in (("reads", result.reads), ("writes", result.writes)) if outcome.failed
    }
    usual_p99 = quantile(usual.reads.accepted + usual.writes.accepted, 0.99)
    p99 = quantile(accepted, 0.99)
    times = result.demand / usual.goodput
    report.judge(
        "overload",
        f"{TIMES} times its load for {seconds} s: p99 of accepted requests <= 1 s",
        f"{milliseconds(p99)} ({milliseconds(usual_p99)} at capacity); demand {result.demand:.0f} a second, "
        f"{times:.1f} times the capacity; the generator's own limit is {limit:.0f}",
        bool(accepted) and p99 <= ACCEPTED_LIMIT,
    )
    worst = quantile(refused, 0.99)
    report.judge(
        "overload",
        "refusals take <= 100 ms (p99), with 503 or 429 and Retry-After; nothing else fails",
        f"{len(refused)} refused, p99 {milliseconds(worst)}; other failures: {failed or 'none'}",
        worst <= REFUSED_LIMIT and not failed,
    )
    kept = result.goodput / usual.goodput
    report.judge(
        "overload",
        "goodput >= 80 % of the capacity",
        f"{result.goodput:.0f} of {usual.goodput:.0f} a second, {kept:.0%}",
        kept >= GOODPUT_KEPT,
    )
    share = len(result.writes.accepted) / max(1, len(accepted))
    report.judge("overload", "writes are >= 20 % of the goodput", f"{share:.0%}", share >= WRITES_KEPT)


def watch_sessions(environment: Environment, server: Server, load: Load) -> tuple[int, float]:
    """Returns the most sessions of the server, and the most seconds that one was idle in a transaction."""
    database = server.url.rpartition("/")[2]
    most, longest = 0, 0.0
    while load.is_running:
        count, idle = environment.cluster.sql(SESSIONS.format(database)).split("|")
        most, longest = max(most, int(count)), max(longest, float(idle))
        time.sleep(1)
    return most, longest


def judge_sessions(report: Report, sessions: int, idle: float) -> None:
    pools = (int(os.environ.get(name, usual)) * open_each for name, (usual, open_each) in POOLS.items())
    allowed = sum(pools) + OTHER_SESSIONS
    report.judge(
        "overload",
        "sessions never exceed the configured sum; none is idle in a transaction for over 5 s",
        f"{sessions} of {allowed} sessions, idle for {idle:.1f} s at most",
        sessions <= allowed and idle <= 5,
    )


def judge_memory(report: Report, server: Server, before: float, peak: float) -> None:
    begun = time.monotonic()
    while (now := server.memory()) > before + SLACK_MIB and time.monotonic() - begun < 60:
        time.sleep(0.5)
    seconds = time.monotonic() - begun
    report.judge(
        "overload",
        "memory <= 512 MiB, and returned within a minute",
        f"{before:.0f} MiB before, {peak:.0f} at its peak, {now:.0f} after {seconds:.0f} s",
        peak <= MEMORY_MIB and now <= before + SLACK_MIB,
    )
