"""What was promised, what was measured, and whether it held."""

import dataclasses
import json
import pathlib
import sys


@dataclasses.dataclass(frozen=True)
class Verdict:
    """One promise. `holds` is None where it could not be tried; the measurement says why."""

    resilience: str
    promised: str
    measured: str
    holds: bool | None

    @property
    def word(self) -> str:
        return {True: "HOLDS", False: "BROKEN", None: "SKIPPED"}[self.holds]


class Report:
    """Collects verdicts and prints each as soon as it is known: a resilience that hangs has said what it knew."""

    def __init__(self) -> None:
        self.verdicts: list[Verdict] = []

    def judge(self, resilience: str, promised: str, measured: str, holds: bool | None) -> None:
        verdict = Verdict(resilience, promised, measured, holds)
        self.verdicts.append(verdict)
        print(f"{resilience:<17} {verdict.word:<7} {promised}  |  {measured}", flush=True)

    def skip(self, resilience: str, promised: str, why: str) -> None:
        """Says that a promise was not tried. Not tried is not broken, and not kept either."""
        self.judge(resilience, promised, why, None)

    @property
    def broken(self) -> int:
        return sum(verdict.holds is False for verdict in self.verdicts)

    def write_json(self, path: pathlib.Path) -> None:
        rows = [{**dataclasses.asdict(verdict), "verdict": verdict.word} for verdict in self.verdicts]
        path.write_text(json.dumps(rows, indent=2) + "\n")


def note(text: str) -> None:
    """What goes on, for whoever waits; the report itself is on stdout."""
    print(f"  .. {text}", file=sys.stderr, flush=True)


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def quantile(values: list[float], part: float) -> float:
    """The value below which this part of all is; 0 where there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0
