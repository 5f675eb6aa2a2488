"""Annotations: whatever a text holds, the runner reads one command with that text in it."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spfvar.comparison import stats
from spfvar.comparison.losses import beyond
from spfvar.comparison.metrics import METRICS, select
from spfvar.render.github import annotation, file_of, render_comparison
from spfvar.render.meta import Meta
from spfvar.units import FailOn

META = Meta("0.1.0", "1", "two-socket", "base", "0123456789ab", 6, 1, "spfvar compare")
SIMULATED = "SIMULATED on two-socket, 6 seeds, matrix 0123456789ab"


def runner_reads(line: str) -> tuple[str, dict[str, str], str]:
    """Take a command apart as GitHub's runner does: at the second ``::``, the commas, the first ``=``."""
    found = re.fullmatch(r"::([a-z]+) (.*?)::(.*)", line)
    assert found is not None
    level, properties, message = found.groups()
    pairs = dict(one.split("=", 1) for one in properties.split(",") if one)
    return level, {name: unescaped(text) for name, text in pairs.items()}, unescaped(message)


def unescaped(text: str) -> str:
    """As the runner does: the per cent sign last, so that a text may hold such a code itself."""
    for code, sign in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, sign)
    return text


TEXT = st.text(st.sampled_from("ab025ACD%:,=\r\n -\u00e9"), min_size=1, max_size=12)


@given(TEXT, TEXT, st.none() | TEXT)
def test_every_text_survives_on_one_line(title: str, message: str, file: str | None) -> None:
    """Titles and files may hold what ends a property, messages what ends a line."""
    line = annotation("warning", title, message, file)
    assert len(line.splitlines()) == 1
    expected = {"file": file, "title": title} if file else {"title": title}
    assert runner_reads(line) == ("warning", expected, message)


def test_a_message_cannot_start_a_command_of_its_own() -> None:
    """Only the first column of a line does, and no text begins a line."""
    line = annotation("error", "t", "x\n::error::forged\r\n::set-env name=A::b")
    assert [part for part in line.splitlines() if part.startswith("::")] == [line]


def test_files_are_told_from_the_root_of_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user's own file, or else the plugin; what lies elsewhere is told in full."""
    monkeypatch.chdir(tmp_path)
    assert file_of(tmp_path / "races" / "mine.toml", "spfvar.variants.spf") == "races/mine.toml"
    assert file_of(Path("races/mine.toml"), "plugin.py") == "races/mine.toml"
    assert file_of(None, str(tmp_path / "plugin.py")) == "plugin.py"
    assert file_of(Path("/elsewhere/x.toml"), "") == "/elsewhere/x.toml"
    assert file_of(None, "spfvar.variants.spf") is None


def comparisons() -> pd.DataFrame:
    """Two variants at two thread counts: one loses 10 % at 4 threads, and a third of its latency."""
    rates = {
        ("base", 1): 100,
        ("base", 4): 200,
        ("up", 1): 150,
        ("up", 4): 300,
        ("down", 1): 100,
        ("down", 4): 180,
    }
    rows = [
        (variant, "load", stats.axes_key({"threads": threads}), seed, metric, (value if rate else 1e4 / value) + seed / 100)
        for (variant, threads), value in rates.items()
        for seed in range(1, 7)
        for metric, rate in (("faults_per_s", True), ("fault_p99", False))
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=[*stats.PLACE, "seed", "metric", "value"])
    return stats.compare_to(frame, "base")


def test_losses_beyond_the_limit_are_errors_and_others_warnings() -> None:
    """Then a summary per variant; a cell that was not run is an error too."""
    found = comparisons()
    condition = FailOn("faults_per_s", 5.0)
    text = render_comparison(
        found, META, METRICS, beyond(found, condition), condition, ["stuck"], {("down", "load"): "load.toml"}
    )
    assert [runner_reads(line) for line in text.splitlines()] == [
        ("error", {"title": "not run"}, "stuck"),
        ("error", {"file": "load.toml", "title": "down in load threads=4"},
         f"faults_per_s is 10.0 % worse than base (limit: faults_per_s:worse>5%). {SIMULATED}"),
        ("warning", {"file": "load.toml", "title": "down in load threads=4"},
         # 1e4 / 180 against 1e4 / 200 is a ninth more.
         f"fault_p99 is 11.1 % worse than base. {SIMULATED}"),
        ("notice", {"title": "up against base"}, f"{', '.join(METRICS)}: 4 better. {SIMULATED}"),
        ("notice", {"title": "down against base"}, f"{', '.join(METRICS)}: 2 WORSE, 2 same. {SIMULATED}"),
    ]  # fmt: skip


def test_without_a_limit_only_what_is_shown_is_warned_of() -> None:
    """The default metric alone."""
    text = render_comparison(comparisons(), META, select(["faults_per_s"]), [], None, [], {})
    levels = [runner_reads(line)[0] for line in text.splitlines()]
    assert levels == ["warning", "notice", "notice"]
