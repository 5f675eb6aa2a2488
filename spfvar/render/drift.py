"""A design beside a recording: what fits, where it leaves the text, what was never seen, what is left out."""

from __future__ import annotations

import json
from collections.abc import Sequence

from spfvar.kernel.conform import Conformity, Drift
from spfvar.kernel.mutants import Tried
from spfvar.kernel.recording import SYSCALL
from spfvar.kernel.texts import Edge
from spfvar.render.wrap import WIDTH, wrapped

#: Kinds of faults, steps and drifts of a table, each.
_SOME = 12
CLAIM = (
    "Of single threads' paths that occurred on this kernel, as it was configured and compiled.  Plain reads "
    "and writes do not show in a recording, and nothing is said of barriers."
)


def render(found: Conformity, form: str, reproduce: str) -> str:
    """As "table" or "json"."""
    if form == "json":
        return json.dumps(found.as_dict(), indent=2)
    return "\n".join([*_lines(found), "", *wrapped(CLAIM, WIDTH, ""), "", f"Reproduce: {reproduce}"])


def headline(found: Conformity) -> str:
    """One sentence."""
    every = "all" if found.paths == found.faults else f"{found.paths:,} of"
    faults = f"{found.variant} beside {found.kernel}: {every} {found.faults:,} recorded faults"
    paths, calls = found.calls
    if calls:
        faults += f" and {'all' if paths == calls else f'{paths} of'} {calls} system calls"
    return f"{faults} ({found.words} different) are paths of the text"


def _lines(found: Conformity) -> list[str]:
    lines = [*wrapped(headline(found), WIDTH, "")]
    for drift in found.drift[:_SOME]:
        lines += ["", *_drift(drift)]
    if len(found.drift) > _SOME:
        lines += ["", f"and {len(found.drift) - _SOME} more drifts (--format json has all)"]
    lines += ["", *_witnessed(found)]
    if found.abstracted:
        lines += ["", "abstracted: what the kernel did and no text has a step for"]
    for reason in dict.fromkeys(why for _, why, _ in found.abstracted):
        letters = [f"{letter} ({times})" for letter, why, times in found.abstracted if why == reason]
        lines += [
            *wrapped(f"  {', '.join(letters)}", WIDTH, "  "),
            *(f"    {line}" for line in wrapped(reason, WIDTH - 4, "")),
        ]
    return lines


def render_mutants(tried: Tried, form: str, reproduce: str) -> str:
    """How much of the text a recording would notice, as "table" or "json"."""
    if form == "json":
        mutants = [
            {"step": mutant.step.told, "how": mutant.how, "noticed": mutant.noticed}
            for mutant in tried.mutants
        ]
        return json.dumps({"variant": tried.variant, "kernel": tried.kernel, "mutants": mutants}, indent=2)
    share = (
        f"{100 * tried.noticed / len(tried.mutants):.0f} %" if tried.mutants else "none of its steps is seen"
    )
    head = (
        f"{tried.variant} beside {tried.kernel}: {tried.noticed} of {len(tried.mutants)} mutants of "
        f"witnessed steps are noticed ({share})"
    )
    lines = wrapped(head, WIDTH, "")
    unnoticed = [mutant for mutant in tried.mutants if not mutant.noticed]
    if unnoticed:
        lines += ["", "not noticed:"]
    for mutant in unnoticed:
        lines += wrapped(f"  {_short(mutant.step)}: {mutant.how}", WIDTH, "    ")
    return "\n".join([*lines, "", f"Reproduce: {reproduce}"])


def _drift(drift: Drift) -> list[str]:
    what = "call" if all(kind.startswith(SYSCALL) for kind in drift.kinds) else "fault"
    times = f"1 {what}" if drift.faults == 1 else f"{drift.faults:,} {what}s"
    kinds = ", ".join(drift.kinds[:_SOME]) + (", ..." if len(drift.kinds) > _SOME else "")
    lines = wrapped(f"DRIFT in {times}: {kinds}", WIDTH, "")
    at = f", line {drift.line}" if drift.line else ""
    lines += wrapped(f"kernel  {drift.at}{at}", WIDTH, "  ")
    expected = [_short(edge) for edge in drift.expected[:4]]
    more = len(drift.expected) - len(expected)
    text = ", or ".join(expected) or "the fault is done"
    return lines + wrapped(f"text    {text}{f', or {more} more' if more else ''}", WIDTH, "  ")


def _short(edge: Edge) -> str:
    if not edge.where:
        return edge.letter
    return f"{edge.letter} ({edge.function}, {edge.where.rpartition('/')[2]})"


def _witnessed(found: Conformity) -> list[str]:
    total = len(found.witnessed) + len(found.never)
    lines = [f"witnessed: {len(found.witnessed)} of {total} visible steps of the text"]
    if found.unseen:
        lines += wrapped(
            f"UNSEEN: none of the {found.own_steps} that are {found.variant}'s own. The kernel looks like "
            "one where they always fail: this says nothing of the design.", WIDTH, "  ",
        )  # fmt: skip
    lines += _never(found.never)
    return lines


def _never(never: Sequence[Edge]) -> list[str]:
    if not never:
        return []
    told = ", ".join(_short(edge) for edge in never[:_SOME])
    return wrapped(f"never: {told}{', ...' if len(never) > _SOME else ''}", WIDTH, "  ")
