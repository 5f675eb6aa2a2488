"""A design's hook point as a graph of letters: its own text, without what other hook points do.

A call of a hook point that the kernel has a function for is one letter; what it does is compared apart.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Final

from spfvar.automata.automaton import Automaton
from spfvar.csource.nfa import Edge, Nfa
from spfvar.csource.units import Exception_
from spfvar.csource.words import Words
from spfvar.kernel.faults import fault_texts
from spfvar.kernel.writers import CALLS, writer_texts
from spfvar.ops import codes as c
from spfvar.ops.op import Call, Op, Steps
from spfvar.ops.primitives import choose, work
from spfvar.plugins.variant import Stack, Variant

#: A step that stands for a call of a hook point.
CALLS_HOOK: Final = "calls: "
_RWSEM: Final = {
    c.DOWN_READ: "down_read",
    c.DOWN_READ_TRYLOCK: "down_read_trylock",
    c.UP_READ: "up_read",
    c.DOWN_WRITE: "down_write",
    c.UP_WRITE: "up_write",
    c.DOWNGRADE_WRITE: "downgrade_write",
}
#: Bookkeeping of the model, whatever it is called.
_NEVER: Final = frozenset(
    (c.COUNT, c.SET_REG, c.ADD_REG, c.ADD_REGS, c.MARK, c.WINDOW, c.NEXT_ADDR, c.NEXT_TABLE, c.REG_EQUAL, c.END)
)


class Texts(Stack):
    """A variant's hook points, of which some are one step where another one calls them."""

    def __init__(self, variant: Variant, words: Words) -> None:
        super().__init__(variant)
        self._words = words
        self._opaque = frozenset(words.table.hooks.values())
        self._whole = Stack(variant)
        for _, _, text in fault_texts():
            self._whole.automaton("fault", text)
        for call in CALLS:
            for text in writer_texts(call):
                self._whole.automaton(call, text)
        self._calls = self._whole.calls()

    def _resolve(self, name: str, args: tuple[Any, ...]) -> Steps:
        if name in self._opaque:
            return self._one_step(name, args)
        return super()._resolve(name, args)

    def _one_step(self, name: str, args: tuple[Any, ...]) -> Steps:
        yield work("free", f"{CALLS_HOOK}{name}")
        *values, last = self._whole.returns(Call(name, args))
        for number, value in enumerate(values):  # a choice has few outcomes
            if (yield choose(f"result {number}", False, True)):
                return value
        return last

    def automata(self, hook: str) -> list[Automaton]:
        """The automata of a hook point, one per list of arguments that some fault or writer calls it with."""
        found = []
        for call in self._calls:
            if call.target == hook:
                text = self._text_of(call)
                found.append(self.automaton(hook, text, keep=False))
        return found

    def _text_of(self, call: Call) -> Callable[[], Steps]:
        def text() -> Steps:
            yield work("free", "begin")  # a text yields something
            yield from super(Texts, self)._resolve(call.name, call.args)

        return text

    def nfa(self, hook: str, exceptions: Iterable[Exception_], used: set[Exception_]) -> Nfa | None:
        """The hook point's graph of letters; None if nothing calls it.  ``used`` gets exceptions of use."""
        automata = self.automata(hook)
        if not automata:
            return None
        hiding = [entry for entry in exceptions if entry.concerns(hook) and entry.text]
        made = Nfa()
        for automaton in automata:
            self._add(made, automaton, hiding, used)
        return made

    def _add(self, made: Nfa, automaton: Automaton, hiding: list[Exception_], used: set[Exception_]) -> None:
        base = len(made.edges)
        made.starts.append(base)
        for _ in automaton.nodes:
            made.add()
        for number, node in enumerate(automaton.nodes):
            if node.op.code == c.END:
                made.ends.add(base + number)
                continue
            for outcome, successor in zip(node.op.outcomes, node.successors, strict=False):
                letter = letter_of(node.op, outcome, self._words)
                hidden = [entry for entry in hiding if letter is not None and entry.hides(letter, "text")]
                used.update(hidden[:1])
                if letter is None or hidden:
                    made.silent[base + number].append(base + successor)
                else:
                    edge = Edge(letter, base + successor, node.op.function, node.op.where)
                    made.edges[base + number].append(edge)

    def lines(self, hook: str) -> frozenset[str]:
        """The lines of the hook point's own text that yield a primitive or a call, as ``file:line``."""
        return frozenset(
            op.where for automaton in self.automata(hook) for op in automaton.ops() if op.where and op.code != c.END
        )


def letter_of(op: Op, outcome: Hashable, words: Words) -> str | None:
    """What a primitive of a text that came out so is in C; None if it is bookkeeping of the model."""
    if op.name.startswith(CALLS_HOOK):
        return f"{op.name.removeprefix(CALLS_HOOK)}()"
    if op.code in _NEVER:
        return None
    letter = _letter(op, words)
    if not letter or (op.cost == "free" and letter not in words.alphabet):
        return None
    return f"{letter} = {int(bool(outcome))}" if words.is_tested(letter) else letter


def _letter(op: Op, words: Words) -> str:
    name = op.name.partition("(")[0]
    texts = words.table.texts
    for text in (op.name, name):
        if text in texts:
            return texts[text]
    if op.place is not None:
        field = op.place.field.name
        if op.code in _RWSEM:
            return f"{_RWSEM[op.code]} {field}"
        if name in ("spin_lock", "spin_unlock"):
            return f"{name} {field}"
    return name
