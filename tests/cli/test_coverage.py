"""spfvar coverage: forms, footnotes, messages."""

from __future__ import annotations

import json
from pathlib import Path

from spfvar.faultpaths.kinds import FAULT_KINDS
from spfvar.faultpaths.system_calls import WRITERS
from tests.cli.running import spfvar


def run(*args: str) -> str:
    """The output of spfvar coverage."""
    answer = spfvar("coverage", *args)
    assert answer.code == 0, answer.err
    return answer.out


def test_the_table_has_every_kind_and_explains_its_marks() -> None:
    """At most 80 columns; each footnote letter of a cell is below the table."""
    text = run("per-vma-6.12", "spf-anon")
    assert max(map(len, text.splitlines())) <= 80
    table = text.split("\n\n")[0]
    assert [kind.name for kind in FAULT_KINDS if f"\n{kind.name} " not in table] == []
    assert "swap-io       falls back [b]" in table
    assert "[b] the lock was dropped for a wait (swap_readpage)" in table


def test_many_designs_are_a_page_with_a_sign_for_each_kind() -> None:
    """Designs that handle the same share a row, the counts are those of the table, -v has all of it.

    Under mmap_lock no kind is handled without it, in either design.
    """
    names = ["mmap-lock", "mmap-lock-6.1", "per-vma-6.12", "spf-anon"]
    text = run(*names)
    lines = text.splitlines()
    assert len(lines) <= 45
    assert max(map(len, lines)) <= 80
    assert lines[1] == "mmap-lock"
    assert lines[2].split() == ["mmap-lock-6.1", *["."] * len(FAULT_KINDS), "0", "of", str(len(FAULT_KINDS))]
    rows = json.loads(run("per-vma-6.12", "--format", "json"))
    handled = sum(row["verdict"] == "handled" for row in rows)
    assert lines[3].startswith("per-vma-6.12")
    assert lines[3].endswith(f"  {handled} of {len(FAULT_KINDS)}")
    assert "[a] " in run(*names, "-v")


def test_writers_of_several_designs_are_a_line_each() -> None:
    """A line's first three figures are all writers: each takes mmap_lock in one way, or not at all."""
    text = run("mmap-lock", "per-vma-6.12", "--writers")
    assert len(text.splitlines()) <= 20
    row = next(line.split() for line in text.splitlines() if line.startswith("mmap-lock"))
    assert sum(map(int, row[1:4])) == len(WRITERS)


def test_json_has_one_entry_per_variant_and_kind(tmp_path: Path) -> None:
    """The same as the table, with reasons and conditions as texts; -o writes it to a file."""
    file = tmp_path / "coverage.json"
    assert run("mmap-lock", "--format", "json", "-o", str(file)) == ""
    rows = json.loads(file.read_text())
    assert [row["kind"] for row in rows] == [kind.name for kind in FAULT_KINDS]
    assert {row["verdict"] for row in rows} == {"mmap_lock"}


def test_writers_are_a_table_of_locks_and_one_per_variant() -> None:
    """Markdown, so that the cells are easy to find."""
    text = run("per-vma-6.12", "--writers", "--format", "markdown")
    assert "| munmap | W>R; IPI, RCU, tables |" in text
    assert "| munmap | its VMA | waited for [a] | falls back" in text
    assert "| munmap | others | - | - |" in text
    assert [writer.name for writer in WRITERS if f"* `{writer.name}`: {writer.title}" not in text] == []


def test_parts_of_the_range_are_explained_where_there_are_any() -> None:
    """A line of the legend that nobody needs who compares designs with a rwsem."""
    part = "  r, w, w>r   the same, of a part: a lock of ranges stands in mmap_lock's place,"
    assert part in run("range-lock-refined", "--writers").splitlines()
    assert "of a part" not in run("mmap-lock", "--writers")


def test_an_unknown_variant_is_bad_input() -> None:
    """One message with the nearest name, exit code 2."""
    answer = spfvar("coverage", "per-vma-6.13")
    assert answer.code == 2
    assert "per-vma-6.12" in answer.err
