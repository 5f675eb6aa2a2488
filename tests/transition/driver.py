"""A scheduler for tests: steps one thread, or threads at random, over the transition function.

Run as a program, it prints a checksum of the state after every step of a random walk; the tests do
that with NUMBA_DISABLE_JIT=1 and compare with the compiled function.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

import spfvar.simulate.world as world_module
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.places import RANGE_WORDS
from spfvar.scenario.load import make_load
from spfvar.scenario.schema import Scenario
from spfvar.simulate.random import seeded, uniform
from spfvar.simulate.world import World, build_world, draw_start
from spfvar.transition.jit import compiled
from spfvar.transition.step import step
from tests.stacks import stack

MOVED: Final = 0
WAITS: Final = 1
FINISHED: Final = 2  # every program has ended, no callback is queued
STUCK: Final = 3
BROKEN: Final = 4  # VIOLATED
UNBALANCED: Final = 5  # a thread is in user mode and holds a lock or a section

#: Positions in the report of `drive`.
R_THREAD: Final = 0
R_OUTCOME: Final = 1
R_STEPS: Final = 2
R_NODE: Final = 3
R_FAULTS: Final = 4
REPORT: Final = 5


@compiled
def drive(
    s: Any, p: Any, g: Any, out: Any, rng: Any, tid: Any, choice: Any, steps: Any, stay: Any, blocked: Any,
    events: Any, owners: Any, report: Any,
) -> Any:  # fmt: skip
    """Execute ``steps`` primitives of thread ``tid``, or (-1) of threads drawn at random.

    ``stay`` is the probability that the last thread goes on; ``choice`` the outcome of open choices
    (-1: drawn); ``owners`` are the state words that hold a lock's owner + 1.
    """
    threads = g[c.G_THREADS]
    for _ in range(steps):
        moved = False
        while not moved:
            chosen = tid
            if tid < 0:
                free = 0
                for thread in range(threads):
                    if not blocked[thread]:
                        free += 1
                if free == 0:
                    for thread in range(threads):
                        op = p[s[g[c.G_T_BASE] + thread * g[c.G_T_STRIDE]], c.C_OP]
                        if op != c.END and op != c.RCU_GP_START:
                            return STUCK
                    return FINISHED
                last = report[R_THREAD]
                if not blocked[last] and uniform(rng) < stay:
                    chosen = last
                else:
                    skip = int(uniform(rng) * free)
                    chosen = 0
                    while blocked[chosen] or skip > 0:
                        if not blocked[chosen]:
                            skip -= 1
                        chosen += 1
            tb = g[c.G_T_BASE] + chosen * g[c.G_T_STRIDE]
            pc = s[tb + c.T_PC]
            op = p[pc, c.C_OP]
            report[R_THREAD] = chosen
            report[R_NODE] = pc
            if op == c.TOUCH:
                if s[tb + c.T_RCU_NEST] != 0 or s[tb + c.T_IRQ_OFF] != 0 or s[tb + c.T_WAIT] != 0:
                    return UNBALANCED
                for i in range(owners.shape[0]):
                    if s[owners[i]] == chosen + 1:
                        return UNBALANCED
            drawn = choice
            if op == c.CHOOSE and choice < 0:
                drawn = int(uniform(rng) * p[pc, c.C_IMM])
            out[c.OUT_AMOUNT] = 0
            out[c.OUT_ANON] = 0
            out[c.OUT_WOKEN] = 0
            outcome = step(s, p, g, chosen, drawn, out)
            report[R_OUTCOME] = outcome
            if outcome == c.VIOLATED:
                return BROKEN
            if outcome == c.BLOCKED:
                blocked[chosen] = True
                if tid >= 0:
                    return WAITS
                continue
            moved = True
            report[R_STEPS] += 1
            for thread in range(threads):
                blocked[thread] = False
            if op == c.COUNT:
                events[p[pc, c.C_IMM]] += 1
            if op == c.MARK and p[pc, c.C_IMM] == c.MARK_FAULT_END:
                report[R_FAULTS] += 1
    return MOVED


class Run:
    """A state and what `drive` needs beside it."""

    def __init__(self, layout: Any, program: Any, state: Any, seed: int = 0) -> None:
        self.layout = layout
        self.program = program
        self.state = state
        self.threads = int(layout.sizes.threads)
        self.rng = seeded(np.random.SeedSequence(seed))
        self.out = np.zeros(c.OUT_WOKEN0 + self.threads, dtype=np.int32)
        self.blocked = np.zeros(self.threads, dtype=np.bool_)
        self.events = np.zeros(max(1, len(program.events)), dtype=np.int64)
        self.report = np.zeros(REPORT, dtype=np.int64)
        self.owners = np.array(lock_words(layout), dtype=np.int64)

    def drive(self, steps: int, stay: float = 0.7, tid: int = -1, choice: int = -1) -> int:
        """Let threads go on; returns a status."""
        return int(
            drive(
                self.state, self.program.table, self.layout.g, self.out, self.rng, tid, choice, steps, stay,
                self.blocked, self.events, self.owners, self.report,
            )
        )  # fmt: skip

    def fork(self) -> Run:
        """A copy that goes its own way."""
        twin = Run.__new__(Run)
        twin.__dict__.update(self.__dict__)
        for name in ("state", "rng", "out", "blocked", "events", "report"):
            setattr(twin, name, getattr(self, name).copy())
        return twin

    def finish(self, stay: float = 0.7, limit: int = 2_000_000) -> int:
        """Let threads go on at random until all have ended."""
        return self.drive(limit, stay)

    def trace(self, tid: int, limit: int = 100_000) -> list[str]:
        """Let one thread go on until it waits or ends; returns the names of the ops it executed."""
        names: list[str] = []
        while len(names) < limit:
            pc = int(self.state[self.layout.thread_base(tid) + c.T_PC])
            status = self.drive(1, tid=tid)
            if status != MOVED:
                assert status == WAITS, self.where()
                break
            names.append(self.program.ops[pc].name)
        return names

    def counts(self) -> dict[str, int]:
        """Events counted so far."""
        return dict(zip(self.program.events, (int(n) for n in self.events), strict=False))

    @property
    def faults(self) -> int:
        """Faults that have ended."""
        return int(self.report[R_FAULTS])

    def where(self) -> str:
        """The last thread and primitive, and the violation: for messages of failing tests."""
        code = int(self.state[self.layout.g[c.G_VIOLATION]])
        op = self.program.ops[int(self.report[R_NODE])]
        return f"thread {self.report[R_THREAD]} at {op.function}: {op.name} ({c.VIOLATIONS[code]})"


def lock_fields(layout: Any) -> list[Any]:
    """The locks that a run lays out."""
    return [field for field in layout.field_offset if field.width > 1]


def lock_words(layout: Any) -> list[int]:
    """State words that hold an owner + 1: a rwsem's writer, a spinlock's owner."""
    return [
        layout.word(field, index) + (1 if field.width == 4 else 0)
        for field in lock_fields(layout)
        if field.width != RANGE_WORDS
        for index in range(layout.sizes.count(field.cls))
    ]


def leftovers(run: Run) -> list[str]:
    """What a finished run still holds, though all its threads are in user mode for good.

    Locks are free, sections left, sequence counts even (if they are counted at both ends); nothing waits for a grace period; the live
    objects are exactly those that the VMA tree, the page-middle directory and the start state refer to.
    """
    layout, s, g = run.layout, run.state, run.layout.g
    found = []
    for thread in range(run.threads):
        base = layout.thread_base(thread)
        for name, word in (("waits", c.T_WAIT), ("RCU section", c.T_RCU_NEST), ("IRQs off", c.T_IRQ_OFF)):
            if s[base + word]:
                found.append(f"thread {thread}: {name}")
    for field in lock_fields(layout):
        for index in range(layout.sizes.count(field.cls)):
            if (not field.cls.lifetime or _life(run, field.cls, index) == c.LIVE) and np.any(
                s[layout.word(field, index) : layout.word(field, index) + field.width]
            ):
                found.append(f"{field} of {index} is held")
    begins = {
        op.place.field for op in run.program.ops if op.place and op.name.startswith("write_seqcount_begin")
    }
    found += [f"{field} is odd" for field in begins if s[layout.word(field)] & 1]
    if np.any(s[g[c.G_RCU] + 1 : g[c.G_RCU] + 5]) or s[g[c.G_IPI]]:
        found.append("RCU readers, callbacks or IPIs are left")
    return found + _unreachable(run) + _wrong_counts(run)


def _life(run: Run, cls: Any, index: int) -> int:
    return int(run.state[run.layout.class_base(cls) + index * run.layout.class_stride[cls]])


def live(run: Run, cls: Any) -> set[int]:
    """Numbers of the objects of a class that are not free."""
    return {i for i in range(run.layout.sizes.count(cls)) if _life(run, cls, i) >= c.LIVE}


def directory(run: Run) -> Any:
    """The page tables that the page-middle directory refers to."""
    g, sizes = run.layout.g, run.layout.sizes
    return run.state[g[c.G_PMD] : g[c.G_PMD] + ((sizes.pages - 1) >> sizes.pt_shift) + 1]


def _unreachable(run: Run) -> list[str]:
    g = run.layout.g
    tree = run.state[g[c.G_TREE] : g[c.G_PMD]]
    found = []
    for cls, words in ((o.VMA, tree), (o.PAGE_TABLE, directory(run))):
        reachable = {int(word) - 1 for word in np.unique(words) if word}
        if live(run, cls) != reachable:
            found.append(f"{cls.name}: live {live(run, cls)}, reachable {reachable}")
    return found


def _wrong_counts(run: Run) -> list[str]:
    layout, s, g = run.layout, run.state, run.layout.g
    span = 1 << layout.sizes.pt_shift
    entries = np.concatenate(
        [s[g[c.G_PTE] + (int(t) - 1) * span : g[c.G_PTE] + int(t) * span] for t in directory(run) if t]
        or [np.zeros(0, dtype=np.int32)]
    )
    of_file = entries[(entries & c.PTE_PRESENT != 0) & (entries & (c.PTE_ANON | c.PTE_ZERO) == 0)]
    mapped = np.bincount(of_file >> c.PTE_FOLIO_SHIFT, minlength=layout.sizes.folios)
    found = [
        f"folio {i}: {s[layout.word(o.REFCOUNT, i)]} references, {mapped[i]} entries"
        for i in range(layout.sizes.folios)
        if s[layout.word(o.REFCOUNT, i)] != mapped[i]
    ]
    files = [int(s[layout.word(o.VM_FILE, vma)]) for vma in live(run, o.VMA)] if layout.has(o.VM_FILE) else []
    for file in live(run, o.FILE):
        # The descriptor's reference, and one of each VMA (vm_file holds the file's number + 1).
        if s[layout.word(o.F_COUNT, file)] != 1 + files.count(file + 1):
            found.append(f"file {file}: {s[layout.word(o.F_COUNT, file)]} references")
    return found


def small_load(regions: list[dict[str, Any]], groups: list[dict[str, Any]], **more: Any) -> Any:
    """A load of few pages from the tables that a scenario's file would hold."""
    measure = {} if all(group.get("repeat") for group in groups) else {"measure": {"faults": 1}}
    table = {
        "kind": "load", "title": "test", "axes": {"threads": {"doc": "threads", "values": [1]}},
        "region": regions, "group": groups, **measure, **more,
    }  # fmt: skip
    return make_load("test", Scenario.model_validate(table), {"threads": 1})


def start(world: World, seed: int = 0) -> Run:
    """A run at the world's start state.

    A region called "alias" is another name for the range of the first thread's "scratch": its users race
    with whoever maps and unmaps that.
    """
    run = Run(world.layout, world.program, draw_start(world, np.random.default_rng(seed)), seed)
    slots = {register.name: slot for register, slot in world.layout.registers.items()}
    if "alias_start" in slots:
        first = world.layout.thread_base(0)
        for thread in range(1, world.load.threads):
            base = world.layout.thread_base(thread)
            for end in ("start", "end"):
                run.state[base + slots[f"alias_{end}"]] = run.state[first + slots[f"scratch_{end}"]]
    return run


def variant_world(variant: str, load: Any) -> World:
    """The world of a load under a built-in variant."""
    return build_world(load, stack(variant))


#: Loads in which everything collides: threads share a VMA, its file and its page tables with writers.
LOADS: Final[Mapping[str, Any]] = {
    "anon": (
        [
            {"name": "memory", "size": "32KiB", "per": "process", "mapped": True, "anon_vma": False},
            {"name": "scratch", "size": "8KiB"},
        ],
        [
            {
                "name": "mapper", "threads": 2,
                "program": [
                    {"mmap": "scratch"}, {"touch": "memory"}, {"touch": "scratch", "access": "read"},
                    {"mprotect": "scratch", "prot": "r"}, {"mprotect": "scratch", "prot": "rw"},
                    {"touch": "scratch"}, {"munmap": "scratch"}, {"madvise": "memory"},
                ],
            },
            {"name": "reader", "threads": 1, "program": [{"touch": "memory", "access": "read"}]},
        ],
    ),
    "file": (
        [
            {
                "name": "code", "size": "64KiB", "backing": "file", "cached": 0.6, "per": "process",
                "mapped": True, "fault_around": "16KiB",
            },
            {"name": "data", "size": "8KiB", "backing": "file", "cached": 0.5, "fault_around": "4KiB"},
            {"name": "log", "size": "16KiB", "backing": "file", "sharing": "shared", "mapped": True},
        ],
        [
            {
                "name": "mapper", "threads": 2,
                "program": [
                    {"touch": "code", "access": "read"}, {"mmap": "data"},
                    {"touch": "data", "access": "read"}, {"touch": "data"}, {"munmap": "data"},
                    {"touch": "log", "access": "read"}, {"touch": "log"},
                    {"madvise": "log"}, {"madvise": "code"},
                ],
            },
            {"name": "writer", "threads": 1, "program": [{"touch": "code"}, {"madvise": "code"}]},
        ],
    ),
}  # fmt: skip


RACES: Final[Mapping[str, Any]] = {
    "munmap, anonymous": (
        [{"name": "scratch", "size": "8KiB"}, {"name": "alias", "size": "8KiB"}],
        [
            {
                "name": "mapper", "threads": 1,
                "program": [
                    {"mmap": "scratch"}, {"touch": "scratch"}, {"mprotect": "scratch", "prot": "r"},
                    {"madvise": "scratch"}, {"munmap": "scratch"},
                ],
            },
            {"name": "writer", "threads": 1, "program": [{"touch": "alias"}]},
            {"name": "reader", "threads": 1, "program": [{"touch": "alias", "access": "read"}]},
        ],
    ),
    "munmap, file": (
        [
            {"name": name, "size": "16KiB", "backing": "file", "cached": 0.9, "fault_around": "8KiB"}
            for name in ("scratch", "alias")
        ],
        [
            {"name": "mapper", "threads": 1, "program": [{"mmap": "scratch"}, {"munmap": "scratch"}]},
            {"name": "writer", "threads": 1, "program": [{"touch": "alias"}]},
            {"name": "reader", "threads": 1, "program": [{"touch": "alias", "access": "read"}]},
        ],
    ),
    "munmap, shared file": (
        [
            {"name": name, "size": "8KiB", "backing": "file", "sharing": "shared", "fault_around": "4KiB"}
            for name in ("scratch", "alias")
        ],
        [
            {"name": "mapper", "threads": 1, "program": [{"mmap": "scratch"}, {"munmap": "scratch"}]},
            {"name": "writer", "threads": 1, "program": [{"touch": "alias"}]},
            {"name": "reader", "threads": 1, "program": [{"touch": "alias", "access": "read"}]},
        ],
    ),
    "brk": (
        [{"name": "scratch", "size": "16KiB", "mapped": True}, {"name": "alias", "size": "16KiB"}],
        [
            {
                "name": "mapper", "threads": 1,
                "program": [
                    {"brk": "scratch", "change": "shrink"}, {"brk": "scratch", "change": "grow"},
                    {"touch": "scratch"},
                ],
            },
            {"name": "writer", "threads": 1, "program": [{"touch": "alias"}]},
            {"name": "reader", "threads": 1, "program": [{"touch": "alias", "access": "read"}]},
        ],
    ),
    "close": (
        [
            {"name": "scratch", "size": "16KiB", "backing": "file", "fault_around": "8KiB", "mapped": True},
            {"name": "alias", "size": "16KiB", "backing": "file", "fault_around": "8KiB"},
        ],
        [
            {
                "name": "mapper", "threads": 1,
                "program": [
                    {"touch": "scratch", "access": "read"}, {"madvise": "scratch"}, {"munmap": "scratch"},
                ],
            },
            {"name": "writer", "threads": 1, "program": [{"touch": "alias"}]},
            {"name": "reader", "threads": 1, "program": [{"touch": "alias", "access": "read"}]},
        ],
    ),
}  # fmt: skip


def with_repeat(name: str, repeat: int) -> Any:
    """One of LOADS or RACES whose threads go through their programs ``repeat`` times (0: without end)."""
    regions, groups = {**LOADS, **RACES}[name]
    return small_load(regions, [{**group, "repeat": repeat} for group in groups])


def checksums(variant: str, load: str, steps: int) -> list[int]:
    """A checksum of the state after each step of a random walk."""
    world_module.SPARE_VMAS = 16
    run = start(variant_world(variant, with_repeat(load, 0)), seed=7)
    run.owners = run.owners[:0]
    sums = []
    for _ in range(steps):
        if run.drive(1, stay=0.8) != MOVED:
            raise AssertionError(run.where())
        sums.append(zlib.crc32(run.state.tobytes()))
    return sums


if __name__ == "__main__":
    for _variant in sys.argv[3:]:
        print(_variant, *checksums(_variant, sys.argv[1], int(sys.argv[2])))
