"""Memory that is available to further processes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_MACHINE: Final = Path("/proc/meminfo")
_GROUP: Final = Path("/sys/fs/cgroup")


def available_memory(machine: Path = _MACHINE, group: Path = _GROUP) -> int | None:
    """Return the bytes that further processes may take.

    The smaller of what the machine and the control group (of a container or a job) have
    left; files that the system keeps in memory count as left.

    Returns
    -------
    int or None
        None where it is not known: outside of Linux.
    """
    found = [_of_machine(machine), _of_group(group)]
    return min((each for each in found if each is not None), default=None)


def _of_machine(file: Path) -> int | None:
    try:
        lines = file.read_text().splitlines()
        kilobytes = next(x.split()[1] for x in lines if x.startswith("MemAvailable:"))
        return int(kilobytes) * 1024
    except (OSError, ValueError, StopIteration, IndexError):
        return None


def _of_group(folder: Path) -> int | None:
    try:
        most = int((folder / "memory.max").read_text())  # "max": no limit
        used = int((folder / "memory.current").read_text())
        lines = (folder / "memory.stat").read_text().splitlines()
        stat = dict(line.split() for line in lines)
        return max(0, most - used + int(stat["file"]))
    except (OSError, ValueError, KeyError):
        return None
