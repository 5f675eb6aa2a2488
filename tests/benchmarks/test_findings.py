"""Orders that seem to be missing: each is one, by the kernel's memory model, and one order mends it."""

from __future__ import annotations

import pytest

from benchmarks.weak_findings import Missing, read_missing
from spfvar.plugins.registry import load_registry

MISSING, OUT_OF_REACH = read_missing()


@pytest.mark.parametrize("missing", MISSING, ids=lambda missing: missing.name)
def test_a_missing_order_is_allowed_without_and_forbidden_with_it(missing: Missing) -> None:
    """What the page calls confirmed."""
    assert missing.verdicts() == ("sometimes", "never")


def test_a_twin_that_is_named_is_there_and_needs_weak_memory() -> None:
    """Or the page would claim a design that nobody searched."""
    twins = {twin.bug: twin for twin in load_registry().twins.values()}
    named = [twins[missing.twin] for missing in MISSING if missing.twin]
    assert [twin.memory for twin in named] == ["lkmm"] * len(named)
    assert named
