"""spfvar show VARIANT in short: what it is, how long each hook point is, and one hook point of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher

from spfvar.cli.lines import Verbatim, said, wrapped
from spfvar.cli.show_variant import (
    MAIN_FAULTS,
    MAIN_WRITERS,
    Asked,
    chunks_of,
    family_lines,
    main_sections,
    patch_lines,
)
from spfvar.errors import InputError, nearest
from spfvar.plugins.registry import Registry
from spfvar.plugins.series import posted_name
from spfvar.plugins.todos import is_draft, todos_of
from spfvar.plugins.variant import Stack, Variant
from spfvar.render.protocol import Section, call_named, sections
from spfvar.render.sidebyside import side_by_side

#: Lines of the one hook point that is shown.
_MOST = 20
#: Patches that are shown with their titles, not only by name.
_FEW = 6


def brief_lines(variant: Variant, registry: Registry, plugins: Sequence[str] = ()) -> list[str]:
    """At most some forty lines: names of patches, lengths of hook points, and the first of these."""
    lines = [f"{variant.name}: {variant.title}", f"kernel: {variant.kernel}", f"source: {variant.source}"]
    if is_draft(variant):
        lines.append(f"DRAFT: from {variant.draft or 'no patch'}, TODOs: {len(todos_of(variant))}")
    lines += family_lines(variant, registry)
    lines += patch_lines(variant, few=_FEW)
    if variant.repairs:
        repairs = ", ".join(repair.bugs[0] if repair.bugs else str(repair) for repair in variant.repairs)
        lines.append(
            f"not as posted; repairs: {repairs} (as posted: spfvar show {posted_name(variant.name)})"
        )
    if variant.events:
        lines.append(f"events: {', '.join(event.name for event in variant.events if event.role != 'reason')}")
    unlike = ", where it is unlike the core's" if variant.patches else ""
    lines += ["", f"Hook points and their lines{unlike}:"]
    first: Section | None = None
    lengths: dict[str, int] = {}
    for name, _, found in main_sections(variant):
        lengths |= _lengths(found)
        lines.append(f"  {name}: {', '.join(_told(found)) or 'as above, or as the core has it'}")
        first = first or next(iter(found), None)
    if first is not None:
        lines += ["", *_short(first.text())]
    lines.append("")
    if lengths:
        longest = max(lengths, key=lambda hook: lengths[hook])
        lines.append(said("One hook point", "show", variant.name, "--hook", longest, plugins=plugins))
    return [*lines, said("All of it", "show", variant.name, "-v", plugins=plugins)]


def _lengths(found: Iterable[Section]) -> dict[str, int]:
    lengths: dict[str, int] = {}
    for section in found:
        lengths[section.hook] = lengths.get(section.hook, 0) + len(section.lines)
    return lengths


def _told(found: Iterable[Section]) -> list[str]:
    return [f"{hook} {length}" for hook, length in _lengths(found).items()]


def _short(lines: Sequence[str]) -> list[str]:
    """A text's first lines, as they stand."""
    shown = [Verbatim(line) for line in lines[:_MOST]]
    left = len(lines) - len(shown)
    return [*shown, Verbatim(f"  ... {left} more lines")] if left > 1 else [Verbatim(line) for line in lines]


# --- one hook point ------------------------------------------------------------------------------


def hook_lines_of(variant: Variant, hook: str, wanted: Sequence[Asked]) -> list[str]:
    """The whole of a hook point, in each of the faults and writers that go through it."""
    stack, lines = Stack(variant), list[str]()
    told: set[Section] = set()
    known: set[str] = set()
    for what, name in wanted or _main():
        found = sections(stack, call_named(what, name))
        known |= {section.hook for section in found}
        mine = [section for section in found if section.hook == hook and section not in told]
        told |= set(mine)
        if mine:
            lines += [*([""] if lines else []), f"{variant.name}: {name} {what}"]
            lines += [line for section in mine for line in ("", *section.text())]
    if not lines:
        raise _no_hook(hook, known, variant.name)
    return lines


def _main() -> list[Asked]:
    return [("fault", name) for name in MAIN_FAULTS] + [("writer", name) for name in MAIN_WRITERS]


def _no_hook(hook: str, known: Iterable[str], names: str) -> InputError:
    return InputError(
        f"{names}: these faults and writers go through no {hook!r}", key="--hook",
        suggestion=nearest(hook, list(known)), expected="a hook point of them, or --fault, --writer",
    )  # fmt: skip


# --- one variant against another -----------------------------------------------------------------


def brief_diff(
    variant: Variant, other: Variant, wanted: Sequence[Asked], width: int | None, hook: str | None
) -> list[str]:
    """How much each hook point differs, then the first that does, or ``hook``; as `diff_lines` has them."""
    lines = [f"{variant.name} (+) against {other.name} (-)"]
    shown: list[str] = []
    known: dict[str, None] = {}
    for what, name in wanted:
        chunks = chunks_of(variant, other, call_named(what, name))
        known |= dict.fromkeys(chunks)
        changed = {at: _change(*chunk) for at, chunk in chunks.items()}
        counts = [f"{at} {text}" for at, text in changed.items() if text]
        same = len(changed) - len(counts)
        lines += ["", f"{name} {what}: {len(counts)} hook points differ, {same} are the same"]
        lines += wrapped(f"  {', '.join(counts)}").splitlines() if counts else []
        at = (
            hook
            if hook in chunks
            else None
            if hook
            else next((a for a, text in changed.items() if text), None)
        )
        if at is not None and not shown:
            titles = (f"{other.name}: {name} {what}", f"{variant.name}: {name} {what}")
            shown = ["", *side_by_side([chunks[at]], titles, width)]
    if hook is not None and hook not in known:
        raise _no_hook(hook, known, f"{variant.name} and {other.name}")
    return [*lines, *shown, "", "Another hook point: --hook NAME; -v: all of it"]


def _change(before: Sequence[str], after: Sequence[str]) -> str:
    """ "-31 +2" lines, "" if nothing differs."""
    gone = come = 0
    for tag, i, j, k, m in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag != "equal":
            gone, come = gone + j - i, come + m - k
    return " ".join(_signed(gone, come))


def _signed(gone: int, come: int) -> Iterator[str]:
    if gone:
        yield f"-{gone}"
    if come:
        yield f"+{come}"
