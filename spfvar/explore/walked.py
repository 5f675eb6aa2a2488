"""The verdict of random walks: a violation with its evidence, or that so many met none (no proof)."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from spfvar.errors import InputError
from spfvar.explore.options import Options
from spfvar.explore.shorten import Path, shortened
from spfvar.explore.verdict import (
    INCOMPLETE,
    VIOLATION,
    Progress,
    Verdict,
    beyond_model,
    finding_of,
    never_reached,
    real_violations,
)
from spfvar.explore.walk import Walked, WalkOptions, walks
from spfvar.explore.world import RaceWorld
from spfvar.ops import codes as c

#: Primitives after which a walk is cut: many times what the shipped races need.
LONGEST = 10_000
#: Walks between two looks at what was found.
_ROUND = 20_000


def walk_options(walk: int | None, seed: int | None, options: Options) -> WalkOptions:
    """The options of random walks, for as long as a search may take."""
    if walk is None:
        raise InputError("a search has no seed", key="--seed", expected="--walk N with it")
    if walk < 1:
        raise InputError(f"{walk} walks", key="--walk", expected="1 or more")
    if seed is not None and seed < 0:
        raise InputError(f"the seed is {seed}", key="--seed", expected="0 or more")
    return WalkOptions(walk, LONGEST, options.seconds, 1 if seed is None else seed, options.first)


def judge_walks(
    world: RaceWorld, variant: str, race: str, options: WalkOptions, progress: Progress | None = None
) -> Verdict:
    """Walk at random through a race under a variant.

    The verdict is a violation or incomplete, never safe.  Of each kind of violation one path is kept, made
    shorter; with ``options.first`` the walks end with the round that found any, and the shortest is told.
    """
    began = time.perf_counter()
    tally = _Tally(world)

    def told(_walks: int, steps: int, seconds: float) -> None:
        if progress is not None:
            progress(steps, steps, seconds)

    while tally.walks < options.walks:
        left = options.seconds - (time.perf_counter() - began)
        if left <= 0 or (options.first and tally.paths):
            break
        tally.add(walks(world, _round(options, tally, left), told))
    found = tally.shortest_first()[: 1 if options.first else None]
    findings = tuple(finding_of(world, variant, race, code, path.ways, path.node) for code, path in found)
    vacuous = () if findings else tuple(never_reached(world, tally.covered))
    why = "" if findings else tally.why(options)
    return Verdict(
        variant, race, VIOLATION if findings else INCOMPLETE, 0, tally.steps, 0, time.perf_counter() - began,
        findings, vacuous, why, tally.walks, world.memory,
    )  # fmt: skip


def _round(options: WalkOptions, tally: _Tally, seconds: float) -> WalkOptions:
    """The next walks; their seed depends on how many there were, so that no two rounds are the same."""
    seed = options.seed << 32 | tally.walks
    number = min(_ROUND, options.walks - tally.walks)
    return replace(options, walks=number, seconds=seconds, seed=seed, first=False)


@dataclass(slots=True)
class _Tally:
    """What the rounds found: ``paths`` by the violation's code, ``wanting`` is the object that ran out."""

    world: RaceWorld
    walks: int = 0
    steps: int = 0
    endless: int = 0
    wanting: str = ""
    paths: dict[int, Path] = field(default_factory=dict)
    covered: npt.NDArray[np.uint8] = field(init=False)

    def __post_init__(self) -> None:
        self.covered = np.zeros(len(self.world.program.table) * c.MAX_OUTCOMES, dtype=np.uint8)

    def add(self, found: Walked) -> None:
        """Add a round."""
        self.walks += found.walks
        self.steps += found.steps
        self.endless += found.endless
        self.covered |= found.covered
        for violation in found.violations:
            if violation.code == c.V_NO_MEMORY:
                self.wanting = self.world.program.ops[violation.node].name
            elif violation.code not in self.paths and real_violations(self.world, [violation]):
                self.paths[violation.code] = shortened(self.world, violation.ways, violation.code)

    def shortest_first(self) -> list[tuple[int, Path]]:
        """Codes and paths."""
        return sorted(self.paths.items(), key=lambda item: (len(item[1].ways), item[0]))

    def why(self, options: WalkOptions) -> str:
        """How many walks there were, and which of them were cut short."""
        parts = [f"no violation in {self.walks} walks"]
        if self.walks < options.walks:
            parts.append("timeout")
        if self.endless:
            parts.append(f"{self.endless} of them were cut after {options.steps} primitives")
        if self.wanting:
            parts.append(f"some of them ran out of objects: {self.wanting}")
        if beyond := beyond_model(self.world):
            parts.append(beyond)
        return "; ".join(parts)
