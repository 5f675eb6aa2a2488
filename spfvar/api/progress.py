"""How far a call is, on stderr: one line that is written over; nothing unless it is asked for."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from spfvar.errors import printable

#: Seconds between two lines.
_EVERY = 0.1

#: Told what is being done, how much of it is, and of how much.
Told = Callable[[str, int, int], None]


@contextmanager
def telling(wanted: bool) -> Iterator[Told | None]:
    """What tells how far it is; the line is gone when the call ends, however it ends."""
    if not wanted:
        yield None
        return
    shown, last, began = 0, 0.0, time.monotonic()

    def put(text: str) -> None:
        nonlocal shown
        sys.stderr.write(f"\r{text}{' ' * (shown - len(text))}\r{text}")
        sys.stderr.flush()
        shown = len(text)

    def told(what: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _EVERY or done >= total:
            last = now
            put(printable(f"{what}: {done} of {total}  {now - began:.0f} s"))

    try:
        yield told
    finally:
        put("")


def counting(told: Told | None, what: str) -> Callable[..., None] | None:
    """The same for one thing: called with how much is done, and of how much; more is not looked at."""
    return None if told is None else lambda done, total, *_: told(what, done, total)
