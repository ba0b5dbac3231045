"""Failover by promotion: a primary with a synchronous standby, under writers, and a former primary that comes back."""

import time

import people
from environment import Environment, Server
from postgres import Cluster
from report import Report, note
from writers import Callers, audit

PROMOTIONS = 10
WRITERS = 32


def failover(environment: Environment, report: Report) -> None:
    """Kills the primary and promotes its standby, again and again. The killed one becomes the next standby."""
    promotions, writers = (3, 8) if environment.quick else (PROMOTIONS, WRITERS)
    database = environment.new_database()
    backup = environment.folder / "failover-backup"
    environment.cluster.base_backup(backup)
    primary = Cluster(environment.folder, "one", copy_of=backup)
    primary.configure(synchronous_standby_names="*")
    standby = Cluster(environment.folder, "two", copy_of=backup)
    try:
        primary.start()
        standby.follow(primary)
        hosts = ",".join(f"127.0.0.1:{cluster.port}" for cluster in (primary, standby))
        server = Server(environment, f"postgres://postgres@{hosts}/{database}").start()
        before = people.total(server.client())
        callers = Callers(server, writers).start()
        gaps, split = [], None
        for number in range(promotions):
            time.sleep(1)
            primary.kill()
            standby.promote()
            primary, standby = standby, primary
            if number == 0:
                split = former_primary(standby, database)
            # Until it streams, no commit is acknowledged.
            standby.follow(primary)
            gaps.append(seconds_until_success(callers, time.monotonic()))
            note(f"failover: promotion {number + 1}, writing again {gaps[-1]:.1f} s after the next standby was there")
        time.sleep(1)
        ended = callers.finish()
        ledger = audit(server, callers, before)
        report.judge(
            "failover",
            f"{promotions} promotions with a synchronous standby under {writers} writers: nothing acknowledged is lost, "
            "nothing is double",
            f"{ledger}; {len(callers.unexpected)} unexpected answers",
            ended and ledger.balances and not callers.unexpected,
        )
        final = [event for event in callers.events if not event.succeeded and not event.retryable]
        report.judge(
            "failover",
            "every refusal says that it may be retried",
            f"{sum(not event.succeeded for event in callers.events)} refused, {len(final)} of them for good",
            not final,
        )
        report.judge(
            "failover",
            "writes go on within 5 s once the next synchronous standby is there, without a restart",
            f"{max(gaps):.1f} s at most",
            max(gaps) <= 5,
        )
        report.judge(
            "failover",
            "a former primary that comes back and takes writes gets none",
            f"{split} people added there",
            split == 0,
        )
        server.stop()
    finally:
        primary.stop()
        standby.stop()


def former_primary(cluster: Cluster, database: str) -> int:
    """Starts a killed primary as it was, for three seconds. Returns how many people were added there."""
    cluster.start()
    # Alone it would wait for its standby with each commit. This one does not, as after a careless repair.
    cluster.set(synchronous_standby_names="")
    before = people_at(cluster, database)
    time.sleep(3)
    return people_at(cluster, database) - before


def people_at(cluster: Cluster, database: str) -> int:
    """Counts the people at a server itself."""
    return int(cluster.sql("select count(*) from participant", database))


def seconds_until_success(callers: Callers, since: float) -> float:
    """Waits until a write succeeds after a moment. Returns the seconds between."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        good = [event.ended for event in list(callers.events) if event.writes and event.succeeded and event.ended >= since]
        if good:
            return min(good) - since
        time.sleep(0.05)
    return 60.0
