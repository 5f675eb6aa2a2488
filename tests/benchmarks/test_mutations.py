"""The score counts every guard at every call, and explanations apply or are reported."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.mutations import (
    Explanation,
    Use,
    explained,
    explains,
    page,
    read_explanations,
    stale,
    uses_of,
)


def result(**more: Any) -> dict[str, Any]:
    """What ablation says of a guard or a call: nothing notices it."""
    return {"breaks": [], "holds": ["mprotect"], "incomplete": [], "hunted": None, **more}


def entry(function: str, name: str, where: str, *calls: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A guard as JSON has it."""
    return {
        "function": function,
        "kind": "lock",
        "guard": name,
        "where": where,
        "calls": list(calls),
    } | result(**more)


BREAKS = [{"race": "munmap-file", "property": "P1", "steps": 9, "what": "gone"}]
ENTRIES = [
    entry(
        "start_write", "down_write", "a.py:9",
        {"caller": "merge", "where": "m.py:10"} | result(),
        {"caller": "merge", "where": "m.py:9"} | result(breaks=BREAKS),
        {"caller": "mbind", "where": "n.py:5"} | result(hunted={"races": 3, "needed": {"property": "P1"}}),
        breaks=BREAKS,
    ),
    entry("munmap", "down_read", "w.py:30"),
    entry("munmap", "down_read", "w.py:4", breaks=BREAKS),
]  # fmt: skip
USES = list(uses_of("design", ENTRIES))
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
    assert [use.by_hunt for use in USES] == [False, False, True, False, False]


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
    """Five uses, three of them noticed, one of these by a generated race only, one explained, one left."""
    text = page(["design"], USES, [WHY], 2)
    assert "| `design` | 5 | 3 (60 %) | 1 | 1 | 1 |" in text
    assert "it only grows." in text
    assert "* `design`: `munmap`: lock: down_read, 2 of 2: holds in 1 races and 0 generated ones" in text


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
    open_use = Use("design", "f", "lock: x", "", False, False, True, 0, 0)
    assert "* `design`: `f`: lock: x: left open" in page(["design"], [open_use], [], None)


def test_a_design_without_guards_of_its_own_has_a_row() -> None:
    """It is its core but for what it leaves out."""
    assert "| `core` | 0 | none of its own | 0 | 0 | 0 |" in page(["core"], [], [], None)
