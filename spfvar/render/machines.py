"""One comparison on several machines: what is said of them together, as data; layouts are in `across`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from spfvar.comparison.across import Differing, differing
from spfvar.comparison.metrics import METRICS, Metric, Thresholds
from spfvar.render.blocks import Block
from spfvar.render.digest import Digest, Entry, digest_of
from spfvar.render.meta import Meta


@dataclass(frozen=True, slots=True)
class OnMachine:
    """A comparison on one machine: frames as made by `spfvar.comparison.stats`, and where they come from."""

    meta: Meta
    cells: pd.DataFrame
    comparisons: pd.DataFrame
    events: pd.DataFrame

    @property
    def machine(self) -> str:
        """Its name."""
        return self.meta.hardware


@dataclass(frozen=True, slots=True)
class Ends:
    """The cells of a load on a machine where a variant loses most and gains most."""

    worst: Entry
    best: Entry


@dataclass(frozen=True, slots=True)
class Somewhere:
    """A cell of a machine."""

    machine: str
    entry: Entry


@dataclass(frozen=True, slots=True)
class Everywhere:
    """What there is to say of a variant on all machines.

    ``gains``: of each load where it is better the largest gain on each machine that has one; first the
    loads with most machines, and of these the one whose smallest gain is largest.  ``losses``: of each
    load where it is WORSE on some machine the largest loss, and on how many machines it is.
    ``hidden``: the largest loss of each other outcome.  ``differ``: where its sign depends on the
    machine, of the shown metric.  ``loads``: how many have a verdict on some machine.
    """

    variant: str
    gains: tuple[tuple[Somewhere, ...], ...]
    losses: tuple[tuple[Somewhere, int], ...]
    hidden: tuple[Somewhere, ...]
    differ: tuple[Differing, ...]
    loads: int


@dataclass(frozen=True, slots=True)
class Across:
    """A comparison on several machines, in short and of one metric.

    ``rows``: by variant and load, of each machine that has the load, the ends of its ratios over thread
    counts.  ``columns``: the thread counts of each machine.
    """

    machines: tuple[str, ...]
    baseline: str
    metric: Metric
    variants: tuple[str, ...]
    noise: tuple[float, float]
    columns: Mapping[str, tuple[str, ...]]
    claims: tuple[Everywhere, ...]
    rows: Mapping[str, Mapping[str, Mapping[str, Ends]]]
    depends: Mapping[str, tuple[tuple[str, int], ...]]


def across_of(
    runs: Sequence[OnMachine], metric: Metric, variants: Sequence[str], thresholds: Thresholds
) -> Across:
    """What comparisons of the same variants and loads on several machines say together."""
    baseline = runs[0].meta.baseline
    digests = {
        run.machine: digest_of(
            run.comparisons, baseline=baseline, metric=metric, variants=variants, thresholds=thresholds
        )
        for run in runs
    }
    differ = differing({run.machine: of_metric(run.comparisons, metric.name) for run in runs})
    others = [name for name in variants if name != baseline]
    return Across(
        tuple(digests),
        baseline,
        metric,
        tuple(others),
        next(iter(digests.values())).noise,
        {machine: _columns(digest) for machine, digest in digests.items()},
        tuple(_everywhere(i, name, digests, differ) for i, name in enumerate(others)),
        {name: _rows(name, digests) for name in others},
        {machine: digest.depends for machine, digest in digests.items()},
    )


def of_metric(comparisons: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rows of one metric."""
    return comparisons[comparisons["metric"] == name]


def _columns(digest: Digest) -> tuple[str, ...]:
    """The thread counts that a machine's loads have."""
    return tuple(dict.fromkeys(column for line in digest.lines for column in line.columns))


def _everywhere(
    place: int, variant: str, digests: Mapping[str, Digest], differ: Sequence[Differing]
) -> Everywhere:
    claims = {machine: digest.claims[place] for machine, digest in digests.items()}
    best: dict[str, list[Somewhere]] = {}
    worst: dict[str, list[Somewhere]] = {}
    hidden: dict[str, Somewhere] = {}
    loads: set[str] = set()
    for machine, claim in claims.items():
        loads |= {
            line.load
            for line in digests[machine].lines
            for (name, _), entry in line.entries.items()
            if name == variant and entry.verdict != "n/a"
        }
        for kept, entries in ((best, claim.gains), (worst, claim.losses)):
            for entry in entries:
                kept.setdefault(entry.load, []).append(Somewhere(machine, entry))
        for entry in claim.hidden:
            before = hidden.get(entry.metric)
            if before is None or _gain(entry) < _gain(before.entry):
                hidden[entry.metric] = Somewhere(machine, entry)
    gains = [tuple(found) for found in best.values()]
    losses = [(min(found, key=lambda one: _gain(one.entry)), len(found)) for found in worst.values()]
    order = list(METRICS)
    return Everywhere(
        variant,
        tuple(sorted(gains, key=lambda found: (-len(found), -min(_gain(one.entry) for one in found)))),
        tuple(sorted(losses, key=lambda found: _gain(found[0].entry))),
        tuple(sorted(hidden.values(), key=lambda one: order.index(one.entry.metric))),
        tuple(one for one in differ if one.variant == variant),
        len(loads),
    )


def _rows(variant: str, digests: Mapping[str, Digest]) -> dict[str, dict[str, Ends]]:
    rows: dict[str, dict[str, Ends]] = {}
    for machine, digest in digests.items():
        for line in digest.lines:
            entries = [entry for (name, _), entry in line.entries.items() if name == variant]
            if entries:
                ends = Ends(min(entries, key=_gain), max(entries, key=_gain))
                rows.setdefault(line.load, {})[machine] = ends
    return rows


def _gain(entry: Entry) -> float:
    """How much better it is; where the baseline is zero there is a verdict and no ratio."""
    if math.isnan(entry.gain):
        return {"better": math.inf, "WORSE": -math.inf}.get(entry.verdict, 0.0)
    return entry.gain or math.log(entry.ratio) if entry.ratio > 0 else entry.gain


def on_machine(block: Block, machine: str) -> Block:
    """The table of one machine."""
    return replace(block, title=f"{machine}: {block.title}")
