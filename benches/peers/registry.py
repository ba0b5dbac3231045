"""The registry among the systems: the same questions about its own demonstration, whose numbers are encrypted."""

import os
import pathlib
import random
import subprocess
import time

import questions
from systems import Bench, Server

DATABASE = "registry"


class Registry(Server):
    """The registry, with its defaults. Only the rate limit of its one client is off."""

    def __init__(self, bench: Bench, binary: pathlib.Path) -> None:
        self._binary = binary
        url = bench.cluster.url(DATABASE)
        self._settings = {"REGISTRY_DATA_DIR": str(bench.folder / "registry"), "DATABASE_URL": url}
        settings = {**self._settings, "RUST_LOG": "warn", "REGISTRY_COST_PER_MINUTE": "0"}
        super().__init__("registry", bench, [binary, "serve"], questions.REGISTRY, settings)
        self._environment["REGISTRY_LISTEN"] = f"127.0.0.1:{self.port}"
        self._numbers, self._enrolled = random.Random(2014), 0

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [self._binary, *arguments],
            check=True,
            capture_output=True,
            text=True,
            cwd=self.bench.folder,
            env={**os.environ, **self._settings},
        )
        return done.stdout.strip()

    def fill(self) -> None:
        """Creates its database of invented people."""
        self.bench.cluster.sql(f"create database {DATABASE}")
        self._run("demo", "--participants", str(self.bench.people))

    def start(self) -> None:
        self.token = self._run("token", "--role", "administrator", "--ttl", "12h")
        super().start()
        people = "query($a: String) { participants(first: 100, after: $a) { nodes { id cardNumber } pageInfo { endCursor } } }"
        self._people = [node for page in self._pages("participants", people, 40) for node in page["nodes"]]
        employers = "query($a: String) { employers(first: 20, after: $a) { nodes { id kind } pageInfo { endCursor } } }"
        pages = self._pages("employers", employers, min(100, self.bench.people // 1600))
        self._employers = [node["id"] for page in pages for node in page["nodes"] if node["kind"] == "COMPANY"]
        self._after = [None] + [page["pageInfo"]["endCursor"] for page in pages]
        self._provinces = [province["code"] for province in self._data("{ provinces { code } }", {})["provinces"]]
        channels = "{ channels(first: 100, filterBy: {kind: [BRANCH]}) { nodes { code } } }"
        self._channels = [channel["code"] for channel in self._data(channels, {})["channels"]["nodes"]]

    def _data(self, query: str, variables: dict) -> dict:
        answer = self.ask(query, variables)
        if "errors" in answer:
            raise SystemExit(f"registry: {answer['errors'][:2]}")
        return answer["data"]

    def _pages(self, field: str, query: str, count: int) -> list[dict]:
        pages, after = [], None
        for _ in range(count):
            pages.append(self._data(query, {"a": after})[field])
            after = pages[-1]["pageInfo"]["endCursor"]
        return pages

    def variables(self, question: str) -> dict:
        pick = self._numbers.choice
        match question:
            case "number":
                return {"number": pick(self._people)["cardNumber"]}
            case "person":
                return {"id": pick(self._people)["id"]}
            case "page":
                return {"province": pick(self._provinces)}
            case "employers":
                return {"after": pick(self._after)}
            case "enroll":
                return {"form": self._form()}
            case _:
                return {}

    def _form(self) -> dict:
        """Returns a valid form of somebody new: the identity number has the date of birth and a running number."""
        self._enrolled += 1
        between, pick = self._numbers.randint, self._numbers.choice
        day, month, year = between(1, 28), between(1, 12), between(60, 95)
        district = between(1, 19)
        name = "".join("abcdefghij"[int(digit)] for digit in str(self._enrolled))
        return {
            "nationalId": f"1671{district:02}{day:02}{month:02}{year:02}{self._enrolled % 10000:04}",
            "fullName": f"Baru Terdaftar {name}",
            "birthDate": f"19{year}-{month:02}-{day:02}",
            "sex": "MALE",
            "segment": "WAGE_EARNER",
            "programmes": ["WORK_ACCIDENT", "DEATH"],
            "monthlyWage": 4000000,
            "employerId": pick(self._employers),
            "channelCode": pick(self._channels),
            "provinceCode": "16",
            "startsOn": "2014-10-01",
            "idempotencyKey": f"peers-{time.time_ns()}-{self._enrolled:010}",
        }

    def check(self, question: str) -> None:
        """Asks once and refuses an answer without data."""
        answer = self.answer(question, self.variables(question))
        if question == "enroll" and answer["enrollParticipant"]["participant"] is None:
            raise SystemExit(f"registry: {answer['enrollParticipant']['errors']}")
