"""Worlds and verdicts that several tests look at."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from spfvar.explore.options import Options
from spfvar.explore.verdict import Verdict, judge
from spfvar.explore.world import RaceWorld, build_race
from spfvar.matrix import catalogue
from spfvar.plugins.registry import Registry, load_registry
from spfvar.plugins.variant import Stack

PLUGIN = str(Path(__file__).with_name("broken.py"))


@cache
def registry() -> Registry:
    """The shipped variants and the broken ones."""
    found = load_registry([PLUGIN])
    assert found.problems == []
    return found


@cache
def world(variant: str, race: str = "munmap-file") -> RaceWorld:
    """A race under a variant or twin."""
    return build_race(catalogue.races()[race], Stack(registry().any_variant(variant)))


@cache
def verdict(variant: str, race: str = "munmap-file", **options: object) -> Verdict:
    """Its verdict."""
    return judge(world(variant, race), variant, race, Options(**options))  # type: ignore[arg-type]
