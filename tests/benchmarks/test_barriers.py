"""The table of barriers by design: what it says of designs whose barriers are known."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.barriers import EITHER, NEEDED, NEVER, OPEN, Answer, Barrier, answer_of, found_in, page
from spfvar.explore.explore import explore
from spfvar.explore.options import Options
from spfvar.matrix import catalogue
from spfvar.matrix.ablate import ablate
from spfvar.render.ablation import render_json
from tests.explore import weakworlds
from tests.explore.weakworlds import RACE, registry


def found(name: str, max_states: int = 1_000_000) -> dict[Barrier, Answer]:
    """The barriers of a design in one race."""
    races = {RACE: catalogue.races()[RACE]}
    options = Options(max_states=max_states)
    variant = registry().any_variant(name)
    done = ablate(variant, races, options=options, jobs=1, memory="lkmm", barriers=True)
    return found_in(json.loads(render_json(name, done)))


@pytest.mark.parametrize(
    ("design", "answers"),
    [
        # Message passing needs both.
        ("weak-fences", {("munmap", "smp_wmb()"): NEEDED, ("do_user_addr_fault", "smp_rmb()"): NEEDED}),
        # Of two orders of the reader either does.
        (
            "weak-both",
            {
                ("munmap", "release: store 1(mm->flag)"): NEEDED,
                ("do_user_addr_fault", "acquire: load(mm->flag)"): EITHER,
                ("do_user_addr_fault", "smp_rmb()"): EITHER,
            },
        ),
    ],
)
def test_each_barrier_has_its_answer(design: str, answers: dict[tuple[str, str], str]) -> None:
    """By function and name."""
    assert {(b.function, b.guard): a.answer for b, a in found(design).items()} == answers


def test_a_bound_leaves_it_open() -> None:
    """Nothing is called never needed whose search was cut off."""
    states = explore(weakworlds.world("fences"), Options(first=True)).states
    assert {answer.answer for answer in found("weak-fences", max_states=states - 1).values()} == {OPEN}


def test_what_holds_is_never_needed_and_what_is_needed_somewhere_is_needed() -> None:
    """Two entries alike in a function count as one, by the stronger answer."""
    held: dict[str, Any] = {
        "function": "f",
        "kind": "fence",
        "guard": "smp_mb()",
        "breaks": [],
        "either": [],
        "incomplete": [],
    }
    broken: dict[str, Any] = held | {"breaks": [{"race": "r", "property": "P4"}]}
    assert answer_of(held) == Answer(NEVER, "")
    for entries in ([held, broken], [broken, held]):
        assert found_in(entries) == {Barrier("f", "smp_mb()"): Answer(NEEDED, "P4 in r")}


def test_the_page_counts_and_lists_them() -> None:
    """A line of counts per design, and one per barrier, which says where it is needed and why."""
    lines = list(page({"a": {Barrier("f", "smp_mb()"): Answer(NEEDED, "P4 in r")}, "b": found("weak-both")}))
    assert "| a | 1 | 1 | 0 | 0 | 0 |" in lines
    assert "| b | 3 | 1 | 2 | 0 | 0 |" in lines
    assert "| `f` | `smp_mb()` | a: P4 in r |  |  |" in lines
    assert any("with `smp_rmb()` in `do_user_addr_fault`" in line for line in lines)
