"""Designs of two threads and a few words under the kernel's memory model, which several tests look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from spfvar.automata.weaken import Memory
from spfvar.explore.options import Options
from spfvar.explore.verdict import Verdict, judge
from spfvar.explore.world import RaceWorld, build_race
from spfvar.matrix import catalogue
from spfvar.plugins.registry import Registry, load_registry
from spfvar.plugins.variant import Stack
from spfvar.scenario.race import Race

#: A table of a race's file.
Table = Mapping[str, Any]
PLUGIN = str(Path(__file__).with_name("weakly.py"))
PUBLISHED = str(Path(__file__).with_name("weakly_published.py"))
RACE = "munmap-file"


@cache
def registry() -> Registry:
    """The shipped variants and those of tests/explore/weakly*.py."""
    found = load_registry([PLUGIN, PUBLISHED])
    assert found.problems == []
    return found


def world(name: str, memory: Memory = "lkmm") -> RaceWorld:
    """A fault against munmap under a design."""
    return build_race(catalogue.races()[RACE], Stack(registry().any_variant(f"weak-{name}")), memory)


@cache
def verdict(name: str, memory: Memory = "lkmm") -> Verdict:
    """Its verdict."""
    return judge(world(name, memory), f"weak-{name}", RACE, Options())


def race(vmas: Iterable[Table], *actors: Table, files: Iterable[Table] = ()) -> Race:
    """A race of its own, with TLBs, from the tables of a race's file."""
    return Race.model_validate(
        {
            "kind": "race", "title": "a test", "description": "a test", "source": "a test",
            "properties": ["P4", "P14", "P17"], "tlb": True, "file": list(files), "vma": list(vmas),
            "actor": list(actors),
        }
    )  # fmt: skip
