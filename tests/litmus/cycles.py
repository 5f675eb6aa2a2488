"""Critical cycles: litmus tests whose clause no sequentially consistent machine can satisfy.

A cycle goes through threads of one or two accesses.  Between threads it follows the accesses to one word:
a load reads a store (rf), a store overwrites another (co), a store overwrites what a load read (fr).  Within a
thread it goes from one word to the next in program order, through a `Link`: nothing, a fence, a dependency, a
lock, a grace period.  If each thread's accesses happened in program order, and all in one order, the cycle could
not close; whether it can under a weaker model depends on the links.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

from hypothesis import strategies as st

from spfvar.litmus.ast import (
    Address,
    And,
    Binary,
    Clause,
    Equal,
    Expression,
    Fence,
    FenceKind,
    FinalRegister,
    FinalWord,
    If,
    Initial,
    Load,
    Number,
    Parameter,
    RcuLock,
    RcuSync,
    RcuUnlock,
    Register,
    Rmw,
    SpinLock,
    SpinUnlock,
    Statement,
    Store,
    Test,
    Thread,
    Value,
)

Kind = Literal["R", "W"]
Access = Load | Store
Build = Callable[[Access, Access], tuple[Statement, ...]]


@dataclass(frozen=True, repr=False)
class Link:
    """What is between two accesses of a thread: `build` makes the thread's statements of them.

    `kinds` lists the pairs of accesses that it may stand between.
    """

    name: str
    kinds: tuple[str, ...]
    build: Build

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True, repr=False)
class Segment:
    """A thread's part of a cycle: two accesses with a link between, or, with none, one store."""

    first: Kind
    link: Link | None
    last: Kind

    @property
    def name(self) -> str:
        return self.first if self.link is None else f"{self.first}-{self.link.name}-{self.last}"

    def __repr__(self) -> str:
        return self.name


Cycle = tuple[Segment, ...]


# -- Links -----------------------------------------------------------------------------------------------------


def _fence(*kinds: FenceKind) -> Build:
    return lambda first, last: (first, *(Fence(kind) for kind in kinds), last)


def _change(kind: FenceKind, *, fence_first: bool) -> Build:
    """A fence that works together with an atomic change of another word."""
    middle = (Fence(kind), _atomic_inc())
    return lambda first, last: (first, *(middle if fence_first else middle[::-1]), last)


OTHER = Address("other")  # `to_test` gives each thread one of its own


def _atomic_inc() -> Statement:
    return Rmw(None, OTHER, "+", Number(1), "nothing", "once")


def _full_change(first: Access, last: Access) -> tuple[Statement, ...]:
    return first, Rmw(None, OTHER, "+", Number(1), "new", "full"), last


def _acquire(first: Access, last: Access) -> tuple[Statement, ...]:
    assert isinstance(first, Load)
    return replace(first, order="acquire"), last


def _release(first: Access, last: Access) -> tuple[Statement, ...]:
    assert isinstance(last, Store)
    return first, replace(last, order="release")


def _address(first: Access, last: Access) -> tuple[Statement, ...]:
    """`to_test` lets the first load return the address of the second access's word."""
    assert isinstance(first, Load)
    return first, replace(last, address=Register(first.register))


def _data(first: Access, last: Access) -> tuple[Statement, ...]:
    """The value is what it was, plus r ^ r."""
    assert isinstance(first, Load)
    assert isinstance(last, Store)
    nothing = Binary("^", Register(first.register), Register(first.register))
    return first, replace(last, value=Binary("+", last.value, nothing))


def _control(first: Access, last: Access) -> tuple[Statement, ...]:
    """`to_test` puts the value that the cycle needs in the condition."""
    assert isinstance(first, Load)
    return first, If(Register(first.register), (last,))


def _xchg(first: Access, last: Access) -> tuple[Statement, ...]:
    """The first store is an exchange, in full order."""
    assert isinstance(first, Store)
    return Rmw(None, first.address, "xchg", first.value, "old", "full"), last


def _xchg_release(first: Access, last: Access) -> tuple[Statement, ...]:
    assert isinstance(last, Store)
    return first, Rmw(None, last.address, "xchg", last.value, "old", "release")


def _fetch_acquire(first: Access, last: Access) -> tuple[Statement, ...]:
    """The first load is an atomic change that leaves what it reads."""
    assert isinstance(first, Load)
    return Rmw(first.register, first.address, "+", Number(0), "old", "acquire"), last


def _two_locks(*middle: Statement) -> Build:
    return lambda first, last: (
        SpinLock(Address("lock")), first, SpinUnlock(Address("lock")),
        SpinLock(Address("lock2")), *middle, last, SpinUnlock(Address("lock2")),
    )  # fmt: skip


def _one_lock(first: Access, last: Access) -> tuple[Statement, ...]:
    return SpinLock(Address("lock")), first, last, SpinUnlock(Address("lock"))


def _reader(first: Access, last: Access) -> tuple[Statement, ...]:
    return RcuLock(), first, last, RcuUnlock()


ANY = ("RR", "RW", "WR", "WW")
PO = Link("po", ANY, _fence())
MB = Link("mb", ANY, _fence("mb"))
RMB = Link("rmb", ("RR",), _fence("rmb"))
WMB = Link("wmb", ("WW",), _fence("wmb"))
ACQUIRE = Link("acquire", ("RR", "RW"), _acquire)
RELEASE = Link("release", ("RW", "WW"), _release)
ADDRESS = Link("addr", ("RR", "RW"), _address)
DATA = Link("data", ("RW",), _data)
CONTROL = Link("ctrl", ("RR", "RW"), _control)
SYNC = Link("sync", ANY, lambda first, last: (first, RcuSync(), last))
READER = Link("rcu", ANY, _reader)
TWO_LOCKS = Link("locks", ANY, _two_locks())
TWO_LOCKS_MB = Link("locks-mb", ANY, _two_locks(Fence("after-unlock-lock")))
SPINLOCK_MB = Link("spinlock-mb", ANY, _two_locks(Fence("after-spinlock")))
ONE_LOCK = Link("lock", ANY, _one_lock)
BEFORE_ATOMIC = Link("before-atomic", ANY, _change("before-atomic", fence_first=True))
AFTER_ATOMIC = Link("after-atomic", ANY, _change("after-atomic", fence_first=False))
FULL_CHANGE = Link("full-rmw", ANY, _full_change)
XCHG = Link("xchg", ("WR", "WW"), _xchg)
XCHG_RELEASE = Link("xchg-release", ("RW", "WW"), _xchg_release)
FETCH_ACQUIRE = Link("fetch-acquire", ("RR", "RW"), _fetch_acquire)
LINKS = (
    PO, MB, RMB, WMB, ACQUIRE, RELEASE, ADDRESS, DATA, CONTROL, SYNC, READER, TWO_LOCKS, TWO_LOCKS_MB, SPINLOCK_MB,
    ONE_LOCK, BEFORE_ATOMIC, AFTER_ATOMIC, FULL_CHANGE, XCHG, XCHG_RELEASE, FETCH_ACQUIRE,
)  # fmt: skip

# -- Cycles ----------------------------------------------------------------------------------------------------


def segments(links: tuple[Link, ...] = LINKS) -> tuple[Segment, ...]:
    """Every thread that a cycle of these links may have."""
    kinds: tuple[Kind, Kind] = ("R", "W")
    pairs = tuple(
        Segment(first, link, last)
        for first, last in product(kinds, kinds)
        for link in links
        if first + last in link.kinds
    )
    return (Segment("W", None, "W"), *pairs)


def is_cycle(cycle: Cycle) -> bool:
    """Whether the threads fit together and a clause on final values can tell the cycle.

    No load follows a load from one thread to the next; at least two links; at most two stores to a word, or the
    last value would not tell their order; no address as the value of a sum.
    """
    around = list(zip(cycle, cycle[1:] + cycle[:1], strict=True))
    if any(one.last == "R" == other.first for one, other in around):
        return False
    if sum(segment.link is not None for segment in cycle) < 2:
        return False
    for chain in _chains(cycle):
        kinds = [cycle[number].last if end else cycle[number].first for number, end in chain]
        if kinds.count("W") > 2:
            return False
        (number, _), (following, _) = chain[0], chain[-1]
        if cycle[number].link is DATA and cycle[following].link is ADDRESS:
            return False
    return True


def _chains(cycle: Cycle) -> Iterator[list[tuple[int, bool]]]:
    """The accesses to each word in the cycle's order: from a link to the next; (thread, whether it is the last)."""
    linked = [number for number, segment in enumerate(cycle) if segment.link is not None]
    for start, end in zip(linked, linked[1:] + linked[:1], strict=True):
        size = len(cycle)
        singles = [(number % size, True) for number in range(start + 1, end if end > start else end + size)]
        yield [(start, True), *singles, (end, False)]


def cycles(links: tuple[Link, ...] = LINKS, largest: int = 4) -> st.SearchStrategy[Cycle]:
    """Cycles of two to `largest` threads; they shrink to fewer threads and earlier links."""
    segment = st.sampled_from(segments(links))
    return st.lists(segment, min_size=2, max_size=largest).map(tuple).filter(is_cycle)


def every_cycle(size: int, links: tuple[Link, ...]) -> Iterator[Cycle]:
    """Every cycle of `size` threads, each once and not again from another thread on."""
    for cycle in product(segments(links), repeat=size):
        turns = [tuple(s.name for s in cycle[turn:] + cycle[:turn]) for turn in range(size)]
        if turns[0] == min(turns) and is_cycle(cycle):
            yield cycle


def name(cycle: Cycle) -> str:
    """Such as ``W-wmb-W+R-rmb-R``."""
    return "+".join(segment.name for segment in cycle)


def by_name(text: str) -> Cycle:
    """The cycle of that `name`."""
    found = {segment.name: segment for segment in segments()}
    cycle = tuple(found[part] for part in text.split("+"))
    assert is_cycle(cycle), text
    return cycle


def to_test(cycle: Cycle) -> Test:
    """The litmus test of a cycle; its clause says that the cycle closed.

    Stores to a word write 1, and 2 if they are second in the cycle.  If a thread goes on to its other word by the
    address that it reads, the value that the cycle needs is that word's address, all others are addresses of words
    that nothing else uses.
    """
    values: dict[
        tuple[int, bool], tuple[str, int]
    ] = {}  # the word of an access, and what it writes or must read
    initial: list[Initial] = []
    clauses: list[Clause] = []
    target: dict[
        str, tuple[int, str]
    ] = {}  # a word that holds addresses: which value is which word's address
    words = {chain[0]: f"x{number}" for number, chain in enumerate(_chains(cycle))}
    for chain in _chains(cycle):
        word, written = words[chain[0]], 0
        for number, last in chain:
            written += (cycle[number].last if last else cycle[number].first) == "W"
            values[number, last] = (word, written)
        end = chain[-1][0]
        if cycle[end].link is ADDRESS:
            target[word] = (written, words[end, True])
            initial.append(Initial(FinalWord(word), _value(word, 0, target)))
        if written == 2:
            clauses.append(Equal(FinalWord(word), _value(word, 2, target)))
    threads = []
    for number, segment in enumerate(cycle):
        accesses: list[Access] = []
        for last in (False, True) if segment.link is not None else (True,):
            word, index = values[number, last]
            value = _value(word, index, target)
            if (segment.last if last else segment.first) == "W":
                accesses.append(Store(Address(word), value, "once"))
                continue
            register = f"r{int(last)}"
            accesses.append(Load(register, Address(word), "once"))
            clauses.append(Equal(FinalRegister(number, register), value))
        body = segment.link.build(*accesses) if segment.link is not None else tuple(accesses)
        if segment.link is CONTROL:
            body = _with_condition(body, _value(*values[number, False], target))
        own = Address(f"other{number}")
        threads.append(
            _thread(
                tuple(
                    replace(s, address=own) if isinstance(s, Rmw) and s.address == OTHER else s for s in body
                )
            )
        )
    return Test(name(cycle), tuple(initial), tuple(threads), "exists", And(tuple(clauses)))


def _value(word: str, index: int, target: dict[str, tuple[int, str]]) -> Value:
    if word not in target:
        return Number(index)
    wanted, address = target[word]
    return Address(address if index == wanted else f"spare{index}")


def _with_condition(body: tuple[Statement, ...], value: Value) -> tuple[Statement, ...]:
    load, branch = body
    assert isinstance(branch, If)
    return load, replace(branch, condition=Binary("==", branch.condition, value))


def _thread(body: tuple[Statement, ...]) -> Thread:
    """The thread of these statements, with every word that they name as a parameter."""
    found = dict.fromkeys(word for statement in body for word in _words(statement))
    return Thread(
        tuple(Parameter(word, "spinlock_t *" if "lock" in word else "int *") for word in found), body
    )


def _words(statement: Statement) -> Iterator[str]:
    if isinstance(statement, If):
        for inner in statement.then:
            yield from _words(inner)
        return
    parts: list[Expression] = [
        getattr(statement, part, Number(0)) for part in ("address", "value", "operand")
    ]
    while parts:
        part = parts.pop(0)
        if isinstance(part, Address):
            yield part.word
        elif isinstance(part, Binary):
            parts += [part.left, part.right]
