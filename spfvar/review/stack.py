"""Which patches of a file are reviewed: one by its number, or all of them as the stack that a variant is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from spfvar.errors import InputError, shortlist
from spfvar.plugins.chosen import usable
from spfvar.plugins.registry import Registry
from spfvar.plugins.series import split_name
from spfvar.plugins.variant import Variant
from spfvar.review.diff import FileChange
from spfvar.review.hunks import number_of, patches_of
from spfvar.review.patchmail import Patch

_NUMBER = "--number"


def subject_of(
    registry: Registry,
    variant: str,
    against: Sequence[str] = (),
    patches: Sequence[Patch] = (),
    number: int | None = None,
) -> tuple[list[str], Patch | None]:
    """Which of the rivals can be used, and the patch that the variant is, if any is given.

    Rivals that cannot be used become problems.  Raises InputError if that is the variant itself.
    """
    wanted = usable(registry, [variant, *against])
    if variant not in wanted:
        raise InputError(f"{variant} cannot be reviewed: its plugin has a problem")
    head, _ = split_name(variant)
    of_series = registry.series[head].choose(variant).numbers if head in registry.series else None
    patch = chosen(patches, number, registry[variant], of_series) if patches else None
    return [name for name in against if name in wanted], patch


def chosen(
    patches: Sequence[Patch], number: int | None, variant: Variant, of_series: Collection[int] | None = None
) -> Patch:
    """The patch that is reviewed: the only one, the one of that number, or all as one.

    ``of_series``: the numbers of the patches that the variant is, if it was named as a stack of a series.  Of
    several versions the newest counts, and answers that hold a diff only where there is nothing else.  Raises
    InputError that lists the patches if there are several and the variant is not their stack.
    """
    originals = [patch for patch in patches if not patch.is_reply] or list(patches)
    newest = max(patch.version for patch in originals)
    current = [patch for patch in originals if patch.version == newest]
    current.sort(key=lambda patch: patch.position or (0, 0))  # mails arrive in any order
    if number is not None:
        return _numbered(current, number)
    if len(current) == 1:
        return current[0]
    if _is_stack(current, variant, of_series):
        return stacked(current)
    raise InputError(
        f"holds {len(current)} patches, and {variant.name} is not the stack of them: {_listed(current)}",
        file=current[0].source, expected=f"{_NUMBER} N for one of them, or a variant that is their stack",
    )  # fmt: skip


def _numbered(patches: Sequence[Patch], number: int) -> Patch:
    """The patch of that number, or, where none says its number, in that place."""
    if any(patch.position for patch in patches):
        found = [patch for patch in patches if patch.position is not None and patch.position[0] == number]
    else:
        found = list(patches[number - 1 : number]) if number > 0 else []
    if len(found) == 1:
        return found[0]
    what = f"there is no patch {number}" if not found else f"there are {len(found)} patches {number}"
    raise InputError(what, file=patches[0].source, key=_NUMBER, expected=f"one of: {_listed(patches)}")


def _listed(patches: Sequence[Patch]) -> str:
    """Numbers and titles."""
    return shortlist(
        f"{patch.position[0] if patch.position else place} ({patch.title or 'no subject'})"
        for place, patch in enumerate(patches, 1)
    )


def _is_stack(patches: Sequence[Patch], variant: Variant, of_series: Collection[int] | None) -> bool:
    """Are they the series' patches of these numbers, or all that the variant's classes say they are?

    Then none may be behind the last one of these.  A patch without a class of its own changes nothing that
    the model has; a class without a number is none of the series.
    """
    if of_series is not None and all(patch.position for patch in patches):
        return sorted(patch.position[0] for patch in patches if patch.position) == sorted(of_series)
    found = {cls for patch in patches for cls in patches_of(patch, variant)}
    numbers = {cls: number_of(cls) for cls in variant.patches}
    numbered = {cls: number for cls, number in numbers.items() if number}
    if not numbered:
        return bool(found) and found >= set(variant.patches)
    last = max(max(number) for number in numbered.values())
    behind = any(patch.position is not None and patch.position[0] > last for patch in patches)
    return found >= numbered.keys() and not behind


def stacked(patches: Sequence[Patch]) -> Patch:
    """Several patches as one: their files, each once, with the hunks in the order of the patches."""
    first, last = patches[0], patches[-1]
    subject = f"{len(patches)} patches, from {_short(first)} to {_short(last)}"
    same_author = {(patch.author_name, patch.author_address) for patch in patches} == {
        (first.author_name, first.author_address)
    }
    files: dict[str, FileChange] = {}
    for change in (change for patch in patches for change in patch.files):
        known = files.get(change.path)
        hunks = (*known.hunks, *change.hunks) if known else change.hunks
        files[change.path] = replace(known or change, hunks=hunks)
    warnings = [
        f"{_short(patch)}: {text}" for patch in patches for text in (*patch.warnings, *patch.stat_differences)
    ]
    return replace(
        first, subject=subject, title=subject, position=None, tags=(), message="", stated=None,
        author_name=first.author_name if same_author else "",
        author_address=first.author_address if same_author else "",
        date=last.date, when=last.when, message_id=first.in_reply_to or first.message_id,
        files=tuple(files.values()), warnings=tuple(warnings), parts=tuple(patches),
    )  # fmt: skip


def _short(patch: Patch) -> str:
    place = f"{patch.position[0]}/{patch.position[1]} " if patch.position else ""
    return f"{place}{patch.title or 'no subject'}"
