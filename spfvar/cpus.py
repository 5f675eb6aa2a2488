"""How many cores a process may use."""

from __future__ import annotations

import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def available_cpus() -> int:
    """CPUs that this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def quota(file: Path = _QUOTA) -> float | None:
    """How many CPUs' time the control group leaves to it; None: all that there is."""
    try:
        microseconds, period = file.read_text(encoding="utf-8").split()
        return None if microseconds == "max" else int(microseconds) / int(period)
    except (OSError, ValueError):
        return None
