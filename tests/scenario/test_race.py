"""The text of a race: what is wrong with it is said with its place; whatever is accepted makes sense."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st

from spfvar.errors import InputError
from spfvar.scenario.race import MAX_PAGES, MAX_THREADS, Race, race_hash
from spfvar.scenario.verbs import FILE_VERBS, VERBS
from spfvar.toml_input import parse_toml

GOOD = """\
kind = "race"
title = "a title"
properties = ["P1"]

[[file]]
name = "data"
pages = 2

[[vma]]
name = "heap"
start = 0
pages = 2

[[vma]]
name = "map"
start = 4
file = "data"

[[actor]]
name = "user"
program = [{ store = "heap", page = 1 }, { load = "map" }]

[[actor]]
name = "unmap"
program = [{ munmap = "map" }]
"""


def race(**changes: Any) -> dict[str, Any]:
    """A race of one anonymous VMA and one store, with changes."""
    return {
        "kind": "race",
        "title": "a title",
        "properties": ["P1"],
        "vma": [{"name": "a", "start": 0}],
        "actor": [{"name": "user", "program": [{"store": "a"}]}],
        **changes,
    }


def refusal(text: str) -> InputError:
    """Why the text is no race."""
    with pytest.raises(InputError) as caught:
        parse_toml(text, "r.toml", Race)
    return caught.value


def test_a_good_race_is_read() -> None:
    """Threads, VMAs by name, and what the fault path branches on."""
    read = parse_toml(GOOD, "r.toml", Race)
    assert read.threads == 2
    assert (read.vma_named("map").start, read.vma_named("map").end) == (4, 5)
    assert [statement.verb for statement in read.actor[0].program] == ["store", "load"]
    assert read.actor[0].program[0].target == "heap"
    assert not read.mapping(read.vma_named("map")).anonymous
    assert read.mapping(read.vma_named("heap")).anonymous
    assert not read.mapping(read.vma_named("heap")).protected


def test_a_vma_may_forbid_writes_if_it_starts_so_or_is_protected() -> None:
    """mapping().protected makes the fault path look: a read-only VMA, or an mprotect anywhere."""
    text = GOOD.replace('name = "heap"\n', 'name = "heap"\nprot = "r"\n')
    read = parse_toml(text, "r.toml", Race)
    assert [read.mapping(vma).protected for vma in read.vma] == [True, False]
    read = parse_toml(GOOD.replace("{ munmap", '{ prot = "r", mprotect'), "r.toml", Race)
    assert [read.mapping(vma).protected for vma in read.vma] == [True, True]


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "suggestion"),
    [
        ('load = "map"', 'load = "mop"', 21, "actor[0].program[1].load", "map"),
        ("page = 1", "page = 2", 21, "actor[0].program[0].page", None),
        ('file = "data"', 'file = "date"', 17, "vma[1].file", "data"),
        ("start = 0", 'start = 0\nsharing = "shared"', 12, "vma[0].sharing", None),
        ("start = 4", "start = 1", 16, "vma[1].start", None),
        ("start = 4", "start = 31\npages = 2", 16, "vma[1].start", None),
        ('file = "data"\n', 'file = "data"\npages = 3\n', 18, "vma[1].pages", None),
        ('munmap = "map"', 'munmop = "map"', 25, "actor[1].program[0].munmop", "munmap"),
        ('munmap = "map"', 'munmap = "map", load = "map"', 25, "actor[1].program[0]", None),
        ('munmap = "map"', "page = 0", 25, "actor[1].program[0]", None),
        ('munmap = "map"', 'shrink = "map"', 25, "actor[1].program[0].shrink", None),
        ('properties = ["P1"]', "properties = []", 3, "properties", None),
        ('properties = ["P1"]', 'properties = ["P1"]\ntable_pages = 3', 4, "table_pages", None),
        ('name = "unmap"', 'name = "unmap"\ncount = 14', 19, "actor", None),
        ('name = "unmap"', 'name = "user"', 24, "actor[1].name", None),
        ('name = "map"\nstart', 'name = "heap"\nstart', 15, "vma[1].name", None),
        ("pages = 2\n\n[[vma]]\nname = \"map\"", 'pages = 2\npresent = "file"\n\n[[vma]]\nname = "map"', 13, "vma[0].present", None),
        ('file = "data"\n', 'file = "data"\nsharing = "shared"\npresent = "anon"\n', 19, "vma[1].present", None),
        ('file = "data"\n', 'file = "data"\nanon_vma = false\npresent = "anon"\n', 19, "vma[1].present", None),
    ],
)  # fmt: skip
def test_an_error_is_told_with_its_place(
    old: str, new: str, line: int, key: str, suggestion: str | None
) -> None:
    """File, line and key path; the nearest name where one is unknown."""
    assert GOOD.count(old) == 1
    error = refusal(GOOD.replace(old, new))
    assert (error.file, error.line, error.key, error.suggestion) == ("r.toml", line, key, suggestion)


def test_ranges_that_are_not_mapped_at_the_start_may_overlap() -> None:
    """A place for a mapping of the same kind that an actor makes once another is gone."""
    text = GOOD.replace("start = 4", "start = 1\nmapped = false").replace('file = "data"\n', "")
    assert parse_toml(text, "r.toml", Race).vma_named("map").start == 1


def test_a_second_file_of_a_name_is_refused() -> None:
    """Which one would a VMA map?"""
    error = refusal(GOOD.replace("[[file]]", '[[file]]\nname = "data"\n\n[[file]]', 1))
    assert error.key == "file[1].name"


def test_a_page_that_is_not_cached_cannot_be_mapped() -> None:
    """The page's entry would name a folio that has left its file before anybody moves."""
    text = GOOD.replace('name = "data"', 'name = "data"\ncached = "none"')
    parse_toml(text, "r.toml", Race)
    assert refusal(text.replace("start = 4", 'start = 4\npresent = "file"')).key == "vma[1].present"


def test_the_hash_is_that_of_the_content() -> None:
    """Twelve digits: the same for another spelling of the same race, another for another race."""
    one = parse_toml(GOOD, "r.toml", Race)
    assert race_hash(one) == race_hash(parse_toml("# a comment\n" + GOOD, "s.toml", Race))
    assert race_hash(one) != race_hash(parse_toml(GOOD.replace("page = 1", "page = 0"), "r.toml", Race))
    assert len(race_hash(one)) == 12


#: A statement of each verb on this memory, which is one that a process could run.
MEMORY: dict[str, Any] = {
    "tlb": True,
    "file": [{"name": "f", "pages": 2}],
    "vma": [
        {"name": "a", "start": 0, "pages": 2, "anon_vma": False},
        {"name": "next", "start": 2, "pages": 2, "pgoff": 2},
        {"name": "free", "start": 4, "pages": 2, "mapped": False},
        {"name": "over", "start": 0, "pages": 2, "mapped": False},
        {"name": "ours", "start": 6, "pages": 2, "mm": 1},
        {"name": "child", "start": 8, "pages": 2, "mm": 1, "mapped": False},
        {"name": "slots", "start": 10, "pages": 2, "swap": "synchronous"},
        {"name": "monitored", "start": 12, "pages": 2, "userfault": True},
    ],
}
#: Where the second address space is a place for a child, and nothing else.
CHILDLESS = {
    "vma": [
        {"name": "a", "start": 0},
        {"name": "next", "start": 1},
        {"name": "child", "start": 2, "mm": 1, "mapped": False, "userfault": True},
        {"name": "later", "start": 3, "mm": 1, "mapped": False},
    ],
}
PROGRAMS: dict[str, list[dict[str, Any]]] = {
    **{verb: [{verb: "f" if verb in FILE_VERBS else "a"}] for verb in VERBS},
    "mmap": [{"mmap": "free"}],
    "swapout": [{"swapout": "slots"}],
    "dma": [{"pin": "a"}, {"dma": "a"}],
    "unpin": [{"pin": "a"}, {"unpin": "a"}],
    "grow": [{"shrink": "a"}, {"grow": "a"}],
    "exit": [{"exit": "ours"}],
    "ksm": [{"ksm": "ours"}],
    "mrelease": [{"mrelease": "ours"}],
    "unuse": [{"unuse": "ours"}],
    "monitor": [{"monitor": "child"}],
    "fork_fails": [{"fork_fails": "a", "to": "child", "at": "later"}],
    "merge": [{"merge": "a", "to": "next"}],
    "move": [{"move": "a", "to": "free"}],
    "dontunmap": [{"dontunmap": "a", "to": "free"}],
    "fork": [{"fork": "a", "to": "child"}],
    "map_over": [{"map_over": "over"}],
    "uffd_copy": [{"uffd_copy": "monitored"}],
    "uffd_move": [{"uffd_move": "a", "to": "monitored"}],
    "uffd_wp": [{"uffd_wp": "monitored"}],
    "call": [{"call": "munmap", "on": "a"}],
}


def memory_of(verb: str) -> dict[str, Any]:
    """What the verb's program can be run on."""
    return CHILDLESS if verb in ("fork_fails", "monitor") else MEMORY


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_a_key_of_a_statement(verb: str) -> None:
    """A statement with any of the verbs is read back with it."""
    read = Race.model_validate(race(**memory_of(verb), actor=[{"name": "x", "program": PROGRAMS[verb]}]))
    last = read.actor[0].program[-1]
    assert (last.verb, last.target) == (verb, PROGRAMS[verb][-1][verb])


@st.composite
def races(draw: st.DrawFn) -> dict[str, Any]:
    """Small races as tables; a few of them contradict themselves."""
    names = ["a", "b", "c"][: draw(st.integers(1, 3))]
    files = [
        {"name": name, "pages": draw(st.integers(1, 4)), "cached": draw(st.sampled_from(["all", "none"]))}
        for name in ["f", "g"][: draw(st.integers(0, 2))]
    ]
    vmas, here = [], 0
    for name in names:
        here += draw(st.integers(0, 3))
        file = draw(st.sampled_from(["", *(file["name"] for file in files)]))
        pages = draw(st.integers(1, 4))
        vmas.append({
            "name": name, "start": here, "pages": pages, "file": file,
            "present": draw(st.sampled_from(["no", "zero", "file", "anon"])),
            **{key: draw(st.booleans()) for key in ("mapped", "anon_vma", "neighbours", "table")},
            "prot": draw(st.sampled_from(["r", "rw"])), "sharing": draw(st.sampled_from(["private", "shared"])),
        })  # fmt: skip
        here += pages
    statement = st.builds(
        lambda verb, name: {verb: name}, st.sampled_from(list(VERBS)), st.sampled_from(names)
    )
    actors = [
        {
            "name": f"x{i}",
            "count": draw(st.integers(1, 2)),
            "program": draw(st.lists(statement, min_size=1, max_size=3)),
        }
        for i in range(draw(st.integers(1, 2)))
    ]
    return race(
        file=files,
        vma=vmas,
        actor=actors,
        table_pages=draw(st.sampled_from([1, 2, 4])),
        tlb=draw(st.booleans()),
    )


def test_limits_are_those_of_the_state() -> None:
    """Pages and threads beyond them are refused, at them accepted."""
    Race.model_validate(race(vma=[{"name": "a", "start": MAX_PAGES - 1}]))
    with pytest.raises(ValueError, match="start"):
        Race.model_validate(race(vma=[{"name": "a", "start": MAX_PAGES}]))
    actor = {"name": "user", "count": MAX_THREADS, "program": [{"store": "a"}]}
    assert Race.model_validate(race(actor=[actor])).threads == MAX_THREADS
    with pytest.raises(ValueError, match="threads"):
        Race.model_validate(race(actor=[actor, {**actor, "name": "other", "count": 1}]))
