"""The shipped scenarios, races and machines, and the metrics, a table each."""

from __future__ import annotations

from docs._ext.markdown import plain, source, table
from spfvar.comparison.metrics import METRICS
from spfvar.matrix import catalogue


def scenarios() -> str:
    """Loads: what they do, and the axes that --set and --threads change."""
    found = catalogue.scenarios()
    rows = []
    for name in found.names():
        one = found[name]
        axes = [f"`{axis}` = {', '.join(map(str, axes.values))}" for axis, axes in one.axes.items()]
        rows.append([f"`{name}`", plain(one.title), plain("; ".join(axes)), source(one.source)])
    return (
        "# Scenarios\n\n`spfvar show NAME` explains one; with `--format toml` it prints the file, "
        "to start your own from.\n\n"
        + table(["Scenario", "", "Axes and their default values", "Source"], rows)
    )


def races() -> str:
    """Races: who runs against whom."""
    found = catalogue.races()
    rows = [
        [f"`{name}`", plain(found[name].title), str(found[name].threads), ", ".join(found[name].properties),
         source(found[name].source)]
        for name in found.names()
    ]  # fmt: skip
    return (
        "# Races\n\nSmall programs that `spfvar check` explores in full. `spfvar show NAME` explains one.\n\n"
        + table(["Race", "", "Threads", "About", "Source"], rows)
    )


def hardware() -> str:
    """Machines: size, and which figures were fitted."""
    found = catalogue.hardware()
    rows = [
        [f"`{name}`", plain(found[name].title), str(found[name].cpus), plain(", ".join(found[name].fitted)),
         plain(found[name].source)]
        for name in found.names()
    ]  # fmt: skip
    return "# Hardware profiles\n\n[Fidelity](../fidelity.md) says how far to trust each.\n\n" + table(
        ["Profile", "", "CPUs", "Fitted figures", "Source"], rows
    )


def metrics() -> str:
    """Metrics: direction and noise, which are data."""
    rows = [
        [f"`{m.name}`", plain(m.doc), plain(m.unit), m.better, f"{m.noise:.0%}", "yes" if m.outcome else ""]
        for m in METRICS.values()
    ]
    return (
        "# Metrics\n\nA difference within the noise is called *same*, however sure it is. Only "
        "outcomes, which users feel, compete for the worst and best cell; the others explain.\n\n"
        + table(["Metric", "", "Unit", "Better", "Noise", "Outcome"], rows)
    )
