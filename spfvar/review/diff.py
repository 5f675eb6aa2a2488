"""Unified diffs, as exact as their text: the counts of the ``@@`` lines guide the reading.

Archives of mailing lists strip leading white space, so a context line may have lost its blank, and a mail may
end in the middle of a hunk.  The unidiff library refuses both ("Hunk diff line expected", "Hunk is shorter
than expected"), so what reads a hunk is here.  What is missing or left over becomes a warning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from spfvar.errors import InputError, quote

Kind = Literal[" ", "+", "-"]
Change = Literal["modified", "added", "deleted", "renamed", "copied"]

_HUNK = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@(?: ?(.*))?", re.DOTALL)
#: What may follow a line ``diff --git``, so that prose that begins so is not taken for a diff.
_EXTENDED = (
    "index ", "old mode ", "new mode ", "new file mode ", "deleted file mode ", "similarity index ",
    "dissimilarity index ", "rename ", "copy ", "Binary files ", "GIT binary patch", "--- ",
)  # fmt: skip
_SIGNATURE = re.compile(r"\d+\.\d+[\w.() -]{0,40}\Z")
#: quilt and diff(1) compare a file with its copy "memory.c~name" or "memory.c.orig"...
_DIFFUTILS_NAME = re.compile(r"(?:~[\w.+-]*|\.orig)\Z")
#: ... and write a time behind it, with blanks where a mail has lost the tab.
_TIME = re.compile(r" +\d{4}-\d\d-\d\d \d\d:\d\d.*\Z")
_OCTAL = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_ESCAPES = {
    b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a hunk: context (`kind` is a blank), added or removed.

    ``old`` and ``new`` are its line numbers in the two files, None where it is not in that file;
    ``newline`` is False for a last line that does not end in one.
    """

    kind: Kind
    text: str
    old: int | None
    new: int | None
    newline: bool = True


@dataclass(frozen=True, slots=True)
class Hunk:
    """One hunk: what its ``@@`` line says, and its lines.

    ``function`` is what follows the second ``@@``: the line where git thinks that a function begins.
    ``whole`` is False if the text has other lines than the ``@@`` line counts.  ``mangled``: context lines
    have lost their leading blank, so a context line that begins with a sign may be taken for a change.
    ``at`` is the number of the ``@@`` line in the patch's file, None where that is not known.
    """

    file: str
    function: str
    old_start: int
    old_count: int
    new_start: int
    new_count: int
    lines: tuple[Line, ...]
    whole: bool = True
    mangled: bool = False
    at: int | None = field(default=None, compare=False)

    @property
    def added(self) -> int:
        """The number of lines that it adds."""
        return sum(line.kind == "+" for line in self.lines)

    @property
    def removed(self) -> int:
        """The number of lines that it removes."""
        return sum(line.kind == "-" for line in self.lines)

    @property
    def header(self) -> str:
        """The ``@@`` line, with both counts spelt out."""
        old = f"-{self.old_start},{self.old_count}"
        new = f"+{self.new_start},{self.new_count}"
        return f"@@ {old} {new} @@ {self.function}".rstrip(" ")

    def text(self) -> str:
        """The hunk as a diff has it."""
        rows = [self.header]
        for line in self.lines:
            rows.append(line.kind + line.text)
            if not line.newline:
                rows.append("\\ No newline at end of file")
        return "\n".join(rows) + "\n"


@dataclass(frozen=True, slots=True)
class FileChange:
    """What a diff does to one file; a deleted file goes by its old path, every other by its new one."""

    path: str
    old_path: str
    change: Change
    binary: bool
    hunks: tuple[Hunk, ...]

    @property
    def added(self) -> int:
        """The number of lines that it adds."""
        return sum(hunk.added for hunk in self.hunks)

    @property
    def removed(self) -> int:
        """The number of lines that it removes."""
        return sum(hunk.removed for hunk in self.hunks)


def diff_start(lines: Sequence[str], begin: int = 0) -> int | None:
    """The index of the first line at or after ``begin`` where the diff of a file begins; None: nowhere."""
    for index in range(begin, len(lines)):
        if _starts(lines, index):
            return index
    return None


def _starts(lines: Sequence[str], index: int) -> bool:
    line = lines[index]
    if line.startswith("diff --git "):
        return index + 1 < len(lines) and lines[index + 1].startswith(_EXTENDED)
    return line.startswith("--- ") and _paths_follow(lines, index)


def _paths_follow(lines: Sequence[str], index: int) -> bool:
    """Are this line and the next the two that name a file, with a hunk behind them?"""
    rest = lines[index : index + 3]
    return (
        len(rest) == 3
        and rest[0].startswith("--- ")
        and rest[1].startswith("+++ ")
        and rest[2].startswith("@@ ")
    )


def parse_diff(
    lines: Sequence[str], *, file: str = "-", offset: int | None = 0
) -> tuple[tuple[FileChange, ...], tuple[str, ...]]:
    """Every file's diff in ``lines`` (without line ends), and warnings; text between the diffs is left out.

    ``file`` and ``offset`` (lines of the file before ``lines``; None: unknown) are for messages.  Raises
    InputError for an ``@@`` line that cannot be read.
    """
    reader = _Reader(lines, file, offset)
    files = []
    start = diff_start(lines)
    while start is not None:
        reader.at = start
        files.append(reader.file_change())
        start = diff_start(lines, reader.at)
    return tuple(files), tuple(reader.warnings)


class _Reader:
    """A place in the lines, and the warnings so far."""

    def __init__(self, lines: Sequence[str], file: str, offset: int | None) -> None:
        self.lines = lines
        self.file = file
        self.offset = offset
        self.at = 0
        self.warnings: list[str] = []

    def _line(self) -> str | None:
        return self.lines[self.at] if self.at < len(self.lines) else None

    def _number(self, index: int) -> int | None:
        return None if self.offset is None else self.offset + index + 1

    def _warn(self, index: int, text: str) -> None:
        number = self._number(index)
        self.warnings.append(text if number is None else f"line {number}: {text}")

    def file_change(self) -> FileChange:
        """The diff that begins here, up to behind its last hunk."""
        old, new, change, binary = self._file_header()
        path = old if change == "deleted" else new
        hunks = []
        while (line := self._line()) is not None and line.startswith("@@ "):
            hunks.append(self._hunk(path))
        return FileChange(path, old, change, binary, tuple(hunks))

    def _file_header(self) -> tuple[str, str, Change, bool]:
        """The lines before the first hunk: old path, new path, kind of change, binary or not."""
        old = new = ""
        change: Change = "modified"
        binary = git = False
        if self.lines[self.at].startswith("diff --git "):
            old, new = _git_paths(self.lines[self.at].removeprefix("diff --git "))
            git = True
            self.at += 1
        while (line := self._line()) is not None and line.startswith(_EXTENDED):
            if line.startswith("--- "):
                if not _paths_follow(self.lines, self.at):
                    break
                old, new, created = _named_paths(line[4:], self.lines[self.at + 1][4:], git)
                change = created or change
                self.at += 2
                break
            change = _change(line) or change
            if line.startswith(("rename from ", "copy from ")):
                old = unquoted(line.split(" from ", 1)[1])
            elif line.startswith(("rename to ", "copy to ")):
                new = unquoted(line.split(" to ", 1)[1])
            binary = binary or line.startswith(("Binary files ", "GIT binary patch"))
            self.at += 1
        return old, new, change, binary

    def _hunk(self, path: str) -> Hunk:
        """The hunk whose ``@@`` line is here, up to behind its last line."""
        start = self.at
        match = _HUNK.fullmatch(self.lines[start])
        if match is None:
            raise InputError(
                f"a hunk header that cannot be read: {quote(self.lines[start])}",
                file=self.file,
                line=self._number(start),
                expected="@@ -LINE,COUNT +LINE,COUNT @@",
            )
        old_start, old_count, new_start, new_count = (
            1 if number is None else int(number) for number in match.groups()[:4]
        )
        self.at += 1
        body = _Body(old_start, old_count, new_start, new_count)
        while body.wants_more() and (line := self._line()) is not None:
            if self._ends_here() or not body.take(line):
                break
            self.at += 1
        if (line := self._line()) is not None and line.startswith("\\ ") and body.lines:
            body.take(line)
            self.at += 1
        whole = not body.wants_more()
        if not whole:
            found = f"{body.old - old_start} old and {body.new - new_start} new lines"
            self._warn(
                start,
                f"the hunk of {path} should have {old_count} old and {new_count} new lines, has {found}",
            )
        elif self._more_follows():
            whole = False
            self._warn(self.at, f"the hunk of {path} goes on after the lines that its @@ line counts")
        return Hunk(
            path, (match[5] or "").strip(), old_start, old_count, new_start, new_count,
            tuple(body.lines), whole, body.mangled, self._number(start),
        )  # fmt: skip

    def _ends_here(self) -> bool:
        """Is this a line that no hunk can hold: the next hunk or diff, or the signature of git?"""
        line = self.lines[self.at]
        if line.startswith("@@ -") and _HUNK.fullmatch(line):
            return True
        if line.startswith("diff --git "):
            return _starts(self.lines, self.at)
        return self._signature()

    def _signature(self) -> bool:
        """Two dashes, then git's version: no line of a diff begins with a digit."""
        line = self.lines[self.at]
        behind = self.lines[self.at + 1] if self.at + 1 < len(self.lines) else ""
        return line in ("-- ", "--") and _SIGNATURE.match(behind) is not None

    def _more_follows(self) -> bool:
        """Does a changed line follow, where the hunk should be over?"""
        line = self._line()
        if line is None or not line.startswith(("+", "-")) or line in ("-- ", "--", "---"):
            return False
        return not _paths_follow(self.lines, self.at)


class _Body:
    """The lines of a hunk, and how far they have come in the two files."""

    def __init__(self, old: int, old_count: int, new: int, new_count: int) -> None:
        # A count of zero names the line before: the hunk itself has no line there.
        self.old, self.old_end = old, old + old_count
        self.new, self.new_end = new, new + new_count
        self.lines: list[Line] = []
        self.mangled = False

    def wants_more(self) -> bool:
        """Do the counts say that more lines follow?"""
        return self.old < self.old_end or self.new < self.new_end

    def take(self, line: str) -> bool:
        """Add a line; False if the counts leave no room for it."""
        sign, text = line[:1], line[1:]
        in_old, in_new = self.old < self.old_end, self.new < self.new_end
        if sign == "\\":
            if not self.lines:
                return False
            last = self.lines[-1]
            self.lines[-1] = Line(last.kind, last.text, last.old, last.new, newline=False)
        elif sign == "+" and in_new:
            self.lines.append(Line("+", text, None, self.new))
            self.new += 1
        elif sign == "-" and in_old:
            self.lines.append(Line("-", text, self.old, None))
            self.old += 1
        elif sign not in ("+", "-") and in_old and in_new:
            if sign not in ("", " "):
                self.mangled = True
                text = line
            self.lines.append(Line(" ", text, self.old, self.new))
            self.old += 1
            self.new += 1
        else:
            return False
        return True


def _change(line: str) -> Change | None:
    """What an extended header line says about the file as a whole."""
    if line.startswith("new file mode "):
        return "added"
    if line.startswith("deleted file mode "):
        return "deleted"
    if line.startswith("rename "):
        return "renamed"
    return "copied" if line.startswith("copy ") else None


def _git_paths(rest: str) -> tuple[str, str]:
    """The two paths of a line ``diff --git``: but for a/ and b/ the same, unless the file was renamed."""
    if rest.startswith('"') and '" ' in rest:
        old, new = rest.split('" ', 1)
        return _without_prefix(unquoted(old + '"'), unquoted(new))
    middle = len(rest) // 2
    if rest[middle : middle + 1] == " " and rest[:middle].removeprefix("a/") == rest[
        middle + 1 :
    ].removeprefix("b/"):
        return _without_prefix(rest[:middle], rest[middle + 1 :])
    old, _, new = rest.partition(" ")
    return _without_prefix(unquoted(old), unquoted(new))


def _named_paths(old: str, new: str, git: bool) -> tuple[str, str, Change | None]:
    """The paths of the lines ``---`` and ``+++``; /dev/null on one side says added or deleted."""
    # diff(1) writes a time behind a tab; git writes a tab behind a name that holds a blank.
    old, new = (unquoted(text.split("\t", 1)[0].rstrip()) for text in (old, new))
    if not git:
        old, new = (_DIFFUTILS_NAME.sub("", _TIME.sub("", path)) for path in (old, new))
    if old == "/dev/null":
        new = _without_letter(new)
        return new, new, "added"
    if new == "/dev/null":
        old = _without_letter(old)
        return old, old, "deleted"
    if not git and old == new:  # quilt's "--- a/mm/memory.c~name", "+++ a/mm/memory.c"
        return _without_letter(old), _without_letter(new), None
    return (*_without_prefix(old, new, any_first=not git), None)


def _without_letter(path: str) -> str:
    """A path below git's a/ or b/; diffs of quilt say a/ on both sides."""
    return path[2:] if path.startswith(("a/", "b/")) else path


def _without_prefix(old: str, new: str, any_first: bool = False) -> tuple[str, str]:
    """Paths below the source tree: without git's a/ and b/, or the two trees that diff(1) was given."""
    if old.startswith("a/") and new.startswith("b/"):
        return old[2:], new[2:]
    (old_tree, _, old_rest), (new_tree, _, new_rest) = old.partition("/"), new.partition("/")
    if any_first and old_tree != new_tree and old_rest and old_rest == new_rest:
        return old_rest, new_rest
    return old, new


def unquoted(path: str) -> str:
    """A path as git writes it: in quotation marks, with C's escapes, if it has odd characters."""
    if len(path) < 2 or not (path.startswith('"') and path.endswith('"')):
        return path

    def byte(match: re.Match[bytes]) -> bytes:
        code = match[1]
        return bytes([int(code, 8) & 0xFF]) if len(code) == 3 else _ESCAPES.get(code, code)

    return _OCTAL.sub(byte, path[1:-1].encode("utf-8", "surrogateescape")).decode("utf-8", "replace")
