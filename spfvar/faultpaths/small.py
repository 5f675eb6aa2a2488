"""A fault, and the smallest race that it has a place in: its text, and who writes meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from spfvar.mm import hookspecs as hooks
from spfvar.mm.vmf import VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.primitives import count, set_register
from spfvar.scenario.race import Actor, Race, RaceFile, RaceStatement, RaceVma

#: The fault's thread, and what it counts at its end.
FAULT = "fault"
DONE, SIGNAL = "fault_done", "fault_signal"


@dataclass(frozen=True, slots=True)
class Facts:
    """A fault: where, what for, from where; ``extra`` are facts of the mapping that no race file has."""

    vma: str
    page: int = 0
    write: bool = False
    user: bool = True
    extra: tuple[tuple[str, bool], ...] = ()


def small_race(
    files: Sequence[RaceFile], vmas: Sequence[RaceVma], fault: Facts, writer: Sequence[RaceStatement] = ()
) -> Race:
    """A race of a fault with a writer, or with nobody."""
    verb = "store" if fault.write else "load"
    access = RaceStatement.model_validate({verb: fault.vma, "page": fault.page})
    actors = [Actor(name=FAULT, program=[access])]
    if writer:
        actors.append(Actor(name="writer", program=list(writer)))
    return Race(
        kind="race", title="coverage", properties=["P1"], file=list(files), vma=list(vmas), actor=actors
    )


def fault_text(race: Race, fault: Facts) -> Callable[[], Steps]:
    """One fault, from exception to return, that says whether it ended with a signal."""
    vma = race.vma_named(fault.vma)
    vmf = VmFault(fault.write, replace(race.mapping(vma), **dict(fault.extra)), user=fault.user)

    def text() -> Steps:
        yield set_register(o.address, vma.start + fault.page)
        if vma.growsdown:
            yield set_register(o.stack_top, vma.end - 1)
        if vma.swap != "no":
            yield set_register(o.swapper_space, len(race.file) + race.swapped.index(vma))
            yield set_register(o.swap_start, vma.start)
        ret = yield from hooks.do_user_addr_fault(vmf)
        yield count(SIGNAL if ret & VMFault.ERROR else DONE)

    return text
