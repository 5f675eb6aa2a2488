"""What a progress line says: what is done, or that the first run has to compile it before."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from spfvar.cli import terminal


def doing(what: str, part: str, function: str = "") -> str:
    """``what``, or that ``part`` of the model has to be compiled first, which takes up to a minute.

    ``function``: that one of it, as "module.function"; ``""``: any.
    """
    from spfvar.transition.jit import cache_directory

    cache = Path(os.environ.get("NUMBA_CACHE_DIR") or cache_directory())
    compiled = any(
        cache.glob(f"{part}_*/{function}*.nbi")
    )  # numba has a directory for each of ours, with an index
    return what if compiled else f"compiling (once), {what}"


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """``what``, how much of it is done, and the time left; on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    began = time.monotonic()
    terminal.progress(what)

    def report(done: int, total: int) -> None:
        left = (time.monotonic() - began) / done * (total - done) if done else 0.0
        terminal.progress(f"{what} {done}/{total}  {left:.0f} s left")

    try:
        yield report
    finally:
        terminal.progress()
