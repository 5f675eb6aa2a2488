"""Pages of races and bugs: who breaks where, with the trace; and what mends it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import spfvar
from spfvar.explore.trace import Step
from spfvar.explore.verdict import INCOMPLETE, SAFE, VIOLATION
from spfvar.matrix.check import Checked
from spfvar.matrix.first_bad import FirstBad
from spfvar.ops.properties import PROPERTIES
from spfvar.pages.document import Document, Said, render_document
from spfvar.pages.site import BUGS, RACES, Sources, bug_page, design_page, race_page, slug, trail
from spfvar.plugins.series import posted_name
from spfvar.plugins.variant import Twin, Variant
from spfvar.render.again import Files
from spfvar.render.races import statement_text
from spfvar.render.verdicts import count_text
from spfvar.review.pageparts import BAD, GOOD, OPEN, Entry, Fold, Grid, PagePart, PageSection, TraceView
from spfvar.review.parts import Command, Item, Items, Text
from spfvar.review.words import plural
from spfvar.scenario.race import Race

_TONES = {VIOLATION: BAD, INCOMPLETE: OPEN, SAFE: GOOD}


def safety_of(checked: Iterable[Checked], design: Variant) -> tuple[str, str]:
    """A sentence on a design's safety, what was posted of it first, and its tone."""
    texts: list[str] = []
    tones: list[str] = []
    for name in (posted_name(design.name), design.name):
        found = [one.verdict for one in checked if one.verdict.variant == name]
        broken = sum(one.verdict == VIOLATION for one in found)
        left = sum(one.verdict == INCOMPLETE for one in found)
        if not found:
            continue
        posted = name != design.name
        said = f"NO, {broken} of {len(found)} races" if broken else f"open in {left} races" if left else "yes"
        texts.append(f"as posted: {said}" if posted else f"with repairs: {said}" if texts else said)
        tones.append(BAD if broken else OPEN if left else GOOD)
    return ("; ".join(texts) or "not searched", tones[0] if tones else OPEN)


def race_pages(
    checked: Sequence[Checked], designs: Sequence[Variant], files: Files
) -> Iterator[tuple[str, str]]:
    """The table of races and designs, and a page per race with the trace of each design that breaks in it."""
    forms = {
        name: f"../{design_page(design.name)}"
        for design in designs
        for name in (design.name, posted_name(design.name))
    }
    by_race: dict[str, dict[str, Checked]] = {}
    for one in checked:
        by_race.setdefault(one.case.race_name, {})[one.verdict.variant] = one
    names = list(dict.fromkeys(one.verdict.variant for one in checked))
    broken: list[tuple[Entry, ...]] = []
    safe: list[tuple[Entry, ...]] = []
    for race, found in by_race.items():
        traces = _traces(found)
        entries = [_cell(race, found[name], traces) if name in found else Entry("") for name in names]
        row = (Entry(race, (next(iter(found.values())).case.race.title,), href=race_page(race)), *entries)
        holds = all(one.verdict.verdict == SAFE and not one.verdict.vacuous for one in found.values())
        (safe if holds else broken).append(row)
        yield race_page(race), _race(race, found, forms, files)
    headers = ("race", *names)
    parts: list[PagePart] = []
    if broken:
        parts.append(Grid("Races that break a design, or are open", headers, tuple(broken), kind="heat"))
    if safe:
        grid = Grid("Every interleaving was searched", headers, tuple(safe), kind="heat")
        parts.append(Fold(f"{plural(len(safe), 'race')}, safe under all of these", (grid,)))
    sections = (PageSection("races", "Races and designs", tuple(parts)),) if parts else ()
    yield RACES, _page("Races", sections, deep=False)


def _page(title: str, sections: Sequence[PageSection], deep: bool, said: tuple[Said, ...] = ()) -> str:
    page = Document(title, title, (), said, tuple(sections), spfvar.__version__, trail(deep))
    return render_document(page, "../" if deep else "")


def _traces(found: Mapping[str, Checked]) -> dict[str, str]:
    """The anchor of the trace of each design that breaks in a race; designs with the same trace share one."""
    anchors: dict[tuple[Step, ...], str] = {}
    return {
        variant: anchors.setdefault(one.verdict.findings[0].trace.steps, f"trace-{slug(variant)}")
        for variant, one in found.items()
        if one.verdict.findings
    }


def _cell(race: str, one: Checked, trace_of: Mapping[str, str]) -> Entry:
    """Violations lead to their trace."""
    verdict = one.verdict
    if verdict.verdict == VIOLATION:
        text = f"{verdict.property} {verdict.findings[0].trace.length} steps"
        return Entry(text, tone=BAD, href=f"{race_page(race)}#{trace_of[verdict.variant]}")
    tone = OPEN if verdict.vacuous else _TONES[verdict.verdict]
    return Entry(f"{verdict.verdict}{'*' if verdict.vacuous else ''}", tone=tone)


def _race(name: str, found: Mapping[str, Checked], designs: Mapping[str, str], files: Files) -> str:
    race = next(iter(found.values())).case.race
    broken = {variant: one for variant, one in found.items() if one.verdict.verdict == VIOLATION}
    anchors = _traces(found)
    rows = tuple(
        (
            Entry(variant, href=designs.get(variant, "")), _here(one, anchors),
            Entry(count_text(one.verdict.states), key=one.verdict.states),
        )
        for variant, one in sorted(found.items(), key=lambda item: item[0] not in broken)
    )  # fmt: skip
    traces = tuple(
        _trace(
            [name for name, anchor in anchors.items() if anchor == ident], broken, ident, files, number == 0
        )
        for number, ident in enumerate(dict.fromkeys(anchors.values()))
    )
    sections = [
        PageSection("race", "What it is", tuple(race_parts(race))),
        PageSection("designs", "Designs in it", (Grid("", ("design", "verdict", "states"), rows),)),
    ]
    if traces:
        sections.append(PageSection("traces", "How it breaks", traces))
    check = Command("Again:", files.check(name))
    sections.append(PageSection("again", "Search it again", (check,)))
    tone = BAD if broken else GOOD if all(o.verdict.verdict == SAFE for o in found.values()) else OPEN
    text = f"{len(broken)} of {len(found)} designs break in it" if broken else "no design breaks in it"
    return _page(name, sections, deep=True, said=(Said("Safe:", ((text, tone),)),))


def _here(one: Checked, trace_of: Mapping[str, str]) -> Entry:
    verdict = one.verdict
    if verdict.verdict == VIOLATION:
        text = f"{verdict.property}: {PROPERTIES[verdict.property].text}"
        return Entry(text, tone=BAD, href=f"#{trace_of[verdict.variant]}")
    more = verdict.why or (f"never reached: {', '.join(verdict.vacuous)}" if verdict.vacuous else "")
    tone = OPEN if verdict.vacuous else _TONES[verdict.verdict]
    return Entry(verdict.verdict, (more,) if more else (), tone=tone)


def _trace(
    names: Sequence[str], broken: Mapping[str, Checked], ident: str, files: Files, is_open: bool
) -> TraceView:
    """The trace that some designs share."""
    first = broken[names[0]]
    finding = first.verdict.findings[0]
    steps = plural(finding.trace.length, "step")
    title = f"{', '.join(names)}: {finding.property}, {finding.text}, in {steps}"
    again = files.replay(first.case.race_name, finding.token)
    return TraceView(ident, title, finding.trace, again, is_open)


def race_parts(race: Race) -> Iterator[PagePart]:
    """Who runs against whom, from which start, and what it is about."""
    facts = [Item("Title:", race.title), Item("Source:", race.source or "none given")]
    if race.description:
        facts.append(Item("Description:", " ".join(race.description.split())))
    for actor in race.actor:
        program = "; ".join(map(statement_text, actor.program))
        facts.append(Item(f"{actor.count} x {actor.name}:", program))
    for vma in race.vma:
        backing = f"{vma.sharing} mapping of {vma.file}" if vma.file else "anonymous memory"
        facts.append(Item(f"vma {vma.name}:", f"pages {vma.start} to {vma.end - 1}, {backing}, {vma.prot}"))
    yield Items(tuple(facts))
    if race.properties:
        yield Text("It is about these properties; every one is checked:")
        yield Items(tuple(Item(f"{name}:", PROPERTIES[name].text) for name in race.properties))


# --- bugs ----------------------------------------------------------------------------------------


def bug_pages(
    checked: Sequence[Checked], bugs: Mapping[str, Twin], firsts: Mapping[str, FirstBad], sources: Sources,
    pages: Collection[str], files: Files,
) -> Iterator[tuple[str, str]]:  # fmt: skip
    """The table of bugs, and a page per bug: what it is, how it breaks, and what mends it.

    ``firsts``: by twin; ``pages``: those of designs and races that there are.
    """
    by_twin: dict[str, dict[bool, Checked]] = {}
    for one in checked:
        by_twin.setdefault(one.case.twin, {})[one.verdict.variant == one.case.twin] = one
    rows = []
    for name, found in by_twin.items():
        twin, first = bugs[name], firsts.get(name)
        broken = found[True]
        trace = f"{bug_page(name)}#trace-{slug(name)}" if broken.verdict.findings else ""
        rows.append(
            (
                Entry(twin.bug, (twin.title,), href=bug_page(name)),
                _led(twin.fixed, design_page(twin.fixed), pages, ""),
                Entry(_short(broken), tone=_tone(broken), href=trace),
                _first(twin, first),
                _source(twin.source),
                Entry(_short(found[False]) if False in found else "", tone=_tone(found.get(False))),
            )
        )
        yield bug_page(name), _bug(twin, found, first, sources, pages, files)
    headers = ("bug", "in", "breaks", "first bad patch", "source", "without it")
    parts = (Grid("Published bugs, put back into designs", headers, tuple(rows)),) if rows else ()
    yield BUGS, _page("Bugs", (PageSection("bugs", "Bugs", parts),) if parts else (), deep=False)


def _first(twin: Twin, first: FirstBad | None) -> Entry:
    """The patch, or the design if that is of no series; a control has none."""
    if first is None:
        return Entry(twin.fixed, ("the whole design",)) if twin.prop else Entry("none", ("a control",))
    return Entry(first.stack, (first.patch.title if first.patch else "without any patch of the series",))


def _first_item(twin: Twin, first: FirstBad | None) -> Item:
    """The patch in words, and how it was found."""
    label = "First bad patch:"
    if first is None:
        why = f"{twin.fixed} is no stack of a series' patches" if twin.prop else "none: it is a control"
        return Item(label, why)
    tried = f"the bug was put into each prefix of the series, of which {first.tried} differ"
    if first.patch is None:
        said = f"none: {first.stack}, which has no patch of the series, breaks too; {tried}"
    else:
        said = f"{first.stack}, {first.patch.title} ({first.patch.source}): {tried}"
    return Item(label, said)


def _led(name: str, page: str, pages: Collection[str], root: str) -> Entry:
    """A name that leads to its page, if there is one."""
    return Entry(name, href=root + page if page in pages else "")


def _source(source: str) -> Entry:
    """A commit leads to the kernel's repository; message ids and addresses are links anyway."""
    is_commit = re.fullmatch("[0-9a-f]{12,40}", source)
    return Entry(source, href=f"https://git.kernel.org/linus/{source}" if is_commit else "")


def _short(one: Checked) -> str:
    verdict = one.verdict
    return (
        f"{verdict.property}, {verdict.findings[0].trace.length} steps"
        if verdict.findings
        else verdict.verdict
    )


def _tone(one: Checked | None) -> str:
    return _TONES[one.verdict.verdict] if one is not None else ""


def _bug(
    twin: Twin, found: Mapping[bool, Checked], first: FirstBad | None, sources: Sources,
    pages: Collection[str], files: Files,
) -> str:  # fmt: skip
    broken = found[True]
    facts = [
        Item("Bug:", f"{twin.bug}, {twin.title}"), Item("Source:", twin.source),
        *([Item("Description:", twin.description)] if twin.description else []),
        Item("Race:", f"{broken.case.race_name}, {broken.case.race.title}"),
        *([Item("Memory model:", twin.memory)] if twin.memory != "sc" else []),
        _first_item(twin, first),
    ]  # fmt: skip
    mended = [(_of_class(patch, "the bug adds it", sources)) for patch in twin.patches]
    mended += [(_of_class(patch, "the bug leaves it out", sources)) for patch in twin.without]
    race = broken.case.race_name
    leads = _led(race, race_page(race), pages, "../"), _led(twin.fixed, design_page(twin.fixed), pages, "../")
    more = Grid("", ("race", "design without it", "source"), ((*leads, _source(twin.source)),))
    again = (Command("Again:", files.bisect(first.whole, twin.name)),) if first is not None else ()
    sections = [PageSection("bug", "What it is", (Items(tuple(facts)), *again, more))]
    if broken.verdict.findings:
        sections.append(
            PageSection(
                "trace",
                "How it breaks",
                (_trace([twin.name], {twin.name: broken}, f"trace-{slug(twin.name)}", files, True),),
            )
        )
    fix: list[PagePart] = [Grid("", ("class", "what", "at"), tuple(mended))] if mended else []
    if False in found:
        fix.append(
            Text(f"{twin.fixed}, which does not have the bug, is {_short(found[False])} in this race.")
        )
    if fix:
        sections.append(PageSection("fix", "What makes the difference", tuple(fix)))
    said = (Said(f"{twin.name}:", ((_short(broken), _tone(broken)),)),)
    return _page(f"{twin.bug} in {twin.fixed}", sections, deep=True, said=said)


def _of_class(patch: type, what: str, sources: Sources) -> tuple[Entry, ...]:
    place = sources.place(patch)
    where = Entry(str(place), href=place.href) if place else Entry("")
    doc = (patch.__doc__ or "").strip().split("\n")[0]
    return Entry(patch.__name__, (doc,) if doc else ()), Entry(what), where
