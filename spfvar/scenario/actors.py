"""The text of a race's threads: the user's accesses and system calls around the kernel's paths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from spfvar.mm import hookspecs as hooks
from spfvar.mm.exit import mmdrop, mmput
from spfvar.mm.vmf import VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Call, Steps, again, loop
from spfvar.ops.paging import touch
from spfvar.ops.places import Field, Register
from spfvar.ops.primitives import add, at, set_register, wait_equals
from spfvar.scenario.calls import about, call_text
from spfvar.scenario.file_actors import FILE_STATEMENTS, anon_rmap, collapse, map_over, mkyoung, swapout
from spfvar.scenario.monitor_actors import MONITOR_STATEMENTS, close_userfaultfd
from spfvar.scenario.outside_actors import OUTSIDE_STATEMENTS
from spfvar.scenario.pin_actors import ksm_merge, pin, poke, unpin, use_pin
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
    yield from _statements(race, actor)
    if any(statement.verb == "pin" for statement in actor.program):
        yield from unpin()
    yield from close_userfaultfd(race, actor)


def _statements(race: Race, actor: Actor) -> Steps:
    for number, statement in enumerate(actor.program):
        if statement.verb == "call":
            yield from call_text(race, statement)
            continue
        if statement.verb in FILE_STATEMENTS:
            yield from FILE_STATEMENTS[statement.verb](race, statement)
            continue
        if statement.verb == "dma":
            yield from use_pin(actor, statement)
            continue
        if statement.verb == "unpin":
            yield from unpin()
            continue
        vma = race.vma_named(statement.target)
        if race.mms > 1:
            yield set_register(o.mm, vma.mm)
        done = yield from _STATEMENTS[statement.verb](race, vma, statement)
        # The rest of the program is about the VMAs as they were, or about the VMA as it would be.
        if (statement.verb == "merge" and done) or (statement.verb == "mmap" and done is False):
            yield from _give_up(race, actor.program[number + 1 :])
            return


def _give_up(race: Race, rest: list[RaceStatement]) -> Steps:
    """Drop the mm_structs that statements which will not be run have been kept for."""
    for statement in rest:
        if VERBS[statement.verb].outside:
            yield set_register(o.mm, race.vma_named(statement.target).mm)
            yield from mmdrop(o.mm)


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


def _fork_fails(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    yield from _range(vma)
    yield from _destination(race, vma, statement)
    yield set_register(o.child_mm, race.vma_named(statement.to).mm)
    yield from hooks.fork_fails(race.mapping(vma))


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
    "fork_fails": _fork_fails,
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
    **OUTSIDE_STATEMENTS,
    **MONITOR_STATEMENTS,
    "pin": pin,
    "poke": poke,
    "ksm_merge": ksm_merge,
}

if (texts := {*_STATEMENTS, *FILE_STATEMENTS, "call", "dma", "unpin"}) != set(VERBS):
    unlike = ", ".join(sorted(texts ^ set(VERBS)))
    raise TypeError(f"a verb has no text here, or no meaning in spfvar.scenario.verbs: {unlike}")
