"""Compile what the tests run, once: python -m tests.warm search|simulation|weak.

With an empty cache, workers that start side by side would compile the same functions at the same time; these are
programs that compile different ones instead.
"""

from __future__ import annotations

import gc
import sys

import spfvar
import spfvar.litmus.run as litmus
from spfvar.explore.options import Options
from spfvar.explore.verdict import judge
from spfvar.explore.walk import WalkOptions, walks
from spfvar.explore.world import build_race
from spfvar.litmus.parse import parse
from spfvar.matrix import catalogue
from tests.stacks import stack
from tests.transition import driver as d

BUFFERING = """C buffering
{ }
P0(int *x, int *y) { int r0; WRITE_ONCE(*x, 1); r0 = READ_ONCE(*y); }
P1(int *x, int *y) { int r0; WRITE_ONCE(*y, 1); r0 = READ_ONCE(*x); }
exists (0:r0=0 /\\ 1:r0=0)
"""


def search() -> None:
    """The explorer, and what records a trace."""
    name = "s7@spf-do-fault"
    judge(build_race(catalogue.races()["munmap-file"], stack(name)), name, "munmap-file", Options())


def simulation() -> None:
    """The simulator, with and without its record, the tests' own scheduler, and the walker."""
    spfvar.compare("mmap-lock", scenarios=["pft"], threads=[1], seeds=1)
    spfvar.why("mmap-lock", "pft", threads=1)
    d.start(d.variant_world("mmap-lock", d.with_repeat("anon", 1)), 0).finish(0.5)
    walks(build_race(catalogue.races()["munmap-file"], stack("mmap-lock")), WalkOptions(walks=1))


def weak() -> None:
    """The explorer around weak words."""
    litmus.judge(parse(BUFFERING))


PARTS = {"search": search, "simulation": simulation, "weak": weak}

if __name__ == "__main__":
    gc.disable()  # a compiler's objects live until it is done: a tenth of its time is looking through them
    PARTS[sys.argv[1]]()
