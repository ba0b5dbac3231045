"""Backup and restore: PostgreSQL and its disk are lost while writers run, and restored from a base backup and WAL."""

import pathlib
import shutil
import subprocess
import time

import people
from environment import Environment, Server
from postgres import Cluster
from report import Report, note
from writers import Acknowledged, Callers

WRITERS = 8
DATABASE = "registry"
# Seconds after which PostgreSQL archives a segment that is not full: the most that is lost with the disk, and some
# for copying it.
ARCHIVE_TIMEOUT = 5
# Lookups of people who are lost must not use up the client's quota of misses.
SERVE = ("--misses-per-hour", "100000", "--audit-seal-interval", "1s")


def restore(environment: Environment, report: Report) -> None:
    folder = environment.folder / "restore"
    archive = folder / "archive"
    folder.mkdir(mode=0o755)
    primary = Cluster(folder, name="primary")
    clusters = [primary]
    try:
        primary.own(archive)
        primary.configure(
            archive_mode="on",
            archive_command=f"test ! -f {archive}/%f && cp %p {archive}/%f.part && mv {archive}/%f.part {archive}/%f",
            archive_timeout=f"{ARCHIVE_TIMEOUT}s",
        )
        _drill(environment, report, folder, clusters)
    finally:
        for cluster in clusters:
            cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _drill(environment: Environment, report: Report, folder: pathlib.Path, clusters: list[Cluster]) -> None:
    [primary] = clusters
    primary.start()
    primary.sql(f"create database {DATABASE}")
    server = Server(environment, primary.url(DATABASE))
    server.start("--demo", "--demo-participants", "2000", *SERVE)
    # Registers the client of the token in this database.
    environment.make_token(server.url, "resilience")
    callers = Callers(server, WRITERS).start()
    time.sleep(2)
    backup = folder / "backup"
    took = primary.base_backup(backup)
    report.judge(
        "restore",
        "a base backup is taken while writers run, and they go on",
        f"{took:.1f} s; {callers.rate(time.monotonic() - took, time.monotonic()):.0f} enrollments a second meanwhile",
        callers.rate(time.monotonic() - took, time.monotonic()) > 0,
    )
    time.sleep(3)
    head = folder / "head"
    head.write_text(_registry(environment, server.url, "audit", "head").stdout)
    # People acknowledged before this moment must be there after the restore.
    before = list(callers.acknowledged)
    point = primary.sql("select clock_timestamp()")
    point_read = time.monotonic()
    time.sleep(1)
    segment = folder / "archive" / primary.sql("select pg_walfile_name(pg_current_wal_lsn())")
    deadline = time.monotonic() + 60
    while not segment.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(ARCHIVE_TIMEOUT / 2)
    lost_at = time.monotonic()
    primary.kill()
    shutil.rmtree(primary.data)
    server.kill()
    callers.abandon()
    acknowledged = [one for one in callers.acknowledged if one.at < lost_at]
    note(f"{len(acknowledged)} acknowledged, {len(before)} of them before the point")

    whole = _restore(environment, report, folder, clusters, "everything that was archived", None, head)
    missing = [one for one, is_there in zip(acknowledged, _present(whole, acknowledged)) if not is_there]
    rpo = lost_at - min((one.at for one in missing), default=lost_at)
    report.judge(
        "restore",
        f"of what was acknowledged, at most the last {2 * ARCHIVE_TIMEOUT} s are lost with the disk (RPO)",
        f"{rpo:.1f} s, {len(missing)} of {len(acknowledged)} enrollments (archive_timeout = {ARCHIVE_TIMEOUT}s)",
        rpo <= 2 * ARCHIVE_TIMEOUT,
    )
    whole.stop()

    then = _restore(environment, report, folder, clusters, "a point in time", point, head)
    lost = _present(then, before).count(False)
    # Each writer may have had one enrollment under way that was committed before the point and answered after it.
    later = [one for one in acknowledged if one.at > point_read]
    still_there = _present(then, later).count(True)
    report.judge(
        "restore",
        "at the point in time, all are there who were acknowledged before it, and those after it are not",
        f"{len(before)} before: {lost} lost; {len(later)} after: {still_there} there",
        bool(before) and lost == 0 and bool(later) and still_there <= WRITERS,
    )
    client = then.client()
    total = people.total(client)
    answer = client.post_with_retries(people.enrollment(people.person()))
    enrolled = bool((answer.data.get("enrollParticipant") or {}).get("enrollment"))
    report.judge(
        "restore",
        "the restored registry takes enrollments",
        f"{people.total(client) - total} more",
        enrolled and people.total(client) == total + 1,
    )
    then.stop()


def _restore(
    environment: Environment,
    report: Report,
    folder: pathlib.Path,
    clusters: list[Cluster],
    what: str,
    point: str | None,
    head: pathlib.Path,
) -> Server:
    """Restores from the backup and the archive, and verifies the evidence. Returns the registry, which serves."""
    begun = time.monotonic()
    cluster = Cluster(folder, name=f"restored-{len(clusters)}", copy_of=folder / "backup")
    clusters.append(cluster)
    settings = {"restore_command": f"cp {folder}/archive/%f %p", "archive_mode": "off"}
    if point is not None:
        settings |= {"recovery_target_time": point, "recovery_target_action": "promote"}
    cluster.configure(**settings)
    cluster.recover()
    server = Server(environment, cluster.url(DATABASE)).start(*SERVE)
    took = time.monotonic() - begun
    report.judge("restore", f"restored to {what}: serving within 60 s (RTO)", f"{took:.1f} s", took <= 60)
    verified = _registry(environment, server.url, "audit", "verify", "--head", str(head))
    recounted = _registry(environment, server.url, "recount")
    report.judge(
        "restore",
        f"restored to {what}: `audit verify --head` and `recount` find nothing",
        f"exit codes {verified.returncode} and {recounted.returncode}",
        verified.returncode == 0 and recounted.returncode == 0,
    )
    return server


def _present(server: Server, persons: list[Acknowledged]) -> list[bool]:
    """Returns whether each person is there, with the card number that was acknowledged."""
    client, found = server.client(), []
    at_once = 10
    for start in range(0, len(persons), at_once):
        some = persons[start : start + at_once]
        query = people.LOOKUP.format(" ".join(people.lookup(i, one.national_id) for i, one in enumerate(some)))
        answer = client.post_with_retries(people.query_body(query))
        cards = [(answer.data[f"p{i}"] or {}).get("cardNumber") for i in range(len(some))]
        found += [card == one.card_number for card, one in zip(cards, some)]
    return found


def _registry(environment: Environment, url: str, *arguments: str) -> subprocess.CompletedProcess:
    command = [environment.binary, *arguments, "--data-dir", environment.data, "--database-url", url]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=environment.folder, timeout=120, env=environment.variables
    )
