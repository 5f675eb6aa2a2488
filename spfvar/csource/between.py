"""Two trees beside each other: which texts a new release touches, and how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from spfvar.csource.audit import Tree
from spfvar.csource.machine import Machine
from spfvar.csource.nfa import Comparison, Gap
from spfvar.csource.parse import CFunction, squeezed
from spfvar.csource.units import Unit, Units, units_for
from spfvar.csource.words import Words, words_for
from spfvar.errors import InputError

How = Literal["gone", "new", "letters", "source"]


@dataclass(frozen=True, slots=True)
class Touched:
    """A function that a text is compared with, and what became of it.

    ``how``: it is "gone", it is "new", its "letters" are others, or its "source" alone is.  ``changed``:
    functions that were read for it and are written otherwise.  ``gaps``: letters that one tree has and the
    other lacks.  ``calls``: calls without a word that only the second tree has.
    """

    unit: Unit
    how: How
    changed: tuple[str, ...]
    gaps: tuple[Gap, ...]
    calls: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """One entry of the JSON list."""
        return {
            "function": self.unit.c,
            "hook": self.unit.text,
            "how": self.how,
            "changed": list(self.changed),
            "letters": [
                {
                    "only_in": "first" if gap.left else "second",
                    "letters": [edge.letter for edge in gap.word],
                    "at": gap.word[-1].where,
                }
                for gap in self.gaps
            ],
            "calls": list(self.calls),
        }


@dataclass(frozen=True, slots=True)
class Between:
    """What two trees differ in, as far as texts are concerned.

    ``compared``: how many functions at least one of them has; ``unread``: functions of which a part could not
    be read as C, and where they are.
    """

    kernel: str
    first: str
    second: str
    compared: int
    touched: tuple[Touched, ...]
    unread: dict[str, str] = field(default_factory=dict, compare=False)


def between(
    first: str | Path,
    second: str | Path,
    kernel: str,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> Between:
    """Compare the functions of two trees, in the words of one release line.  Raises InputError."""
    words, units = words_for(kernel), units_for(kernel)
    trees = tuple(Tree(root, words, units, key="--between") for root in (first, second))
    there = [unit for unit in units.unit if any(tree.function(unit.c) is not None for tree in trees)]
    if not there:
        raise InputError(
            "none of the functions that texts are compared with",
            file=f"{first}, {second}",
            key="--between",
            expected=f"{units.unit[0].c} and others in {', '.join(units.files)}",
        )
    touched, unread = [], dict[str, str]()
    for number, unit in enumerate(there):
        told(number, len(there))
        one = _touched(unit, trees, words, units, unread)
        if one is not None:
            touched.append(one)
    told(len(there), len(there))
    return Between(kernel, str(first), str(second), len(there), tuple(touched), unread)


def _touched(
    unit: Unit, trees: tuple[Tree, ...], words: Words, units: Units, unread: dict[str, str]
) -> Touched | None:
    """What became of a function, if anything did; ``unread`` gets what of it could not be read."""
    before, after = (tree.function(unit.c) for tree in trees)
    if before is None or after is None:
        return Touched(unit, "new" if before is None else "gone", (), (), ())
    machines = [_machine(unit, tree, words, units) for tree in trees]
    graphs = [machine.nfa(function) for machine, function in zip(machines, (before, after), strict=True)]
    for tree, machine in zip(trees, machines, strict=True):
        for name, where in machine.unread.items():
            unread.setdefault(name, f"{tree.root}/{where}")
    read = [machine.entered for machine in machines]
    changed = tuple(
        sorted(
            name for name in {*read[0], *read[1]} if _source(read[0].get(name)) != _source(read[1].get(name))
        )
    )
    gaps = tuple(gap for gap in Comparison(*graphs).gaps() if not gap.behind)
    calls = tuple(sorted(machines[1].unknown.keys() - machines[0].unknown.keys()))
    if not changed and not gaps:
        return None
    return Touched(unit, "letters" if gaps else "source", changed, gaps, calls)


def _machine(unit: Unit, tree: Tree, words: Words, units: Units) -> Machine:
    inline = frozenset(units.inline)

    def find(name: str) -> CFunction | None:
        name = units.aliases.get(name, name)
        return tree.function(name) if name in inline else None

    # Of writers, what is excepted is no path: their errors alone would be more than a graph holds.
    exceptions = [one for one in units.exemptions if unit.vmas and one.kind != "text"]
    return Machine(words.with_hooks(units.steps), find, exceptions, unit.vmas)


def _source(function: CFunction | None) -> str | None:
    if function is None:
        return None
    return squeezed(function.source[function.body.start_byte : function.body.end_byte].decode())
