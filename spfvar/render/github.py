"""Annotations for GitHub's log: lines that its runner turns into errors, warnings and notices.

The format is that of the runner's workflow commands: ``::error file=F,title=T::message``, with what would
end a property or a line escaped.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import pandas as pd

from spfvar.comparison.losses import MAYBE, Loss, beyond, losses
from spfvar.comparison.metrics import Metric
from spfvar.comparison.places import places
from spfvar.comparison.verdicts import VERDICTS
from spfvar.explore.properties import PROPERTIES
from spfvar.explore.verdict import INCOMPLETE, SAFE, VIOLATION
from spfvar.matrix.check import Checked
from spfvar.plugins.registry import Problem
from spfvar.plugins.todos import draft_remarks
from spfvar.render.meta import Meta, open_because
from spfvar.render.verdicts import cell_text
from spfvar.units import FailOn

Level = Literal["error", "warning", "notice"]
_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def annotation(level: Level, title: str, message: str, file: str | None = None) -> str:
    """One line; ``file`` is shown beside the message if it is in the change under review."""
    properties = {"file": file, "title": title}
    told = ",".join(f"{name}={text.translate(_PROPERTY)}" for name, text in properties.items() if text)
    return f"::{level} {told}::{message.translate(_DATA)}"


def file_of(own: Path | None, origin: str) -> str | None:
    """The file to blame: the user's scenario or race, or else the plugin that the variant comes from.

    Relative to the working directory, which has to be the repository's root.
    """
    path = own or (Path(origin) if origin.endswith(".py") else None)
    if path is None:
        return None
    near = os.path.relpath(path)
    return str(path) if near.startswith(os.pardir) else near


def render_comparison(
    comparisons: pd.DataFrame,
    meta: Meta,
    metrics: Mapping[str, Metric],
    failing: Sequence[Loss],
    condition: FailOn | None,
    broken: Sequence[str],
    files: Mapping[tuple[str, str], str | None],
) -> str:
    """Losses, cells that could not be run (``broken``, in words), and a summary of each variant.

    ``failing`` are the losses that meet ``condition``: they are errors, other losses in ``metrics`` warnings,
    and so is what would meet it but is unsure.
    ``files`` has the file to blame by variant and scenario.
    """
    where = places(comparisons)
    limit = f" (limit: {condition})" if condition else ""
    runs = f"{meta.seeds} {'draws' if meta.draws else 'seeds'}"
    simulated = f"SIMULATED on {meta.hardware}, {runs}, matrix {meta.matrix_hash}"

    def told(level: Level, loss: Loss, more: str) -> str:
        title = f"{loss.variant} in {where[loss.scenario, loss.axes]}"
        text = f"{loss.text(meta.baseline)}{more}. {simulated}"
        return annotation(level, title, text, files.get((loss.variant, loss.scenario)))

    lines = [annotation("error", "not run", message) for message in broken]
    lines += [told("error", loss, limit) for loss in failing]
    lines += [told("warning", loss, "") for loss in losses(comparisons, metrics) if loss not in failing]
    maybe = beyond(comparisons, condition, MAYBE) if condition else []
    lines += [told("warning", loss, f", but unsure: {open_because(draws=meta.draws)}") for loss in maybe]
    shown = comparisons[comparisons["metric"].isin(list(metrics))]
    for variant, rows in shown.groupby("variant", sort=False):
        counts = rows["verdict"].value_counts()
        words = [f"{counts[word]} {word}" for word in VERDICTS if word != "n/a" and word in counts]
        text = f"{', '.join(metrics)}: {', '.join(words) or 'nothing to compare'}. {simulated}"
        lines.append(annotation("notice", f"{variant} against {meta.baseline}", text))
    return "".join(f"{line}\n" for line in lines)


def render_checks(
    results: Sequence[Checked], problems: Sequence[Problem], files: Mapping[str, Path | None]
) -> str:
    """Violations (of twins: what was not as expected) as errors, incomplete searches as warnings.

    ``files`` has the user's file of each race, None for a shipped one.
    """
    lines = [annotation("error", f"plugin {p.origin}", p.message, file_of(None, p.origin)) for p in problems]
    for result in results:
        verdict, case = result.verdict, result.case
        title = f"{verdict.variant} in {verdict.race}"
        file = file_of(files.get(verdict.race), case.variant.origin)
        if not result.as_expected:
            text = f"expected {case.expected}, found {cell_text(verdict)}"
            lines.append(annotation("error", f"twin {title}", text, file))
        elif verdict.verdict == VIOLATION and not case.expected:
            for finding in verdict.findings:
                text = "\n".join(
                    [
                        f"{finding.property} broken in {finding.trace.length} steps: "
                        f"{PROPERTIES[finding.property].text}",
                        *finding.trace.end,
                        f"spfvar replay {finding.token}",
                    ]
                )
                lines.append(annotation("error", title, text, file))
        if verdict.verdict == INCOMPLETE:
            text = f"{verdict.why}; {verdict.states} states, depth {verdict.depth}"
            lines.append(annotation("warning", f"{title}: incomplete", text, file))
        if verdict.vacuous:
            text = f"no interleaving reached {', '.join(verdict.vacuous)}: this safe verdict says little"
            lines.append(annotation("warning", f"{title}: vacuous", text, file))
    variants = {result.case.variant.name: result.case.variant for result in results}
    lines += [annotation("warning", "draft", remark) for remark in draft_remarks(variants.values())]
    counts = [sum(r.verdict.verdict == word for r in results) for word in (SAFE, VIOLATION, INCOMPLETE)]
    text = "{} safe, {} violated, {} incomplete".format(*counts)
    if any(result.case.expected for result in results):
        text += f"; {sum(not result.as_expected for result in results)} not as expected"
    lines.append(annotation("notice", f"{len(results)} cases checked", text))
    return "".join(f"{line}\n" for line in lines)
