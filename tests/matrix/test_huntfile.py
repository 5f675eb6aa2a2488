"""The file of a hunt: where a hunt was stopped, it goes on; what is not its own is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spfvar.errors import InputError
from spfvar.matrix.huntfile import HuntFile
from spfvar.matrix.hunting import Hunted, Plan, run_hunt
from spfvar.plugins.registry import load_registry

REGISTRY = load_registry()
TWIN = REGISTRY.any_variant("s5@spf-anon")
PLAN = Plan(2, memories=("anon", "closed-file", "readonly"), verbs=("load", "store", "munmap", "mprotect"))


class Stopped(Exception):
    """What a user's Ctrl-C is to a hunt."""


def content(hunted: Hunted) -> dict[str, Any]:
    """All but the seconds."""
    return replace(hunted, seconds=0.0).as_dict() | {"same": hunted.same}


def stopped_after(slices: int, file: HuntFile) -> None:
    """A hunt that is stopped once so many slices are done."""

    def stop(*_told: object) -> None:
        if file.tally(TWIN).slices == slices:
            raise Stopped

    with pytest.raises(Stopped):
        run_hunt(TWIN, PLAN, None, stop, 1, (), file.tally(TWIN), file.write)


@pytest.mark.parametrize("slices", [1, 2])
def test_a_stopped_hunt_goes_on_where_it_was(tmp_path: Path, slices: int) -> None:
    """Races, states, coverage and findings are those of a hunt that nobody disturbed."""
    path = str(tmp_path / "a.hunt")
    stopped_after(slices, HuntFile(path, PLAN, [TWIN], None))
    again = HuntFile(path, PLAN, [TWIN], None)
    tally = again.tally(TWIN)
    assert tally.slices == slices
    assert 0 < tally.numbers < PLAN.numbers
    assert tally.first  # a cause came before, and is told by its first race
    resumed = run_hunt(TWIN, PLAN, None, None, 1, (), tally, again.write)
    assert content(resumed) == content(run_hunt(TWIN, PLAN, jobs=1))
    assert resumed.complete


def test_a_hunt_that_is_done_is_told_again_without_a_race(tmp_path: Path) -> None:
    """From its file alone."""
    path = str(tmp_path / "a.hunt")
    file = HuntFile(path, PLAN, [TWIN], None)
    first = run_hunt(TWIN, PLAN, None, None, 1, (), file.tally(TWIN), file.write)
    told: list[object] = []
    again = HuntFile(path, PLAN, [TWIN], None)
    second = run_hunt(TWIN, PLAN, None, lambda *now: told.append(now), 1, (), again.tally(TWIN), again.write)
    assert not told
    assert content(first) == content(second)


@pytest.mark.parametrize(
    ("plan", "names", "against", "differs"),
    [
        (replace(PLAN, size=3), ["s5@spf-anon"], None, "size"),
        (replace(PLAN, seed=1), ["s5@spf-anon"], None, "seed"),
        (replace(PLAN, verbs=("load", "munmap")), ["s5@spf-anon"], None, "verbs"),
        (PLAN, ["spf-anon"], None, "variants"),
        (PLAN, ["s5@spf-anon"], "spf-anon", "against"),
    ],
)
def test_the_file_of_another_hunt_is_refused(
    tmp_path: Path, plan: Plan, names: list[str], against: str | None, differs: str
) -> None:
    """With what differs; the file stays as it is."""
    path = tmp_path / "a.hunt"
    HuntFile(str(path), PLAN, [TWIN], None).write()
    before = path.read_bytes()
    fixed = REGISTRY.any_variant(against) if against else None
    with pytest.raises(InputError, match=f"it is of another hunt, whose {differs} is"):
        HuntFile(str(path), plan, [REGISTRY.any_variant(name) for name in names], fixed)
    assert path.read_bytes() == before


def test_another_budget_is_no_other_hunt(tmp_path: Path) -> None:
    """Seconds are what a hunt is resumed for."""
    path = str(tmp_path / "a.hunt")
    HuntFile(path, PLAN, [TWIN], None).write()
    HuntFile(path, replace(PLAN, seconds=3.0), [TWIN], None)


def _broken(change: Callable[[dict[str, Any]], None]) -> Callable[[str], str]:
    def damage(text: str) -> str:
        data = json.loads(text)
        change(data)
        return json.dumps(data)

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[:-20], "it is no JSON"),
        (lambda text: "[]", "it is no hunt"),
        (_broken(lambda data: data.update(format=3)), "it has format 3; expected 2"),
        (_broken(lambda data: data["hunts"].update(model="0")), "whose model is"),
        (_broken(lambda data: data["done"][0].update(states=-1)), "states"),
        (_broken(lambda data: data["done"][0].update(keys="?")), "is not base 64"),
        (_broken(lambda data: data["done"][0].update(keys="AAAA")), "do not fit together"),
        (_broken(lambda data: data["done"][0].update(numbers=10**9)), "do not fit together"),
        (_broken(lambda data: data["done"][0].update(variant="spf-anon")), "'spf-anon' is not hunted"),
        (_broken(lambda data: data["done"][0]["broken"][0]["race"].update(actor=[])), "actor"),
    ],
)
def test_a_damaged_file_is_one_message(tmp_path: Path, damage: Callable[[str], str], message: str) -> None:
    """It names the file."""
    path = tmp_path / "a.hunt"
    stopped_after(1, HuntFile(str(path), PLAN, [TWIN], None))
    path.write_text(damage(path.read_text()))
    with pytest.raises(InputError, match=message) as caught:
        HuntFile(str(path), PLAN, [TWIN], None)
    assert caught.value.file == str(path)
