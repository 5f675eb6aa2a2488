"""Bounds for the code of plugins: how long it may run and how much memory it may take before it is cut off.

They are for mistakes, and no sandbox: a plugin is code that the user chose to run.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from spfvar.automata.text import StrategyError

try:
    import resource
except ImportError:  # not a POSIX system
    resource = None  # type: ignore[assignment]

#: Seconds for a plugin to be imported, and for the texts of one variant to be extracted.
LOAD_SECONDS = 8.0
CHECK_SECONDS = 8.0
#: Bytes that a plugin may take beyond what is in use.
MEMORY = 2 << 30
_active = False


class CutOffError(StrategyError):
    """Plugin code that was stopped: it ran too long, or took too much memory."""


@contextmanager
def bounded(seconds: float, memory: int | None = None) -> Iterator[None]:
    """Raise CutOffError, naming the line, in code that runs longer or takes more bytes.

    In the main thread only: no other one gets signals.  Within another bound, that one holds.
    """
    global _active
    main = threading.current_thread() is threading.main_thread()
    if _active or not main or not hasattr(signal, "setitimer"):
        yield
        return
    _active = True

    def stop(_signal: int, frame: FrameType | None) -> None:
        where = f"{frame.f_code.co_filename}:{frame.f_lineno}: " if frame is not None else ""
        raise CutOffError(f"{where}never ends: stopped after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        with _memory(MEMORY if memory is None else memory):
            yield
    finally:
        _active = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _memory(limit: int) -> Iterator[None]:
    """Let what is allocated beyond the limit end in MemoryError, where the system can do that."""
    size = _address_space()
    if size is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    new = size + limit if soft == resource.RLIM_INFINITY else min(size + limit, soft)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (new, hard))
    try:
        yield
    finally:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _address_space() -> int | None:
    """Bytes of this process's address space; None where nobody tells."""
    if resource is None:
        return None
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return None
