"""Coverage of barriers as text, markdown and JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence

from spfvar.faultpaths.barriers import BarrierCoverage, Use

FOOT = (
    "Reached: of the races that have it in their text, those in which it was executed in some interleaving. "
    "Old values: those in which the load returned a store that was not the newest. An order that is never "
    "reached was not tested, and a load that never returns an old value needs no weak memory in these races."
)


def render_barriers(found: Sequence[BarrierCoverage], form: str, reproduce: str, width: int = 80) -> str:
    """Coverage of variants in one of the forms."""
    if form == "json":
        return json.dumps([entry for one in found for entry in one.as_list()], indent=2) + "\n"
    parts = [_markdown(one) if form == "markdown" else _text(one, width) for one in found]
    end = [FOOT, f"Reproduce: `{reproduce}`" if form == "markdown" else f"Reproduce: {reproduce}"]
    end = end if form == "markdown" else ["\n".join(_fill(text, width)) for text in end]
    return "\n\n".join([*parts, *end]) + "\n"


def title_of(found: BarrierCoverage) -> str:
    """ "my-idea: 12 barriers, orders and weak loads, 11 of them reached; 3 of 7 loads ..."."""
    loads = [use for use in found.uses if use.stale is not None]
    stale = [use for use in loads if use.stale]
    reached = sum(bool(use.reached) for use in found.uses)
    return (
        f"{found.variant}: {len(found.uses)} barriers, orders and weak loads, {reached} of them reached; "
        f"{len(stale)} of {len(loads)} loads returned old values; {found.weak} of {found.races} races have "
        "weak words"
    )


def _cells(use: Use) -> tuple[str, str]:
    stale = "" if use.stale is None else f"{len(use.stale)} of {len(use.reached)}"
    return f"{len(use.reached)} of {len(use.races)}", stale


def _text(found: BarrierCoverage, width: int) -> str:
    lines = [*_fill(title_of(found), width)]
    before = None
    for use in found.uses:
        if use.function != before:
            before = use.function
            lines += ["", f"{use.function}()"]
        reached, stale = _cells(use)
        old = f", old values in {stale}" if stale else ""
        lines += _fill(f"{use.kind}: {use.name} ({use.where}): reached in {reached} races{old}", width, "  ")
    lines += _open_lines(found, width)
    return "\n".join(lines)


def _open_lines(found: BarrierCoverage, width: int) -> list[str]:
    lines = [""] if found.open else []
    for race, why in found.open.items():
        lines += _fill(f"incomplete: {race}: {why}", width)
    return lines


def _markdown(found: BarrierCoverage) -> str:
    lines = [
        f"## {title_of(found)}", "", "| function | what | reached | old values |", "| --- | --- | --- | --- |"
    ]  # fmt: skip
    for use in found.uses:
        reached, stale = _cells(use)
        cells = (f"`{use.function}`", f"{use.kind}: {use.name} ({use.where})", reached, stale)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    lines += [f"\nincomplete: {race}: {why}" for race, why in found.open.items()]
    return "\n".join(lines)


def _fill(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=f"{indent}  ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
