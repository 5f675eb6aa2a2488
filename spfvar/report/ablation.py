"""The guards of a variant and the races that need them, as text, markdown and JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from pathlib import Path

from spfvar.explore.properties import PROPERTIES
from spfvar.matrix.ablate import Ablation, needed
from spfvar.report.mail import to_ascii
from spfvar.report.paint import Paint
from spfvar.report.verdicts import FOOTER, MAIL_WIDTH, WIDTH

FOOT = (
    "A guard that no race here needs is redundant, or guards against a race that is not in the matrix. "
    "Where a check is taken out, the protocol goes on as if it had passed."
)


def title_of(variant: str, ablations: Sequence[Ablation], races: int) -> str:
    """ "spf-...: 20 guards, 17 of them needed in 40 races"."""
    return f"{variant}: {len(ablations)} guards, {needed(ablations)} of them needed in {races} races"


def name_of(ablation: Ablation) -> str:
    """The guard in a few words."""
    return f"{ablation.guard.kind}: {ablation.guard.name}"


def use_of(ablation: Ablation) -> str:
    """What it is there for."""
    open_ = f"; left open: {', '.join(ablation.incomplete)}" if ablation.incomplete else ""
    if not ablation.breaks:
        return f"not needed in any of the {len(ablation.holds)} races that come by it{open_}"
    first = ablation.breaks[0]
    text = f"{first.property} in {first.race}, {first.steps} steps: {first.what}"
    others = [f"{b.property} {b.race}" for b in ablation.breaks[1:]]
    return text + (f"; also {', '.join(others)}" if others else "") + open_


def render_text(
    variant: str,
    ablations: Sequence[Ablation],
    races: int,
    reproduce: str,
    width: int = WIDTH,
    paint: Paint = str,
) -> str:
    """By function: each guard, and below it what breaks without it; ``paint`` colours verdicts."""
    lines = _fill(title_of(variant, ablations, races), width)
    function = None
    for ablation in ablations:
        if ablation.guard.function != function:
            function = ablation.guard.function
            lines += ["", f"{function}()"]
        lines += _fill(name_of(ablation), width, "  ")
        lines += map(paint, _fill(use_of(ablation), width, "      "))
    used = sorted({b.property for a in ablations for b in a.breaks}, key=lambda p: int(p[1:]))
    lines += [""] if used else []
    for name in used:
        lines += _fill(f"{name}: {PROPERTIES[name].text}", width)
    for text in (FOOT, FOOTER, f"Reproduce: {reproduce}"):
        lines += ["", *_fill(text, width)]
    return "\n".join(lines) + "\n"


def render_mail(variant: str, ablations: Sequence[Ablation], races: int, reproduce: str) -> str:
    """As text, ASCII, 72 columns."""
    return to_ascii(render_text(variant, ablations, races, reproduce, MAIL_WIDTH))


def render_markdown(variant: str, ablations: Sequence[Ablation], races: int, reproduce: str) -> str:
    """A table of GitHub's dialect."""
    lines = [
        f"## {title_of(variant, ablations, races)}",
        "",
        "| function | guard | without it |",
        "| --- | --- | --- |",
    ]
    for ablation in ablations:
        lines.append(f"| `{ablation.guard.function}` | {name_of(ablation)} | {use_of(ablation)} |")
    return "\n".join([*lines, "", FOOT, "", FOOTER, "", f"Reproduce: `{reproduce}`"]) + "\n"


def render_json(variant: str, ablations: Sequence[Ablation]) -> str:
    """A list with one entry per guard."""
    entries = [
        {
            "variant": variant,
            "function": a.guard.function,
            "kind": a.guard.kind,
            "guard": a.guard.name,
            "where": _short(a.guard.where),
            "breaks": [
                {"race": b.race, "property": b.property, "steps": b.steps, "what": b.what} for b in a.breaks
            ],
            "holds": a.holds,
            "incomplete": a.incomplete,
        }
        for a in ablations
    ]
    return json.dumps(entries, indent=2) + "\n"


def _short(where: str) -> str:
    """File name and line: the same wherever it is installed."""
    file, _, line = where.rpartition(":")
    return f"{Path(file).name}:{line}"


def _fill(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=f"{indent}  ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
