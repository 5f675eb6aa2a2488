"""Candidate executions of a litmus test: ways through its threads, reads-from and coherence order.

Every word's orders are coherent (no cycle of ``po-loc | rf | co | fr``) and atomic; what else a memory model asks
is in `tests.litmus.axiomatic`.  A spinlock is a word that its lock changes from 0 to 1 atomically; a lock that is
never free again leaves executions without an end, and they do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

from spfvar.litmus.ast import (
    Address,
    And,
    Clause,
    Equal,
    FinalRegister,
    FinalWord,
    Not,
    Number,
    Or,
    Term,
    Test,
)
from tests.litmus.traces import Event, Trace, Value, initial_values, traces

INITIAL = -1  # the store that gave a word its initial value

Finals = dict[Value, Value]
Order = tuple[int, ...]  # the stores to a word, oldest first


@dataclass(frozen=True, eq=False)
class Ways:
    """One way through each thread: the events of all, numbered one thread after the other, and their threads."""

    traces: tuple[Trace, ...]
    events: list[Event]
    thread: list[int]


@dataclass(frozen=True, eq=False)
class Execution:
    """Ways through the threads, where loads read from, coherence orders, and what words hold at the end."""

    ways: Ways
    rf: dict[int, int]
    orders: list[Order]
    finals: Finals


def executions(test: Test, worth: Callable[[tuple[Trace, ...], Finals | None], bool]) -> Iterator[Execution]:
    """Every candidate that the filter lets through and that is `worth` a look.

    `worth` is asked about each way through the threads first, with None for the final values of words.
    """
    start = initial_values(test)
    found = traces(test)
    known = {event.place for ways in found for trace in ways for event in trace.events}
    initial = {(place, start.get(place, 0)) for place in known}
    for chosen in product(*found):
        if not worth(chosen, None) or (test.filter is not None and holds(test.filter, chosen, None) is False):
            continue
        written = initial.union(*(trace.written for trace in chosen))
        if not all(trace.read <= written for trace in chosen):
            continue
        events = [event for trace in chosen for event in trace.events]
        thread = [number for number, trace in enumerate(chosen) for _ in trace.events]
        ways = Ways(chosen, events, thread)
        places = list(dict.fromkeys(event.place for event in events if event.kind != "F"))
        choices = [list(_orders(ways, place, start.get(place, 0))) for place in places]
        for choice in product(*choices):
            finals = dict(start)
            finals.update((events[order[-1]].place, events[order[-1]].value) for _, order in choice if order)
            if test.filter is not None and not holds(test.filter, chosen, finals):
                continue
            if worth(chosen, finals):
                rf = {load: store for reads, _ in choice for load, store in reads.items()}
                yield Execution(ways, rf, [order for _, order in choice], finals)


def holds(clause: Clause, ways: tuple[Trace, ...], finals: Finals | None) -> bool | None:
    """The clause's value at the end; with `finals` None, None if it depends on what words hold."""
    match clause:
        case Equal(left, right):
            one, two = _term(left, ways, finals), _term(right, ways, finals)
            return None if one is None or two is None else one == two
        case Not(inner):
            value = holds(inner, ways, finals)
            return None if value is None else not value
        case And(clauses):
            values = [holds(inner, ways, finals) for inner in clauses]
            return False if False in values else (None if None in values else True)
        case Or(clauses):
            values = [holds(inner, ways, finals) for inner in clauses]
            return True if True in values else (None if None in values else False)


def _term(term: Term, ways: tuple[Trace, ...], finals: Finals | None) -> Value | None:
    match term:
        case Number(value):
            return value
        case Address(word):
            return word
        case FinalRegister(thread, name):
            return ways[thread].registers.get(name, 0)
        case FinalWord(word):
            return None if finals is None else finals.get(word, 0)


def _orders(ways: Ways, place: Value, initial: Value) -> Iterator[tuple[dict[int, int], Order]]:
    """Each reads-from and coherence order of one word that is coherent and atomic."""
    events, thread = ways.events, ways.thread
    here = [index for index, event in enumerate(events) if event.kind != "F" and event.place == place]
    stores = [index for index in here if events[index].kind == "W"]
    loads = [index for index in here if events[index].kind == "R" and not events[index].rmw]
    sources = []
    for load in loads:
        fit = [
            s
            for s in stores
            if events[s].value == events[load].value and (thread[s] != thread[load] or s < load)
        ]
        sources.append(fit + [INITIAL] * (initial == events[load].value))
    if not all(sources):
        return
    queues: dict[int, Order] = {}
    for store in stores:
        queues[thread[store]] = (*queues.get(thread[store], ()), store)
    for order in _merges(events, list(queues.values()), initial):
        when = {INITIAL: -1} | {store: position for position, store in enumerate(order)}
        before = dict(zip(order, (INITIAL, *order), strict=False))
        changes = {store - 1: before[store] for store in order if events[store].rmw}
        for choice in product(*sources):
            rf = dict(zip(loads, choice, strict=True)) | changes
            if _coherent(ways, here, when, rf):
                yield rf, order


def _merges(events: list[Event], queues: list[Order], value: Value) -> Iterator[Order]:
    """Every order of all stores in which threads keep theirs, and an atomic change finds the value that it read."""
    if not queues:
        yield ()
    for number, (store, *rest) in enumerate(queues):
        if events[store].rmw and events[store - 1].value != value:
            continue
        others = [*queues[:number], *([tuple(rest)] if rest else []), *queues[number + 1 :]]
        for order in _merges(events, others, events[store].value):
            yield (store, *order)


def _coherent(ways: Ways, here: list[int], when: dict[int, int], rf: dict[int, int]) -> bool:
    """Whether `po-loc | rf | co | fr` of one word has no cycle."""
    events, thread = ways.events, ways.thread
    for first, second in ((a, b) for a in here for b in here if a < b and thread[a] == thread[b]):
        before = when[rf[first]] if events[first].kind == "R" else when[first]
        after = when[rf[second]] if events[second].kind == "R" else when[second]
        if after < before or (after == before and events[second].kind == "W"):
            return False
    return True
