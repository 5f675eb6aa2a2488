"""spfvar show VARIANT: its patches, its place in the family, its protocol as outlines, diffs and graphs."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Iterator, Sequence

from spfvar.cli.lines import Verbatim, said
from spfvar.errors import InputError
from spfvar.ops.op import Call, Steps
from spfvar.plugins.lineage import lineage
from spfvar.plugins.registry import Registry
from spfvar.plugins.series import posted_name
from spfvar.plugins.todos import is_draft, todos_of
from spfvar.plugins.variant import Stack, Variant
from spfvar.render.dot import dot
from spfvar.render.protocol import Section, call_named, own_sections, sections
from spfvar.render.sidebyside import Chunk, side_by_side

#: What is shown if nobody asks for a kind of fault or a writer.
MAIN_FAULTS = ("anon-write", "file-read")
MAIN_WRITERS = ("munmap-file",)

#: A kind of fault ("fault") or a writer ("writer") that was asked for, by name.
Asked = tuple[str, str]


def asked(faults: Sequence[str], writers: Sequence[str]) -> list[Asked]:
    """What ``--fault`` and ``--writer`` name, in that order.  InputError for an unknown name."""
    found = [("fault", name) for name in faults] + [("writer", name) for name in writers]
    for what, name in found:
        call_named(what, name)
    return found


def variant_lines(variant: Variant, registry: Registry) -> list[str]:
    """A variant: where it comes from, its patches in order, what it counts, and its protocol in short."""
    lines = [f"{variant.name}: {variant.title}", f"kernel: {variant.kernel}", f"source: {variant.source}"]
    if is_draft(variant):
        lines.append(f"DRAFT: from {variant.draft or 'no patch'}, TODOs: {len(todos_of(variant))}")
    lines += list(family_lines(variant, registry))
    if variant.description:
        lines += ["", variant.description]
    lines += ["", *patch_lines(variant)]
    if variant.repairs:
        lines += ["", f"Not as posted; repairs (as posted: spfvar show {posted_name(variant.name)}):"]
        lines += [f"  {repair}" for repair in variant.repairs]
    if variant.events:
        lines += ["", "Events:", *(f"  {e.name} ({e.role}): {e.doc}" for e in variant.events)]
    return lines


def patch_lines(variant: Variant, few: float = math.inf) -> list[str]:
    """The patches in order with what they do; only by name if they are more than ``few``."""
    if not variant.patches:
        return ["No patches: the core's own paths."]
    if len(variant.patches) > few:
        return [f"Patches, innermost first: {', '.join(patch.__name__ for patch in variant.patches)}"]
    titles = {patch.__name__: (inspect.getdoc(patch) or "").splitlines()[0] for patch in variant.patches}
    return ["Patches, innermost first:", *(f"  {name}: {title}" for name, title in titles.items())]


def family_lines(variant: Variant, registry: Registry) -> Iterator[str]:
    """What it stacks on, what stacks on it, and whose patches it has."""
    if variant.name not in registry.variants:
        return
    relations = {relation.name: relation for relation in lineage(registry.variants)}
    mine = relations[variant.name]
    above = [name for name, relation in relations.items() if relation.stacks_on == variant.name]
    if mine.stacks_on is not None:
        yield f"stacks on: {mine.stacks_on}"
    if above:
        yield f"below: {', '.join(above)}"
    for name, patches in mine.shares:
        yield f"shares with {name}: {', '.join(patches)}"


def main_sections(variant: Variant) -> Iterator[tuple[str, str, list[Section]]]:
    """The main kinds of faults and writers, what is left out, and the hook points that are its own."""
    stack = Stack(variant)
    told: set[Section] = set()
    main: list[Asked] = [("fault", name) for name in MAIN_FAULTS]
    main += [("writer", name) for name in MAIN_WRITERS]
    for what, name in main:
        chosen = own_sections(stack, call_named(what, name))
        new = [section for section in chosen if section not in told]
        told |= set(chosen)
        yield f"{name} {what}", _left_out(variant, len(new), len(chosen)), new


def main_protocol(variant: Variant, registry: Registry, plugins: Sequence[str] = ()) -> list[str]:
    """The outlines of the main kinds of faults and writers, at the hook points that the variant changes."""
    lines = []
    for name, left_out, new in main_sections(variant):
        head = f"{name}{left_out}"
        lines += ["", head, "=" * len(head)]
        for section in new:
            lines += ["", *section.text()]
    return [*lines, "", *_more(variant, registry, plugins)]


def _more(variant: Variant, registry: Registry, plugins: Sequence[str]) -> Iterator[str]:
    """Commands that show more of it."""

    def shown(what: str, *options: str) -> Verbatim:
        return said(what, "show", variant.name, *options, plugins=plugins)

    yield shown("All of it", "--fault", MAIN_FAULTS[0], "--writer", MAIN_WRITERS[0])
    plain = next((v.name for v in registry.variants.values() if not v.patches), variant.name)
    other = next((r.stacks_on for r in lineage(registry.variants) if r.name == variant.name), None) or plain
    if other != variant.name:
        yield shown("Against another variant", "--diff", other)
    yield shown("As a graph", "--dot")


def _left_out(variant: Variant, new: int, chosen: int) -> str:
    """Which sections are not shown: ``new`` ones are, of ``chosen`` that are unlike the core's."""
    if chosen == 0:
        return ": the core's own"
    if new == 0:
        return ": as above"
    unlike = ", where it is unlike the core's" if variant.patches else ""
    return unlike + (", the rest as above" if new < chosen else "")


def protocol_lines(variant: Variant, wanted: Iterable[Asked]) -> list[str]:
    """The whole outlines of what was asked for."""
    stack = Stack(variant)
    lines: list[str] = []
    for what, name in wanted:
        head = f"{variant.name}: {name} {what}"
        lines += ["", head, "=" * len(head)] if lines else [head, "=" * len(head)]
        for section in sections(stack, call_named(what, name)):
            lines += ["", *section.text()]
    return lines


def diff_lines(variant: Variant, other: Variant, wanted: Iterable[Asked], width: int | None) -> list[str]:
    """A variant's outlines against another's, hook point by hook point and step by step.

    As in a patch the ``other`` one is the old side, left or with a "-"; the variant is the new one.

    ``width`` of the terminal in columns, None if the output is no terminal.
    """
    lines = [f"{variant.name} (+) against {other.name} (-)"]
    for what, name in wanted:
        found = chunks_of(variant, other, call_named(what, name))
        chunks = [_folded(hook, chunk) for hook, chunk in found.items()]
        titles = (f"{other.name}: {name} {what}", f"{variant.name}: {name} {what}")
        lines += ["", *side_by_side(chunks, titles, width)]
    return lines


def chunks_of(variant: Variant, other: Variant, call: Call) -> dict[str, Chunk]:
    """The steps of each hook point of a call: those of the ``other`` one, and the variant's."""
    left, right = (sections(Stack(one), call) for one in (other, variant))

    def steps(found: Sequence[Section], hook: str) -> list[str]:
        mine = (section for section in found if section.hook == hook)
        return [line for section in mine for line in section.text(with_patches=False)]

    hooks = merged([s.hook for s in left], [s.hook for s in right])
    return {hook: (steps(left, hook), steps(right, hook)) for hook in hooks}


def _folded(hook: str, chunk: Chunk) -> Chunk:
    """One line where both agree."""
    one, other = chunk
    if one == other and len(one) > 1:
        one = other = [f"{hook}(): the same {len(one) - 1} lines"]
    return one, other


def merged(left: Sequence[str], right: Sequence[str]) -> list[str]:
    """Every name of both, once: in the left order, those of the right alone behind what precedes them."""
    order = list(dict.fromkeys(left))
    place = -1
    for name in dict.fromkeys(right):
        if name in order:
            place = order.index(name)
        else:
            place += 1
            order.insert(place, name)
    return order


def dot_text(variant: Variant, wanted: Sequence[Asked]) -> str:
    """The automaton of one kind of fault or writer as Graphviz text; InputError if several were asked for."""
    if len(wanted) > 1:
        raise InputError("a graph shows one automaton", key="--dot", expected="one --fault or one --writer")
    what, name = wanted[0] if wanted else ("fault", MAIN_FAULTS[0])
    call = call_named(what, name)

    def text() -> Steps:
        yield call

    automaton = Stack(variant).automaton(f"{name} {what}", text)
    return dot(automaton, f"{variant.name}: {name} {what} ({len(automaton)} steps)")
