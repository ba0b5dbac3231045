"""Two and four servers on one PostgreSQL: what they share, and stopping one of them."""

import contextlib
import os
import pathlib
import socket
import threading
import time
import uuid

import balancer
import people
from balancer import Balancer
from environment import Environment, Server
from load import Load, Plan
from once import CALLERS, at_once, judge_one_key
from postgres import Cluster
from report import Report, note
from sockets import masked, upgrade
from writers import Callers, Ledger, audit

WRITERS, READERS, REREADERS = 32, 8, 4
# Points of a client: a burst, and what comes back.
BURST, PER_SECOND = 1_000, 200
SOCKETS = 10
LIMITS = {
    "REGISTRY_COST_BURST": str(BURST),
    "REGISTRY_COST_PER_MINUTE": str(PER_SECOND * 60),
    "REGISTRY_MAX_SOCKETS_OF_CLIENT": str(SOCKETS),
}
# Seconds until every server knows what was used at another one, with one to spare.
EXCHANGE = 3.0
# Ten objects and a request: 21 points.
PAGE = people.query_body("{ employers(first: 10) { nodes { name province { name } } } }")
# The page of W2: fifty people with what is shown of each.
FIFTY = """{ participants(first: 50, filterBy: { provinceCode: "16" }) { nodes {
  id cardNumber fullName status employer { name province { name } } channel { name provinces { name } } } } }"""


def servers(environment: Environment, report: Report) -> None:
    """Runs everything with two processes, and with four unless it has to be quick."""
    for count in (2,) if environment.quick else (2, 4):
        shared_limits(environment, report, count)
        with several(environment, environment.new_database(), count) as all_servers:
            once_each(report, all_servers)
            with contextlib.closing(balancer.start(environment, all_servers)) as front:
                note(f"servers: {count} behind {front.name}")
                rolling_restart(report, all_servers, front)
                killed(report, all_servers, front)
        behind_a_standby(environment, report, count)
    throughput(environment)


@contextlib.contextmanager
def several(environment: Environment, database: str, count: int, **settings: str):
    """Starts servers that know each other, and kills them at the end."""
    url = environment.cluster.url(database)
    all_servers = [Server(environment, url, settings=settings) for _ in range(count)]
    try:
        for server in all_servers:
            server.start()
        time.sleep(EXCHANGE)
        yield all_servers
    finally:
        for server in all_servers:
            if server.is_alive:
                server.kill()


def shared_limits(environment: Environment, report: Report, count: int) -> None:
    seconds = 20 if environment.quick else 60
    with several(environment, environment.new_database(), count, **LIMITS) as all_servers:
        spent, alone = spend_at_all(all_servers, seconds), BURST + PER_SECOND * seconds
        # What the others spend within an exchange is a debt, and paid back later.
        debt = (count - 1) * PER_SECOND * 2
        report.judge(
            "servers",
            f"a client that asks {count} servers at once for {seconds} s gets the points of one, but for a second of "
            "debt",
            f"{spent} points; one server gives {alone}, and {debt} may be owed",
            0.85 * alone <= spent <= alone + debt,
        )
        sockets_at_all(all_servers, report)


def spend_at_all(all_servers: list[Server], seconds: float) -> int:
    """Asks each server with two callers as often as they are answered. Returns the points that were spent."""
    spent, lock, end = [0], threading.Lock(), time.monotonic() + seconds

    def ask(server: Server) -> None:
        client = server.client()
        while time.monotonic() < end:
            answer = client.post(PAGE)
            if answer.status == 200:
                with lock:
                    spent[0] += answer.json["extensions"]["cost"]["requested"]
            else:
                time.sleep(0.05)
        client.close()

    threads = [threading.Thread(target=ask, args=(server,)) for server in all_servers * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return spent[0]


def sockets_at_all(all_servers: list[Server], report: Report) -> None:
    with contextlib.ExitStack() as stack:
        first, *others = all_servers
        held = [stack.enter_context(connection) for connection in open_sockets(first, SOCKETS)]
        time.sleep(EXCHANGE)
        refused = all(not open_sockets(server, 1) for server in all_servers)
        freed = 3
        for connection in held[:freed]:
            connection.close()
        time.sleep(EXCHANGE)
        again = [connection for server in others for connection in open_sockets(server, freed)]
        for connection in again:
            stack.enter_context(connection)
        # The others together may have opened more within a second; with one other server it is exact.
        report.judge(
            "servers",
            f"a client has {SOCKETS} sockets at {len(all_servers)} servers, and those that it closes are free at the "
            "others",
            f"{len(held)} at the first, {'none' if refused else 'some'} more elsewhere; {freed} closed, {len(again)} "
            "opened at the others within a second",
            len(held) == SOCKETS and refused and freed <= len(again) <= freed * len(others),
        )
        time.sleep(EXCHANGE)
        more = sum(len(open_sockets(server, 1)) for server in all_servers)
        report.judge("servers", "and it may then open no more", f"{more} opened", more == 0)


def open_sockets(server: Server, count: int) -> list[socket.socket]:
    """Opens WebSockets. Returns those that the server accepts."""
    opened = []
    for _ in range(count):
        raw, _ = upgrade(server)
        raw.sendall(masked({"type": "connection_init", "payload": {"authorization": f"Bearer {server.token}"}}))
        if b"connection_ack" in raw.recv(4096):
            opened.append(raw)
        else:
            raw.close()
    return opened


def once_each(report: Report, all_servers: list[Server]) -> None:
    judge_one_key(all_servers, people.person(), str(uuid.uuid4()), "servers", report)
    client, form = all_servers[0].client(), people.person()
    before = people.total(client)
    answers = at_once(all_servers, [people.enrollment(form, str(uuid.uuid4())) for _ in range(CALLERS)])
    payloads = [answer.data.get("enrollParticipant") or {} for answer in answers]
    enrolled = sum(bool(payload.get("enrollment")) for payload in payloads)
    codes = {error["code"] for payload in payloads for error in payload.get("errors", [])}
    added = people.total(client) - before
    report.judge(
        "servers",
        f"one identity number with {CALLERS} keys at {len(all_servers)} servers at once: one person",
        f"{added} people added, {enrolled} say enrolled, the others {', '.join(sorted(codes))}",
        added == 1 and enrolled == 1 and codes == {"ALREADY_ENROLLED"},
    )
    missed, rounds = 0, 100
    for at in range(rounds):
        form = people.person()
        writer, reader = (all_servers[(at + step) % len(all_servers)].client() for step in (0, 1))
        writer.post_with_retries(people.enrollment(form, str(uuid.uuid4())))
        missed += not is_shown(reader, form)
    report.judge(
        "servers",
        f"what a client writes at one of {len(all_servers)} servers it reads at the next",
        f"{missed} of {rounds} missed",
        missed == 0,
    )


def is_shown(client, form: dict, headers: dict | None = None) -> bool:
    """Returns whether a client is shown the person."""
    answer = client.post(people.query_body(people.LOOKUP.format(people.lookup(0, form["nationalId"]))), headers)
    return answer.data.get("p0") is not None


def rolling_restart(report: Report, all_servers: list[Server], front: Balancer) -> None:
    """Restarts one server after the other under callers who come through the load balancer."""
    before = people.total(front.client())
    callers = Callers(front, WRITERS, READERS, REREADERS).start()
    time.sleep(2)
    slowest = 0.0
    for server in all_servers:
        took = server.stop(30)
        slowest = max(slowest, 30.0 if took is None else took)
        server.start()
        # Until the load balancer has asked it.
        time.sleep(2)
    ended = callers.finish()
    ledger = audit(front, callers, before)
    lost = [f"{event.status} {event.code}" for event in callers.events if not (event.succeeded or event.retryable)]
    refused = sum(event.retryable for event in callers.events)
    report.judge(
        "servers",
        f"a rolling restart of {len(all_servers)} servers behind {front.name} under {WRITERS} writers loses no request",
        f"{len(callers.events)} requests, {len(lost)} without a proper answer {sorted(set(lost)) or ''}, {refused} "
        f"refused with Retry-After; slowest end {slowest:.1f} s",
        ended and not lost and slowest <= 25,
    )
    judge_ledger(report, callers, ledger, "and nothing acknowledged is missing or double")


def killed(report: Report, all_servers: list[Server], front: Balancer) -> None:
    """Kills one server under callers, starts it again, and kills the next one."""
    before = people.total(front.client())
    callers = Callers(front, WRITERS, READERS, REREADERS).start()
    gaps = []
    for server in all_servers[:2]:
        time.sleep(3)
        server.kill()
        gaps.append(longest_gap(callers, time.monotonic(), 4))
        server.start()
    time.sleep(2)
    ended = callers.finish()
    ledger = audit(front, callers, before)
    report.judge(
        "servers",
        f"kill -9 of one of {len(all_servers)} servers under {WRITERS} writers: the others carry on",
        f"longest time without an answer {max(gaps):.1f} s",
        ended and max(gaps) <= 2,
    )
    judge_ledger(report, callers, ledger, "and nothing acknowledged is lost or double")


def longest_gap(callers: Callers, since: float, seconds: float) -> float:
    """Waits. Returns the longest time without a success meanwhile."""
    time.sleep(seconds)
    good = sorted(event.ended for event in list(callers.events) if event.succeeded and event.ended >= since)
    times = [since, *good, since + seconds]
    return max(later - earlier for earlier, later in zip(times, times[1:]))


def judge_ledger(report: Report, callers: Callers, ledger: Ledger, promised: str) -> None:
    report.judge(
        "servers",
        f"{promised}, and every writer is shown what it wrote",
        f"{ledger}; {len(callers.missed)} missed by their writers; {len(callers.unexpected)} unexpected answers",
        ledger.balances and not callers.missed and not callers.unexpected,
    )


def behind_a_standby(environment: Environment, report: Report, count: int) -> None:
    """Writes at one server and reads at another one, while the standby that all of them read from stands still."""
    database = environment.new_database()
    primary = environment.cluster
    standby = Cluster(environment.folder, f"standby-{count}", copy_of=None)
    settings = {"DATABASE_REPLICA_URL": standby.url(database), "REGISTRY_REPLICA_MAX_LAG": "60s"}
    try:
        standby.follow(primary)
        with several(environment, database, count, **settings) as all_servers:
            standby.sql("select pg_wal_replay_pause()")
            missed = control = 0
            # A client each time, which no server remembers.
            for at, token in enumerate(environment.tokens):
                form, (here, there) = people.person(), (all_servers[(at + step) % count] for step in (0, 1))
                written = here.client(token=token).post_with_retries(people.enrollment(form, str(uuid.uuid4())))
                missed += not is_shown(there.client(token=token), form, written.position)
                # Another client, which has written nothing. A lookup that finds nobody is counted at the primary, so
                # each server shows it the standby once.
                control += not is_shown(there.client(), form)
            standby.sql("select pg_wal_replay_resume()")
    finally:
        standby.stop()
    report.judge(
        "servers",
        f"behind a standby that stands still, a client that writes at one of {count} servers and sends "
        "X-Registry-Position to the next is shown it",
        f"{missed} of {len(environment.tokens)} missed; somebody else was shown the state of the standby {control} "
        "times",
        missed == 0 and control > 0,
    )


def throughput(environment: Environment) -> None:
    """Prints what one, two and four servers answer behind the load balancer. No verdict: they share their cores."""
    database = environment.new_database()
    for count in (1, 2) if environment.quick else (1, 2, 4):
        with several(environment, database, count) as all_servers:
            with contextlib.closing(balancer.start(environment, all_servers)) as front:
                plan = Plan(front.port, environment.tokens, 32, 10, read=FIFTY, writes=0.0)
                before = [cpu_seconds(server.pid) for server in all_servers]
                with Load(plan) as load:
                    result = load.result()
                used = sum(cpu_seconds(server.pid) for server in all_servers) - sum(before)
        answers = max(1, len(result.reads.accepted))
        note(
            f"servers: {count} behind {front.name}, {os.cpu_count()} cores: {answers / plan.seconds:.0f} pages of 50 a "
            f"second at 32 connections, {used / answers * 1e6:.0f} µs CPU of the registry each"
        )


def cpu_seconds(pid: int) -> float:
    """Returns the CPU time of a process."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
