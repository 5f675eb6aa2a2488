"""The first patch of a series with which a published bug shows: the bug is put into each prefix of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from spfvar.automata.extract import StrategyError
from spfvar.explore.options import Options
from spfvar.explore.world import extract_race
from spfvar.matrix.cases import Case
from spfvar.matrix.check import Progress, run_checks
from spfvar.matrix.kept_verdicts import KeptVerdicts
from spfvar.plugins.registry import Registry
from spfvar.plugins.series import Series, SeriesPatch, with_bug
from spfvar.plugins.variant import Stack, Stacks, Twin, Variant
from spfvar.store.database import Store


@dataclass(frozen=True, slots=True)
class FirstBad:
    """The stack of a series in which a bug shows first, and the patch that is its last.

    ``patch`` is None if the bug shows without any patch of the series.  ``tried``: stacks of different text
    in which it was looked for; ``whole``: the last of them.
    """

    stack: str
    patch: SeriesPatch | None
    tried: int
    whole: str


def first_bad_patches(
    wanted: Iterable[Case],
    registry: Registry,
    jobs: int | None = None,
    progress: Progress | None = None,
    store: Store | None = None,
) -> dict[str, FirstBad]:
    """By twin; ``wanted`` are the cases of twins that have to break.

    A twin of a design that is no stack of a series' patches has none, nor has one that breaks in no prefix by
    the property that it has to.  Every prefix is searched, so that nothing rests on bugs that stay once they
    are there.
    """
    lines: dict[str, dict[str, Case]] = {}
    of: dict[str, tuple[Series, list[int]]] = {}
    for case in wanted:
        twin = registry.twins[case.twin]
        found = _stack_of(registry[twin.fixed], registry.series.values())
        if found is not None and twin.prop:
            of[twin.name] = found
            lines[twin.name] = _prefixes(twin, *found, case)
    cases = [case for line in lines.values() for case in line.values()]
    stacks: Stacks = {}
    cases = [case for case in cases if _has_text(case, stacks, store)]
    checked = run_checks(cases, Options(), jobs, progress, stacks, store=store)
    broken = {one.case.variant.name for one in checked if one.verdict.property == one.case.expected}
    firsts = {
        twin: next((stack for stack, case in line.items() if case.variant.name in broken), None)
        for twin, line in lines.items()
    }
    return {
        twin: FirstBad(stack, _last_patch(series, stack), len(lines[twin]), series.expression(numbers))
        for twin, stack in firsts.items()
        if stack is not None
        for series, numbers in [of[twin]]
    }


def _stack_of(design: Variant, series: Iterable[Series]) -> tuple[Series, list[int]] | None:
    """The series whose patches, and nothing else, make a design; and their numbers."""
    for one in series:
        numbers: list[int] = []
        for patch in one.patches:
            if set(patch.changes) <= set(design.patches) and set(patch.needs) <= set(numbers):
                numbers.append(patch.number)
        stack = set(one.stack(numbers))
        if stack and stack == set(design.patches):
            return one, numbers
    return None


def _prefixes(twin: Twin, series: Series, numbers: Sequence[int], case: Case) -> dict[str, Case]:
    """By prefix: the bug in it, where the text is another one than before."""
    seen: dict[tuple[type, ...], tuple[str, Case]] = {}
    for name in series.prefixes(numbers):
        variant = twin.put_into(series.variant(name), with_bug(name, twin.name))
        seen.setdefault(variant.patches, (name, replace(case, variant=variant)))
    return dict(seen.values())


def _has_text(case: Case, stacks: Stacks, store: Store | None) -> bool:
    """Can it be searched?  A bug that builds on what a prefix has not is not in it.

    Nothing is extracted for a verdict that was kept.
    """
    if KeptVerdicts(store).by_text(case, case.memory, Options()) is not None:
        return True
    try:
        stacks[case.variant.name] = stack = Stack(case.variant)
        extract_race(case.race, stack)
    except StrategyError:
        return False
    return True


def _last_patch(series: Series, stack: str) -> SeriesPatch | None:
    numbers = series.choose(stack).numbers
    return series.patches[numbers[-1] - 1] if numbers else None
