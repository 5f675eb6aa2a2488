"""What a race may say about monitors of a userfaultfd, and about memory of two kinds at one place."""

from __future__ import annotations

import pytest

from spfvar.errors import InputError
from spfvar.scenario.race import Race
from spfvar.toml_input import parse_toml

RACE = """
kind = "race"
title = "t"
properties = ["P1"]
[[file]]
name = "data"
[[vma]]
name = "from"
start = 0
[[vma]]
name = "map"
start = 2
userfault = true
[[vma]]
name = "over"
start = 2
file = "data"
mapped = false
[[vma]]
name = "away"
start = 4
mapped = false
userfault = true
"""
COPY = '{ uffd_copy = "map" }'
MOVE = '{ uffd_move = "from", to = "map" }'


def read(*programs: str) -> Race:
    """A race with an actor for each program."""
    actors = [
        f'\n[[actor]]\nname = "a{number}"\nprogram = [{program}]\n' for number, program in enumerate(programs)
    ]
    return parse_toml(RACE + "".join(actors), "race.toml", Race)


def test_faults_know_how_many_monitors_fill_their_pages() -> None:
    """Threads, not statements; without one, and where no page is the monitor's, nobody is asked."""
    race = read(f"{COPY}, {COPY}", MOVE, '{ store = "map" }')
    facts = {vma.name: race.mapping(vma) for vma in race.vma}
    assert [facts[name].monitors for name in ("from", "map", "away")] == [0, 2, 2]
    assert not facts["map"].write_protects
    assert read('{ store = "map" }').mapping(race.vma_named("map")).monitors == 0
    assert read('{ uffd_wp = "map" }').mapping(race.vma_named("map")).write_protects


@pytest.mark.parametrize(
    ("program", "what", "key"),
    [
        ('{ uffd_copy = "from" }', "no monitor fills vma 'from'", "uffd_copy"),
        ('{ uffd_wp = "over" }', "no monitor fills vma 'over'", "uffd_wp"),
        ('{ uffd_move = "map", to = "from" }', "no monitor fills page 0 of vma 'from'", "to"),
        ('{ uffd_move = "from", to = "away" }', "no monitor fills page 0 of vma 'away'", "to"),
        ('{ uffd_move = "map", to = "map" }', "no monitor fills page 0 of vma 'map'", "to"),
        (f'{COPY}, {{ store = "map" }}', "actor 'a0', a monitor, may miss a page of vma 'map'", "store"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_key(program: str, what: str, key: str) -> None:
    """A page comes where a monitor fills it; who fills pages does not wait for one."""
    with pytest.raises(InputError) as caught:
        read(program)
    assert what in str(caught.value)
    assert str(caught.value.key).endswith(f".{key}")


def test_a_monitor_may_use_other_memory() -> None:
    """That has no monitor of its own."""
    assert read(f'{COPY}, {{ store = "from" }}').threads == 1


@pytest.mark.parametrize("other", ['{ store = "map" }', '{ munmap = "map" }', '{ madvise = "over" }'])
def test_only_who_looks_may_find_memory_of_another_kind(other: str) -> None:
    """A file may be mapped over anonymous memory; what means either comes by the other then."""
    over = '{ map_over = "over" }'
    assert read(over, COPY, '{ maps = "map" }').threads == 3
    with pytest.raises(InputError, match="only one of them maps a file"):
        read(over, other)
