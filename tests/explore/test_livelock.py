"""States from which no way leads to an end."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from spfvar.explore.livelock import Edges, trapped
from tests.explore.checking import verdict

GRAPHS = st.integers(1, 12).flatmap(
    lambda n: st.lists(st.lists(st.integers(0, n - 1), max_size=3), min_size=n, max_size=n)
)


@settings(deadline=None)  # the first call compiles
@given(GRAPHS)
def test_a_trapped_state_is_one_that_reaches_no_end(graph: list[list[int]]) -> None:
    """As a search from each state says."""
    source = np.array([s for s, targets in enumerate(graph) for _ in targets], dtype=np.int32)
    target = np.array([t for targets in graph for t in targets], dtype=np.int32)
    edges = Edges(source, target, np.array([len(target)], dtype=np.int64))
    expected = [state for state in range(len(graph)) if not _ends(graph, state)]
    assert trapped(edges, len(graph)) == (expected[0] if expected else -1)


def _ends(graph: list[list[int]], start: int) -> bool:
    seen, ahead = {start}, [start]
    while ahead:
        state = ahead.pop()
        if not graph[state]:
            return True
        ahead += set(graph[state]) - seen
        seen |= set(graph[state])
    return False


def test_a_wait_for_what_nobody_does_is_a_livelock() -> None:
    """Found as P12, with the way into the trap; without the option the same race passes for safe."""
    found = verdict("spins")
    assert (found.verdict, found.property) == ("violation", "P12")
    trace = found.findings[0].trace
    assert trace.end[-1].endswith("can be repeated for ever")
    assert {step.function for step in trace.steps} == {"fault", "do_user_addr_fault"}
    assert verdict("spins", livelock=False).verdict == "safe"


def test_retries_that_can_succeed_are_none() -> None:
    """A speculative fault that aborts while a writer runs goes on in the end."""
    assert verdict("spf-do-fault").verdict == "safe"
