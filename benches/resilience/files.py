"""Onboardings from a file, on servers that are killed while they receive and apply it."""

import datetime
import json
import pathlib
import random
import threading
import time

import people
from report import Report, note
from environment import Server, Environment

START = """mutation($input: StartOnboardingInput!) { startOnboarding(input: $input) {
  batch { id uploadUrl } errors { code path message } } }"""
LOOK = """query($id: ID!) { onboardingBatch(id: $id) { state counts { received pending enrolled alreadyEnrolled rejected }
  rows(first: 1) { totalCount } } }"""
HEADER = "NO;NIP;NIK;NAMA;TANGGAL LAHIR;JENIS KELAMIN;UNIT KERJA;GAJI POKOK"
# How long a batch may take to go on after a restart.
PROMISED = 15.0


def file_kills(environment: Environment, report: Report) -> None:
    """8,000 rows, killed once at a random instant of receiving or applying, many times."""
    times, rows = (3, 8_000) if environment.quick else (50, 8_000)
    file, wrong, slowest, early = roster(rows), [], 0.0, 0
    whole = undisturbed(environment, file, rows)
    for kill in range(times):
        resilience = Resilience(environment, file, rows)
        faults, was_early = resilience.kill_while_received_or_applied(random.uniform(0, whole * 1.05))
        early += was_early
        slowest = max(slowest, resilience.slowest)
        wrong += [f"kill {kill + 1}: {fault}" for fault in faults]
        resilience.end()
        if kill % 10 == 9:
            note(f"{kill + 1} files killed")
    report.judge(
        "file_kills",
        f"a file of {rows:,} rows, killed at a random instant x {times}: it goes on by itself, one outcome for every row",
        f"{'; '.join(wrong[:3]) or 'each time'}; {early} were killed before the file was taken; undisturbed it takes "
        f"{whole:.1f} s",
        not wrong,
    )
    report.judge("file_kills", "goes on within 15 s of the restart", f"slowest {slowest:.1f} s", slowest <= PROMISED)


def large_file_kills(environment: Environment, report: Report) -> None:
    """100,000 rows, and a server that is killed again and again until they are done."""
    kills, rows = (3, 20_000) if environment.quick else (50, 100_000)
    resilience = Resilience(environment, roster(rows), rows)
    resilience.send()
    done = 0
    while done < kills and not resilience.has_ended():
        # Some while it works, some before it has begun again.
        time.sleep(random.uniform(0.05, 1.2))
        resilience.server.kill()
        resilience.server.start("--onboarding-lease", "2")
        done += 1
        if done % 10 == 0:
            note(f"{done} kills, {resilience.last['enrolled']:,} of {rows:,} enrolled")
    faults = resilience.wait_until_it_goes_on_and_ends()
    faults += resilience.faults_at_the_end()
    resilience.end()
    report.judge(
        "large_file_kills",
        f"a file of {rows:,} rows, its server killed x {kills}: progress never goes back, counts always sum, one outcome "
        "for every row",
        f"{'; '.join((resilience.wrong + faults)[:3]) or 'each time'}; {done} kills",
        not resilience.wrong and not faults and done > 0,
    )


def roster(rows: int) -> bytes:
    """People who do not exist and are in no other roster: birthday and serial tell them apart."""
    first, lines = datetime.date(1957, 1, 1), [HEADER]
    for number in range(rows):
        born = first + datetime.timedelta(days=number % 10_000)
        serial = 1 + number % 997
        nik = f"16{1 + number % 13:02}{61 + number % 19:02}{born:%d%m%y}{serial:04}"
        nip = f"{born:%Y%m%d}2006031{serial:03}"
        lines.append(f"{number + 1};{nip};{nik};Budi Santoso;{born};L;Dinas Kesehatan;4.250.000,00")
    return "\n".join(lines).encode()


def undisturbed(environment: Environment, file: bytes, rows: int) -> float:
    resilience = Resilience(environment, file, rows)
    begun = time.monotonic()
    resilience.send()
    faults = resilience.wait_until_it_goes_on_and_ends() + resilience.faults_at_the_end()
    took = time.monotonic() - begun
    resilience.end()
    if faults:
        raise RuntimeError(f"the file is not onboarded: {faults}")
    return took


class Resilience:
    """One file on its way into a database of its own."""

    def __init__(self, environment: Environment, file: bytes, rows: int) -> None:
        self._world, self._file, self._rows = environment, file, rows
        self._database = environment.new_database()
        self.server: Server = environment.server(self._database)
        self._before = people.total(self.server.client())
        request = json.loads(pathlib.Path(environment.data / "south-sumatra.json").read_text())
        kept = ("employerId", "channelCode", "provinceCode", "startsOn", "firstContributionPaid")
        common = {name: request["variables"]["input"][name] for name in kept}
        started = self.server.client().ask(START, {"input": {**common, "fileName": "roster.csv", "planOnly": False}})
        batch = (started.data.get("startOnboarding") or {}).get("batch")
        if not batch:
            raise RuntimeError(f"no onboarding is started: {started.status} {started.body[:200]!r}")
        self._id, self._url = batch["id"], batch["uploadUrl"]
        self.last = {"enrolled": 0, "pending": None}
        self.wrong: list[str] = []
        self.slowest = 0.0

    def send(self) -> None:
        """Sends the file until it is taken: by this try, or by one whose answer was lost."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            answer = self.server.client(120).send("PUT", self._url, self._file)
            if answer.status in (200, 409):
                return
            if not (answer.status == 0 or answer.may_retry):
                raise RuntimeError(f"the file is answered {answer.status} {answer.body[:200]!r}")
            time.sleep(0.2)
        raise RuntimeError("the file was not taken within two minutes")

    def kill_while_received_or_applied(self, after: float) -> tuple[list[str], bool]:
        """What is wrong afterwards, and whether the file was still on its way when the server was killed."""
        sender = threading.Thread(target=self.send)
        sender.start()
        time.sleep(after)
        was_early = sender.is_alive()
        self.server.kill()
        self.server.start()
        begun = time.monotonic()
        sender.join()
        faults = self.wait_until_it_goes_on_and_ends(begun)
        return self.wrong + faults + self.faults_at_the_end(), was_early

    def look(self) -> dict:
        answer = self.server.client().ask(LOOK, {"id": self._id})
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
        return self.look().get("state") == "COMPLETED"

    def wait_until_it_goes_on_and_ends(self, since: float | None = None) -> list[str]:
        since, enrolled, went_on = since or time.monotonic(), self.last["enrolled"], False
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            batch = self.look()
            if not went_on and batch and (batch["state"] == "COMPLETED" or self.last["enrolled"] > enrolled):
                went_on = True
                self.slowest = max(self.slowest, time.monotonic() - since)
            if batch.get("state") == "COMPLETED":
                return []
            time.sleep(0.05)
        return [f"it did not end: {self.last}"]

    def faults_at_the_end(self) -> list[str]:
        batch = self.look()
        wanted = {"received": self._rows, "pending": 0, "enrolled": self._rows, "alreadyEnrolled": 0, "rejected": 0}
        faults = [] if batch["counts"] == wanted else [f"counts {batch['counts']}"]
        if batch["rows"]["totalCount"] != self._rows:
            faults.append(f"{batch['rows']['totalCount']} outcomes")
        added = people.total(self.server.client()) - self._before
        return faults + ([] if added == self._rows else [f"{added} people added"])

    def end(self) -> None:
        self.server.stop()
        self._world.cluster.sql(f"drop database {self._database} with (force)")
