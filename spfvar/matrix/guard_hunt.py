"""The guards of a variant that no race here needs, taken out of generated races."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace

from spfvar.explore.guards import Guard
from spfvar.generator.guards import GuardHunter, Wanted, needed_in
from spfvar.generator.programs import Group
from spfvar.generator.run import BOUNDS
from spfvar.matrix.ablate import (
    Ablated,
    Ablation,
    GuardHunt,
    HuntedGuard,
    Progress,
    Text,
    by_guard,
    core_texts,
    has_all,
    text_of,
)
from spfvar.matrix.hunting import Plan
from spfvar.ops.op import Op
from spfvar.plugins.variant import Stack, Variant
from spfvar.scenario.race import Race


def hunt_guards(
    variant: Variant, ablated: Ablated, plan: Plan, core: bool = False, progress: Progress | None = None
) -> Ablated:
    """The same with what the plan's races say of guards that were not needed, and of those not met before.

    Equal races are run once.  ``core``: as in `ablate`.  Raises StrategyError.
    """
    stack = Stack(variant)
    known = {a.guard: a for whole in ablated.guards for a in (whole, *whole.calls)}
    wanted = _wanted(has_all(variant, core))
    hunter = GuardHunter(stack, wanted, {guard for guard, ablation in known.items() if ablation.breaks})
    until = _Until(plan.seconds)
    groups = list(plan.groups())
    for done, group in enumerate(until.groups(groups), 1):
        hunter.run([group])
        if progress is not None:
            progress("generated races", done, len(groups))
    for guard in {*hunter.tried, *hunter.broken}:
        known.setdefault(guard, Ablation(guard)).hunted = _hunted(hunter, guard, stack, wanted)
    for ablation in known.values():
        ablation.calls.clear()  # which `by_guard` finds again, with the new ones
    hunt = GuardHunt(hunter.races, plan.size, hunter.open, until.complete)
    return replace(ablated, guards=by_guard(known, variant), hunt=hunt)


def hunt_uses(
    variant: Variant, sought: Collection[Guard], plan: Plan, progress: Progress | None = None
) -> dict[Guard, HuntedGuard]:
    """What the plan's races say of these guards, until each of them is needed in one.

    Of one that is needed, the first race that says so.  Raises StrategyError.
    """
    stack = Stack(variant)
    wanted = _wanted(has_all(variant, False))
    hunter = GuardHunter(stack, wanted, set(), sought=set(sought))
    groups = list(plan.groups()) if sought else []
    for done, group in enumerate(groups, 1):
        hunter.run([group])
        if progress is not None:
            progress("generated races", done, len(groups))
        if len(hunter.broken) == len(sought):
            break
    return {guard: _hunted(hunter, guard, stack, wanted) for guard in {*hunter.tried, *hunter.broken}}


def _hunted(hunter: GuardHunter, guard: Guard, stack: Stack, wanted: Wanted) -> HuntedGuard:
    broken = hunter.broken.get(guard)
    needed = needed_in(*broken, stack, guard, wanted, BOUNDS) if broken is not None else None
    return HuntedGuard(hunter.tried[guard], hunter.idle[guard], needed)


class _Until:
    """Takes groups until the time is over."""

    def __init__(self, seconds: float) -> None:
        self.complete = True
        self._end = time.monotonic() + seconds

    def groups(self, every: Iterable[Group]) -> Iterator[Group]:
        for group in every:
            if time.monotonic() > self._end:
                self.complete = False
                return
            yield group


def _wanted(everything: bool) -> Callable[[Race], Callable[[Op], bool]]:
    """Of a race: the primitives that are not the core's."""
    shared: set[Text] = set()

    def wanted(race: Race) -> Callable[[Op], bool]:
        if everything:
            return lambda _: True
        shared.update(core_texts([race]))
        return lambda op: text_of(op) not in shared

    return wanted
