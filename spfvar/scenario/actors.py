"""The text of a race's threads: the user's accesses and system calls around the kernel's paths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from spfvar.mm import hookspecs as hooks
from spfvar.mm.exit import mmput
from spfvar.mm.vmf import VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Call, Steps, again, loop
from spfvar.ops.paging import touch
from spfvar.ops.places import Field, Register
from spfvar.ops.primitives import add, at, set_register, wait_equals
from spfvar.scenario.calls import about, call_text
from spfvar.scenario.file_actors import FILE_STATEMENTS, anon_rmap, collapse, map_over, mkyoung, swapout
from spfvar.scenario.race import Actor, Race, RaceStatement, RaceVma
from spfvar.scenario.verbs import VERBS

#: The mm that counts who has ended, whichever the thread runs in.
order_mm = Register("order_mm", o.MM)


def actor_text(race: Race, actor: Actor) -> Callable[[], Steps]:
    """The program of an actor as a strategy's text, with what it waits for and who waits for it."""
    waited_for = any(other.after == actor.name for other in race.actor)

    def text() -> Steps:
        if actor.after:
            threads = next(other.count for other in race.actor if other.name == actor.after)
            yield set_register(order_mm, 0)
            wait = wait_equals(at(order_mm, _ended(actor.after)), threads)
            yield replace(wait.untimed(), name=f"wait until {actor.after} has ended")
        yield from _program(race, actor)
        if waited_for:
            yield set_register(order_mm, 0)
            yield add(at(order_mm, _ended(actor.name)), 1, f"{actor.name} has ended").untimed()

    return text


def _ended(actor: str) -> Field:
    """How many threads of an actor have ended: a word of the first mm, which never ends itself."""
    return Field(o.MM, f"ended {actor}")


def _program(race: Race, actor: Actor) -> Steps:
    for statement in actor.program:
        if statement.verb == "call":
            yield from call_text(race, statement)
            continue
        if statement.verb in FILE_STATEMENTS:
            yield from FILE_STATEMENTS[statement.verb](race, statement)
            continue
        vma = race.vma_named(statement.target)
        if race.mms > 1:
            yield set_register(o.mm, vma.mm)
        done = yield from _STATEMENTS[statement.verb](race, vma, statement)
        if statement.verb == "merge" and done:
            return  # the rest of the program is about the VMAs as they were
        if statement.verb == "mmap" and done is False:
            return  # or about the VMA as it would be


def _access(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    """The access; a fault is repeated until it succeeds, or gives a signal (from kernel mode -EFAULT)."""
    write = statement.verb in ("store", "put_user")
    vmf = VmFault(write, race.mapping(vma), user=statement.verb in ("load", "store"))
    yield from about(race, vma, statement.page)
    yield loop("access")
    if (yield touch(write)):
        ret = yield from hooks.do_user_addr_fault(vmf)
        if not ret & VMFault.ERROR:
            yield again("access")


def _range(vma: RaceVma, first: int = 0) -> Steps:
    yield set_register(o.range_start, vma.start + first)
    yield set_register(o.range_end, vma.end)


def _mmap(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    yield from _range(vma)
    if vma.file:
        yield set_register(o.mapped_file, [file.name for file in race.file].index(vma.file))
    return (yield from hooks.mmap(race.mapping(vma)))


def _munmap(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    yield from _range(vma)
    yield from hooks.munmap(race.mapping(vma))


def _mprotect(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    yield from _range(vma)
    yield from hooks.mprotect(race.mapping(vma), statement.prot == "rw")


def _madvise(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    yield from _range(vma)
    yield from hooks.madvise_dontneed(race.mapping(vma))


def _merge(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    neighbour = race.vma_named(statement.to)
    yield from _range(vma)
    yield set_register(o.limit, neighbour.end)
    return (yield from hooks.vma_merge(race.mapping(vma)))


def _exit(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    yield from _range(vma)
    yield Call(mmput, (race.mapping(vma),))


def _destination(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    to = race.vma_named(statement.to)
    yield set_register(o.new_start, to.start)
    yield set_register(o.new_end, to.end)
    yield set_register(o.delta, to.start - vma.start)


def _move(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    yield from _range(vma)
    yield from _destination(race, vma, statement)
    yield from hooks.mremap(race.mapping(vma), statement.fast)


def _dontunmap(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    yield from _range(vma)
    yield from _destination(race, vma, statement)
    yield from hooks.mremap_dontunmap(race.mapping(vma))


def _fork(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    yield from _range(vma)
    yield from _destination(race, vma, statement)
    yield set_register(o.child_mm, race.vma_named(statement.to).mm)
    yield from hooks.fork(race.mapping(vma))


def _mbind(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    yield from _range(vma)
    yield from hooks.mbind()


def _maps(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    yield from _range(vma)
    yield from hooks.show_map()


def _smaps(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    yield from _range(vma)
    yield from hooks.show_smap(race.mapping(vma))


def _schedule(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    yield from hooks.context_switch()


def _brk(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    """The heap's pages before ``page`` stay; the others come or go."""
    yield from _range(vma, max(1, statement.page))
    yield from hooks.brk(race.mapping(vma), statement.verb == "grow")


_STATEMENTS: dict[str, Callable[[Race, RaceVma, RaceStatement], Steps]] = {
    "load": _access,
    "store": _access,
    "get_user": _access,
    "put_user": _access,
    "mmap": _mmap,
    "munmap": _munmap,
    "mprotect": _mprotect,
    "madvise": _madvise,
    "grow": _brk,
    "shrink": _brk,
    "merge": _merge,
    "move": _move,
    "dontunmap": _dontunmap,
    "fork": _fork,
    "mbind": _mbind,
    "exit": _exit,
    "schedule": _schedule,
    "maps": _maps,
    "smaps": _smaps,
    "collapse": collapse,
    "map_over": map_over,
    "anon_rmap": anon_rmap,
    "mkyoung": mkyoung,
    "swapout": swapout,
}

if (texts := {*_STATEMENTS, *FILE_STATEMENTS, "call"}) != set(VERBS):
    unlike = ", ".join(sorted(texts ^ set(VERBS)))
    raise TypeError(f"a verb has no text here, or no meaning in spfvar.scenario.verbs: {unlike}")
