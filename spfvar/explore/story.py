"""A trace told in five lines: who does what, which guard is not there, what goes wrong.

Nothing is known of the design that the moves do not show: who holds which locks and sections, what a thread
looks at again, and whose change came in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from spfvar.explore.guards import CHECKS
from spfvar.explore.moves import Move
from spfvar.explore.sections import IRQ_OFF, LOCK, RCU, REFERENCE, Section, begun_by
from spfvar.explore.stale import Old
from spfvar.explore.words import Words
from spfvar.ops import codes as c
from spfvar.ops.op import Op
from spfvar.ops.places import Field, Register

#: Names in a list, before "and more".
_NAMED = 3
_SRCU = "SRCU section"
_UNNAMED = {RCU: "an RCU section", IRQ_OFF: "interrupts off", _SRCU: "an SRCU section"}
#: Accesses to an object that another thread took away.
_GONE = (c.V_USE_AFTER_FREE, c.V_STALE_REFERENCE, c.V_OUTSIDE_RCU)
#: What the thread does that ends grace periods; whoever began one is to be told of.
_KTHREAD = (c.RCU_GP_START, c.RCU_GP_WAIT, c.RCU_INVOKE)
#: What looks at memory again.
_CHECKS = (*CHECKS, c.AT_MOST, c.ABOVE)
#: What is done to a count of references.
_COUNTED = (c.DEC_AND_TEST, c.INC_NOT_ZERO, c.PAGE_PUT, c.PAGE_GET)


@dataclass(frozen=True, slots=True)
class _Held:
    """Something that a thread holds, and the step that began it."""

    section: Section
    name: str
    step: int


@dataclass(frozen=True, slots=True)
class _Told:
    """One primitive: its step, what its thread held before it, and the words of memory that it changed."""

    step: int
    move: Move
    op: Op
    outcome: str
    changes: tuple[str, ...]
    held: tuple[_Held, ...]
    shared: tuple[int, ...]
    changed: tuple[int, ...]
    old: Old | None = None

    @property
    def text(self) -> str:
        """ "fault, in do_fault: load(vma->vm_file)" without its thread."""
        outcome = f": {self.outcome}" if self.outcome else ""
        return f"{self.op.name}{outcome} (step {self.step})"


@dataclass(slots=True)
class Teller:
    """Follows the moves of a trace, and tells it."""

    words: Words
    _told: list[_Told] = field(default_factory=list)
    _held: dict[int, list[_Held]] = field(default_factory=dict)
    _counts: frozenset[Field] = frozenset()

    def __post_init__(self) -> None:
        """Counts of references are those that somebody looks at before the object goes, or may be taken."""
        ops = (
            op for op in self.words.world.program.ops if _strong(op).code in _COUNTED and op.place is not None
        )
        self._counts = frozenset(op.place.field for op in ops if op.place is not None)

    def note(
        self, step: int, move: Move, op: Op, outcome: str, changes: Sequence[str], old: Old | None = None
    ) -> None:
        """One primitive that was executed; ``old``: what it missed, if it read an old value."""
        op = _strong(op)
        held = self._held.setdefault(move.thread, [])
        words = tuple(int(word) for word in (move.before != move.after).nonzero()[0])
        shared = tuple(word for word in words if word in self.words.label)
        self._told.append(_Told(step, move, op, outcome, tuple(changes), tuple(held), shared, words, old))
        if move.outcome < 0:
            return
        for at in reversed(range(len(held))):
            if self._ends(held[at], move, op):
                del held[at]
                return
            if op.code == c.DOWNGRADE_WRITE and op.place == held[at].section.place:
                held[at] = replace(held[at], section=replace(held[at].section, end=c.UP_READ))
                return
        begun = begun_by(op)
        if op.code == c.RANGE_WAIT:
            begun = Section(LOCK, c.RANGE_UNLOCK, op.place), 0
        elif op.code == c.SRCU_READ_LOCK:
            begun = Section(_SRCU, c.SRCU_READ_UNLOCK, op.place), 0
        if begun is None or begun[1] != move.outcome or (op.code == c.ADD and not self._counted(op)):
            return
        held.append(_Held(begun[0], self._name(begun[0], move.thread, move.after), step))

    def _ends(self, held: _Held, move: Move, op: Op) -> bool:
        """Does a primitive end it, in whatever register the thread has the object by now?"""
        here, there = held.section.place, op.place
        if here is None or there is None or here == there:
            return held.section.ends_at(op)
        section = replace(held.section, place=there)
        return (
            here.field == there.field
            and section.ends_at(op)
            and self._name(section, move.thread, move.before) == held.name
        )

    def held_by(self, thread: int) -> tuple[_Held, ...]:
        """What a thread holds now."""
        return tuple(self._held.get(thread, ()))

    def _counted(self, op: Op) -> bool:
        return op.place is not None and op.place.field in self._counts

    def tell(self, code: int, text: str, waiting: Sequence[tuple[str, Op]] = ()) -> tuple[str, ...]:
        """The story of a violation with this code; ``text`` says in words what is violated.

        ``waiting``: in a deadlock, the threads that cannot go on, and where each of them is.
        """
        if not self._told:
            return (f"{text}: nobody did anything",)
        if code == c.V_DEADLOCK:
            return tuple(self._stuck(text, waiting))
        if code == c.V_LIVELOCK:
            return tuple(self._round(text))
        if self._told[-1].move.outcome != c.VIOLATED:
            return tuple(self._at_rest(code, text))
        late = len(self._told) - 1
        old = self._last_old(self._told[late].move.thread)
        if old is not None:
            return tuple(self._unseen(old, self._told[late], text))
        between = self._between(late, code)
        return tuple(self._alone(late, text) if between is None else self._story(late, between, code, text))

    # --- an old value ---------------------------------------------------------------------------

    def _last_old(self, thread: int | None = None) -> _Told | None:
        """The last load, of this thread if one is given, that returned an old value."""
        read = [one for one in self._told if one.old and thread in (None, one.move.thread)]
        return read[-1] if read else None

    def _missed(self, read: _Told) -> Iterator[str]:
        """A store, the load that does not see it, and what does not order them."""
        old = read.old
        assert old is not None
        yield f"{old.thread} wrote {old.value} to {old.word} at step {old.step}."
        yield f"{self._name_of(read)}, in {read.op.function}, does not see that: {read.text}."
        yield f"It may miss it: {old.why}; {old.last}."

    def _unseen(self, read: _Told, end: _Told, text: str) -> Iterator[str]:
        """An old value, and what it leads to."""
        yield from self._missed(read)
        yield f"{self._name_of(end)}, in {end.op.function}: {_with_change(end, outcome=False)}: {text}."

    # --- a state at rest that is wrong -----------------------------------------------------------

    def _at_rest(self, code: int, text: str) -> Iterator[str]:
        """What was missed, if anything was; else who changed last what is wrong."""
        read = self._last_old()
        if read is not None:
            yield from self._missed(read)
            yield f"In the end {text}."
            return
        wrong = set(self._wrong_words(code))
        found = [at for at, one in enumerate(self._told) if wrong.intersection(one.changed)]
        if not found or self._told[found[-1]].op.code in _KTHREAD:
            yield f"In the end {text}."
            return
        late = found[-1]
        end = self._told[late]
        related = wrong | (self._tree() if code in (c.V_TABLE_LEFT, c.V_PTE_LEFT) else set())
        others = [
            at
            for at, one in enumerate(self._told[:late])
            if self._may_blame(one, end.move.thread) and related.intersection(one.changed)
        ]
        if not others:
            yield f"{self._name_of(end)}, in {end.op.function}{_holds(end.held)}: {_with_change(end)}."
            yield f"In the end {text}."
            return
        yield from self._story(late, others[-1], code, f"in the end {text}")

    def _tree(self) -> set[int]:
        """The words of the VMA tree: what tables and entries are right or wrong by."""
        g, sizes = self.words.world.layout.g, self.words.world.layout.sizes
        return {int(g[c.G_TREE]) + slot for slot in range(((sizes.pages - 1) >> sizes.tree_shift) + 1)}

    def _wrong_words(self, code: int) -> Iterator[int]:
        """The words that are wrong at the end, where the property is about single words."""
        world = self.words.world
        state, g, sizes = self._told[-1].move.after, world.layout.g, world.layout.sizes
        if code == c.V_LOCK_LEFT:
            yield from (int(word) for word in world.locks if state[word])
        elif code == c.V_SEQUENCE_LEFT:
            yield from (
                int(word) for word, life in world.sequences if state[word] & 1 and state[life] == c.LIVE
            )
        elif code in (c.V_TABLE_LEFT, c.V_PTE_LEFT):
            for slot in range(((sizes.pages - 1) >> sizes.pt_shift) + 1):
                table = int(state[int(g[c.G_PMD]) + slot]) - 1
                pages = range(slot << sizes.pt_shift, min((slot + 1) << sizes.pt_shift, sizes.pages))
                mapped = [state[int(g[c.G_TREE]) + (page >> sizes.tree_shift)] > 0 for page in pages]
                if table < 0:
                    continue
                if code == c.V_TABLE_LEFT and not any(mapped):
                    yield int(g[c.G_PMD]) + slot
                for i, there in enumerate(mapped):
                    word = int(g[c.G_PTE]) + (table << sizes.pt_shift) + i
                    if code == c.V_PTE_LEFT and not there and state[word]:
                        yield word

    # --- two threads -----------------------------------------------------------------------------

    def _between(self, late: int, code: int) -> int | None:
        """The other thread's primitive that takes away what is used late; None if no other is to blame."""
        told = self._told
        victim = told[late].move.thread
        others = [at for at in range(late) if self._may_blame(told[at], victim)]
        word = self._object(told[late]) if code in _GONE else None
        if word is not None:
            ends = [
                at
                for at in range(late)
                if told[at].move.before[word] == c.LIVE and told[at].move.after[word] != c.LIVE
            ]
            return ends[-1] if ends else None
        others = [at for at in others if not _is_lock(told[at].op)] or others
        return others[-1] if others else None

    def _may_blame(self, told: _Told, victim: int) -> bool:
        """Did another thread change memory, other than the one that ends grace periods?"""
        return told.move.thread != victim and bool(told.shared) and told.op.code not in _KTHREAD

    def _object(self, late: _Told) -> int | None:
        """The word of the life of the object that a primitive acts on."""
        register = self._register(late.op)
        if register is None or register.cls is None or not register.cls.lifetime:
            return None
        layout = self.words.world.layout
        value = int(late.move.before[layout.thread_base(late.move.thread) + layout.registers[register]])
        index = value - self.words.stale if value >= self.words.stale else value
        if value < 0:
            return None
        return layout.class_base(register.cls) + index * layout.class_stride[register.cls]

    def _register(self, op: Op) -> Register | None:
        register = op.place.register if op.place is not None else op.src
        return register if register in self.words.world.layout.registers else None

    def _story(self, late: int, between: int, code: int, text: str) -> Iterator[str]:
        told = self._told
        end, key = told[late], told[between]
        who, other = self._name_of(end), self._name_of(key)
        before = [one for one in told[:between] if one.move.thread == end.move.thread]
        look = self._look(before, end if code in _GONE else None)
        kept = key.held if who == other else self._held_at(between, end.move.thread)
        if look is None:
            yield f"{who} has looked at nothing yet."
        else:
            yield f"{who}, in {look.op.function}: {_with_change(look)}."
        at_key = f"when {other} comes to step {key.step}"
        yield f"{_dropped(look, kept)}{self._holding(who, kept)} {at_key}."
        yield f"{other}, in {key.op.function}{_holds(key.held)}: {_with_change(key)}."
        yield self._missing(who, other, key, late, between, kept)
        yield f"{who}, in {end.op.function}: {_with_change(end, outcome=False)}: {text}."

    def _held_at(self, at: int, thread: int) -> tuple[_Held, ...]:
        """What a thread holds while another one is at its primitive."""
        for one in self._told[at:]:
            if one.move.thread == thread:
                return one.held
        return self.held_by(thread)

    def _look(self, before: Sequence[_Told], of: _Told | None) -> _Told | None:
        """Where a thread got the object that it uses later; else the last that it learnt of others."""
        register = self._register(of.op) if of is not None else None
        if register is not None:
            layout = self.words.world.layout
            word = layout.thread_base(before[0].move.thread if before else 0) + layout.registers[register]
            got = [one for one in before if one.move.before[word] != one.move.after[word]]
            if got:
                return got[-1]
        seen = [
            one for one in before if one.shared or (len(one.op.outcomes) > 1 and one.op.place is not None)
        ]
        seen = [one for one in seen if not _is_lock(one.op)] or list(before)
        return seen[-1] if seen else None

    def _missing(
        self, who: str, other: str, key: _Told, late: int, between: int, kept: Sequence[_Held]
    ) -> str:
        """The guard that is not there: what both hold is none, and what is looked at again does not tell."""
        thread = self._told[late].move.thread
        after = [one for one in self._told[between + 1 : late] if one.move.thread == thread]
        checks = [one for one in after if one.op.code in _CHECKS and len(one.op.outcomes) > 1]
        earlier = [
            one
            for one in self._told[:between]
            if one.move.thread == thread and one.op.code in _CHECKS and len(one.op.outcomes) > 1
        ]
        keeps_out = f"nothing that {who} holds makes {other} wait" if kept else f"{who} holds nothing"
        if checks:
            look = f", and its check {checks[-1].text}, behind step {key.step}, does not stop it"
        elif earlier:
            look = f", and its last check, {earlier[-1].text}, was before step {key.step}"
        else:
            look = ""
        return f"Guard not there: {keeps_out}{look}."

    # --- one thread, or all of them --------------------------------------------------------------

    def _alone(self, late: int, text: str) -> Iterator[str]:
        """Nobody else is known to be needed."""
        end = self._told[late]
        who = self._name_of(end)
        if not any(one.shared and one.move.thread != end.move.thread for one in self._told[:late]):
            yield f"{who} needs nobody else for this: no other thread's change comes before."
        mine = [one for one in self._told[:late] if one.move.thread == end.move.thread]
        seen = [one for one in mine if len(one.op.outcomes) > 1]
        if seen:
            yield f"It comes there by {seen[-1].text}, in {seen[-1].op.function}."
        yield f"{self._holding(who, end.held)} then."
        yield f"Guard not there: what has to be done or undone before {end.op.name}."
        yield f"{who}, in {end.op.function}: {_with_change(end, outcome=False)}: {text}."

    def _stuck(self, text: str, waiting: Sequence[tuple[str, Op]]) -> Iterator[str]:
        holds = {name: self.held_by(thread) for thread, name in enumerate(self.words.world.names)}
        read = self._last_old()
        locks = [op for _, op in waiting if _is_lock(op)]
        around = bool(locks) and sum(bool(holds[name]) for name, _ in waiting) > 1
        for name, op in waiting[: 1 if read is not None and not around else _NAMED]:
            yield f"{name}, in {op.function}, waits at {op.name}{_holds(holds[name])}."
        if around:
            yield "Guard not there: one order in which all of them take these, or a trylock that gives up."
        elif read is not None:
            yield from self._missed(read)
        yield f"In the end {text}."

    def _round(self, text: str) -> Iterator[str]:
        end = self._told[-1]
        who = self._name_of(end)
        others = [one for one in self._told if one.move.thread != end.move.thread and one.shared]
        if others:
            key = others[-1]
            yield f"{self._name_of(key)}, in {key.op.function}{_holds(key.held)}: {_with_change(key)}."
        yield f"{who}, in {end.op.function}, comes round again: {end.text}."
        yield f"{self._holding(who, end.held)} there."
        yield "Guard not there: a way out of the round, such as the slow path after a number of attempts."
        yield f"In the end {text}."

    # --- words -----------------------------------------------------------------------------------

    def _name_of(self, told: _Told) -> str:
        return self.words.world.names[told.move.thread]

    def _name(self, section: Section, thread: int, state: Any) -> str:
        """ "mm->mmap_lock", "an RCU section", "a reference (folio 0->refcount)"."""
        place = section.place
        if section.kind in _UNNAMED or place is None:
            return _UNNAMED.get(section.kind, section.kind)
        layout = self.words.world.layout
        index = int(state[layout.thread_base(thread) + layout.registers[place.register]])
        index -= self.words.stale if index >= self.words.stale else 0
        name = self.words.field_name(place.field, index)
        return f"a reference ({name})" if section.kind == REFERENCE else name

    def _holding(self, who: str, held: Sequence[_Held]) -> str:
        return f"{who} holds {_listed(one.name for one in held) or 'nothing'}"


def _strong(op: Op) -> Op:
    """The op of the text that acts on a weak word."""
    is_weak = c.FIRST_WEAK <= op.code <= c.WEAK + c.STORE_REF
    return op.but(code=op.code - c.WEAK) if is_weak else op


def _is_lock(op: Op) -> bool:
    return c.DOWN_READ <= op.code <= c.UNLOCK or c.RANGE_LOCK <= op.code <= c.RANGE_DOWNGRADE


def _holds(held: Sequence[_Held]) -> str:
    return f", holding {_listed(one.name for one in held)}" if held else ""


def _dropped(look: _Told | None, kept: Sequence[_Held]) -> str:
    """What a thread held at its look and gave up before the other came."""
    if look is None:
        return ""
    gone = [one.name for one in look.held if one not in kept]
    return f"It gives up {_listed(gone)}; then " if gone else ""


def _with_change(told: _Told, outcome: bool = True) -> str:
    """The primitive, and the first thing that it changed."""
    text = told.text if outcome else f"{told.op.name} (step {told.step})"
    changes = [change for change in told.changes if not change.startswith(told.op.name)]
    return f"{text}, {changes[0]}" if changes else text


def _listed(names: Iterable[str]) -> str:
    """ "a, b and c"."""
    found = list(dict.fromkeys(names))
    if len(found) > _NAMED:
        found = [*found[:_NAMED], "more"]
    return " and ".join(filter(None, [", ".join(found[:-1]), *found[-1:]]))
