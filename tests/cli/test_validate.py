"""spfvar validate: forms, rows of one's own, exit codes, messages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import spfvar

MINE = """\
title = "t"
source = "a mail"
kernel = "v5.12"
[machine]
title = "a machine"
profile = "skylake-2s56c"
[[table]]
row = "X1"
load = "pft"
settings = { vma = "process" }
threads = [1, 2]
[table.values]
mmap-lock = [600000, 1100000]
spf-anon = [600000, 11000000]
[[left_out]]
row = "X2"
what = "something else"
reason = "no such load"
"""
KEYS = {
    "row",
    "machine",
    "kernel",
    "load",
    "threads",
    "a",
    "b",
    "published",
    "model",
    "low",
    "high",
    "fitted",
}


@pytest.fixture
def mine(tmp_path: Path) -> str:
    """A file of two designs; at two threads its ratio is ten times what any model gives."""
    path = tmp_path / "mine.toml"
    path.write_text(MINE)
    return str(path)


def test_a_table_has_published_and_model_side_by_side(mine: str) -> None:
    """Ratios 1 and 10 and their errors; a row that is left out is told with its reason; the command ends it."""
    answer = spfvar("validate", "--rows", mine)
    assert answer.code == 0, answer.err
    lines = answer.out.splitlines()
    assert max(len(line) for line in lines if mine not in line) <= 80
    assert "X1: pft, vma=process; skylake-2s56c; v5.12; not fitted" in lines
    start = lines.index("  spf-anon / mmap-lock")
    assert lines[start + 2].split() == ["published", "1.00", "10.0"]
    assert lines[start + 6].split()[-1].endswith("*")
    assert "X2: something else: no such load" in answer.out
    end = answer.out[answer.out.index("Reproduce: ") :]
    assert end.replace("\\\n    ", "").strip() == f"Reproduce: spfvar validate --rows {mine}"


def test_json_is_a_list_of_numbers(mine: str) -> None:
    """Two ratios, and two rates of each design, for the machine is the profile's."""
    answer = spfvar("validate", "--rows", mine, "--format", "json", "--seeds", "1")
    entries = json.loads(answer.out)
    assert all(set(entry) >= KEYS for entry in entries)
    assert [entry["kind"] for entry in entries] == ["ratio", "ratio", "rate", "rate", "rate", "rate"]
    ratio = entries[1]
    assert (ratio["a"], ratio["b"], ratio["threads"], ratio["published"]) == (
        "mmap-lock",
        "spf-anon",
        2,
        10.0,
    )
    assert ratio["low"] < ratio["model"] < ratio["high"] < 10.0
    assert ratio["interval"] == "ensemble"
    assert entries[2]["a"] is None


def test_markdown_has_scores(mine: str) -> None:
    """One of two ratios within 15 %; the one effect has its sign, if the model gains 1 % at two threads at all."""
    answer = spfvar("validate", "--rows", mine, "--format", "markdown")
    assert "| ratios, not fitted | 2 | 1/2 (50%) |" in answer.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("S99",), "unknown published row 'S99'"),
        (("--rows", "nowhere.toml"), "nowhere.toml: cannot read"),
        (("--seeds", "0"), "--seeds: 0 seeds"),
    ],
)
def test_what_cannot_be_used_is_bad_input(arguments: tuple[str, ...], said: str) -> None:
    answer = spfvar("validate", *arguments)
    assert answer.code == 2
    assert said in answer.err
    assert answer.out == ""


def test_a_row_without_the_model_is_told_with_its_reason() -> None:
    """Nothing is run."""
    answer = spfvar("validate", "S8")
    assert answer.code == 0
    assert "a whole program" in answer.out
