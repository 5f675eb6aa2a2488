"""What a ratio depends on: the figure of a machine that goes with it from draw to draw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from spfvar.comparison import student
from spfvar.comparison.stats import KEY, WARNING_SEPARATOR

FloatArray = npt.NDArray[np.float64]

#: Verdicts that the machine's figures leave open.
OPEN: Final = ("likely better", "likely WORSE", "unsure")
#: Of many figures one goes with anything by chance: so rarely may the first of all of them.
CHANCE: Final = 0.05
_FEWEST: Final = 4
#: What a remark begins with.
REMARK: Final = "depends on the machine's figures: "


@dataclass(frozen=True, slots=True)
class Dependence:
    """A figure, and its rank correlation (Spearman) with the ratio over the draws."""

    figure: str
    rho: float

    def __str__(self) -> str:
        more = "more" if self.rho > 0 else "less"
        return f"{more} with {self.figure} (rank correlation {self.rho:+.2f})"


def figures_of(warnings: Iterable[object]) -> list[tuple[str, int]]:
    """The figures that remarks name, each with the number of its cells, the most frequent first."""
    figures: Counter[str] = Counter()
    for warning in warnings:
        _, found, text = str(warning).partition(REMARK)
        if found:
            figures[text.split(" with ")[1].split(" ")[0]] += 1
    return figures.most_common()


def leading(ratios: Sequence[float], figures: Sequence[str], factors: FloatArray) -> Dependence | None:
    """The figure with the largest rank correlation, if chance would not give it.

    ``factors`` has the shape (draws, figures), ``ratios`` one entry per draw.  Chance: Student's t for a
    rank correlation, times the number of figures (Bonferroni) at most `CHANCE`.
    """
    return _leading(ratios, figures, ranked(factors))


def _leading(ratios: Sequence[float], figures: Sequence[str], ranks: FloatArray) -> Dependence | None:
    n = len(ratios)
    if n < _FEWEST:
        return None
    rho = (ranks * ranked(np.asarray(ratios, dtype=np.float64)[:, None])).mean(axis=0)
    best = int(np.argmax(np.abs(rho)))
    rest = max(1.0 - rho[best] ** 2, 1e-12)
    t = np.abs(rho[best : best + 1]) * np.sqrt((n - 2) / rest)
    chance = float(student.beyond(t, np.array([n - 2]))[0]) * len(figures)
    return Dependence(figures[best], float(rho[best])) if chance <= CHANCE else None


def ranked(columns: FloatArray) -> FloatArray:
    """Ranks by column, with mean 0 and deviation 1; equal numbers share theirs, all of a column have 0."""
    ranks = np.empty_like(columns)
    for column, of_column in zip(columns.T, ranks.T, strict=True):
        _, group, counts = np.unique(column, return_inverse=True, return_counts=True)
        of_column[:] = (np.cumsum(counts) - (counts + 1) / 2)[group]
    ranks -= ranks.mean(axis=0)
    spread = ranks.std(axis=0)
    return np.asarray(ranks / np.where(spread > 0, spread, 1.0), dtype=np.float64)


def with_dependences(
    comparisons: pd.DataFrame,
    samples: pd.DataFrame,
    baseline: str,
    figures: Sequence[str],
    by_seed: Mapping[int, Sequence[float]],
) -> pd.DataFrame:
    """Comparisons with a remark wherever one of the machine's figures leaves the verdict open.

    ``comparisons`` and ``samples`` are those of `spfvar.comparison.stats`; ``by_seed`` has the factors of
    the draw that each seed was run with.
    """
    places = np.flatnonzero(comparisons["verdict"].isin(OPEN))
    keys = list(comparisons.iloc[places][KEY].itertuples(index=False, name=None))
    values: dict[tuple[str, ...], dict[int, float]] = {
        key: {} for own in keys for key in (own, (baseline, *own[1:]))
    }
    cells = comparisons.iloc[places][KEY[1:]].drop_duplicates()
    there = samples.merge(cells, on=KEY[1:])  # most verdicts are not open
    columns = (there[name].tolist() for name in (*KEY, "seed", "value"))
    for variant, scenario, axes, metric, seed, value in zip(*columns, strict=True):
        if (of_cell := values.get((variant, scenario, axes, metric))) is not None:
            of_cell[seed] = value
    ranks: dict[tuple[int, ...], FloatArray] = {}
    remarks = list(comparisons["warning"])
    for at, key in zip(places, keys, strict=True):
        own, base = values[key], values[baseline, *key[1:]]
        seeds = tuple(seed for seed in own if own[seed] > 0 and base.get(seed, 0) > 0)
        if not seeds:
            continue
        if seeds not in ranks:
            ranks[seeds] = ranked(np.array([by_seed[seed] for seed in seeds], dtype=np.float64))
        found = _leading([own[seed] / base[seed] for seed in seeds], figures, ranks[seeds])
        if found is not None:
            remarks[at] = WARNING_SEPARATOR.join(filter(None, (str(remarks[at]), f"{REMARK}{found}")))
    return comparisons.assign(warning=remarks)
