"""Runs the resilience tests against a registry that it starts, and prints one verdict for each promise.

    python3 benches/resilience [--binary target/release/registry] [--only table,kills] [--quick] [--json FILE]

The exit code is 1 if a promise is broken. Everything listens on 127.0.0.1 and lies in a temporary folder. The tests
end only the processes that they started.
"""

import argparse
import pathlib
import signal
import sys
import time
import traceback

import crashes
import database_faults
import failover
import files
import http_attacks
import identity
import once
import onboarding
import overload
import restore
import servers
import split
import starting
from environment import Environment
from report import Report, note

GROUPS = {
    "table": http_attacks.table,
    "tokens": identity.tokens,
    "one_key": once.one_key,
    "kills": crashes.kills,
    "sigterm": crashes.sigterm,
    "silence": database_faults.silence,
    "backends": database_faults.backends,
    "stop": database_faults.stop,
    "overload": overload.overload,
    "onboarding_kills": onboarding.onboarding_kills,
    "file_kills": files.file_kills,
    "large_file_kills": files.large_file_kills,
    "five": starting.five,
    "read_only": starting.read_only,
    "restore": restore.restore,
    "failover": failover.failover,
    "split": split.split,
    "servers": servers.servers,
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="resilience", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--binary", type=pathlib.Path, default=pathlib.Path("target/release/registry"))
    parser.add_argument("--only", default=",".join(GROUPS), help="comma-separated groups: " + ", ".join(GROUPS))
    parser.add_argument("--quick", action="store_true", help="fewer kills and shorter faults, for CI")
    parser.add_argument("--json", type=pathlib.Path, help="also write the verdicts to this file")
    parser.add_argument("--keep-log", type=pathlib.Path, help="copy the servers' log to this file at the end")
    given = parser.parse_args()
    given.only = given.only.split(",")
    unknown = set(given.only) - set(GROUPS)
    if unknown:
        parser.error(f"unknown groups: {', '.join(sorted(unknown))}; available: {', '.join(GROUPS)}")
    if not given.binary.is_file():
        parser.error(f"{given.binary} does not exist; build it with `cargo build --release`")
    return given


def run_group(name: str, environment: Environment, report: Report) -> None:
    """Runs one group on its own servers. An exception counts as a broken promise; the other groups still run."""
    note(f"{name} begins")
    # A group that failed may have left PostgreSQL killed.
    environment.cluster.revive()
    begun, before = time.monotonic(), len(environment.processes)
    try:
        GROUPS[name](environment, report)
    except Exception as error:
        traceback.print_exc()
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{pathlib.Path(last.filename).name}:{last.lineno}"
        report.judge(name, "the group runs to its end", f"{type(error).__name__} at {where}: {error}"[:300], False)
    finally:
        for process in environment.processes[before:]:
            if process.poll() is None:
                process.kill()
                process.wait()
    note(f"{name} took {time.monotonic() - begun:.0f} s")


def main() -> int:
    given = arguments()
    # An exception lets `finally` clean up when a supervisor sends SIGTERM.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    report, environment = Report(), Environment(given.binary, given.quick)
    try:
        environment.prepare()
        for name in given.only:
            run_group(name, environment, report)
    finally:
        if given.keep_log and environment.log.exists():
            given.keep_log.write_bytes(environment.log.read_bytes())
        environment.close()
        if given.json:
            report.write_json(given.json)
    held = sum(verdict.holds is True for verdict in report.verdicts)
    skipped = sum(verdict.holds is None for verdict in report.verdicts)
    print(f"{held} hold, {report.broken} broken, {skipped} skipped")
    return 1 if report.broken else 0


if __name__ == "__main__":
    sys.exit(main())
