"""The generated reference: complete, and with something to say about everything."""

from __future__ import annotations

import re

import pytest

from docs._ext import commands, hooks, ops, properties
from docs._ext.reference import pages
from spfvar.explore.properties import PROPERTIES
from spfvar.generator.memories import MEMORIES
from spfvar.matrix import catalogue
from spfvar.mm.hookspecs import HOOKS
from spfvar.ops import codes
from spfvar.ops.vocabulary import constructors, sample
from spfvar.plugins.registry import load_registry
from spfvar.scenario.verbs import VERBS

REGISTRY = load_registry()
PAGES = pages()


@pytest.mark.parametrize("name", list(HOOKS))
def test_every_hook_point_has_a_page_with_a_contract(name: str) -> None:
    """What it is for, where it is in the kernel or in a series, and at least one text that implements it.

    To repair: the docstring of the specification is the contract; it names the kernel's file as in
    "(mm/memory.c)" or "(mm/mmap.c: __do_munmap)", or the patch that brings the function, as in "(patch 9)".
    """
    what = hooks.contract(name)
    assert re.search(r"[.?]$", what.text)
    assert what.kernel or re.search(r"\(.*patch(es)? \d+", what.text)
    assert f"def {name}(self" in PAGES[f"hooks/{name}"]


def test_a_page_shows_every_patch_of_its_hook_point() -> None:
    """With the helpers that its method runs, and the variants that have it."""
    for variant in REGISTRY.variants.values():
        for patch in variant.patches:
            for name in [name for name in HOOKS if hasattr(patch, name)]:
                page = PAGES[f"hooks/{name}"]
                assert f"## `{patch.__name__}`" in page
                assert f"`{variant.name}`" in page
    assert "def _fail(" in PAGES["hooks/pte_map_lock"]


@pytest.mark.parametrize("name", list(constructors()))
def test_every_primitive_is_explained(name: str) -> None:
    """Its row has a sentence, and says which outcomes there are if there are several."""
    constructor = constructors()[name]
    assert constructor.__doc__
    [row] = [line for line in PAGES["ops"].splitlines() if line.startswith(f"| **`{name}(")]
    assert len(row.split(" | ")) >= 3


def test_what_a_row_says_is_what_the_primitive_is() -> None:
    """Derived by hand from spfvar.ops: a rwsem sleeps, a spinlock spins, a trylock does neither."""
    made = {name: sample(constructor) for name, constructor in constructors().items()}
    rows = {name: ops.row(constructors()[name], op) for name, op in made.items()}
    assert rows["down_write"][2:4] == ["", "sleeps"]
    assert rows["down_write_trylock"][2:4] == ["no, yes", ""]
    assert rows["spin_lock"][2:4] == ["", "spins"]
    assert rows["inc_not_zero"][2:5] == ["ok, zero, limit", "", "writes `object->field`"]
    assert rows["find_vma"][2:] == ["no, yes", "", "reads `VMA tree`", "`mm: mm_mt` read", "`find_vma`"]


def test_no_opcode_is_without_a_primitive() -> None:
    """Whatever the transition function can do is in the reference."""
    assert set(codes.NAMES) - {sample(constructor).code for constructor in constructors().values()} == set()


@pytest.mark.parametrize("id_", list(PROPERTIES))
def test_every_property_says_how_it_is_noticed(id_: str) -> None:
    """By at least one message of a violation."""
    assert f"## {id_}\n" in PAGES["properties"]
    assert properties.violations(id_)


def test_every_violation_belongs_to_a_property() -> None:
    """All but "none" and the model's own "ran out of objects", which makes a search incomplete."""
    said = " ".join(text for id_ in PROPERTIES for text in properties.violations(id_))
    assert [text for text in codes.VIOLATIONS if text not in said] == [
        codes.VIOLATIONS[codes.V_NONE], codes.VIOLATIONS[codes.V_NO_MEMORY],
    ]  # fmt: skip


@pytest.mark.parametrize("path", list(commands.commands()), ids=" ".join)
def test_every_command_has_a_section(path: tuple[str, ...]) -> None:
    """With its usage and all of its options."""
    name = " ".join(path)
    section = PAGES["commands"].split(f"\n## `spfvar {name}`\n")[1].split("\n## ")[0]
    assert f"Usage: spfvar {name}" in section
    assert "-h, --help" in section


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("variants", list(REGISTRY.variants)),
        ("series", [f"{s.name}@{p.number}" for s in REGISTRY.series.values() for p in s.patches]),
        ("twins", list(REGISTRY.twins)),
        ("scenarios", catalogue.scenarios().names()),
        ("races", catalogue.races().names()),
        ("hardware", catalogue.hardware().names()),
    ],
)
def test_lists_are_complete(page: str, names: list[str]) -> None:
    """Everything that is shipped has a row."""
    assert [name for name in names if f"`{name}`" not in PAGES[page]] == []


@pytest.mark.parametrize("name", [*VERBS, *MEMORIES])
def test_every_verb_and_memory_has_a_row(name: str) -> None:
    """With a sentence."""
    rows = [line for line in PAGES["verbs"].splitlines() if line.startswith(f"| `{name}` |")]
    assert rows
    assert all(re.match(r"[A-Z`]", row.split(" | ")[1]) for row in rows)
