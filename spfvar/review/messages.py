"""The messages in a file of patches: unpacked, decoded to UTF-8, and taken apart.

A list archive serves its threads as gzipped mboxes; Windows writes UTF-16; git log puts commits one after the
other.  The standard library's ``mailbox`` reads an mbox from a file only, and splits at every line that
begins with "From "; git's own do not escape these.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from spfvar.errors import InputError

#: A thread of a thousand mails has 10 MB.
MAX_BYTES: Final = 1 << 26
#: The line that git and mail programs put before a message: a sender or a commit, then a date.
_FROM_LINE = re.compile(rb"From \S[^\n]{0,200} \d\d:\d\d:\d\d[^\n]{0,20} \d{4}")
_BLANK = re.compile(rb"(?:[ \t\r]*\n)*")
_NEXT_COMMIT = re.compile(rb"\n(?=commit [0-9a-f]{40,64}(?: \([^\n]{1,400}\))?\r?\n)")


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


_PACKED: Final[tuple[tuple[bytes, str, Callable[[io.BytesIO], _Readable]], ...]] = (
    (b"\x1f\x8b", "gzip", lambda stream: gzip.GzipFile(fileobj=stream)),
    (b"BZh", "bzip2", bz2.BZ2File),
    (b"\xfd7zXZ\0", "xz", lzma.LZMAFile),
)
_FOREIGN: Final = ((b"\x28\xb5\x2f\xfd", "zstd"), (b"PK\x03\x04", "zip"))
#: UTF-32's mark begins with UTF-16's.
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True, slots=True)
class Message:
    """One message, or a whole file that is none; ``offset``: the lines of the file before it."""

    data: bytes
    offset: int


def is_several(data: bytes) -> bool:
    """Does it begin as an mbox or as a file of git format-patch does?"""
    return _FROM_LINE.match(data, _start(data)) is not None


def messages(data: bytes) -> Iterator[Message]:
    """The messages of an mbox, the commits of a log, or all of it."""
    start = _start(data)
    is_mbox = is_several(data)
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
        if escaped:
            message = re.sub(rb"(?m)^>(>*From )", rb"\1", message)
        yield Message(message, line + is_mbox)
        line += data.count(b"\n", begin, end)


def _start(data: bytes) -> int:
    blank = _BLANK.match(data)
    return blank.end() if blank is not None else 0


def unpacked(data: bytes, file: str) -> bytes:
    """What was compressed, by its first bytes, whatever the name; text with a mark as UTF-8 without it.

    Raises InputError for what is damaged, too large, or packed in another way.
    """
    for magic, name, stream in _PACKED:
        if data.startswith(magic):
            data = _read(stream(io.BytesIO(data)), name, file)
            break
    for magic, name in _FOREIGN:
        if data.startswith(magic):
            raise InputError(f"is packed with {name}", file=file, expected="unpacked text, gzip, bzip2 or xz")
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace").encode()
    return data


def _read(stream: _Readable, name: str, file: str) -> bytes:
    try:
        data = stream.read(MAX_BYTES + 1)
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
        raise InputError(f"is damaged {name}: {error}", file=file) from error
    if len(data) > MAX_BYTES:
        raise InputError(
            "the unpacked file is too large", file=file, expected=f"at most {MAX_BYTES >> 20}MiB"
        )
    return data
