"""Guards: what a protocol does only because of races, found in its automata, and taken out of them.

A guard is known across races by its kind, the kernel function and the line of its text.  It is taken out
wherever that line is run, and for one call of its function at a time.  Taking it out changes automata, not
texts: the rest of the protocol stays.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from spfvar.automata.automaton import Automaton, Node, minimise
from spfvar.automata.weaken import Memory, weak_fields
from spfvar.explore import barriers
from spfvar.explore.sections import BUMP, RCU, begun_by, first_bumps, nothing, without_sections
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import CallSite, Op
from spfvar.ops.places import Field, Register

CHECK = "check"
TRYLOCK = "trylock, not lock"
GRACE_PERIOD = "grace period"
IPI = "IPI"
WAIT = "wait"
STORE = "store"

#: Why a race is the same without a guard.
NEVER_FAILS = "never fails"
ALIKE = "alike"

#: By automaton: (node, outcome) pairs that some search executed.
Covered = Mapping[str, Collection[tuple[int, int]]]

#: Tests of what another thread may have changed.  Lookups are none: what is looked up has to be there.
CHECKS = (
    c.EQUALS,
    c.EQUALS_REG,
    c.PTE_SAME,
    c.PTE_NONE,
    c.PMD_SAME,
    c.VMA_CONTAINS,
    c.INSIDE_SIZE,
    c.LOAD_ODD,
    c.LOAD_REF,
    c.LOAD_TEST,
    c.TLB_GEN,
)
#: The same on what was loaded before.
_TESTS = (c.REG_EQUAL, c.TEST_REG)
_READS = (c.LOAD, c.LOAD_TEST, c.LOAD_ODD, c.LOAD_REF, c.DEC_AND_TEST)
_WORKS_OUT = (c.SET_REG, c.ADD_REGS, c.NEXT_ADDR, c.NEXT_TABLE, c.WINDOW)
#: Comparisons with a word of memory: a count or a mark that somebody leaves for others.
_COMPARES = (c.EQUALS, c.EQUALS_REG, c.LOAD_ODD, c.INC_NOT_ZERO, c.WAIT_EQUALS)
_TRYLOCKS = {c.TRYLOCK: c.LOCK, c.DOWN_READ_TRYLOCK: c.DOWN_READ, c.DOWN_WRITE: c.DOWN_WRITE}
#: What waits for RCU sections.  Beside these, memory that stays of its type is looked at in one alone.
_ASKS_FOR_READERS = (c.RCU_GP_START, c.RCU_GP_WAIT, c.SYNC_START, c.SYNC_WAIT)
_SKIPPED = {c.IPI_SEND: IPI, c.IPI_WAIT: WAIT, c.WAIT_EQUALS: WAIT}


@dataclass(frozen=True, slots=True)
class Guard:
    """One guard: ``where`` is the file and line of the text that begins it.

    ``caller``: only as its function is called there; None: whoever calls it.
    """

    function: str
    kind: str
    name: str
    where: str
    caller: CallSite | None = None

    @property
    def place(self) -> tuple[str, int]:
        """File name and line."""
        return _place(self.where)

    @property
    def order(self) -> tuple[str, str, int, str, str, str, int]:
        """Guards are listed by function, and in it in the order of the text; then by caller."""
        called = ("", "", 0) if self.caller is None else (self.caller.function, *_place(self.caller.where))
        return self.function, *self.place, self.kind, *called

    @property
    def everywhere(self) -> Guard:
        """The same guard, whoever calls its function."""
        return replace(self, caller=None)


def _place(where: str) -> tuple[str, int]:
    file, _, line = where.rpartition(":")
    return file.rpartition("/")[2], int(line)


@dataclass(frozen=True, slots=True)
class Removal:
    """A guard of a race and the race's automata without it; none if they behave alike in the race.

    ``why`` they do: the guard is a check that never fails there, or one way or the other is the same.
    """

    guard: Guard
    automata: Mapping[str, Automaton] | None
    why: str = ""


class Guards:
    """What may be a guard in the automata of a race, among ``wanted`` primitives, and where.

    ``found`` has each guard as a whole, and at every call of its function, in the order of the text.
    ``memory``: the memory model; barriers are guards under "lkmm", where the race has weak words.
    """

    def __init__(
        self,
        automata: Mapping[str, Automaton],
        wanted: Callable[[Op], bool] = lambda _: True,
        memory: Memory = "sc",
    ) -> None:
        ops = (op for automaton in automata.values() for op in automaton.ops())
        self._weak = weak_fields(ops) if memory == "lkmm" else frozenset[Field]()
        self._compared = {
            op.place.field
            for automaton in automata.values()
            for op in automaton.ops()
            if op.code in _COMPARES and op.place is not None
        }
        #: Does it matter to anybody whether a thread is in an RCU section?
        self._readers_matter = any(
            op.code in _ASKS_FOR_READERS or op.typesafe
            for automaton in automata.values()
            for op in automaton.ops()
        )
        nodes: dict[Guard, dict[str, list[int]]] = {}
        for name, automaton in automata.items():
            for number, guard in _guards_of(automaton, self._compared, wanted, self._weak):
                for key in {guard.everywhere, guard}:
                    nodes.setdefault(key, {}).setdefault(name, []).append(number)
        self._automata = automata
        self._nodes = nodes
        self.found = sorted(nodes, key=lambda guard: guard.order)
        #: With the callers' calls apart, as ``found`` has them, but unmarked; and with equal calls as one.
        self._apart = {name: _unmarked(automaton) for name, automaton in automata.items()}
        self._plain = {
            name: minimise(name, list(apart.nodes), 0) if apart is not automata[name] else apart
            for name, apart in self._apart.items()
        }
        self._made: dict[tuple[str, int, frozenset[tuple[str, int]]], Removal | None] = {}

    def outcomes(self, guard: Guard, covered: Covered) -> set[int]:
        """The outcomes that its primitives have among what is ``covered``, by automaton."""
        nodes = self._nodes[guard]
        return {
            outcome
            for name, numbers in nodes.items()
            for number in numbers
            for outcome in _outcomes(covered.get(name, ()), number)
        }

    def removal(self, guard: Guard, alone: Collection[int], reached: Collection[int]) -> Removal | None:
        """Take the guard out of a race; None if it turns out to be none.

        ``alone``: the outcomes that it has if an automaton's thread runs alone; ``reached``: in the race.
        """
        if guard.kind == CHECK:
            if len(alone) != 1:
                return None
            if set(reached) <= set(alone):
                return Removal(guard, None, NEVER_FAILS)
        if guard.kind == RCU and not self._readers_matter:
            return Removal(guard, None, ALIKE)
        passed = next(iter(alone), 0) if guard.kind == CHECK else 0
        places = frozenset((name, at) for name, numbers in self._nodes[guard].items() for at in numbers)
        key = (guard.kind, passed, places)
        if key not in self._made:
            self._made[key] = self._taken_out(guard, passed)
        made = self._made[key]
        return made and replace(made, guard=guard)

    def still_marked(self, guard: Guard, alone: Collection[int]) -> Mapping[str, Automaton] | None:
        """The automata without the guard, whose calls are still apart, so that another can be taken out.

        ``alone`` is as in `removal`; None if the guard turns out to be none.
        """
        if guard.kind == CHECK and len(alone) != 1:
            return None
        changed = dict(self._automata)
        for name, nodes in self._nodes[guard].items():
            passed = next(iter(alone), 0) if guard.kind == CHECK else 0
            without = _without(guard.kind, self._automata[name], nodes, passed, self._compared)
            if without is None:
                return None
            changed[name] = without
        return changed

    @property
    def plain(self) -> Mapping[str, Automaton]:
        """The automata with equal calls as one."""
        return self._plain

    def _taken_out(self, guard: Guard, passed: int) -> Removal | None:
        changed = dict(self._plain)
        for name, nodes in self._nodes[guard].items():
            without = _without(guard.kind, self._apart[name], nodes, passed, self._compared)
            if without is None:
                return None
            changed[name] = without
        if all(_alike(automaton, self._plain[name], bool(self._weak)) for name, automaton in changed.items()):
            return Removal(guard, None, ALIKE)
        return Removal(guard, changed)


def find_guards(
    automata: Mapping[str, Automaton],
    alone: Covered,
    reached: Covered,
    wanted: Callable[[Op], bool] = lambda _: True,
    memory: Memory = "sc",
    whole: bool = False,
) -> list[Removal]:
    """Every guard that the race comes by, among ``wanted`` primitives.

    ``alone``: what occurs when an automaton's thread runs alone; a check is a guard if alone it always has
    one outcome, and without it the protocol goes on as if it had that one.  ``reached``: what occurs in the
    race.  ``whole``: of one that is a guard whoever calls its function, single calls are left out.
    """
    guards = Guards(automata, wanted, memory)
    removals: list[Removal] = []
    known: set[Guard] = set()
    for guard in guards.found:  # as a whole first, then call by call
        if whole and guard.everywhere in known:
            continue
        here = guards.outcomes(guard, reached)
        removal = guards.removal(guard, guards.outcomes(guard, alone), here) if here else None
        if removal is not None:
            removals.append(removal)
            known.add(guard)
    return removals


def _unmarked(automaton: Automaton) -> Automaton:
    """The same nodes without callers."""
    if all(op.caller is None for op in automaton.ops()):
        return automaton
    known: dict[tuple[Op, str], Op] = {}  # equal ones are one, which is told at once
    ops = [op.but(caller=None) for op in automaton.ops()]
    same = [known.setdefault((op, op.where), op) for op in ops]
    return Automaton(
        automaton.name,
        tuple(Node(op, node.successors) for op, node in zip(same, automaton.nodes, strict=True)),
    )


def _alike(one: Automaton, other: Automaton, weak: bool) -> bool:
    """Do two automata behave alike, but for steps that do nothing?  ``weak``: barriers do something."""
    if one is other:
        return True
    mine, theirs = (
        {(n.op.name, n.op.function) for n in automaton.nodes if not _does_nothing(n, weak)}
        for automaton in (one, other)
    )
    return mine == theirs and _contracted(one, weak) == _contracted(other, weak)


def _contracted(automaton: Automaton, weak: bool) -> Automaton:
    def behind(number: int) -> int:
        seen: set[int] = set()
        while _does_nothing(automaton.nodes[number], weak) and number not in seen:
            seen.add(number)
            (number,) = automaton.nodes[number].successors
        return number

    nodes = [Node(node.op, tuple(map(behind, node.successors))) for node in automaton.nodes]
    return minimise(automaton.name, nodes, behind(0))


def _does_nothing(node: Node, weak: bool) -> bool:
    nothing = node.op.code == c.NOP and not node.op.sleeps and len(node.successors) == 1
    return nothing and not (weak and barriers.is_fence(node.op))


def _outcomes(covered: Collection[tuple[int, int]], node: int) -> set[int]:
    return {outcome for outcome in range(c.MAX_OUTCOMES) if (node, outcome) in covered}


def _guards_of(
    automaton: Automaton,
    compared: Collection[Field],
    wanted: Callable[[Op], bool],
    weak: Collection[Field],
) -> Iterator[tuple[int, Guard]]:
    """Nodes, and what they may be a guard of.  With ``weak`` fields barriers are guards, too."""
    dependents = barriers.dependents_of(automaton, weak) if weak else ()
    bumps = first_bumps(automaton, compared)
    loaded = _loaded(automaton)
    for number, node in enumerate(automaton.nodes):
        op = node.op
        if not wanted(op):
            continue
        section = begun_by(op, compared)
        if section is not None and (section[0].kind != BUMP or number in bumps):
            yield number, _guard(op, section[0].kind)
        if op.code in _TRYLOCKS and len(op.outcomes) == 2:
            yield number, _guard(op, TRYLOCK)
        tests = op.code in CHECKS or (op.code in _TESTS and not loaded.isdisjoint((op.src, op.src2)))
        if tests and len(op.outcomes) == 2:
            yield number, _guard(op, CHECK)
        if op.code == c.CALL_RCU:
            yield number, _guard(op, GRACE_PERIOD)
        if op.code in _SKIPPED:
            yield number, _guard(op, _SKIPPED[op.code])
        if weak:
            yield from ((number, _guard(op, kind)) for kind in barriers.kinds_of(op, dependents, weak))
        marks = op.code == c.STORE or (op.code == c.STORE_REG and op.src in loaded)
        if marks and op.place is not None and op.place.field in compared:
            yield number, _guard(op, STORE)


def _guard(op: Op, kind: str) -> Guard:
    """The guard of a primitive; a text that is run on several objects of a class is one guard."""
    name = op.name.replace(f"({op.place})", f"({op.place.field})") if op.place is not None else op.name
    return Guard(op.function, kind, name, op.where, op.caller)


def _loaded(automaton: Automaton) -> set[Register]:
    """Registers that hold what was read from memory, and nothing that the thread worked out by itself."""
    read = {op.dst for op in automaton.ops() if op.code in _READS and op.dst is not None}
    return read - {op.dst for op in automaton.ops() if op.code in _WORKS_OUT and op.dst is not None}


def _without(
    kind: str,
    automaton: Automaton,
    nodes: Collection[int],
    passed: int,
    compared: Collection[Field],
) -> Automaton | None:
    if kind not in _REPLACED:
        return without_sections(automaton, nodes, compared)
    changed = [
        _REPLACED[kind](node, passed) if number in nodes else node
        for number, node in enumerate(automaton.nodes)
    ]
    return minimise(automaton.name, changed, 0)


def _passes(node: Node, passed: int) -> Node:
    """Go on as if the check had the outcome that it has alone."""
    return Node(node.op, (node.successors[passed],) * 2)


def _waits(node: Node, _: int) -> Node:
    """Wait for the lock instead of trying once."""
    op = node.op
    sleeps = op.code != c.TRYLOCK or (op.place is not None and op.place.field == o.FOLIO_LOCK)
    waiting = replace(op, code=_TRYLOCKS[op.code], outcomes=(None,), imm=0, sleeps=sleeps)
    return Node(waiting, node.successors[1:])


def _frees_at_once(node: Node, _: int) -> Node:
    return Node(replace(node.op, code=c.FREE), node.successors)


def _skips(node: Node, _: int) -> Node:
    return Node(nothing(node.op), node.successors[:1])


#: Kinds that are one primitive: what stands in its place.
_REPLACED: Mapping[str, Callable[[Node, int], Node]] = {
    CHECK: _passes,
    TRYLOCK: _waits,
    GRACE_PERIOD: _frees_at_once,
    IPI: _skips,
    WAIT: _skips,
    STORE: _skips,
    **barriers.REPLACED,
}
