"""Read what ftrace recorded: the function_graph tracer, with kprobes on the primitives of locking.

Source of the format: kernel/trace/trace_functions_graph.c; probes, tracepoints and marks are comments in
it.  Where a probed function is called from (``by=``) is a trampoline's address if the call is a tail call or
its caller is traced too: then the graph says which function that is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from spfvar.errors import InputError, shorten

#: What a return address leads to where a tracer has replaced it.
TRAMPOLINES: Final = frozenset({"arch_rethook_trampoline", "return_to_handler"})
#: Begins a fault: on a user address, from user or from kernel mode (arch/x86 tracepoints exceptions:*).
FAULTS: Final = ("page_fault_user", "page_fault_kernel")
#: A segment of a writer's system call is marked so.
SYSCALL: Final = "sys-"
#: The call that nobody comes back from: it ends where its task does.
LAST: Final = "sys-exit"

#: Probes on primitives of rwsems.
RWSEM_PROBES: Final = frozenset(
    {
        "down_read", "down_read_killable", "down_read_trylock", "up_read", "down_write",
        "down_write_killable", "up_write", "downgrade_write",
    }
)  # fmt: skip

_LINE = re.compile(r"\s*(\d+)\)\s+(?:(\S.*?-\d+)\s+\|)?(?:[-+!*#@$\s]*[\d.]+ us\s+\||\s+\|)?(\s.*)$")
_SWITCH = re.compile(r"\s*(\d+)\)\s+\S.*?-\d+\s+=>\s+(\S.*?-\d+)\s*$")
_ENTER = re.compile(r"\s*([\w.]+)\(\)( \{|;)")
_LEAVE = re.compile(r"\s*\}(?: /\* ([\w.]+) \*/)?")
_NOTE = re.compile(r"\s*/\* (.*?) \*/\s*$")
_PROBE = re.compile(r"(\w+): ?(.*)$")
_FIELD = re.compile(r"(\w+)=(\S+)")
#: A return address where a tracer prints no symbol.
_ADDRESS = re.compile(r"0x[0-9a-f]+|[0-9a-f]{9,16}|\d{9,20}")
_RETURN = re.compile(r"\(([\w.]+)\S* <- ([\w.]+)\)")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that one task did.

    ``name`` is the function's, probe's or tracepoint's, ``by`` the function that did it, ``line`` counts
    from 1, ``depth`` traced functions are around it.  "return" is that of a function of the graph, and of a
    probed one if it has a ``ret``.
    """

    kind: Literal["call", "return", "probe", "mark"]
    name: str
    by: str
    line: int
    depth: int = 0
    fields: tuple[tuple[str, str], ...] = ()

    def number(self, name: str) -> int | None:
        """A field that is a number, however it is written; None if there is none."""
        text = dict(self.fields).get(name)
        if text is None:
            return None
        try:
            return int(text, 0)
        except ValueError:
            return int(text, 16) if re.fullmatch(r"[0-9a-f]+", text) else None


@dataclass(slots=True)
class _Task:
    """What a task is in: the traced functions."""

    graph: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Segment:
    """What one task did between two marks, or in one fault; ``kind`` is the mark's, "" without one."""

    kind: str
    task: str
    events: tuple[Event, ...]

    @property
    def is_writer(self) -> bool:
        """Is it a system call's?"""
        return self.kind.startswith(SYSCALL)


def events(lines: Iterable[str], file: str) -> Iterator[tuple[str, Event]]:
    """Each event of a recording with the task that did it.  Raises InputError for a file that is none."""
    tasks: dict[str, _Task] = {}
    running: dict[str, str] = {}
    found = 0
    line = ""
    for number, line in enumerate(lines, 1):
        switch = _SWITCH.match(line)
        if switch is not None:
            running[switch[1]] = switch[2]
            continue
        match = _LINE.match(line)
        if match is None:
            continue
        name = match[2] or running.get(match[1], f"cpu-{match[1]}")
        running[match[1]] = name
        event = _event(match[3], tasks.setdefault(name, _Task()), number)
        if event is not None:
            found += 1
            yield name, event
    if not found:
        last = f"; the last one is {shorten(line.strip())!r}" if line.strip() else ""
        raise InputError(
            f"no line is an event{last}", file=file,
            expected="what the function_graph tracer prints, such as ' 0)  pf-162  |  handle_mm_fault() {'",
        )  # fmt: skip


def _event(text: str, task: _Task, number: int) -> Event | None:
    note = _NOTE.match(text)
    if note is not None:
        return _note(note[1], task, number)
    enter = _ENTER.match(text)
    if enter is not None:
        depth = len(task.graph)
        by = task.graph[-1] if task.graph else ""
        if enter[2] != ";":
            task.graph.append(enter[1])
        return Event("call", enter[1], by, number, depth)
    leave = _LEAVE.match(text)
    if leave is not None:
        name = leave[1] or (task.graph[-1] if task.graph else "")
        if name in task.graph:  # a return that was lost takes the ones inside it with it
            while task.graph.pop() != name:
                pass
        return Event("return", name, task.graph[-1] if task.graph else "", number, len(task.graph))
    return None


def _note(text: str, task: _Task, number: int) -> Event | None:
    word, _, rest = text.partition(" ")
    if word in ("BEGIN", "END"):
        return Event("mark", word, "", number, len(task.graph), (("kind", rest.split(" ")[0]),))
    probe = _PROBE.match(text)
    if probe is None:
        return None
    fields, depth = tuple(_FIELD.findall(probe[2])), len(task.graph)
    inside = task.graph[-1] if task.graph else ""
    returned = _RETURN.search(probe[2])
    if returned is not None:
        by = inside if returned[1] in TRAMPOLINES or _ADDRESS.fullmatch(returned[1]) else returned[1]
        return Event("return", returned[2], by, number, depth, fields)
    caller = dict(fields).get("by", "").partition("+")[0].partition(".")[0]
    unknown = not caller or caller in TRAMPOLINES or _ADDRESS.fullmatch(caller) is not None
    by = inside if unknown else caller
    return Event("probe", probe[1], by, number, depth, fields)


def _elsewhere(event: Event, fault_roots: Collection[str]) -> bool:
    """Is an event outside all traced functions none of the exception handler's?

    Interrupts come at any time; they enter no traced function and take no rwsem.  Of a rwsem whose taker is
    not known, nothing is said.
    """
    if event.kind == "call":
        return event.name not in fault_roots
    return event.kind == "probe" and event.name in RWSEM_PROBES and event.by not in ("", *fault_roots)


def segments(
    found: Iterable[tuple[str, Event]], fault_roots: Collection[str], user_roots: Collection[str] = ()
) -> list[Segment]:
    """What was recorded, cut into faults and marked system calls, each of one task, in the order of begin.

    A fault ends with its mark, with the next fault, or where its task enters anything but ``fault_roots``,
    the functions that the exception handler calls (``user_roots``: for a fault of user mode only); a call in
    which it happened goes on there.  What the recording cuts off is left out.
    """
    cutter = _Cutter(fault_roots, user_roots)
    for task, event in found:
        cutter.take(task, event)
    return cutter.result()


class _Cutter:
    """The segments so far: done, and of each task the fault and the call that it is in."""

    def __init__(self, fault_roots: Collection[str], user_roots: Collection[str]) -> None:
        self._roots = {FAULTS[0]: frozenset(fault_roots), FAULTS[1]: frozenset(fault_roots) - set(user_roots)}
        self._kinds: dict[str, str] = {}
        self._faults: dict[str, list[Event]] = {}
        self._calls: dict[str, list[Event]] = {}
        self._done: list[Segment] = []

    def _close(self, running: dict[str, list[Event]], task: str, kind: str) -> None:
        whole = running.pop(task, None)
        if whole:
            self._done.append(Segment(kind, task, tuple(whole)))

    def take(self, task: str, event: Event) -> None:
        """The next event of the recording."""
        kind = self._kinds.get(task, "")
        if event.kind == "mark":
            self._mark(task, event, kind)
        elif event.name in FAULTS:
            self._close(self._faults, task, self._of_fault(kind))
            self._faults[task] = [event]
        elif task in self._faults and not self._behind(event, self._faults[task][0]):
            self._faults[task].append(event)
        else:
            self._close(self._faults, task, self._of_fault(kind))
            if task in self._calls:
                self._calls[task].append(event)

    def _behind(self, event: Event, fault: Event) -> bool:
        return event.depth <= fault.depth and _elsewhere(event, self._roots[fault.name])

    def _of_fault(self, kind: str) -> str:
        """A fault in a call is none that was marked."""
        return "" if kind.startswith(SYSCALL) else kind

    def _mark(self, task: str, mark: Event, kind: str) -> None:
        self._close(self._faults, task, self._of_fault(kind))
        self._close(self._calls, task, kind)
        begins = dict(mark.fields)["kind"] if mark.name == "BEGIN" else ""
        self._kinds[task] = begins
        if begins.startswith(SYSCALL):
            self._calls[task] = []

    def result(self) -> list[Segment]:
        """In the order of begin."""
        for task in [task for task in self._calls if self._kinds[task] == LAST]:
            self._close(self._calls, task, LAST)
        return sorted(self._done, key=lambda segment: segment.events[0].line)
