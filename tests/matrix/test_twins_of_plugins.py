"""Twins and races of a plugin: names are looked up, files lie beside it, and one that is wrong stops no other."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from spfvar.errors import InputError
from spfvar.matrix import catalogue
from spfvar.matrix.cases import make_cases
from spfvar.plugins.registry import load_registry
from tests.cli.running import spfvar

RACE = catalogue.races().text("munmap-anon")
TWINS = """
from spfvar.mm.hookspecs import hookimpl
from spfvar.plugins.variant import Twin
from spfvar.ops.primitives import find_vma
class NoLock:
    '''A fault looks its VMA up without any lock.'''
    @hookimpl
    def lock_mm_and_find_vma(self, vmf):
        return (yield find_vma())
    @hookimpl
    def release_fault_lock(self, vmf):
        return None
        yield
TWINS = [{}]
"""
GOOD = 'Twin("Q1", "a fault without a lock", "here", "mmap-lock", "{race}", "{prop}", (NoLock,))'


def twins(folder: Path, *lines: str) -> str:
    """A plugin of twins as a file."""
    path = folder / "twins.py"
    path.write_text(TWINS.format(", ".join(lines)))
    return str(path)


def test_a_twins_race_may_be_a_file_beside_the_plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From wherever the command runs; the line that `show` prints works, and the token says which race to give."""
    (tmp_path / "mine.toml").write_text(RACE)
    plugin = twins(tmp_path, GOOD.format(race="mine.toml", prop="P4"))
    monkeypatch.chdir("/")
    [line] = [
        line for line in spfvar("show", "q1@mmap-lock", "--plugin", plugin).out.splitlines() if "Run:" in line
    ]
    answer = spfvar(*line.split("spfvar ")[1].split())
    assert answer.code == 0, answer.err
    assert "P4" in answer.out
    [replay] = [
        line for line in answer.out.replace("\\\n", "").splitlines() if line.startswith("spfvar replay ")
    ]
    assert f"--race {tmp_path / 'mine.toml'}" in replay
    assert spfvar(*shlex.split(replay)[1:]).code == 0


def test_check_plugin_takes_a_file_of_twins(tmp_path: Path) -> None:
    """It says whether the race shows the bug by the property that is named."""
    answer = spfvar("check-plugin", twins(tmp_path, GOOD.format(race="munmap-anon", prop="P4")))
    assert answer.code == 0, answer.out
    assert "pass twin P4 in munmap-anon, safe without" in " ".join(answer.out.split())
    answer = spfvar("check-plugin", twins(tmp_path, GOOD.format(race="munmap-anon", prop="P8")))
    assert answer.code == 1
    assert "found P4, expected P8" in " ".join(answer.out.split())


@pytest.mark.parametrize(
    ("twin", "says"),
    [
        (
            GOOD.format(race="munmap-anonn", prop="P1"),
            "unknown race 'munmap-anonn': did you mean 'munmap-anon'",
        ),
        (GOOD.format(race="nowhere.toml", prop="P1"), "nowhere.toml: cannot read"),
        (
            GOOD.format(race="munmap-anon", prop="P1").replace("mmap-lock", "mmap-lok"),
            "unknown variant 'mmap-lok'",
        ),
        (
            GOOD.format(race="munmap-anon", prop="P1").replace("(NoLock,)", "(), (NoLock,)"),
            "has no patch NoLock",
        ),
    ],
)
def test_a_twin_that_goes_with_nothing_is_told_and_the_others_are_run(
    tmp_path: Path, twin: str, says: str
) -> None:
    """The run used to end."""
    registry = load_registry([twins(tmp_path, twin)])
    cases = make_cases(registry, catalogue.races(), (), (), twins=True)
    assert {case.twin for case in cases} == {
        name for name, one in registry.twins.items() if one.origin != str(tmp_path / "twins.py")
    }
    [problem] = registry.problems
    assert says in problem.message


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("properties = [", 'properties = ["P44", ', r"unknown property 'P44': did you mean 'P4'"),
        (
            "sometimes = [",
            'sometimes = ["pmd_populat3", ',
            r"sometimes\[0\]: unknown primitive 'pmd_populat3': did you mean",
        ),
    ],
)
def test_a_race_names_properties_and_primitives_that_there_are(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    """Or its verdict would always be vacuous, or about something else."""
    race = tmp_path / "mine.toml"
    race.write_text(RACE.replace(old, new, 1))
    with pytest.raises(InputError, match=says):
        make_cases(load_registry(), catalogue.races(), ["mmap-lock"], [str(race)])
