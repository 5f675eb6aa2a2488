"""Verdicts as a matrix, races by variants, and the traces behind it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import replace

from spfvar.explore.properties import PROPERTIES
from spfvar.explore.verdict import INCOMPLETE, SAFE, VIOLATION, Finding, Verdict
from spfvar.limits import OF_VERDICTS, OF_WEAK_VERDICTS
from spfvar.matrix.check import Checked
from spfvar.plugins.series import posted_name
from spfvar.plugins.todos import draft_remarks
from spfvar.render.blocks import Block, Cell, Row
from spfvar.render.causes import Cause, Found, causes_of, summary
from spfvar.render.columns import trace_lines
from spfvar.render.grid import fitting_columns, grid_lines
from spfvar.render.mail import to_ascii
from spfvar.render.paint import Paint

MAIL_WIDTH = 72
#: What a trace says of the primitive that broke a property.
MARK = "VIOLATION"
WIDTH = 80
#: More races that hold than this are counted, not listed.
MANY = 12


def count_text(number: int) -> str:
    """A count in three digits: 604, 4.49k, 2.1M."""
    if number < 1000:
        return str(number)
    factor, unit = (1e3, "k") if number < 999_500 else (1e6, "M")
    return f"{number / factor:.3g}{unit}" if number / factor < 1000 else f"{number / factor:.0f}{unit}"


def cell_text(verdict: Verdict) -> str:
    """One cell of the matrix."""
    if verdict.verdict == VIOLATION:
        return f"{verdict.property} {verdict.findings[0].trace.length} steps"
    mark = "*" if verdict.vacuous else ""
    if verdict.walks:
        return f"none{mark} in {count_text(verdict.walks)} walks"
    return f"{verdict.verdict}{mark} {count_text(verdict.states)}"


def matrix_block(results: Sequence[Checked]) -> Block:
    """Races as rows, variants as columns."""
    variants = list(dict.fromkeys(r.verdict.variant for r in results))
    races = list(dict.fromkeys(r.verdict.race for r in results))
    cells = {(r.verdict.race, r.verdict.variant): Cell(cell_text(r.verdict)) for r in results}
    return Block(
        "", "", ("race",), tuple(variants),
        tuple(Row((race,), tuple(cells.get((race, v), Cell("")) for v in variants)) for race in races),
        align="left", panel_columns=8,
    )  # fmt: skip


def folded(block: Block, results: Sequence[Checked]) -> tuple[Block, list[str]]:
    """The matrix without the races that hold in every variant, and a line about these; if they are many.

    A race of which something was never reached stays.
    """
    verdicts: dict[str, list[Verdict]] = {}
    for result in results:
        verdicts.setdefault(result.verdict.race, []).append(result.verdict)
    hold = {
        race for race, found in verdicts.items() if all(v.verdict == SAFE and not v.vacuous for v in found)
    }
    if len(hold) <= MANY:
        return block, []
    rest = tuple(row for row in block.rows if row.stub[0] not in hold)
    states = [verdict.states for race in hold for verdict in verdicts[race]]
    where = " under each of these variants" if len(block.headers) > 1 else f" under {block.headers[0]}"
    range_ = f"{count_text(min(states))} to {count_text(max(states))} states"
    line = f"{len(hold)} races are safe{where}, in {range_}; -v lists them"
    return replace(block, rows=rest), [line]


def twins_block(results: Sequence[Checked]) -> Block:
    """A row per twin: expected, found, and the variant without the bug."""
    rows = []
    for twin in dict.fromkeys(r.case.twin for r in results):
        broken, fixed = [r for r in results if r.case.twin == twin]
        judged = "ok" if broken.as_expected else "MISSED"
        if not fixed.as_expected:
            judged = "ALARM"
        if judged == "ok" and INCOMPLETE in (broken.verdict.verdict, fixed.verdict.verdict):
            judged = "?"
        texts = (broken.case.expected, cell_text(broken.verdict), cell_text(fixed.verdict), judged)
        rows.append(Row((f"{twin} in {broken.verdict.race}",), tuple(Cell(text) for text in texts)))
    headers = ("expected", "twin", "fixed", "")
    return Block("", "", ("twin",), headers, tuple(rows), align="left", panel_columns=8)


def remarks(results: Sequence[Checked]) -> list[str]:
    """What the cells do not say: bounds that were hit, what was never reached."""
    lines = []
    for result in results:
        verdict = result.verdict
        where = f"{verdict.variant}, {verdict.race}"
        if verdict.verdict == INCOMPLETE and verdict.walks:
            lines += [f"{where}: {verdict.why}"] if ";" in verdict.why else []
        elif verdict.verdict == INCOMPLETE:
            rate = count_text(round(verdict.states / verdict.seconds)) if verdict.seconds else "0"
            reached = f"{verdict.states} states, depth {verdict.depth}, {rate} states/s"
            lines.append(f"incomplete: {where}: {verdict.why}; {reached}")
        if verdict.vacuous:
            who = "walk" if verdict.walks else "interleaving"
            lines.append(f"* vacuous: {where}: no {who} reached {', '.join(verdict.vacuous)}")
    if any(result.verdict.walks and not result.verdict.findings for result in results):
        lines.append("none: random walks met no violation, which proves nothing")
    return [*dict.fromkeys(lines), *_not_as_posted(results), *_drafts(results)]


def _not_as_posted(results: Sequence[Checked]) -> list[str]:
    """Which verdicts are not about what was posted."""
    cases = [result.case for result in results if not result.case.expected]
    counts = {case.variant.name: len(case.variant.repairs) for case in cases if case.variant.repairs}
    if not counts:
        return []
    told = ", ".join(f"{name} has {count} repair{'s' * (count > 1)}" for name, count in counts.items())
    return [f"not as posted: {told}; without them: spfvar check {' '.join(map(posted_name, counts))}"]


def _drafts(results: Sequence[Checked]) -> tuple[str, ...]:
    """Which verdicts are about texts that nobody has finished."""
    return draft_remarks({result.case.variant.name: result.case.variant for result in results}.values())


def title_of(result: Checked, finding: Finding) -> str:
    """ "spf-...: munmap-file: P1: nobody looks at ..."."""
    where = f"{result.verdict.variant}, {result.verdict.race}"
    text = PROPERTIES[finding.property].text
    return f"{where}: {finding.property} broken in {finding.trace.length} steps ({text})"


def render_text(
    results: Sequence[Checked],
    reproduce: str,
    replay: str = "",
    width: int = WIDTH,
    paint: Paint = str,
    every_trace: bool = False,
    every_race: bool = True,
) -> str:
    """The matrix, a trace for each cause, the footer and a summary in at most ``width`` columns.

    ``paint`` colours verdicts.  ``replay``: the options that spfvar replay needs besides a token.
    ``every_trace``: one for each race that breaks.  ``every_race``: those that hold, too, if they are many.
    """
    block, lines = _block(results, every_race)
    parts = [list(map(paint, _table_lines(block, width)))]
    parts += [list(map(paint, _fill(line, width))) for line in lines]
    parts += [list(map(paint, _fill(line, width))) for line in remarks(results)]
    for cause in causes_of(results, every_trace):
        parts.append(_trace_part(cause.first, replay, width, paint))
        if cause.others:
            parts.append(_others_part(cause, replay, width))
    parts.append(_fill(_worth(results), width))
    parts.append(_fill(f"Reproduce: {reproduce}", width))
    parts.append([paint(text) for line in summary(results) for text in _fill(line, width)])
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _trace_part(found: Found, replay: str, width: int, paint: Paint) -> list[str]:
    trace, token = found[1].trace, found[1].token
    return [
        *map(paint, _fill(title_of(*found), width)),
        "",
        *(paint(line) if MARK in line else line for line in trace_lines(trace, width)),
        "",
        *_token_lines(_replay(token, replay), width),
    ]


def _others_part(cause: Cause, replay: str, width: int) -> list[str]:
    lines = _fill(also_of(cause), width)
    for result, finding in cause.others:
        lines.append(f"  {_race_and_steps(result, finding)}")
        lines += _token_lines(_replay(finding.token, replay), width)
    return lines


def also_of(cause: Cause) -> str:
    """What is said of the races whose traces are not shown."""
    many = len(cause.others)
    races = f"{many} other races" if many > 1 else "another race"
    who = f"{cause.first[0].verdict.variant} breaks {cause.first[1].property}"
    return f"{who} in the same way in {races} (--all-traces shows how):"


def _race_and_steps(result: Checked, finding: Finding) -> str:
    return f"{result.verdict.race}, {finding.trace.length} steps"


def render_mail(
    results: Sequence[Checked], reproduce: str, replay: str = "", every_trace: bool = False,
    every_race: bool = True,
) -> str:  # fmt: skip
    """As text, ASCII, 72 columns."""
    text = render_text(results, reproduce, replay, MAIL_WIDTH, every_trace=every_trace, every_race=every_race)
    return to_ascii(text)


def render_markdown(
    results: Sequence[Checked], reproduce: str, replay: str = "", every_trace: bool = False,
    every_race: bool = True,
) -> str:  # fmt: skip
    """Tables of GitHub's dialect, traces as code."""
    block, hold = _block(results, every_race)
    header = [*block.stub_headers, *block.headers]
    lines = [_pipe(header), _pipe(["---"] * len(header))]
    lines += [_pipe([*row.stub, *(cell.value for cell in row.cells)]) for row in block.rows]
    table = ["\n".join(lines)] if block.rows else []
    parts = [*table, *hold, *(line.replace("*", "\\*") for line in remarks(results))]
    for cause in causes_of(results, every_trace):
        result, finding = cause.first
        trace = "\n".join(trace_lines(finding.trace, WIDTH))
        parts.append(
            f"### {title_of(result, finding)}\n\n```\n{trace}\n```\n\n"
            f"Replay: `{_replay(finding.token, replay)}`"
        )
        if cause.others:
            races = [
                f"* {_race_and_steps(result, finding)}: `{_replay(finding.token, replay)}`"
                for result, finding in cause.others
            ]
            parts.append("\n".join([also_of(cause), "", *races]))
    return "\n\n".join([*parts, _worth(results), f"Reproduce: `{reproduce}`", *summary(results)]) + "\n"


def render_json(results: Sequence[Checked]) -> str:
    """A list with one entry per case."""
    return json.dumps([result.as_dict() for result in results], indent=2) + "\n"


def _block(results: Sequence[Checked], every_race: bool) -> tuple[Block, list[str]]:
    """The table, and what it leaves out."""
    if any(result.case.expected for result in results):
        return twins_block(results), []
    block = matrix_block(results)
    return (block, []) if every_race else folded(block, results)


def _table_lines(block: Block, width: int) -> list[str]:
    if not block.rows:
        return []
    lines: list[str] = []
    for panel in block.panels(fitting_columns(block, width)):
        lines += [""] if lines else []
        lines += grid_lines(panel, width)
    return lines


def _fill(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _worth(results: Sequence[Checked]) -> str:
    """What the verdicts are worth."""
    weak = any(result.verdict.memory == "lkmm" for result in results)
    return OF_WEAK_VERDICTS if weak else OF_VERDICTS


def _replay(token: str, options: str) -> str:
    return f"spfvar replay {options} {token}" if options else f"spfvar replay {token}"


def _token_lines(command: str, width: int) -> list[str]:
    """The replay command, in lines that a shell puts together again."""
    lines = []
    while len(command) > width:
        lines.append(f"{command[: width - 1]}\\")
        command = command[width - 1 :]
    return [*lines, command]


def _pipe(texts: Sequence[str]) -> str:
    return f"| {' | '.join(text.replace('*', chr(92) + '*') for text in texts)} |"
