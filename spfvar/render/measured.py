"""Charts of published curves beside the model's, with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from spfvar.comparison.metrics import METRICS, Metric
from spfvar.render.charts import Curve, Point, scaling_chart
from spfvar.validation.points import Rows
from spfvar.validation.scores import Scored

#: Multiples of one thread's rate are a rate in another unit.
_TIMES = replace(METRICS["faults_per_s"], title="times one thread's rate", unit="times")
#: Fewer points are no curve.
FEWEST = 4


def chart(rows: Rows, results: Sequence[Scored], ident: str) -> str:
    """The curves of one published table as an <svg> element; "" where it has none of `FEWEST` points."""
    kind = next((k for k in ("rate", "scaling") if any(one.point.kind == k for one in results)), None)
    curves: list[Curve] = []
    for design in dict.fromkeys(one.point.b.design for one in results):
        mine = [one for one in results if one.point.kind == kind and one.point.b.design == design]
        if len(mine) < FEWEST:
            continue
        published = [Point(one.point.threads, one.point.published) for one in mine]
        model = [Point(one.point.threads, one.model, one.low, one.high) for one in mine]
        curves += [Curve(f"{design}, published", tuple(published)), Curve(f"{design}, model", tuple(model))]
    if not curves:
        return ""
    metric: Metric = METRICS["faults_per_s"] if kind == "rate" else _TIMES
    point = results[0].point
    title = f"{point.row}: published and simulated, {rows.machine(point.file).title}"
    return scaling_chart(curves, metric, title=title, ident=ident)
