"""Sets the registry beside other GraphQL servers on registers of the same size, and prints one table.

    python3 benches/peers [--binary target/release/registry] [--people 200000] [--connections 1,32] [--rounds 3]

The others come from the package registries: PostGraphile and mercurius by npm, Seaography and a plain async-graphql server by
cargo. It needs PostgreSQL's server programs, wrk, pgbench, npm and cargo. All systems use one PostgreSQL, which is started for
the run; their rounds alternate. Everything listens on 127.0.0.1. Packages stay below target/peers for the next run; the rest is
deleted.
"""

import argparse
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "resilience"))

import questions
from postgres import Cluster
from registry import Registry
from systems import Bench, Server, Sql, scalars

DATABASE = "peers"
IN_RUST = {"seaography": questions.SEAOGRAPHY, "plain": questions.PLAIN}
PEERS = ("postgraphile", "mercurius", *IN_RUST)


def note(text: str) -> None:
    """Prints progress to stderr; the table is on stdout."""
    print(f"  .. {text}", file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--binary", type=pathlib.Path, default=pathlib.Path("target/release/registry"))
    parser.add_argument("--people", type=int, default=200_000)
    parser.add_argument("--peers", default=",".join(PEERS), help="comma-separated, of: " + ", ".join(PEERS))
    parser.add_argument("--questions", default=",".join(questions.QUESTIONS), help="comma-separated")
    parser.add_argument("--connections", default="1,32", help="comma-separated numbers of connections")
    parser.add_argument("--seconds", type=int, default=3, help="length of a round")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each system and question; the median counts")
    given = parser.parse_args()
    given.peers = [name for name in given.peers.split(",") if name]
    given.questions = given.questions.split(",")
    given.connections = [int(count) for count in given.connections.split(",")]
    if unknown := set(given.peers) - set(PEERS) | set(given.questions) - set(questions.QUESTIONS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    for program in ("wrk", "pgbench"):
        if shutil.which(program) is None:
            parser.error(f"{program} is missing")
    return given


def packages() -> pathlib.Path:
    """Returns the folder in which packages stay between runs."""
    folder = HERE.parent.parent / "target" / "peers"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def node(name: str, bench: Bench) -> Server:
    """Installs the servers in JavaScript, and returns one of them."""
    folder = packages() / "node"
    shutil.copytree(HERE / "node", folder, dirs_exist_ok=True)
    note(f"npm install for {name}")
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent"], check=True, cwd=folder)
    # The package `node` has the version that PostGraphile needs.
    command = [folder / "node_modules/.bin/node", "cluster.mjs", f"{name}.mjs"]
    queries = questions.POSTGRAPHILE if name == "postgraphile" else questions.MERCURIUS
    settings = {"DATABASE_URL": bench.cluster.url(DATABASE), "GRAPHILE_ENV": "production", "WORKERS": "2"}
    return Server(name, bench, command, queries, settings, folder)


def in_rust(name: str, bench: Bench) -> Server:
    """Builds a server in Rust, and returns it."""
    target = packages() / name
    note(f"cargo build of {name}")
    build = ["cargo", "build", "--release", "--quiet", "--manifest-path", HERE / name / "Cargo.toml", "--target-dir", target]
    subprocess.run(build, check=True)
    settings = {"DATABASE_URL": bench.cluster.url(DATABASE)}
    return Server(name, bench, [target / "release/server"], IN_RUST[name], settings)


def fill(bench: Bench) -> None:
    """Creates the register of the other servers."""
    cluster = bench.cluster
    cluster.sql(f"create database {DATABASE}")
    command = [cluster.bin / "psql", "-Xq", "-h", "127.0.0.1", "-p", str(cluster.port), "-U", "postgres", "-d", DATABASE]
    command += ["-v", f"people={bench.people}", "-f", HERE / "register.sql"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def check(servers: list[Server], question: str) -> None:
    """Asks the other servers the same, and compares what they say: one that answers less is faster for it."""
    peers = servers[0].bench.peers if servers else None
    for _ in range(3 if question != "enroll" else 0):
        variables = peers.variables(question)
        answers = [scalars(server.answer(question, server.adapted(question, variables))) for server in servers]
        if any(answer != answers[0] for answer in answers):
            told = ", ".join(f"{server.name} {len(answer)}" for server, answer in zip(servers, answers))
            raise SystemExit(f"the answers to {question} differ; numbers of scalars: {told}")


def compare(systems: list, question: str, connections: int, rounds: int) -> None:
    """Measures a question on all systems by turns, and prints its lines of the table."""
    measured = {system.name: [] for system in systems}
    for turn in range(rounds):
        for system in systems if turn % 2 == 0 else systems[::-1]:
            measured[system.name].append(system.measure(question, connections))
    median = lambda name, field: statistics.median(getattr(one, field) for one in measured[name])
    others = [median(name, "rate") for name in measured if name not in ("registry", "SQL")]
    fastest = max(others, default=None)
    sql = median("SQL", "rate") if "SQL" in measured else None
    print(f"\n{questions.TITLES[question]}; {connections} connection{'s' if connections > 1 else ''}")
    for name in sorted(measured, key=lambda name: -median(name, "rate")):
        rate, low, high = median(name, "rate"), *(f(one.rate for one in measured[name]) for f in (min, max))
        cost = [median(name, field) for field in ("server", "postgres")]
        of_sql = f"{rate / sql:5.2f} of SQL" if sql and name != "SQL" else " " * 12
        of_best = f"{rate / fastest:5.2f} of the best other" if fastest and name == "registry" else ""
        failed = sum(one.failed for one in measured[name])
        print(
            f"  {name:13} {rate:8.0f}/s ({low:.0f} to {high:.0f})  p50 {median(name, 'p50'):7.2f}  p99 {median(name, 'p99'):8.2f} ms"
            f"  CPU {cost[0]:6.3f} + {cost[1]:6.3f} ms  {median(name, 'memory'):4.0f} MiB  {of_sql}  {of_best}"
            + (f"  {failed} failed" if failed else ""),
            flush=True,
        )


def run(given: argparse.Namespace, folder: pathlib.Path, cluster: Cluster) -> None:
    bench = Bench(cluster, folder, given.people, given.seconds)
    registry = Registry(bench, given.binary.resolve())
    note(f"two registers of {given.people} people")
    registry.fill()
    fill(bench)
    servers = [in_rust(name, bench) if name in IN_RUST else node(name, bench) for name in given.peers]
    systems = [registry, *servers, Sql(bench, DATABASE)]
    try:
        for system in systems:
            system.start()
        for question in given.questions:
            asked = [system for system in systems if system.has(question)]
            registry.check(question)
            check([server for server in servers if server.has(question)], question)
            for connections in given.connections:
                compare(asked, question, connections, given.rounds)
    finally:
        for system in systems:
            system.stop()


def main() -> None:
    given = arguments()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="registry-peers-"))
    # The account of PostgreSQL has to enter subfolders, but not to list this one.
    folder.chmod(0o711)
    cluster = Cluster(folder)
    cluster.configure(
        shared_buffers="1GB", max_wal_size="8GB", checkpoint_timeout="30min", random_page_cost="1.1", jit="off"
    )
    cluster.start()
    try:
        run(given, folder, cluster)
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
