"""Safety: verdicts of all races, the traces of violations, and what each guard is for."""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Collection, Sequence
from pathlib import Path

from spfvar.explore.guards import Guard
from spfvar.explore.properties import PROPERTIES
from spfvar.matrix.ablate import Ablation
from spfvar.matrix.check import Checked
from spfvar.matrix.hunting import Hunted
from spfvar.plugins.variant import Variant
from spfvar.render.causes import findings_of
from spfvar.review.model import Generated, GuardUse, Layer, RaceOutcome, Safety, Violation

NO_LAYER = Layer("", "")
#: Lines of source before and behind a guard.
AROUND = 4


def make_safety(
    checked: Sequence[Checked],
    ablations: Sequence[Ablation],
    variant: Variant,
    patch: Collection[type] | None,
    hunted: Hunted | None = None,
) -> Safety:
    """``patch`` are the classes of the variant's stack that are under review; None: all of them.

    ``hunted``: what came of generated races, if there were any.
    """
    return Safety(
        {result.case.race_name: result.case.race.title for result in checked},
        tuple(_outcome(result) for result in checked),
        tuple(
            Violation(
                result.verdict.variant, result.verdict.race, finding.property,
                PROPERTIES[finding.property].text, finding.trace, finding.token,
            )
            for result, finding in findings_of(checked)
        ),
        _guards(ablations, variant, patch),
        _generated(hunted) if hunted is not None else None,
    )  # fmt: skip


def _generated(hunted: Hunted) -> Generated:
    return Generated(
        hunted.races, hunted.size, hunted.states, hunted.sample, hunted.complete,
        tuple(
            Violation(
                hunted.variant, finding.name, finding.broken.property, finding.race.title,
                finding.broken.trace, finding.broken.token,
            )
            for finding in hunted.findings
        ),
    )  # fmt: skip


def layer_of(patch: type) -> Layer:
    """A patch's class by name, with the first line of its docstring."""
    return Layer(patch.__name__, (inspect.getdoc(patch) or "").split("\n")[0])


def _outcome(result: Checked) -> RaceOutcome:
    verdict = result.verdict
    steps = verdict.findings[0].trace.length if verdict.findings else 0
    return RaceOutcome(
        verdict.race, verdict.variant, verdict.verdict, verdict.states, verdict.property, steps,
        verdict.vacuous, verdict.why,
    )  # fmt: skip


def _guards(
    ablations: Sequence[Ablation], variant: Variant, patch: Collection[type] | None
) -> tuple[GuardUse, ...]:
    """The patch's own guards first, then those of the rest of the stack, in the stack's order."""
    found = []
    names = _names(ablations)
    texts = _texts(variant.patches)
    for ablation in ablations:
        owner = _owner(ablation.guard, texts)
        place = variant.patches.index(owner) if owner is not None else len(variant.patches)
        use = _use(ablation, names[ablation.guard], owner, patch is None or owner in patch)
        found.append(((not use.is_of_patch, place), use))
    return tuple(use for _, use in sorted(found, key=lambda pair: pair[0]))


def _names(ablations: Sequence[Ablation]) -> dict[Guard, str]:
    """The guards' names; those that a function has more than one of are counted in the order of its text."""
    alike: dict[tuple[str, str, str], list[Guard]] = {}
    for ablation in ablations:
        guard = ablation.guard
        alike.setdefault((guard.function, guard.kind, guard.name), []).append(guard)
    names = {}
    for (_, _, name), guards in alike.items():
        for number, guard in enumerate(sorted(guards, key=_line), 1):
            names[guard] = name if len(guards) == 1 else f"{name}, {number} of {len(guards)}"
    return names


def _line(guard: Guard) -> tuple[str, int]:
    file, _, line = guard.where.rpartition(":")
    return file, int(line)


def _use(ablation: Ablation, name: str, owner: type | None, is_of_patch: bool) -> GuardUse:
    guard = ablation.guard
    file, line = _line(guard)
    lines = linecache.getlines(file)
    first = max(1, line - AROUND)
    return GuardUse(
        guard.function, guard.kind, name, f"{Path(file).name}:{line}",
        layer_of(owner) if owner is not None else NO_LAYER, is_of_patch,
        tuple(ablation.breaks), tuple(ablation.holds), tuple(ablation.incomplete),
        tuple(text.rstrip("\n") for text in lines[first - 1 : line + AROUND]), first, tuple(ablation.left),
    )  # fmt: skip


def _texts(patches: Sequence[type]) -> list[tuple[str, range, type]]:
    """Where the patches' texts stand, and those of their base classes: file, lines, patch."""
    texts = []
    for patch in patches:
        for cls in patch.__mro__[:-1]:
            text, first = inspect.getsourcelines(cls)
            texts.append((inspect.getfile(cls), range(first, first + len(text)), patch))
    return texts


def _owner(guard: Guard, texts: Sequence[tuple[str, range, type]]) -> type | None:
    """The first patch in whose text the guard stands."""
    where, at = _line(guard)
    return next((patch for file, lines, patch in texts if file == where and at in lines), None)
