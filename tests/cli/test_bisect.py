"""The bisect command, and stacks of a series wherever the command line takes a variant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import Answer, spfvar

PLUGIN = str(Path(__file__).parents[1] / "matrix" / "broken_series.py")
SMALL = ["--race", "two-faults", "--plugin", PLUGIN]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["spf"], "expected --race NAME, --bug TWIN or --scenario NAME"),
        (["spf", "--race", "munmap-anon", "--scenario", "pft"], "one of them"),
        (["spf", "--race", "munmap-anon", "--threads", "4"], "--threads: is for scenarios"),
        (["spf", "--race", "munmap-anon", "--seeds", "4"], "--seeds: is for scenarios"),
        (["spf", "--bug", "h4@spf-anonn"], "did you mean 'h4@spf-anon'?"),
        (["spf", "--bug", "v6-acquire@per-vma-6.6"], "per-vma-6.6, which has no patch of spf"),
        (["spf", "--scenario", "pft", "--bug", "h4@spf-anon"], "one of them"),
        (["spf", "--scenario", "pft", "--memory", "lkmm"], "--memory: times do not depend on it"),
        (["spf", "--race", "munmap-anno"], "did you mean 'munmap-anon'?"),
        (["spf", "--scenario", "pfft"], "did you mean 'pft'?"),
        (["spf", "--scenario", "pft", "--metric", "fault_per_s"], "did you mean 'faults_per_s'?"),
        (["spf-anon", "--race", "munmap-anon"], "'spf-anon' is a variant and no series"),
        (["spff", "--race", "munmap-anon"], "did you mean 'spf'?"),
        (["spf@23+30", "--race", "munmap-anon"], "needs 24, 26, 28 and 29"),
        (["spf", "--race", "munmap-anon", "-o", "/nonexistent/out"], "/nonexistent/out"),
    ],
)
def test_bad_input_gets_one_message_and_exit_code_2(arguments: list[str], expected: str) -> None:
    """Before anything is run."""
    answer = spfvar("bisect", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert len(answer.err.strip().splitlines()) == 1
    assert expected in answer.err


def test_exit_codes_say_what_was_found() -> None:
    """1: a prefix breaks a race; 3: none does, but one was not searched completely; 0: all are safe."""
    broken = spfvar("bisect", "detour", *SMALL[2:], "--race", "munmap-anon", "--format", "json")
    assert broken.code == 1
    changes = [row["change"] for row in json.loads(broken.out)]
    assert changes == [None, None, "BREAKS", None, "heals", None]
    cut = spfvar("bisect", "detour@1", *SMALL, "--max-states", "5")
    assert cut.code == 3
    assert "incomplete: 0 (v5.12, without the series) in two-faults" in " ".join(cut.out.split())
    assert spfvar("bisect", "detour@1", *SMALL).code == 0


def test_a_bug_is_put_into_every_prefix() -> None:
    """In its own race: H4 shows with 16, which lets anonymous faults speculate (docs/series.md).

    Its trace is that of the command which is named for it.
    """
    answer = spfvar("bisect", "spf@17", "--bug", "h4@spf-anon", "--format", "json")
    assert answer.code == 1
    rows = json.loads(answer.out)
    assert [(row["patch"], row["variant"], row["property"]) for row in rows if row["change"]] == [
        (16, "spf@16+h4@spf-anon", "P2")
    ]
    assert {row["race"] for row in rows} == {"mbind"}
    checked = spfvar("check", "spf@16+h4@spf-anon", "--race", "mbind", "--format", "json")
    assert [one["token"] for one in json.loads(checked.out)] == [rows[16]["token"]]
    assert spfvar("replay", rows[16]["token"]).code == 0


def test_the_memory_model_is_that_of_the_bug() -> None:
    """A missing barrier shows with the kernel's model alone, which the command for the trace names."""
    bug = ["--bug", "s-seq-end@spf-do-fault"]
    answer = spfvar("bisect", "spf@16", *bug)
    assert answer.code == 1
    trace = "spfvar check spf@16+s-seq-end@spf-do-fault --race stack-growth --memory lkmm"
    assert trace in " ".join(answer.out.split())
    assert spfvar("bisect", "spf@16", *bug, "--memory", "sc").code == 0


def test_a_trace_of_ones_own_race_is_found_by_its_file(tmp_path: Path) -> None:
    """No name would do: the file is in no folder where races are looked for."""
    race = tmp_path / "mine.toml"
    race.write_text((Path(__file__).parents[2] / "races" / "munmap-anon.toml").read_text())
    answer = spfvar("bisect", "detour@2", *SMALL[2:], "--race", str(race))
    assert answer.code == 1
    assert f"spfvar check detour@2 --race {race} --plugin {PLUGIN}" in " ".join(answer.out.split())


def test_a_series_whose_text_is_broken_is_told(tmp_path: Path) -> None:
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
    answer = spfvar("bisect", "bad", "--race", "munmap-file", "--plugin", str(path))
    assert (answer.code, answer.out) == (2, "")
    assert f"{path}:6: " in answer.err
    assert "yields 42" in answer.err


def test_a_file_is_written(tmp_path: Path) -> None:
    """Instead of the terminal, with the same text each time."""
    path = tmp_path / "out.json"
    texts = []
    for _ in range(2):
        arguments = ["bisect", "detour@1", *SMALL, "--format", "json", "-o", str(path)]
        assert spfvar(*arguments) == Answer(0, "", "")
        texts.append(path.read_text())
    assert texts[0] == texts[1]
    assert [row["patch"] for row in json.loads(texts[0])] == [0, 1]


def test_a_metric_is_bisected() -> None:
    """A table of the load, with the marks' definitions and the command line."""
    arguments = ["--scenario", "pft", "--threads", "16", "--seeds", "4", "--plugin", PLUGIN]
    answer = spfvar("bisect", "detour@2", *arguments)
    assert answer.code == 0
    assert answer.out.startswith("SIMULATED on ")
    assert "2 (take RCU instead of mmap_lock): faults_per_s better in pft" in " ".join(answer.out.split())


def test_stacks_are_variants_for_every_command() -> None:
    """check, replay, ablate, show, list and export take spf@N and spf~N; names keep as they were typed."""
    race = ["--race", "munmap-file"]
    checked = spfvar("check", "spf~23", "spf@16", *race, "--format", "json")
    assert checked.code == 1
    broken, safe = json.loads(checked.out)
    assert (broken["variant"], broken["property"]) == ("spf~23", "P2")
    assert (safe["variant"], safe["verdict"]) == ("spf@16", "safe")
    assert spfvar("replay", broken["token"]).code == 0
    assert spfvar("ablate", "spf@9", "--race", "two-faults", "--format", "json").code == 0
    shown = spfvar("show", "spf~24")
    assert "all patches without 24, nor 25, 26 and 29 to 32" in " ".join(shown.out.split())
    exported = spfvar("export", "--promela", "spf@11", "two-faults")
    assert "under spf@11" in exported.out
    assert shown.code == exported.code == 0


def test_a_series_is_listed_and_shown() -> None:
    """Each patch with number, title, needs and classes; as JSON too."""
    assert "spf@24 " in spfvar("list", "series").out
    series = {row["name"]: row for row in json.loads(spfvar("list", "series", "--format", "json").out)}
    patch = series["spf"]["patches"][23]
    assert (patch["number"], patch["needs"], patch["changes"]) == (24, [9], ["SpeculativeDoFault"])
    assert "PostedPteAlloc" in spfvar("show", "spf-posted").out
