"""Typical mistakes of a newcomer: each is answered by one line that says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import spfvar


def answer(*arguments: str) -> str:
    """The one line that a mistake is answered with; exit code 2, and nothing on stdout."""
    given = spfvar(*arguments)
    assert (given.code, given.out) == (2, "")
    (line,) = given.err.splitlines()
    return line.removeprefix("spfvar: ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["compare", "file-cow"], "unknown variant 'file-cow': it is a scenario (spfvar compare --scenario file-cow)"),
        (["check", "munmap-file"], "unknown variant 'munmap-file': it is a race (spfvar check --race munmap-file)"),
        (["compare", "--scenario", "munmap-file"], "unknown scenario 'munmap-file': it is a race (spfvar check"),
        (["check", "--race", "file-cow"], "unknown race 'file-cow': it is a scenario (spfvar compare --scenario"),
        (["compare", "rome-2s128c"], "it is a hardware profile (spfvar compare --hardware rome-2s128c)"),
        (["compare", "s7@spf-do-fault"], "it is a twin (spfvar check --twins s7@spf-do-fault)"),
        (["compare", "fault_p99"], "it is a metric (spfvar compare --metric fault_p99)"),
        (["spf-do-fault"], "unknown command 'spf-do-fault': it is a variant (spfvar compare spf-do-fault, or"),
        (["compare", "spf-*"], "unknown variant 'spf-*': patterns are for --scenario and --race; name every variant"),
        (["compare", "--baseline", "spf-ano"], "--baseline: unknown variant 'spf-ano': did you mean 'spf-anon'?"),
        (["compare", "--set", "hit_rate", "0.5"], '--set: "hit_rate" is not an assignment; expected NAME=VALUE'),
        (["compare", "--threads", "1..4"], '--threads: "1..4" is not a thread count or range; expected thread counts'),
        (["compare", "--metric", "rate"], "--metric: unknown metric 'rate'"),
        (["compare", "--fail-on", "5%"], '--fail-on: "5%" is not a fail-on condition; expected "worse>5%"'),
        (["check", "--timeout", "5"], '--timeout: 5 has no unit; expected a duration (did you mean "5s"?)'),
        (["check", "--max-memory", "2G"], '--max-memory: "2G" has an unknown unit'),
        (["show"], "Missing argument 'NAME'; see spfvar show --help"),
        (["list", "variant"], "Invalid value for 'KIND': 'variant' is not one of 'variants', 'series',"),
        (["list"], "Missing argument 'KIND'. Choose from: variants, series, scenarios,"),
        (["compare", "--scenarios", "pft"], "No such option '--scenarios'. (Did you mean one of: '--scenario',"),
        (["compare", "--threads"], "Option '--threads' requires an argument."),
        (["show", "file-cw"], "nothing is called 'file-cw': did you mean 'file-cow'? known: what spfvar list"),
    ],
)  # fmt: skip
def test_names_and_values_in_the_wrong_place(arguments: list[str], says: str) -> None:
    """Where the name belongs, or which option is meant."""
    assert says in answer(*arguments)


def test_no_arguments_give_the_help() -> None:
    """Not a message about it."""
    given = spfvar()
    assert given.code == 2
    assert given.err.startswith("Usage: spfvar [OPTIONS] COMMAND [ARGS]...\n")


def test_files_in_the_wrong_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the file is, what was expected, or what is there instead."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "my_idea.py").write_text("VARIANTS = []\n")
    (tmp_path / "mine.tml").touch()
    (tmp_path / "broken.toml").write_text("kind = 'load'\ntitle = [\n")
    (tmp_path / "verdicts.json").write_text('{"kind": "verdicts", "case": [{"variant": "a"}]}')
    (tmp_path / "race.toml").write_text(spfvar("show", "munmap-file", "--format", "toml").out)
    (tmp_path / "load.toml").write_text(spfvar("show", "pft", "--format", "toml").out)
    said = {
        ("compare", "--scenario", "race.toml"): "race.toml: is a race, not a scenario: spfvar check --race takes it",
        ("check", "--race", "load.toml"): "load.toml: is a scenario, not a race: spfvar compare --scenario takes it",
        ("compare", "--scenario", "broken.toml"): "broken.toml:2:10: invalid TOML: Invalid value",
        ("compare", "--scenario", "mine.tml"):
            "unknown scenario 'mine.tml': there is such a file, but names of files have to end in .toml",
        ("compare", "--plugin", "folder"): "--plugin: 'folder' is a directory; expected a .py file",
        ("compare", "--plugin", "my_ida.py"):
            "--plugin: there is no plugin file 'my_ida.py' (did you mean \"my_idea.py\"?)",
        ("compare", "-o", "folder"): "folder: cannot write: it is a directory",
        ("compare", "--save", "no/x"): "no/x: cannot write: its directory does not exist",
        ("export", "--promela", "spf-anon", "two-faults", "-o", "folder"): "folder: cannot write: it is a directory",
        ("compare", "--load", "verdicts.json"):
            "verdicts.json: is not a saved run; expected a file written by spfvar compare --save",
        ("replay", "broken.toml"):
            "broken.toml:2:10: invalid TOML: Invalid value; expected a file written by spfvar check --save",
        ("replay", "verdicts.json"): "verdicts.json: case[0].race: required key is missing (and 1 more)",
    }  # fmt: skip
    for arguments, says in said.items():
        assert answer(*arguments) == says


def test_a_plugin_without_variants_is_told(tmp_path: Path) -> None:
    """Nothing would be compared of it, and nobody would know why."""
    plugin = tmp_path / "my_idea.py"
    plugin.write_text("VARIANTS = []\n")
    given = spfvar("list", "variants", "--plugin", str(plugin))
    assert given.err == f"spfvar: plugin {plugin}: its list VARIANTS is empty\n"
