"""A patch as it was sent: a mail, an mbox, the output of git format-patch or git show, or a bare diff.

Reads bytes, runs nothing.  Archives that show a mail as a web page keep its subject as a heading, spell some
headers below it and lose white space; such text is read as well (see `spfvar.review.diff`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import parseaddr, parsedate_to_datetime
from functools import cached_property
from pathlib import Path

from spfvar.errors import InputError, reason
from spfvar.review.diff import FileChange, Hunk, diff_start, parse_diff, unquoted

_EXPECTED = "a mail, an mbox or a diff with a line like '@@ -10,7 +10,9 @@'"
#: The line that git and mail programs put before a message: a sender or a commit, then a date.
_FROM_LINE = re.compile(rb"From \S[^\n]{0,200} \d\d:\d\d:\d\d[^\n]{0,20} \d{4}")
_BLANK = re.compile(rb"(?:[ \t\r]*\n)*")
_HEADER = re.compile(r"([A-Za-z][A-Za-z0-9-]{0,60}):(?:[ \t]|$)")
#: At least one of these makes a block of "Name: value" lines a mail's header.
_MAIL_HEADERS = frozenset(
    {"from", "subject", "date", "message-id", "received", "return-path", "mime-version", "content-type"}
)
_ARCHIVE_HEADERS = frozenset(
    {"from", "date", "to", "cc", "subject", "message-id", "in-reply-to", "references"}
)
_TAGS = re.compile(r"\s*\[([^\[\]]*)\]")
_REPLY = re.compile(r"\s*(?:re|fwd?|aw):", re.IGNORECASE)
_POSITION = re.compile(r"(?<!\d)(\d{1,5})/(\d{1,5})(?!\d)")
_VERSION = re.compile(r"v(\d{1,4})\Z", re.IGNORECASE)
_SUMMARY = re.compile(
    r" ?(\d{1,9}) files? changed(?:, (\d{1,9}) insertions?\(\+\))?(?:, (\d{1,9}) deletions?\(-\))?\s*\Z"
)
_STAT = re.compile(r"\s*(\d{1,9}|Bin)(?![\w-])")
_ARCHIVE_DATE = re.compile(r"(\w{3}) (\w{3}) (\d{1,2}) (\d{4}) - (\d\d:\d\d:\d\d) (\S+)\Z")
_COMMIT = re.compile(r"commit [0-9a-f]{7,64}\b")
_NEXT_COMMIT = re.compile(rb"\n(?=commit [0-9a-f]{40,64}\n)")
_ENCODED = frozenset({"quoted-printable", "base64", "x-uuencode", "uuencode", "uue", "x-uue"})
_DIFF_TYPES = frozenset({"text/plain", "text/x-patch", "text/x-diff", "text/x-csrc"})


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
    ``message`` ends before the line of three dashes, ``stated`` is the diffstat below that.
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


def load_patch(path: str) -> Patch:
    """The first patch of a file, as `parse_patch`; InputError, too, for a file that cannot be read."""
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read: {reason(error)}", file=path) from error
    return parse_patch(data, file=path)


def parse_patch(data: bytes, *, file: str = "-") -> Patch:
    """The first patch in ``data``: of an mbox, the first mail that holds a diff.

    Raises InputError with ``file`` and a line if there is none.
    """
    for patch in _patches(data, file):
        return patch
    raise _no_patch(data, file)


def parse_patches(data: bytes, *, file: str = "-") -> tuple[Patch, ...]:
    """Every patch in ``data``, in order; mails without a diff are left out.  Raises as `parse_patch`."""
    patches = tuple(_patches(data, file))
    if not patches:
        raise _no_patch(data, file)
    return patches


def _no_patch(data: bytes, file: str) -> InputError:
    what = "the patch is empty" if not data.strip() else "there is no patch here: no diff was found"
    return InputError(what, file=file, line=max(1, data.count(b"\n")), expected=_EXPECTED)


def _patches(data: bytes, file: str) -> Iterator[Patch]:
    for message, offset in _messages(data):
        try:
            text = _read(message, offset)
        except RecursionError:
            raise InputError("the mail's parts are nested too deeply", file=file, line=offset + 1) from None
        if text is not None and (patch := _patch(text, file)) is not None:
            yield patch


def _messages(data: bytes) -> Iterator[tuple[bytes, int]]:
    """The messages of an mbox, the commits of a log, or all; each with the number of lines before it."""
    blank = _BLANK.match(data)
    start = blank.end() if blank is not None else 0
    is_mbox = _FROM_LINE.match(data, start) is not None
    begins = [start]
    if is_mbox:
        begins += [m.end() for m in re.finditer(rb"\n(?=From )", data) if _FROM_LINE.match(data, m.end())]
    elif data.startswith(b"commit ", start):  # git log -p
        begins += [m.end() for m in _NEXT_COMMIT.finditer(data)]
    # lore's mboxes escape a line of the message that begins with "From " (mboxrd); git's do not.
    escaped = data.startswith(b"From mboxrd@", start)
    line = data.count(b"\n", 0, start)
    for begin, end in zip(begins, [*begins[1:], len(data)], strict=True):
        message = data[begin:end]
        if is_mbox:
            message = message.partition(b"\n")[2]
        yield (re.sub(rb"(?m)^>(>*From )", rb"\1", message) if escaped else message), line + is_mbox
        line += data.count(b"\n", begin, end)


@dataclass(frozen=True, slots=True)
class _Text:
    """A message's headers (lower case, raw), its text, and the lines before it (None: unknown)."""

    headers: dict[str, str]
    lines: list[str]
    offset: int | None


def _read(data: bytes, offset: int) -> _Text | None:
    """Headers and text, in whichever form they come; None for nothing at all."""
    text = _decoded(data, None)
    lines = _lines(text)
    if not text.strip():
        return None
    if _is_mail(lines):
        return _mail(data, offset)
    if _COMMIT.match(lines[0]):
        return _git_show(lines, offset)
    start = diff_start(lines)
    if start == 0:
        return _Text({}, lines, offset)
    return _archive(lines, offset)


def _lines(text: str) -> list[str]:
    """Lines without their ends.  If all but a few end in CR LF, that is how the text was sent."""
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    returns = sum(line.endswith("\r") for line in lines)
    if returns and all(
        line.endswith("\r") for line in lines[:-1] if line.startswith(("diff --git ", "--- ", "+++ ", "@@ "))
    ):
        return [line.removesuffix("\r") for line in lines]
    return lines or [""]


def _is_mail(lines: list[str]) -> bool:
    """Does it begin with headers, one of them one that every mail has?"""
    found = False
    for line in lines:
        if line[:1] in (" ", "\t") and found:
            continue
        match = _HEADER.match(line)
        if match is None:
            break
        found = found or match[1].lower() in _MAIL_HEADERS
    return found


def _mail(data: bytes, offset: int) -> _Text:
    message = message_from_bytes(data)
    headers: dict[str, str] = {}
    for name, value in message.raw_items():
        headers.setdefault(name.lower(), _raw(str(value)))
    parts = [
        part for part in message.walk() if not part.is_multipart() and part.get_content_type() in _DIFF_TYPES
    ]
    lines: list[str] = []
    for part in parts:
        lines += _lines(_payload(part))
    if message.is_multipart() or headers.get("content-transfer-encoding", "").strip().lower() in _ENCODED:
        return _Text(headers, lines, None)
    total = data.count(b"\n") + (not data.endswith(b"\n"))
    return _Text(headers, lines, offset + total - len(lines))


def _raw(value: str) -> str:
    """A header whose bytes above 127 the email package has kept as surrogates."""
    return _decoded(value.encode("utf-8", "surrogateescape"), None)


def _payload(part: Message) -> str:
    payload = part.get_payload(decode=True)
    return _decoded(payload, part.get_content_charset()) if isinstance(payload, bytes) else ""


def _decoded(data: bytes, charset: str | None) -> str:
    """Text in ``charset``; if that does not fit, in UTF-8, or else in Latin-1, which fits all bytes."""
    for name in (charset, "utf-8"):
        try:
            # Some codecs make surrogates, which no file could be written with.
            return data.decode(name or "utf-8").encode("utf-8", "replace").decode("utf-8")
        except (LookupError, ValueError):
            continue
    return data.decode("latin-1")


def _git_show(lines: list[str], offset: int) -> _Text:
    """The output of git show or git log -p: names as headers, the message indented by four."""
    headers: dict[str, str] = {}
    at = 1
    while at < len(lines) and (match := _HEADER.match(lines[at])) is not None:
        headers[{"author": "from", "authordate": "date"}.get(match[1].lower(), match[1].lower())] = lines[at][
            match.end() :
        ].strip()
        at += 1
    start = diff_start(lines, at)
    end = len(lines) if start is None else start
    message = [line.removeprefix("    ") for line in lines[at:end]]
    while message and not message[0].strip():
        del message[0]
        at += 1
    headers["subject"] = message[0] if message else ""
    return _Text(headers, message[1:] + lines[end:], offset + at + 1)


def _archive(lines: list[str], offset: int) -> _Text:
    """A mail as an archive's page shows it: subject, some headers, text; or a diff below other text."""
    headers: dict[str, str] = {}
    at = next(index for index, line in enumerate(lines) if line.strip())
    heading = lines[at].strip()
    begin = next((index for index in range(at + 1, len(lines)) if lines[index].strip()), len(lines))
    end = begin
    while end < len(lines) and (match := _HEADER.match(lines[end])) is not None:
        if match[1].lower() not in _ARCHIVE_HEADERS:
            break
        headers[match[1].lower()] = lines[end][match.end() :].strip()
        end += 1
    if headers:
        headers.setdefault("subject", heading)
        return _Text(headers, lines[end:], offset + end)
    return _Text({}, lines, offset)


def _patch(text: _Text, file: str) -> Patch | None:
    """The patch in a message, None if it has no diff."""
    start = diff_start(text.lines)
    if start is None:
        return None
    offset = None if text.offset is None else text.offset + start
    files, warnings = parse_diff(text.lines[start:], file=file, offset=offset)
    headers = dict(text.headers)
    above = _without_own_headers(text.lines[:start], headers)
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


def _without_own_headers(lines: list[str], headers: dict[str, str]) -> list[str]:
    """The message without the From:, Subject: and Date: at its top, which git writes for the author."""
    at = next((index for index, line in enumerate(lines) if line.strip()), 0)
    end = at
    while end < len(lines) and (match := _HEADER.match(lines[end])) is not None:
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
    texts = (piece if isinstance(piece, str) else _decoded(piece, charset) for piece, charset in pieces)
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
