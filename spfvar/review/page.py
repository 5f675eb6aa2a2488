"""A review as a page: the sections of every form, with more where a page has room for more than text.

Every text of the other forms is there too.  What is added has parts of its own (`spfvar.review.pageparts`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from spfvar.comparison.metrics import METRICS
from spfvar.errors import shorten
from spfvar.explore.verdict import INCOMPLETE, SAFE, VIOLATION
from spfvar.render import units
from spfvar.render.charts import Bar, ratio_chart, scaling_chart, stacked_chart, without_equals
from spfvar.review.diff import Hunk
from spfvar.review.document import (
    KINDS,
    axis_text,
    cell_text,
    change_text,
    extreme_text,
    hunk_parts,
    interval_words,
    sections,
    tried_text,
    use_text,
)
from spfvar.review.hunks import HunkSteps
from spfvar.review.model import (
    SAME,
    Duel,
    Effect,
    GuardUse,
    LoadEffect,
    RaceOutcome,
    Reason,
    Review,
    Value,
    Violation,
)
from spfvar.review.pageparts import (
    BAD,
    GOOD,
    OPEN,
    Drawing,
    Drawings,
    Entry,
    Fold,
    Grid,
    HunkPart,
    Message,
    PagePart,
    PageSection,
    SourceLines,
    TraceView,
    grid_of,
)
from spfvar.review.parts import Beside, Command, Item, Items, Part, Section, Table, Text, TracePart
from spfvar.review.points import Figure
from spfvar.review.sensitivity import Sensitivity, sentence
from spfvar.review.speed import THROUGHPUT
from spfvar.review.words import break_words, plural, value_text

#: Lines of hunks that a page shows in all, and letters of one of them: a patch may be of any size.
HUNK_LINES = 2000
LINE = 200
TAB = 8
_TONES = {"better": GOOD, "WORSE": BAD, SAFE: GOOD, VIOLATION: BAD, INCOMPLETE: OPEN}
_RANKS = {VIOLATION: 0, INCOMPLETE: 1, SAFE: 2}
_REPLAY = "spfvar replay "
_WHY = ("lock_wait_share", "mmap_lock_share", "writer_p99")


def page_sections(review: Review) -> tuple[PageSection, ...]:
    """The whole review; the first section is the opening."""
    richer: Mapping[str, Callable[[Review, Section], Iterator[PagePart]]] = {
        "patch": _patch,
        "posted": _posted,
        "races": _races,
        "guards": _guards,
        "why": _why,
        "times": _times,
        "scaling": _scaling,
        "sensitivity": _sensitivity,
    }
    duels = {f"speed-{number}": duel for number, duel in enumerate(review.speed.duels, 1)}
    found = []
    idents = _idents(review)
    for section in sections(review, narrow=False):
        parts: Sequence[PagePart] = section.parts
        if section.key in duels:
            parts = tuple(_duel(duels[section.key], section))
        elif section.key in richer:
            parts = tuple(richer[section.key](review, section))
        drawn = (_drawn(part, section.key, number, idents) for number, part in enumerate(parts, 1))
        found.append(PageSection(section.key, section.title, tuple(drawn)))
    return tuple(found)


def _drawn(part: PagePart, key: str, number: int, idents: Mapping[str, str]) -> PagePart:
    """Tables as grids, traces with the state beside them; also where the other forms have only a token."""
    if isinstance(part, Table):
        return grid_of(part.block)
    if isinstance(part, TracePart):
        return TraceView(
            idents.get(part.replay, f"{key}-trace-{number}"), part.title, part.trace, part.replay
        )
    return part


def _idents(review: Review) -> dict[str, str]:
    """The anchors of traces, by the commands that replay them."""
    return {
        f"{_REPLAY}{found.token}": f"trace-{number}"
        for number, found in enumerate(review.safety.violations, 1)
    }


# --- the patch -----------------------------------------------------------------------------------


def _patch(review: Review, section: Section) -> Iterator[PagePart]:
    """Who, what and where; what the mail says; each hunk beside the steps without and with the patch."""
    if review.patch is None:
        yield from section.parts
        return
    yield section.parts[0]
    message = review.patch.mail.message.strip()
    if message:
        yield Fold("What the patch says", (Message(tuple(map(_shown, message.split("\n")))),))
    room = HUNK_LINES
    shown: set[Part] = set()
    for number, steps in enumerate(review.patch.hunks):
        if not room:
            yield Text(f"{plural(len(review.patch.hunks) - number, 'more hunk')}: not shown here.")
            break
        parts = hunk_parts(steps)
        drawn: list[PagePart] = [_new(part, shown) for part in parts]
        if steps.hooks:
            drawn.insert(1, _contracts(steps))
        yield _hunk(steps.hunk, tuple(drawn), room)
        shown.update(parts)
        room -= min(room, len(steps.hunk.lines))


def _new(part: Part, shown: Collection[Part]) -> Part:
    """Steps once: hunks of one function touch the same."""
    return Text("These steps are shown above.") if isinstance(part, Beside) and part in shown else part


def _contracts(steps: HunkSteps) -> Fold:
    """What the hook points of a hunk are for."""
    items = tuple(Item(f"{hook.touch.hook}():", " ".join(hook.doc.split())) for hook in steps.hooks)
    return Fold("What these hook points are", (Items(items),))


def _hunk(hunk: Hunk, parts: tuple[PagePart, ...], room: int) -> HunkPart:
    lines = tuple((line.kind, _shown(line.text)) for line in hunk.lines[:room])
    return HunkPart(_shown(hunk.header), lines, len(hunk.lines) - len(lines), parts)


def _shown(line: str) -> str:
    return shorten(line.expandtabs(TAB).rstrip(), LINE)


# --- safety --------------------------------------------------------------------------------------


def _posted(review: Review, section: Section) -> Iterator[PagePart]:
    """What breaks without the repairs: by property, then race by race, each with its trace."""
    posted = review.posted
    names = [posted.name] if posted is not None else []
    parts = _with_traces(review, section.parts, names)
    grid = _matrix(review, names, safe=False)
    for part in parts:
        if grid is not None and isinstance(part, TracePart | TraceView):
            yield grid
            grid = None
        yield part


def _races(review: Review, section: Section) -> Iterator[PagePart]:
    """What breaks or is open, each with its trace; what is safe everywhere is folded away."""
    names = [review.variant.name, *(rival.name for rival in review.rivals)]
    broken, safe = _matrix(review, names, safe=False), _matrix(review, names, safe=True)
    if broken is not None:
        yield broken
    if safe is not None:
        all_of_them = "No race breaks: " if broken is None else ""
        races = plural(len(safe.rows), "race")
        yield Fold(f"{all_of_them}{races}, safe under {', '.join(names)}", (safe,))
    rest = tuple(part for part in section.parts if not isinstance(part, Table))
    yield from _with_traces(review, rest, names)


def _matrix(review: Review, names: Sequence[str], safe: bool) -> Grid | None:
    """Races by variants: those that are safe under all of these, or the others, the worst first."""
    safety = review.safety
    cells = {(outcome.race, outcome.variant): outcome for outcome in safety.outcomes}
    traces = {
        (found.variant, found.race): _idents(review)[f"{_REPLAY}{found.token}"]
        for found in reversed(safety.violations)
    }
    rows = []
    for race, title in safety.races.items():
        outcomes = [cells[race, name] for name in names if (race, name) in cells]
        if outcomes and all(o.verdict == SAFE and not o.vacuous for o in outcomes) == safe:
            entries = [_outcome(one, traces.get((one.variant, race), "")) for one in outcomes]
            rows.append((Entry(race, (title,)), *entries))
    if not rows:
        return None
    if not safe:
        rows.sort(key=lambda row: min(entry.key or 0.0 for entry in row[1:]))
    caption = "Races, and what a search of every interleaving found"
    return Grid(caption if safe else f"{caption}: the worst first", ("race", *names), tuple(rows))


def _with_traces(review: Review, parts: Sequence[Part], names: Sequence[str]) -> Iterator[PagePart]:
    """A trace for each token, and for each violation that the other forms only count."""
    idents = _idents(review)
    known = {f"{_REPLAY}{found.token}": found for found in review.safety.violations if found.variant in names}
    left = dict(known)
    for part in parts:
        shown = part
        if isinstance(part, TracePart):
            left.pop(part.replay, None)
        elif isinstance(part, Command) and (found := left.pop(part.command, None)) is not None:
            yield TraceView(idents[part.command], part.label, found.trace, part.command, False)
            continue
        elif isinstance(part, Command) and left and part is parts[-1]:
            yield from _others(left, idents)
            left = {}
        yield shown
    yield from _others(left, idents)


def _others(left: Mapping[str, Violation], idents: Mapping[str, str]) -> Iterator[TraceView]:
    for replay, found in left.items():
        title = f"{found.race}: {found.property}, {plural(found.trace.length, 'step')}"
        yield TraceView(idents[replay], title, found.trace, replay, False)


def _outcome(outcome: RaceOutcome, trace: str = "") -> Entry:
    """Violations first, the shortest on top; then what is open; then by the number of states."""
    size = outcome.steps if outcome.verdict == VIOLATION else outcome.states
    tone = OPEN if outcome.vacuous else _TONES[outcome.verdict]
    key = 1e12 * _RANKS[outcome.verdict] + size
    return Entry(cell_text(outcome), key=key, tone=tone, href=f"#{trace}" if trace else "")


def _guards(review: Review, section: Section) -> Iterator[PagePart]:
    """The patch's own guards, then those of what it is stacked on; the properties are the last list."""
    places = _places(review.safety.guards)
    for is_own in (True, False):
        guards = [guard for guard in review.safety.guards if guard.is_of_patch is is_own]
        if not guards:
            continue
        caption = "Guards of what it is stacked on:"
        if is_own:
            whose = "The patch's own guards" if review.patch is not None else "The variant's guards"
            caption = f"{whose}, and what breaks when one is taken out:"
        rows = tuple(_guard(guard, review.safety.races, places) for guard in guards)
        yield Grid(caption, ("guard", "without it", "steps", "needed in", "patch", "at"), rows)
    if any(guard.breaks for guard in review.safety.guards):
        yield section.parts[-1]
    excerpts = {places[guard.where]: guard for guard in review.safety.guards if guard.where in places}
    if excerpts:
        shown = [part for prefix, guard in excerpts.items() for part in _excerpt(prefix, guard)]
        yield Fold("Where the guards are written", tuple(shown))


def _places(guards: Sequence[GuardUse]) -> dict[str, str]:
    """What the anchors of lines begin with, by where guards are written, as far as the source is known."""
    wheres = dict.fromkeys(guard.where for guard in guards if guard.excerpt)
    return {where: f"source-{number}-" for number, where in enumerate(wheres, 1)}


def _excerpt(prefix: str, guard: GuardUse) -> Iterator[PagePart]:
    yield Text(f"{guard.where}, {guard.function}():")
    yield SourceLines(guard.where, tuple(map(_shown, guard.excerpt)), guard.first, prefix)


def _guard(guard: GuardUse, titles: Mapping[str, str], places: Mapping[str, str]) -> tuple[Entry, ...]:
    line = guard.where.rpartition(":")[2]
    needed, races = len(guard.breaks), len(guard.breaks) + len(guard.holds) + len(guard.incomplete)
    left = f", {len(guard.left)} not searched" if guard.left else ""
    first = guard.breaks[0] if guard.breaks else None
    more: tuple[str, ...] = ()
    if first is not None:
        about = f"{first.race}: {titles[first.race]}"
        more = (about, *(break_words(found) for found in guard.breaks[1:])) if guard.is_of_patch else ()
    return (
        Entry(f"{guard.function}(), {guard.kind}: {guard.name}"),
        Entry(use_text(guard), more),
        Entry(str(first.steps) if first else "", key=first.steps if first else math.nan),
        Entry(f"{needed} of {plural(races, 'race')}{left}", key=needed),
        Entry(guard.layer.doc or guard.layer.name or "shared paths:"),
        Entry(guard.where, href=f"#{places[guard.where]}{line}" if guard.where in places else ""),
    )


# --- speed ---------------------------------------------------------------------------------------


def _duel(duel: Duel, section: Section) -> Iterator[PagePart]:
    """Every load, what differs as bars, and every cell folded away."""
    metric = METRICS[THROUGHPUT]
    loads = [load for kind in KINDS for load in duel.where(kind)]
    if loads:
        yield Grid(
            f"{metric.title}, ratio to {duel.rival} and {interval_words(duel)}, at how many threads",
            ("load", "effect", "worst", "best"), tuple(map(_load, loads)),
        )  # fmt: skip
    bars = [bar for load in loads if load.kind != SAME for bar in _bars(load)]
    if bars:
        svg = ratio_chart(bars, title=f"{metric.title}, ratio to {duel.rival}", ident=f"{section.key}-bars")
        yield Drawings((Drawing(svg, f"Where the {metric.title} differ from {duel.rival}'s"),))
    yield from (part for part in section.parts if not isinstance(part, Table))
    cells = _cells(duel)
    yield Fold(f"Every cell against {duel.rival} ({len(cells.rows)})", (cells,))


def _load(load: LoadEffect) -> tuple[Entry, ...]:
    extremes = (
        Entry(extreme_text(effect), key=effect.ratio, tone=_TONES.get(effect.verdict, ""))
        for effect in (load.worst, load.best)
    )
    rank = list(KINDS).index(load.kind)
    return Entry(load.scenario, (load.title,)), Entry(KINDS[load.kind], key=rank), *extremes


def _bars(load: LoadEffect) -> Iterator[Bar]:
    """The worst and the best cell, where they differ from the rival's."""
    for word, effect in (("worst", load.worst), ("best", load.best)):
        if effect.verdict in _TONES:
            label = f"{load.scenario}, {word}, {plural(effect.threads, 'thread')}"
            yield Bar(label, effect.ratio, effect.ratio_low, effect.ratio_high, effect.verdict)


def _cells(duel: Duel) -> Grid:
    """All that has a value, with the axes that differ within the load."""
    values: dict[tuple[str, str], set[Value]] = {}
    for effect in duel.effects:
        for name, value in effect.axes.items():
            values.setdefault((effect.scenario, name), set()).add(value)
    several = {key for key, found in values.items() if len(found) > 1}
    headers = ("load", "at", "metric", "ratio", "95 % interval", "variant", duel.rival, "verdict")
    found = [one for one in duel.effects if not (math.isnan(one.value) and math.isnan(one.rival_value))]
    return Grid("Ratios, and values of both", headers, tuple(_cell(effect, several) for effect in found))


def _cell(effect: Effect, several: Collection[tuple[str, str]]) -> tuple[Entry, ...]:
    ends = [units.ratio(end) for end in (effect.ratio_low, effect.ratio_high)]
    axes = ", ".join(
        f"{name}={axis_text(value)}"
        for name, value in effect.axes.items()
        if name == "threads" or (effect.scenario, name) in several
    )
    return (
        Entry(effect.scenario),
        Entry(axes, key=effect.threads),
        Entry(METRICS[effect.metric].title),
        Entry(units.ratio(effect.ratio), key=effect.ratio),
        Entry(f"{ends[0]} to {ends[1]}" if all(ends) else "", key=effect.ratio_low),
        Entry(value_text(effect.value, effect.metric), key=effect.value),
        Entry(value_text(effect.rival_value, effect.metric), key=effect.rival_value),
        Entry(effect.verdict, tone=_TONES.get(effect.verdict, "")),
    )


def _why(review: Review, section: Section) -> Iterator[PagePart]:
    """Sorted by what the reviewed variant has."""
    for part in section.parts:
        if isinstance(part, Table):
            headers = (*part.block.stub_headers, *part.block.headers)
            rows = tuple(_reason(reason, review) for reason in review.speed.reasons)
            yield Grid(part.block.title, headers, rows)
        else:
            yield part


def _reason(reason: Reason, review: Review) -> tuple[Entry, ...]:
    before, after = review.rivals[0].name, review.variant.name
    changes = (
        Entry(change_text(reason, name, before, after), key=reason.metrics[name].get(after, math.nan))
        for name in _WHY
    )
    return Entry(f"{reason.scenario} ({reason.axes['threads']})"), *changes


def _times(review: Review, section: Section) -> Iterator[PagePart]:
    """A chart per load, and what makes the difference; the numbers folded away."""
    drawings = []
    for number, one in enumerate(review.speed.times, 1):
        title = f"{one.scenario}, {one.threads} threads: a fault's time"
        svg = stacked_chart(one.bars, title=title, ident=f"times-{number}")
        drawings.append(Drawing(svg, f"{title} by what it is spent on, {units.ratio(one.ratio)}"))
    yield Drawings(tuple(drawings))
    tables = [part for part in section.parts if isinstance(part, Table)]
    yield from (part for part in section.parts if not isinstance(part, Table))
    yield Fold("The same in numbers", tuple(grid_of(part.block) for part in tables))


def _scaling(review: Review, section: Section) -> Iterator[PagePart]:
    """A chart per load; the numbers folded away."""
    drawings = []
    for number, chart in enumerate(review.speed.charts, 1):
        name = chart.scenario + chart.subtitle
        svg = scaling_chart(without_equals(chart.curves), chart.metric, title=name, ident=f"scaling-{number}")
        drawings.append(Drawing(svg, f"{name}: {chart.title}"))
    yield Text(
        "Bands: where 95 % of such machines lie, by the draws of the machine's figures."
        if review.provenance.draws
        else "Bands: 95 % confidence intervals over the seeds."
    )
    yield Drawings(tuple(drawings))
    tables = (grid_of(part.block) if isinstance(part, Table) else part for part in section.parts)
    yield Fold("The same in numbers", tuple(tables))


# --- sensitivity ---------------------------------------------------------------------------------


def _sensitivity(review: Review, section: Section) -> Iterator[PagePart]:
    """What flips the verdict; every assumption that was moved is folded away."""
    yield from section.parts
    rows = tuple(_moved(one) for one in review.sensitivity)
    headers = ("load", "assumption", "verdicts", "moved", "ratios")
    yield Fold("Every assumption that was moved", (Grid("Each moved alone", headers, rows),))


def _moved(found: Sensitivity) -> tuple[Entry, ...]:
    return (
        Entry(found.scenario),
        Entry(found.axis, (found.doc,) if found.doc else ()),
        Entry(sentence(found), tone=OPEN if found.flips else ""),
        Entry(tried_text(found)),
        Entry(", ".join(map(_figure, found.tried)), key=found.default.ratio),
    )


def _figure(figure: Figure) -> str:
    return f"{units.ratio(figure.ratio) or units.NOT_AVAILABLE} at {axis_text(figure.value)}"
