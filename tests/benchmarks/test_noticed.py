"""Who notices a twin: recordings, the C, both or neither; what was not looked at is no "no"."""

from __future__ import annotations

from pathlib import Path

from benchmarks.noticed import Row, line, rows, summary, twins
from tests.csource.small import tree
from tests.explore.checking import registry


def row(words: int | None, functions: tuple[str, ...] | None) -> Row:
    """A twin's row."""
    return Row("design", "v1@design", "V1", words, functions)


def test_a_row_says_who_notices() -> None:
    """A dash: there was no recording, or no tree."""
    assert line(row(3, ("do_wp_page", "finish_fault"))).split() == [
        "v1@design", "V1", "3", "words", "do_wp_page,", "finish_fault",
    ]  # fmt: skip
    assert line(row(0, None)).split() == ["v1@design", "V1", "no", "-"]
    assert line(row(None, ())).split() == ["v1@design", "V1", "-", "no"]


def test_the_sum_counts_each_twin_once() -> None:
    """Of five: one by both, one by recordings, one by the C, two by neither."""
    found = [row(3, ("f",)), row(1, ()), row(0, ("f",)), row(0, ()), row(None, None)]
    assert summary(found) == "3 of 5 twins are noticed: 2 by recordings, 2 by the C, 1 by both"


def test_twins_are_those_of_a_design_and_of_any_machine() -> None:
    """Barriers show neither in recordings nor in the order of calls."""
    found = twins(registry(), "per-vma-6.12")
    assert "v7@per-vma-6.12" in found
    assert "v6-acquire@per-vma-6.12" not in found
    assert not [name for name in found if name.endswith("@mmap-lock")]
    assert twins(registry(), "per-vma-6.12", ["v1*"]) == [name for name in found if name.startswith("v1")]


def test_a_twin_is_beside_what_the_design_differs_in_itself(tmp_path: Path) -> None:
    """H3 grows a stack under mmap_lock for reading; this tree has two functions, which are the design's."""
    (found,) = rows(registry(), "mmap-lock", "6.1", str(tree(tmp_path)), ["h3@*"])
    assert found.words
    assert found.functions == ()
