"""A tiny world whose threads run given texts and are stepped by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spfvar.automata.extract import Extractor
from spfvar.automata.layout import Layout, Sizes
from spfvar.automata.link import link
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.places import Field, ObjectClass, Register
from tests.transition.driver import BROKEN, FINISHED, MOVED, WAITS, Run

Text = Callable[[], Steps]

SMALL: dict[str, Any] = {"vmas": 3, "tables": 3, "files": 2, "folios": 8, "pages": 16, "pt_shift": 2}


def no_hooks(name: str, args: tuple[Any, ...]) -> Steps:
    """A resolver for texts that call no hook."""
    raise AssertionError(f"{name}{args}")


class Bench(Run):
    """Thread i runs ``texts[i]``, beginning at its first op."""

    def __init__(self, *texts: Text, **sizes: Any) -> None:
        extractor = Extractor(no_hooks)
        automata = {f"text{i}": extractor.automaton(f"text{i}", text) for i, text in enumerate(texts)}
        layout = Layout(Sizes(threads=len(texts), **{**SMALL, **sizes}), automata.values())
        program = link(automata, layout)
        super().__init__(layout, program, layout.empty_state())
        self.owners = self.owners[:0]
        for thread in range(len(texts)):
            self.state[layout.thread_base(thread) + c.T_PC] = program.entry[f"text{thread}"]

    def step(self, thread: int, choice: int = 0) -> str:
        """Execute the thread's next op: "ok", "waits" or the violation."""
        status = self.drive(1, tid=thread, choice=choice)
        if status == BROKEN:
            return c.VIOLATIONS[int(self.state[self.layout.g[c.G_VIOLATION]])]
        return {MOVED: "ok", WAITS: "waits", FINISHED: "waits"}[status]

    def steps(self, *threads: int) -> list[str]:
        """Execute one op of each of these threads, in this order."""
        return [self.step(thread) for thread in threads]

    @property
    def outcome(self) -> int:
        """The outcome of the last op."""
        return int(self.report[1])

    def ask(self, thread: int) -> int:
        """Execute the thread's next op, which must succeed; returns its outcome."""
        assert self.step(thread) == "ok"
        return self.outcome

    def register(self, thread: int, register: Register) -> int:
        """A thread's register."""
        return int(self.state[self.layout.thread_word(thread, register)])

    def put(self, thread: int, register: Register, value: int) -> None:
        """Set a thread's register."""
        self.state[self.layout.thread_word(thread, register)] = value

    def fixed(self, thread: int, word: int) -> int:
        """One of a thread's fixed words (T_*)."""
        return int(self.state[self.layout.thread_base(thread) + word])

    def get(self, field: Field, index: int = 0) -> int:
        """A field's (first) word."""
        return int(self.state[self.layout.word(field, index)])

    def set(self, field: Field, value: int, index: int = 0) -> None:
        """Set a field's (first) word."""
        self.state[self.layout.word(field, index)] = value

    def life(self, cls: ObjectClass, index: int) -> int:
        """The lifetime word of an object."""
        return int(self.state[self.layout.class_base(cls) + index * self.layout.class_stride[cls]])

    def take(self, cls: ObjectClass, index: int) -> None:
        """Make an object live without allocating it (it stays on the free list)."""
        self.state[self.layout.class_base(cls) + index * self.layout.class_stride[cls]] = c.LIVE

    def pte(self, table: int, page: int) -> int:
        """A page-table entry."""
        return int(self.state[self.pte_word(table, page)])

    def pte_word(self, table: int, page: int) -> int:
        """State word of a page-table entry."""
        shift = int(self.layout.sizes.pt_shift)
        return int(self.layout.g[c.G_PTE]) + (table << shift) + page % (1 << shift)

    def pmd(self, page: int) -> int:
        """The page table of a page, or -1."""
        return int(self.state[self.layout.g[c.G_PMD] + (page >> self.layout.sizes.pt_shift)]) - 1

    def link_table(self, page: int, table: int) -> None:
        """Link a live page table at the page."""

        self.take(o.PAGE_TABLE, table)
        self.state[self.layout.g[c.G_PMD] + (page >> self.layout.sizes.pt_shift)] = table + 1

    def tree(self, page: int) -> int:
        """The VMA that the tree has for a page, or -1."""
        return int(self.state[self.layout.g[c.G_TREE] + (page >> self.layout.sizes.tree_shift)]) - 1


def text_of(*ops: Any) -> Text:
    """A text that yields these ops one after another (outcomes lead nowhere else)."""

    def text() -> Steps:
        for op in ops:  # noqa: UP028  (a tuple cannot be sent outcomes)
            yield op

    return text
