"""An automaton as Graphviz text: a node per primitive, an edge per outcome, a cluster per function."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator

from spfvar.automata.automaton import Automaton
from spfvar.automata.outline import automaton_steps
from spfvar.mm.vmf import spell


def quoted(text: str) -> str:
    """A DOT string: quotes and backslashes escaped, line breaks as Graphviz writes them."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def dot(automaton: Automaton, title: str, spell_outcome: Callable[[Hashable], str] = spell) -> str:
    """The whole automaton as a digraph.  The entry has a double frame, an end a rounded one."""
    return "\n".join(_lines(automaton, title, spell_outcome)) + "\n"


def _lines(automaton: Automaton, title: str, spell_outcome: Callable[[Hashable], str]) -> Iterator[str]:
    steps = automaton_steps(automaton, spell_outcome)
    yield f"digraph {quoted(automaton.name)} {{"
    yield f"  label={quoted(title)};"
    yield "  labelloc=t;"
    yield '  node [shape=box, fontname="monospace"];'
    yield '  edge [fontname="monospace"];'
    functions: dict[str, list[int]] = {}
    for number, node in enumerate(automaton.nodes):
        functions.setdefault(node.op.function, []).append(number)
    for cluster, (function, numbers) in enumerate(functions.items()):
        if function:
            yield f"  subgraph cluster_{cluster} {{"
            yield f"    label={quoted(f'{function}()')};"
        for number in numbers:
            form = "" if steps[number].branches else ", style=rounded"
            form += ", peripheries=2" if number == 0 else ""
            yield f"    n{number} [label={quoted(steps[number].text)}{form}];"
        if function:
            yield "  }"
    for number, step in enumerate(steps):
        merged: dict[int, list[str]] = {}
        for name, target in step.branches:
            merged.setdefault(target, []).append(name)
        for target, names in merged.items():
            label = ", ".join(name for name in names if name)
            yield f"  n{number} -> n{target}" + (f" [label={quoted(label)}]" if label else "") + ";"
    yield "}"
