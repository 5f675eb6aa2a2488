"""What is known of a function's graph before anybody follows it: which facts matter, what is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from spfvar.csource.flow import Assign, Graph, GraphNode, Return, Run, Test, successors
from spfvar.csource.words import Words

#: A variable of which some flags are asked, and one that gets some more.
MASKED: Final = re.compile(r"(\w+) & \(?(VM_FAULT_\w+(?: ?\| ?VM_FAULT_\w+)*)\)?")
#: A pointer, or a number, that may be an error; one that is compared with a constant.
IS_ERROR: Final = re.compile(r"IS_ERR\((\w+)\)|(\w+) < 0")
EQUAL: Final = re.compile(r"(\w+) == (\d+|-E[A-Z]+)")
ADDED: Final = re.compile(r"(\w+) \|= (VM_FAULT_\w+(?: ?\| ?VM_FAULT_\w+)*)")


@dataclass(frozen=True)
class Prepared:
    """A function's graph, which facts matter from each node on, and which variables it writes.

    ``back``: steps that lead to where a loop begins.
    """

    graph: Graph
    live: tuple[frozenset[str], ...]
    locks: Mapping[str, str]
    written: frozenset[str]
    back: frozenset[tuple[int, int]]


def prepare(graph: Graph, words: Words) -> Prepared:
    """What is known of a graph."""
    return Prepared(graph, _live(graph), _locks(graph, words), _written_in(graph), _back(graph))


def _locks(graph: Graph, words: Words) -> dict[str, str]:
    """Variables that hold a lock, by the call that gave it: its class."""
    makers = words.table.lock_makers
    return {
        node.into: makers[node.call.name]
        for node in graph.nodes
        if isinstance(node, Run) and node.into and node.call.name in makers
    }


def _written_in(graph: Graph) -> frozenset[str]:
    """What is written anywhere in a function, or given away to be written."""
    found = {node.into for node in graph.nodes if isinstance(node, Assign | Run)}
    for node in graph.nodes:
        call = node.call if isinstance(node, Run | Test) else None
        found.update(arg[1:] for arg in (call.args if call is not None else ()) if arg.startswith("&"))
    return frozenset(found)


def _back(graph: Graph) -> frozenset[tuple[int, int]]:
    """The steps that lead back to a node that is on the way to where they begin."""
    found, seen, way = set(), {graph.entry}, {graph.entry}
    ahead = [(graph.entry, iter(successors(graph.nodes[graph.entry])))]
    while ahead:
        number, further = ahead[-1]
        to = next(further, None)
        if to is None:
            way.remove(number)
            ahead.pop()
        elif to in way:
            found.add((number, to))
        elif to not in seen:
            seen.add(to)
            way.add(to)
            ahead.append((to, iter(successors(graph.nodes[to]))))
    return frozenset(found)


def _live(graph: Graph) -> tuple[frozenset[str], ...]:
    """Which facts somebody may still ask for, from each node on."""
    tested = {node.text for node in graph.nodes if isinstance(node, Test)} & set(graph.function.parameters)
    uses = [_uses(node) | (tested if isinstance(node, Return) else set()) for node in graph.nodes]
    live = [set(used) for used in uses]
    before: list[list[int]] = [[] for _ in graph.nodes]
    for number, node in enumerate(graph.nodes):
        for to in successors(node):
            before[to].append(number)
    ahead = list(range(len(graph.nodes)))
    while ahead:
        number = ahead.pop()
        for earlier in before[number]:
            node = graph.nodes[earlier]
            killed = node.into if isinstance(node, Assign | Run) else ""
            more = {text for text in live[number] if text != killed} - live[earlier]
            if more:
                live[earlier] |= more
                ahead.append(earlier)
    return tuple(frozenset(texts) for texts in live)


def _uses(node: GraphNode) -> set[str]:
    """The texts whose value a node asks for."""
    found: set[str] = set()
    if isinstance(node, Test):
        found.add(node.text)
        error, equal = IS_ERROR.fullmatch(node.text), EQUAL.fullmatch(node.text)
        found.update(name for asked in (error, equal) if asked is not None for name in asked.groups() if name)
        masked = MASKED.fullmatch(node.text)
        if masked is not None:
            found.add(masked[1])
    elif isinstance(node, Return | Assign) and node.value is not None:
        found.add(node.value)
        more = ADDED.fullmatch(node.value)
        if more is not None:
            found.add(more[1])
    call = node.call if isinstance(node, Run | Test) else None
    if call is not None:
        found |= set(call.args)
    return found
