"""A review as sections: what is said, in which order and in which words; the same for mail and markdown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from spfvar.comparison.depends import figures_of
from spfvar.comparison.metrics import METRICS
from spfvar.explore.verdict import SAFE, VIOLATION
from spfvar.ops.properties import PROPERTIES, order
from spfvar.render import units
from spfvar.render.blocks import Block, Cell, Row
from spfvar.render.verdicts import count_text
from spfvar.render.why import difference_text
from spfvar.review.hunks import Case, HunkSteps
from spfvar.review.model import (
    HELPS,
    HURTS,
    MIXED,
    SAME,
    UNKNOWN,
    UNSURE,
    Duel,
    Effect,
    GuardUse,
    PatchReview,
    Provenance,
    RaceOutcome,
    Reason,
    Review,
    Safety,
    Subject,
    Violation,
)
from spfvar.review.parts import Beside, Command, Item, Items, Part, Section, Table, Text, TracePart
from spfvar.review.posted import posted_parts, repairs_line, repairs_words
from spfvar.review.sensitivity import Sensitivity, sentence
from spfvar.review.speed import THROUGHPUT
from spfvar.review.words import break_words, place, plural, ratio_of, spread_of

#: Loads are shown in this order, each kind with its worst first.
KINDS = {
    HURTS: "hurts",
    MIXED: "mixed",
    UNSURE: "unsure",
    SAME: "changes nothing",
    HELPS: "helps",
    UNKNOWN: "no value",
}
#: More reasons for giving up than this are only counted.
ABORTS = 3
#: More races that need a guard, or figures that a verdict depends on, are not named.
NAMED = 3


def sections(review: Review, narrow: bool) -> tuple[Section, ...]:
    """The whole review.  ``narrow``: races that are safe everywhere are listed, not tabulated."""
    found = [
        Section("verdict", "", _opening(review)),
        Section("patch", "The patch", _patch(review)),
        Section("posted", "Safety: as posted", tuple(posted_parts(review))),
        Section("races", "Safety: races", tuple(_races(review.safety, _columns(review), narrow))),
        Section("generated", "Safety: generated races", tuple(_generated(review))),
        Section("guards", "Safety: what each guard is for", tuple(_guards(review))),
        *(
            Section(f"speed-{number}", f"Speed: against {duel.rival}", tuple(_duel(duel)))
            for number, duel in enumerate(review.speed.duels, 1)
        ),
        Section("why", "Speed: why", tuple(_why(review))),
        Section("times", "Speed: where the time goes", tuple(_times(review))),
        Section("scaling", "Speed: scaling", tuple(_scaling(review))),
        Section(
            "sensitivity", f"Sensitivity{flips_against(review)}", tuple(_sensitivity(review.sensitivity))
        ),
        Section("questions", "Questions from the list", tuple(_questions(review))),
        Section(
            "limits", "What the model leaves out", (Items(tuple(Item("", text) for text in review.limits)),)
        ),
        Section("provenance", "Where the figures come from", tuple(_provenance(review))),
    ]
    return tuple(section for section in found if section.parts)


def headline(review: Review) -> str:
    """The first line: it says SIMULATED, and before that DRAFT if the variant is one."""
    draft = f"DRAFT with {plural(review.variant.todos, 'TODO')}. " if review.variant.is_draft else ""
    return draft + (
        f"SIMULATED review of {review.variant.name} on a model of {review.machine.name}: no kernel was "
        "booted, no time was measured."
    )


def verdict_items(review: Review) -> Items:
    """The verdict in three lines, and one for each further rival."""
    verdict = review.verdict
    lines = [
        *([Item("DRAFT:", draft_line(review.variant))] if review.variant.is_draft else []),
        Item("Safe:", verdict.safe),
        *([Item("Generated:", verdict.generated)] if verdict.generated else []),
        *([Item("Text:", verdict.text)] if verdict.text else []),
        Item("Worth it:", verdict.worth),
        Item("Who pays:", verdict.pays),
        *(Item("Beside:", f"{rival}: {text}") for rival, text in verdict.beside),
    ]
    if review.patch is not None and not review.patch.layers:
        lines.append(Item("Patch:", f"no part of {review.variant.name} is this patch"))
    if review.variant.repairs:
        lines.append(Item("Repairs:", repairs_line(review.variant)))
    return Items(tuple(lines))


def draft_line(variant: Subject) -> str:
    """What a draft is worth."""
    origin = f"drafted from {variant.draft}" if variant.draft else "not finished"
    if not variant.todos:
        return f"{origin}, 0 TODOs; nobody has read it beside the patch yet"
    return (
        f"{origin}, {plural(variant.todos, 'TODO')}: where a test is open, it does more than the patch will"
    )


def against(review: Review) -> str:
    """What the verdict compares with."""
    return f"Against {review.rivals[0].name}, the baseline:"


def subject_line(patch: PatchReview) -> str:
    """ "[24/37] mm: title, by Name"."""
    mail = patch.mail
    position = f"[{mail.position[0]}/{mail.position[1]}] " if mail.position is not None else ""
    author = f", by {mail.author_name}" if mail.author_name else ""
    return f"{position}{mail.title or 'a diff without a subject'}{author}"


def stat_text(patch: PatchReview) -> str:
    """ "2 files, 42 insertions, 21 deletions"."""
    stat = patch.mail.stated if patch.mail.stated is not None else patch.mail.diffstat
    counts = (stat.inserted, "insertion"), (stat.deleted, "deletion")
    texts = [plural(count, noun) for count, noun in counts if count is not None]
    return ", ".join([plural(len(patch.mail.files), "file"), *texts])


def own_guards(review: Review) -> tuple[GuardUse, ...]:
    """The guards of the patch under review."""
    return tuple(guard for guard in review.safety.guards if guard.is_of_patch)


def shown_flips(found: Sequence[Sensitivity]) -> list[Item]:
    """An item for each axis that flips the verdict."""
    return [
        Item(f"{one.scenario}:", f"{sentence(one)} ({plural(one.threads, 'thread')})")
        for one in found
        if one.flips
    ]


def flips_against(review: Review) -> str:
    """ " against RIVAL": whom the assumptions were moved against."""
    rivals = dict.fromkeys(one.rival for one in review.sensitivity)
    return f" against {', '.join(rivals)}" if rivals else ""


def _columns(review: Review) -> list[str]:
    return [review.variant.name, *(rival.name for rival in review.rivals)]


# --- opening and patch ---------------------------------------------------------------------------


def _opening(review: Review) -> tuple[Part, ...]:
    return Text(headline(review)), Text(against(review)), verdict_items(review)


def _patch(review: Review) -> tuple[Part, ...]:
    parts: list[Part] = []
    patch = review.patch
    items = []
    if patch is not None:
        mail = patch.mail
        author = f"{mail.author_name} <{mail.author_address}>" if mail.author_address else mail.author_name
        said = {
            "Subject:": mail.subject or "none",
            "From:": author,
            "Date:": mail.date,
            "Message-ID:": mail.message_id,
            "Files:": f"{', '.join(file.path for file in mail.files)} ({stat_text(patch)})",
        }
        items += [Item(label, text) for label, text in said.items() if text]
        items += [Item("Note:", text) for text in (*mail.warnings, *mail.stat_differences)]
        items += [Item("Modelled as:", f"{layer.name}, {layer.doc}") for layer in patch.layers]
    variant = review.variant
    items.append(Item("Variant:", f"{variant.name}, {variant.title} ({variant.kernel}; {variant.source})"))
    for index, rival in enumerate(review.rivals):
        label = "Baseline:" if index == 0 else "Beside:"
        mended = f", with {repairs_words(rival)} that were not posted" if rival.repairs else ""
        items.append(Item(label, f"{rival.name}, {rival.title} ({rival.kernel}; {rival.source}){mended}"))
    parts.append(Items(tuple(items)))
    if patch is not None:
        for hunk in patch.hunks:
            parts += hunk_parts(hunk)
    return tuple(parts)


def hunk_parts(steps: HunkSteps) -> list[Part]:
    """A hunk, the hook points it touches, and the steps where the patch changes them."""
    hunk = steps.hunk
    inside = f" in {', '.join(f'{name}()' for name in steps.functions)}" if steps.functions else ""
    where = f"{hunk.file}:{hunk.new_start}{inside}, +{hunk.added} -{hunk.removed}"
    if not steps.hooks:
        return [Text(f"Hunk {where}: the model has no place for what it changes.")]
    touched = ", ".join(hook.touch.hook for hook in steps.hooks)
    parts: list[Part] = [Text(f"Hunk {where}. Hook points: {touched}.")]
    for hook in steps.main:
        for case in hook.cases:
            if case.changed:
                parts += [Text(f"{hook.touch.hook}(), {_facts(case)}:"), _case(case)]
    return parts


def _facts(case: Case) -> str:
    first, *others = case.facts
    more = f" (and {plural(len(others), 'more case')})" if others else ""
    return (first or "always") + more


def _case(case: Case) -> Beside:
    return Beside("without the patch", "with it", case.before or ("(nothing)",), case.after or ("(nothing)",))


# --- safety --------------------------------------------------------------------------------------


def _races(safety: Safety, columns: Sequence[str], narrow: bool) -> Iterator[Part]:
    cells = {(outcome.race, outcome.variant): outcome for outcome in safety.outcomes}
    rows = {race: [cells[race, name] for name in columns] for race in safety.races}
    dull = [race for race, found in rows.items() if all(o.verdict == SAFE and not o.vacuous for o in found)]
    shown = [race for race in rows if not (narrow and race in dull)]
    if shown:
        yield Table(
            Block(
                "", "", ("race",), tuple(columns),
                tuple(Row((race,), tuple(Cell(cell_text(o)) for o in rows[race])) for race in shown),
                align="left", panel_columns=6,
            )
        )  # fmt: skip
    if narrow and dull:
        states = count_text(sum(outcome.states for race in dull for outcome in rows[race]))
        yield Text(
            f"Safe under {', '.join(columns)}, every interleaving ({states} states in all), "
            f"{plural(len(dull), 'race')}: {', '.join(dull)}."
        )
    elif dull:
        yield Text("safe N: every interleaving was searched, N states, and no property is violated in any.")
    yield from _remarks([outcome for outcome in safety.outcomes if outcome.variant in columns])
    yield from _traces([found for found in safety.violations if found.variant in columns])


def _generated(review: Review) -> Iterator[Part]:
    """How many, and what broke; where nothing did, how to generate more."""
    generated = review.safety.generated
    if generated is None:
        return
    name = review.variant.name
    which = "A sample of the" if generated.sample else "The"
    yield Text(
        f"{which} races of up to {generated.size} statements that processes could run, {generated.races} of "
        f"them ({count_text(generated.states)} states) under {name}, "
        + (
            f"break it in {plural(len(generated.violations), 'way')}:"
            if generated.violations
            else "break nothing."
        )
        + ("" if generated.complete else " Not every search came to its end.")
    )
    for found in generated.violations:
        yield TracePart(f"{found.race}: {found.property}, {found.text}", found.trace, "")
    again = f"spfvar hunt {name} --size {generated.size} --actors 2,3"
    if generated.violations:
        yield Command("As races for check:", f"{again} --seed 1 --races {generated.races} --save generated")
    yield Command("All of them:", again)


def _traces(violations: Sequence[Violation]) -> Iterator[Part]:
    """The shortest trace of each property that a variant violates; of the other races how to see theirs."""
    others: dict[tuple[str, str], list[Violation]] = {}
    for found in violations:
        others.setdefault((found.variant, found.property), []).append(found)
    for (variant, name), (first, *rest) in others.items():
        title = f"{variant}, {first.race}: {name}, {first.text}"
        yield TracePart(title, first.trace, f"spfvar replay {first.token}")
        if rest:
            yield Text(f"{name} of {variant} in {plural(len(rest), 'more race')}:")
        for found in rest:
            yield Command(
                f"{found.race}, {plural(found.trace.length, 'step')}:", f"spfvar replay {found.token}"
            )


def cell_text(outcome: RaceOutcome) -> str:
    """One cell of the matrix, as `spfvar check` has it."""
    if outcome.verdict == VIOLATION:
        return f"{outcome.property} {outcome.steps} steps"
    return f"{outcome.verdict}{'*' if outcome.vacuous else ''} {count_text(outcome.states)}"


def _remarks(outcomes: Sequence[RaceOutcome]) -> Iterator[Part]:
    for outcome in outcomes:
        where = f"{outcome.variant}, {outcome.race}"
        if outcome.why:
            yield Text(f"incomplete: {where}: {outcome.why}")
        if outcome.vacuous:
            yield Text(f"* vacuous: {where}: no interleaving reached {', '.join(outcome.vacuous)}")


def _guards(review: Review) -> Iterator[Part]:
    titles = review.safety.races
    own = own_guards(review)
    rest = [guard for guard in review.safety.guards if not guard.is_of_patch]
    if own:
        title = "The patch's own guards" if review.patch is not None else "The variant's guards"
        yield Text(f"{title}, and what breaks when one is taken out:")
        yield Items(tuple(_guard(guard, titles) for guard in own))
    if rest:
        yield Text("Guards of what it is stacked on:")
        for layer, guards in groupby(rest, key=lambda guard: guard.layer):
            yield Text(layer.doc or layer.name or "shared paths:")
            yield Items(tuple(_guard(guard, titles) for guard in guards))
    used = {found.property for guard in review.safety.guards for found in guard.breaks}
    if used:
        named = order(used)
        yield Items(tuple(Item(f"{name}:", PROPERTIES[name].text) for name in named))


def _guard(guard: GuardUse, titles: Mapping[str, str]) -> Item:
    """A guard; of the first race that needs it also what it is about."""
    more = [use_text(guard)]
    if guard.is_of_patch and guard.breaks:
        race = guard.breaks[0].race
        more.append(f"{race}: {titles[race]}")
    return Item(f"{guard.function}(), {guard.kind}: {guard.name}", "", tuple(more))


def use_text(guard: GuardUse) -> str:
    """What breaks without a guard, in one sentence."""
    left = f"; left open: {', '.join(guard.incomplete)}" if guard.incomplete else ""
    if not guard.breaks:
        return f"not needed in any of the races that come by it ({len(guard.holds)}){left}"
    first, *others = guard.breaks
    also = ", ".join(found.race for found in others[:NAMED])
    more = f"; also {also}" if others else ""
    if len(others) > NAMED:
        more = f"; also in {len(others)} others"
    if guard.left:
        more += f"; {len(guard.left)} more not searched"
    return break_words(first) + more + left


# --- speed ---------------------------------------------------------------------------------------


def _duel(duel: Duel) -> Iterator[Part]:
    metric = METRICS[THROUGHPUT]
    order = [load for kind in KINDS for load in duel.where(kind)]
    rows: list[Row] = []
    for kind, loads in groupby((load for load in order if load.kind != SAME), key=lambda load: load.kind):
        rows.append(Row((f"{KINDS[kind]}:",), (Cell(""), Cell(""))))
        rows += [Row((f"  {load.scenario}",), (_extreme(load.worst), _extreme(load.best))) for load in loads]
    if rows:
        yield Table(
            Block(
                "",
                f"{metric.title}, ratio to {duel.rival} and {interval_words(duel)}, at how many threads",
                ("load",), ("worst", "best"), tuple(rows), align="left",
            )
        )  # fmt: skip
    same = duel.where(SAME)
    if same:
        lowest, highest = same[0].worst, max((load.best for load in same), key=lambda effect: effect.ratio)
        spread = f"{units.ratio(lowest.ratio)} to {units.ratio(highest.ratio)}"
        yield Text(f"Changes nothing ({spread}): {', '.join(load.scenario for load in same)}.")
    depends = [
        f"{figure} ({count})"
        for figure, count in figures_of(e.remark for load in duel.loads for e in load.effects)[:NAMED]
    ]
    if depends:
        yield Text(f"Open cells depend on these figures of the machine: {', '.join(depends)}.")
    costs = [cost for cost in duel.costs if cost.metric != THROUGHPUT]
    if costs:
        yield Text(f"Latencies that are WORSE than {duel.rival}'s, the worst first:")
        yield Items(tuple(Item("", _cost(cost)) for cost in costs))


def interval_words(duel: Duel) -> str:
    """What stands behind a ratio."""
    return "where 95 % of such machines lie" if duel.of_draws else "half of its 95 % interval"


def _cost(cost: Effect) -> str:
    values = _from_to(cost.metric, cost.rival_value, cost.value)
    return f"{place(cost.scenario, cost.axes)}: {ratio_of(cost)}, {values}"


def _extreme(effect: Effect) -> Cell:
    """The same; an interval with two ends has a line of its own."""
    if not effect.of_draws:
        return Cell(extreme_text(effect))
    ratio = units.ratio(effect.ratio) or units.NOT_AVAILABLE
    ends = units.interval(effect.ratio_low, effect.ratio_high)
    return Cell(f"{ratio} {effect.verdict} at {effect.threads}", interval=f"({ends})" if ends else "")


def extreme_text(effect: Effect) -> str:
    """ "x1.99 ±0.3% better at 56"; of draws "x1.99 (1.7-2.2) better at 56"."""
    return f"{spread_of(effect)} {effect.verdict} at {effect.threads}"


def _from_to(metric: str, before: float, after: float) -> str:
    """ "82.6 -> 0.0 %", "103 -> 28.0us"; "n/a" for a side without a value."""
    unit = METRICS[metric].unit
    if unit == "share":
        return f"{_percent(before)} -> {_percent(after)} %"
    scale = units.scale_for([before, after], unit)
    return f"{scale.number(before)} -> {scale.text(after)}"


def _percent(share: float) -> str:
    return units.NOT_AVAILABLE if math.isnan(share) else f"{100 * share:.1f}"


def _why(review: Review) -> Iterator[Part]:
    if not review.speed.reasons or not review.speed.duels:
        return
    baseline = review.rivals[0].name
    rows = [
        Row(
            (f"{reason.scenario} ({reason.axes['threads']})",),
            tuple(
                Cell(change_text(reason, name, baseline, review.variant.name))
                for name in ("lock_wait_share", "mmap_lock_share", "writer_p99")
            ),
        )
        for reason in review.speed.reasons
    ]
    yield Table(
        Block(
            f"At the most threads of each load: {baseline} -> {review.variant.name}", "",
            ("load (threads)",), ("lock wait", "mmap_lock/fault", "writer p99"), tuple(rows),
            align="left",
        )
    )  # fmt: skip
    items = tuple(
        Item(f"{reason.scenario}:", _aborts(reason)) for reason in review.speed.reasons if reason.aborts
    )
    if items:
        yield Text("Why faults were done again under mmap_lock, per 1000 faults at those threads:")
        yield Items(items)


def change_text(reason: Reason, metric: str, before: str, after: str) -> str:
    """A metric of two variants, "82.6 -> 0.0 %"; "" if neither has a value."""
    values = reason.metrics[metric]
    old, new = values.get(before, math.nan), values.get(after, math.nan)
    return "" if math.isnan(old) and math.isnan(new) else _from_to(metric, old, new)


def _aborts(reason: Reason) -> str:
    shown = [f"{units.digits(abort.per_1000)} {abort.doc}" for abort in reason.aborts[:ABORTS]]
    more = len(reason.aborts) - len(shown)
    return "; ".join(shown) + (f"; {plural(more, 'more reason')}" if more else "")


def _times(review: Review) -> Iterator[Part]:
    """The loads that change most: parts of the latency as a table, and what makes the difference."""
    times = review.speed.times
    if not times:
        return
    names = [name for name, _ in times[0].bars[0].parts]
    rows = [
        Row((f"{one.scenario} ({one.threads})", bar.label), (
            Cell(f"{bar.whole:.0f}"), *(Cell(f"{ns:.0f}" if ns >= 0.5 else "-") for _, ns in bar.parts)))
        for one in times for bar in one.bars
    ]  # fmt: skip
    yield Table(
        Block(
            "Mean latency of a fault by what it is spent on, in ns", "one seed; spfvar why has every step",
            ("load", "variant"), ("ns", *names), tuple(rows), panel_columns=8,
        )
    )  # fmt: skip
    yield Items(tuple(
        Item(f"{one.scenario} ({units.ratio(one.ratio)}):", "; ".join(map(difference_text, one.differences)))
        for one in times if one.differences
    ))  # fmt: skip


def _scaling(review: Review) -> Iterator[Part]:
    charts = review.speed.charts
    if not charts:
        return
    counts = sorted({point.x for chart in charts for curve in chart.curves for point in curve.points})
    values = [point.value for chart in charts for curve in chart.curves for point in curve.points]
    metric = charts[0].metric
    scale = units.scale_for([value for value in values if value > 0], metric.unit)
    rows = []
    for chart in charts:
        for curve in chart.curves:
            found = {point.x: point.value for point in curve.points}
            cells = [Cell(scale.number(found[x]) if x in found else "") for x in counts]
            rows.append(Row((chart.scenario + chart.subtitle, curve.name), tuple(cells)))
    yield Table(
        Block(
            f"{metric.title}, in {scale.unit.strip()}",
            f"{metric.better} is better",
            ("load", "variant"), tuple(f"threads={x:g}" for x in counts), tuple(rows), panel_columns=8,
        )
    )  # fmt: skip


# --- the rest ------------------------------------------------------------------------------------


def _sensitivity(found: Sequence[Sensitivity]) -> Iterator[Part]:
    if not found:
        return
    flips = shown_flips(found)
    if flips:
        yield Text("Each assumption moved alone, the others as in the load. These flip the verdict:")
        yield Items(tuple(flips))
    steady: dict[str, list[str]] = {}
    unsure: dict[str, list[str]] = {}
    for one in found:
        if not one.flips:
            kept = steady if one.is_steady else unsure
            kept.setdefault(one.scenario, []).append(f"{one.axis} {tried_text(one)}")
    if steady:
        yield Text("These do not, at any value tried:")
        yield Items(tuple(Item(f"{scenario}:", ", ".join(axes)) for scenario, axes in steady.items()))
    if unsure:
        yield Text("These may or may not: the verdict is unsure at some value tried, or has no figure.")
        yield Items(tuple(Item(f"{scenario}:", ", ".join(axes)) for scenario, axes in unsure.items()))


def tried_text(found: Sensitivity) -> str:
    """The values that an axis was moved between: "(5us to 10ms)"."""
    low, high = found.low.value, found.high.value
    return f"({axis_text(low)})" if low == high else f"({axis_text(low)} to {axis_text(high)})"


def axis_text(value: int | float | str) -> str:
    """An axis's value as a user would write it."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _questions(review: Review) -> Iterator[Part]:
    items = []
    for answer in review.questions:
        figures = [*answer.figures, *([answer.caveat] if answer.caveat else [])]
        items.append(Item(answer.question, f"({answer.asked}, {answer.source})", tuple(figures)))
    if items:
        yield Items(tuple(items))


def _statistics(source: Provenance) -> str:
    """What a verdict goes by."""
    if source.draws:
        return (
            f"{plural(source.seeds, 'draw')} of the machine's figures, a seed each, from {source.seed}; "
            "ratios paired by draw, each cell judged by itself; better and WORSE: the interval in which 95 % "
            "of such machines lie is beyond the noise of its metric; likely: 80 % of them are; same: it is "
            "within; unsure: none of these, it depends on the machine's figures. What is wrong with the "
            "model whatever its figures is in no interval."
        )
    return (
        f"{plural(source.seeds, 'seed')} from {source.seed}, ratios paired by seed, each cell judged by "
        "itself; better and WORSE: its whole 99.9 % interval is beyond the noise of its metric; same: its "
        "95 % interval is within it; unsure: neither, more seeds may tell."
    )


def _provenance(review: Review) -> Iterator[Part]:
    machine, source = review.machine, review.provenance
    scenarios = ", ".join(f"{name} {digest}" for name, digest in source.scenario_hashes.items())
    fitted = f" Fitted: {', '.join(machine.fitted)}." if machine.fitted else " Nothing was fitted."
    yield Items(
        (
            Item("Machine:", f"{machine.name}: {machine.title}; {machine.source}."),
            Item("Fidelity:", f"{machine.fidelity or 'not known.'}{fitted}"),
            Item("Statistics:", _statistics(source)),
            Item(
                "Versions:",
                f"spfvar {source.version}, model {source.model_version}; matrix {source.matrix_hash}, races "
                f"{source.races_hash}.",
            ),
            Item("Loads:", scenarios),
            *(Item("Not run:", text) for text in review.not_run),
            *(Item("Note:", note) for note in review.notes),
        )
    )
    yield Command("Reproduce:", source.reproduce)
