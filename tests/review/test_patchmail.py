"""Patches as they are sent: mails, mboxes, archives' pages, git's output, and whatever else comes in."""

from __future__ import annotations

import base64
import quopri
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spfvar.errors import InputError
from spfvar.review.patchmail import Patch, load_patches, parse_patch, parse_patches
from tests.review.mails import DIFF, HEADERS, MAIL, MESSAGE


def read(text: str) -> Patch:
    """A patch from text."""
    return parse_patch(text.encode(), file="a.patch")


def test_a_mail_says_who_what_and_when() -> None:
    """Every field, the title unfolded and without its tags."""
    patch = read(MAIL)
    assert patch.subject == "[RFC PATCH v2 24/37] mm: a title in two lines"
    assert patch.title == "mm: a title in two lines"
    assert (patch.tags, patch.version, patch.position) == (("RFC", "PATCH"), 2, (24, 37))
    assert (patch.author_name, patch.author_address) == ("Ann Author", "ann@example.org")
    assert patch.when == datetime(2021, 4, 7, 1, 52, 34, tzinfo=UTC)
    assert patch.message_id == "20210407-25-ann@example.org"
    assert patch.in_reply_to == "20210407-1-ann@example.org"
    assert patch.message == "Why, in a sentence.\n\nSigned-off-by: Ann Author <ann@example.org>"
    assert [(hunk.file, hunk.function) for hunk in patch.hunks] == [
        ("mm/memory.c", "static vm_fault_t __do_fault(struct vm_fault *vmf)")
    ]
    assert patch.warnings == ()


def test_the_diffstat_of_the_mail_agrees_with_its_hunks() -> None:
    """One removed and two added lines: 3 in the mail's diffstat, and in the hunks."""
    patch = read(MAIL)
    assert patch.stated == patch.diffstat
    assert patch.diffstat.files == (("mm/memory.c", 3),)
    assert patch.stat_differences == ()


def test_where_the_diffstat_differs_from_the_hunks_is_said() -> None:
    """Another count, a file that is only in one of the two, another total."""
    text = MAIL.replace(" mm/memory.c | 3 ++-\n", " mm/memory.c | 4 ++--\n mm/gone.c | 1 +\n")
    assert read(text.replace("2 insertions", "4 insertions")).stat_differences == (
        "mm/memory.c: 4 changed lines in the mail's diffstat, 3 changed lines in its hunks",
        "mm/gone.c: in the mail's diffstat, but not in its diff",
        "insertions: 4 in the mail's diffstat, 2 in its hunks",
    )


@pytest.mark.parametrize(
    "stated",
    ["mm/memory.c", ".../memory.c", "{old => mm}/memory.c", "memory.c => mm/memory.c", '"mm/memory.c"'],
)
def test_paths_of_a_diffstat_are_recognised(stated: str) -> None:
    """Cut at the front, moved, or in quotation marks."""
    assert read(MAIL.replace(" mm/memory.c |", f" {stated} |")).stat_differences == ()


def test_an_author_named_in_the_message_is_the_author() -> None:
    """git sends somebody else's patch with a From: of its own at the top."""
    patch = read(f"{HEADERS}\nFrom: Bob <bob@example.org>\n\n{MESSAGE}")
    assert (patch.author_name, patch.author_address) == ("Bob", "bob@example.org")
    assert patch.message.startswith("Why")


@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64"])
@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "no-such-charset"])
def test_every_transfer_encoding_and_charset_gives_the_same_patch(encoding: str, charset: str) -> None:
    """An unknown charset is read as UTF-8 if it fits that."""
    body = MESSAGE.replace("Why", "Wäh").encode("iso-8859-1" if charset == "iso-8859-1" else "utf-8")
    coded = {"8bit": body, "quoted-printable": quopri.encodestring(body), "base64": base64.encodebytes(body)}
    headers = (
        f"{HEADERS}Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: {encoding}\n\n"
    )
    patch = parse_patch(headers.encode() + coded[encoding])
    assert patch.message.startswith("Wäh")
    assert patch.files == read(MAIL).files


def test_line_ends_of_the_transport_are_no_part_of_the_patch() -> None:
    """A mail sent with CR LF is the same patch; a file that has CR keeps it."""
    assert read(MAIL.replace("\n", "\r\n")) == read(MAIL)
    lines = read(MAIL.replace("third();", "third();\r")).hunks[0].lines
    assert [line.text for line in lines if line.text.endswith("\r")] == ["\tthird();\r"]


def test_a_patch_may_be_an_attachment() -> None:
    """The text part is the message, the text/x-patch part the diff; a part in HTML is not looked at."""
    mail = (
        f'{HEADERS}MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\n'
        "--b\nContent-Type: text/plain; charset=utf-8\n\nWhy.\n---\n"
        "--b\nContent-Type: text/html\n\n<p>Why.</p>\n"
        f"--b\nContent-Type: text/x-patch\n\n{DIFF}\n--b--\n"
    )
    patch = read(mail)
    assert patch.message == "Why."
    assert patch.files == read(MAIL).files


def test_encoded_words_in_headers_are_decoded() -> None:
    """RFC 2047, in the name and in the subject."""
    headers = HEADERS.replace("Ann Author", "=?utf-8?q?J=C3=BCrgen?= A").replace(
        "a title", "=?iso-8859-1?b?5A==?="
    )
    patch = read(f"{headers}\n{MESSAGE}")
    assert patch.author_name == "Jürgen A"
    assert patch.title == "mm: ä in two lines"


def test_an_mbox_gives_its_patches() -> None:
    """A cover letter and a reply that quotes are no patches; the first patch is the one that is asked for."""
    cover = "From: a@example.org\nSubject: [PATCH 0/2] cover\n\n 1 file changed, 1 insertion(+)\n"
    reply = "From: b@example.org\nSubject: Re: [PATCH 1/2] one\n\n" + "".join(
        f"> {x}\n" for x in DIFF.split("\n")
    )
    one, two = MAIL.replace("24/37", "1/2"), MAIL.replace("24/37", "2/2")
    mbox = "\n".join(f"From mboxrd@z Thu Jan  1 00:00:00 1970\n{mail}" for mail in (cover, one, reply, two))
    patches = parse_patches(mbox.encode())
    assert [patch.position for patch in patches] == [(1, 2), (2, 2)]
    assert parse_patch(mbox.encode()) == patches[0]


def test_the_output_of_git_format_patch_and_git_log() -> None:
    """The line with the commit is no part of the mail; a log's messages are indented."""
    assert read(f"From {'1' * 40} Mon Sep 17 00:00:00 2001\n{MAIL}") == read(MAIL)
    commit = "commit {}\nAuthor: Ann Author <ann@example.org>\nDate:   Tue Apr 6 18:52:34 2021 -0700\n\n"
    log = [commit.format(digit * 40) + f"    mm: title {digit}\n    \n    Why.\n\n{DIFF}" for digit in "12"]
    patches = parse_patches("\n".join(log).encode())
    assert [(p.title, p.message, p.author_name) for p in patches] == [
        ("mm: title 1", "Why.", "Ann Author"),
        ("mm: title 2", "Why.", "Ann Author"),
    ]
    assert all(patch.files == read(MAIL).files and patch.when == read(MAIL).when for patch in patches)


def test_a_bare_diff_is_a_patch_without_a_name() -> None:
    """With or without a line of text before it."""
    for text in (DIFF, f"\n{DIFF}", f"See below.\n\n{DIFF}"):
        patch = read(text)
        assert patch.files == read(MAIL).files
        assert (patch.subject, patch.author_name, patch.message_id, patch.stated) == ("", "", "", None)


ARCHIVED = """\
[RFC PATCH 24/37] mm: a title

From: Ann Author
Date: Tue Apr 06 2021 - 21:52:34 EST


Why, in a sentence.

Signed-off-by: Ann Author <ann@xxxxxxxxxxx>
---
mm/memory.c | 3 ++-
1 file changed, 2 insertions(+), 1 deletion(-)

diff --git a/mm/memory.c b/mm/memory.c
index 1111111..2222222 100644
--- a/mm/memory.c
+++ b/mm/memory.c
@@ -10,3 +10,4 @@ static vm_fault_t __do_fault(struct vm_fault *vmf)
first();
- second();
+ second(1);
+ third();
}
--
2.20.1"""


def test_an_archives_page_is_read() -> None:
    """The heading is the subject; white space is lost, no header but From and Date is there."""
    patch = read(ARCHIVED)
    assert (patch.title, patch.position, patch.author_name) == ("mm: a title", (24, 37), "Ann Author")
    assert patch.author_address == ""
    assert patch.when == datetime(2021, 4, 7, 2, 52, 34, tzinfo=UTC)
    assert patch.message.startswith("Why")
    assert (patch.warnings, patch.stat_differences) == ((), ())
    assert patch.hunks[0].mangled


def test_a_hunk_that_was_cut_is_a_warning_with_its_line() -> None:
    """6 lines of headers, a blank, 7 of the message, 4 before the hunk: its header is line 19 of the file."""
    assert read(MAIL[: MAIL.index("+\tthird")]).warnings == (
        "line 19: the hunk of mm/memory.c should have 3 old and 4 new lines, has 2 old and 2 new lines",
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "a.patch:1: the patch is empty; expected a mail, an mbox or a diff"),
        (b" \n\n", "a.patch:2: the patch is empty"),
        (b"hello\nworld\n", "a.patch:2: there is no patch here: no diff was found; expected a mail"),
        (MAIL.split("diff --git")[0].encode(), "no diff was found"),
        (
            MAIL.replace("@@ -10,3 +10,4 @@", "@@ -10,3 @@").encode(),
            r"a.patch:19: a hunk header that cannot be",
        ),
    ],
)
def test_what_is_no_patch_is_an_error_in_one_line(data: bytes, message: str) -> None:
    """It names the file, the line, and what was expected."""
    with pytest.raises(InputError, match=message):
        parse_patch(data, file="a.patch")


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """And one that can is parsed."""
    with pytest.raises(InputError, match=r"none\.patch: cannot read: No such file"):
        load_patches(str(tmp_path / "none.patch"))
    (tmp_path / "a.patch").write_text(MAIL)
    assert load_patches(str(tmp_path / "a.patch"))[0].files == read(MAIL).files


def no_other_error(data: bytes) -> None:
    """Parse, and use what came out; InputError may be raised."""
    try:
        patches = parse_patches(data)
    except InputError:
        return
    for patch in patches:
        assert patch.files
        "\n".join([repr(patch), *patch.stat_differences, *(hunk.text() for hunk in patch.hunks)]).encode()


@given(st.binary(max_size=200))
def test_any_bytes_are_a_patch_or_an_input_error(data: bytes) -> None:
    """As a whole, as a mail's header, as its body."""
    for whole in (
        data,
        b"From: a\n" + data,
        b"Subject: x\n\n" + data,
        b"--- a/f\n+++ b/f\n@@ -1 +1 @@\n" + data,
    ):
        no_other_error(whole)


PIECES = st.sampled_from(
    [b"\n", b"\r\n", b"@@ -1,9 +1,4 @@", b"diff --git ", b"From ", b"From: ", b"--- ", b"+++ ", b"=?utf-8?b?", b"\x00",
     b"\xff", b"Content-Type: multipart/mixed; boundary=b\n", b"--b\n", b"charset=", b'"', b"<", b"(", b"Date: "]
)  # fmt: skip


@settings(max_examples=200)
@given(st.sampled_from([MAIL, ARCHIVED]), st.lists(st.tuples(st.integers(0, 900), st.integers(0, 9), PIECES)))
def test_a_damaged_mail_is_a_patch_or_an_input_error(text: str, damage: list[tuple[int, int, bytes]]) -> None:
    """Pieces of mails and diffs are put over any places."""
    data = text.encode()
    for place, length, piece in damage:
        data = data[:place] + piece + data[place + length :]
    no_other_error(data)
