"""What other tracers print: the same fault, in their lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from spfvar.errors import InputError
from spfvar.kernel.layouts import as_graph
from spfvar.kernel.letters import LOCK_PROBES, RCU_PROBES, Projection, letters_for
from spfvar.kernel.recording import events, segments
from tests.kernel import traces as t
from tests.kernel.tracers import TRACE_CMD, TRACERS

PROBES = frozenset({*LOCK_PROBES, *RCU_PROBES})
V61 = letters_for("6.1")

#: A read of a present page in v6.1, marked; the ptl is one because it lies where a pmd's lock lay.
WORD = [
    "down_read_trylock mmap_lock = 1", "find_vma", "handle_mm_fault()", "spin_lock ptl",
    "ptep_set_access_flags", "spin_unlock ptl", "up_read mmap_lock",
]  # fmt: skip


def word(lines: list[str]) -> list[str]:
    """The marked fault's letters."""
    found = segments(events(as_graph(lines, PROBES, "trace"), "trace"), V61.fault_roots)
    (marked,) = [segment for segment in found if segment.kind == "one"]
    return [letter.text for letter in Projection(V61, found).letters(marked)]


@pytest.mark.parametrize("lines", TRACERS.values(), ids=TRACERS)
def test_the_same_fault_has_the_same_letters_whoever_printed_it(lines: list[str]) -> None:
    """Locks, a trylock's outcome, functions and their ends."""
    assert word(lines) == WORD


def test_lines_are_counted_as_in_the_file() -> None:
    """A drift names the line of what the user has, and the first line is no event."""
    found = segments(events(as_graph(TRACE_CMD, PROBES, "trace"), "trace"), V61.fault_roots)
    assert [segment.kind for segment in found] == ["", "one"]
    assert TRACE_CMD[found[1].events[0].line - 1].endswith("error_code=0x4")


def test_what_function_graph_printed_is_left_as_it_is() -> None:
    """Line by line."""
    lines = ["# tracer: function_graph", *t.read_of_present_page()]
    assert list(as_graph(lines, PROBES, "trace")) == lines


def test_a_file_of_no_tracer_is_refused_with_those_that_are_known() -> None:
    """By its first lines."""
    with pytest.raises(InputError, match=r"mine.*trace-cmd report"):
        list(as_graph(["hello", "world: 1"], PROBES, "mine"))


def test_the_lines_that_the_docs_show_are_read() -> None:
    """A fault, marked, with a trylock that its caller's name tells, and its lock that the mm tells."""
    text = (Path(__file__).parents[2] / "docs" / "conform.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("pf-162 [")]
    found = segments(events(as_graph(lines, PROBES, "docs"), "docs"), V61.fault_roots)
    assert [segment.kind for segment in found] == ["file-read"]
    letters = [letter.text for letter in Projection(V61, found).letters(found[0])]
    assert letters == ["down_read_trylock mmap_lock = 1", "handle_mm_fault()"]
