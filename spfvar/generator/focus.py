"""Which generated races can tell a design from another one: those with a program that differs.

Races whose programs have the same automata under both designs are the same races, state by state: what
breaks in one, breaks in the other.  Where no hook point that a program comes to is implemented by other
patches, that need not be looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from spfvar.automata.automaton import Automaton
from spfvar.generator.memories import Memory
from spfvar.generator.programs import Group, statement_numbers
from spfvar.mm import hookspecs
from spfvar.mm.vmf import Mapping as MappedFacts
from spfvar.ops.op import Call
from spfvar.plugins.variant import Stack
from spfvar.scenario.actors import actor_text
from spfvar.scenario.race import Actor, Race, RaceStatement
from spfvar.scenario.verbs import VERBS

#: A memory, the numbers of some statements, and the facts of each VMA that their text may branch on.
_Key = tuple[str, tuple[int, ...], tuple[MappedFacts, ...]]


@dataclass(slots=True)
class Reach:
    """The hook points that statements come to under a design: what any change of it is compared with."""

    stack: Stack
    _names: dict[_Key, frozenset[str]] = field(default_factory=dict)
    _of_calls: dict[Call, frozenset[str]] = field(default_factory=dict)

    def names(self, key: _Key, race: Race, actor: Actor) -> frozenset[str]:
        """Those that the actor of the race comes to, by whichever outcomes.  Raises StrategyError."""
        if key not in self._names:
            self._names[key] = self.stack.hooks_reached(actor_text(race, actor), self._of_calls)
        return self._names[key]


@dataclass(slots=True)
class Focus:
    """Compares programs under ``stack`` with those under the design of ``reach``.

    A program differs if one of its statements does, each of which is looked at once for the same facts.  What
    a program does with a page that it has pinned depends on how it was pinned: then it is taken as a whole.
    """

    stack: Stack
    reach: Reach
    _known: dict[_Key, bool] = field(default_factory=dict)
    _changed: frozenset[str] = frozenset()
    _statements: dict[str, frozenset[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        fixed = self.reach.stack
        self._changed = frozenset(
            name for name in hookspecs.HOOKS if self.stack.patches_of(name) != fixed.patches_of(name)
        )

    def differs(self, group: Group) -> bool:
        """Does any program of the group's races?  Raises StrategyError for a text that is none."""
        race = group.race()
        facts = tuple(race.mapping(vma) for vma in race.vma)
        parts = (
            ((group.memory.name, numbers, facts), program)
            for actor, (_, whole) in zip(race.actor, group.actors, strict=True)
            for numbers, program in _parts(whole, actor.program)
        )
        return any(self._differs(key, race, program) for key, program in parts)

    def statements(self, memory: Memory) -> frozenset[int]:
        """The memory's statements, by number, that differ in a race of their own.

        Others may differ in races whose VMAs are used in more ways.  Who uses or drops a pin is taken for as
        different as who takes it.
        """
        if memory.name not in self._statements:
            pins = {n: role for role in ("uses", "drops") for n in statement_numbers(memory, role)}
            alone = [n for n in statement_numbers(memory) if n not in pins and self._alone(memory, n)]
            pinned = not set(alone).isdisjoint(statement_numbers(memory, "takes"))
            self._statements[memory.name] = frozenset((*alone, *(pins if pinned else ())))
        return self._statements[memory.name]

    def _alone(self, memory: Memory, number: int) -> bool:
        return self.differs(Group(memory, ((1, (number,)),), 1))

    def _differs(self, key: _Key, race: Race, program: list[RaceStatement]) -> bool:
        if key not in self._known:
            actor = Actor.model_construct(name="part", program=program)
            comes_by = not self._changed.isdisjoint(self.reach.names(key, race, actor))
            self._known[key] = comes_by and (
                _automaton(self.stack, race, actor) != _automaton(self.reach.stack, race, actor)
            )
        return self._known[key]


def _automaton(stack: Stack, race: Race, actor: Actor) -> Automaton:
    return stack.automaton(actor.name, actor_text(race, actor), keep=False)


def _parts(
    numbers: tuple[int, ...], program: list[RaceStatement]
) -> Iterable[tuple[tuple[int, ...], list[RaceStatement]]]:
    if any(VERBS[statement.verb].pin for statement in program):
        return ((numbers, program),)
    return (((number,), [statement]) for number, statement in zip(numbers, program, strict=True))
