"""One message as headers and lines: a mail with whatever parts, git's output, an archive's page, a bare diff.

Archives that show a mail as a web page keep its subject as a heading, spell some headers below it and lose
white space; such text is read as well (see `spfvar.review.diff`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from email import message_from_bytes
from email.message import Message as Mail
from typing import Final

from spfvar.review.diff import diff_start
from spfvar.review.messages import Message, is_several, messages

HEADER = re.compile(r"([A-Za-z][A-Za-z0-9-]{0,60}):(?:[ \t]|$)")
#: At least one of these makes a block of "Name: value" lines a mail's header.
_MAIL_HEADERS: Final = frozenset(
    {"from", "subject", "date", "message-id", "received", "return-path", "mime-version", "content-type"}
)
_ARCHIVE_HEADERS: Final = frozenset(
    {"from", "date", "to", "cc", "subject", "message-id", "in-reply-to", "references"}
)
#: What a patch that is attached with headers of its own has from the mail around it, if it lacks it.
_INHERITED: Final = ("from", "date", "subject", "message-id", "in-reply-to")
_COMMIT = re.compile(r"commit [0-9a-f]{7,64}\b")
_ENCODED: Final = frozenset({"quoted-printable", "base64", "x-uuencode", "uuencode", "uue", "x-uue"})
#: Attachments within attachments, no deeper than anybody sends.
_DEEPEST: Final = 4


@dataclass(frozen=True, slots=True)
class Text:
    """A message's headers (lower case, raw), its lines, and the lines before these (None: unknown).

    ``html``: there was a part in HTML, which was not looked at.
    """

    headers: dict[str, str]
    lines: list[str]
    offset: int | None
    html: bool = False


def texts(message: Message, depth: int = 0) -> Iterator[Text]:
    """A message in whichever form it comes, and then the messages attached to it; nothing for nothing at all.

    Raises RecursionError for parts that are nested without end.
    """
    lines = lines_of(decoded(message.data, None))
    if not any(line.strip() for line in lines):
        return
    if _is_mail(lines):
        yield from _mail(message_from_bytes(message.data), message, depth)
    elif _COMMIT.match(lines[0]):
        yield _git_show(lines, message.offset)
    elif diff_start(lines) == 0:
        yield Text({}, lines, message.offset)
    else:
        yield _archive(lines, message.offset)


def lines_of(text: str) -> list[str]:
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


def decoded(data: bytes, charset: str | None) -> str:
    """Text in ``charset``; if that does not fit, in UTF-8, or else in Latin-1, which fits all bytes."""
    for name in (charset, "utf-8"):
        try:
            # Some codecs make surrogates, which no file could be written with.
            return data.decode(name or "utf-8").encode("utf-8", "replace").decode("utf-8")
        except (LookupError, ValueError):
            continue
    return data.decode("latin-1")


def _is_mail(lines: list[str]) -> bool:
    """Does it begin with headers, one of them one that every mail has?"""
    found = False
    for index, line in enumerate(lines):
        if index and line[:1] in (" ", "\t"):
            continue  # a header goes on
        match = HEADER.match(line)
        if match is None:
            break
        found = found or match[1].lower() in _MAIL_HEADERS
    return found


# --- mails ---------------------------------------------------------------------------------------


def _mail(mail: Mail, whole: Message | None, depth: int) -> Iterator[Text]:
    """A mail's own text, then the mails and patches with headers that are attached to it."""
    headers: dict[str, str] = {}
    for name, value in mail.raw_items():
        headers.setdefault(name.lower(), _raw(str(value)))
    lines: list[str] = []
    attached: list[Text] = []
    html = False
    for part in _parts(mail):
        kind = part.get_content_type()
        if kind == "message/rfc822":
            inner = part.get_payload()
            if depth < _DEEPEST and isinstance(inner, list) and inner and isinstance(inner[0], Mail):
                attached += _mail(inner[0], None, depth + 1)
            continue
        html = html or kind == "text/html"
        if kind == "text/html" or kind.startswith(("image/", "audio/", "video/")):
            continue
        content = _payload(part)
        own = lines_of(decoded(content, part.get_content_charset()))
        if (is_several(content) or _is_mail(own)) and part is not mail and depth < _DEEPEST:
            attached += (text for one in messages(content) for text in texts(one, depth + 1))
        elif part.get_content_maintype() == "text" or diff_start(own) is not None:
            lines += _unflowed(own, part)
    plain = not mail.is_multipart() and _encoding(headers) not in _ENCODED
    offset = None
    if plain and whole is not None:
        total = whole.data.count(b"\n") + (not whole.data.endswith(b"\n"))
        offset = whole.offset + total - len(lines)
    yield Text(headers, lines, offset, html)
    for text in attached:
        missing = {name: headers[name] for name in _INHERITED if name in headers}
        yield replace(text, headers=missing | text.headers, offset=None)


def _parts(mail: Mail) -> Iterator[Mail]:
    """The parts that hold something; a mail that is attached is one of them."""
    payload = mail.get_payload()
    if mail.get_content_type() == "message/rfc822" or not isinstance(payload, list):
        yield mail
        return
    for part in payload:
        if isinstance(part, Mail):
            yield from _parts(part)


def _encoding(headers: dict[str, str]) -> str:
    return headers.get("content-transfer-encoding", "").strip().lower()


def _raw(value: str) -> str:
    """A header whose bytes above 127 the email package has kept as surrogates."""
    return decoded(value.encode("utf-8", "surrogateescape"), None)


def _payload(part: Mail) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _unflowed(lines: list[str], part: Mail) -> list[str]:
    """Lines as they were before format=flowed (RFC 3676): a line that ends in a blank goes on in the next.

    A blank before a leading blank is the format's, unless some line has only its own: not every program that
    says "flowed" does it.  A context line that is empty, or a signature's dashes, end in a blank as well.
    """
    if str(part.get_param("format", "")).lower() != "flowed":
        return lines
    if not any(line.startswith(" \t") for line in lines):
        lines = [line.removeprefix(" ") for line in lines]
    glue = -1 if str(part.get_param("delsp", "")).lower() == "yes" else None
    joined: list[str] = []
    goes_on = False
    for line in lines:
        if goes_on:
            joined[-1] = joined[-1][:glue] + line
        else:
            joined.append(line)
        goes_on = line.endswith(" ") and bool(line.strip()) and line != "-- "
    return joined


# --- other forms ---------------------------------------------------------------------------------


def _git_show(lines: list[str], offset: int) -> Text:
    """The output of git show or git log -p: names as headers, the message indented by four."""
    headers: dict[str, str] = {}
    at = 1
    while at < len(lines) and (match := HEADER.match(lines[at])) is not None:
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
    return Text(headers, message[1:] + lines[end:], offset + at + 1)


def _archive(lines: list[str], offset: int) -> Text:
    """A mail as an archive's page shows it: subject, some headers, text; or a diff below other text."""
    headers: dict[str, str] = {}
    at = next(index for index, line in enumerate(lines) if line.strip())
    heading = lines[at].strip()
    begin = next((index for index in range(at + 1, len(lines)) if lines[index].strip()), len(lines))
    end = begin
    while end < len(lines) and (match := HEADER.match(lines[end])) is not None:
        if match[1].lower() not in _ARCHIVE_HEADERS:
            break
        headers[match[1].lower()] = lines[end][match.end() :].strip()
        end += 1
    if headers:
        headers.setdefault("subject", heading)
        return Text(headers, lines[end:], offset + end)
    return Text({}, lines, offset)


# --- what is no patch ----------------------------------------------------------------------------

_QUOTE = re.compile(r"(?:> ?)+")
_COMBINED = re.compile(r"diff --(?:cc|combined) |@@@+ -\d")


def why_none(text: Text) -> str | None:
    """Why a text without a diff has none, if it nearly has one."""
    if combined_at(text.lines) is not None:
        return COMBINED
    if _quotes_diff(text.lines):
        return "it is a reply that quotes a diff; the mail that it answers has the patch"
    return "its text is HTML only" if text.html and not any(map(str.strip, text.lines)) else None


COMBINED = "it is the combined diff of a merge; git show --first-parent -m gives one against a single parent"


def combined_at(lines: Sequence[str]) -> int | None:
    """The line where a combined diff begins."""
    return next((index for index, line in enumerate(lines) if _COMBINED.match(line)), None)


def _quotes_diff(lines: Sequence[str]) -> bool:
    """Is there a diff, or a hunk of one, behind the signs of a quotation?"""
    quoted = [line[match.end() :] for line in lines if (match := _QUOTE.match(line)) is not None]
    return diff_start(quoted) is not None or any(line.startswith("@@ -") for line in quoted)
