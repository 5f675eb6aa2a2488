"""What a recording says in the model's terms: letters.

Both sides speak them.  A letter is a primitive on a class of locks (``spin_lock ptl``, ``down_read_trylock
vm_lock = 1``), a bare primitive (``rcu_read_lock``, ``alloc_page``), or a hook point that begins
(``do_wp_page()``).  Which function or probe of a kernel shows which letter is data: ``letters/*.toml``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from spfvar.errors import InputError
from spfvar.kernel.recording import RWSEM_PROBES, Event, Segment
from spfvar.toml_input import load_toml

#: A probe on a primitive of locking, and the letter that it begins.
LOCK_PROBES: Final[Mapping[str, str]] = {
    "down_read": "down_read",
    "down_read_killable": "down_read",
    "down_read_trylock": "down_read_trylock",
    "up_read": "up_read",
    "down_write": "down_write",
    "down_write_killable": "down_write",
    "up_write": "up_write",
    "downgrade_write": "downgrade_write",
    "_raw_spin_lock": "spin_lock",
    "_raw_spin_trylock": "spin_trylock",
    "_raw_spin_unlock": "spin_unlock",
}
RCU_PROBES: Final[Mapping[str, str]] = {
    "__rcu_read_lock": "rcu_read_lock",
    "__rcu_read_unlock": "rcu_read_unlock",
}
TRYLOCK: Final = "down_read_trylock"
MMAP_LOCK: Final = "mmap_lock"
PAGE_TABLE_LOCK: Final = "page_table_lock"
PMD_LOCK: Final = "pmd_lock"
PTL: Final = "ptl"
VMA_LOCK: Final = "vm_lock"
#: That of a VMA which nobody can know yet.
NEW_VMA_LOCK: Final = "new vm_lock"
#: Makes one.
VM_AREA_DUP: Final = "vm_area_dup"
#: Classes of spinlocks; the others are rwsems.
SPINLOCKS: Final = frozenset({PMD_LOCK, PTL, PAGE_TABLE_LOCK})

#: An address lies in an mm_struct if it is at most so many bytes behind its begin.
_MM_BYTES: Final = 1 << 12
#: Addresses of struct page that are alike in what is above these bits belong to one memory map.
_MEMMAP_BITS: Final = 40


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter, the line of the recording that shows it, and whose it is.

    ``site``: where that function called, as far as it is known: "__handle_mm_fault+0x572".
    """

    text: str
    line: int
    by: str
    site: str = ""


class Abstraction(BaseModel):
    """Letters that no text has a step for, and why.

    Only of some functions (``by``), in some hook points (``inside``: the last that has begun) or some kinds
    of faults and calls, if it says so.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    letters: list[str]
    by: list[str] = Field(default_factory=list)
    inside: list[str] = Field(default_factory=list)
    kinds: list[str] = Field(default_factory=list)
    why: str

    def covers(self, letter: Letter, inside: str, kind: str) -> bool:
        """Is it one of these?"""
        facts = ((self.by, letter.by), (self.inside, inside), (self.kinds, kind))
        return letter.text in self.letters and all(not some or fact in some for some, fact in facts)


class Surplus(BaseModel):
    """Letters that a text has, and the kernel not always, in some kinds of calls, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    letters: list[str]
    kinds: list[str]
    why: str


class Writers(BaseModel):
    """What system calls show: whose RCU sections are theirs, and who takes which locks besides.

    ``hooks``, ``calls`` and ``texts`` are as those of faults.  ``of_new_vmas``: who locks a VMA that
    ``vm_area_dup`` has just made, and other rwsems; ``either``: who takes rwsems of more than one class,
    which whoever takes the same one next tells apart.  ``parts``: functions in calls that are compared with
    nothing as a whole, and what they are compared with.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rcu: list[str]
    locks: dict[str, list[str]]
    hooks: list[str] = Field(default_factory=list)
    calls: dict[str, str] = Field(default_factory=dict)
    texts: dict[str, str] = Field(default_factory=dict)
    of_new_vmas: list[str] = Field(default_factory=list)
    either: list[str] = Field(default_factory=list)
    parts: dict[str, str] = Field(default_factory=dict)


class Letters(BaseModel):
    """What the kernels of a release line show.

    ``fault_roots``: what the exception handler calls; ``user_roots``: of these, what it does not call for a
    fault of the kernel's own mode.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kernels: list[str]
    fault_roots: list[str]
    user_roots: list[str] = Field(default_factory=list)
    hooks: list[str]
    hook_names: dict[str, str] = Field(default_factory=dict)
    rcu: list[str]
    locks: dict[str, list[str]]
    calls: dict[str, str]
    traced: list[str] = Field(default_factory=list)
    texts: dict[str, str] = Field(default_factory=dict)
    abstracted: list[Abstraction] = Field(default_factory=list)
    surplus: list[Surplus] = Field(default_factory=list)
    writers: Writers

    @property
    def visible_hooks(self) -> frozenset[str]:
        """Hook points of the model whose begin is seen."""
        return frozenset((*self.hooks, *self.hook_names.values()))

    @property
    def lock_classes(self) -> frozenset[str]:
        """The classes of locks that are told apart."""
        return frozenset((*self.locks, MMAP_LOCK, PAGE_TABLE_LOCK, PTL, NEW_VMA_LOCK))

    def of_writers(self) -> Letters:
        """The table for system calls."""
        more = {name: [*self.locks.get(name, []), *by] for name, by in self.writers.locks.items()}
        return self.model_copy(
            update={
                "hooks": self.writers.hooks, "hook_names": {}, "calls": self.writers.calls,
                "texts": self.writers.texts, "rcu": self.writers.rcu, "locks": self.locks | more,
            }
        )  # fmt: skip

    def why(self, letter: Letter, inside: str, kind: str) -> str | None:
        """Why a text may lack a step for it; None if it may not."""
        return next((entry.why for entry in self.abstracted if entry.covers(letter, inside, kind)), None)

    def reasons(self, letters: Sequence[Letter], kind: str) -> dict[int, str]:
        """Which letters of a fault or call a text may lack, by number, and why."""
        found, inside = {}, ""
        for number, letter in enumerate(letters):
            inside = letter.text.removesuffix("()") if letter.text.endswith("()") else inside
            why = self.why(letter, inside, kind)
            if why is not None:
                found[number] = why
        return found


def letters_for(kernel: str, file: str | None = None, key: str | None = None) -> Letters:
    """The table for a kernel's release, such as "6.12.117".

    Raises InputError if there is none; ``file``, ``key``: what named the release.
    """
    folder = resources.files("spfvar.kernel") / "letters"
    known = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".toml"):
            table = load_toml(entry, Letters)
            known += table.kernels
            if any(kernel == line or kernel.startswith(f"{line}.") for line in table.kernels):
                return table
    raise InputError(
        f"nothing says what a kernel {kernel} shows", file=file, key=key,
        expected=f"one of {', '.join(known)}",
    )  # fmt: skip


class Projection:
    """Turns what was recorded into letters; knows each lock by its address."""

    def __init__(self, table: Letters, recorded: Sequence[Segment]) -> None:
        self._tables = {False: table, True: table.of_writers()}
        self._rcu = {writer: frozenset(found.rcu) for writer, found in self._tables.items()}
        locks = self._tables[True].locks
        self._by = {function: name for name, functions in locks.items() for function in functions}
        self._hooks = {
            writer: {name: name for name in found.hooks} | found.hook_names
            for writer, found in self._tables.items()
        }
        everything = [event for segment in recorded for event in segment.events]
        self._mms = sorted({mm for event in everything if (mm := _mm_of(event)) is not None})
        self._mmap_lock = self._offset_of_mmap_lock(recorded)
        #: The class of the lock that an event's line names.
        self._classes = self._follow(recorded)

    def _follow(self, recorded: Sequence[Segment]) -> dict[int, str]:
        """Each lock's class where it is taken and released.

        It is what whoever took it last makes of it, for a page of memory may hold a table of one level now
        and of another later; what nobody of the table took and lies where page tables' locks do is a ptl.
        """
        probes = sorted(
            (event for segment in recorded for event in segment.events if event.number("lock") is not None),
            key=lambda event: event.line,
        )
        memmaps = {_lock(event) >> _MEMMAP_BITS for event in probes if self._is_pmd_lock(event)}
        ahead = self._ahead(probes)
        known: dict[int, str] = {}
        classes: dict[int, str] = {}
        for event in probes:
            address = _lock(event)
            offset = self._in_mm(address)
            spins = event.name.startswith("_raw")
            by = self._by.get(event.by)
            if by is not None and (by in SPINLOCKS) == spins and (_takes(event) or address not in known):
                known[address] = by
            elif spins and address >> _MEMMAP_BITS in memmaps:
                known.setdefault(address, PTL)
            elif event.line in ahead:
                known.setdefault(address, ahead[event.line])
            if offset is not None and spins:
                classes[event.line] = PAGE_TABLE_LOCK
            elif offset is not None and offset == self._mmap_lock:
                classes[event.line] = MMAP_LOCK
            elif address in known:
                classes[event.line] = known[address]
        return classes | dict.fromkeys(self._of_new_vmas(recorded), NEW_VMA_LOCK)

    def _is_pmd_lock(self, event: Event) -> bool:
        return self._by.get(event.by) == PMD_LOCK and event.name not in RWSEM_PROBES

    def _ahead(self, probes: Sequence[Event]) -> dict[int, str]:
        """What rwsems are, by event, of those who take several: what the next who takes each makes of it."""
        either = self._tables[True].writers.either
        found: dict[int, str] = {}
        following: dict[int, str] = {}
        for event in reversed(probes):
            by = self._by.get(event.by)
            if by is not None and event.name in RWSEM_PROBES and _takes(event):
                following[_lock(event)] = by
            elif event.by in either and _lock(event) in following:
                found[event.line] = following[_lock(event)]
        return found

    def _of_new_vmas(self, recorded: Iterable[Segment]) -> Iterator[int]:
        """The events that lock, and unlock, a VMA that was just made: the first rwsem behind its begin."""
        takers = self._tables[True].writers.of_new_vmas
        for segment in recorded:
            made, taken = False, 0
            for event in segment.events:
                made = made or event.name == VM_AREA_DUP
                if event.name not in RWSEM_PROBES or event.by not in takers:
                    continue
                if made:
                    made, taken = False, _lock(event)
                    yield event.line
                elif taken == _lock(event):
                    taken = 0
                    yield event.line

    def _offset_of_mmap_lock(self, recorded: Iterable[Segment]) -> int | None:
        """Where in mm_struct it is: what is taken, or was just released, where a tracepoint names the mm."""
        found: Counter[int] = Counter()
        for segment in recorded:
            mm = None
            for event in segment.events:
                mm = _mm_of(event) or mm
                address = event.number("lock")
                if mm is not None and event.name in RWSEM_PROBES and address is not None:
                    if 0 <= address - mm < _MM_BYTES:
                        found[address - mm] += 1
                    mm = None
        return min(found, key=lambda offset: (-found[offset], offset)) if found else None

    def _in_mm(self, address: int) -> int | None:
        """How far behind the begin of a known mm_struct it lies; None if in none."""
        below = bisect_right(self._mms, address)
        offset = address - self._mms[below - 1] if below else _MM_BYTES
        return offset if offset < _MM_BYTES else None

    def letters(self, segment: Segment) -> list[Letter]:
        """What a task did, in letters."""
        word: list[Letter] = []
        for number, event in enumerate(segment.events):
            text = self._letter(event, segment.events[number + 1 :], segment.is_writer)
            if text:
                word.append(Letter(text, event.line, event.by, _site(event)))
        return word

    def _letter(self, event: Event, ahead: Sequence[Event], writer: bool) -> str | None:
        if event.kind == "call":
            if event.name in self._hooks[writer]:
                return f"{self._hooks[writer][event.name]}()"
            return self._tables[writer].calls.get(event.name)
        if event.kind != "probe":
            return None
        if event.name in RCU_PROBES:
            return RCU_PROBES[event.name] if event.by in self._rcu[writer] else None
        name = LOCK_PROBES.get(event.name)
        lock = self._classes.get(event.line) if name else None
        if name is None or lock is None:
            return None
        if name == TRYLOCK:
            return f"{name} {lock} = {_result(ahead)}"
        return f"{name} {lock}"


def _site(event: Event) -> str:
    """Where a probed primitive was called; "" if its return address was a tracer's."""
    site = dict(event.fields).get("by", "").partition("/")[0] if event.kind == "probe" else ""
    return site if event.by and site.partition("+")[0].partition(".")[0] == event.by else ""


def _lock(event: Event) -> int:
    """The address of the lock that an event is about; 0 if it is about none."""
    return event.number("lock") or 0


def _takes(event: Event) -> bool:
    """Is a lock taken, and not given back?"""
    return event.name.startswith(("down_read", "down_write", "_raw_spin_lock", "_raw_spin_trylock"))


def _mm_of(event: Event) -> int | None:
    return event.number("mm") if event.kind == "probe" and event.name.startswith("mmap_lock_") else None


def _result(ahead: Sequence[Event]) -> int:
    """What the trylock returned; 1 where that is not recorded."""
    for event in ahead:
        if event.kind == "return" and event.name == TRYLOCK:
            return int(bool(event.number("ret")))
        if event.kind == "probe" and event.name == TRYLOCK:
            break
    return 1
