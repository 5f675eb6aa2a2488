"""Patches in every form, changed: read, chosen and shown in a review, or refused in words."""

from __future__ import annotations

import contextlib
import gzip
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spfvar.cli.report import FORMS, render
from spfvar.errors import InputError, printable
from spfvar.review.patchmail import parse_patches
from spfvar.review.stack import stacked
from tests.fuzz.bounds import examples, tried
from tests.fuzz.mutations import VALUES, changed, data
from tests.review.made_up import review
from tests.review.mails import COVER, DIFF, HEADERS, MAIL, REPLY, mbox, numbered

PARTS = 'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\n'
SEEDS = [
    MAIL,
    DIFF,
    REPLY,
    mbox(COVER, numbered(1, 2), REPLY, numbered(2, 2)),
    f"commit {'1' * 40}\nAuthor: A <a@b>\nDate: x\n\n    mm: title\n\n{DIFF}",
    f"{HEADERS}{PARTS}--b\nContent-Type: text/plain\n\nWhy.\n--b\nContent-Type: text/x-patch\n\n{DIFF}\n--b--\n",
    f"{HEADERS}{PARTS}--b\nContent-Type: message/rfc822\n\n{MAIL}\n--b--\n",
    f"{HEADERS}Content-Type: text/plain; format=flowed; delsp=yes\n\n{DIFF}",
    MAIL.replace("--- a/mm/memory.c", "--- a/mm/memory.c~name").replace("+++ b/", "+++ a/"),
]
MAIL_VALUES = (
    *VALUES, "=?utf-8?q?=1b[31m?=", "=?utf-16?b?//4=?=", "=?x?y?z?=", "base64", "quoted-printable", "x-uuencode",
    "multipart/mixed", "message/rfc822", "charset=utf-16", "format=flowed", "--b", "@@ -1,9 +1,4 @@", "@@@ -1 -1 +1 @@@",
    "diff --cc x", "GIT binary patch", "rename to x", "/dev/null", "[PATCH 99999/99999]", "From x@y Thu Jan  1 00:00:00 1970",
)  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that every example writes anew."""
    return tmp_path_factory.mktemp("patches") / "own.patch"


@examples(80, 2500)
@given(
    st.sampled_from(SEEDS).flatmap(lambda seed: changed(seed, MAIL_VALUES)),
    st.sampled_from(["", "gzip", "utf-16"]),
)
def test_patches(file: Path, text: str, packed: str) -> None:
    """From a file and from a pipe; a number that no patch has ends the command before it runs anything."""
    content = data(text)
    if packed == "gzip":
        content = gzip.compress(content)
    if packed == "utf-16":
        content = text.encode("utf-16", "surrogatepass")
    file.write_bytes(content)
    assert tried("report", "mmap-lock", "--patch", str(file), "--number", "1000000").code == 2
    assert tried("report", "mmap-lock", "--patch", "-", "--number", "1000000", stdin=content).code == 2


@examples(40, 1000)
@given(st.sampled_from(SEEDS).flatmap(lambda seed: changed(seed, MAIL_VALUES)))
def test_reviews_of_patches(text: str) -> None:
    """What could be read is shown in every form, and no form has a character that steers a terminal."""
    with contextlib.suppress(InputError):
        patches = parse_patches(data(text))
        for mail in (patches[0], stacked(patches)):
            one = review()
            assert one.patch is not None
            shown = replace(one, patch=replace(one.patch, mail=mail))
            for form in FORMS:
                written = render(shown, form)
                assert form == "html" or printable(written) == written
                written.encode()
