"""Where the model is known to be wrong: published ratios of a profile's own machine that do not come out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Final

import pandas as pd

from spfvar.comparison.stats import WARNING_SEPARATOR
from spfvar.matrix import catalogue
from spfvar.plugins.variant import Variant
from spfvar.scenario.published import KnownOff

#: What a remark begins with.
REMARK: Final = "known to be off: "
FILE: Final = "known-off"


@cache
def shipped() -> tuple[KnownOff, ...]:
    """Those of the shipped profiles (published/known-off.toml, written by ``make fidelity``)."""
    return tuple(catalogue.published()[FILE].known_off)


def with_known_errors(
    comparisons: pd.DataFrame,
    hardware: str,
    baseline: str,
    variants: Sequence[Variant],
    known: Sequence[KnownOff] | None = None,
) -> pd.DataFrame:
    """Comparisons with a remark where a published ratio of that machine and load does not come out.

    It is that of a design, and so of every one that has all of its patches, in that order.
    """
    known = shipped() if known is None else known
    own = [one for one in known if (one.profile, one.baseline) == (hardware, baseline)]
    if not own:
        return comparisons
    meant = [{v.name for v in variants if v.name == one.design or _has(v, one.patches)} for one in own]
    remarks = list(comparisons["warning"])
    columns = comparisons[["variant", "scenario", "axes", "metric"]]
    for at, (variant, scenario, axes, metric) in enumerate(columns.itertuples(index=False, name=None)):
        for one, names in zip(own, meant, strict=True):
            if variant in names and (scenario, metric) == (one.load, one.metric) and _there(one, axes):
                remarks[at] = WARNING_SEPARATOR.join(filter(None, (remarks[at], text(one))))
    return comparisons.assign(warning=remarks)


def text(one: KnownOff) -> str:
    """The remark of a cell there."""
    first, last = one.threads
    where = f"{first} to {last}" if first < last else str(first)
    return (
        f"{REMARK}at {where} threads {one.design} against {one.baseline} is up to {abs(one.off) * 100:.0f} %"
        f" {'above' if one.off > 0 else 'below'} what was published (spfvar validate {one.row})"
    )


def _has(variant: Variant, patches: Sequence[str]) -> bool:
    """Has it all of these, in that order?"""
    rest = iter(patch.__name__ for patch in variant.patches)
    return bool(patches) and all(name in rest for name in patches)


def _there(one: KnownOff, axes: str) -> bool:
    values = json.loads(axes)
    first, last = one.threads
    there = all(str(values.get(name)) == str(value) for name, value in one.settings.items())
    return there and first <= int(values.get("threads", 0)) <= last
