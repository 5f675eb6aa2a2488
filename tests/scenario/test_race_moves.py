"""What a race may say about mremap and fork: errors name the key and what would be right."""

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
name = "old"
start = 0
present = "anon"

[[vma]]
name = "new"
start = 2
mapped = false

[[vma]]
name = "child"
start = 4
mm = 1
mapped = false

[[actor]]
name = "a"
program = [%s]
"""


def read(statement: str, text: str = RACE) -> Race:
    """The race whose actor executes one statement."""
    return parse_toml(text % statement, "race.toml", Race)


def test_a_move_and_a_fork_to_free_places() -> None:
    """Two address spaces, because one VMA lies in the second."""
    assert read('{ move = "old", to = "new" }').mms == 2
    assert read('{ fork = "old", to = "child" }').actor[0].program[0].to == "child"


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ('{ move = "old", to = "nwe" }', "no vma is called 'nwe'"),
        ('{ move = "old" }', "no vma is called ''"),
        ('{ move = "old", to = "old" }', "move cannot put vma 'old' at 'old'"),
        ('{ move = "old", to = "child" }', "move to another mm"),
        ('{ fork = "old", to = "new" }', "fork to the same mm"),
        ('{ move = "old", to = "new", fast = true }', "vma 'old' is not made of whole page tables"),
        ('{ load = "old", to = "new" }', "load has no to; expected only page"),
        ('{ munmap = "old", fast = true }', "munmap has no fast; expected nothing but the verb"),
    ],
)
def test_what_is_wrong_with_a_destination(statement: str, message: str) -> None:
    """The message names verb and VMA, the key the statement."""
    with pytest.raises(InputError, match=message) as error:
        read(statement)
    assert "actor[0].program[0]" in str(error.value)


def test_a_destination_lies_in_its_page_table_as_the_source_does() -> None:
    """Entries of one table go to one table."""
    with pytest.raises(
        InputError,
        match="expected a place that is not mapped, of 1 pages, in its page table as 0 is in one of 2",
    ):
        read('{ move = "old", to = "new" }', RACE.replace("start = 2", "start = 3"))


def test_a_whole_table_moves_if_source_and_destination_are_whole_tables() -> None:
    """table_pages is 2 unless said otherwise."""
    text = RACE.replace('present = "anon"', "pages = 2").replace("start = 2", "start = 2\npages = 2")
    assert read('{ move = "old", to = "new", fast = true }', text).actor[0].program[0].fast


@pytest.mark.parametrize(
    ("shares", "message"),
    [("child", "no other vma is called 'child'"), ("new", "vma 'child' cannot share the pages of 'new'")],
)
def test_only_anonymous_pages_of_another_vma_are_shared(shares: str, message: str) -> None:
    """A fork's result needs a parent with pages."""
    text = RACE.replace("mm = 1\nmapped = false", f'mm = 1\nshares = "{shares}"')
    with pytest.raises(InputError, match=message):
        read('{ load = "old" }', text)
