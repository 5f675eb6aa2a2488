"""What a race may say about forks that fail, and about those who look at address spaces from outside."""

from __future__ import annotations

import pytest

from spfvar.errors import InputError
from spfvar.scenario.race import Race
from spfvar.toml_input import parse_toml

RACE = """
kind = "race"
title = "t"
properties = ["P1"]

[[vma]]
name = "map"
start = 0
userfault = true

[[vma]]
name = "next"
start = 1

[[vma]]
name = "child"
start = 2
mm = 1
userfault = true
mapped = false

[[vma]]
name = "later"
start = 3
mm = 1
mapped = false
"""
FORK = '{ fork_fails = "map", to = "child", at = "later" }'
#: Every place lies in its page table as every other one does.
SMALL = RACE.replace('title = "t"', 'title = "t"\ntable_pages = 1')
THIRD = '[[vma]]\nname = "third"\nstart = 6\nmm = 1\n'


def read(*programs: str, text: str = RACE, count: int = 1) -> Race:
    """A race with an actor for each program; the first has so many threads."""
    for number, program in enumerate(programs):
        threads = count if number == 0 else 1
        text += f'\n[[actor]]\nname = "a{number}"\ncount = {threads}\nprogram = [{program}]\n'
    return parse_toml(text, "race.toml", Race)


@pytest.mark.parametrize("other", ['{ unuse = "child" }', '{ monitor = "child" }', '{ store = "next" }'])
def test_who_finds_the_child_and_who_has_to_do_with_the_parent_may_be_beside(other: str) -> None:
    """The two places are the child's whole address space."""
    race = read(FORK, other)
    assert race.actor[0].program[0].at == "later"
    assert (race.runs_in(race.actor[1], 1), race.keeps(race.actor[0], 1)) == (False, 0)


@pytest.mark.parametrize(
    ("program", "text", "message", "key"),
    [
        ('{ fork_fails = "map", to = "child" }', RACE, "no vma is called ''", "at"),
        ('{ fork_fails = "map", to = "later", at = "child" }', SMALL, "cannot fail at 'child'", "at"),
        ('{ fork_fails = "next", to = "child", at = "later" }', SMALL, "cannot fail at 'later'", "at"),
        (FORK, RACE + THIRD, "a fork of vma 'map' cannot fail at 'later'", "at"),
        ('{ fork = "map", to = "child", at = "later" }', RACE, "fork has no at; expected only to", "at"),
        ('{ ksm = "map" }', RACE, "the first address space never ends; expected a vma with mm = 1", "ksm"),
        ('{ mrelease = "map" }', RACE, "the first address space never ends", "mrelease"),
        ('{ unuse = "map" }', RACE, "the first address space never ends", "unuse"),
        ('{ monitor = "later" }', RACE, "nobody monitors vma 'later'; expected a vma with userfault", "monitor"),
    ],
)  # fmt: skip
def test_what_the_memory_does_not_have_is_said(program: str, text: str, message: str, key: str) -> None:
    """With the statement's key."""
    with pytest.raises(InputError, match=message) as caught:
        read(program, text=text)
    assert caught.value.key == f"actor[0].program[0].{key}"


@pytest.mark.parametrize("other", ['{ ksm = "child" }', '{ mrelease = "child" }', '{ mmap = "child" }', FORK])
def test_nobody_else_is_in_a_child_that_is_never_finished(other: str) -> None:
    """KSM and the reaper get to know of it only when it is; and there is one child."""
    with pytest.raises(InputError, match="the child that actor 'a0' forks is never finished") as caught:
        read(FORK, other)
    assert caught.value.key == f"actor[1].program[0].{other.split()[1]}"


def test_threads_that_fork_one_child_are_refused() -> None:
    """Each has a child of its own, and there is room for one."""
    with pytest.raises(InputError, match="2 threads fork the same child; expected one thread") as caught:
        read(FORK, count=2)
    assert caught.value.key == "actor[0].count"


def test_who_looks_from_outside_has_a_reference_for_each_time() -> None:
    """Given up one by one, so that a mm_struct stays for the last of them."""
    race = read('{ ksm = "child" }, { unuse = "child" }', '{ load = "map" }')
    assert [race.keeps(actor, 1) for actor in race.actor] == [2, 0]
