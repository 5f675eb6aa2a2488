"""Compile what the tests run, once: python -m tests.warm search|simulation.

With an empty cache, workers that start side by side would compile the same functions at the same time; these are two
programs of about the same length instead.
"""

from __future__ import annotations

import sys

import spfvar
from spfvar.explore.options import Options
from spfvar.explore.verdict import judge
from spfvar.explore.walk import WalkOptions, walks
from spfvar.explore.world import build_race
from spfvar.matrix import catalogue
from tests.stacks import stack
from tests.transition import driver as d


def search() -> None:
    """The explorer, and what records a trace."""
    name = "s7@spf-do-fault"
    judge(build_race(catalogue.races()["munmap-file"], stack(name)), name, "munmap-file", Options())


def simulation() -> None:
    """The simulator, the tests' own scheduler, and the walker."""
    spfvar.compare("mmap-lock", scenarios=["pft"], threads=[1], seeds=1)
    d.start(d.variant_world("mmap-lock", d.with_repeat("anon", 1)), 0).finish(0.5)
    walks(build_race(catalogue.races()["munmap-file"], stack("mmap-lock")), WalkOptions(walks=1))


if __name__ == "__main__":
    {"search": search, "simulation": simulation}[sys.argv[1]]()
