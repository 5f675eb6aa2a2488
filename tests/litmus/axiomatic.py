"""LKMM by its axioms: every candidate execution of a litmus test, and which of them the model allows.

A second opinion, written from the model's definition in the kernel (``tools/memory-model/linux-kernel.cat``,
v6.12) and from nothing of spfvar's: events, reads-from and coherence order, relations, axioms.  Names are the
model's own.  Small tests only: all is enumerated.

* SRCU sections are matched by nesting, as in v6.1, not by the index that the unlock is given.
* A failed ``cmpxchg()`` is a load without order (newer herd7 lets smp_mb__after_atomic() order it).
* Plain accesses are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from spfvar.litmus.ast import FinalRegister, FinalWord, Test, Verdict, terms
from tests.litmus.candidates import INITIAL, Execution, Finals, Ways, executions, holds
from tests.litmus.relations import (
    Relation,
    acyclic,
    between,
    both,
    chain,
    empty,
    identity,
    inverse,
    irreflexive,
    maybe,
    minus,
    of_pairs,
    star,
    union,
)
from tests.litmus.traces import Reads, Trace, Value

#: Whether a memory model allows an execution.
Model = Callable[[Execution], bool]
State = tuple[Value, ...]


def verdict(test: Test, model: Model | None = None) -> Verdict | None:
    """Whether executions that the model (LKMM) allows satisfy the test's clause; None if it allows none at all."""
    found: set[bool] = set()

    def worth(ways: tuple[Trace, ...], finals: Finals | None) -> bool:
        answer = holds(test.clause, ways, finals)
        return answer is None or answer not in found

    for execution in executions(test, worth):
        answer = holds(test.clause, execution.ways.traces, execution.finals)
        if answer is not None and answer not in found and (model or lkmm)(execution):
            found.add(answer)
        if len(found) == 2:
            return "sometimes"
    if not found:
        return None
    return "always" if True in found else "never"


def observed(test: Test) -> list[FinalWord | FinalRegister]:
    """The words and registers that the test's clause and locations name, in this order."""
    named = [*terms(test.clause), *test.locations]
    return list(dict.fromkeys(place for place in named if isinstance(place, FinalWord | FinalRegister)))


def states(test: Test, model: Model | None = None) -> frozenset[State]:
    """The values of what is `observed` at the end of every execution that the model (LKMM) allows."""
    places = observed(test)
    found: set[State] = set()

    def state(ways: tuple[Trace, ...], finals: Finals) -> State:
        return tuple(
            finals.get(place.word, 0) if isinstance(place, FinalWord)
            else ways[place.thread].registers.get(place.name, 0)
            for place in places
        )  # fmt: skip

    for execution in executions(
        test, lambda ways, finals: finals is None or state(ways, finals) not in found
    ):
        end = state(execution.ways.traces, execution.finals)
        if end not in found and (model or lkmm)(execution):
            found.add(end)
    return frozenset(found)


def sequential(execution: Execution) -> bool:
    """Sequential consistency: some order of all events explains everything.  Grace periods mean nothing here."""
    rf, co, fr = _communication(execution)
    return acyclic(union(_program_order(execution.ways.thread), rf, co, fr))


def without_load_buffering(execution: Execution) -> bool:
    """What LKMM allows without a cycle of program order and reads-from: no load is satisfied by its own future."""
    rf, _, _ = _communication(execution)
    return acyclic(union(_program_order(execution.ways.thread), rf)) and lkmm(execution)


def _program_order(thread: list[int]) -> Relation:
    every = range(len(thread))
    return of_pairs(len(thread), ((a, b) for a in every for b in every if a < b and thread[a] == thread[b]))


def _communication(execution: Execution) -> tuple[Relation, Relation, Relation]:
    """``rf``, ``co`` and ``fr`` without initial stores: a load from one of these is before each store to the word."""
    events, size = execution.ways.events, len(execution.ways.events)
    rf = of_pairs(size, ((store, load) for load, store in execution.rf.items() if store != INITIAL))
    co = of_pairs(
        size, ((a, b) for order in execution.orders for n, a in enumerate(order) for b in order[n + 1 :])
    )
    first = [load for load, store in execution.rf.items() if store == INITIAL]
    stores = [n for n, event in enumerate(events) if event.kind == "W"]
    from_first = of_pairs(size, ((a, b) for a in first for b in stores if events[a].place == events[b].place))
    return rf, co, union(chain(inverse(rf), co), from_first)


class Fixed(NamedTuple):
    """What program order alone determines; sets are bit masks of events."""

    po: Relation
    internal: Relation
    accesses: int
    addr: Relation
    dep: Relation
    rwdep: Relation
    strong: Relation
    wmb: Relation
    po_rel: Relation
    fence: Relation
    unlocks: int
    locks: int  # the loads of spin_lock()
    after_unlock_lock: Relation  # from what is before such a fence to what is behind


@lru_cache(maxsize=1)
def _fixed(ways: Ways) -> Fixed:
    events, size = ways.events, len(ways.events)
    po = _program_order(ways.thread)

    def which(kind: str, *tags: str) -> int:
        return sum(1 << n for n, e in enumerate(events) if e.kind in kind and (not tags or e.tag in tags))

    def dependency(name: str) -> Relation:
        pairs = []
        base = 0
        for way in ways.traces:
            for number, event in enumerate(way.events):
                reads: Reads = getattr(event, name)
                pairs += [(base + read, base + number) for read in reads]
            base += len(way.events)
        return of_pairs(size, pairs)

    def around(*tags: str) -> Relation:
        mask = which("F", *tags)
        return chain(between(-1, po, mask), po)

    accesses, stores = which("RW"), which("W")
    loads = which("R") & ~which("R", "noreturn")
    changes = sum(1 << n for n, e in enumerate(events) if e.rmw and e.tag != "lock")
    lock_loads, lock_stores, unlocks = which("R", "lock"), which("W", "lock"), which("W", "unlock")
    one = identity(size)

    before_atomic = chain(between(accesses, around("before-atomic"), changes), maybe(po))
    after_atomic = chain(between(accesses, maybe(po), changes), around("after-atomic"))
    after_spinlock = chain(between(accesses, maybe(po), lock_stores), around("after-spinlock"))
    mb = union(around("mb"), before_atomic, after_atomic, after_spinlock)
    gp = chain(between(-1, po, which("F", "sync-rcu", "sync-srcu")), maybe(po))
    strong = union(between(accesses, mb, accesses), gp)
    po_rel = between(accesses, po, which("W", "release", "unlock"))
    acq_po = between(which("R", "acquire", "lock"), po, accesses)
    rmb, wmb = between(loads, around("rmb"), loads), between(stores, around("wmb"), stores)
    addr, data, ctrl = dependency("addr"), dependency("data"), dependency("ctrl")
    dep = union(addr, data)
    return Fixed(
        po=po,
        internal=union(po, inverse(po), one),
        accesses=accesses,
        addr=addr,
        dep=dep,
        rwdep=between(-1, union(dep, ctrl), stores),
        strong=strong,
        wmb=wmb,
        po_rel=po_rel,
        fence=union(strong, po_rel, acq_po, rmb, wmb),
        unlocks=unlocks,
        locks=lock_loads,
        after_unlock_lock=between(-1, around("after-unlock-lock"), accesses),
    )


def lkmm(execution: Execution) -> bool:
    """Whether the kernel's memory model allows an execution, coherent and atomic as it is."""
    fixed = _fixed(execution.ways)
    events, size = execution.ways.events, len(execution.ways.events)
    po, internal = fixed.po, fixed.internal
    rf, co, fr = _communication(execution)
    rfe, rfi = minus(rf, internal), both(rf, internal)
    overwrite = union(co, fr)
    rmw = of_pairs(size, ((n, n + 1) for n, event in enumerate(events) if event.rmw and event.kind == "R"))

    unlock_lock = between(fixed.unlocks, union(po, rf), fixed.locks)
    po_unlock_lock_po = chain(po, unlock_lock, po)
    unlock_fence = chain(
        between(fixed.accesses, po, fixed.unlocks),
        union(rf, po),
        between(fixed.locks, fixed.after_unlock_lock, -1),
    )
    strong = union(fixed.strong, unlock_fence)
    fence = union(fixed.fence, unlock_fence)

    cumulative = chain(maybe(rfe), union(strong, fixed.po_rel))
    cumul_fence = chain(union(cumulative, fixed.wmb, po_unlock_lock_po), star(chain(rf, rmw)))
    prop = chain(maybe(minus(overwrite, internal)), star(cumul_fence), maybe(rfe))
    to_w = union(fixed.rwdep, both(overwrite, internal))
    to_r = union(fixed.addr, chain(fixed.dep, rfi))
    ppo = union(to_r, to_w, fence, both(po_unlock_lock_po, internal))
    hb = union(ppo, rfe, both(minus(prop, identity(size)), internal))
    if not acyclic(hb):
        return False
    hb_star = star(hb)
    pb = chain(prop, strong, hb_star)
    if not acyclic(pb):
        return False
    return _rcu(execution, po, prop, chain(hb_star, star(pb)))


def _rcu(execution: Execution, po: Relation, prop: Relation, hb_pb: Relation) -> bool:
    """The axiom of grace periods; `hb_pb` is ``hb* ; pb*``."""
    events, size = execution.ways.events, len(execution.ways.events)
    periods = [
        n for n, event in enumerate(events) if event.tag in ("sync-rcu", "sync-srcu") and event.kind == "F"
    ]
    if not periods:
        return True
    same = of_pairs(
        size, ((a, b) for a in range(size) for b in range(size) if events[a].place == events[b].place)
    )
    link = chain(maybe(po), hb_pb, prop, po)
    kinds = []
    for flavour, where in (("rcu", None), ("srcu", same)):
        gp = of_pairs(size, ((n, n) for n in periods if events[n].tag == f"sync-{flavour}"))
        sections = inverse(of_pairs(size, _sections(execution, flavour)))
        kinds.append((gp, sections, where))
    order = empty(size)
    while True:
        links = union(link, chain(link, order, link))
        more = union(order, chain(order, link, order))
        for gp, sections, where in kinds:
            pairs = union(chain(gp, links, sections), chain(sections, links, gp))
            more = union(more, gp, pairs if where is None else both(pairs, where))
        if more == order:
            break
        order = more
    rcu_fence = chain(po, order, maybe(po))
    return irreflexive(chain(prop, rcu_fence, hb_pb))


def _sections(execution: Execution, flavour: str) -> Iterator[tuple[int, int]]:
    """Each lock with the unlock that matches it, innermost first."""
    open_locks: dict[tuple[int, Value], list[int]] = {}
    for number, (event, thread) in enumerate(zip(execution.ways.events, execution.ways.thread, strict=True)):
        locks = open_locks.setdefault((thread, event.place), [])
        if event.kind == "F" and event.tag == f"{flavour}-lock":
            locks.append(number)
        elif event.kind == "F" and event.tag == f"{flavour}-unlock" and locks:
            yield locks.pop(), number
