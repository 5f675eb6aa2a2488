"""The guards of a variant and the races that need them, as text, markdown and JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from typing import Any

from spfvar.explore.verdict import INCOMPLETE, SAFE, VIOLATION
from spfvar.limits import OF_VERDICTS, OF_WEAK_VERDICTS
from spfvar.matrix.ablate import Ablated, Ablation, Break, GuardHunt, HuntedGuard
from spfvar.matrix.either import Either
from spfvar.ops.op import CallSite
from spfvar.ops.properties import PROPERTIES, order
from spfvar.render.mail import to_ascii
from spfvar.render.paint import Paint
from spfvar.render.verdicts import MAIL_WIDTH, WIDTH

_SC = {SAFE: "safe", VIOLATION: "broken", INCOMPLETE: "left open"}
FOOT = (
    "A guard that no race here needs is redundant, or guards against a race that is not in the matrix. "
    "Where a check is taken out, the protocol goes on as if it had passed. Below a guard whose function "
    "several functions call: what it is there for in each of them alone."
)
OF_SC = (
    "SC: the same under sequential consistency, where no store is seen late. If it holds there, what is "
    "needed is the order; if it breaks there too, what the primitive does. Either it or another one: none of "
    "them is needed alone, and one of them is."
)
OPEN = "Left open: the search hit a bound, so it says nothing; --max-states widens it."

OPEN_WEAK = (
    "Left open: the search hit a bound, which --max-states widens, or met what the model does not have: "
    "unordered stores, or a history that is full. So it says nothing."
)


def shown(ablated: Ablated, every: bool) -> list[Ablation]:
    """The guards to list: those of the variant's own texts, then with ``every`` the core's.

    If none is the variant's own, all are listed: a variant without patches is its core.
    """
    own = [ablation for ablation in ablated.guards if not ablation.core]
    core = [ablation for ablation in ablated.guards if ablation.core]
    return [*own, *core] if every or not own else own


def rest_of(ablated: Ablated, listed: Sequence[Ablation]) -> str:
    """What is said of guards that are not listed; "" if all are."""
    left = [ablation for ablation in ablated.guards if ablation not in listed]
    if not left:
        return ""
    files = ", ".join(sorted({ablation.guard.place[0] for ablation in left}))
    needed = sum(ablation.needed for ablation in left)
    many = f"{len(left)} guards, {needed} of them needed, are" if len(left) > 1 else "1 guard is"
    return f"{many} in texts of the core that the variant runs ({files}); --all lists them."


def title_of(variant: str, ablated: Ablated) -> str:
    """ "spf-...: 20 guards, 17 of them needed in 40 races; call by call, 31 of 40"."""
    guards, races = len(ablated.guards), ablated.races
    counted = f"{guards} guard{'s' * (guards != 1)}, {ablated.needed} of them needed"
    uses = ablated.uses
    needed = sum(use.needed for use in uses)
    by_call = f"; call by call, {needed} of {len(uses)}" if len(uses) > guards else ""
    hunt = ablated.hunt
    more = f" and {hunt.races} generated ones of up to {hunt.size} statements" if hunt is not None else ""
    memory = " under --memory lkmm" if ablated.memory == "lkmm" else ""
    return f"{variant}: {counted} in {races} race{'s' * (races != 1)}{more}{by_call}{memory}"


def name_of(ablation: Ablation) -> str:
    """The guard in a few words, and the line where it begins."""
    file, line = ablation.guard.place
    return f"{ablation.guard.kind}: {ablation.guard.name} ({file}:{line})"


def use_of(ablation: Ablation) -> str:
    """What it is there for."""
    parts = []
    if ablation.breaks:
        first = ablation.breaks[0]
        parts.append(f"{first.property} in {first.race}, {first.steps} steps: {first.what}")
        parts += _sc_of(ablation.breaks)
        also: dict[str, list[str]] = {}
        for other in ablation.breaks[1:]:
            also.setdefault(other.property, []).append(other.race)
        parts += [f"also {name}: {', '.join(races)}" for name, races in also.items()]
    elif ablation.holds:
        parts.append(f"not needed in {_races(len(ablation.holds), bool(ablation.incomplete))}")
        if len(ablation.idle) == len(ablation.holds):
            parts.append("it never fails there" if len(ablation.holds) > 1 else "it never fails")
        elif len(ablation.idle) + len(ablation.alike) == len(ablation.holds):
            parts.append("without it every thread does the same")
    if ablation.incomplete:
        parts.append(f"left open: {', '.join(ablation.incomplete)}")
    parts += map(_either_of, ablation.either)
    if ablation.hunted is not None:
        parts.append(_hunted(ablation.hunted))
    return "; ".join(parts)


def _sc_of(breaks: Sequence[Break]) -> list[str]:
    """What the races that break say under sequential consistency: "SC: safe", if all of them do."""
    found = dict.fromkeys(one.sc for one in breaks if one.sc)
    if len(found) > 1:
        safe = [one.race for one in breaks if one.sc == SAFE]
        return [f"SC: safe in {', '.join(safe)}, broken in the others"] if safe else ["SC: broken or open"]
    return [f"SC: {_SC[one]}" for one in found]


def _either_of(either: Either) -> str:
    """One of several is needed: which, and where."""
    others = " or ".join(f"{g.kind}: {g.name} ({g.place[0]}:{g.place[1]})" for g in either.others)
    broken = f"{either.property} in {either.race}, {either.steps} steps"
    return f"either it or {others}: {broken}; SC: {_SC[either.sc]}"


def _hunted(hunted: HuntedGuard) -> str:
    """What the generated races say."""
    if hunted.needed is not None:
        needed = hunted.needed
        race = f"a generated race, {needed.steps} steps: {needed.race.title}"
        return f"{needed.property} in {race} ({needed.what})"
    if hunted.races == 1:
        return "not needed in the one generated race that comes by it"
    never = ", where it makes no difference" if hunted.idle == hunted.races else ""
    return f"not needed in any of {hunted.races} generated races that come by it{never}"


def called_by(call: Ablation) -> str:
    """Of one call of a guard's function: by whom, and in a few words what the guard is there for."""
    caller = call.guard.caller
    assert caller is not None
    return f"called by {caller.function} ({place_of(caller)}): {_short_use_of(call)}"


def place_of(caller: CallSite) -> str:
    """ "merge.py:64"."""
    return caller.where.rpartition("/")[2]


def _short_use_of(call: Ablation) -> str:
    if not call.breaks:
        return use_of(call)
    return "; ".join([f"{call.breaks[0].property} in {call.breaks[0].race}", *_sc_of(call.breaks[:1])])


def _shown_calls(ablation: Ablation) -> list[Ablation]:
    """The calls of a guard that say something that the guard does not say."""
    return ablation.calls if len(ablation.calls) > 1 or not ablation.races else []


def _races(number: int, some_open: bool) -> str:
    if number == 1:
        return f"the one race {'whose search was complete' if some_open else 'that comes by it'}"
    return f"any of the {number} races {'whose searches were complete' if some_open else 'that come by it'}"


def notes(ablated: Ablated, listed: Sequence[Ablation]) -> list[str]:
    """What is said below the guards that are listed."""
    rest = rest_of(ablated, listed)
    broken = ", ".join(f"{race} ({name})" for race, name in ablated.broken.items())
    left_out = [f"Left out, for they break with every guard in place: {broken}."] if broken else []
    open_text = OPEN if ablated.memory == "sc" else OPEN_WEAK
    left_open = [open_text] if any(a.incomplete for a in (*ablated.guards, *ablated.uses)) else []
    said = [*([rest] if rest else []), *left_out, *left_open, *_of_hunt(ablated.hunt), FOOT]
    return [*said, OF_VERDICTS] if ablated.memory == "sc" else [*said, OF_SC, OF_WEAK_VERDICTS]


def _of_hunt(hunt: GuardHunt | None) -> list[str]:
    """What is said of generated races that say nothing."""
    if hunt is None:
        return []
    cut_off = [f"The time was over after {hunt.races} generated races."] if not hunt.complete else []
    nothing = [f"{hunt.open} generated races hit a bound, or break anyway, and say nothing."]
    return [*cut_off, *(nothing if hunt.open else [])]


def render_text(
    variant: str,
    ablated: Ablated,
    reproduce: str,
    width: int = WIDTH,
    paint: Paint = str,
    every: bool = False,
) -> str:
    """By function: each guard, and below it what breaks without it; ``paint`` colours verdicts.

    ``every``: those of the core's texts too, behind the variant's own.
    """
    lines = _fill(title_of(variant, ablated), width)
    listed = shown(ablated, every)
    mixed = not all(ablation.core for ablation in listed)
    before = None
    for ablation in listed:
        group = (ablation.core, ablation.guard.function)
        if group != before:
            before = group
            of_core = ", a text of the core" if mixed and ablation.core else ""
            lines += ["", f"{ablation.guard.function}(){of_core}"]
        lines += _fill(name_of(ablation), width, "  ")
        lines += map(paint, _fill(use_of(ablation), width, "      "))
        for call in _shown_calls(ablation):
            lines += map(paint, _fill(called_by(call), width, "      "))
    used = _properties([*listed, *(call for ablation in listed for call in _shown_calls(ablation))])
    lines += [""] if used else []
    for name in used:
        lines += _fill(f"{name}: {PROPERTIES[name].text}", width)
    for text in (*notes(ablated, listed), f"Reproduce: {reproduce}"):
        lines += ["", *_fill(text, width)]
    return "\n".join(lines) + "\n"


def _properties(ablations: Sequence[Ablation]) -> list[str]:
    names = {b.property for a in ablations for b in a.breaks}
    names |= {a.hunted.needed.property for a in ablations if a.hunted is not None and a.hunted.needed}
    return order(names)


def render_mail(variant: str, ablated: Ablated, reproduce: str, every: bool = False) -> str:
    """As text, ASCII, 72 columns."""
    return to_ascii(render_text(variant, ablated, reproduce, MAIL_WIDTH, every=every))


def render_markdown(variant: str, ablated: Ablated, reproduce: str, every: bool = False) -> str:
    """A table of GitHub's dialect."""
    listed = shown(ablated, every)
    lines = [
        f"## {title_of(variant, ablated)}",
        "",
        "| function | guard | without it |",
        "| --- | --- | --- |",
    ]
    for ablation in listed:
        uses = [use_of(ablation), *map(called_by, _shown_calls(ablation))]
        cells = (f"`{ablation.guard.function}`", name_of(ablation), "<br>".join(filter(None, uses)))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    for text in (*notes(ablated, listed), f"Reproduce: `{reproduce}`"):
        lines += ["", text]
    return "\n".join(lines) + "\n"


def render_json(variant: str, ablated: Ablated) -> str:
    """A list with one entry per guard, those of the core's texts too; each has one per call."""
    entries = [
        {
            "variant": variant,
            "function": a.guard.function,
            "kind": a.guard.kind,
            "guard": a.guard.name,
            "where": ":".join(map(str, a.guard.place)),
            "core": a.core,
            **_results(a),
            **({} if ablated.memory == "sc" else {"either": [_either_entry(either) for either in a.either]}),
            "calls": [
                {"caller": call.guard.caller.function, "where": place_of(call.guard.caller), **_results(call)}
                for call in a.calls
                if call.guard.caller is not None
            ],
        }
        for a in ablated.guards
    ]
    return json.dumps(entries, indent=2) + "\n"


def _either_entry(either: Either) -> dict[str, Any]:
    others = [
        {"function": g.function, "kind": g.kind, "guard": g.name, "where": ":".join(map(str, g.place))}
        for g in either.others
    ]
    return {
        "others": others, "race": either.race, "property": either.property, "steps": either.steps,
        "what": either.what, "sc": either.sc,
    }  # fmt: skip


def _results(a: Ablation) -> dict[str, Any]:
    return {
        "breaks": [
            {"race": b.race, "property": b.property, "steps": b.steps, "what": b.what}
            | ({"sc": b.sc} if b.sc else {})
            for b in a.breaks
        ],
        "holds": a.holds,
        "never_fails": a.idle,
        "alike": a.alike,
        "incomplete": a.incomplete,
        "hunted": None if a.hunted is None else _hunted_entry(a.hunted),
    }


def _hunted_entry(hunted: HuntedGuard) -> dict[str, Any]:
    needed = None if hunted.needed is None else hunted.needed.as_dict()
    return {"races": hunted.races, "no_difference": hunted.idle, "needed": needed}


def _fill(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=f"{indent}  ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
