"""The hunks of a patch, cut at functions: the C of each before and after, with line numbers of the patch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from spfvar.csource.parse import prepared
from spfvar.review.diff import Hunk, Kind
from spfvar.review.hunks import defined_function, first_called
from spfvar.review.patchmail import Patch


@dataclass(frozen=True, slots=True)
class PieceLine:
    """A line of a hunk; ``at`` is its number in the patch's file, or in the new source if that is unknown."""

    kind: Kind
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Piece:
    """What a hunk has of one function ("" outside of any): ``whole`` if it defines that function anew.

    ``known``: the file's lines can be told (`PieceLine.at`).  ``hunk``: where that begins in the new source.
    """

    file: str
    function: str
    line: int
    lines: tuple[PieceLine, ...]
    whole: bool
    known: bool
    hunk: int = 0

    @property
    def place(self) -> str:
        """Where the hunk is in the new source: "mm/memory.c:3709"."""
        return f"{self.file}:{self.line}"

    def before(self) -> list[PieceLine]:
        """The lines without the patch."""
        return [line for line in self.lines if line.kind != "+"]

    def after(self) -> list[PieceLine]:
        """The lines with the patch."""
        return [line for line in self.lines if line.kind != "-"]


def pieces_of(patch: Patch) -> list[Piece]:
    """Every function's part of every hunk that changes something there, in order."""
    found = [piece for hunk in patch.hunks for piece in hunk_pieces(hunk)]
    names = _renamed(found)
    return [_with_name(piece, names.get(piece.function, piece.function)) for piece in found]


def hunk_pieces(hunk: Hunk) -> list[Piece]:
    """The parts of one hunk; every line of it belongs to one, but those of functions that it leaves alone."""
    return [
        piece for piece in _cut(hunk) if any(line.kind != " " and line.text.strip() for line in piece.lines)
    ]


#: Options of the configuration that a hunk asks for: a draft is of what it does where they are on.
_OPTION = re.compile(r"\bCONFIG_\w+")


def _numbered(hunk: Hunk) -> list[PieceLine]:
    """The lines of a hunk with their numbers in the patch.

    Where an archive has stripped them, the begin of a line does not tell a function's end from a block's.
    """
    found = []
    number, at = hunk.new_start, hunk.at
    for line in hunk.lines:
        number = number if line.new is None else line.new
        at = None if at is None else at + 1
        text = f"\t{line.text}" if hunk.mangled and line.text.startswith("}") else line.text
        found.append(PieceLine(line.kind, text, number if at is None else at))
        if at is not None and not line.newline:
            at += 1
    return found


def _compiled(lines: Sequence[PieceLine]) -> list[PieceLine]:
    """The lines that are compiled if every option is on that they ask for, without directives.

    A line of context that is compiled with the patch only counts as added, one that no longer is as removed.
    """
    directives = "\n".join(line.text for line in lines if line.text.lstrip().startswith("#"))
    options = frozenset(_OPTION.findall(directives)) | {"CONFIG_SMP"}
    texts: dict[str, dict[int, str]] = {}
    for side, other in (("-", "+"), ("+", "-")):
        kept = [i for i, line in enumerate(lines) if line.kind != other]
        plain = prepared("\n".join(lines[i].text for i in kept), options).split("\n")
        texts[side] = dict(zip(kept, plain, strict=False))  # no lines are one line without text
    found = []
    for i, line in enumerate(lines):
        old, new = texts["-"].get(i), texts["+"].get(i)
        if line.kind == " " and old != new and (old or "").strip() != (new or "").strip():
            found += [replace(line, kind="-", text=old or ""), replace(line, kind="+", text=new or "")]
        else:
            found.append(replace(line, text=(old if new is None else new) or ""))
    return found


def _cut(hunk: Hunk) -> Iterator[Piece]:
    name = defined_function(hunk.function) or first_called(hunk.function)
    here: list[PieceLine] = []
    begun = hunk.new_start
    whole = False
    numbers = [line.new or line.old or 0 for line in hunk.lines]
    by_at = dict(zip((line.at for line in _numbered(hunk)), numbers, strict=True))
    for line in _compiled(_numbered(hunk)):
        number = by_at[line.at]
        found = defined_function(line.text)
        if found and here and not _same_definition(here, line.kind):
            yield Piece(
                hunk.file,
                name,
                begun,
                tuple(here),
                whole and _ends(here),
                hunk.at is not None,
                hunk.new_start,
            )
            here, whole, begun = [], False, number
        if found and (line.kind != "-" or not whole):
            name, whole = found, line.kind == "+"
        here.append(line)
    if here:
        yield Piece(
            hunk.file, name, begun, tuple(here), whole and _ends(here), hunk.at is not None, hunk.new_start
        )


def _ends(lines: Sequence[PieceLine]) -> bool:
    """Does the function's last line come into it?"""
    return any(line.text.startswith("}") for line in lines if line.kind != "-")


def _same_definition(here: Sequence[PieceLine], kind: Kind) -> bool:
    """Is a definition that is removed followed by the one that is added in its place?"""
    if kind != "+":
        return False
    for line in reversed(here):
        if line.kind == " " and line.text.strip():
            return False
        if line.kind == "-" and defined_function(line.text):
            return True
    return False


def defined_in(patch: Patch) -> frozenset[str]:
    """The functions whose first line a patch shows, in what there is with it."""
    lines = (line for hunk in patch.hunks for line in hunk.lines if line.kind != "-")
    return frozenset(name for line in lines if (name := defined_function(line.text)))


def _renamed(pieces: Sequence[Piece]) -> dict[str, str]:
    """New name -> old name of the functions that a patch gives another name."""
    defined = {
        name for piece in pieces for line in piece.lines if line.kind != "-" and (name := _defines(line))
    }
    found: dict[str, str] = {}
    for piece in pieces:
        old = [name for line in piece.lines if line.kind == "-" and (name := _defines(line))]
        new = [name for line in piece.lines if line.kind == "+" and (name := _defines(line))]
        if len(old) == len(new) == 1 and old != new and old[0] not in defined:
            found[new[0]] = old[0]
    return found


def _defines(line: PieceLine) -> str:
    return defined_function(line.text)


def _with_name(piece: Piece, name: str) -> Piece:
    if name == piece.function:
        return piece
    return replace(piece, function=name, whole=False)
