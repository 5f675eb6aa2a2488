"""The transition function, one primitive at a time, to be called from Python."""

from __future__ import annotations

from typing import Any

from spfvar.ops import codes as c
from spfvar.transition.jit import compiled
from spfvar.transition.quiescent import wrong_at_rest
from spfvar.transition.weakly import settled, step_of


@compiled
def take(weak: Any, s: Any, table: Any, g: Any, tid: int, choice: int, out: Any) -> int:
    """One primitive of one thread; its outcome, BLOCKED or VIOLATED."""
    out[c.OUT_WOKEN] = 0
    outcome = step_of(weak, s, table, g, tid, choice, out)
    if outcome >= 0:
        settled(weak, s, g)
    return outcome  # type: ignore[no-any-return]


@compiled
def wrong(s: Any, g: Any, locks: Any, sequences: Any) -> int:
    """The property that does not hold at rest, or V_NONE."""
    return wrong_at_rest(s, g, locks, sequences)  # type: ignore[no-any-return]
