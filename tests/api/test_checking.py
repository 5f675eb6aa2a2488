"""check from Python."""

from __future__ import annotations

from pathlib import Path

import pytest

import spfvar
from spfvar.automata.weaken import MEMORIES
from spfvar.errors import InputError
from spfvar.explore.trace import Trace

PLUGIN = str(Path(__file__).parents[1] / "explore" / "broken.py")


def test_check_returns_a_frame_with_traces() -> None:
    """One row per variant and race; a violation has its trace and token."""
    frame = spfvar.check("mmap-lock", "no-rcu-free", races=["munmap-file"], plugins=[PLUGIN])
    assert list(frame["verdict"]) == ["safe", "violation"]
    assert frame["property"].isna()[0]
    assert frame["property"][1] == "P1"
    assert frame["trace"][0] is None
    assert isinstance(frame["trace"][1], Trace)
    assert frame["trace"][1].steps[-1].outcome == "VIOLATION"
    assert frame["token"][1].startswith("no-rcu-free:munmap-file:")


def test_twins_can_be_checked() -> None:
    """Their rows say what was expected."""
    frame = spfvar.check("t1", twins=True, plugins=[PLUGIN])
    assert list(frame["expected"]) == ["P1", "safe"]


def test_walks_and_larger_scopes() -> None:
    """Random walks give frames of the same shape, with the number of walks, and no verdict "safe"."""
    frame = spfvar.check("mmap-lock", races=["munmap-file"], walk=200, seed=3, counts={"fault": 2})
    assert list(frame["verdict"]) == ["incomplete"]
    assert list(frame["race"]) == ["munmap-file,fault=2"]
    assert list(frame["walks"]) == [200]


def test_the_kernels_memory_model_can_be_asked_for() -> None:
    """V6's missing acquire breaks under it only; a model that does not exist is named."""
    frames = [
        spfvar.check("v6-acquire@per-vma-6.6", races=["userfault"], memory=memory) for memory in MEMORIES
    ]
    assert [list(frame["verdict"]) for frame in frames] == [["safe"], ["violation"]]
    with pytest.raises(InputError, match='memory: "tso" is no memory model; expected sc or lkmm'):
        spfvar.check("mmap-lock", memory="tso")  # type: ignore[arg-type]
