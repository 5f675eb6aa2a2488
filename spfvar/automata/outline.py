"""An automaton, or one function of it, as an outline to read: indented branches, labels where paths meet.

rcu_read_lock()
mmap_seq_read_check()
  yes:
    ret = filemap_fault()
    rcu_read_unlock()
    return ret
  no:
    count(spf_abort_fault)
    rcu_read_unlock()
    return RETRY
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from enum import Flag

from spfvar.automata.automaton import Automaton
from spfvar.ops.codes import END

#: A path of at most this many lines is written again where another one joins it, rather than referred to.
SHORT_TAIL = 3
#: An arm that is longer than this, or has branches of its own, goes on unindented behind the others.
LONG_ARM = 10

#: Spells an outcome, or a value that a function returns.
Spell = Callable[[Hashable], str]


@dataclass(frozen=True, slots=True)
class Step:
    """A line of an outline, and what follows it for each outcome: its name ("" if it is alone), its step.

    The text of an end is "return", perhaps with a value, or names a place to go to.
    """

    text: str
    branches: tuple[tuple[str, int], ...] = ()


def spell_outcome(value: Hashable) -> str:
    """An outcome in words: yes and no, the names of flags, "" for None."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Flag):
        return value.name or str(value.value)
    return "" if value is None else str(value)


def automaton_steps(automaton: Automaton, spell: Spell = spell_outcome) -> list[Step]:
    """A whole automaton as steps, by the numbers of its nodes; the entry is step 0."""
    steps = []
    for node in automaton.nodes:
        outcomes = node.op.outcomes
        if node.op.code == END:
            steps.append(Step(node.op.name))
        elif len(outcomes) == 1:
            steps.append(Step(node.op.name, (("", node.successors[0]),)))
        else:
            pairs = zip(outcomes, node.successors, strict=True)
            steps.append(Step(node.op.name, tuple((spell(value), successor) for value, successor in pairs)))
    return steps


def outline(steps: Sequence[Step], entry: int = 0) -> list[str]:
    """The lines of an outline from step ``entry`` on, indented by two blanks per level.

    A branch whose arms meet again goes on behind them.  A step that other paths continue at has a label, such
    as "L1:", which they name with "goto L1".  Every step that can be reached is in it.
    """
    if not steps:
        return []
    writer = _Writer(steps, _joins(steps, entry))
    writer.write(entry)  # to learn which steps need a label
    labelled = _Writer(steps, writer.joins, writer.targets)
    labelled.write(entry)
    return labelled.lines[:-1] if labelled.lines[1:] and labelled.lines[-1] == "return" else labelled.lines


@dataclass(slots=True)
class _Writer:
    """Writes each step once, in the order of a reader's eye."""

    steps: Sequence[Step]
    joins: dict[int, int | None]
    labels: dict[int, str] = field(default_factory=dict)
    targets: dict[int, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    written: set[int] = field(default_factory=set)

    def _line(self, text: str, depth: int) -> None:
        self.lines.append("  " * depth + text)

    def write(self, step: int | None, end: int | None = None, depth: int = 0) -> None:
        """The path from ``step`` on, up to but without ``end``."""
        while step is not None and step != end:
            if step in self.written and not self._is_short(step, end):
                self._line(f"goto {self._label(step)}", depth)
                return
            if step in self.labels and step not in self.written:
                self._line(f"{self.labels[step]}:", depth)
            self.written.add(step)
            self._line(self.steps[step].text, depth)
            step = self._branch(step, end, depth)

    def _branch(self, step: int, end: int | None, depth: int) -> int | None:
        """The arms of a step that has several; returns the step to go on with at this depth, if any."""
        arms = self._arms(step)
        if len(arms) <= 1:
            return next(iter(arms), None)
        join = self.joins[step]
        if join is None:
            ahead = {target: self._ahead(target, end) for target in arms}
            longest = max(arms, key=lambda target: len(ahead[target]))
            forks = any(len(self._arms(at)) > 1 for at in ahead[longest])
            # What goes on unindented must be new: a reference would read as if it belonged to the arm above.
            if longest not in self.written and (forks or len(ahead[longest]) > LONG_ARM):
                join = longest
        self._nested({t: name for t, name in arms.items() if t != join}, end if join is None else join, depth)
        return join

    def _arms(self, step: int) -> dict[int, str]:
        """Where the outcomes of a step lead, and the names of those that lead there."""
        names: dict[int, list[str]] = {}
        for name, target in self.steps[step].branches:
            names.setdefault(target, []).append(name)
        return {target: ", ".join(dict.fromkeys(found)) for target, found in names.items()}

    def _nested(self, arms: dict[int, str], end: int | None, depth: int) -> None:
        for target, name in arms.items():
            head = len(self.lines)
            self._line(f"{name}:", depth + 1)
            self.write(target, end, depth + 2)
            if len(self.lines) == head + 2:
                self.lines[head:] = ["  " * (depth + 1) + f"{name}: {self.lines[-1].strip()}"]

    def _label(self, step: int) -> str:
        return self.labels.get(step) or self.targets.setdefault(step, f"L{len(self.targets) + 1}")

    def _is_short(self, step: int, end: int | None) -> bool:
        """Is what follows so short, and without branches, that it is easier read twice?"""
        at: int | None = step
        for _ in range(SHORT_TAIL):
            if at is None or at == end:
                return True
            arms = self._arms(at)
            if len(arms) > 1:
                return False
            at = next(iter(arms), None)
        return at is None or at == end

    def _ahead(self, step: int, end: int | None) -> list[int]:
        """The steps from here on that are not yet written."""
        queue = [step]
        seen = {step}
        for at in queue:
            for _, target in self.steps[at].branches:
                if target not in seen and target != end and target not in self.written:
                    seen.add(target)
                    queue.append(target)
        return queue


def _joins(steps: Sequence[Step], entry: int) -> dict[int, int | None]:
    """For each step the first one that all its paths to an end go through, None if there is none.

    These are immediate postdominators (Cooper, Harvey, Kennedy: A Simple, Fast Dominance Algorithm).
    """
    order = _postorder(steps, entry)
    number = {step: i for i, step in enumerate(order)}
    exit_ = len(order)  # a step of its own, behind every end
    above: dict[int, int] = {exit_: exit_}
    successors = {
        i: [number[target] for _, target in steps[step].branches] or [exit_] for i, step in enumerate(order)
    }
    # Postorder has the ends first, but for loops: turned round it is an order for the reversed graph.
    rank = _reverse_ranks(successors, exit_)

    def meet(left: int, right: int) -> int:
        while left != right:
            while rank[left] > rank[right]:
                left = above[left]
            while rank[right] > rank[left]:
                right = above[right]
        return left

    changed = True
    while changed:
        changed = False
        for node in sorted(rank, key=lambda n: rank[n])[1:]:
            known = [s for s in successors[node] if s in above]
            best = known[0]
            for other in known[1:]:
                best = meet(best, other)
            if above.get(node) != best:
                above[node] = best
                changed = True
    joins: dict[int, int | None] = {}
    for i, step in enumerate(order):
        join = above.get(i, exit_)
        nothing = join == exit_ or (
            not steps[order[join]].branches and not steps[order[join]].text.startswith("return")
        )
        joins[step] = None if nothing else order[join]
    return joins


def _postorder(steps: Sequence[Step], entry: int) -> list[int]:
    """The steps that can be reached, each behind what follows it."""
    order: list[int] = []
    seen = {entry}
    stack = [(entry, iter(steps[entry].branches))]
    while stack:
        step, rest = stack[-1]
        for _, target in rest:
            if target not in seen:
                seen.add(target)
                stack.append((target, iter(steps[target].branches)))
                break
        else:
            order.append(step)
            stack.pop()
    return order


def _reverse_ranks(successors: dict[int, list[int]], exit_: int) -> dict[int, int]:
    """Each node's place in a reverse postorder of the reversed graph from the exit; without endless loops."""
    before: dict[int, list[int]] = {exit_: []}
    for node, targets in successors.items():
        for target in targets:
            before.setdefault(target, []).append(node)
    order: list[int] = []
    seen = {exit_}
    stack = [(exit_, iter(before[exit_]))]
    while stack:
        node, rest = stack[-1]
        for source in rest:
            if source not in seen:
                seen.add(source)
                stack.append((source, iter(before.get(source, ()))))
                break
        else:
            order.append(node)
            stack.pop()
    return {node: rank for rank, node in enumerate(reversed(order))}
