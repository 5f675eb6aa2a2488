"""spfvar why: forms, files, messages."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.running import spfvar
from tests.render.chrome_traces import valid

CELL = ("--scenario", "mmap-churn", "--threads", "8", "--hardware", "phone-8c")


def run(*args: str) -> str:
    """The output of spfvar why."""
    answer = spfvar("why", *args)
    assert answer.code == 0, answer.err
    return answer.out


def test_the_table_fits_and_adds_up() -> None:
    """At most 80 columns; the steps' last row is the mean latency, to which the columns add up."""
    text = run("spf-do-fault", *CELL, "--against", "mmap-lock")
    assert [line for line in text.splitlines() if len(line) > 80] == []
    steps = text.split("Steps of a fault, in ns")[1].split("\n\n")[1]
    last = steps.splitlines()[-1].split()
    whole, *parts = (0.0 if word == "-" else float(word) for word in last[1:-1])  # the last one is "lost"
    assert last[0] == "all"
    assert sum(parts) == pytest.approx(whole, abs=3)  # each is rounded
    assert re.search(r"^x\d\.\d\d the faults/s of mmap-lock: a fault takes [+-]\d+ ns", text, re.MULTILINE)
    line = r"ns on line mm_struct\.mmap_lock: [+-]\d+ at \w+ in \w+, from \w+ in \w+ \(\d+/\d+\)"
    assert re.search(line, " ".join(text.split()))


def test_a_cut_table_is_whole_with_all() -> None:
    """Without "more steps" and "smaller differences"."""
    cut, whole = (run("mmap-lock", *CELL, "--against", "per-vma-6.12", *more) for more in ((), ("--all",)))
    for text in ("more steps", "smaller differences", "more lines"):
        assert text in cut
        assert text not in whole


def test_json_has_everything() -> None:
    """Numbers that do not exist are null; what is shared is not in the differences' changes."""
    found = json.loads(run("spf-do-fault", *CELL, "--against", "mmap-lock", "--format", "json"))
    faults = found["breakdown"]["faults"]
    assert sum(ns for step in faults["steps"] for ns in step["ns"].values()) == pytest.approx(faults["mean"])
    changes = sum(one["change"] for one in found["differences"])
    assert changes == pytest.approx(faults["mean"] - found["against"]["faults"]["mean"], abs=1e-3)
    assert found["axes"]["threads"] == 8


def test_markdown_has_the_same_tables() -> None:
    """In GitHub's dialect, with the command at the end."""
    text = run("mmap-lock", *CELL, "--format", "markdown")
    assert "### Where a fault's time goes" in text
    assert "| --- | ---: |" in text
    assert text.rstrip().endswith("`")


def test_files_are_written(tmp_path: Path) -> None:
    """A timeline that a viewer can show, folded stacks, and the table."""
    trace, folded, table = (tmp_path / name for name in ("out.json", "out.folded", "out.txt"))
    assert run("spf-do-fault", *CELL, "--trace", str(trace), "--folded", str(folded), "-o", str(table)) == ""
    events = valid(trace.read_text())
    assert max(event.get("ts", 0) for event in events) <= 50.0
    assert folded.read_text().startswith("call;")
    assert "Where a fault's time goes" in table.read_text()


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    """In every form; another seed gives others."""
    trace = tmp_path / "out.json"
    texts = []
    for _ in range(2):
        out = run("spf-do-fault", *CELL, "--format", "json", "--trace", str(trace), "--trace-us", "20")
        texts.append((out, trace.read_bytes()))
    assert texts[0] == texts[1]
    assert run("spf-do-fault", *CELL, "--format", "json", "--seed", "2") != texts[0][0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mmap-lock",), "--scenario: no load is given"),
        (("mmap-lok", *CELL), "did you mean 'mmap-lock'"),
        (("mmap-lock", "--scenario", "ptf"), "did you mean 'pft'"),
        (("mmap-lock", "--scenario", "file-*"), "--scenario: "),
        (("mmap-lock", *CELL, "--scenario", "pft"), "--scenario: 2 loads are given; expected one"),
        (("mmap-lock", "--scenario", "pft", "--threads", "1,2"), "--threads: 2 thread counts are given"),
        (("mmap-lock", *CELL, "--against", "mmap-lock"), "--against: mmap-lock is what is asked about"),
        (("mmap-lock", *CELL, "--trace-us", "0"), "--trace-us: 0 us; expected more than 0"),
        (("mmap-lock", *CELL, "--trace", "nowhere/x.json"), "nowhere"),
        (("mmap-lock", *CELL, "--trace", "x", "--folded", "x"), "--trace: names the same file as --folded"),
    ],
)
def test_bad_input_is_told(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    """Exit code 2, one line, nothing written."""
    answer = spfvar("why", *arguments, cwd=tmp_path)
    assert answer.code == 2
    assert said in answer.err
    assert answer.out == ""
    assert len(answer.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_load_without_faults_is_refused(tmp_path: Path) -> None:
    """Threads that map and unmap and touch nothing."""
    (tmp_path / "idle.toml").write_text(
        'kind = "load"\ntitle = "no faults"\n\n[axes.threads]\ndoc = "threads"\nvalues = [2]\n\n'
        '[[region]]\nname = "m"\nsize = "16KiB"\n\n[[group]]\nname = "t"\nthreads = "$threads"\nrepeat = 5\n'
        'program = [{ mmap = "m" }, { munmap = "m" }]\n'
    )
    answer = spfvar("why", "mmap-lock", "--scenario", "idle.toml", cwd=tmp_path)
    assert answer.code == 2
    assert "no thread of idle touches memory; expected a load with faults" in answer.err
