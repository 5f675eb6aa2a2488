"""A design beside a recording: what fits, where it leaves the text, what was never seen, what is left out."""

from __future__ import annotations

import json
from collections.abc import Sequence

from spfvar.kernel.conform import Conformity, Drift
from spfvar.kernel.mutants import Tried
from spfvar.kernel.recording import SYSCALL
from spfvar.kernel.texts import Edge
from spfvar.kernel.which import best
from spfvar.render.wrap import WIDTH, wrapped

#: Kinds of faults, steps and drifts of a table, each.
_SOME = 12
CLAIM = (
    "Of single threads' paths that occurred on this kernel, as it was configured and compiled.  Plain reads "
    "and writes do not show in a recording, and nothing is said of barriers."
)


def render(
    found: Conformity, form: str, reproduce: str, others: Sequence[Conformity] = ()
) -> str:  # fmt: skip
    """As "table" or "json"; ``others``: further designs beside the recording, as this one is not its."""
    fitting = best((found, *others)) if others else ()
    if form == "json":
        return json_text(found.as_dict() | {"best": [_in_short(one) for one in fitting]})
    return _page([*_lines(found, fitting), "", *wrapped(CLAIM, WIDTH, "")], reproduce)


def render_designs(found: Sequence[Conformity], form: str, reproduce: str) -> str:
    """Every design beside one recording, best first, as "table" or "json"."""
    fitting = best(found)
    if form == "json":
        document = {
            "kernel": found[0].kernel, "faults": found[0].faults, "calls": found[0].calls[1],
            "designs": [_in_short(one) for one in found], "best": [one.variant for one in fitting],
        }  # fmt: skip
        return json_text(document)
    head = f"{found[0].kernel} beside every design: {_fitting(fitting)}."
    lines = [*wrapped(head, WIDTH, ""), "", *_designs(found), "", *wrapped(CLAIM, WIDTH, "")]
    return _page(lines, reproduce)


def json_text(document: object) -> str:
    """A JSON document as commands print it."""
    return json.dumps(document, indent=2) + "\n"


def _page(lines: Sequence[str], reproduce: str) -> str:
    return "\n".join([*lines, "", f"Reproduce: {reproduce}"]) + "\n"


def headline(found: Conformity) -> str:
    """One sentence."""
    counted = f"{_counted(found)} ({found.words} different)"
    return f"{found.variant} beside {found.kernel}: {counted} are paths of the text"


def _counted(found: Conformity) -> str:
    faults = f"{_share(found.paths, found.faults)} recorded faults"
    return f"{faults} and {_share(*found.calls)} system calls" if found.calls[1] else faults


def _share(some: int, every: int) -> str:
    return f"all {every:,}" if some == every > 1 else f"{some:,} of {every:,}"


def _fitting(fitting: Sequence[Conformity]) -> str:
    """Which designs fit best, and how well."""
    if not fitting:
        return "none has any of its faults or calls"
    names = ", ".join(one.variant for one in fitting)
    first, one = fitting[0], len(fitting) == 1
    if first.drift:
        return f"none fits; nearest {'is' if one else 'are'} {names}: {_counted(first)}"
    unseen = ", but none of what is its own was seen" if first.unseen else ""
    return f"{names} {'fits' if one else 'fit'}: {_counted(first)}{unseen}"


def _in_short(found: Conformity) -> dict[str, object]:
    return {
        "variant": found.variant, "faults": found.faults, "paths": found.paths, "calls": list(found.calls),
        "witnessed": [len(found.witnessed), len(found.witnessed) + len(found.never)],
        "own": [found.own_witnessed, found.own_steps],
    }  # fmt: skip


def _designs(found: Sequence[Conformity]) -> list[str]:
    rows = [
        ("", "faults", "calls", "steps seen", "of its own"),
        ("recorded", f"{found[0].faults:,}", str(found[0].calls[1]), "", ""),
    ]
    for one in found:
        total = len(one.witnessed) + len(one.never)
        own = f"{one.own_witnessed} of {one.own_steps}" if one.own_steps else "has none"
        rows.append(
            (one.variant, f"{one.paths:,}", str(one.calls[0]), f"{len(one.witnessed)} of {total}", own)
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
        ).rstrip()
        for row in rows
    ]


def _lines(found: Conformity, fitting: Sequence[Conformity]) -> list[str]:
    lines = [*wrapped(headline(found), WIDTH, "")]
    if fitting:
        lines += ["", *wrapped(f"of the recorded kernels' designs, {_fitting(fitting)}", WIDTH, "  ")]
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
        return json_text({"variant": tried.variant, "kernel": tried.kernel, "mutants": mutants})
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
    return _page(lines, reproduce)


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
    own = f", {found.own_witnessed} of {found.own_steps} of its own" if found.own_steps else ""
    lines = [f"witnessed: {len(found.witnessed)} of {total} visible steps of the text{own}"]
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
