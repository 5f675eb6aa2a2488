"""What has been done of a hunt: races that were run, and what broke, each cause by its first race."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from spfvar.generator.run import Cause, Outcome
from spfvar.scenario.race import Race


@dataclass(slots=True)
class Tally:
    """The outcomes so far, added in the plan's order, so that it does not matter who ran the races.

    ``slices`` of the plan with ``numbers`` of groups are done.  ``known`` counts races that break another
    design, too, and are left out.  ``seconds``: of all runs that got so far.
    """

    slices: int = 0
    numbers: int = 0
    generated: int = 0
    states: int = 0
    known: int = 0
    seconds: float = 0.0
    open: list[str] = field(default_factory=list)
    steps: set[str] = field(default_factory=set)
    reached: set[str] = field(default_factory=set)
    keys: set[bytes] = field(default_factory=set)
    first: dict[Cause, Race] = field(default_factory=dict)
    count: Counter[Cause] = field(default_factory=Counter)

    def add(self, outcome: Outcome, is_known: Callable[[Race], bool]) -> None:
        """Another outcome; a race that two workers ran, each for the first time, counts once."""
        if outcome.key in self.keys:
            return
        self.keys.add(outcome.key)
        self.states += outcome.states
        if outcome.why:
            self.open.append(f"{outcome.group}: {outcome.why}")
        if outcome.cause is None or outcome.race is None:
            return
        if is_known(outcome.race):
            self.known += 1
            return
        cause = replace(outcome.cause, text="") if outcome.cause.op else outcome.cause
        self.first.setdefault(cause, outcome.race)
        self.count[cause] += 1
