"""Verdicts: what was promised, what was measured, and whether the promise holds."""

import dataclasses
import json
import pathlib
import sys


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The verdict on one promise. `holds` is None if it was not tested; `measured` then says why."""

    group: str
    promised: str
    measured: str
    holds: bool | None

    @property
    def word(self) -> str:
        return {True: "HOLDS", False: "BROKEN", None: "SKIPPED"}[self.holds]


class Report:
    """Collects verdicts. Prints each at once, so that a group that hangs later has reported the earlier ones."""

    def __init__(self) -> None:
        self.verdicts: list[Verdict] = []

    def judge(self, group: str, promised: str, measured: str, holds: bool | None) -> None:
        verdict = Verdict(group, promised, measured, holds)
        self.verdicts.append(verdict)
        print(f"{group:<17} {verdict.word:<7} {promised}  |  {measured}", flush=True)

    def skip(self, group: str, promised: str, why: str) -> None:
        """Records that a promise was not tested: it counts neither as kept nor as broken."""
        self.judge(group, promised, why, None)

    @property
    def broken(self) -> int:
        return sum(verdict.holds is False for verdict in self.verdicts)

    def write_json(self, path: pathlib.Path) -> None:
        rows = [{**dataclasses.asdict(verdict), "verdict": verdict.word} for verdict in self.verdicts]
        path.write_text(json.dumps(rows, indent=2) + "\n")


def note(text: str) -> None:
    """Prints progress to stderr; the report is on stdout."""
    print(f"  .. {text}", file=sys.stderr, flush=True)


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def quantile(values: list[float], part: float) -> float:
    """Returns the value at this part (0.99: p99) of the sorted values, or 0 if there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0
