"""A fault that finds a page missing which a userfaultfd's monitor has to fill: when it asks, how it waits.

See `spfvar.mm.userfault` for what the monitor does.
"""

from __future__ import annotations

from dataclasses import replace

from spfvar.mm import hookspecs as hooks
from spfvar.mm.vmf import TRIED, VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.places import Field
from spfvar.ops.primitives import add, at, equals, store, wait_equals

#: 1: who waits for the monitor may go on, for a call of it has ended since.
UFFD_WOKEN = Field(o.MM, "uffd_woken")
#: How many of the monitors have ended: the last one closes the file.
UFFD_CLOSED = Field(o.MM, "uffd_closed")


def begin_ioctl() -> Steps:
    """A call of the monitor's begins: who finds a page missing from now on waits for its end."""
    yield store(at(o.mm, UFFD_WOKEN), 0).untimed()


def wake_userfault() -> Steps:
    """A call of the monitor's has ended, or its file is closed: everybody looks again."""
    yield store(at(o.mm, UFFD_WOKEN), 1).untimed()


def userfaultfd_release() -> Steps:
    """A monitor ends."""
    yield add(at(o.mm, UFFD_CLOSED), 1, "userfaultfd_release").untimed()
    yield from wake_userfault()


def must_ask(vmf: VmFault) -> Steps:
    """Is a missing page the monitor's to fill?

    Without a monitor in the race, the wait is for nothing, and the second pass takes what it may.
    """
    if not vmf.mapping.userfault:
        return False
    if not vmf.mapping.monitors:
        return not vmf.has(TRIED)
    closed = equals(at(o.mm, UFFD_CLOSED), vmf.mapping.monitors, "userfaultfd closed").untimed()
    return not (yield closed)


def wait_for_monitor(vmf: VmFault) -> Steps:
    """handle_userfault where the race has a monitor (fs/userfaultfd.c).  Returns VMFault."""
    yield from hooks.release_fault_lock(vmf)
    wait = wait_equals(at(o.mm, UFFD_WOKEN), 1)
    yield replace(wait.untimed(), name="handle_userfault: schedule", sleeps=True)
    # It may wait any number of times, each time as a fault of its own.
    return VMFault.COMPLETED if vmf.has(TRIED) else VMFault.RETRY
