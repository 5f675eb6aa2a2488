"""Draw docs/scaling.svg: the README's load over the numbers of threads, from a run.

python -m benchmarks.picture > docs/scaling.svg        (make picture)
"""

from __future__ import annotations

import pandas as pd

import spfvar
from spfvar.comparison.metrics import METRICS
from spfvar.render.charts import Curve, Point, scaling_chart

SCENARIO = "file-cow"
VARIANTS = ("mmap-lock", "spf-map-pages", "spf-do-fault", "per-vma-6.12")
THREADS = (1, 2, 4, 8, 16, 28, 56, 112)
METRIC = METRICS["faults_per_s"]
COLUMNS = ["threads", "value", "ci_low", "ci_high"]
#: A picture in a page of its own has no style around it, and may lie on a dark ground.
STYLE = "<style>svg{background:#fff;color:#111;font-family:sans-serif}</style>"
#: Pictures are quoted without the page that they came from.
MARK = '<text x="476" y="14" text-anchor="end" fill="currentColor">simulated</text>'


def draw(frame: pd.DataFrame) -> str:
    """The curves of a frame that spfvar.compare returned, as an SVG file."""
    rows = frame[frame["metric"] == METRIC.name]
    curves = [
        Curve(str(name), tuple(Point(*numbers) for numbers in group[COLUMNS].to_numpy(dtype=float).tolist()))
        for name, group in rows.groupby("variant", sort=False)
    ]
    title = f"{SCENARIO}, simulated on {frame.attrs['hardware']}; spfvar {spfvar.__version__}"
    svg = scaling_chart(curves, METRIC, title=title, ident="scaling")
    head, body = svg.removesuffix("</svg>").split(">", 1)
    return f"{head}>{STYLE}{body}{MARK}</svg>\n"


if __name__ == "__main__":
    print(draw(spfvar.compare(*VARIANTS, scenarios=[SCENARIO], threads=THREADS)), end="")
