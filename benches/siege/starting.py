"""Starts that are hard: five at once on nothing, and on a database that takes no writes."""

import concurrent.futures
import secrets
import time
import uuid

import people
from report import Report
from wire import Answer
from world import Server, World

PROCESSES = 5


def five(world: World, report: Report) -> None:
    """They share the installation's key, as five machines of one installation would."""
    database = "siege_empty"
    world.cluster.sql(f"drop database if exists {database} with (force)")
    world.cluster.sql(f"create database {database}")
    servers = [Server(world, world.cluster.url(database)) for _ in range(PROCESSES)]
    begun = time.monotonic()
    for server in servers:
        server.launch()
    with concurrent.futures.ThreadPoolExecutor(PROCESSES) as pool:
        ready = list(pool.map(lambda server: server.wait_until_ready(60), servers))
    seconds = time.monotonic() - begun
    applied, distinct, failed = map(int, world.cluster.sql(
        "select count(*), count(distinct version), count(*) filter (where not success) from _sqlx_migrations", database,
    ).split("|"))
    report.judge("five", "five processes start on one empty database together: one migration, none fails",
                 f"{sum(ready)} of {PROCESSES} ready after {seconds:.1f} s; {applied} migrations applied, {distinct} of them "
                 f"distinct, {failed} failed", all(ready) and applied == distinct > 0 and failed == 0)
    ended = [server.stop() for server in servers if server.is_alive]
    report.judge("five", "each of them ends within 25 s of SIGTERM",
                 ", ".join("killed" if took is None else f"{took:.1f} s" for took in ended),
                 len(ended) == PROCESSES and all(took is not None and took <= 25 for took in ended))


def read_only(world: World, report: Report) -> None:
    """The database turns read-only below a server that runs, and below one that starts."""
    database = world.new_database()
    server = world.server(database)
    before = people.total(server.client())
    # Sessions keep their setting; new ones have the new one.
    world.cluster.sql(f"alter database {database} set default_transaction_read_only = on")
    world.cluster.sql("select count(pg_terminate_backend(pid)) from pg_stat_activity "
                      f"where datname = '{database}' and pid <> pg_backend_pid()")
    time.sleep(1)
    judge_refused(report, "a database that turns read-only", server, before)
    server.stop()
    late = Server(world, world.cluster.url(database))
    late.launch()
    if late.wait_until_ready(10):
        judge_refused(report, "a server that starts on it", late, before)
    else:
        report.judge("read_only", "a server that starts on it: writes refused, never \"ok\"",
                     f"it does not start{'' if late.is_alive else ', and says so'}", not late.is_alive)


def judge_refused(report: Report, where: str, server: Server, before: int) -> None:
    client = server.client()
    roster = {"employerId": "bTE", "channelCode": "GU-SUMSEL", "provinceCode": "16", "startsOn": "2014-11-01", "rows": [ROW]}
    employer = {"name": f"Dinas {people.letters(secrets.randbelow(10**9) + 1)}", "kind": "GOVERNMENT", "provinceCode": "16"}
    writes: dict[str, Answer] = {
        "enroll": client.post(people.enrollment(people.person())),
        "enroll with a key": client.post(people.enrollment(people.person(), str(uuid.uuid4()))),
        "onboard": client.ask(ONBOARD, {"input": roster}),
        "register an employer": client.ask(EMPLOYER, {"input": employer}),
    }
    accepted = [name for name, answer in writes.items() if says_ok(answer)]
    reads = client.ask(people.READ).status
    added = people.total(client) - before
    said = ", ".join(f"{name}: {answer.status} {answer.code}" for name, answer in writes.items())
    report.judge("read_only", f"{where}: writes refused, never \"ok\"", f"{said}; {added} rows added",
                 not accepted and added == 0)
    report.judge("read_only", f"{where}: reads go on", f"{reads}", reads == 200)


def says_ok(answer: Answer) -> bool:
    """Does a payload hold what would have been written? A refusal has an error's code, or problems of the input."""
    payload = next(iter(answer.data.values()), None)
    return bool(payload) and any(payload.get(name) for name in ("enrollment", "batch", "employer"))


ROW = {"nationalId": "1671086207787320", "serviceNumber": "197807222007012420", "fullName": "Fitri Ismail Marlina",
       "birthDate": "1978-07-22", "sex": "P", "monthlyWage": "4220000"}
ONBOARD = "mutation($input: OnboardCivilServantsInput!) { onboardCivilServants(input: $input) { batch { id } errors { code } } }"
EMPLOYER = "mutation($input: RegisterEmployerInput!) { registerEmployer(input: $input) { employer { id } errors { code } } }"
