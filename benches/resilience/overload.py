"""Ten times the load that it can take."""

import os
import time

from load import BLOCK, PROCESSES, Load, Plan, Result
from report import Report, milliseconds, note, quantile
from world import Server, World

CONNECTIONS = 32
# The registry's settings at their defaults; beside them two sessions for control and one that listens.
POOLS = {"REGISTRY_POOL": 6, "REGISTRY_BULK_POOL": 2}
OTHER_SESSIONS = 3
SESSIONS = """select count(*),
    coalesce(max(extract(epoch from now() - state_change)) filter (where state like 'idle in%'), 0)
    from pg_stat_activity where datname = '{}' and backend_type = 'client backend' and pid <> pg_backend_pid()"""
TIMES = 10
ACCEPTED_LIMIT, REFUSED_LIMIT = 1.0, 0.100
GOODPUT_KEPT, WRITES_KEPT = 0.8, 0.2
MEMORY_MIB = 512
# Memory is back where the heap's own slack is all that is left.
SLACK_MIB = 64


def overload(world: World, report: Report) -> None:
    short, long = (4, 10) if world.quick else (10, 60)
    server = world.server()
    limit = run(Plan(server.port, world.tokens, CONNECTIONS * TIMES, 3, path="/livez")).goodput
    run(Plan(server.port, world.tokens, CONNECTIONS, 2))  # Warm: statements are prepared, connections open.
    usual = run(Plan(server.port, world.tokens, CONNECTIONS, short, first_person=people_of(1)))
    note(f"capacity {usual.goodput:.0f} a second; the generator itself can ask {limit:.0f} a second")
    before = server.memory()
    server.forget_peak()
    demand = usual.goodput * TIMES
    connections = CONNECTIONS * TIMES
    plan = Plan(server.port, world.tokens, connections, long, connections / demand, people_of(2))
    with Load(plan) as load:
        sessions, idle = watch_sessions(world, server, load)
        result = load.result()
    peak = server.memory("VmHWM")
    judge_answers(report, usual, result, limit, long)
    judge_sessions(report, sessions, idle)
    judge_memory(report, server, before, peak)
    after = run(Plan(server.port, world.tokens, CONNECTIONS, short, first_person=people_of(3)))
    report.judge(
        "overload",
        "it is not worn out: afterwards it does at least half of what it did before",
        f"{after.goodput:.0f} a second, {usual.goodput:.0f} before",
        after.goodput >= usual.goodput / 2,
    )


def people_of(round_: int) -> int:
    """The first person of a round: no two rounds enroll the same."""
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
        f"{TIMES} times its load for {seconds} s: p99 of what is accepted <= 1 s",
        f"{milliseconds(p99)} ({milliseconds(usual_p99)} at capacity); asked {result.demand:.0f} a second, "
        f"{times:.1f} times the capacity; the generator's own limit is {limit:.0f}",
        bool(accepted) and p99 <= ACCEPTED_LIMIT,
    )
    worst = quantile(refused, 0.99)
    report.judge(
        "overload",
        "refused within 100 ms (p99), with 503 or 429 and Retry-After, and nothing else fails",
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
    report.judge("overload", "writes keep 20 % of it", f"{share:.0%}", share >= WRITES_KEPT)


def watch_sessions(world: World, server: Server, load: Load) -> tuple[int, float]:
    """Each second of the load: how many sessions the server has, and for how long one idles in a transaction."""
    database = server.url.rpartition("/")[2]
    most, longest = 0, 0.0
    while load.is_running:
        count, idle = world.cluster.sql(SESSIONS.format(database)).split("|")
        most, longest = max(most, int(count)), max(longest, float(idle))
        time.sleep(1)
    return most, longest


def judge_sessions(report: Report, sessions: int, idle: float) -> None:
    pools = ((name, int(os.environ.get(name, usual))) for name, usual in POOLS.items())
    allowed = sum(size for _, size in pools) + OTHER_SESSIONS
    report.judge(
        "overload",
        "sessions never exceed the configured sum; none idles in a transaction for over 5 s",
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
        "memory <= 512 MiB, and back within a minute",
        f"{before:.0f} MiB before, {peak:.0f} at its peak, {now:.0f} after {seconds:.0f} s",
        peak <= MEMORY_MIB and now <= before + SLACK_MIB,
    )
