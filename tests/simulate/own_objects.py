"""Which threads touch the objects that serve one thread only: run with NUMBA_DISABLE_JIT=1.

    python -m tests.simulate.own_objects [--all-classes] VARIANT...

Prints each load in which an op touched an object of `own_classes` that another thread had touched before, and
nobody allocated or freed in between; and behind it how many runs there were, and how many touches.  With
``--all-classes`` as if those were all, whatever the load.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from unittest import mock

from spfvar.matrix import catalogue
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.places import ObjectClass
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack
from spfvar.scenario.load import Load, make_load
from spfvar.simulate import engine
from spfvar.simulate.runner import seed_sequence, start
from spfvar.simulate.world import World, build_world, own_classes

#: The allocator hands objects on; these ops are ordered whatever the class.
HAND_ON = (c.ALLOC, c.FREE, c.CALL_RCU, c.RCU_INVOKE)
ALL = (o.VMA, o.ANON_VMA_CLASS, o.FILE, o.FOLIO, o.PAGE_TABLE)
THREADS, FAULTS, ROUNDS = 3, 40, 3


class Touched:
    """A state that notes which of its words were looked at or changed."""

    def __init__(self, words: Any) -> None:
        self.words = words
        self.touched: set[int] = set()

    def __getitem__(self, index: Any) -> Any:
        self.touched.add(int(index))
        return self.words[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        self.touched.add(int(index))
        self.words[index] = value


class Owners:
    """Whose each object is, and who else touched it."""

    def __init__(self, world: World, classes: Iterable[ObjectClass]) -> None:
        self._world = world
        self._execute: Any = vars(engine)["execute"]
        self._owner: dict[tuple[str, int], int] = {}
        self._spans = []
        for cls in classes:
            if world.layout.sizes.count(cls):
                base = world.layout.class_base(cls)
                self._spans.append(
                    (cls.name, base, world.layout.class_stride[cls], world.layout.sizes.count(cls))
                )
        self.touches = 0
        self.wrong: dict[str, None] = {}

    def execute(self, s: Any, p: Any, g: Any, pc: int, tid: int, tb: int, choice: int, out: Any) -> Any:
        """The engine's `execute`, watched."""
        touched = Touched(s)
        outcome = self._execute(touched, p, g, pc, tid, tb, choice, out)
        for name, base, stride, count in self._spans:
            for number in {(word - base) // stride for word in touched.touched if word >= base}:
                if number < count:
                    self._note((name, number), int(p[pc, c.C_OP]), tid, int(pc))
        return outcome

    def _note(self, object_: tuple[str, int], code: int, tid: int, pc: int) -> None:
        self.touches += 1
        if code in HAND_ON:
            self._owner.pop(object_, None)
        elif self._owner.setdefault(object_, tid) != tid:
            op = self._world.program.ops[pc]
            self.wrong[f"{op.function}: {op.name}: {object_[0]}"] = None


def shipped(name: str, small: bool = False) -> Load:
    """A shipped load with few threads; with regions as small as they may be."""
    scenario = catalogue.scenarios()[name]
    axes = {axis: known.parse(known.values[0]) for axis, known in scenario.axes.items()}
    if small and "region" in axes and scenario.axes["region"].range:
        axes["region"] = scenario.axes["region"].parse(scenario.axes["region"].range[0])
    return make_load(name, scenario, {**axes, "threads": THREADS})


def short(load: Load) -> Load:
    """A load with a short window."""
    return replace(load, warmup=0, warmup_rounds=0, faults=FAULTS, rounds=ROUNDS if load.rounds else 0)


def main(variants: list[str], every: bool) -> None:
    """Watch every load that has such objects."""
    registry = load_registry()
    profile = catalogue.hardware()["skylake-2s56c"]
    runs = touches = 0
    for name in catalogue.scenarios().names():
        load = short(shipped(name, small=True))
        classes = ALL if every else own_classes(load)
        if not classes:
            continue
        for variant in variants:
            world = build_world(load, Stack(registry[variant]))
            owners = Owners(world, classes)
            with mock.patch.object(engine, "execute", owners.execute):
                run = start(world, profile, seed_sequence(1, 0, name, load.threads))
                status = engine.run(*run.arguments())
            assert status == engine.DONE, (name, variant, status)
            runs += 1
            touches += owners.touches
            for wrong in owners.wrong:
                print(f"{variant} in {name}: {wrong}")
    print(runs, touches)


if __name__ == "__main__":
    names = sys.argv[1:]
    main([name for name in names if name != "--all-classes"], "--all-classes" in names)
