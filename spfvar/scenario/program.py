"""The text of a load's threads: the program's statements around the kernel's paths."""

from __future__ import annotations

from collections.abc import Callable

from spfvar.mm import hookspecs as hooks
from spfvar.mm.vmf import VMFault, VmFault
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Steps, again, loop
from spfvar.ops.paging import fresh_range, touch
from spfvar.ops.places import Register
from spfvar.ops.primitives import add_registers, copy_register, count, mark, next_address, set_register, work
from spfvar.scenario.load import ConcreteGroup, ConcreteRegion, Load
from spfvar.scenario.schema import Statement

iteration = Register("iteration")
iterations = Register("iterations")
phase = Register("phase")


def start_of(region: ConcreteRegion) -> Register:
    """The thread's first page of a region."""
    return Register(f"{region.name}_start")


def end_of(region: ConcreteRegion) -> Register:
    """One past the thread's last page of a region."""
    return Register(f"{region.name}_end")


def file_of(region: ConcreteRegion) -> Register:
    """The file that the region maps."""
    return Register(f"{region.name}_file", o.FILE)


def swap_start_of(region: ConcreteRegion) -> Register:
    """The address of the page that is the first one of the region's file."""
    return Register(f"{region.name}_swap_start")


def folios_of(region: ConcreteRegion) -> Register:
    """What to add to an address of the region to get its folio."""
    return Register(f"{region.name}_folios")


def thread_text(load: Load, group: ConcreteGroup) -> Callable[[], Steps]:
    """The program of a group's threads as a strategy's text."""

    def text() -> Steps:
        yield loop("iteration")
        for number, statement in enumerate(group.group.program):
            yield from _statement(load, statement, number, group)
        yield mark(c.MARK_ITERATION, "iteration")
        if group.group.repeat == 0 or (yield next_address(iteration, iterations)):
            yield again("iteration")

    return text


def _statement(load: Load, statement: Statement, number: int, group: ConcreteGroup) -> Steps:
    if statement.verb == "compute":
        yield work(f"compute:{group.group.name}.{number}")
        return
    region = load.region(getattr(statement, statement.verb))
    if statement.verb == "next":
        yield copy_register(start_of(region), start_of(region), region.pages)
        yield copy_register(end_of(region), end_of(region), region.pages)
        return
    if statement.verb == "touch":
        every = f"compute:{group.group.name}.{number}.every" if statement.every is not None else ""
        yield from _touch(region, statement.access == "write", every)
        return
    yield from _call_range(region)
    yield mark(c.MARK_WRITER_BEGIN, statement.verb)
    if statement.verb == "mmap":
        if not region.mapping.anonymous:
            yield copy_register(o.mapped_file, file_of(region))
        yield from hooks.mmap(region.mapping)
    elif statement.verb == "munmap":
        yield from hooks.munmap(region.mapping)
    elif statement.verb == "mprotect":
        yield from hooks.mprotect(region.mapping, statement.prot == "rw")
    elif statement.verb == "madvise":
        yield from hooks.madvise_dontneed(region.mapping)
    else:
        yield from _brk(region, statement.change == "grow")
    yield mark(c.MARK_WRITER_END, statement.verb)


def _call_range(region: ConcreteRegion) -> Steps:
    yield copy_register(o.range_start, start_of(region))
    yield copy_register(o.range_end, end_of(region))


def _brk(region: ConcreteRegion, grow: bool) -> Steps:
    """The heap's first page always stays; the rest comes and goes."""
    yield copy_register(o.range_start, start_of(region), 1)
    yield from hooks.brk(region.mapping, grow)


def _touch(region: ConcreteRegion, write: bool, every: str) -> Steps:
    """Access every page of the region once; a windowed region goes on to its next part."""
    vmf = VmFault(write, region.mapping)
    yield add_registers(o.address, start_of(region), phase)
    yield set_register(phase, 0)
    yield copy_register(o.touch_end, end_of(region))
    if region.mapping.swapped:
        yield copy_register(o.swapper_space, file_of(region))
        yield copy_register(o.swap_start, swap_start_of(region))
    yield loop("touch")
    if (yield touch(write)):
        yield mark(c.MARK_FAULT_BEGIN, "exception")
        yield work("exception")
        ret = yield from hooks.do_user_addr_fault(vmf)
        yield work("iret")
        yield mark(c.MARK_FAULT_END, "return")
        if not ret & VMFault.ERROR:
            yield again("touch")
        yield count("sigsegv")
    if every:
        yield work(every)
    if (yield next_address(o.address, o.touch_end)):
        yield again("touch")
    if region.windowed:
        yield from _call_range(region)
        yield fresh_range(folios_of(region) if region.has_folios else None)
