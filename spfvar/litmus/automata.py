"""A litmus test as texts of threads: what the transition function runs is what the test says.

A value that a text has to know, to choose an arm of an ``if`` or to compute with it, is found by comparing
the register with every value that it may have; that is no dependency of the test's.  Dependencies are kept
beside: the registers that a value, an address or the arms of an ``if`` came from.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from spfvar.litmus import ast as a
from spfvar.litmus.cursor import UnsupportedTest
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops import primitives as p
from spfvar.ops.op import Op, Steps
from spfvar.ops.orders import smp_mb, smp_rmb, smp_wmb
from spfvar.ops.places import SPIN_WORDS, Field, Place, Register

#: What the address of the first shared word is as a number; those of the others follow.
FIRST_ADDRESS: Final = 4096
_MOST_VALUES: Final = 40
_BINARY: Final[Mapping[str, Callable[[int, int], int]]] = {
    "||": lambda x, y: int(bool(x or y)), "&&": lambda x, y: int(bool(x and y)), "|": operator.or_,
    "^": operator.xor, "&": operator.and_, "==": lambda x, y: int(x == y), "!=": lambda x, y: int(x != y),
    "<": lambda x, y: int(x < y), "<=": lambda x, y: int(x <= y), ">": lambda x, y: int(x > y),
    ">=": lambda x, y: int(x >= y), "+": operator.add, "-": operator.sub, "*": operator.mul,
}  # fmt: skip
_UNARY: Final[Mapping[str, Callable[[int], int]]] = {
    "-": operator.neg, "!": lambda x: int(not x), "~": operator.invert,
}  # fmt: skip
_RMW: Final = {
    "+": c.RMW_ADD,
    "-": c.RMW_ADD,
    "&": c.RMW_AND,
    "|": c.RMW_OR,
    "^": c.RMW_XOR,
    "xchg": c.RMW_XCHG,
}
_CONSTANT: Final = Register("value")
_LOCKS: Final = (a.SpinLock, a.SpinTrylock, a.SpinUnlock, a.SpinIsLocked)


class Texts:
    """The texts of a test's threads, and where its words and registers are."""

    def __init__(self, test: a.Test) -> None:
        """Raises UnsupportedTest."""
        self.test = test
        self.words = list(test.words)
        statements = [one for thread in test.threads for one in every(thread.body)]
        self.locks = {
            one.address.word
            for one in statements
            if isinstance(one, _LOCKS) and isinstance(one.address, a.Address)
        }
        looks = [one.address for one in statements if isinstance(one, a.SpinIsLocked)]
        self.queried = {address.word for address in looks if isinstance(address, a.Address)}
        self.initial = dict.fromkeys(self.words, 0)
        self.registers: list[dict[str, int]] = [{} for _ in test.threads]
        for start in test.initial:
            if isinstance(start.place, a.FinalWord):
                self.initial[start.place.word] = self.number(start.value)
            else:
                self.registers[start.place.thread][start.place.name] = self.number(start.value)
        self.values = self._values(statements)

    def number(self, value: a.Value) -> int:
        """A value as the state has it.  Raises UnsupportedTest for one that does not fit."""
        if isinstance(value, a.Address):
            return FIRST_ADDRESS + self.words.index(value.word)
        if abs(value.value) >= FIRST_ADDRESS:
            raise UnsupportedTest(f"the number {value.value} is too large")
        return value.value

    def field(self, word: str) -> Field:
        """The field that a shared word is; a lock has another shape."""
        if word in self.locks:
            return Field(o.MM, f"lock {word}", SPIN_WORDS)
        return Field(o.MM, f"word {word}", initial=self.initial[word], weak=True)

    def shadow(self, lock: str) -> Field:
        """The word by which spin_is_locked() sees a lock: 1 while it is held."""
        return Field(o.MM, f"{lock} is locked", weak=True)

    def text(self, number: int) -> Callable[[], Steps]:
        """The text of a thread."""
        return lambda: _Text(self, number).run(self.test.threads[number].body, ())

    def _values(self, statements: Sequence[a.Statement]) -> dict[str, tuple[int, ...]]:
        """Every value that each word may ever have: what is stored to it, and what atomics make of that."""
        found = {word: {start} for word, start in self.initial.items()}
        computed = {value for one in statements for value in map(self.number, constants(one))}
        computed |= {0, 1, *self.initial.values(), *(v for known in self.registers for v in known.values())}
        writers = [one for one in statements if isinstance(one, a.Store | a.Rmw | a.Cmpxchg | a.AddUnless)]
        for one in writers:
            stored = (
                one.value if isinstance(one, a.Store) else one.new if isinstance(one, a.Cmpxchg) else None
            )
            for word in self._targets(one.address) if stored is not None else ():
                found[word] |= {evaluated(stored, {}, self)} if stored and _is_constant(stored) else computed
        for word, values in found.items():
            atomics = [
                one for one in writers
                if isinstance(one, a.Rmw | a.AddUnless) and word in self._targets(one.address)
            ]  # fmt: skip
            for _ in atomics:
                values |= {new for one in atomics for old in tuple(values) for new in self._changed(one, old)}
            if len(values) > _MOST_VALUES:
                raise UnsupportedTest(f"{word} may have more than {_MOST_VALUES} values")
        return {word: tuple(sorted(values)) for word, values in found.items()}

    def _targets(self, address: a.Expression) -> list[str]:
        """The words that an address may be of."""
        return [address.word] if isinstance(address, a.Address) else self.words

    def _changed(self, one: a.Rmw | a.AddUnless, old: int) -> Iterator[int]:
        if not _is_constant(one.operand):
            raise UnsupportedTest("the operand of an atomic is no constant")
        operand = evaluated(one.operand, {}, self)
        sign = one.operator if isinstance(one, a.Rmw) else "+"
        yield operand if sign == "xchg" else _BINARY[sign](old, operand)


def every(statements: Sequence[a.Statement]) -> Iterator[a.Statement]:
    """All statements, those in the arms too."""
    for one in statements:
        yield one
        if isinstance(one, a.If):
            yield from every(one.then)
            yield from every(one.otherwise)


def _parts(thing: object) -> Iterator[object]:
    if isinstance(thing, a.If):
        yield thing.condition
        return
    for name in getattr(thing, "__dataclass_fields__", ()):
        yield getattr(thing, name)


def constants(thing: object) -> Iterator[a.Value]:
    """The numbers and addresses that a statement or an expression mentions."""
    if isinstance(thing, a.Number | a.Address):
        yield thing
        return
    for part in _parts(thing):
        if not isinstance(part, str | int | tuple) and part is not None:
            yield from constants(part)


def registers_in(expression: a.Expression) -> Iterator[str]:
    """The registers that an expression is made of."""
    if isinstance(expression, a.Register):
        yield expression.name
    elif isinstance(expression, a.Unary):
        yield from registers_in(expression.operand)
    elif isinstance(expression, a.Binary):
        yield from registers_in(expression.left)
        yield from registers_in(expression.right)


def _is_constant(expression: a.Expression) -> bool:
    return next(registers_in(expression), None) is None


def evaluated(expression: a.Expression, known: Mapping[str, int], texts: Texts) -> int:
    """The value of an expression."""
    if isinstance(expression, a.Register):
        return known[expression.name]
    if isinstance(expression, a.Unary):
        return _UNARY[expression.operator](evaluated(expression.operand, known, texts))
    if isinstance(expression, a.Binary):
        left, right = (evaluated(one, known, texts) for one in (expression.left, expression.right))
        return _BINARY[expression.operator](left, right)
    return texts.number(expression)


@dataclass(slots=True)
class _Source:
    """Where a register's value came from: the values it may have, and the registers it depends on."""

    values: tuple[int, ...]
    depends: tuple[str, ...]


class _Text:
    """One run of a thread's text: what is known of its registers."""

    def __init__(self, texts: Texts, number: int) -> None:
        self._texts = texts
        self._known = dict(texts.registers[number])
        self._sources: dict[str, _Source] = {}
        self._fresh = 0

    # --- values ----------------------------------------------------------------------------------

    def _value(self, expression: a.Expression) -> Generator[Any, Any, int]:
        for name in registers_in(expression):
            if name in self._known:
                continue
            if name not in self._sources:
                self._known[name] = 0
                continue
            for value in self._sources[name].values:
                yield p.set_register(_CONSTANT, value)
                test = p.registers_equal(Register(name), _CONSTANT)
                if (yield replace(test, order="value", name=f"{name} is {value}")):
                    self._known[name] = value
                    break
            else:
                yield p.bug_on("a value that the reader did not foresee")
                self._known[name] = 0
        return evaluated(expression, self._known, self._texts)

    def _depends(self, *expressions: a.Expression) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for expression in expressions:
            for name in registers_in(expression):
                if name in self._sources:
                    found |= dict.fromkeys(self._sources[name].depends)
        return tuple(found)

    def _write(self, name: str, values: tuple[int, ...], depends: tuple[str, ...] | None = None) -> Register:
        """A register gets a value that nobody knows yet; whatever depended on its former one is cut off."""
        self._known.pop(name, None)
        for source in self._sources.values():
            source.depends = tuple(one for one in source.depends if one != name)
        self._sources[name] = _Source(values, (name,) if depends is None else depends)
        return Register(name)

    def _set(self, name: str, value: int, depends: tuple[str, ...]) -> Steps:
        self._write(name, (), depends)
        self._known[name] = value
        yield p.set_register(Register(name), value)

    def _temporary(self) -> str:
        self._fresh += 1
        return f"old {self._fresh}"

    def _place(self, address: a.Expression) -> Generator[Any, Any, tuple[Place, str]]:
        value = yield from self._value(address)
        index = value - FIRST_ADDRESS
        if not 0 <= index < len(self._texts.words):
            yield p.bug_on("an access through a value that is no address")
            index = 0  # nobody gets here
        word = self._texts.words[index]
        return Place(o.mm, self._texts.field(word)), word

    # --- statements ------------------------------------------------------------------------------

    def run(self, statements: Sequence[a.Statement], control: tuple[str, ...]) -> Steps:
        """The statements' text; ``control``: the registers that the way here was chosen by."""
        for one in statements:
            if isinstance(one, a.If):
                value = yield from self._value(one.condition)
                arms = tuple(dict.fromkeys((*control, *self._depends(one.condition))))
                yield from self.run(one.then if value else one.otherwise, arms)
            else:
                yield from self._one(one, control)

    def _one(self, one: a.Statement, control: tuple[str, ...]) -> Steps:
        if isinstance(one, a.Assign):
            value = yield from self._value(one.value)
            yield from self._set(one.register, value, self._depends(one.value))
        elif isinstance(one, a.Load):
            place, word = yield from self._weak_place(one.address)
            depends = self._depends(one.address)
            into = self._write(one.register, self._texts.values[word])
            order = "acquire" if one.order == "acquire" else ""
            yield _depending(replace(p.load(place, into), order=order, name=f"load of {word}"), depends)
        elif isinstance(one, a.Store):
            place, word = yield from self._weak_place(one.address)
            value = yield from self._value(one.value)
            order = "release" if one.order == "release" else ""
            depends = (*self._depends(one.address, one.value), *control)
            yield _depending(
                replace(p.store(place, value), order=order, name=f"store {value} to {word}"), depends
            )
        elif isinstance(one, a.Rmw | a.Cmpxchg | a.AddUnless):
            yield from self._atomic(one, control)
        elif isinstance(one, a.Fence):
            yield from _fence(one)
        elif isinstance(one, a.SpinLock | a.SpinUnlock | a.SpinTrylock):
            yield from self._lock(one)
        elif isinstance(one, a.SpinIsLocked):
            _, word = yield from self._place(one.address)
            into = self._write(one.register or self._temporary(), (0, 1))
            yield _depending(p.load(Place(o.mm, self._texts.shadow(word)), into), self._depends(one.address))
        elif isinstance(one, a.RcuLock):
            yield p.rcu_read_lock()
        elif isinstance(one, a.RcuUnlock):
            yield p.rcu_read_unlock()
        elif isinstance(one, a.RcuSync):
            yield Op(c.SYNC_START, "synchronize_rcu() starts")
            yield Op(c.SYNC_WAIT, "synchronize_rcu() ends")
        else:
            raise UnsupportedTest(f"{type(one).__name__} has no meaning here")

    def _weak_place(self, address: a.Expression) -> Generator[Any, Any, tuple[Place, str]]:
        place, word = yield from self._place(address)
        if not place.field.weak:
            raise UnsupportedTest(f"the lock {word} is accessed as a word")
        return place, word

    def _lock(self, one: a.SpinLock | a.SpinUnlock | a.SpinTrylock) -> Steps:
        place, word = yield from self._place(one.address)
        if place.field.weak:
            raise UnsupportedTest(f"{word} is a lock by an address that is not its own")
        shadow = Place(o.mm, self._texts.shadow(word))
        taken = True
        if isinstance(one, a.SpinLock):
            yield p.spin_lock(place)
        elif isinstance(one, a.SpinUnlock):
            if word in self._texts.queried:
                yield replace(p.store(shadow, 0), order="release")
            yield p.spin_unlock(place)
            return
        else:
            taken = yield p.spin_trylock(place)
        if taken and word in self._texts.queried:
            yield Op(c.RMW_XCHG, f"{word} is locked", place=shadow, imm=1, order="acquire")
        if isinstance(one, a.SpinTrylock) and one.register is not None:
            yield from self._set(one.register, int(taken), ())

    def _atomic(self, one: a.Rmw | a.Cmpxchg | a.AddUnless, control: tuple[str, ...]) -> Steps:
        place, word = yield from self._weak_place(one.address)
        before = self._texts.values[word]
        direct = isinstance(one, a.Cmpxchg) or (isinstance(one, a.Rmw) and one.returns == "old")
        if isinstance(one, a.Cmpxchg):
            more: dict[str, Any] = {"code": c.RMW_CMPXCHG, "imm": (yield from self._value(one.new))}
            more["imm2"] = yield from self._value(one.expected)
            depends = self._depends(one.address, one.new, one.expected)
        else:
            operand = yield from self._value(one.operand)
            depends = self._depends(one.address, one.operand)
            if isinstance(one, a.Rmw):
                more = {"code": _RMW[one.operator], "imm": -operand if one.operator == "-" else operand}
            else:
                more = {
                    "code": c.RMW_ADD_UNLESS,
                    "imm": operand,
                    "imm2": (yield from self._value(one.unless)),
                }
        quiet = isinstance(one, a.Rmw) and one.returns == "nothing"
        order = "full" if isinstance(one, a.AddUnless) else "" if one.order == "once" else one.order
        name = (one.register if direct and one.register else None) or self._temporary()
        into = None if quiet else self._write(name, before)
        op = Op(
            name=f"{type(one).__name__.lower()}({word})", place=place, dst=into,
            order="quiet" if quiet else order, **more,
        )  # fmt: skip
        yield _depending(op, (*depends, *control))
        if not direct and not quiet and one.register is not None:
            old = yield from self._value(a.Register(name))
            if isinstance(one, a.AddUnless):
                result = int(old != more["imm2"])
            else:
                assert isinstance(one, a.Rmw)
                result = operand if one.operator == "xchg" else _BINARY[one.operator](old, operand)
            yield from self._set(one.register, result, (name,))


def _fence(one: a.Fence) -> Steps:
    if one.kind == "rmb":
        yield smp_rmb()
    elif one.kind == "wmb":
        yield smp_wmb()
    elif one.kind != "barrier":
        yield smp_mb()


def _depending(op: Op, depends: Sequence[str]) -> Op:
    """The op with the first registers that it depends on; one that is left out makes the model weaker."""
    slots = ("src", "src2", "src3")
    names = list(dict.fromkeys(depends))[: len(slots)]
    more: dict[str, Any] = {slot: Register(name) for slot, name in zip(slots, names, strict=False)}
    return replace(op, **more)
