"""A design's hook point as a graph of letters: its own text, without what other hook points do.

A call of a hook point that the kernel has a function for is one letter; what it does is compared apart.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any, Final

from spfvar.automata.automaton import Automaton
from spfvar.automata.extract import StrategyError
from spfvar.csource.nfa import Nfa, build
from spfvar.csource.units import Exemption, Unit
from spfvar.csource.words import Words
from spfvar.kernel.faults import NOTIFIES, fault_texts
from spfvar.kernel.texts import Edge
from spfvar.kernel.writers import CALLS, writer_texts
from spfvar.mm import hookspecs as hooks
from spfvar.mm.vmf import FORCE, Mapping, VmFault
from spfvar.ops import codes as c
from spfvar.ops.op import Call, Op, Steps
from spfvar.ops.primitives import choose, work
from spfvar.plugins.variant import Stack, Variant

#: More states than a hook point has that is worth comparing.
MAX_STATES: Final = 200_000
#: A step that stands for a call of a hook point.
CALLS_HOOK: Final = "calls: "
BEGIN: Final = "begin"
_RWSEM: Final = {
    c.DOWN_READ: "down_read",
    c.DOWN_READ_TRYLOCK: "down_read_trylock",
    c.UP_READ: "up_read",
    c.DOWN_WRITE: "down_write",
    c.UP_WRITE: "up_write",
    c.DOWNGRADE_WRITE: "downgrade_write",
}
_TREE: Final = {c.TREE_STORE: "tree_store", c.TREE_ERASE: "tree_erase"}
#: What the C does anywhere, and the model only where something asks for it.
_ALWAYS: Final = tuple(
    (fact, True) for fact in ("neighbours", "protected", "pinned", "numa", "huge", "reaped")
)
#: Mappings of files: entries of shared ones are write-protected only where the file system wants to be asked.
_FILES: Final = (
    ({"sharing": "private"}, ()),
    ({"sharing": "shared"}, NOTIFIES),
    ({"sharing": "private", "map_pages": False, "speculative": False}, ()),
    ({"sharing": "shared", "map_pages": False, "speculative": False}, NOTIFIES),
)
#: What the VMAs of writers may be, besides what a call gives.
_WRITTEN: Final = ({"anonymous": False}, {"anonymous": False, "shared": True})
#: Bookkeeping of the model, whatever it is called.
_NEVER: Final = frozenset(
    (
        c.COUNT,
        c.SET_REG,
        c.ADD_REG,
        c.ADD_REGS,
        c.MARK,
        c.WINDOW,
        c.NEXT_ADDR,
        c.NEXT_TABLE,
        c.REG_EQUAL,
        c.END,
    )
)


class Texts(Stack):
    """A variant's hook points, of which some are one step where another one calls them."""

    def __init__(self, variant: Variant, words: Words, opaque: Iterable[str] = ()) -> None:
        super().__init__(variant)
        self._words = words
        self._opaque = frozenset((*words.table.hooks.values(), *opaque))
        self._whole = Stack(variant)
        for _, _, text in fault_texts(_ALWAYS, _FILES, anywhere=True):
            self._whole.automaton("fault", text)
        for call in CALLS:
            for text in writer_texts(call):
                self._whole.automaton(call, text)
        self._whole.automaton("fork", _fork)
        self._calls = self._whole.calls() + _further(variant, self._whole)
        self._automata: dict[tuple[str, bool], list[Automaton]] = {}
        self._empty: dict[str, bool] = {}

    def _resolve(self, name: str, args: tuple[Any, ...]) -> Steps:
        if name in self._opaque:
            return self._one_step(name, args)
        return super()._resolve(name, args)

    def _does_nothing(self, hook: str) -> bool:
        """Is a hook point empty in this design, whoever calls it?"""
        if hook not in self._empty:
            calls = [call for call in self._calls if call.target == hook]
            self._empty[hook] = bool(calls) and not any(map(self._shows, calls))
        return self._empty[hook]

    def _shows(self, call: Call) -> bool:
        def text() -> Steps:
            yield work("free", BEGIN)  # a text yields something
            yield from call

        ops = self._whole.automaton(call.name, text, keep=False).ops()
        return any(op.code != c.END and op.name != BEGIN for op in ops)

    def _one_step(self, name: str, args: tuple[Any, ...]) -> Steps:
        if self._does_nothing(name):
            return None
        yield work("free", f"{CALLS_HOOK}{name}")
        *values, last = self._whole.returns(Call(name, args))
        for number, value in enumerate(values):  # a choice has few outcomes
            if (yield choose(f"result {number}", False, True)):
                return value
        return last

    def automata(self, hook: str, writes: bool = False) -> list[Automaton]:
        """The automata of a hook point, one per list of arguments that some fault or writer calls it with."""
        key = (hook, writes)
        if key not in self._automata:
            calls = dict.fromkeys(each for one in self._calls if one.target == hook for each in _kinds(one))
            self._automata[key] = [
                self.automaton(hook, self._text_of(call), keep=False)
                for call in calls
                if not (writes and any(_reads(arg) for arg in call.args))
            ]
        return self._automata[key]

    def _text_of(self, call: Call) -> Callable[[], Steps]:
        def text() -> Steps:
            yield work("free", BEGIN)  # a text yields something
            yield from super(Texts, self)._resolve(call.name, call.args)

        return text

    def nfa(self, unit: Unit, exceptions: Iterable[Exemption], used: set[Exemption]) -> Nfa | None:
        """The hook point's graph of letters; None if nothing calls it.  ``used`` gets exceptions of use."""
        hook = unit.text
        automata = self.automata(hook, unit.writes)
        if not automata:
            return None
        hiding = [
            entry
            for entry in sorted(exceptions, key=str)  # of several, the first is of use: the same in each run
            if entry.kind in ("text", "both", "cut") and entry.concerns(hook, f"{unit.c}*")
        ]
        follow = _Follow(automata, self._words, hiding, used)
        starts: list[_State] = [(number, 0, frozenset()) for number in range(len(automata))]
        made = build(starts, follow, MAX_STATES)
        if made is None:
            raise StrategyError(f"{hook} has more than {MAX_STATES} states")
        return made

    def lines(self, unit: Unit) -> frozenset[str]:
        """The lines of the hook point's own text that yield a primitive or a call, as ``file:line``."""
        automata = self.automata(unit.text, unit.writes)
        return frozenset(
            op.where
            for automaton in automata
            for op in automaton.ops()
            if op.where and op.where.partition(":")[0] != __file__ and op.code != c.END
        )


def _fork() -> Steps:
    """A fork of one VMA, which no recorded call is."""
    yield from hooks.fork(Mapping())


def _further(variant: Variant, whole: Stack) -> list[Call]:
    """What get_user_pages, khugepaged and a fault on a page that migrates call, and no other fault."""
    reached = set(whole.calls())
    stack = Stack(variant)
    for number, text in enumerate((*_pins(), hooks.collapse_file, _waits)):
        stack.automaton(f"further {number}", text)
    return [call for call in stack.calls() if call not in reached]


def _pins() -> Iterator[Callable[[], Steps]]:
    """get_user_pages of whatever may be pinned, which no recorded call is."""
    for anonymous in (True, False):
        mapping = replace(Mapping(anonymous=anonymous), **dict(_ALWAYS))
        for write in (False, True):
            vmf = VmFault(write, mapping, user=False)
            yield partial(hooks.pin_user_pages_fast, vmf)
        yield partial(hooks.access_remote_vm, VmFault(True, mapping, frozenset((FORCE,)), user=False))


def _waits() -> Steps:
    yield from hooks.migration_entry_wait(VmFault(True, Mapping(anonymous=False, migrates=True)))


def _kinds(call: Call) -> Iterator[Call]:
    """A call of a writer's hook point, for a VMA of every kind."""
    yield call
    if any(isinstance(arg, Mapping) for arg in call.args):
        ways = [
            [arg, *(replace(arg, **files) for files in _WRITTEN)] if isinstance(arg, Mapping) else [arg]
            for arg in call.args
        ]
        yield from (Call(call.target, args) for args in product(*ways))


def _reads(arg: object) -> bool:
    return isinstance(arg, VmFault) and not arg.write


#: Which automaton, which node, and the outcomes of steady primitives that the path has had.
_State = tuple[int, int, frozenset[tuple[str, Hashable]]]


class _Follow:
    """Follows automata, with what is known on a path: a steady primitive comes out as it did before."""

    def __init__(
        self, automata: list[Automaton], words: Words, hiding: list[Exemption], used: set[Exemption]
    ) -> None:
        self._automata = automata
        self._words = words
        self._hiding = hiding
        self._used = used

    def __call__(self, state: _State) -> Iterator[tuple[Edge | None, _State]]:
        number, at, facts = state
        node = self._automata[number].nodes[at]
        if node.op.code == c.END:
            return
        steady = node.op.name in self._words.table.steady
        known = dict(facts)
        for outcome, successor in zip(node.op.outcomes, node.successors, strict=False):
            if steady and known.get(node.op.name, outcome) != outcome:
                continue
            further = facts | {(node.op.name, outcome)} if steady else facts
            letter = letter_of(node.op, outcome, self._words)
            hidden = [entry for entry in self._hiding if letter is not None and entry.hides(letter, "text")]
            self._used.update(hidden[:1])
            cut = [
                entry
                for entry in self._hiding
                if letter is not None and entry.kind == "cut" and entry.means(letter)
            ]
            if cut:
                self._used.update(cut)
                yield None, state  # for ever: no end is reached
                continue
            edge = None
            if letter is not None and not hidden:
                edge = Edge(letter, -1, node.op.function, node.op.where)
                if letter in self._words.many:  # any number of times, or not at all
                    yield edge, state
                    yield None, (number, successor, further)
            yield edge, (number, successor, further)


def letter_of(op: Op, outcome: Hashable, words: Words) -> str | None:
    """What a primitive of a text that came out so is in C; None if it is bookkeeping of the model."""
    if op.name.startswith(CALLS_HOOK):
        return f"{op.name.removeprefix(CALLS_HOOK)}()"
    if op.code in _NEVER or op.cost == "syscall":
        return None
    letter = words.in_step(op.function, _letter(op, words))
    tested = words.is_tested(letter)
    if (
        not letter
        or (op.cost == "free" and letter not in words.alphabet)
        or (tested and len(op.outcomes) < 2)
    ):
        return None
    return f"{letter} = {int(bool(outcome))}" if tested else letter


def _letter(op: Op, words: Words) -> str:
    name = op.name.partition("(")[0]
    texts = words.table.texts
    untimed = f"untimed {op.name} in {op.function}" if op.cost == "free" else ""
    for text in (untimed, op.name, name):
        if text in texts:
            return texts[text]
    if op.code in _TREE:
        return _TREE[op.code]
    if op.place is not None:
        field = op.place.field.name
        if op.code in _RWSEM:
            return f"{_RWSEM[op.code]} {field}"
        if name in ("spin_lock", "spin_unlock"):
            return f"{name} {field}"
    return name
