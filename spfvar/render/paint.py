"""Colours for words that judge, on terminals.  The words stay, so that nothing is said by colour alone."""

from __future__ import annotations

import re
from collections.abc import Callable

Paint = Callable[[str], str]

_RESET = "\x1b[0m"
_BOLD, _GREEN, _RED, _YELLOW = "\x1b[1m", "\x1b[32m", "\x1b[1;31m", "\x1b[33m"
#: One of the above.
CODES = re.compile("(" + "|".join(map(re.escape, (_RESET, _BOLD, _GREEN, _RED, _YELLOW))) + ")")
#: Whole words (or what begins a cell), by what they are good for.
_WORDS = [
    (r"(?<!likely )better|safe\*?|ok|no longer violated:", _GREEN),
    (r"UNSAFE:|(?<!likely )WORSE|VIOLATION|MISSED|ALARM|BROKEN:?|reproduced:", _RED),
    (r"P\d+ broken|P\d+(?= \d+ steps)|P\d+(?= in )", _RED),
    (r"likely better|likely WORSE|incomplete\*?:?|unsure|diverged:|not needed|left open:|note", _YELLOW),
]
_PATTERNS = [(re.compile(rf"(?<!\S)(?:{words})(?=[\s,]|$)"), colour) for words, colour in _WORDS]


def judged(line: str) -> str:
    """The line with its verdicts green, red or yellow."""
    for pattern, colour in _PATTERNS:
        line = pattern.sub(lambda found, colour=colour: f"{colour}{found[0]}{_RESET}", line)  # type: ignore[misc]
    return line


_OF_VERDICTS = {
    "better": _GREEN, "WORSE": _RED, "likely better": _YELLOW, "likely WORSE": _YELLOW, "unsure": _YELLOW,
}  # fmt: skip


def verdict_colour(text: str, verdict: str) -> str:
    """The text in the colour of a verdict."""
    colour = _OF_VERDICTS.get(verdict)
    return text if colour is None else f"{colour}{text}{_RESET}"


def bold(text: str) -> str:
    """The text in bold."""
    return f"{_BOLD}{text}{_RESET}"


def red(text: str) -> str:
    """The text in red."""
    return f"{_RED}{text}{_RESET}"
