"""The text of a load's threads: the program's statements around the kernel's paths."""

from __future__ import annotations

from collections.abc import Callable

from spfvar.mm import hookspecs as hooks
from spfvar.mm.fork import exit_child
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
hand = Register("reclaim_page")
hand_file = Register("reclaim_file")
hand_end = Register("reclaim_end")


def start_of(region: ConcreteRegion) -> Register:
    """The thread's first page of a region."""
    return Register(f"{region.name}_start")


def end_of(region: ConcreteRegion) -> Register:
    """One past the thread's last page of a region."""
    return Register(f"{region.name}_end")


def stop_of(region: ConcreteRegion) -> Register:
    """One past the last page of the thread's last range of a region."""
    return Register(f"{region.name}_stop")


def file_of(region: ConcreteRegion) -> Register:
    """The file that the region maps."""
    return Register(f"{region.name}_file", o.FILE)


def swap_start_of(region: ConcreteRegion) -> Register:
    """The address of the page that is the first one of the region's file."""
    return Register(f"{region.name}_swap_start")


def files_of(region: ConcreteRegion) -> list[int]:
    """The numbers of the region's files, one after another."""
    return sorted({range_.file for range_ in (region.whole, *region.ranges)} - {-1})


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
    region = load.region(statement.target)
    if statement.verb == "next":
        yield from _next(region)
        return
    if statement.verb == "touch":
        every = f"compute:{group.group.name}.{number}.every" if statement.every is not None else ""
        yield from _touch(region, statement.access == "write", every)
        return
    if statement.verb == "reclaim":
        yield from _reclaim(region)
        return
    yield from _whole_range(region) if statement.reaches_all else _call_range(region)
    if statement.verb == "maps":
        yield from hooks.show_map()
        return
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
    elif statement.verb == "fork":
        yield from _fork(region)
    else:
        yield from _brk(region, statement.change == "grow")
    yield mark(c.MARK_WRITER_END, statement.verb)
    if statement.verb == "fork":
        yield from exit_child(region.mapping, region.vma_pages)


def _next(region: ConcreteRegion) -> Steps:
    """On to the thread's next range of the region; behind the last one comes the first."""
    if not (yield next_address(start_of(region), stop_of(region), region.pages)):
        yield copy_register(start_of(region), stop_of(region), -region.pages * region.count)
    yield copy_register(end_of(region), start_of(region), region.pages)


def _call_range(region: ConcreteRegion) -> Steps:
    yield copy_register(o.range_start, start_of(region))
    yield copy_register(o.range_end, end_of(region))


def _whole_range(region: ConcreteRegion) -> Steps:
    yield set_register(o.range_start, region.whole.start)
    yield set_register(o.range_end, region.whole.start + region.whole.pages)


def _fork(region: ConcreteRegion) -> Steps:
    """Copy the region's VMAs to the child's place; leaves the call's range there, for the child's end."""
    yield set_register(o.child_mm, 1)
    yield set_register(o.delta, region.child - region.whole.start)
    yield from hooks.fork_all(region.mapping, region.vma_pages)
    yield set_register(o.range_start, region.child)
    yield set_register(o.range_end, region.child + region.whole.pages)


def _reclaim(region: ConcreteRegion) -> Steps:
    """Reclaim the page that a hand points to, and move the hand: page by page, then to the next file."""
    files = files_of(region)
    yield copy_register(o.mapped_file, hand_file, files[0])
    yield copy_register(o.file_start, hand)
    yield copy_register(o.file_end, hand, 1)
    yield from hooks.shrink_folio_list()
    yield set_register(hand_end, region.vma_pages)
    if not (yield next_address(hand, hand_end)):
        yield set_register(hand, 0)
        yield set_register(hand_end, len(files))
        if not (yield next_address(hand_file, hand_end)):
            yield set_register(hand_file, 0)


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
