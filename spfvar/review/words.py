"""How reviews spell places, metrics, ratios and guards; and lists that fit into a line."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from spfvar.comparison.metrics import METRICS
from spfvar.matrix.ablate import Break
from spfvar.render import units
from spfvar.review.model import Effect, GuardUse, Value
from spfvar.review.speed import THROUGHPUT


def metric_words(name: str) -> str:
    """ "faults/s", "writer p99": a metric in a sentence."""
    return METRICS[name].unit if name == THROUGHPUT else name.replace("_", " ")


def place(scenario: str, axes: Mapping[str, Value]) -> str:
    """ "file-cow at 56 threads"."""
    return f"{scenario} at {plural(int(axes['threads']), 'thread')}"


def plural(count: int, noun: str) -> str:
    """ "1 race", "2 races"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def ratio_of(effect: Effect) -> str:
    """ "x1.99", "x0.92 writer p99"; the metric is left out for throughput."""
    text = units.ratio(effect.ratio) or "from zero"
    return text if effect.metric == THROUGHPUT else f"{text} {metric_words(effect.metric)}"


def spread_of(effect: Effect) -> str:
    """ "x1.99 ±0.3%": a ratio with the longer half of its interval; of draws "x1.99 (1.7-2.2)", both ends."""
    if effect.of_draws:
        ends = units.interval(effect.ratio_low, effect.ratio_high)
        return (units.ratio(effect.ratio) or units.NOT_AVAILABLE) + (f" ({ends})" if ends else "")
    longer = max(effect.ratio_high - effect.ratio, effect.ratio - effect.ratio_low)
    spread = "" if math.isnan(longer) else f" ±{units.percent(longer / effect.ratio)}"
    return (units.ratio(effect.ratio) or units.NOT_AVAILABLE) + spread


def range_of(effects: Sequence[Effect]) -> str:
    """ "x1.15 to x2.49": the spread of ratios."""
    ratios = sorted(effect.ratio for effect in effects)
    low, high = units.ratio(ratios[0]), units.ratio(ratios[-1])
    return low if low == high else f"{low} to {high}"


def guard_name(guard: GuardUse) -> str:
    """ "RCU section in do_fault(): rcu_read_lock()"."""
    return f"{guard.kind} in {guard.function}(): {guard.name}"


def break_words(found: Break) -> str:
    """ "P2 in munmap-file, 73 steps: access to a recycled object"."""
    return f"{found.property} in {found.race}, {found.steps} steps: {found.what}"


def value_text(value: float, name: str) -> str:
    """A metric's value in a sentence: "48.2 %", "1.85us"."""
    unit = METRICS[name].unit
    return f"{100 * value:.1f} %" if unit == "share" else units.human(value, unit)


def fitting_with(items: Sequence[str], must: Collection[int], width: int) -> str:
    """As many of the first items as fit into ``width``, those of ``must`` always; the others are counted."""
    for room in range(len(items), -1, -1):
        kept = [item for index, item in enumerate(items) if index < room or index in must]
        left = len(items) - len(kept)
        text = ", ".join(kept) + (f" and {left} more" if left else "")
        if len(text) <= width:
            break
    return text


def fitting(items: Sequence[str], width: int, nothing: str) -> str:
    """As many items as fit into ``width``, and how many more there are; ``nothing`` for none."""
    if not items:
        return nothing
    for count in range(len(items), 0, -1):
        left = len(items) - count
        text = ", ".join(items[:count]) + (f", +{left} more" if left else "")
        if len(text) <= width:
            return text
    return f"{items[0]}, +{len(items) - 1} more"[:width]
