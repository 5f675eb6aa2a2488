"""A patch as it was sent: a mail, an mbox, the output of git format-patch or git show, or a bare diff.

Reads bytes, runs nothing.  `spfvar.review.messages` takes files apart, `spfvar.review.mailtext` mails.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from email.errors import HeaderParseError
from email.header import decode_header
from email.utils import parseaddr, parsedate_to_datetime
from functools import cached_property

from spfvar.errors import InputError
from spfvar.reading import read_file
from spfvar.review.diff import FileChange, Hunk, diff_start, parse_diff, unquoted
from spfvar.review.mailtext import HEADER, Text, decoded, texts, why_none
from spfvar.review.messages import MAX_BYTES, messages, unpacked

_EXPECTED = "a mail, an mbox or a diff with a line like '@@ -10,7 +10,9 @@'"
_TAGS = re.compile(r"\s*\[([^\[\]]*)\]")
_REPLY = re.compile(r"\s*(?:re|aw|fwd?):", re.IGNORECASE)
_POSITION = re.compile(r"(?<!\d)(\d{1,5})/(\d{1,5})(?!\d)")
_VERSION = re.compile(r"v(\d{1,4})\Z", re.IGNORECASE)
_SUMMARY = re.compile(
    r" ?(\d{1,9}) files? changed(?:, (\d{1,9}) insertions?\(\+\))?(?:, (\d{1,9}) deletions?\(-\))?\s*\Z"
)
_INDEX = re.compile(r"Index: |=+\s*\Z|diff -")
_STAT = re.compile(r"\s*(\d{1,9}|Bin)(?![\w-])")
_ARCHIVE_DATE = re.compile(r"(\w{3}) (\w{3}) (\d{1,2}) (\d{4}) - (\d\d:\d\d:\d\d) (\S+)\Z")


@dataclass(frozen=True, slots=True)
class Diffstat:
    """Changed lines per file, and in all.

    ``files``: (path, changed lines), None for a binary file; a mail may abbreviate a path with "...".  A
    total is None where a mail does not say it.
    """

    files: tuple[tuple[str, int | None], ...]
    inserted: int | None
    deleted: int | None


@dataclass(frozen=True)
class Patch:
    """One patch.  What the text does not say is "" or None; ``warnings`` say what could not be read as it is.

    ``subject`` is the mail's, ``title`` is it without tags such as [RFC PATCH v2 24/37], which are in
    ``tags``, ``version`` and ``position`` (24, 37).  ``date`` is as written, ``when`` the same as a time.
    ``message`` ends before the line of three dashes, ``stated`` is the diffstat below that.  ``parts`` are
    the patches of a stack that is reviewed as one.
    """

    source: str
    subject: str
    title: str
    tags: tuple[str, ...]
    version: int
    position: tuple[int, int] | None
    author_name: str
    author_address: str
    date: str
    when: datetime | None
    message_id: str
    in_reply_to: str
    message: str
    stated: Diffstat | None
    files: tuple[FileChange, ...]
    warnings: tuple[str, ...]
    parts: tuple[Patch, ...] = ()

    @property
    def is_reply(self) -> bool:
        """Is it an answer that holds a diff of its own?"""
        return _REPLY.match(self.subject) is not None

    @property
    def hunks(self) -> tuple[Hunk, ...]:
        """The hunks of all files, in order."""
        return tuple(hunk for file in self.files for hunk in file.hunks)

    @cached_property
    def diffstat(self) -> Diffstat:
        """What the hunks add and remove."""
        files = tuple((file.path, None if file.binary else file.added + file.removed) for file in self.files)
        return Diffstat(
            files, sum(file.added for file in self.files), sum(file.removed for file in self.files)
        )

    @cached_property
    def stat_differences(self) -> tuple[str, ...]:
        """Where the diffstat of the mail is not that of its hunks, a line each; () without one."""
        return tuple(_differences(self.stated, self.diffstat)) if self.stated is not None else ()


def load_patches(path: str) -> tuple[Patch, ...]:
    """The patches of a file, as `parse_patches`; InputError, too, for a file that cannot be read."""
    return parse_patches(read_file(path, MAX_BYTES, _EXPECTED), file=path)


def parse_patch(data: bytes, *, file: str = "-") -> Patch:
    """The first patch in ``data``, as `parse_patches`."""
    return parse_patches(data, file=file)[0]


def parse_patches(data: bytes, *, file: str = "-") -> tuple[Patch, ...]:
    """Every patch in ``data``, which may be packed, in order; mails without a diff are left out.

    Raises InputError with ``file``, if there is none with a line and, as far as it can be told, why.
    """
    data = unpacked(data, file)
    patches: list[Patch] = []
    reasons: list[str] = []
    for message in messages(data):
        try:
            for text in texts(message):
                patch = _patch(text, file)
                if patch is not None:
                    patches.append(patch)
                elif (why := why_none(text)) is not None:
                    reasons.append(why)
        except RecursionError:
            line = message.offset + 1
            raise InputError("the mail's parts are nested too deeply", file=file, line=line) from None
    if not patches:
        what = "the patch is empty" if not data.strip() else "there is no patch here: no diff was found"
        why = f"there is no patch here: {reasons[0]}" if reasons else what
        raise InputError(why, file=file, line=max(1, data.count(b"\n")), expected=_EXPECTED)
    return tuple(patches)


def _patch(text: Text, file: str) -> Patch | None:
    """The patch in a message, None if it has no diff."""
    start = diff_start(text.lines)
    if start is None:
        return None
    offset = None if text.offset is None else text.offset + start
    files, warnings = parse_diff(text.lines[start:], file=file, offset=offset)
    headers = dict(text.headers)
    above = _without_own_headers(_without_index(text.lines[:start]), headers)
    message, notes = _split_at_dashes(above)
    stated = _stated(notes)
    subject = _words(headers.get("subject", ""))
    title, tags, version, position = _subject(subject)
    name, address = _author(headers.get("from", ""))
    date = _one_line(headers.get("date", ""))
    return Patch(
        source=file,
        subject=subject,
        title=title,
        tags=tags,
        version=version,
        position=position,
        author_name=name,
        author_address=address,
        date=date,
        when=_time(date),
        message_id=_identifier(headers.get("message-id", "")),
        in_reply_to=_identifier(headers.get("in-reply-to", "")),
        message="\n".join(message).strip("\n"),
        stated=stated,
        files=files,
        warnings=warnings,
    )


def _without_index(lines: list[str]) -> list[str]:
    """The lines above a diff without what quilt and diff(1) put on top of it."""
    end = len(lines)
    while end and _INDEX.match(lines[end - 1]):
        end -= 1
    return lines[:end]


def _without_own_headers(lines: list[str], headers: dict[str, str]) -> list[str]:
    """The message without the From:, Subject: and Date: at its top, which git writes for the author."""
    at = next((index for index, line in enumerate(lines) if line.strip()), 0)
    end = at
    while end < len(lines) and (match := HEADER.match(lines[end])) is not None:
        if match[1] not in ("From", "Subject", "Date"):
            break
        headers[match[1].lower()] = lines[end][match.end() :].strip()
        end += 1
    return lines[end:]


def _split_at_dashes(lines: list[str]) -> tuple[list[str], list[str]]:
    """The message, and what is below the three dashes; without them, a diffstat at the end is no message."""
    for index, line in enumerate(lines):
        if line.rstrip() == "---":
            return lines[:index], lines[index + 1 :]
    end = len(lines)
    while end > 0 and (not lines[end - 1].strip() or _is_stat(lines[end - 1])):
        end -= 1
    return lines[:end], lines[end:]


def _is_stat(line: str) -> bool:
    return _SUMMARY.match(line) is not None or _stat(line) is not None


def _stat(line: str) -> tuple[str, int | None] | None:
    """A line of a diffstat: path and changed lines; None: it is none."""
    path, bar, rest = line.rpartition("|")
    match = _STAT.match(rest)
    if not bar or match is None or not path.strip():
        return None
    return path.strip(), None if match[1] == "Bin" else int(match[1])


def _stated(lines: Iterable[str]) -> Diffstat | None:
    """The diffstat in a mail's notes."""
    files: list[tuple[str, int | None]] = []
    for line in lines:
        if (summary := _SUMMARY.match(line)) is not None:
            return Diffstat(tuple(files), int(summary[2] or 0), int(summary[3] or 0))
        if (stat := _stat(line)) is not None:
            files.append(stat)
    return Diffstat(tuple(files), None, None) if files else None


def _differences(stated: Diffstat, computed: Diffstat) -> Iterator[str]:
    rest = dict(computed.files)
    for path, changed in stated.files:
        name = next((name for name in rest if _same_path(path, name)), None)
        if name is None:
            yield f"{path}: in the mail's diffstat, but not in its diff"
        elif (found := rest.pop(name)) != changed:
            yield f"{name}: {_counted(changed)} in the mail's diffstat, {_counted(found)} in its hunks"
    if stated.files:
        yield from (f"{name}: in the diff, but not in the mail's diffstat" for name in rest)
    for word, said, found in (
        ("insertions", stated.inserted, computed.inserted),
        ("deletions", stated.deleted, computed.deleted),
    ):
        if said is not None and said != found:
            yield f"{word}: {said} in the mail's diffstat, {found} in its hunks"


def _counted(changed: int | None) -> str:
    return "binary" if changed is None else f"{changed} changed lines"


def _same_path(stated: str, path: str) -> bool:
    """Is a path of a diffstat this one?  It may be cut at its front, or say where the file came from."""
    stated = unquoted(stated)
    if " => " in stated:
        before, brace, rest = stated.rpartition("{")
        inside, _, behind = rest.partition("}")
        new = inside.split(" => ", 1)[1] if " => " in inside else inside
        stated = f"{before}{new}{behind}".replace("//", "/") if brace else stated.split(" => ", 1)[1]
    return stated == path or (stated.startswith("...") and path.endswith(stated[3:]))


def _words(value: str) -> str:
    """A header on one line with its encoded words (RFC 2047) decoded."""
    try:
        pieces = decode_header(_one_line(value))  # which loses blanks where a header is folded
    except (HeaderParseError, ValueError):
        return _one_line(value)
    texts = (piece if isinstance(piece, str) else decoded(piece, charset) for piece, charset in pieces)
    return _one_line("".join(texts))


def _one_line(value: str) -> str:
    return " ".join(value.split())


def _subject(subject: str) -> tuple[str, tuple[str, ...], int, tuple[int, int] | None]:
    """Title, tags, version and position of a subject such as "Re: [RFC PATCH v2 24/37] mm: title"."""
    title, tags, version = subject, [], 1
    position: tuple[int, int] | None = None
    while (match := _REPLY.match(title) or _TAGS.match(title)) is not None:
        title = title[match.end() :]
        for word in (match[1] if match.re is _TAGS else "").replace(",", " ").split():
            if (place := _POSITION.fullmatch(word)) is not None:
                position = int(place[1]), int(place[2])
            elif (number := _VERSION.match(word)) is not None:
                version = int(number[1])
            else:
                tags.append(word)
    return title.strip(), tuple(tags), version, position


def _author(value: str) -> tuple[str, str]:
    """Name and address; an archive may have taken the address away."""
    name, address = parseaddr(_one_line(value))
    if "@" not in address:
        return _words(value).strip('"'), ""
    return _words(name), address


def _identifier(value: str) -> str:
    """A message id without its angle brackets."""
    words = value.split()
    return words[0].strip("<>") if words else ""


def _time(date: str) -> datetime | None:
    """A date as a time, if it is one; archives have a form of their own."""
    date = _ARCHIVE_DATE.sub(r"\1, \3 \2 \4 \5 \6", date)
    try:
        return parsedate_to_datetime(date)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
