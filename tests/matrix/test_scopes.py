"""Races with other numbers of threads: named so that a token can find them again."""

from __future__ import annotations

import pytest

from spfvar.errors import InputError
from spfvar.matrix import catalogue
from spfvar.matrix.scopes import parse_counts, race_of, scaled
from spfvar.scenario.race import MAX_THREADS, Race

RACES = catalogue.races()


def some(*names: str) -> dict[str, Race]:
    """Shipped races by name."""
    return {name: RACES[name] for name in names}


def test_an_actor_gets_its_threads_and_the_race_a_name_that_says_so() -> None:
    """What else the race is stays the same; one without that actor stays as it is."""
    found = scaled(some("three-faults-munmap", "maps-mremap"), {"fault": 9})
    name, race = found["three-faults-munmap"]
    assert name == "three-faults-munmap,fault=9"
    assert {actor.name: actor.count for actor in race.actor} == {"fault": 9, "munmap": 1}
    assert race.vma == RACES["three-faults-munmap"].vma
    for name, race in scaled(some("writeback-fault"), {}).values():
        assert (name, race) == ("writeback-fault", RACES["writeback-fault"])


def test_a_race_is_found_by_the_name_that_it_was_given() -> None:
    """With and without counts."""
    counts = {"fault": 3, "munmap": 2}
    name, race = scaled(some("munmap-file"), counts)["munmap-file"]
    assert name == "munmap-file,fault=3,munmap=2"
    assert race_of(RACES, name) == race
    assert race_of(RACES, "munmap-file") == RACES["munmap-file"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fault", "is not an assignment"),
        ("fault=0", "expected a number from 1 to"),
        ("fault=many", "expected a number from 1 to"),
        (f"fault={MAX_THREADS + 1}", "expected a number from 1 to"),
    ],
)
def test_counts_are_small_numbers(text: str, message: str) -> None:
    """Anything else is told with what was expected."""
    with pytest.raises(InputError, match=message):
        parse_counts([text])


def test_unknown_actors_and_too_many_threads_are_told() -> None:
    """The nearest actor of these races; the race that would be too large."""
    with pytest.raises(InputError, match="did you mean 'fault'"):
        scaled(some("munmap-file"), {"fualt": 2})
    with pytest.raises(InputError, match=f"race munmap-file: {MAX_THREADS + 1} threads in all"):
        scaled(some("munmap-file"), {"fault": MAX_THREADS})
    with pytest.raises(InputError, match="did you mean 'munmap-file'"):
        race_of(RACES, "munmap-flie,fault=2")
