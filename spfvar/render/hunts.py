"""Hunts as text, markdown and JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence

from spfvar.generator.findings import Finding
from spfvar.matrix.hunting import Hunted
from spfvar.render.columns import trace_lines
from spfvar.render.paint import Paint
from spfvar.render.verdicts import count_text

WIDTH = 80
#: Functions with steps that no race came to, and open races: more are counted.
SHOWN = 12


def render_text(results: Sequence[Hunted], reproduce: str, width: int = WIDTH, paint: Paint = str) -> str:
    """What each design was put to, what broke, and by which steps."""
    parts = [*(part for one in results for part in _parts(one, width, paint))]
    parts.append(_fill(f"Reproduce: {reproduce}", width))
    return "\n\n".join(parts) + "\n"


def render_markdown(results: Sequence[Hunted], reproduce: str) -> str:
    """The same, with traces as code."""
    parts = []
    for one in results:
        parts += [f"## {one.variant}", summary(one)]
        for finding in one.findings:
            trace = "\n".join(trace_lines(finding.broken.trace, WIDTH))
            parts.append(f"### {headline(one, finding)}\n\n```\n{trace}\n```")
        parts += [f"Open: {text}" for text in one.open[:SHOWN]]
    return "\n\n".join([*parts, f"Reproduce: `{reproduce}`"]) + "\n"


def render_json(results: Sequence[Hunted]) -> str:
    """A list with one entry per design."""
    return json.dumps([one.as_dict() for one in results], indent=2) + "\n"


def summary(one: Hunted) -> str:
    """ "VARIANT: nothing found in 13341 generated races of up to 2 statements (1.04M states; ...)"."""
    found = f"{len(one.findings)} found" if one.findings else "nothing found"
    alike = f" or that are the same in {one.against}" if one.against else ""
    known = f", {one.known} races that break the other design, too, left out" if one.known else ""
    whole = (", a sample" if one.sample else "") + ("" if one.complete else ", incomplete")
    return (
        f"{one.variant}: {found} in {one.races} generated races of up to {one.size} statements{whole} "
        f"({count_text(one.states)} states; {one.same} more that it cannot tell apart{alike}{known})"
    )


def headline(one: Hunted, finding: Finding) -> str:
    """ "VARIANT, load-merge: P1 in 20 races, 54 steps (...): load next against merge map to next"."""
    races = f"{finding.races} races" if finding.races > 1 else "1 race"
    return (
        f"{one.variant}, {finding.name}: {finding.broken.property} in {races}, "
        f"{finding.broken.trace.length} steps ({finding.broken.text}): {finding.race.title}"
    )


def _parts(one: Hunted, width: int, paint: Paint) -> list[str]:
    parts = [_fill(paint(summary(one)), width)]
    for finding in one.findings:
        lines = [_fill(headline(one, finding), width), "", *trace_lines(finding.broken.trace, width)]
        parts.append("\n".join(lines))
    if one.open:
        more = f" (and {len(one.open) - SHOWN} more)" if len(one.open) > SHOWN else ""
        parts.append("\n".join(_fill(f"open: {text}", width) for text in one.open[:SHOWN]) + more)
    if one.unreached:
        parts.append("\n".join(["No race came to:", *_unreached(one, width)]))
    if one.vacuous:
        names = ", ".join(one.vacuous[:SHOWN])
        parts.append(
            _fill(f"Never happened, as it does in shipped races: {names}{_more(one.vacuous)}", width)
        )
    return parts


def _unreached(one: Hunted, width: int) -> list[str]:
    """A line for each function: its steps."""
    functions: dict[str, list[str]] = {}
    for text in one.unreached:
        function, _, step = text.partition(": ")
        functions.setdefault(function, []).append(step)
    lines = [
        textwrap.indent(_fill(f"{function}: {', '.join(steps)}", width - 2), "  ")
        for function, steps in list(functions.items())[:SHOWN]
    ]
    left = list(functions.values())[SHOWN:]
    if left:
        lines.append(f"  and {sum(map(len, left))} more steps in {len(left)} more functions")
    return lines


def _more(names: Sequence[str]) -> str:
    return f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""


def _fill(text: str, width: int) -> str:
    return "\n".join(
        textwrap.wrap(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    )
