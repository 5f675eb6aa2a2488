"""The table of barriers by design: what it says of designs whose barriers are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.barriers import EITHER, NEEDED, NEVER, Answer, Barrier, Taken, barrier_of, page, searched
from spfvar.explore.barriers import WHOLE
from spfvar.matrix import catalogue
from spfvar.matrix.ablate import ablate
from spfvar.scenario.race import Race
from tests.explore.weakworlds import RACE, registry


def found(name: str, most: int = 1_000_000) -> dict[Barrier, Answer]:
    """The barriers of a design in one race."""
    taken = Taken(registry().any_variant(name), {RACE: catalogue.races()[RACE]}, most)
    taken.look_at(RACE)
    return taken.answers()


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
    """Nothing is called never needed of a race whose search was cut off."""
    whole = found("weak-fences")
    cut_off = found("weak-fences", most=2)
    assert cut_off.keys() == whole.keys()
    assert {(answer.answer, answer.open) for answer in cut_off.values()} == {(NEVER, (RACE,))}
    assert {answer.open for answer in whole.values()} == {()}


def test_it_says_what_ablate_says() -> None:
    """Of a shipped design in some races: the same barriers, the same ones needed, none called so that is not."""
    races = {name: catalogue.races()[name] for name in ("munmap-file", "mprotect", "fork-cow")}
    variant = registry()["per-vma-6.12"]
    taken = Taken(variant, races)
    for name in races:
        taken.look_at(name)
    guards = ablate(variant, races, memory="lkmm", barriers=True, jobs=1).guards
    slow = {barrier_of(one.guard): one for one in guards if one.guard.kind in WHOLE}
    answers = taken.answers()
    assert slow.keys() <= answers.keys()
    assert {barrier for barrier, one in slow.items() if one.breaks} == {
        barrier for barrier, answer in answers.items() if answer.answer == NEEDED
    }
    assert any(one.breaks for one in slow.values())
    assert any(not one.breaks for one in slow.values())


def test_what_was_kept_is_read_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run of the same model searches nothing."""
    monkeypatch.setattr("benchmarks.barriers.load_registry", registry)
    monkeypatch.setattr("benchmarks.barriers.catalogue", Few)
    before = searched("weak-both", tmp_path)
    monkeypatch.setattr("benchmarks.barriers.Taken", None)
    assert searched("weak-both", tmp_path) == before
    assert before == found("weak-both")


class Few:
    """A catalogue of one race."""

    @staticmethod
    def races() -> Few:
        """Itself."""
        return Few()

    def names(self) -> list[str]:
        """Its race."""
        return [RACE]

    def __getitem__(self, name: str) -> Race:
        return catalogue.races()[name]


def test_the_page_counts_and_lists_them() -> None:
    """A line of counts per design, and one per barrier, which says where it is needed and why."""
    lines = list(page({"a": {Barrier("f", "smp_mb()"): Answer(NEEDED, "P4 in r")}, "b": found("weak-both")}))
    assert "| a | 1 | 1 | 0 | 0 |" in lines
    assert "| b | 3 | 1 | 2 | 0 |" in lines
    assert "| `f`: `smp_mb()` | needed | a: P4 in r |" in lines
    assert any("with `smp_rmb()` in `do_user_addr_fault`" in line for line in lines)
