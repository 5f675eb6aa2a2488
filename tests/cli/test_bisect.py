"""The bisect command, and stacks of a series wherever the command line takes a variant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spfvar.cli.main import main

PLUGIN = str(Path(__file__).parents[1] / "matrix" / "broken_series.py")
SMALL = ["--race", "two-faults", "--plugin", PLUGIN]


def spfvar(*arguments: str) -> int:
    """Run the command line; returns its exit code."""
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return int(caught.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["spf"], "expected --race NAME or --scenario NAME"),
        (["spf", "--race", "munmap-anon", "--scenario", "pft"], "one of them"),
        (["spf", "--race", "munmap-anon", "--threads", "4"], "--threads: is for scenarios"),
        (["spf", "--race", "munmap-anno"], "did you mean 'munmap-anon'?"),
        (["spf", "--scenario", "pfft"], "did you mean 'pft'?"),
        (["spf", "--scenario", "pft", "--metric", "fault_per_s"], "did you mean 'faults_per_s'?"),
        (["spf-anon", "--race", "munmap-anon"], "'spf-anon' is a variant and no series"),
        (["spff", "--race", "munmap-anon"], "did you mean 'spf'?"),
        (["spf@23+30", "--race", "munmap-anon"], "needs 24, 26, 28 and 29"),
        (["spf", "--race", "munmap-anon", "-o", "/nonexistent/out"], "/nonexistent/out"),
    ],
)
def test_bad_input_gets_one_message_and_exit_code_2(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is run."""
    assert spfvar("bisect", *arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    assert expected in err


def test_exit_codes_say_what_was_found(capsys: pytest.CaptureFixture[str]) -> None:
    """1: a prefix breaks a race; 3: none does, but one was not searched completely; 0: all are safe."""
    assert spfvar("bisect", "detour", *SMALL[2:], "--race", "munmap-anon", "--format", "json") == 1
    rows = json.loads(capsys.readouterr().out)
    assert [row["change"] for row in rows] == [None, None, "BREAKS", None, "heals", None]
    assert spfvar("bisect", "detour@1", *SMALL, "--max-states", "5") == 3
    assert "incomplete: 0 (v5.12, without the series) in two-faults" in " ".join(
        capsys.readouterr().out.split()
    )
    assert spfvar("bisect", "detour@1", *SMALL) == 0


def test_a_series_whose_text_is_broken_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With file and line, as of any plugin; nothing is run."""
    path = tmp_path / "bad.py"
    path.write_text(
        "from spfvar.mm.hookspecs import hookimpl\n"
        "from spfvar.plugins.series import Series, SeriesPatch\n"
        "class Bad:\n"
        "    @hookimpl\n"
        "    def do_fault(self, vmf):\n"
        "        yield 42\n"
        'SERIES = [Series("bad", "t", "v0", "s", (SeriesPatch(1, "t", "m", (Bad,)),))]\n'
    )
    assert spfvar("bisect", "bad", "--race", "munmap-file", "--plugin", str(path)) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert f"{path}:6: " in err
    assert "yields 42" in err


def test_a_file_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Instead of the terminal, with the same text each time."""
    path = tmp_path / "out.json"
    for _ in range(2):
        assert spfvar("bisect", "detour@1", *SMALL, "--format", "json", "-o", str(path)) == 0
        assert capsys.readouterr().out == ""
        text, before = path.read_text(), path.read_text()
        assert text == before
    assert [row["patch"] for row in json.loads(path.read_text())] == [0, 1]


def test_a_metric_is_bisected(capsys: pytest.CaptureFixture[str]) -> None:
    """A table of the load, with the marks' definitions and the command line."""
    arguments = ["--scenario", "pft", "--threads", "16", "--seeds", "2", "--plugin", PLUGIN]
    assert spfvar("bisect", "detour@2", *arguments) == 0
    out = capsys.readouterr().out
    assert out.startswith("SIMULATED on ")
    assert "2 (take RCU instead of mmap_lock): faults_per_s better in pft" in " ".join(out.split())


def test_stacks_are_variants_for_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """check, replay, ablate, show, list and export take spf@N and spf~N; names keep as they were typed."""
    race = ["--race", "munmap-file"]
    assert spfvar("check", "spf~23", "spf@16", *race, "--format", "json") == 1
    broken, safe = json.loads(capsys.readouterr().out)
    assert (broken["variant"], broken["property"]) == ("spf~23", "P2")
    assert (safe["variant"], safe["verdict"]) == ("spf@16", "safe")
    assert spfvar("replay", broken["token"]) == 0
    assert spfvar("ablate", "spf@9", "--race", "two-faults", "--format", "json") == 0
    capsys.readouterr()
    assert spfvar("show", "spf~24") == 0
    assert "all patches without 24, nor 25, 26 and 29 to 32" in " ".join(capsys.readouterr().out.split())
    assert spfvar("export", "--promela", "spf@11", "two-faults") == 0
    assert "under spf@11" in capsys.readouterr().out


def test_a_series_is_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Each patch with number, title, needs and classes; as JSON too."""
    assert spfvar("list", "series") == 0
    assert "spf@24 " in capsys.readouterr().out
    assert spfvar("list", "series", "--format", "json") == 0
    series = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    patch = series["spf"]["patches"][23]
    assert (patch["number"], patch["needs"], patch["changes"]) == (24, [9], ["SpeculativeDoFault"])
    assert spfvar("show", "spf-posted") == 0
    assert "PostedPteAlloc" in capsys.readouterr().out
