"""Which published bugs does a hunt meet, with the hand-written races left out?

    python -m benchmarks.rediscover [--seconds 300] [--jobs 2] [--resume FILE] [TWIN...]

A row for each twin that breaks a property: the generated race that broke it first, its statements and
threads, which one in order it was, after how many seconds of one core's time; or that none did, and what the
race is like that was written for it.  A bug may break another property first, in a race that the fixed design
survives: that is said, and the hunt goes on.

The races are those of ``spfvar hunt TWIN --against FIXED --size 4 --actors 2,3 --seed 1``, in the order of
spfvar.generator.grow; with ``--alone``, those without ``--against``, in that of the seed.  A twin that takes
the kernel's memory model is hunted under it.  Every twin is hunted by one process, which learns once what the
statements of a fixed design come by: the first twin of a design takes up to half a minute longer than the
others.  FILE has the rows of twins that are done: they are not hunted again.  It belongs to the options;
another hunt's is refused.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path

from spfvar.atomic import write_atomically
from spfvar.automata.weaken import Memory
from spfvar.explore.explore import explore
from spfvar.explore.world import build_race
from spfvar.generator.focus import Focus, Reach
from spfvar.generator.grow import QUICK
from spfvar.generator.grow import hunted as hunted_against
from spfvar.generator.run import BOUNDS, Cause, Hunter, cause_of
from spfvar.matrix import catalogue
from spfvar.matrix.hunting import Plan
from spfvar.plugins.registry import Registry, load_registry
from spfvar.plugins.variant import Stack, Twin
from spfvar.scenario.race import Race

#: Bugs that this is about: those of races with so many actors at most.
FEW_ACTORS = 3


@dataclass(frozen=True)
class Row:
    """How a twin fared.

    ``group`` is "" if its property did not break, ``size`` its statements and threads; ``others``:
    properties that broke in races which hold in the fixed design.  ``needs``: statements and threads of the
    race that was written for it.
    """

    twin: str
    prop: str
    races: int
    seconds: float
    group: str
    size: tuple[int, int]
    others: tuple[str, ...]
    needs: tuple[int, int]

    def __str__(self) -> str:
        also = f"broke {', '.join(self.others)}; " if self.others else ""
        found = f"{_size(self.size)}: {self.group}"
        missed = f"not found; {also}written: {_size(self.needs)}"
        return f"{self.twin:30} {self.prop:4} {self.races:7} {self.seconds:6.1f} s  " + (
            found if self.group else missed
        )


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} statements, {size[1]} threads"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("twins", nargs="*", metavar="TWIN")
    parser.add_argument("--size", type=int, default=4)
    parser.add_argument("--actors", default="2,3")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--resume", metavar="FILE")
    options = parser.parse_args()
    actors = tuple(int(count) for count in options.actors.split(","))
    plan = Plan(options.size, actors, seconds=options.seconds, seed=options.seed)
    registry = load_registry()
    rows = _read(options.resume, plan, options.alone)
    print("twin                           breaks races   time")
    for row in rows.values():
        print(row, flush=True)
    left = [twin for twin in twins(registry, options.twins) if twin.name not in rows]
    for row in hunted(left, plan, options.alone, options.jobs):
        rows[row.twin] = row
        print(row, flush=True)
        _write(options.resume, plan, options.alone, rows)
    print(summary(list(rows.values())))


def summary(rows: Sequence[Row]) -> str:
    """How many were found."""
    few = [row for row in rows if row.needs[1] <= FEW_ACTORS]
    noticed = sum(bool(row.group or row.others) for row in few)
    found, found_few = (sum(bool(row.group) for row in some) for some in (rows, few))
    return (
        f"{found} of {len(rows)} twins found, {found_few} of the {len(few)} whose race has at most "
        f"{FEW_ACTORS} actors; {noticed} of these broke some property"
    )


def twins(registry: Registry, names: Sequence[str]) -> list[Twin]:
    """Those that break a property, or those of these names; those of one design side by side."""
    found = [twin for twin in registry.twins.values() if twin.prop and (not names or twin.name in names)]
    return sorted(found, key=lambda twin: twin.fixed)


def hunted(found: Sequence[Twin], plan: Plan, alone: bool, jobs: int) -> Iterator[Row]:
    """A row for each twin, in their order; of several processes, as they come."""
    names = [twin.name for twin in found]
    if jobs == 1:
        yield from (hunt(name, plan, alone) for name in names)
        return
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        for done in as_completed([pool.submit(hunt, name, plan, alone) for name in names]):
            yield done.result()


@cache
def _registry() -> Registry:
    return load_registry()


@cache
def _reach(name: str) -> Reach:
    return Reach(Stack(_registry().any_variant(name)))


def hunt(name: str, plan: Plan, alone: bool) -> Row:
    """Hunt until the twin's own property breaks, or there is no more time."""
    twin = _registry().twins[name]
    stack, fixed = Stack(_registry().any_variant(name)), _reach(twin.fixed)
    shipped = catalogue.races()
    written = _needs(shipped[shipped.add_file(twin.race) if twin.race.endswith(".toml") else twin.race])
    began, races = time.process_time(), 0
    causes: set[Cause] = set()
    others: set[str] = set()
    hunter = Hunter(stack, BOUNDS if alone else QUICK, model=twin.memory)

    def go_on() -> bool:
        return time.process_time() - began <= plan.seconds

    if alone:
        outcomes = hunter.run(takewhile(lambda _: go_on(), plan.groups()))
    else:
        outcomes = hunted_against(plan.families(), Focus(stack, fixed), hunter, plan.seed or 1, go_on)
    for outcome in outcomes:
        races += 1
        cause, race = outcome.cause, outcome.race
        if cause is not None and race is not None:
            if cause.property == twin.prop and not _breaks(race, fixed.stack, twin.memory):
                spent = time.process_time() - began
                return Row(
                    name, twin.prop, races, spent, outcome.group, _needs(race), tuple(sorted(others)), written
                )
            if cause not in causes and not _breaks(race, fixed.stack, twin.memory):
                others.add(cause.property)
            causes.add(cause)
    spent = time.process_time() - began
    return Row(name, twin.prop, races, spent, "", (0, 0), tuple(sorted(others)), written)


def _needs(race: Race) -> tuple[int, int]:
    """Statements and threads of a race."""
    return sum(actor.count * len(actor.program) for actor in race.actor), race.threads


def _breaks(race: Race, stack: Stack, model: Memory) -> bool:
    world = build_race(race, stack, model)
    return cause_of(world, explore(world, BOUNDS)) is not None


def _hunts(plan: Plan, alone: bool) -> dict[str, object]:
    """What a file of rows belongs to."""
    return {
        "size": plan.size, "actors": list(plan.actors), "seed": plan.seed, "seconds": plan.seconds,
        "alone": alone,
    }  # fmt: skip


def _read(path: str | None, plan: Plan, alone: bool) -> dict[str, Row]:
    if path is None or not Path(path).exists():
        return {}
    found = json.loads(Path(path).read_text())
    if found["hunts"] != _hunts(plan, alone):
        sys.exit(f"{path}: it is of another hunt: {found['hunts']}")
    rows = []
    for one in found["rows"]:
        pairs = {key: tuple(one[key]) for key in ("size", "needs", "others")}
        rows.append(Row(**{**one, **pairs}))
    return {row.twin: row for row in rows}


def _write(path: str | None, plan: Plan, alone: bool, rows: dict[str, Row]) -> None:
    if path is not None:
        content = {"hunts": _hunts(plan, alone), "rows": [asdict(row) for row in rows.values()]}
        write_atomically(path, json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
