"""Processes: what they cost, by /proc."""

import dataclasses
import os
import pathlib
import socket

TICK = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """Returns a TCP port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclasses.dataclass(frozen=True)
class Process:
    """A process with all of its children."""

    pid: int

    @classmethod
    def of_data_folder(cls, folder: pathlib.Path) -> "Process":
        """Returns the postmaster of a cluster."""
        return cls(int((folder / "postmaster.pid").read_text().split()[0]))

    def _family(self) -> list[int]:
        family, new = [self.pid], [self.pid]
        while new:
            pid = new.pop()
            try:
                tasks = list(pathlib.Path(f"/proc/{pid}/task").iterdir())
                children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
            except OSError:
                continue
            family += children
            new += children
        return family

    def cpu(self) -> float:
        """Returns the seconds of CPU that it has used, with those of children that ended."""
        return sum(_ticks(pid) for pid in self._family()) / TICK

    def memory(self) -> float:
        """Returns its resident memory in MiB, shared pages divided among their users."""
        return sum(_memory(pid) for pid in self._family()) / 1024


def _ticks(pid: int) -> int:
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15]))


def _memory(pid: int) -> int:
    try:
        lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
