"""Files of patches, taken apart: packed, in UTF-16, mboxes of every tool, logs."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma

import pytest

from spfvar.errors import InputError
from spfvar.review import messages
from spfvar.review.patchmail import parse_patch, parse_patches
from tests.review.mails import COVER, DIFF, MAIL, REPLY, mbox, numbered

WANTED = parse_patch(MAIL.encode())


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_what_is_packed_is_read_whatever_its_name(pack: object) -> None:
    """A list archive serves t.mbox.gz."""
    thread = mbox(COVER, numbered(1, 2), REPLY, numbered(2, 2)).encode()
    found = parse_patches(pack(thread), file="x.patch")  # type: ignore[operator]
    assert [patch.title for patch in found] == ["mm: title 1", "mm: title 2"]
    assert found == parse_patches(thread, file="x.patch")


def test_packed_files_that_cannot_be_read_say_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut, damaged, packed in another way, or a bomb: a thousand times as long when unpacked."""
    data = gzip.compress(MAIL.encode())
    for bad in (data[:-9], data[:20] + b"\xff\xff\xff" + data[23:]):
        with pytest.raises(InputError, match="is damaged gzip: "):
            parse_patch(bad, file="x")
    for start, name in ((b"\x28\xb5\x2f\xfd", "zstd"), (b"PK\x03\x04", "zip")):
        with pytest.raises(InputError, match=f"is packed with {name}; expected unpacked text, gzip"):
            parse_patch(start + data, file="x")
    monkeypatch.setattr(messages, "MAX_BYTES", 1 << 20)
    bomb = gzip.compress(b"\0" * ((1 << 20) + 1))
    with pytest.raises(InputError, match="the unpacked file is too large; expected at most 1MiB"):
        parse_patch(bomb, file="x")


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_text_with_a_mark_is_decoded_by_it(mark: bytes, encoding: str) -> None:
    """With the line ends of Windows, as its shell redirects."""
    assert parse_patch(mark + MAIL.replace("\n", "\r\n").encode(encoding)) == WANTED


@pytest.mark.parametrize(
    "line",
    [
        "From mboxrd@z Thu Jan  1 00:00:00 1970",  # lore
        "From git@z Thu Jan  1 00:00:00 1970",  # b4 am
        "From patchwork Tue Apr  6 18:52:34 2021",
        f"From {'1' * 40} Mon Sep 17 00:00:00 2001",  # git format-patch --stdout
        "From ann@example.org Tue Apr  6 18:52:34 2021 -0700",
    ],
)
def test_mboxes_of_every_tool_are_taken_apart(line: str) -> None:
    """Each has a line of its own before a mail; patchwork and b4 put their headers first."""
    first = "X-Patchwork-Id: 12345\n" + numbered(1, 2)
    found = parse_patches(mbox(COVER, first, numbered(2, 2), line=line).encode())
    assert [(patch.title, patch.author_name) for patch in found] == [
        ("mm: title 1", "Ann Author"),
        ("mm: title 2", "Ann Author"),
    ]
    assert [patch.warnings for patch in found] == [(), ()]


def test_a_warnings_line_is_that_of_the_mbox() -> None:
    """Where the second mail's hunk is cut, its header's line in the whole file is told."""
    cut = numbered(2, 2)[: numbered(2, 2).index("+\tthird")]
    text = mbox(numbered(1, 2), cut)
    number = max(i for i, line in enumerate(text.splitlines(), 1) if line.startswith("@@"))
    assert parse_patches(text.encode())[1].warnings[0].startswith(f"line {number}: the hunk of mm/memory.c")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("decoration", ["", " (HEAD -> main, tag: v1)"])
def test_commits_of_a_log_are_taken_apart(end: str, decoration: str) -> None:
    """git log -p, with names of branches, and with line ends of Windows."""
    text = "\n".join(
        f"commit {digit * 40}{decoration}\nAuthor: Ann Author <ann@example.org>\n"
        f"Date:   Tue Apr 6 18:52:34 2021 -0700\n\n    mm: title {digit}\n    \n    Why.\n\n{DIFF}"
        for digit in "12"
    )
    found = parse_patches(text.replace("\n", end).encode())
    assert [(patch.title, patch.message) for patch in found] == [
        ("mm: title 1", "Why."),
        ("mm: title 2", "Why."),
    ]
    assert all(patch.files == WANTED.files for patch in found)
