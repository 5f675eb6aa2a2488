"""What a terminal shows while races are searched."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from spfvar.cli import terminal
from spfvar.cli.waiting import doing


@contextmanager
def searching(things: str) -> Iterator[Callable[[int, int, float], None] | None]:
    """Finished searches and states (of walks: primitives) per second, on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    from spfvar.render.verdicts import count_text

    last = 0.0
    terminal.progress(doing("checking", "explore"))

    def report(done: int, total: int, rate: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > 0.1 or done == total:
            last = now
            terminal.progress(f"checking {done}/{total}  {count_text(round(rate))} {things}/s")

    try:
        yield report
    finally:
        terminal.progress()
