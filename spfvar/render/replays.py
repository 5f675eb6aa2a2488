"""A replay as text: each step on the left, the state behind it on the right."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import zip_longest

from spfvar.explore.replay import Replay, Scene
from spfvar.render.columns import step_lines, wrapped
from spfvar.render.mail import to_ascii
from spfvar.render.paint import Paint

GAP = "  "


def render_replay(replay: Replay, form: str, width: int = 80, paint: Paint = str) -> str:
    """One replay in one of the forms; ``width`` and ``paint`` (of verdicts) are for tables."""
    if form == "json":
        return json.dumps(replay.as_dict(), indent=2) + "\n"
    text = "\n".join(_lines(replay, {"mail": 72, "markdown": 80}.get(form, width), paint)) + "\n"
    if form == "mail":
        return to_ascii(text)
    return f"```\n{text}```\n" if form == "markdown" else text


def verdict_line(replay: Replay) -> str:
    """What came of it."""
    changed = "; the race or the variant has changed since" if replay.changed else ""
    return f"{replay.variant}, {replay.race}: {replay.outcome}: {replay.message}{changed}"


def _lines(replay: Replay, width: int, paint: Paint) -> list[str]:
    left = (width - len(GAP)) // 2
    right = width - len(GAP) - left
    lines = [f"{'step':<{left}}{GAP}state behind it (* changed)".rstrip()]
    lines += _beside([], _state(replay.start, replay.start, right), left)
    before = replay.start
    functions: dict[str, str] = {}
    for scene in replay.scenes:
        lines.append("")
        lines += _beside(_step(scene, left, functions), _state(scene.state, before, right), left)
        before = scene.state
    lines.append("")
    return [*lines, *map(paint, wrapped(f"=> {verdict_line(replay)}", 0, width))]


def _step(scene: Scene, width: int, functions: dict[str, str]) -> list[str]:
    first = scene.steps[0]
    lines = [f"{first.number} {first.thread}"]
    functions.pop(first.thread, None)
    for indent, text in step_lines(scene.steps, functions):
        lines += wrapped(text, indent + 2, width)
    return lines


def _state(state: Sequence[str], before: Sequence[str], width: int) -> list[str]:
    lines: list[str] = []
    for text in state:
        first, *rest = wrapped(text, 0, width - 2)
        mark = " " if text in before else "*"
        lines += [f"{mark} {first}", *(f"  {more}" for more in rest)]
    return lines


def _beside(left: Sequence[str], right: Sequence[str], width: int) -> list[str]:
    return [f"{a:<{width}}{GAP}{b}".rstrip() for a, b in zip_longest(left, right, fillvalue="")]
