"""The results of the conformance kit, as text and JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence

from spfvar.conformance.result import FAIL, PASS, Result, Trouble

WIDTH = 80
#: Troubles of one check in the text; JSON has all of them.
SHOWN = 5
_STATUS = {PASS: "pass", FAIL: "FAIL"}
_INDENT = "      "


def render_text(plugin: str, results: Sequence[Result], width: int = WIDTH) -> str:
    """A line per check; below a failed one what is wrong, where, and what to do."""
    lines = [plugin]
    names = max(len(result.check) for result in results)
    variant = ""
    for result in results:
        if result.variant != variant:
            variant = result.variant
            lines += ["", variant]
        lines += result_lines(result, names, width)
    return "\n".join([*lines, "", *_fill(verdict_line(results), width, "", "  ")]) + "\n"


def result_lines(result: Result, names: int = 0, width: int = WIDTH) -> list[str]:
    """One check: the status, and the troubles if there are any."""
    head = f"  {_STATUS.get(result.status, 'not run')}  {result.check:<{names}}  "
    lines = _fill(f"{head}{'' if result.troubles else result.summary}".rstrip(), width, "", " " * len(head))
    for trouble in result.troubles[:SHOWN]:
        lines += trouble_lines(trouble, width)
    more = len(result.troubles) - SHOWN
    return [*lines, f"{_INDENT}... and {more} more (--format json has all)"] if more > 0 else lines


def trouble_lines(trouble: Trouble, width: int = WIDTH) -> list[str]:
    """What is wrong, where, how it comes to it, and what to do."""
    where = f"{trouble.where}: " if trouble.where else ""
    lines = _fill(f"{where}{trouble.what}", width, _INDENT, f"{_INDENT}  ")
    for detail in trouble.details:
        lines += _fill(detail, width, f"{_INDENT}  ", f"{_INDENT}    ")
    return lines + _fill(f"to do: {trouble.do}", width, f"{_INDENT}  ", f"{_INDENT}    ")


def verdict_line(results: Sequence[Result]) -> str:
    """How many checks passed, and which did not."""
    bad = [f"{r.variant}: {r.check}" if r.variant else r.check for r in results if r.status == FAIL]
    skipped = sum(result.status not in (PASS, FAIL) for result in results)
    more = f", {skipped} not run" if skipped else ""
    passed = sum(result.status == PASS for result in results)
    failed = f", {len(bad)} failed ({', '.join(bad)})" if bad else ""
    return f"{passed} of {len(results)} checks passed{failed}{more}"


def render_json(plugin: str, results: Sequence[Result]) -> str:
    """An object with a list of the checks."""
    entries = [result.as_dict() for result in results]
    passed = all(result.status == PASS for result in results)
    return json.dumps({"plugin": plugin, "passed": passed, "checks": entries}, indent=2) + "\n"


def _fill(text: str, width: int, indent: str, more: str) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=more,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
