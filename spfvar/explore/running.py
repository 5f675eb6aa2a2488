"""Which CPU runs which address space: whom a TLB flush interrupts, which is a barrier there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spfvar.scenario.race import Actor, Race
from spfvar.scenario.verbs import VERBS


@dataclass(frozen=True, slots=True)
class Running:
    """By thread, the address spaces that its CPU may run, a bit each; by page, the one that it is in.

    Pages beyond the end of ``space`` are in the first one.
    """

    spaces: tuple[int, ...]
    space: tuple[int, ...] = ()

    def interrupted(self, sender: int, page: int | None, about: Sequence[int]) -> list[int]:
        """The threads that an interrupt reaches: of a flush from ``page`` on, or all; as the kernels have it.

        ``about``: by thread, the address space that it is about.
        """
        others = [thread for thread in range(len(self.spaces)) if thread != sender]
        if page is None:
            return others
        space = self.space[page] if page < len(self.space) else 0
        return [
            thread
            for thread in others
            if self.spaces[thread] == 1 << space
            or (self.spaces[thread] >> space & 1 and about[thread] == space)
        ]


def running(race: Race, groups: Sequence[int]) -> Running:
    """Who runs what in a race with threads of these actors; the grace-period kthread runs nothing."""
    spaces = [spaces_of(race, actor) for actor in race.actor]
    space = [0] * max(vma.end for vma in race.vma)
    for vma in race.vma:
        space[vma.start : vma.end] = [vma.mm] * (vma.end - vma.start)
    return Running(tuple(spaces[group] if group < len(spaces) else 0 for group in groups), tuple(space))


def spaces_of(race: Race, actor: Actor) -> int:
    """The address spaces that an actor runs in, a bit each: none if all it does others may do, too.

    Flushes then need not interrupt it: they do only if it happens to be a thread of that process.
    """
    found = 0
    for statement in actor.program:
        verb = VERBS[statement.verb]
        about_vma = any(vma.name == statement.on for vma in race.vma)
        if not verb.outside and not verb.elsewhere and (statement.verb != "call" or about_vma):
            found |= 1 << race.mm_of(statement)
    return found
