"""The score counts every guard at every call, and explanations apply, are tried, or are reported."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

from benchmarks.mutants import Mutant, Mutants, Names, Searches
from benchmarks.mutations import (
    Explanation,
    Use,
    explained,
    explains,
    not_so,
    page,
    read_explanations,
    stale,
    use_of,
)
from spfvar.explore.guards import Guard
from spfvar.explore.sections import LOCK
from spfvar.matrix import catalogue
from spfvar.matrix.ablate import ablate
from spfvar.ops.op import CallSite
from tests.explore.checking import registry


def guard(function: str, name: str, where: str, caller: tuple[str, str] | None = None) -> Guard:
    """A lock, at one call of its function."""
    return Guard(function, LOCK, name, where, CallSite(*caller) if caller is not None else None)


MUTANTS = [
    Mutant(guard("start_write", "down_write", "a.py:9", ("merge", "m.py:10")), ["mprotect"]),
    Mutant(guard("start_write", "down_write", "a.py:9", ("merge", "m.py:9")), breaks=("munmap-file", "P1")),
    Mutant(guard("start_write", "down_write", "a.py:9", ("mbind", "n.py:5")), breaks=("munmap-file", "P1")),
    Mutant(guard("munmap", "down_read", "w.py:30"), ["mprotect"]),
    Mutant(guard("munmap", "down_read", "w.py:4"), breaks=("munmap-file", "P1")),
]
NAMES = Names([mutant.guard for mutant in MUTANTS])
USES = [use_of("design", mutant, NAMES) for mutant in MUTANTS]
WHY = Explanation(
    designs=("des*",), functions=("start_write",), guard="lock: *", calls=("merge, 2 of 2",), why="redundant",
    because="it only grows.",
)  # fmt: skip


def test_each_call_is_one_use_and_a_guard_without_calls_is_one_too() -> None:
    """Those that are called alike are numbered by line: 9 before 10, 4 before 30."""
    assert [(use.guard, use.call, use.noticed) for use in USES] == [
        ("lock: down_write", "merge, 2 of 2", False),
        ("lock: down_write", "merge, 1 of 2", True),
        ("lock: down_write", "mbind", True),
        ("lock: down_read, 2 of 2", "", False),
        ("lock: down_read, 1 of 2", "", True),
    ]


def test_an_explanation_is_about_what_its_globs_name_and_only_about_what_nothing_notices() -> None:
    """The noticed call of the same function is not explained."""
    assert explained(USES, [replace_calls("*")]) == {USES[0]: replace_calls("*")}
    assert not explains(WHY, USES[1])
    assert not explains(WHY, replace(USES[0], design="other"))


def replace_calls(*calls: str) -> Explanation:
    """The same explanation of other calls."""
    return WHY.model_copy(update={"calls": calls})


def test_an_explanation_that_no_longer_applies_is_reported() -> None:
    """Its guard is noticed now, or is gone; each call and each design that it names needs one."""
    assert stale(USES, [WHY]) == []
    noticed = [replace(use, by_race=True) for use in USES]
    assert stale(noticed, [WHY]) == ["explanation 1 (start_write: lock: *): nothing to explain in des*"]
    assert stale(USES, [replace_calls("merge*", "mbind")]) == [
        "explanation 1 (start_write: lock: *): nothing to explain in calls by mbind"
    ]


def test_a_design_that_was_not_looked_at_leaves_its_explanations_alone() -> None:
    """A page of one design says nothing of the others'."""
    other = WHY.model_copy(update={"designs": ("else",)})
    assert stale(USES, [other]) == []


def test_the_page_has_the_score_the_reasons_and_what_is_left() -> None:
    """Five uses, four of them noticed, one of these by a generated race only, one explained; then one left."""
    uses = [*USES[:3], replace(USES[3], by_hunt=True), USES[4]]
    text = page(["design"], uses, [WHY], 2)
    assert "| `design` | 5 | 4 (80 %) | 1 | 1 | 0 |" in text
    assert "it only grows." in text
    assert "None." in text
    left = page(["design"], USES, [WHY], 2)
    assert "* `design`: `munmap`: lock: down_read, 2 of 2: holds in 1 races and 0 generated ones" in left


def test_the_table_of_explanations_is_one() -> None:
    """Every entry has a reason that is a sentence, and names designs."""
    for explanation in read_explanations():
        assert explanation.because.endswith("."), explanation
        assert explanation.designs, explanation


def test_uses_are_distinct() -> None:
    """Names tell all of them apart: an explanation cannot be about two by mistake."""
    assert len({(use.function, use.guard, use.call) for use in USES}) == len(USES)


def test_the_score_of_a_left_open_guard_is_not_explained() -> None:
    """What a bound cut off is said so."""
    open_use = Use("design", "f", "lock: x", "", False, True, 0)
    assert "* `design`: `f`: lock: x: left open" in page(["design"], [open_use], [], None)


def test_a_design_without_guards_of_its_own_has_a_row() -> None:
    """It is its core but for what it leaves out."""
    assert "| `core` | 0 | none of its own | 0 | 0 | 0 |" in page(["core"], [], [], None)


@cache
def mutants() -> Mutants:
    """A speculative design in two small races."""
    races = {name: catalogue.races()[name] for name in ("two-copies", "madvise")}
    return Mutants(registry().any_variant("spf-anon"), races, Searches())


def test_what_is_noticed_is_what_ablation_says() -> None:
    """Call by call: the same guards, the same verdicts; both stop at a race that breaks."""
    found = {mutant.guard: mutant for mutant in mutants().run()}
    ablated = ablate(mutants().variant, mutants().races, jobs=1)
    uses = {use.guard: use for use in ablated.uses}
    assert found.keys() == uses.keys()
    for one, mutant in found.items():
        assert (mutant.breaks is not None) == bool(uses[one].breaks), one
        assert mutant.breaks is not None or sorted(mutant.holds) == sorted(uses[one].holds)


def test_equal_searches_are_run_once() -> None:
    """A second run of the same design in the same races finds everything known."""
    first = mutants().run()
    done = mutants().searches.done
    again = Mutants(mutants().variant, mutants().races, mutants().searches)
    assert again.run() == first
    assert mutants().searches.done == done


def test_what_is_said_to_do_the_same_is_tried() -> None:
    """A shared page is mapped with its folio locked: without that lock, the table's is missed.

    Neither is noticed alone in this race.  With a partner that does something else it is not so.
    """
    races = {"two-shared-faults": catalogue.races()["two-shared-faults"]}
    shared = Mutants(registry().any_variant("mmap-lock"), races, Searches())
    found = {use_of("mmap-lock", mutant, shared.names): mutant.guard for mutant in shared.run()}
    locks = [one for one in found if one.function == "finish_fault" and "page_table->ptl" in one.guard]
    assert [one.noticed for one in locks] == [False, False]
    use = locks[-1]
    for partner, wrong in (("lock_folio_maybe_drop_mmap: lock: *", 0), ("filemap_fault: reference: *", 1)):
        why = Explanation.model_validate(
            {"designs": ["*"], "functions": ["*"], "guard": "*", "why": "redundant", "because": "x.",
             "with": [partner]}
        )  # fmt: skip
        assert len(list(not_so(shared, {use: why}, found))) == wrong


def test_what_was_found_is_kept_and_belongs_to_the_model(tmp_path: Path) -> None:
    """A second process runs no search; with another model's file all are run again."""
    races = {"two-copies": catalogue.races()["two-copies"]}
    keep = tmp_path / "searches.json"
    first = Searches(keep)
    found = Mutants(registry().any_variant("mmap-lock"), races, first).run()
    first.save()
    second = Searches(keep)
    assert Mutants(registry().any_variant("mmap-lock"), races, second).run() == found
    assert (first.done > 0, second.done) == (True, 0)
    kept = json.loads(keep.read_text(encoding="utf-8"))
    keep.write_text(json.dumps(kept | {"model": "another"}), encoding="utf-8")
    third = Searches(keep)
    Mutants(registry().any_variant("mmap-lock"), races, third).run()
    assert third.done == first.done
