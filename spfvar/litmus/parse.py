r"""Read a litmus test in the kernel's C format.

The format is that of ``tools/memory-model/Documentation/litmus-tests.txt`` (v6.1): a line ``C name``,
comments (one may claim a ``Result:``), initial values in braces, threads ``P0(int *x) { ... }``, then
``filter``, ``locations`` and one of ``exists``, ``~exists``, ``forall`` with a condition of ``/\``, ``\/``,
``~`` and ``=``.
"""

from __future__ import annotations

import os
import re
from typing import Final, Literal

from spfvar.errors import InputError, unknown
from spfvar.litmus.ast import (
    Address,
    Clause,
    FinalRegister,
    FinalWord,
    Initial,
    Test,
    Thread,
    Verdict,
    terms,
)
from spfvar.litmus.conditions import clause, initial, locations
from spfvar.litmus.cursor import Cursor, UnsupportedTest
from spfvar.litmus.threads import thread
from spfvar.litmus.tokens import end_of_comment, tokens
from spfvar.reading import read_file

__all__ = ["UnsupportedTest", "parse", "read"]

_LARGEST: Final = 1 << 20
_FIRST: Final = re.compile(r"([A-Za-z0-9_]+)[ \t]+(\S+)")
_RESULT: Final = re.compile(
    r"^[ \t]*(?:\(?\*|//)?[ \t]*Result:[ \t]*(Never|Sometimes|Always)\b", re.MULTILINE
)
_RESULTS: Final[dict[str, Verdict]] = {"Never": "never", "Sometimes": "sometimes", "Always": "always"}
_THREAD: Final = re.compile(r"P(0|[1-9][0-9]*)$")


def read(path: str | os.PathLike[str]) -> Test:
    """Read the litmus test in a file; raises InputError, and nothing else, see `parse`."""
    file = os.fspath(path)
    data = read_file(path, _LARGEST, "a litmus test")
    try:
        return parse(data.decode("utf-8"), file)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError("the file is not text", file=file, line=line, expected="UTF-8 text") from error


def parse(text: str, file: str | None = None) -> Test:
    """Read a litmus test; `file` is named in errors.

    Raises InputError with the line and what was expected there; its subclass `UnsupportedTest` for a test
    that uses what spfvar has no meaning for.
    """
    name, result, place = _header(text, file)
    cursor = Cursor(tokens(text[place:], text.count("\n", 0, place) + 1, file), file)
    values = initial(cursor)
    threads, registers = _threads(cursor, values)
    where: tuple[FinalWord | FinalRegister, ...] = ()
    condition: Clause | None = None
    if cursor.accept("locations"):
        where = locations(cursor)
    if cursor.accept("filter"):
        condition = clause(cursor)
    if cursor.accept("locations"):
        where = locations(cursor)
    last = cursor.token
    quantifier = _quantifier(cursor)
    test = Test(name, values, threads, quantifier, clause(cursor), condition, where, result)
    if cursor.token.kind != "end":
        raise cursor.error(r'"/\", "\/" or the end of the file')
    _check_names(test, registers, file, last.line)
    return test


def _header(text: str, file: str | None) -> tuple[str, Verdict | None, int]:
    """The name, the claimed result, and where the initial values begin.

    Between the two lie comments, strings and lines that tools have left; none of them means anything.
    """
    place = len(text) - len(text.lstrip())
    while text.startswith("(*", place):
        place = end_of_comment(text, place, text.count("\n", 0, place) + 1, file)
        place += len(text[place:]) - len(text[place:].lstrip())
    line = text.count("\n", 0, place) + 1
    first = _FIRST.match(text, place)
    if first is None:
        raise InputError("this is no litmus test", file=file, line=line, expected='a line "C NAME"')
    if first.group(1) != "C":
        raise UnsupportedTest(f"a test in {first.group(1)}; only those in C are", file=file, line=line)
    place = first.end()
    while place < len(text) and text[place] != "{":
        if text.startswith("(*", place):
            place = end_of_comment(text, place, text.count("\n", 0, place) + 1, file)
        elif text[place] == '"' and (closing := text.find('"', place + 1)) > 0:
            place = closing + 1
        elif text.startswith("//", place):
            end = text.find("\n", place)
            place = end if end > 0 else len(text)
        else:
            place += 1
    if place == len(text):
        raise InputError("the test has a name only", file=file, line=line, expected="{ initial values }")
    claim = _RESULT.search(text[:place])
    return first.group(2), _RESULTS[claim.group(1)] if claim else None, place


def _threads(cursor: Cursor, values: tuple[Initial, ...]) -> tuple[tuple[Thread, ...], list[set[str]]]:
    threads: list[Thread] = []
    registers: list[set[str]] = []
    while True:
        while cursor.at("static", "void"):
            cursor.take()
        match = _THREAD.match(cursor.token.text)
        if match is None or cursor.token.kind != "name":
            break
        name = cursor.take()
        count = len(threads)
        if match.group(1) != str(count):
            raise cursor.error(f"the threads in order: P{count} here", name)
        places = (i.place for i in values)
        before = {p.name for p in places if isinstance(p, FinalRegister) and p.thread == count}
        read_thread, names = thread(cursor, before)
        threads.append(read_thread)
        registers.append(names)
    if not threads:
        raise cursor.error("a thread such as P0(int *x) { ... }")
    return tuple(threads), registers


def _quantifier(cursor: Cursor) -> Literal["exists", "~exists", "forall"]:
    if cursor.accept("exists"):
        return "exists"
    if cursor.accept("forall"):
        return "forall"
    if cursor.at("~") and cursor.ahead(1).text == "exists":
        cursor.take()
        cursor.take()
        return "~exists"
    raise cursor.error("exists, ~exists or forall")


def _check_names(test: Test, registers: list[set[str]], file: str | None, line: int) -> None:
    """Every word and register that conditions and initial values name is there."""
    places: list[object] = [*test.locations, *(initial.place for initial in test.initial)]
    for part in (test.clause, test.filter):
        if part is not None:
            places += terms(part)
    for place in places:
        if isinstance(place, FinalRegister):
            if place.thread >= len(registers):
                names = [f"{number}:" for number in range(len(registers))]
                raise unknown("thread", f"{place.thread}:", names, file=file, line=line)
            if place.name not in registers[place.thread]:
                names = sorted(registers[place.thread])
                raise unknown(f"register of P{place.thread}", place.name, names, file=file, line=line)
        elif isinstance(place, FinalWord | Address):
            name = place.word
            if name not in test.words:
                raise unknown("shared word", name, test.words, file=file, line=line)
