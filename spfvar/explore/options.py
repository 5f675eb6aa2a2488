"""What bounds and shortens a search; every search has the same bound, wherever it runs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from spfvar.errors import InputError, describe
from spfvar.units import MAX_DURATION

#: States.  The largest search of a shipped variant in a shipped race has 3.3 million, and with one of its
#: guards taken out 8.5 million.  A state takes 100 to 160 bytes, so that a search that gets here takes 2 to
#: 3 GB.  It is no time, or the machine's load would decide verdicts, and nothing that searches share, or
#: the number that run side by side would.
MAX_STATES: Final = 20_000_000
#: Seconds that can be asked for, in either language.
LONGEST: Final = MAX_DURATION / 1e9


@dataclass(frozen=True, slots=True)
class Options:
    """What bounds and shortens a search.

    ``max_states`` bounds it; a search that hits a bound is incomplete.  ``max_bytes`` (None: no bound) and
    ``seconds`` of wall time are for who asks for them.  ``first``: stop at the first violation.
    ``livelock``: look for states from which no way leads to an end; each one found is real, but the
    partial-order reduction may leave some out.

    The reductions leave every verdict as it is (docs/reductions.md).  ``merge`` runs private primitives in
    one go, ``forget`` forgets registers that are not read again, ``symmetry`` takes the threads of an actor
    for interchangeable, ``partial_order`` lets a thread run on while nothing that the others may still do
    conflicts with it.  A search without ``merge`` and ``partial_order`` finds a shortest way, counted in
    primitives.
    """

    max_states: int = MAX_STATES
    max_bytes: int | None = None
    seconds: float = math.inf
    merge: bool = True
    forget: bool = True
    symmetry: bool = True
    partial_order: bool = True
    first: bool = True
    livelock: bool = True

    @classmethod
    def plain(cls, **bounds: Any) -> Options:
        """Every interleaving of every primitive."""
        return cls(merge=False, forget=False, symmetry=False, partial_order=False, **bounds)


def bounded(max_states: int, max_bytes: int | None = None, seconds: float = math.inf) -> Options:
    """A search with these bounds.  Raises InputError for what is none."""
    if max_states < 1:
        raise InputError(f"{max_states} states", key="--max-states", expected="1 or more")
    if max_bytes is not None and max_bytes < 1:
        raise InputError(f"{max_bytes} bytes", key="--max-memory", expected="1 or more")
    if not 0 < seconds <= LONGEST and seconds != math.inf:
        expected = f"more than 0, and no more than {LONGEST:.0f}"
        raise InputError(f"{describe(seconds)} seconds", key="--timeout", expected=expected)
    return Options(max_states=max_states, max_bytes=max_bytes, seconds=seconds)
