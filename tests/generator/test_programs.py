"""Generated races: each makes sense, each is there once, the smallest come first."""

from __future__ import annotations

from itertools import islice, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spfvar.generator.memories import MEMORIES, Memory
from spfvar.generator.programs import Family, Group, groups, shapes, statement_text, statements
from spfvar.generator.reduce import as_tables
from spfvar.scenario.race import Race, race_hash
from spfvar.scenario.verbs import VERBS


def smallest(memory: Memory) -> list[Group]:
    """A memory's groups of two statements, a few hundred; of three, some, where two cannot name all VMAs."""
    return list(groups(memory, 2, [2])) or list(islice(groups(memory, 3, [2]), 300))


SMALL = {name: smallest(memory) for name, memory in MEMORIES.items()}


def texts(memory: str, *verbs: str) -> list[str]:
    """The statements of some verbs on a memory."""
    return [statement_text(one) for one in statements(MEMORIES[memory], verbs)]


def test_statements_of_a_memory() -> None:
    """Pages, protections and places are those that there are; derived by hand from the memory."""
    assert texts("anon", "load", "mprotect") == [
        "load map", "mprotect map (prot rw)", "mprotect map (prot r)",
    ]  # fmt: skip
    assert texts("heap", "store", "shrink") == [
        "store map",
        "store map (page 1)",
        "shrink map (page 1)",
    ]
    assert texts("anon", "schedule") == ["schedule map"]
    assert texts("large-folio", "truncate", "punch", "retract") == ["truncate data (page 1)"]  # never split
    assert texts("anon", "shrink", "truncate", "mmap") == ["mmap map"]  # one page has no tail; no file
    assert texts("place", "move") == ["move map to away"]  # not away to away, not map to map
    assert texts("table", "move") == ["move map to away", "move map to away (fast)"]
    assert texts("closed-file", "truncate", "mmap") == []  # nobody has it open
    assert texts("neighbours", "merge") == ["merge map to next"]
    assert texts("ending", "exit", "ksm", "mrelease") == ["exit map", "ksm map", "mrelease map"]
    assert texts("anon", "exit", "ksm", "mrelease") == []  # the first address space never ends
    assert texts("two-forked", "fork_fails") == ["fork_fails map to child (at later)"]
    assert texts("fork", "fork", "exit") == ["exit child", "fork map to child"]


@pytest.mark.parametrize(
    ("size", "actors", "expected"),
    [
        (2, [2], [(1, 1)]),
        (3, [2], [(2, 1)]),
        (4, [2], [(3, 1), (2, 2)]),
        (4, [2, 3], [(3, 1), (2, 2), (2, 1, 1)]),
        (7, [2], []),  # 3 + 3 at most
    ],
)
def test_shapes(size: int, actors: list[int], expected: list[tuple[int, ...]]) -> None:
    """How so many statements are spread over the actors."""
    assert list(shapes(size, actors)) == expected


def canonical(group: Group) -> tuple[object, ...]:
    """The group without the order of its actors."""
    return tuple(sorted((count, repr(program)) for count, program in group.actors))


def named_in(race: Race) -> set[str]:
    """The VMAs and files that its statements name."""
    return {
        name for actor in race.actor for one in actor.program for name in (one.target, one.to, one.at) if name
    }


@pytest.mark.parametrize("name", MEMORIES)
def test_every_group_is_there_once_and_names_what_its_memory_has(name: str) -> None:
    """Or a smaller memory would do."""
    found = SMALL[name]
    assert found
    assert len({canonical(group) for group in found}) == len(found)
    for group in found:
        assert MEMORIES[name].used <= named_in(group.race())


@pytest.mark.parametrize("name", MEMORIES)
def test_all_races_make_sense(name: str) -> None:
    """What is copied from a start that was looked at is what the schema accepts as a whole."""
    for group in SMALL[name][:: max(1, len(SMALL[name]) // 12)]:
        for race in group.races():
            again = Race.model_validate(race.model_dump(mode="json"))
            assert race_hash(again) == race_hash(race)


def test_nothing_that_makes_sense_is_left_out() -> None:
    """All pairs of statements of a memory, tried one by one; a pin needs another one that uses it."""
    memory = MEMORIES["place"]
    all_of_them = statements(memory)
    every = [one for one in all_of_them if "pin" not in one]
    pairs = set()
    for one, other in product(every, repeat=2):
        try:
            race = memory.race([{"name": "a", "program": [one]}, {"name": "b", "program": [other]}])
        except ValueError:
            continue
        if named_in(race) >= memory.used:
            pairs.add(frozenset([statement_text(one), statement_text(other)]))
    listed = {
        frozenset(statement_text(all_of_them[one]) for _, program in group.actors for one in program)
        for group in SMALL["place"]
    }
    assert listed == pairs


def test_what_is_pinned_is_used() -> None:
    """A program that pins a page for nothing is no program; with the device's access it is one."""
    programs = [
        [statement_text(table) for table in (statements(MEMORIES["anon"])[one] for one in program)]
        for group in islice(groups(MEMORIES["anon"], 3, [2], ("pin", "dma", "munmap")), 100)
        for _, program in group.actors
    ]
    pinning = [program for program in programs if program[0].startswith("pin ")]
    assert pinning
    assert all(program[1:] == ["dma map"] for program in pinning)


@given(st.sampled_from(sorted(MEMORIES)), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_threads_of_equal_programs_are_one_actor(name: str, number: int) -> None:
    """So the search knows that they can be exchanged; names say what each does first."""
    group = SMALL[name][number % len(SMALL[name])]
    tables = as_tables(group.race())["actor"]
    for table in tables:
        table.setdefault("count", 1)
    assert sum(table["count"] * len(table["program"]) for table in tables) == group.size <= 3
    assert len({table["name"] for table in tables}) == len(tables)
    assert all(
        table["program"] not in [other["program"] for other in tables if other is not table]
        for table in tables
    )
    assert {key for table in tables for one in table["program"] for key in one} & set(VERBS)


@pytest.mark.parametrize("memory", MEMORIES.values(), ids=list(MEMORIES))
def test_starts_are_found_once_and_the_emptiest_first(memory: Memory) -> None:
    """Each start is another; the first has no entries."""
    starts = memory.starts
    dumps = [tuple(vma.model_dump_json() for vma in start) for start in starts]
    assert len(set(dumps)) == len(dumps) > 0
    if memory.varied:
        assert all(vma.present == "no" for vma in starts[0] if vma.name in memory.varied)


@given(st.sampled_from(sorted(MEMORIES)), st.sampled_from([(1, 1), (2, 1), (1, 1, 1)]), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_a_shuffled_family_has_every_number_once(name: str, shape: tuple[int, ...], seed: int) -> None:
    """And the same seed gives the same order."""
    family = Family(name, shape, ("load", "munmap", "truncate", "maps"))
    numbers = list(family.shuffled(seed))
    assert sorted(numbers) == list(family.in_order())
    assert numbers == list(family.shuffled(seed))


def test_a_family_without_statements_is_empty() -> None:
    """No file, so nothing to truncate."""
    family = Family("anon", (1, 1), ("truncate",))
    assert (len(family), list(family.shuffled(1)), list(family.in_order())) == (0, [], [])
