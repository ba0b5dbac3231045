"""Onboarding from a file, on servers that are killed while they receive and apply it."""

import datetime
import json
import pathlib
import random
import threading
import time

import people
from environment import Environment, Server
from report import Report, note

START = """mutation($input: StartOnboardingInput!) { startOnboarding(input: $input) {
  batch { id uploadUrl } errors { code path message } } }"""
PROGRESS = """query($id: ID!) { onboardingBatch(id: $id) {
  state counts { received pending enrolled alreadyEnrolled rejected } rows(first: 1) { totalCount } } }"""
HEADER = "NO;NIP;NIK;NAMA;TANGGAL LAHIR;JENIS KELAMIN;UNIT KERJA;GAJI POKOK"
# Seconds within which a batch continues after a restart.
RESUME_LIMIT = 15.0


def file_kills(environment: Environment, report: Report) -> None:
    """Onboards a file many times, each with one kill at a random instant of receiving or applying."""
    times, rows = (3, 8_000) if environment.quick else (50, 8_000)
    file, wrong, slowest, early = roster(rows), [], 0.0, 0
    usual = usual_seconds(environment, file, rows)
    for kill in range(times):
        onboarding = FileOnboarding(environment, file, rows)
        faults, was_early = onboarding.kill_while_received_or_applied(random.uniform(0, usual * 1.05))
        early += was_early
        slowest = max(slowest, onboarding.slowest)
        wrong += [f"kill {kill + 1}: {fault}" for fault in faults]
        onboarding.end()
        if kill % 10 == 9:
            note(f"{kill + 1} files killed")
    report.judge(
        "file_kills",
        f"a file of {rows:,} rows, killed at a random instant x {times}: it continues by itself, one outcome per row",
        f"{'; '.join(wrong[:3]) or 'each time'}; {early} were killed before the file was accepted; without a kill "
        f"it takes {usual:.1f} s",
        not wrong,
    )
    promised = "continues within 15 s of the restart"
    report.judge("file_kills", promised, f"slowest {slowest:.1f} s", slowest <= RESUME_LIMIT)


def large_file_kills(environment: Environment, report: Report) -> None:
    """Onboards one large file while its server is killed again and again."""
    kills, rows = (3, 20_000) if environment.quick else (50, 100_000)
    onboarding = FileOnboarding(environment, roster(rows), rows)
    onboarding.send()
    done = 0
    while done < kills and not onboarding.has_ended():
        # Some kills hit the work, others the time before it has resumed.
        time.sleep(random.uniform(0.05, 1.2))
        onboarding.server.kill()
        onboarding.server.start("--onboarding-lease", "2")
        done += 1
        if done % 10 == 0:
            note(f"{done} kills, {onboarding.last['enrolled']:,} of {rows:,} enrolled")
    faults = onboarding.wait_for_completion()
    faults += onboarding.final_faults()
    onboarding.end()
    report.judge(
        "large_file_kills",
        f"a file of {rows:,} rows, its server killed x {kills}: progress never goes back, counts always sum, one "
        "outcome per row",
        f"{'; '.join((onboarding.wrong + faults)[:3]) or 'each time'}; {done} kills",
        not onboarding.wrong and not faults and done > 0,
    )


def roster(rows: int) -> bytes:
    """Returns a roster of invented people. Birthday and serial number make each one unique."""
    first, lines = datetime.date(1957, 1, 1), [HEADER]
    for number in range(rows):
        born = first + datetime.timedelta(days=number % 10_000)
        serial = 1 + number % 997
        nik = f"16{1 + number % 13:02}{61 + number % 19:02}{born:%d%m%y}{serial:04}"
        nip = f"{born:%Y%m%d}2006031{serial:03}"
        lines.append(f"{number + 1};{nip};{nik};Budi Santoso;{born};L;Dinas Kesehatan;4.250.000,00")
    return "\n".join(lines).encode()


def usual_seconds(environment: Environment, file: bytes, rows: int) -> float:
    """Returns the seconds that the file takes without a kill."""
    onboarding = FileOnboarding(environment, file, rows)
    begun = time.monotonic()
    onboarding.send()
    faults = onboarding.wait_for_completion() + onboarding.final_faults()
    took = time.monotonic() - begun
    onboarding.end()
    if faults:
        raise RuntimeError(f"the file is not onboarded: {faults}")
    return took


class FileOnboarding:
    """The onboarding of one file on a server and a database of its own."""

    def __init__(self, environment: Environment, file: bytes, rows: int) -> None:
        self._environment, self._file, self._rows = environment, file, rows
        self._database = environment.new_database()
        self.server: Server = environment.server(self._database)
        self._before = people.total(self.server.client())
        request = json.loads(pathlib.Path(environment.data / "south-sumatra.json").read_text())
        kept = ("employerId", "channelCode", "provinceCode", "startsOn", "firstContributionPaid")
        common = {name: request["variables"]["input"][name] for name in kept}
        started = self.server.client().ask(START, {"input": {**common, "fileName": "roster.csv", "planOnly": False}})
        batch = (started.data.get("startOnboarding") or {}).get("batch")
        if not batch:
            raise RuntimeError(f"startOnboarding failed: {started.status} {started.body[:200]!r}")
        self._id, self._url = batch["id"], batch["uploadUrl"]
        self.last = {"enrolled": 0, "pending": None}
        self.wrong: list[str] = []
        self.slowest = 0.0

    def send(self) -> None:
        """Sends the file until a try is accepted, or until the registry says that an earlier try was (409)."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            answer = self.server.client(120).send("PUT", self._url, self._file)
            if answer.status in (200, 409):
                return
            if not (answer.status == 0 or answer.may_retry):
                raise RuntimeError(f"the upload was answered with {answer.status} {answer.body[:200]!r}")
            time.sleep(0.2)
        raise RuntimeError("the file was not accepted within two minutes")

    def kill_while_received_or_applied(self, after: float) -> tuple[list[str], bool]:
        """Returns what is wrong afterwards, and whether the kill came before the upload was answered."""
        sender = threading.Thread(target=self.send)
        sender.start()
        time.sleep(after)
        was_early = sender.is_alive()
        self.server.kill()
        self.server.start()
        begun = time.monotonic()
        sender.join()
        faults = self.wait_for_completion(begun)
        return self.wrong + faults + self.final_faults(), was_early

    def progress(self) -> dict:
        """Reads the batch and records counts that do not sum or that went back."""
        answer = self.server.client().ask(PROGRESS, {"id": self._id})
        batch = answer.data.get("onboardingBatch")
        if not batch:
            return {}
        counts = batch["counts"]
        parts = [counts[part] for part in ("pending", "enrolled", "alreadyEnrolled", "rejected")]
        if counts["received"] != sum(parts):
            self.wrong.append(f"counts do not sum: {counts}")
        if counts["enrolled"] < self.last["enrolled"]:
            self.wrong.append(f"progress went back from {self.last} to {counts}")
        self.last = counts
        return batch

    def has_ended(self) -> bool:
        return self.progress().get("state") == "COMPLETED"

    def wait_for_completion(self, since: float | None = None) -> list[str]:
        since, enrolled, resumed = since or time.monotonic(), self.last["enrolled"], False
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            batch = self.progress()
            if not resumed and batch and (batch["state"] == "COMPLETED" or self.last["enrolled"] > enrolled):
                resumed = True
                self.slowest = max(self.slowest, time.monotonic() - since)
            if batch.get("state") == "COMPLETED":
                return []
            time.sleep(0.05)
        return [f"the batch did not complete: {self.last}"]

    def final_faults(self) -> list[str]:
        batch = self.progress()
        wanted = {"received": self._rows, "pending": 0, "enrolled": self._rows, "alreadyEnrolled": 0, "rejected": 0}
        faults = [] if batch["counts"] == wanted else [f"counts {batch['counts']}"]
        if batch["rows"]["totalCount"] != self._rows:
            faults.append(f"{batch['rows']['totalCount']} outcomes")
        added = people.total(self.server.client()) - self._before
        return faults + ([] if added == self._rows else [f"{added} people added"])

    def end(self) -> None:
        self.server.stop()
        self._environment.cluster.sql(f"drop database {self._database} with (force)")
