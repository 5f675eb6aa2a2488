"""Tokens of a litmus test, each with its line.

A test is written in two languages: threads in C, with C's comments, and all else in herd's, whose comments
``(* *)`` nest.  ``(*x)`` is therefore a comment outside a thread and a dereference inside.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from spfvar.errors import InputError, quote

Kind = Literal["name", "number", "mark", "string", "end"]

_SPACE = re.compile(r"[ \t\r\f\v\n]+")
_C_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]+|[0-9]+)[uUlL]*(?![A-Za-z0-9_])")
_STRING = re.compile(r'"[^"\n]*"')
_MARK = re.compile(
    r"/\\|\\/|->|\+\+|--|\+=|-=|\|=|&=|\^=|\*=|<<|>>|==|!=|<=|>=|=>|&&|\|\||[][(){};:,=<>+\-*/%&|^!~?.]"
)
_THREAD = re.compile(r"P[0-9]+$")


@dataclass(frozen=True)
class Token:
    """A piece of the text; `line` counts from 1."""

    kind: Kind
    text: str
    line: int

    def __str__(self) -> str:
        return "the end of the file" if self.kind == "end" else quote(self.text)


def tokens(text: str, line: int, file: str | None) -> list[Token]:
    """The tokens of `text`, whose first line is number `line`; the last one is of kind "end".

    Raises InputError for a character that begins no token and for a comment that does not end.
    """
    found: list[Token] = []
    place, depth, code = 0, 0, False
    while place < len(text):
        end = _skip(text, place, line, file, code)
        if end == place:
            token, end = _token(text, place, line, file)
            found.append(token)
            if token.kind == "name" and depth == 0 and _THREAD.match(token.text):
                code = True
            depth += {"{": 1, "}": -1}.get(token.text, 0)
            if token.text == "}" and depth == 0:
                code = False
        line += text.count("\n", place, end)
        place = end
    return [*found, Token("end", "", line)]


def _skip(text: str, place: int, line: int, file: str | None, code: bool) -> int:
    """Where the blank or comment at `place` ends; `place` if there is none."""
    if not code and text.startswith("(*", place):
        return end_of_comment(text, place, line, file)
    for pattern in (_SPACE, _C_COMMENT):
        if match := pattern.match(text, place):
            return match.end()
    if text.startswith("/*", place):
        raise InputError("this comment does not end", file=file, line=line, expected="*/")
    return place


def end_of_comment(text: str, place: int, line: int, file: str | None) -> int:
    """Where herd's comment that begins at `place` ends: they nest."""
    depth = 0
    for match in re.compile(r"\(\*|\*\)").finditer(text, place):
        depth += 1 if match.group() == "(*" else -1
        if depth == 0:
            return match.end()
    raise InputError("this comment does not end", file=file, line=line, expected="*)")


def _token(text: str, place: int, line: int, file: str | None) -> tuple[Token, int]:
    patterns: tuple[tuple[Kind, re.Pattern[str]], ...] = (
        ("name", _NAME), ("number", _NUMBER), ("string", _STRING), ("mark", _MARK),
    )  # fmt: skip
    for kind, pattern in patterns:
        if match := pattern.match(text, place):
            if kind == "number" and not _is_word(match.group(1)):
                raise InputError("this number is too large", file=file, line=line, expected="less than 2**63")
            return Token(kind, match.group(), line), match.end()
    raise InputError(f"found the character {quote(text[place])}", file=file, line=line)


def _is_word(digits: str) -> bool:
    """Whether a number fits a signed word of 64 bits."""
    return len(digits) <= len(str(1 << 63)) and number(digits) < 1 << 63


def number(digits: str) -> int:
    """The value of a number as it is written in C: decimal or hexadecimal, with or without a suffix."""
    digits = digits.rstrip("uUlL")
    return int(digits, 16) if digits[:2] in ("0x", "0X") else int(digits)
