"""A hunt that was interrupted goes on where it stopped, from the store, and tells what an undisturbed one does."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.kills import disturb
from spfvar.matrix import hunting
from spfvar.matrix.hunting import Plan, run_hunt
from spfvar.matrix.kept_hunts import SLICE
from spfvar.plugins.registry import load_registry
from spfvar.store.database import Store

REGISTRY = load_registry()
TWIN = REGISTRY.any_variant("h4@spf-anon")
#: Two statements, each one of two.
PLAN = Plan(2, memories=("policy",), verbs=("store", "mbind"))


def told(hunted: hunting.Hunted) -> hunting.Hunted:
    """All but the time."""
    return replace(hunted, seconds=0.0)


class _StopError(Exception):
    """As Ctrl-C would."""


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices of a single number, so that there are several."""
    monkeypatch.setattr(hunting, "_SLICE", 1)


@pytest.mark.usefixtures("small")
def test_an_interrupted_hunt_goes_on_where_it_stopped(store: Store) -> None:
    """The slices that were done are taken from the store, the rest is run; then all are, the finding with its race."""
    undisturbed = run_hunt(TWIN, PLAN, jobs=1)
    assert undisturbed.findings
    done = 0

    def stop(*_: float) -> None:
        nonlocal done
        done += 1
        if done == 2:
            raise _StopError

    with pytest.raises(_StopError):
        run_hunt(TWIN, PLAN, progress=stop, jobs=1, store=store)
    assert [(kind.kind, kind.entries) for kind in store.kinds()] == [(SLICE, 2)]
    assert told(run_hunt(TWIN, PLAN, jobs=1, store=store)) == told(undisturbed)
    assert store.hits == 2
    [kind] = store.kinds()
    assert kind.entries == len(list(PLAN.slices()))
    assert told(run_hunt(TWIN, PLAN, jobs=1, store=store)) == told(undisturbed)
    assert store.hits == 2 + kind.entries


@pytest.mark.usefixtures("small")
def test_what_another_hunt_did_is_not_taken(store: Store) -> None:
    """Another order, other verbs, another design: a slice leaves out what those before it in its plan told."""
    run_hunt(TWIN, PLAN, jobs=1, store=store)
    for plan in (replace(PLAN, seed=1), replace(PLAN, verbs=PLAN.verbs[:1])):
        run_hunt(TWIN, plan, jobs=1, store=store)
    run_hunt(REGISTRY["mmap-lock"], PLAN, jobs=1, store=store)
    assert store.hits == 0


def test_a_slice_that_comes_late_is_told_in_full() -> None:
    """A worker that is given the races again as a later slice leaves them out; as the same one, or an earlier, not.

    The same one is done again where a cluster lost its result.
    """
    [some] = PLAN.slices()
    variants = {"mmap-lock": REGISTRY["mmap-lock"]}
    work = hunting.HuntWork(variants, "mmap-lock", "", "sc")
    told = work.run((0, some))
    assert told.outcomes
    assert work.run((0, some)) == told
    assert work.run((2, some)).outcomes == ()
    assert work.run((1, some)) == told


def test_killed_hunts_lose_nothing(tmp_path: Path) -> None:
    """kill -9 at two random moments: every entry is still there and sound, and the bytes are the same."""
    command = ("hunt", "h4@spf-anon", "--start", "policy", "--verbs", "load,store,mbind")
    found = disturb(command, 2, tmp_path, random.Random(3))
    assert (len(found.kept), found.lost, found.same) == (2, 0, True)
