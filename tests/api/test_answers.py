"""Answers: rows, text and what a notebook shows; kept, saved and read again; interrupted."""

from __future__ import annotations

import copy
import json
import math
import pickle
import re
import shlex
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import spfvar
from spfvar.api import progress
from spfvar.api.arguments import bounds
from spfvar.api.arguments import command as command_line
from spfvar.api.frames import Answer
from spfvar.cli.bounds import search_options
from spfvar.explore.options import MAX_STATES, Options
from spfvar.matrix import cells
from spfvar.store.database import VARIABLE
from tests.cli.running import spfvar as command

SMALL = {"scenarios": "file-cow", "threads": 1, "seeds": 3}

PRE = '<pre style="max-height: 60em; overflow: auto">'


@pytest.fixture(scope="module")
def compared() -> spfvar.ComparisonFrame:
    """Two variants at one point, three seeds."""
    return spfvar.compare("spf-do-fault", scenarios="file-cow", threads=1, seeds=3)


@pytest.fixture(scope="module")
def checked() -> spfvar.CheckFrame:
    """A race that breaks, and one that holds."""
    return spfvar.check("spf-posted", races=["munmap-anon", "mprotect"])


def test_samples_and_events_are_frames_of_their_own(compared: spfvar.ComparisonFrame) -> None:
    """A row per run; values of cells are means of them (of rates, harmonic ones); axes are columns."""
    rates = compared.samples.query("metric == 'faults_per_s'")
    assert list(rates["seed"]) == [1, 2, 3] * 2
    assert set(rates["threads"]) == {1}
    means = rates.groupby("variant", sort=False)["value"].agg(lambda values: 1 / np.mean(1 / values))
    cells = compared.query("metric == 'faults_per_s'")
    assert np.allclose(means, cells["value"], rtol=1e-12)
    assert set(compared.events["n"]) == {3}
    # A thread alone: no fault is tried without mmap_lock, so all 1000 of 1000 are done under it.
    assert compared.events.query("event == 'mmap_lock_fault'")["per_1000"].tolist() == [1000.0] * 2
    assert compared.failures == []


def test_p_is_below_a_level_where_its_interval_leaves_out_one(compared: spfvar.ComparisonFrame) -> None:
    """Of 95 % and 99.9 %; it has no value for the baseline."""
    assert compared.query("variant == 'mmap-lock'")["p"].isna().all()
    rows = compared.query("variant == 'spf-do-fault' and ratio == ratio and ratio_low < ratio_high")
    assert len(rows) >= 3
    for level, low, high in ((0.05, "ratio_low", "ratio_high"), (0.001, "ratio999_low", "ratio999_high")):
        outside = (rows[low] > 1) | (rows[high] < 1)
        assert list(rows["p"] < level) == list(outside)


def test_a_part_of_an_answer_is_an_ordinary_frame(
    compared: spfvar.ComparisonFrame, checked: spfvar.CheckFrame
) -> None:
    """Slices, copies and what was pickled: nothing that is no longer whole has the whole's text."""
    for answer in (compared, checked):
        parts = (answer.head(1), answer.copy(), copy.deepcopy(answer), pickle.loads(pickle.dumps(answer)))
        assert [type(part) for part in parts] == [pd.DataFrame] * 4
        assert len(parts[2]) == len(answer)
    assert compared.head(1).attrs == compared.attrs
    assert checked.violations["race"].tolist() == ["munmap-anon"]


def test_a_notebook_shows_the_text_and_the_rows(
    compared: spfvar.ComparisonFrame, checked: spfvar.CheckFrame
) -> None:
    """What the command prints comes first; markup in it is text."""
    page = compared._repr_html_()
    assert page is not None
    assert page.startswith(PRE + "SIMULATED on skylake-2s56c")
    assert "<summary>28 rows</summary>" in page
    assert "UNSAFE" not in compared.text()
    assert " ".join(compared.text().replace("\\\n", "").split()).endswith(
        "Reproduce: spfvar compare spf-do-fault --scenario file-cow --threads 1 --seeds 3"
    )
    assert "munmap-anon" in checked.text()
    assert "P4 broken in 57 steps" in checked.text()
    assert Answer([{"a": 1}], lambda: "x < y").__class__.__mro__[1] is pd.DataFrame
    assert (Answer([{"a": 1}], lambda: "x < y")._repr_html_() or "").startswith(PRE + "x &lt; y</pre>")
    seen = spfvar.replay(checked["token"][0])._repr_html_()
    assert "=&gt; spf-posted, munmap-anon: reproduced" in seen
    variant = spfvar.get_variant("spf-do-fault")
    for shown in (
        variant,
        spfvar.get_scenario("pft"),
        spfvar.get_race("mprotect"),
        spfvar.get_hardware("phone-8c"),
    ):
        assert shown.title.replace("'", "&#x27;").replace("&", "&amp;", 0) in shown._repr_html_()
    assert "SpeculativeFault" in variant._repr_html_()


def test_a_saved_comparison_is_read_again(compared: spfvar.ComparisonFrame, tmp_path: Path) -> None:
    """By Python and by the command; what the command writes differs in nothing but its own words."""
    mine, theirs = tmp_path / "mine.jsonl", tmp_path / "theirs.jsonl"
    spfvar.save(compared, mine)
    pd.testing.assert_frame_equal(pd.DataFrame(spfvar.load(str(mine))), pd.DataFrame(compared))
    line = ["compare", "spf-do-fault", "--scenario", "file-cow", "--threads", "1", "--seeds", "3"]
    assert command(*line, "--save", str(theirs)).code == 0
    assert theirs.read_text() == mine.read_text()
    part = spfvar.load(str(mine), scenarios="file-*", threads=1, variants="mmap-lock")
    assert list(part["variant"].unique()) == ["mmap-lock"]
    with pytest.raises(spfvar.InputError, match="a DataFrame cannot be saved"):
        spfvar.save(compared.head(), mine)


def test_a_run_of_another_model_is_told_as_such(
    compared: spfvar.ComparisonFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In Python as by the command: its numbers are not those that a run would have now."""
    file = tmp_path / "old.jsonl"
    spfvar.save(compared, file)
    monkeypatch.setattr(spfvar, "MODEL_VERSION", "2")
    note = "run by model 1; this spfvar has model 2"
    assert note in " ".join(spfvar.load(file).text().split())
    assert note in " ".join(command("compare", "--load", str(file)).out.split())
    assert note not in compared.text()


def test_saved_verdicts_are_read_again(checked: spfvar.CheckFrame, tmp_path: Path) -> None:
    """And `spfvar replay` takes the file."""
    file = tmp_path / "known.toml"
    spfvar.save(checked, file)
    found = spfvar.load_checks(str(file))
    assert found["verdict"].tolist() == checked["verdict"].tolist()
    assert found["token"][0] == checked["token"][0]
    assert "1 of 1 violations are still there" in command("replay", str(file)).out


def test_what_was_computed_is_not_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless that is wanted: ``store=False``."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "results.sqlite"))
    first = spfvar.compare("mmap-lock", **SMALL)  # type: ignore[arg-type]

    def never(*_: object) -> None:
        raise AssertionError("it was run again")

    monkeypatch.setattr(cells, "simulate", never)
    again = spfvar.compare("mmap-lock", **SMALL)  # type: ignore[arg-type]
    pd.testing.assert_frame_equal(pd.DataFrame(first), pd.DataFrame(again))
    with pytest.raises(AssertionError, match="it was run again"):
        spfvar.compare("mmap-lock", store=False, **SMALL)  # type: ignore[arg-type]


def test_progress_is_one_line_that_goes(capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr, if it is asked for; the last thing written clears it."""
    spfvar.coverage("mmap-lock")
    assert capsys.readouterr() == ("", "")
    spfvar.coverage("mmap-lock", progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    first, *_, last = err.removesuffix("\r").split("\r")
    assert (first, last.strip()) == ("", "")
    assert re.search(r"\rvariants: 1 of 1  \d+ s\r", err)


def test_an_interrupt_ends_a_call_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C while cells or races run: no thread is left, the line is cleared, the next call works."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    before = threading.active_count()
    with monkeypatch.context() as patched:
        patched.setattr(progress, "printable", interrupted)
        with pytest.raises(KeyboardInterrupt):
            spfvar.compare("mmap-lock", progress=True, **SMALL)  # type: ignore[arg-type]
        with pytest.raises(KeyboardInterrupt):
            spfvar.check("mmap-lock", races="munmap-anon", progress=True)
    assert threading.active_count() == before
    assert capsys.readouterr().err.strip() == ""
    assert spfvar.check("mmap-lock", races="munmap-anon")["verdict"].tolist() == ["safe"]


def test_guards_hunts_and_coverage_are_frames() -> None:
    """Rows as the commands' JSON has them; text as they print it."""
    guards = spfvar.ablate("per-vma-6.12", races="mprotect")
    assert set(guards["variant"]) == {"per-vma-6.12"}
    assert len(guards) == len(guards.found.guards)
    assert "Reproduce: spfvar ablate per-vma-6.12 --race mprotect" in guards.text()
    found = spfvar.hunt("s7@spf-do-fault", verbs=["load", "munmap"], memories="closed-file")
    assert found.designs[["variant", "findings", "complete"]].to_numpy().tolist() == [
        ["s7@spf-do-fault", len(found), True]
    ]
    assert list(found["race"].map(type).unique()) in ([spfvar.Race], [])
    faults = spfvar.coverage("mmap-lock")
    assert set(faults["verdict"]) <= {"mmap_lock", "refused"}
    assert "munmap" in set(spfvar.coverage("mmap-lock", writers=True)["writer"])


def test_a_series_is_bisected_in_races_and_in_loads() -> None:
    """`spf-posted@1` and so on: a row per prefix; the first has none before it to be compared with."""
    races = spfvar.bisect("spf@4", races="munmap-anon")
    assert races["patch"].tolist() == [0, *range(1, 5)]
    loads = spfvar.bisect("spf@4", scenarios="pft", threads=1, seeds=2)
    assert loads["patch"].tolist() == races["patch"].tolist()
    assert np.isnan(loads["ratio"][0])
    assert loads["title"][0].endswith("without the series")
    assert "SIMULATED" in loads.text()


ROWS = """title = "t"
source = "a mail"
kernel = "v5.12"
[machine]
title = "a machine"
profile = "skylake-2s56c"
[[table]]
row = "X1"
load = "pft"
settings = { vma = "process" }
threads = [1]
[table.values]
mmap-lock = [600000]
spf-anon = [600000]
"""


def test_published_numbers_are_rows(tmp_path: Path) -> None:
    """The keys are those of the command's JSON; so are the figures."""
    file = tmp_path / "mine.toml"
    file.write_text(ROWS)
    found = spfvar.validate(files=file, seeds=1)
    entries = json.loads(command("validate", "--rows", str(file), "--seeds", "1", "--format", "json").out)
    assert list(found.columns) == list(entries[0])
    assert found["model"].tolist() == [entry["model"] for entry in entries]


BOUNDS = "--max-states 900000 --max-memory 1073741824 --timeout"


@pytest.mark.parametrize(
    ("seconds", "said"), [(12345.678, "12345.678s"), (1e-4, "100us"), (86_400, "86400s")]
)
def test_the_line_that_repeats_a_search_has_its_bounds(seconds: float, said: str) -> None:
    """Of every function that searches; a duration is one that the command reads as the same, to a ns."""
    line = shlex.join(command_line("check", (), **bounds(900_000, 1 << 30, seconds)))
    assert line == f"check {BOUNDS} {said}"
    read = search_options(900_000, "1073741824", said)
    assert read == Options(900_000, 1 << 30, read.seconds)
    assert read.seconds == pytest.approx(seconds, abs=1e-9)
    assert command_line("check", (), **bounds(MAX_STATES, None, math.inf)) == ("check",)


def test_every_search_tells_its_bounds() -> None:
    given: dict[str, Any] = {
        "races": "munmap-anon", "max_states": 900_000, "max_memory": 1 << 30, "seconds": 3600.0,
    }  # fmt: skip
    for answer in (
        spfvar.check("mmap-lock", **given),
        spfvar.ablate("mmap-lock", **given),
        spfvar.bisect("spf@1", **given),
    ):
        assert f"{BOUNDS} 3600s" in " ".join(answer.text().replace("\\\n", "").split())


def test_where_the_time_goes_can_be_looked_at() -> None:
    """Steps add up to the mean latency; the text is the command's."""
    found = spfvar.why("mmap-lock", spfvar.get_scenario("pft"), threads=1)
    assert found.steps["ns"].sum() == pytest.approx(found.breakdown.faults.mean, rel=1e-9)
    assert found._repr_html_().startswith(PRE)
    assert "spfvar why mmap-lock --scenario pft --threads 1" in found.text()


def test_listings_have_the_rows_of_the_command() -> None:
    """Names and titles, in the same order."""
    for name in (one for one in spfvar.__all__ if one.startswith("list_")):
        frame = getattr(spfvar, name)()
        rows = json.loads(command("list", name.removeprefix("list_"), "--format", "json").out)
        assert frame[["name", "title"]].to_numpy().tolist() == [[row["name"], row["title"]] for row in rows]
