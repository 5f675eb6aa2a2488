"""Files of the user's in the current folder: taken if they are named, by no command that names nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spfvar.cli.own_files import lines
from spfvar.matrix import catalogue
from tests.cli.running import spfvar

Kind = Callable[[], catalogue.Catalogue[Any]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a race, a scenario and a machine of one's own, and one of each that has a shipped name."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for kind, found, shipped in (
        ("races", catalogue.races(), "munmap-file"),
        ("scenarios", catalogue.scenarios(), "pft"),
        ("hardware", catalogue.hardware(), "skylake-2s56c"),
    ):
        (tmp_path / kind).mkdir()
        for name in ("mine", shipped):
            (tmp_path / kind / f"{name}.toml").write_text(found.text(shipped) + "# mine\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", [catalogue.races, catalogue.scenarios, catalogue.hardware])
def test_nothing_of_ones_own_is_taken_unnamed(kind: Kind) -> None:
    """No patterns: what is shipped.  By name it is there."""
    found = kind()
    assert "mine" not in found.select(())
    assert found.select(["mine"]) == ["mine"]
    assert found.origin("mine").endswith("/mine.toml")


@pytest.mark.parametrize(
    ("kind", "name"),
    [(catalogue.races, "munmap-file"), (catalogue.scenarios, "pft"), (catalogue.hardware, "skylake-2s56c")],
)
def test_a_shipped_name_means_the_shipped_file(kind: Kind, name: str) -> None:
    """In every folder; the file of that name is given by its path."""
    found = kind()
    assert found.is_shipped(name)
    assert [path.name for path in found.hidden.values()] == [f"{name}.toml"]
    found.select([str(next(iter(found.hidden.values())))])
    assert not found.is_shipped(name)


def test_what_is_left_out_is_said() -> None:
    """With the option that takes it; a glob that takes one of them is told, a name and a path are not."""
    races = catalogue.races()
    assert list(lines(races, (), "--race")) == [
        "not run: races/mine.toml; only what is named is, as by --race mine",
        "races/munmap-file.toml is not used: munmap-file is a race of spfvar's; give the path, or rename it",
    ]
    assert list(lines(races, ["mi*"], "--race")) == ["--race mi* takes races/mine.toml, too"]
    assert list(lines(races, ["mine", "munmap-anon"], "--race")) == []
    assert list(lines(races, ["races/munmap-file.toml"], "--race")) == []


def test_a_check_that_names_nothing_is_the_same_in_every_folder(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The same races; what it says of the user's goes to stderr."""
    command = ["check", "mmap-lock", "--max-states", "1", "--format", "json"]
    here, elsewhere = spfvar(*command), spfvar(*command, cwd=tmp_path_factory.mktemp("empty"))
    races = [[cell["race"] for cell in json.loads(answer.out)] for answer in (here, elsewhere)]
    assert races[0] == races[1]
    assert "mine" not in races[0]
    assert "not run: races/mine.toml" in here.err
    assert elsewhere.err == ""


def test_a_comparison_says_what_it_does_not_take() -> None:
    """Scenario and machine of shipped names: those that are shipped."""
    answer = spfvar("compare", "mmap-lock", "--scenario", "pft", "--threads", "1", "--seeds", "1")
    assert answer.code == 0
    assert "spfvar: scenarios/pft.toml is not used: pft is a scenario of spfvar's" in answer.err
    assert "spfvar: hardware/skylake-2s56c.toml is not used" in answer.err


def test_a_replay_command_names_the_file_that_was_used() -> None:
    """Whether the race was named by its path or by its name."""
    plugin = str(Path(__file__).parents[1] / "explore" / "broken.py")
    for race in ("mine", "races/mine.toml", "m*ne"):
        out = spfvar("check", "no-rcu-free", "--plugin", plugin, "--race", race).out.replace("\\\n", "")
        assert f"spfvar replay --plugin {plugin} --race races/mine.toml no-rcu-free:mine:" in out


def test_doctor_names_files_that_no_name_reaches() -> None:
    """A note with what to do, not an error."""
    found = json.loads(spfvar("doctor", "--format", "json").out)
    notes = {one["name"]: one["status"] for one in found if one["section"] == "files"}
    assert notes["races/munmap-file.toml"] == "note"
