"""The answer of ``spfvar why``: where a fault's time goes, as a text, in Markdown or as JSON."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import spfvar
from spfvar.matrix.why import Why
from spfvar.render import units
from spfvar.render.blocks import Block, Cell, Footnote, Row
from spfvar.render.charts import Stacked
from spfvar.render.markdown import table_lines
from spfvar.render.text import WIDTH, block_lines, command_lines, wrapped
from spfvar.timing.breakdown import CALL, MEMORY, SERVERS, Breakdown, Line, Lock, Part, Step, Taker
from spfvar.timing.differences import Cause, Difference, worth_telling

#: Rows of a table, and takers of a line, unless everything is asked for.
STEPS, TAKERS, NAMED = 12, 3, 3
#: Columns of the steps' table, and the kinds of time in each; the rest is "other".
COLUMNS = {
    "work": ("work",),
    "fetch": ("transfer",),
    "wait": ("line wait",),
    "lock": ("lock wait", "wake-up"),
}
WORDS = {
    "work": "on the CPU, without waiting for anybody",
    "transfer": "a cache line is on its way, from a CPU or from memory",
    "line wait": "others have that line first",
    "lock wait": "in a lock's queue",
    "wake-up": "from the lock's release until the thread runs",
    "spin": "looks again and again, in no queue",
    "sleep": "storage",
    "CPU wait": "others have the CPU",
    "interrupts": "TLB flushes of others",
    "flush": "sends TLB flushes, and waits for the answers",
    "waking": "wakes others",
    "zone lock": "refills and drains a per-CPU list of pages",
    "LRU lock": "moves a batch of pages to the LRU, or from it",
    "memcg counter": "charges pages: an atomic on a counter of all CPUs",
    "memory channel": "fills pages faster than memory takes them",
}


def render_why(why: Why, form: str, reproduce: str, width: int = WIDTH, every: bool = False) -> str:
    """The answer as "table", "markdown" or "json"; ``every``: no table is cut."""
    if form == "json":
        return to_json(why)
    sections = list(_sections(why, every))
    if form == "markdown":
        parts = [_markdown(section) for section in sections]
        return "\n\n".join([*parts, f"Reproduce: `{reproduce}`"]) + "\n"
    texts = [_text(section, width) for section in sections]
    return (
        "\n\n".join("\n".join(lines) for lines in [*texts, command_lines("Reproduce:", reproduce, width)])
        + "\n"
    )


_Section = Block | list[str]


def _text(section: _Section, width: int) -> list[str]:
    if isinstance(section, Block):
        return block_lines(section, width)
    return [part for line in section for part in wrapped(line, width, "      " if line[:1] == " " else "  ")]


def _markdown(section: _Section) -> str:
    if not isinstance(section, Block):
        items = [f"* {line.strip()}" if line[:1] == " " else f"{line}\n" for line in section]
        return "\n".join(items).rstrip()
    lines = [f"### {section.title}", "", *([f"*{section.direction}*", ""] if section.direction else [])]
    notes = [note.text for note in section.footnotes]
    return "\n".join([*lines, *table_lines(section), *[line for note in notes for line in ("", note)]])


def _sections(why: Why, every: bool) -> Iterator[_Section]:
    yield _heading(why)
    if why.against is not None:
        yield _differences(why, why.breakdown.faults, why.against.faults, why.differences, every)
        if why.breakdown.calls is not None and why.against.calls is not None:
            yield _differences(why, why.breakdown.calls, why.against.calls, why.call_differences, every)
    for part in why.breakdown.parts():
        yield kinds_block(part)
        yield steps_block(part, every)
        if part.lines:
            yield lines_block(part, every)
        if part.tries:
            yield tries_block(part)
        if part.servers:
            yield servers_block(part)
    if why.breakdown.locks:
        yield locks_block(why.breakdown.locks)


def _heading(why: Why) -> list[str]:
    one = why.breakdown
    axes = ", ".join(f"{name}={value}" for name, value in why.axes.items())
    lines = [
        f"SIMULATED on {why.hardware}: modelled times, not measured ones.",
        f"{one.variant} in {one.scenario} ({axes}); seed {why.seed}; spfvar {why.plan.version}, "
        f"model {why.plan.model}",
        f"{units.human(one.faults_per_s, 'faults/s')}; {_mean(one.faults)}",
    ]
    if one.calls is not None:
        lines.append(_mean(one.calls))
    return [*lines, *(f"Note: {note}" for note in why.plan.notes)]


def _mean(part: Part) -> str:
    what = "a fault" if part.what != CALL else "a writer's call"
    return f"{what} takes {units.human(part.mean, 'ns')} (mean of {part.count})"


# --- what is different -----------------------------------------------------------------------------------


def _differences(why: Why, part: Part, other: Part, found: Sequence[Difference], every: bool) -> list[str]:
    assert why.against is not None
    name = why.against.variant
    what = "a fault" if part.what != CALL else "a writer's call"
    rate = f"{units.ratio(why.ratio)} the faults/s of {name}: " if part.what != CALL else ""
    title = f"{rate}{what} takes {part.mean - other.mean:+.0f} ns ({part.mean:.0f}, there {other.mean:.0f})"
    told = list(found) if every else worth_telling(list(found), part, other)
    lines = [f"  {difference_text(one)}" for one in told]
    rest = part.mean - other.mean - sum(one.change for one in told)
    if len(told) < len(found):
        lines.append(f"  {rest:+.0f} ns in {len(found) - len(told)} smaller differences")
    return [title, *lines]


def difference_text(one: Difference) -> str:
    """As "+9 ns on line mm_struct.mmap_lock: +7 at mm_users in do_fault, from pgd in do_fault (3/4)"."""
    text = f"{one.change:+.0f} ns {cause_text(one.cause, one.function)}"
    if one.member:
        text += f": {one.at:+.0f} at {one.member} in {one.function}"
    if one.taker is not None:
        text += f", from {taker_text(one.taker)} ({one.taken:.0f}/{one.transfers:.0f})"
    return text


def cause_text(cause: Cause, function: str = "") -> str:
    """What a time is spent on, in words; ``function``: where that is, of a primitive."""
    if cause.sort == "line":
        return f"on line {cause.name}"
    if cause.sort == "lock":
        return f"waiting for lock {cause.name}"
    if cause.sort == "server":
        return f"for the {cause.name}"
    if cause.sort == "other":
        return {"interrupts": "of others' interrupts", "CPU wait": "waiting for a CPU"}[cause.name]
    how = "in" if cause.sort == "work" else "waiting in"
    return f"{how} {function}: {cause.name}"


def taker_text(taker: Taker) -> str:
    """Who had a line before, in words."""
    return taker.member if taker.member == MEMORY else f"{taker.member} in {taker.function}"


# --- tables -----------------------------------------------------------------------------------------------


def kinds_block(part: Part) -> Block:
    """The time by kind."""
    kinds = {kind: ns for kind, ns in part.kinds.items() if ns}
    shown = sorted(kinds, key=lambda kind: -kinds[kind])
    rows = [
        Row((kind, WORDS[kind]), (_ns(kinds[kind]), Cell(units.percent(kinds[kind] / part.mean))))
        for kind in shown
    ]
    rows.append(Row(("all", ""), (_ns(part.mean), Cell("100%"))))
    return Block(f"Where {_whose(part)} time goes", "", ("kind", ""), ("ns", "share"), tuple(rows))


def _whose(part: Part) -> str:
    return "a fault's" if part.what != CALL else "a writer's call's"


def _ns(value: float) -> Cell:
    if math.isnan(value) or abs(value) < 0.05:
        return Cell("" if math.isnan(value) else "-")
    return Cell(f"{value:.0f}" if abs(value) >= 10 else f"{value:.1f}")


def steps_block(part: Part, every: bool = False) -> Block:
    """The steps by function and primitive, whoever called; the costliest first."""
    groups: dict[tuple[str, str, str], list[Step]] = defaultdict(list)
    for step in part.steps:
        groups[step.function, step.name, step.where].append(step)
    sums = {key: sum(step.total for step in same) for key, same in groups.items()}
    order = sorted(groups, key=lambda key: (-sums[key], key))
    shown = order if every else order[:STEPS]
    lost = any(step.lost for step in part.steps)
    headers = ("ns", *COLUMNS, "other", *(["lost"] if lost else []))
    rows = [Row((f"{key[0]}: {key[1]} ({key[2]})",), _step_cells(groups[key], lost)) for key in shown]
    if len(shown) < len(order):
        rest = [step for key in order[len(shown) :] for step in groups[key]]
        rows.append(Row((f"{len(order) - len(shown)} more steps",), _step_cells(rest, lost)))
    rows.append(Row(("all",), _step_cells(list(part.steps), lost)))
    direction = "fetch: lines on their way; wait: for lines; lock: in its queue, and waking up" + (
        "; lost: of all, in tries that were given up" if lost else ""
    )
    return Block(f"Steps of {_whose(part)[:-2]}, in ns", direction, ("step",), headers, tuple(rows),
                 panel_columns=8)  # fmt: skip


def _step_cells(steps: Sequence[Step], lost: bool) -> tuple[Cell, ...]:
    whole = sum(step.total for step in steps)
    parts = [sum(step.ns.get(kind, 0.0) for step in steps for kind in kinds) for kinds in COLUMNS.values()]
    figures = [whole, *parts, whole - sum(parts), *([sum(step.lost for step in steps)] if lost else [])]
    return tuple(map(_ns, figures))


def lines_block(part: Part, every: bool = False) -> Block:
    """Cache lines, and who had them before: what perf c2c shows."""
    rows = []
    notes = []
    for line in part.lines:
        if not every and line.total < 0.005 * part.mean:
            continue
        figures = _ns(line.transfer_ns), _ns(line.wait_ns), _ns(line.total)
        rows.append(Row((line.name, "all"), (Cell(_count(100 * line.transfers)), *figures)))
        rows += list(_taker_rows(line, every))
        if len(line.members) > 1:
            notes.append(Footnote("", f"On the line of {line.name}: {', '.join(line.members)}"))
    left_out = len(part.lines) - sum(row.stub[1] == "all" for row in rows)
    if left_out:
        notes.append(Footnote("", f"{left_out} more lines of less than 0.5 % of the time each"))
    whose = _whose(part)[:-2]
    return Block(
        f"Cache lines of {whose}", f"fetched: how often in 100 {_plural(part)}; the rest in ns for one",
        ("line", "had before by"), ("fetched", "fetch", "wait", "ns"), tuple(rows), tuple(notes),
    )  # fmt: skip


def _plural(part: Part) -> str:
    return "faults" if part.what != CALL else "calls"


def _taker_rows(line: Line, every: bool) -> Iterator[Row]:
    shown = line.takers if every else line.takers[:TAKERS]
    for one in shown:
        who = f"{one.function}: {one.name}" if one.member != MEMORY else MEMORY
        yield Row((line.name, who), (Cell(_count(100 * one.transfers)), Cell(""), Cell(""), _ns(one.ns)))
    rest = line.takers[len(shown) :]
    if rest:
        yield Row((line.name, f"{len(rest)} more"), (
            Cell(_count(100 * sum(one.transfers for one in rest))), Cell(""), Cell(""),
            _ns(sum(one.ns for one in rest))))  # fmt: skip


def _count(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def tries_block(part: Part) -> Block:
    """Tries that were given up."""
    rows = tuple(
        Row((one.abort, one.reason or "-"), (Cell(units.digits(one.per_1000)), _ns(one.mean), _ns(one.ns)))
        for one in part.tries
    )
    return Block(
        f"Tries that were given up, in 1000 {_plural(part)}",
        "a try: ns from its begin until it was given up; spread: the same over all of them",
        ("event", "reason"), ("tries", "a try", "spread"), rows,
    )  # fmt: skip


def servers_block(part: Part) -> Block:
    """Locks and resources of the kernel under which nothing of the protocol happens."""
    rows = tuple(
        Row(
            (one.name,),
            (Cell(_count(100 * one.visits)), _ns(one.wait), _ns(one.transfer), _ns(one.hold)),
        )
        for one in part.servers
    )
    return Block(
        f"Below the protocol, for {_whose(part)[:-2]}",
        f"visits: in 100 {_plural(part)}; the rest in ns for one",
        ("",), ("visits", "wait", "fetch", "hold"), rows,
    )  # fmt: skip


def locks_block(locks: Sequence[Lock]) -> Block:
    """Locks, whoever takes them."""
    rows = tuple(
        Row((one.name,), (
            Cell(str(one.taken)), Cell(str(one.waits)), _ns(one.wait_mean), _ns(one.wait_p99),
            _ns(one.hold_mean), _ns(one.hold_p99), Cell(str(one.longest)), Cell(str(one.convoys))))
        for one in locks
    )  # fmt: skip
    notes = [
        Footnote("", f"Waits for {one.name} end in " + "; ".join(
            f"{e.function}: {e.name} ({units.percent(e.share)} of the time)" for e in one.enders[:NAMED]))
        for one in locks if one.enders
    ]  # fmt: skip
    return Block(
        "Locks in the whole window, whoever takes them",
        "queued: had to wait; wait, hold: ns, mean and 99th percentile; queue: the longest; convoys: how "
        "often a second one joined a queue",
        ("lock",), ("taken", "queued", "wait", "p99", "hold", "p99", "queue", "convoys"), rows, tuple(notes),
        panel_columns=8,
    )  # fmt: skip


#: Parts of a bar, and the kinds of time in each.
PARTS = {
    "work": ("work",),
    "cache lines": ("transfer", "line wait"),
    "locks": ("lock wait", "wake-up", "waking", "spin"),
    "pages": SERVERS,
    "storage": ("sleep",),
    "CPUs": ("CPU wait", "interrupts", "flush"),
}


def bar_of(breakdown: Breakdown) -> Stacked:
    """A fault's mean latency as a bar: `PARTS` have every kind of time ("pages": the servers)."""
    kinds = breakdown.faults.kinds
    return Stacked(
        breakdown.variant, tuple((name, sum(kinds[k] for k in own)) for name, own in PARTS.items())
    )


# --- JSON ---------------------------------------------------------------------------------------------------


def to_json(why: Why) -> str:
    """The whole answer as one JSON object; what is no finite number is null.

    Keys: spfvar, simulated (true), hardware, axes, seed, breakdown; with another variant also against, ratio,
    differences and call_differences (each with ``change``).  The rest are the fields of `spfvar.timing`.
    """
    document: dict[str, Any] = {
        "spfvar": spfvar.__version__, "simulated": True, "hardware": why.hardware, "axes": dict(why.axes),
        "seed": why.seed, "breakdown": _plain(why.breakdown),
    }  # fmt: skip
    if why.against is not None:
        document |= {"against": _plain(why.against), "ratio": _plain(why.ratio)}
        document["differences"] = [_plain(one) | {"change": _plain(one.change)} for one in why.differences]
        document["call_differences"] = [
            _plain(one) | {"change": _plain(one.change)} for one in why.call_differences
        ]
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return float(f"{value:.12g}") if math.isfinite(value) else None
    return value
