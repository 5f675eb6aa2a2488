"""What each word of a race's state means, in the kernel's terms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from spfvar.explore.world import RaceWorld
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.places import Field, ObjectClass, Register

#: Turns the value of a word into text.
Spell = Callable[[int], str]

_NO_VMA = {c.TREE_DESTROYED: "destroyed", c.TREE_ZERO_ENTRY: "XA_ZERO_ENTRY"}
_LIFE = {c.LIVE: "in use", c.PENDING_NEXT: "waits for a grace period", c.PENDING_WAIT: "in a grace period"}
_REFERENCES = {
    o.VM_FILE: o.FILE,
    o.VM_FPUT: o.FILE,
    o.VM_ANON_VMA: o.ANON_VMA_CLASS,
    o.PAGE_ANON_VMA: o.ANON_VMA_CLASS,
    o.GATHER_NEXT: o.PAGE_TABLE,
}


_LOADED = {
    c.MM_LOADED: "mm",
    c.MM_LAZY: "mm, lazily",
    c.MM_SWITCHING: "LOADED_MM_SWITCHING",
    c.MM_OTHER: "another",
}


def tlb_text(entry: int) -> str:
    """An entry of a TLB."""
    text = entry_text(entry & ~c.TLB_BEHIND)
    return f"{text}, out of date" if entry & c.TLB_BEHIND else text


def entry_text(entry: int) -> str:
    """A page-table entry."""
    number = entry >> c.PTE_FOLIO_SHIFT
    if entry & c.PTE_MIGRATION:
        return f"migration entry of folio {number}"
    if entry & c.PTE_PRESENT == 0:
        return f"swap entry of folio {number}" if entry else "none"
    if entry & c.PTE_ZERO:
        page = "zero page"
    elif entry & c.PTE_ANON:
        page = f"anon page {number}"
    else:
        page = f"folio {number}"
    return f"{page}{' writable' if entry & c.PTE_WRITE else ' read-only'}"


class Words:
    """The words of a race's state: label and spelling of each that a reader wants to see change.

    Words of locks and sections are left out, for the primitives tell who holds what; and so are free lists.
    """

    def __init__(self, world: RaceWorld) -> None:
        self.world = world
        self.stale = int(world.layout.g[c.G_STALE])
        self._references = dict(_REFERENCES)
        self._registers_as_entries: set[str] = {"orig_pte"}
        for op in world.program.ops:
            if op.place is None:
                continue
            code = op.code - c.WEAK if c.FIRST_WEAK <= op.code <= c.LAST_WEAK else op.code
            register = {c.STORE_REF: op.src, c.LOAD_REF: op.dst}.get(code)
            if register is not None and register.cls is not None:
                self._references[op.place.field] = register.cls
        self.label: dict[int, str] = {}
        self.spell: dict[int, Spell] = {}
        self.entry_words: dict[int, tuple[int, int]] = {}
        self._objects()
        self._tables()
        known = set(self.label)
        self._others()
        #: Those that are no field and no entry of a table: of TLBs, and of who waits for whose CPU.
        self.other_words = {word: label for word, label in self.label.items() if word not in known}
        self.registers = {
            thread: {
                world.layout.thread_base(thread) + slot: register
                for register, slot in world.layout.registers.items()
            }
            for thread in range(world.threads)
        }

    def _add(self, word: int, label: str, spell: Spell = str) -> None:
        self.label[word] = label
        self.spell[word] = spell

    # --- places ----------------------------------------------------------------------------------

    def object_name(self, cls: ObjectClass, index: int) -> str:
        """ "vma 0"; the only mm is just "mm"."""
        alone = cls == o.MM and self.world.layout.sizes.count(cls) == 1
        return cls.name if alone else f"{cls.name} {index}"

    def field_name(self, field: Field, index: int) -> str:
        """ "vma 0->vm_start"."""
        return f"{self.object_name(field.cls, index)}->{field.name}"

    def reference(self, cls: ObjectClass, stored: int) -> str:
        """A reference in memory: number + 1."""
        return "NULL" if stored == 0 else self.object_name(cls, stored - 1)

    def slot(self, stored: int) -> str:
        """A slot of the VMA tree."""
        return _NO_VMA.get(stored) or self.reference(o.VMA, stored)

    def _objects(self) -> None:
        layout = self.world.layout
        for cls in o.CLASSES:
            if not cls.lifetime:
                continue
            for index in range(layout.sizes.count(cls)):
                word = layout.class_base(cls) + index * layout.class_stride[cls]
                self._add(word, self.object_name(cls, index), lambda v: _LIFE.get(v, "free"))
        for field, offset in layout.field_offset.items():
            if field.width != 1 or (field.cls.lifetime and offset == 0):
                continue
            spell = self._spelling(field)
            for index in range(layout.sizes.count(field.cls)):
                self._add(layout.word(field, index), self.field_name(field, index), spell)

    def _spelling(self, field: Field) -> Spell:
        cls = self._references.get(field)
        if cls is None:
            return str
        return lambda stored: self.reference(cls, stored)

    def _tables(self) -> None:
        g, sizes = self.world.layout.g, self.world.layout.sizes
        for slot in range(((sizes.pages - 1) >> sizes.tree_shift) + 1):
            self._add(int(g[c.G_TREE]) + slot, f"tree[{slot}]", self.slot)
        for slot in range(((sizes.pages - 1) >> sizes.pt_shift) + 1):
            self._add(int(g[c.G_PMD]) + slot, f"pmd[{slot}]", lambda v: self.reference(o.PAGE_TABLE, v))
        for table in range(sizes.tables):
            for i in range(1 << sizes.pt_shift):
                word = int(g[c.G_PTE]) + (table << sizes.pt_shift) + i
                self._add(word, f"page_table {table}[{i}]", entry_text)
                self.entry_words[word] = (table, i)

    def _others(self) -> None:
        world = self.world
        g, sizes = world.layout.g, world.layout.sizes
        if g[c.G_TLB]:
            for thread, name in enumerate(world.names):
                for page in range(sizes.pages):
                    word = int(g[c.G_TLB]) + thread * sizes.pages + page
                    self._add(word, f"TLB of {name}[{page}]", tlb_text)
        for thread, name in enumerate(world.names):
            if g[c.G_LOADED]:
                slots = ((sizes.pages - 1) >> sizes.pt_shift) + 1
                for slot in range(slots):
                    word = int(g[c.G_WALK]) + thread * slots + slot
                    self._add(word, f"TLB of {name} pmd[{slot}]", self._walk_text)
                self._add(int(g[c.G_LOADED]) + thread, f"loaded_mm of {name}", _LOADED.__getitem__)
            base = world.layout.thread_base(thread)
            self._add(base + c.T_IPI_PENDING, f"CPUs that {name} waits for")

    def _walk_text(self, stored: int) -> str:
        table = stored & ~c.WALK_BEHIND
        if not stored & c.WALK_BEHIND:
            return self.reference(o.PAGE_TABLE, table)
        return f"{self.reference(o.PAGE_TABLE, table)}, out of date"

    # --- values ----------------------------------------------------------------------------------

    def register_text(self, register: Register, value: int) -> str:
        """The value of a thread's register."""
        if register.cls is not None:
            if value < 0:
                return "NULL"
            if value >= self.stale:
                return f"{self.object_name(register.cls, value - self.stale)} (freed)"
            return self.object_name(register.cls, value)
        return entry_text(value) if register.name in self._registers_as_entries else str(value)

    def place_of_entry(self, word: int, state: Any) -> str:
        """ "pte[3]" by address while the table is linked, else "page_table 0[1]"."""
        table, i = self.entry_words[word]
        g, sizes = self.world.layout.g, self.world.layout.sizes
        for slot in range(((sizes.pages - 1) >> sizes.pt_shift) + 1):
            if state[int(g[c.G_PMD]) + slot] == table + 1:
                return f"pte[{(slot << sizes.pt_shift) + i}]"
        return self.label[word]

    def changes(self, before: Any, after: Any, thread: int) -> Iterator[str]:
        """What a primitive of a thread changed: shared words first, then the thread's registers."""
        different = [int(word) for word in (before != after).nonzero()[0]]
        own = self.registers[thread]
        for word in different:
            if word not in self.label:
                continue
            label = self.place_of_entry(word, before) if word in self.entry_words else self.label[word]
            spell = self.spell[word]
            yield f"{label}: {spell(int(before[word]))} -> {spell(int(after[word]))}"
        for word in different:
            if word in own:
                yield f"{own[word].name} = {self.register_text(own[word], int(after[word]))}"
        for other, registers in self.registers.items():
            for word in different:
                if other != thread and word in registers:
                    name = f"{self.world.names[other]}'s {registers[word].name}"
                    yield f"{name} = {self.register_text(registers[word], int(after[word]))}"
