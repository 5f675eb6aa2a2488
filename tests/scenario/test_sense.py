"""A race is a program that processes could run: what its statements need of each other."""

from __future__ import annotations

from typing import Any

import pytest

from spfvar.errors import InputError
from spfvar.scenario.race import Race
from spfvar.toml_input import parse_toml

MEMORY = """
kind = "race"
title = "t"
properties = ["P1"]

[[vma]]
name = "map"
start = 0
pages = 2

[[vma]]
name = "next"
start = 2
pages = 2
pgoff = 2

[[vma]]
name = "free"
start = 4
pages = 2
mapped = false

[[vma]]
name = "high"
start = 5
mapped = false

[[vma]]
name = "child"
start = 8
pages = 2
mm = 1
mapped = false

[[vma]]
name = "theirs"
start = 10
mm = 1
"""

Statement = dict[str, Any]


def text_of(*programs: list[Statement], count: int = 1) -> str:
    """A race with an actor for each program; the first has so many threads."""
    text = MEMORY
    for number, program in enumerate(programs):
        statements = ", ".join(
            "{ "
            + ", ".join(
                f"{key} = {str(value).lower() if value is True else repr(value)}"
                for key, value in one.items()
            )
            + " }"
            for one in program
        )
        text += f'\n[[actor]]\nname = "a{number}"\ncount = {count if number == 0 else 1}\n'
        text += f"program = [{statements}]\n"
    return text.replace("'", '"')


def read(*programs: list[Statement], count: int = 1) -> Race:
    """The race, if it makes sense."""
    return parse_toml(text_of(*programs, count=count), "race.toml", Race)


LOAD = {"load": "map"}


@pytest.mark.parametrize(
    ("programs", "message", "key"),
    [
        ([[{"load": "free"}]], "vma 'free' is not mapped, and no actor maps it", "actor[0].program[0].load"),
        ([[LOAD], [{"munmap": "free"}]], "is not mapped, and no actor maps it", "actor[1].program[0].munmap"),
        ([[{"mmap": "map"}]], "the place of vma 'map' is not free", "actor[0].program[0].mmap"),
        ([[{"mmap": "free"}, {"mmap": "free"}]], "the place of vma 'free' is not free", "actor[0].program[1].mmap"),
        ([[{"mmap": "map"}], [{"madvise": "map"}]], "the place of vma 'map' is not free", "actor[0].program[0].mmap"),
        ([[{"mmap": "free"}], [{"mmap": "high"}]], "vma 'high', of another kind or range, may lie where 'free' does", "actor[0].program[0].mmap"),
        ([[{"move": "map", "to": "free"}], [{"mmap": "free"}]], "actor 'a1' takes the place of vma 'free' too", "actor[0].program[0].move"),
        ([[{"move": "map", "to": "free"}], [{"dontunmap": "next", "to": "free"}]], "takes the place", "actor[0].program[0].move"),
        ([[{"merge": "map", "to": "next"}], [{"munmap": "next"}]], "actor 'a0' changes where vma 'next' ends", "actor[1].program[0].munmap"),
        ([[{"shrink": "map"}], [{"move": "map", "to": "free"}]], "actor 'a0' changes where vma 'map' ends", "actor[1].program[0].move"),
        ([[{"anon_rmap": "map"}], [{"munmap": "map"}]], "actor 'a1' unmaps vma 'map'", "actor[0].program[0].anon_rmap"),
        ([[{"munmap": "map"}, {"anon_rmap": "map"}]], "actor 'a0' has unmapped vma 'map'", "actor[0].program[1].anon_rmap"),
        ([[{"fork": "map", "to": "child"}], [{"load": "child"}]], "is there only once actor 'a0' has forked", "actor[1].program[0].load"),
        ([[{"exit": "child"}, {"fork": "map", "to": "child"}]], "is there only once actor 'a0' has forked", "actor[0].program[0].exit"),
        ([[{"fork": "map", "to": "child"}], [{"load": "theirs"}]], "is there only once actor 'a0' has forked", "actor[1].program[0].load"),
        ([[{"exit": "theirs"}, {"load": "theirs"}]], "actor 'a0' has left its mm", "actor[0].program[1].load"),
        ([[{"dma": "map"}]], "actor 'a0' has pinned no page of vma 'map'", "actor[0].program[0].dma"),
        ([[{"pin": "map"}], [{"dma": "map"}]], "actor 'a1' has pinned no page of vma 'map'", "actor[1].program[0].dma"),
        ([[{"pin": "map"}, {"unpin": "map"}, {"dma": "map"}]], "has pinned no page of vma 'map'", "actor[0].program[2].dma"),
        ([[{"pin": "map"}, {"unpin": "next"}]], "actor 'a0' has pinned no page of vma 'next'", "actor[0].program[1].unpin"),
        ([[{"pin": "map"}, {"pin": "next"}]], "actor 'a0' has pinned a page of vma 'map' already", "actor[0].program[1].pin"),
    ],
)  # fmt: skip
def test_what_no_process_could_run_is_refused(
    programs: list[list[Statement]], message: str, key: str
) -> None:
    """With what is wrong, and the statement's key."""
    with pytest.raises(InputError, match=message) as caught:
        read(*programs)
    assert caught.value.key == key


@pytest.mark.parametrize(
    "programs",
    [
        [[{"munmap": "map"}, {"mmap": "map"}], [LOAD]],  # its own place again
        [[{"mmap": "free"}], [{"load": "free"}]],  # an access that may come too early
        [[{"munmap": "map"}], [{"munmap": "map"}]],  # whoever comes second finds nothing
        [[{"move": "map", "to": "free"}], [{"load": "map"}]],
        [[{"shrink": "map"}, {"grow": "map"}], [{"store": "map", "page": 1}]],
        [[{"merge": "map", "to": "next"}, {"munmap": "next"}], [{"store": "next"}]],  # the rest if there is no merge
        [[{"maps": "free"}], [LOAD]],  # /proc/pid/maps may be read anywhere
        [[{"exit": "theirs"}], [{"load": "theirs"}]],
        [[{"mmap": "free"}], [{"mmap": "free"}, {"munmap": "free"}]],  # whoever comes second has no mapping
        [[{"mmap": "map"}], [{"munmap": "map"}]],
        [[{"get_user": "map"}], [{"put_user": "map", "page": 1}], [{"munmap": "map"}]],
        [[{"call": "show_map", "on": "free"}], [{"munmap": "map"}]],
        [[{"pin": "map"}, {"munmap": "map"}, {"dma": "map"}], [{"pin": "map"}]],  # the page is there still
        [[{"pin": "map"}, {"unpin": "map"}, {"pin": "map"}, {"dma": "map"}]],
    ],
)  # fmt: skip
def test_what_processes_do_is_accepted(programs: list[list[Statement]]) -> None:
    """Also what loses the race: a signal, or nothing to unmap."""
    assert len(read(*programs).actor) == len(programs)


def test_threads_of_one_actor_are_beside_each_other() -> None:
    """Two threads cannot take one free place, though they are one actor; of two that try, one gets it."""
    move = {"move": "map", "to": "free"}
    read([move])
    with pytest.raises(InputError, match="actor 'a0' takes the place of vma 'free' too"):
        read([move], count=2)
    contested = [read([{"mmap": "free"}], count=threads) for threads in (1, 2)]
    assert [race.mapping(race.vma_named("free")).contested for race in contested] == [False, True]
