"""What a thread of a litmus test may do by itself: its events, if its loads return any value that some store may write.

Only marked accesses: a test with plain ones is refused, as LKMM's rules for them are not here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from spfvar.litmus.ast import (
    Address,
    AddUnless,
    Assign,
    Binary,
    Cmpxchg,
    Expression,
    Fence,
    FinalRegister,
    FinalWord,
    If,
    Load,
    Number,
    RcuLock,
    RcuSync,
    RcuUnlock,
    Register,
    Rmw,
    RmwOrder,
    SpinIsLocked,
    SpinLock,
    SpinTrylock,
    SpinUnlock,
    SrcuLock,
    SrcuSync,
    SrcuUnlock,
    Statement,
    Store,
    Test,
    Unary,
)

#: A number, or the address of a word.
Value = int | str
Values = dict[Value, set[Value]]
Reads = frozenset[int]


class RefusedError(Exception):
    """The enumerator has no rule for something in the test."""


@dataclass(frozen=True)
class Event:
    """A load, a store or a fence; dependencies are places of loads in the same thread.

    `tag` is the order of an access ("once", "acquire", "release", "noreturn"), "lock" or "unlock" for the
    accesses of a spinlock, the kind of a fence.  `rmw` marks the load and the store of one atomic change, the
    store right behind the load.
    """

    kind: Literal["R", "W", "F"]
    tag: str
    place: Value = 0
    value: Value = 0
    rmw: bool = False
    addr: Reads = frozenset()
    data: Reads = frozenset()
    ctrl: Reads = frozenset()


@dataclass(frozen=True)
class Trace:
    """One way through a thread: its events in program order, and its registers at the end."""

    events: tuple[Event, ...] = ()
    registers: dict[str, Value] = field(default_factory=dict)
    sources: dict[str, Reads] = field(default_factory=dict)  # the loads that a register's value comes from

    @cached_property
    def read(self) -> frozenset[tuple[Value, Value]]:
        """The places that its loads read, each with the value."""
        return frozenset((event.place, event.value) for event in self.events if event.kind == "R")

    @cached_property
    def written(self) -> frozenset[tuple[Value, Value]]:
        """The places that its stores write, each with the value."""
        return frozenset((event.place, event.value) for event in self.events if event.kind == "W")

    def with_event(self, event: Event) -> Trace:
        return replace(self, events=(*self.events, event))

    def with_register(self, name: str | None, value: Value, sources: Reads) -> Trace:
        if name is None:
            return self
        registers, origins = {**self.registers, name: value}, {**self.sources, name: sources}
        return Trace(self.events, registers, origins)


def initial_values(test: Test) -> dict[Value, Value]:
    """What words hold at the beginning, if not 0."""
    return {i.place.word: _constant(i.value) for i in test.initial if isinstance(i.place, FinalWord)}


def traces(test: Test) -> list[list[Trace]]:
    """The ways through each thread, for all values that any store of any thread may write.

    A value may come from a chain of stores, each made from the one before; the longest chain that an
    execution can have has each store once.
    """
    start = initial_values(test)
    values: Values = {word: {start.get(word, 0)} for word in test.words}
    found: list[list[Trace]] = []
    longest = 0
    rounds = 0
    while rounds <= longest:
        found = [
            list(_run(_start(test, n), _pairs(t.body, frozenset()), values))
            for n, t in enumerate(test.threads)
        ]
        longest = sum(
            max(sum(e.kind == "W" for e in trace.events) for trace in ways) for ways in found if ways
        )
        before = sum(map(len, values.values()))
        for ways in found:
            for trace in ways:
                for event in trace.events:
                    if event.kind == "W":
                        values.setdefault(event.place, {0}).add(event.value)
        rounds += 1
        if sum(map(len, values.values())) == before:
            break
    return found


def _start(test: Test, number: int) -> Trace:
    registers: dict[str, Value] = {
        i.place.name: _constant(i.value)
        for i in test.initial
        if isinstance(i.place, FinalRegister) and i.place.thread == number
    }
    return Trace(registers=registers)


def _constant(value: Expression) -> Value:
    assert isinstance(value, Number | Address)
    return value.value if isinstance(value, Number) else value.word


Rest = tuple[tuple[Statement, Reads], ...]


def _pairs(statements: tuple[Statement, ...], ctrl: Reads) -> Rest:
    return tuple((statement, ctrl) for statement in statements)


def _run(trace: Trace, rest: Rest, values: Values) -> Iterator[Trace]:
    """All ways on from here."""
    if not rest:
        yield trace
        return
    (statement, ctrl), rest = rest[0], rest[1:]
    if isinstance(statement, If):
        condition, sources = evaluate(statement.condition, trace)
        arm = statement.otherwise if condition == 0 else statement.then
        yield from _run(trace, _pairs(arm, ctrl | sources) + rest, values)
        return
    for after in _step(statement, trace, ctrl, values):
        yield from _run(after, rest, values)


def _step(statement: Statement, trace: Trace, ctrl: Reads, values: Values) -> Iterator[Trace]:
    """The ways through one statement: one for each value that its load may return."""
    if isinstance(statement, Assign):
        yield trace.with_register(statement.register, *evaluate(statement.value, trace))
        return
    tag = _FENCES.get(type(statement)) or (statement.kind if isinstance(statement, Fence) else None)
    if tag is not None:
        place = getattr(statement, "address", Number(0))
        yield _srcu(statement, trace.with_event(Event("F", tag, evaluate(place, trace)[0], ctrl=ctrl)))
        return
    address: Expression = getattr(statement, "address")  # noqa: B009 - every statement that is left has one
    place, addr = evaluate(address, trace)
    base = Event("R", "once", place, addr=addr, ctrl=ctrl)
    if isinstance(statement, Store | SpinUnlock):
        yield _store(statement, trace, base)
        return
    for value in sorted(values.get(place, {0}), key=str):
        after = _load(statement, trace, replace(base, value=value))
        if after is not None:
            yield after


_FENCES: dict[type[Statement], str] = {
    RcuLock: "rcu-lock", RcuUnlock: "rcu-unlock", RcuSync: "sync-rcu",
    SrcuLock: "srcu-lock", SrcuUnlock: "srcu-unlock", SrcuSync: "sync-srcu",
}  # fmt: skip


def _srcu(statement: Statement, trace: Trace) -> Trace:
    return (
        trace.with_register(statement.register, 0, frozenset()) if isinstance(statement, SrcuLock) else trace
    )


def _store(statement: Store | SpinUnlock, trace: Trace, base: Event) -> Trace:
    if isinstance(statement, SpinUnlock):
        return trace.with_event(replace(base, kind="W", tag="unlock", value=0))
    if statement.order == "plain":
        raise RefusedError("a plain store")
    value, data = evaluate(statement.value, trace)
    return trace.with_event(replace(base, kind="W", tag=statement.order, value=value, data=data))


def _load(statement: Statement, trace: Trace, read: Event) -> Trace | None:
    """The way on if the statement's load returns `read.value`; None if it cannot."""
    here = frozenset({len(trace.events)})
    old = read.value
    match statement:
        case Load(register, _, order):
            if order == "plain":
                raise RefusedError("a plain load")
            return trace.with_event(replace(read, tag=order)).with_register(register, old, here)
        case SpinIsLocked(register, _):
            return trace.with_event(read).with_register(register, old, here)
        case SpinLock() | SpinTrylock():
            if old != 0:
                if isinstance(statement, SpinLock):
                    return None
                return trace.with_event(read).with_register(statement.register, 0, here)
            lock = trace.with_event(replace(read, tag="lock", rmw=True))
            lock = lock.with_event(replace(read, kind="W", tag="lock", value=1, rmw=True))
            return lock.with_register(getattr(statement, "register", None), 1, here)
        case Cmpxchg(register, _, expected, new, order):
            wanted, sources = evaluate(expected, trace)
            if wanted != old:
                return trace.with_event(read).with_register(register, old, here)
            value, data = evaluate(new, trace)
            return _change(trace, read, order, value, data, sources).with_register(
                register, old, _last(trace, order)
            )
        case AddUnless(register, _, operand, unless):
            wanted, sources = evaluate(unless, trace)
            if wanted == old:
                return trace.with_event(read).with_register(register, 0, here)
            added, data = evaluate(operand, trace)
            change = _change(trace, read, "full", _binary("+", old, added), data, sources, own=True)
            return change.with_register(register, 1, _last(trace, "full"))
        case Rmw(register, _, operator, operand, returns, order):
            other, data = evaluate(operand, trace)
            value = other if operator == "xchg" else _binary(operator, old, other)
            if returns == "nothing":
                read = replace(read, tag="noreturn")
            change = _change(trace, read, order, value, data, frozenset(), own=operator != "xchg")
            return change.with_register(register, value if returns == "new" else old, _last(trace, order))
        case _:
            raise RefusedError(type(statement).__name__)


def _change(
    trace: Trace, read: Event, order: RmwOrder, value: Value, data: Reads, ctrl: Reads, *, own: bool = False
) -> Trace:
    """A load and the store right behind it, between full fences if in full order; `own`: made from what was read."""
    fence = Event("F", "mb", ctrl=read.ctrl)
    if order == "full":
        trace = trace.with_event(fence)
    place = len(trace.events)
    tag = read.tag if read.tag == "noreturn" else ("acquire" if order == "acquire" else "once")
    trace = trace.with_event(replace(read, tag=tag, rmw=True))
    data |= {place} if own else frozenset()
    tag = "release" if order == "release" else "once"
    store = replace(read, kind="W", tag=tag, value=value, rmw=True, data=data, ctrl=read.ctrl | ctrl)
    trace = trace.with_event(store)
    return trace.with_event(fence) if order == "full" else trace


def _last(trace: Trace, order: RmwOrder) -> Reads:
    """The place of the load that `_change` is going to add."""
    return frozenset({len(trace.events) + (order == "full")})


# -- Expressions -----------------------------------------------------------------------------------------------


def evaluate(expression: Expression, trace: Trace) -> tuple[Value, Reads]:
    """The value, and the loads that it is made from (`r ^ r` too: LKMM leaves the dependency)."""
    match expression:
        case Number(number):
            return number, frozenset()
        case Address(word):
            return word, frozenset()
        case Register(name):
            return trace.registers.get(name, 0), trace.sources.get(name, frozenset())
        case Unary(operator, operand):
            value, sources = evaluate(operand, trace)
            if operator == "!":
                return int(value == 0), sources
            if isinstance(value, str):
                raise RefusedError("arithmetic with an address")
            return (-value if operator == "-" else ~value), sources
        case Binary(operator, left, right):
            (one, first), (two, second) = evaluate(left, trace), evaluate(right, trace)
            return _binary(operator, one, two), first | second


def _binary(operator: str, left: Value, right: Value) -> Value:
    match operator:
        case "==":
            return int(left == right)
        case "!=":
            return int(left != right)
        case "&&":
            return int(left != 0 and right != 0)
        case "||":
            return int(left != 0 or right != 0)
    if isinstance(left, str) or isinstance(right, str):
        return _with_address(operator, left, right)
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "&":
            return left & right
        case "|":
            return left | right
        case "^":
            return left ^ right
        case "<":
            return int(left < right)
        case "<=":
            return int(left <= right)
        case ">":
            return int(left > right)
        case _:
            return int(left >= right)


def _with_address(operator: str, left: Value, right: Value) -> Value:
    """What generated tests do with addresses: false dependencies that leave them as they are."""
    if operator in ("^", "-") and left == right:
        return 0
    if operator in ("&", "*") and 0 in (left, right):
        return 0
    if operator in ("+", "-", "|", "^") and right == 0:
        return left
    if operator in ("+", "|", "^") and left == 0:
        return right
    raise RefusedError("arithmetic with an address")
