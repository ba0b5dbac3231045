"""Difficult starts: five processes at once on an empty database, and one on a read-only database."""

import concurrent.futures
import secrets
import time
import uuid

import people
from environment import Environment, Server
from http_client import Answer
from report import Report

PROCESSES = 5


def five(environment: Environment, report: Report) -> None:
    """Starts five processes that share the installation's key, like five machines of one installation."""
    database = "resilience_empty"
    environment.cluster.sql(f"drop database if exists {database} with (force)")
    environment.cluster.sql(f"create database {database}")
    servers = [Server(environment, environment.cluster.url(database)) for _ in range(PROCESSES)]
    begun = time.monotonic()
    for server in servers:
        server.launch()
    with concurrent.futures.ThreadPoolExecutor(PROCESSES) as pool:
        ready = list(pool.map(lambda server: server.wait_until_ready(60), servers))
    seconds = time.monotonic() - begun
    applied, distinct, failed = map(
        int,
        environment.cluster.sql(
            "select count(*), count(distinct version), count(*) filter (where not success) from _sqlx_migrations",
            database,
        ).split("|"),
    )
    report.judge(
        "five",
        "five processes start on one empty database together: each migration is applied once, none fails",
        f"{sum(ready)} of {PROCESSES} ready after {seconds:.1f} s; {applied} migrations applied, {distinct} of them "
        f"distinct, {failed} failed",
        all(ready) and applied == distinct > 0 and failed == 0,
    )
    ended = [server.stop() for server in servers if server.is_alive]
    report.judge(
        "five",
        "each process ends within 25 s of SIGTERM",
        ", ".join("killed" if took is None else f"{took:.1f} s" for took in ended),
        len(ended) == PROCESSES and all(took is not None and took <= 25 for took in ended),
    )


def read_only(environment: Environment, report: Report) -> None:
    """Turns the database read-only under a running server, as a failover does, and starts another server on it."""
    database = environment.new_database()
    server = environment.server(database)
    set_read_only(environment, database, "on")
    judge_writes(environment, report, "a database that turns read-only", server, database)
    late = Server(environment, environment.cluster.url(database))
    late.launch()
    if late.wait_until_ready(5):
        judge_writes(environment, report, "a server that starts on it", late, database)
    else:
        report.judge(
            "read_only",
            'a server that starts on it: writes refused, never "ok"',
            f"it {'hangs' if late.is_alive else 'refuses to start'}",
            not late.is_alive,
        )
    set_read_only(environment, database, "off")
    begun = time.monotonic()
    ready = server.wait_until_ready(10) and succeeded(enroll(server))
    seconds = time.monotonic() - begun
    report.judge(
        "read_only",
        "accepts writes within 5 s of the database, without a restart",
        f"{seconds:.1f} s" if ready else "not within 10 s",
        ready and seconds <= 5,
    )


def set_read_only(environment: Environment, database: str, to: str) -> None:
    """Changes the default of new sessions, and ends the old ones, which keep theirs."""
    environment.cluster.sql(
        f"set default_transaction_read_only = off; alter database {database} set default_transaction_read_only = {to}"
    )
    environment.cluster.sql(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity "
        f"where datname = '{database}' and pid <> pg_backend_pid()"
    )


def enroll(server: Server) -> Answer:
    return server.client().post(people.enrollment(people.person(), str(uuid.uuid4())))


def judge_writes(environment: Environment, report: Report, where: str, server: Server, database: str) -> None:
    """Tries writes for three seconds, because the first answers come from broken connections."""
    client = server.client()
    roster = {
        "employerId": "bTE",
        "channelCode": "GU-SUMSEL",
        "provinceCode": "16",
        "startsOn": "2014-11-01",
        "rows": [ROW],
    }
    employer = {
        "name": f"Dinas {people.letters(secrets.randbelow(10**9) + 1)}",
        "kind": "GOVERNMENT",
        "provinceCode": "16",
    }
    before, answers, accepted = people_in(environment, database), set(), []
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        writes: dict[str, Answer] = {
            "enroll": client.post(people.enrollment(people.person())),
            "enroll with a key": enroll(server),
            "onboard": client.ask(ONBOARD, {"input": roster}),
            "register an employer": client.ask(EMPLOYER, {"input": employer}),
        }
        accepted += [name for name, answer in writes.items() if succeeded(answer)]
        answers |= {f"{name}: {answer.status} {answer.code}" for name, answer in writes.items()}
    added = people_in(environment, database) - before
    report.judge(
        "read_only",
        f'{where}: writes refused, never "ok"',
        f"{', '.join(sorted(answers))}; {added} people added",
        not accepted and added == 0,
    )


def people_in(environment: Environment, database: str) -> int:
    """Counts people in the database, because the registry may refuse to read too."""
    return int(environment.cluster.sql("select count(*) from participant", database))


def succeeded(answer: Answer) -> bool:
    """Returns whether the payload has what the mutation writes. A refusal has errors instead."""
    payload = next(iter(answer.data.values()), None)
    return bool(payload) and any(payload.get(name) for name in ("enrollment", "batch", "employer"))


ROW = {
    "nationalId": "1671086207787320",
    "serviceNumber": "197807222007012420",
    "fullName": "Fitri Ismail Marlina",
    "birthDate": "1978-07-22",
    "sex": "P",
    "monthlyWage": "4220000",
}
ONBOARD = """mutation($input: OnboardCivilServantsInput!) {
  onboardCivilServants(input: $input) { batch { id } errors { code } } }"""
EMPLOYER = (
    "mutation($input: RegisterEmployerInput!) { registerEmployer(input: $input) { employer { id } errors { code } } }"
)
