"""Rediscovery: rows survive their file, which belongs to the options; what was found is counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import rediscover
from benchmarks.rediscover import Row, hunt, summary, twins
from spfvar.matrix.hunting import Plan
from tests.explore.checking import registry

PLAN = Plan(3, (2,), seconds=60.0, seed=1)


def row(twin: str, group: str = "", others: tuple[str, ...] = (), threads: int = 2) -> Row:
    """A twin that was found if there is a group."""
    return Row(twin, "P4", 7, 1.5, group, (3, 2) if group else (0, 0), others, (2, threads))


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    """Pairs of numbers stay pairs."""
    path = str(tmp_path / "rows.json")
    rows = {one.twin: one for one in (row("a", "anon: load map"), row("b", others=("P1", "P14")))}
    rediscover._write(path, PLAN, False, rows)
    assert rediscover._read(path, PLAN, False) == rows
    assert rediscover._read(str(tmp_path / "none.json"), PLAN, False) == {}


@pytest.mark.parametrize(("seconds", "alone"), [(61.0, False), (60.0, True)])
def test_a_file_of_other_options_is_refused(tmp_path: Path, seconds: float, alone: bool) -> None:
    """What was not found in less time, or with other races, says nothing."""
    path = str(tmp_path / "rows.json")
    rediscover._write(path, PLAN, False, {})
    with pytest.raises(SystemExit, match="of another hunt"):
        rediscover._read(path, Plan(3, (2,), seconds=seconds, seed=1), alone)


def test_the_summary_counts_bugs_of_few_actors_by_themselves() -> None:
    """Of three that take two threads, one is found, and another one noticed by another property."""
    rows = [row("a", "g"), row("b", others=("P1",)), row("c"), row("d", "g", threads=4)]
    assert summary(rows) == (
        "2 of 4 twins found, 1 of the 3 whose race has at most 3 actors; 2 of these broke some property"
    )


def test_a_twin_is_hunted_by_what_its_patch_changes() -> None:
    """B1 is a munmap that unlinks tables without a lock: its own race has two statements of two threads."""
    found = hunt("b1@bonsai", Plan(2, (2,), ("anon",), seconds=60.0, seed=1), alone=False)
    assert (found.prop, found.size, found.needs, found.others) == ("P4", (2, 2), (2, 2), ())
    assert {"munmap", "map_over"} & set(found.group.split())  # both unlink the tables of what they unmap
    assert str(found).startswith("b1@bonsai")


def test_twins_are_those_that_break_something_side_by_side_by_design() -> None:
    """Controls have nothing to be found."""
    every = twins(registry(), ())
    assert every
    assert all(twin.prop for twin in every)
    designs = [twin.fixed for twin in every]
    assert designs == sorted(designs)
    assert [twin.name for twin in twins(registry(), ["b1@bonsai"])] == ["b1@bonsai"]
