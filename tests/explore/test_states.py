"""The state beside a trace: what the steps say of it, and who freed what."""

from __future__ import annotations

import pytest

from spfvar.explore.replay import replay
from spfvar.explore.states import LOCKS, States
from spfvar.explore.tokens import parse
from spfvar.explore.trace import Trace
from tests.explore.checking import verdict, world


def trace_of(variant: str) -> Trace:
    """The first trace of a broken variant."""
    return verdict(variant).findings[0].trace


def states_of(variant: str) -> States:
    """The states beside it."""
    states = trace_of(variant).states
    assert states is not None
    return states


@pytest.mark.parametrize("variant", ["no-rcu-free", "crosses"])
def test_every_change_that_a_step_tells_is_in_the_state_behind_it(variant: str) -> None:
    """ "vma 0->vm_start: 0 -> 1" of the last primitive that tells it is the word's value there."""
    trace, states = trace_of(variant), states_of(variant)
    told: dict[int, dict[str, str]] = {}
    for step in trace.steps:
        for change in step.changes:
            label, arrow, values = change.partition(": ")
            if arrow and " -> " in values:
                told.setdefault(step.number, {})[label] = values.partition(" -> ")[2]
    assert len(states.changes) == trace.length
    for number, words in told.items():
        there = {label: value for (_, label), value in states.at(number).items()}
        # What is gone with its memory is not there any more.
        assert {label: value for label, value in words.items() if there.get(label, value) != value} == {}
    assert bool(told) == (variant == "no-rcu-free")


def test_positions_and_page_tables_are_those_of_a_replay() -> None:
    """Behind every step, beside the lines that `spfvar replay` shows."""
    finding = verdict("no-rcu-free").findings[0]
    seen = replay(world("no-rcu-free"), parse(finding.token))
    states = states_of("no-rcu-free")
    for number, scene in enumerate(seen.scenes, 1):
        lines = dict(line.split(": ", 1) for line in scene.state)
        there = states.at(number)
        for name in ("fault", "munmap"):
            function, _, primitive = there[name, "next"].partition("(): ")
            assert lines[name].startswith(f"{function}, at {primitive}")
        assert there.get(("page tables", "pmd[0]")) == lines["pmd[0]"]
        assert there.get(("page tables", "pte[0]"), "none") == lines.get("pte[0]", "none")


def test_who_holds_and_who_waits_is_read_from_the_lock() -> None:
    """Two threads, two locks, each in the other's order: at the end each holds one and waits for one."""
    states = states_of("crosses")
    start, end = states.at(0), states.at(len(states.changes))
    assert start[LOCKS, "mm->left_lock"] == "free"
    assert end[LOCKS, "mm->left_lock"] == "fault; waiting: munmap"
    assert end[LOCKS, "mm->right_lock"] == "munmap; waiting: fault"
    assert (end["fault", "waits for"], end["munmap", "waits for"]) == ("mm->right_lock", "mm->left_lock")


def test_who_freed_it_is_known_and_its_fields_are_gone() -> None:
    """The VMA that the fault still looks at: freed one step before, by munmap, at once."""
    trace, states = trace_of("no-rcu-free"), states_of("no-rcu-free")
    (freed,) = [one for one in states.freed if one.object == "vma 0"]
    assert (freed.how, freed.step, freed.thread) == ("in use -> free", trace.length - 1, "munmap")
    assert freed.function == "vm_area_free"
    before, after = states.at(freed.step - 1), states.at(freed.step)
    assert before["vma", "vma 0->vm_start"] == "0"
    assert ("vma", "vma 0->vm_start") not in after
    assert after["vma", "vma 0"] == "free"
    assert after["fault", "vma"] == "vma 0 (freed)"
