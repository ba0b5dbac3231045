"""The systems that are compared: how each is started, what it is asked, what it costs."""

import contextlib
import dataclasses
import http.client
import json
import os
import pathlib
import signal
import subprocess
import time

import questions
from processes import Process, free_port

HERE = pathlib.Path(__file__).resolve().parent
STARTS_WITHIN = 120


@dataclasses.dataclass
class Round:
    """What one round of load measured."""

    rate: float
    p50: float
    p99: float
    server: float
    postgres: float
    memory: float
    failed: int


class Bench:
    """What the systems share: the folder of the run, PostgreSQL, the size and the length of a round."""

    def __init__(self, cluster, folder: pathlib.Path, people: int, seconds: int) -> None:
        self.cluster, self.folder, self.people, self.seconds = cluster, folder, people, seconds
        self.postgres = Process.of_data_folder(cluster.data)
        self.peers = questions.Peers(people)

    def wrk(self, url: str, bodies: list[str], connections: int, token: str | None = None) -> dict:
        """Sends the bodies in turn on this many connections for a round."""
        file = self.folder / "bodies"
        file.write_text("".join(body + "\n" for body in bodies))
        environment = {**os.environ, "BODIES": str(file)}
        if token is not None:
            environment["TOKEN"] = token
        command = ["wrk", "-t1", f"-c{connections}", f"-d{self.seconds}s", "--timeout", "20s", "-s", HERE / "wrk.lua", url]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        return json.loads(done.stdout.rpartition("JSON ")[2])


def scalars(answer) -> list[str]:
    """Returns every scalar of an answer, whatever its shape, in order."""
    if isinstance(answer, dict):
        return sorted(text for name, value in answer.items() if name != "__typename" for text in scalars(value))
    if isinstance(answer, list):
        return sorted(text for value in answer for text in scalars(value))
    return [] if answer is None else [str(answer)]


class Server:
    """A GraphQL server in a process of its own."""

    def __init__(self, name: str, bench: Bench, command: list, queries: dict, environment: dict, folder=None) -> None:
        self.name, self.bench, self.queries = name, bench, queries
        self.port, self.token = free_port(), None
        self._command, self._folder = command, folder or bench.folder
        self._environment = {**os.environ, "PORT": str(self.port), "NODE_ENV": "production", **environment}
        self._process: subprocess.Popen | None = None

    def has(self, question: str) -> bool:
        return question in self.queries

    def start(self) -> None:
        log = self.bench.folder / f"{self.name}.log"
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, env=self._environment, stdout=file, stderr=file, start_new_session=True
            )
        deadline = time.monotonic() + STARTS_WITHIN
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.ask("{ __typename }", {})
                return
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{self.name} does not start: {log.read_text()[-1000:]}")
            time.sleep(0.2)

    def stop(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(40)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)

    def ask(self, query: str, variables: dict) -> dict:
        """Sends one request, and returns its answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Content-Type": "application/json"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        connection.request("POST", "/graphql", json.dumps({"query": query, "variables": variables}), headers)
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def variables(self, question: str) -> dict:
        return self.adapted(question, self.bench.peers.variables(question))

    def adapted(self, question: str, variables: dict) -> dict:
        """Returns the variables as the schema of this server takes them."""
        variables = dict(variables)
        if self.queries is questions.POSTGRAPHILE and question in questions.TEXTS:
            name = questions.TEXTS[question]
            variables[name] = str(variables[name])
        return variables

    def answer(self, question: str, variables: dict) -> dict:
        """Asks once and refuses an answer with an error: its rate would say nothing."""
        answer = self.ask(self.queries[question], variables)
        if answer.get("errors") or not answer.get("data"):
            raise SystemExit(f"{self.name} answers {question} with {json.dumps(answer)[:500]}")
        return answer["data"]

    def measure(self, question: str, connections: int) -> Round:
        count = 4000 if question != "enroll" else 6000 * self.bench.seconds
        query = self.queries[question]
        body = lambda: json.dumps({"query": query, "variables": self.variables(question)}, separators=(",", ":"))
        bodies = [body() for _ in range(count)]
        server, postgres = Process(self._process.pid), self.bench.postgres
        before = server.cpu(), postgres.cpu()
        load = self.bench.wrk(f"http://127.0.0.1:{self.port}/graphql", bodies, connections, self.token)
        spent = server.cpu() - before[0], postgres.cpu() - before[1]
        per_request = [1000 * seconds / max(1, load["requests"]) for seconds in spent]
        rate = load["requests"] / load["seconds"]
        return Round(rate, load["p50"], load["p99"], *per_request, server.memory(), load["failed"])


class Sql:
    """Hand-written SQL under pgbench: no server, no GraphQL. It runs with few clients too, and the better rate counts."""

    name = "SQL"

    def __init__(self, bench: Bench, database: str) -> None:
        self.bench, self._database = bench, database

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def has(self, question: str) -> bool:
        return self._script(question).exists()

    def _script(self, question: str) -> pathlib.Path:
        return HERE / "sql" / f"{question}.sql"

    def measure(self, question: str, connections: int) -> Round:
        clients = {1} if connections == 1 else {4, connections}
        return max((self._run(question, count) for count in sorted(clients)), key=lambda measured: measured.rate)

    def _run(self, question: str, clients: int) -> Round:
        log = self.bench.folder / "pgbench"
        for old in self.bench.folder.glob("pgbench.*"):
            old.unlink()
        command = ["pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "1", "-T", str(self.bench.seconds)]
        command += ["-D", f"people={self.bench.people}", "-f", self._script(question), "-l", f"--log-prefix={log}"]
        command += ["-h", "127.0.0.1", "-p", str(self.bench.cluster.port), "-U", "postgres", self._database]
        before = self.bench.postgres.cpu()
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        # What a backend used is known once the postmaster has collected it.
        time.sleep(0.3)
        spent = self.bench.postgres.cpu() - before
        rate = float(next(line for line in done.stdout.splitlines() if line.startswith("tps")).split()[2])
        times = sorted(int(line.split()[2]) / 1000 for line in "".join(
            file.read_text() for file in self.bench.folder.glob("pgbench.*")).splitlines())
        at = lambda part: times[min(len(times) - 1, int(len(times) * part))]
        return Round(rate, at(0.5), at(0.99), 0, 1000 * spent / max(1, len(times)), 0, 0)
