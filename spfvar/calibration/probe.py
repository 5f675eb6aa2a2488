"""Runs of the C program that measures, or of what Python can measure where there is no compiler."""

from __future__ import annotations

import ctypes
import mmap
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Protocol

from spfvar.errors import SpfvarError

PAGE = 4096
REGION = 2 << 20
CHUNK = 32 << 20
#: No run of one test takes so many seconds unless something is wrong.
LIMIT = 30.0


class ProbeError(SpfvarError):
    """Something cannot be measured here; says why."""


class Probe(Protocol):
    """Measures one thing: samples of ``ms`` milliseconds each, with a thread on each of ``cpus``."""

    def __call__(self, test: str, cpus: Sequence[int], ms: float, samples: int) -> list[list[float]]:
        """One list of numbers per sample.  Raises ProbeError."""
        ...  # pragma: no cover


def compiled(folder: Path) -> Probe:
    """The C program, built in a folder.  Raises ProbeError where it cannot be."""
    compiler = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
    if compiler is None:
        raise ProbeError("there is no C compiler (cc, gcc or clang)")
    source, program = folder / "probe.c", folder / "probe"
    source.write_bytes((resources.files("spfvar.calibration") / "probe.c").read_bytes())
    command = [compiler, "-O2", "-pthread", "-o", str(program), str(source)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if built.returncode:
        first = (built.stderr.strip().splitlines() or ["no message"])[0]
        raise ProbeError(f"{compiler} cannot build the program that measures: {first}")

    def run(test: str, cpus: Sequence[int], ms: float, samples: int) -> list[list[float]]:
        arguments = [str(program), test, f"{ms:g}", str(samples), *map(str, cpus)]
        try:
            done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=LIMIT)
        except subprocess.TimeoutExpired as error:
            raise ProbeError(f"{test} took more than {LIMIT:.0f} s") from error
        except OSError as error:
            raise ProbeError(f"the program that measures does not run: {error}") from error
        if done.returncode:
            raise ProbeError(f"{test}: {done.stderr.strip() or f'exit code {done.returncode}'}")
        return [[float(word) for word in line.split()] for line in done.stdout.splitlines()]

    return run


def interpreted(test: str, cpus: Sequence[int], ms: float, samples: int) -> list[list[float]]:
    """What Python can measure, of one thread.  Raises ProbeError for the rest."""
    measure = _ALONE.get(test)
    if measure is None or len(set(cpus)) > 1:
        raise ProbeError("only the C program can measure that, and it needs a compiler")
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpus[0]})
    try:
        return [[measure()] for _ in range(samples)]
    finally:
        os.sched_setaffinity(0, before)


def _timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter_ns()
    work()
    return float(time.perf_counter_ns() - begin)


def _fault_once() -> float:
    """Faults per second of a mapping: what filling it takes longer for the first time."""
    with mmap.mmap(-1, CHUNK) as area:
        area.madvise(getattr(mmap, "MADV_NOHUGEPAGE", 15))
        address = ctypes.addressof(ctypes.c_char.from_buffer(area))
        first = _timed(lambda: ctypes.memset(address, 1, CHUNK))
        again = _timed(lambda: ctypes.memset(address, 2, CHUNK))
        return CHUNK / PAGE / max(first - again, 1.0) * 1e9


def _zero() -> float:
    buffer = ctypes.create_string_buffer(CHUNK)
    ctypes.memset(buffer, 1, CHUNK)
    return _timed(lambda: ctypes.memset(buffer, 2, CHUNK)) / (CHUNK / PAGE)


def _copy() -> float:
    one, other = (ctypes.create_string_buffer(CHUNK) for _ in range(2))
    ctypes.memset(one, 1, CHUNK)
    ctypes.memset(other, 1, CHUNK)
    return _timed(lambda: ctypes.memmove(one, other, CHUNK)) / (CHUNK / PAGE)


_ALONE: dict[str, Callable[[], float]] = {"pft": _fault_once, "zero": _zero, "copy": _copy}
