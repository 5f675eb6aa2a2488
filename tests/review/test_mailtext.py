"""Mails as they are sent: headers in any order, parts in any shape, quotations that are no patch."""

from __future__ import annotations

import base64
import gzip
from email.message import EmailMessage

import pytest

from spfvar.errors import InputError
from spfvar.review.patchmail import Patch, parse_patch, parse_patches
from tests.review.mails import DIFF, HEADERS, MAIL, MESSAGE, REPLY

WANTED = parse_patch(MAIL.encode())


def read(text: str) -> Patch:
    """A patch from text."""
    return parse_patch(text.encode(), file="a.patch")


@pytest.mark.parametrize(
    "first",
    [
        "X-Received: by 2002:a17:90a with SMTP id x;\n        Tue, 06 Apr 2021 18:52:34 -0700 (PDT)\n",
        "Sender: owner@example.org\n",
        "Return-Path:\n <owner@example.org>\n",
        "DKIM-Signature: v=1; a=rsa-sha256;\n\tb=Zm9v\n",
        "X-Mailer: git-send-email 2.20.1\n",
        "ARC-Seal: i=1;\n",
    ],
)
def test_a_mail_may_begin_with_any_header(first: str) -> None:
    """Folded or not: subject, author and id are found behind it."""
    assert read(first + MAIL) == read(MAIL)


ATTACHED = f'{HEADERS}MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\n'
TEXT = "--b\nContent-Type: text/plain; charset=utf-8\n\nWhy.\n---\n"


@pytest.mark.parametrize(
    "kind", ["text/x-patch", "text/x-diff", "application/octet-stream", "application/x-patch"]
)
@pytest.mark.parametrize("encoding", ["7bit", "base64", "quoted-printable"])
def test_an_attached_diff_is_the_patch_of_the_mail(kind: str, encoding: str) -> None:
    """Whatever its type is called; the text beside it is the message."""
    body = DIFF
    if encoding == "base64":
        body = base64.encodebytes(DIFF.encode()).decode()
    if encoding == "quoted-printable":
        body = DIFF.replace("=", "=3D").replace("\t", "=09")
    part = f"--b\nContent-Type: {kind}\nContent-Transfer-Encoding: {encoding}\n\n{body}\n--b--\n"
    patch = read(ATTACHED + TEXT + part)
    assert (patch.message, patch.title) == ("Why.", WANTED.title)
    assert patch.files == WANTED.files


def test_an_attached_patch_with_headers_of_its_own_keeps_them() -> None:
    """git format-patch --attach by hand: two files, each with its subject; the id is that of the mail."""
    one, two = (f"From: Bob <bob@example.org>\nSubject: [PATCH {n}/2] mm: own {n}\n\n{MESSAGE}" for n in "12")
    line = f"From {'1' * 40} Mon Sep 17 00:00:00 2001\n"
    parts = "".join(f"--b\nContent-Type: text/x-patch\n\n{line}{mail}" for mail in (one, two))
    found = parse_patches(
        (ATTACHED + "--b\nContent-Type: text/plain\n\nPlease take.\n" + parts + "--b--\n").encode()
    )
    assert [(p.title, p.author_name, p.position) for p in found] == [
        ("mm: own 1", "Bob", (1, 2)),
        ("mm: own 2", "Bob", (2, 2)),
    ]
    assert {p.message_id for p in found} == {WANTED.message_id}


def test_a_forwarded_mail_is_looked_into() -> None:
    """message/rfc822; the outer subject is not the patch's."""
    outer = "From: Cy <c@example.org>\nSubject: Fwd\nMIME-Version: 1.0\n"
    mail = f'{outer}Content-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: message/rfc822\n\n{MAIL}\n--b--\n'
    assert read(mail).title == WANTED.title
    assert read(mail).files == WANTED.files


@pytest.mark.parametrize("charset", ["utf-8", "us-ascii"])
def test_what_pythons_own_email_writes_is_read(charset: str) -> None:
    """Attachments, encodings and headers as the standard library chooses them."""
    mail = EmailMessage()
    mail["Sender"] = "list@example.org"
    mail["From"] = "Jürgen A <j@example.org>"
    mail["Subject"] = "[PATCH] mm: ein Läufer"
    mail.set_content("Why.\n", charset=charset)
    mail.add_attachment(DIFF.encode(), maintype="application", subtype="octet-stream", filename="a.patch")
    mail.add_attachment(b"\x89PNG\r\n", maintype="image", subtype="png")
    patch = parse_patch(mail.as_bytes())
    assert (patch.author_name, patch.title, patch.message) == ("Jürgen A", "mm: ein Läufer", "Why.")
    assert patch.files == WANTED.files


FLOWED = f"{HEADERS}Content-Type: text/plain; format=flowed{{}}\n\n"


def test_flowed_text_is_put_together_again() -> None:
    """A blank before every leading one, a long line that goes on in the next; with delsp its blank is no text."""
    long = DIFF.replace("third();", "third(one, two, three);")
    stuffed = "\n".join(f" {line}" if line.startswith(" ") else line for line in long.split("\n"))
    for more, broken in (("", "third(one, \ntwo, "), ("; delsp=yes", "third(one,  \ntwo, ")):
        patch = read(FLOWED.format(more) + stuffed.replace("third(one, two, ", broken))
        assert patch.files == read(HEADERS + "\n" + long).files
        assert patch.warnings == ()


def test_text_that_only_says_it_is_flowed_is_taken_as_it_is() -> None:
    """A context line with one blank and a tab: nobody has put a blank before it."""
    assert read(FLOWED.format("") + MESSAGE).files == WANTED.files


def none(data: bytes) -> str:
    """What is said of data without a patch."""
    with pytest.raises(InputError) as caught:
        parse_patch(data, file="a.eml")
    return str(caught.value)


def test_a_reply_that_quotes_a_diff_is_called_that() -> None:
    """With one sign or two, with or without a blank behind them; cut quotations as well."""
    said = "there is no patch here: it is a reply that quotes a diff; the mail that it answers has the patch"
    assert said in none(REPLY.encode())
    assert said in none(REPLY.replace("> ", "> > ").encode())
    assert said in none(REPLY.replace("> ", ">").encode())
    assert said in none(REPLY.replace("> diff --git", "> [...]\n> diff").replace("> ---", "> ").encode())
    assert said in none(gzip.compress(REPLY.encode()))


def test_an_answer_with_a_diff_of_its_own_is_a_patch_that_says_so() -> None:
    """Quoted and own diffs in one mail."""
    patch = read(REPLY + "\nRather:\n\n" + DIFF)
    assert patch.is_reply
    assert patch.files == WANTED.files
    assert not WANTED.is_reply


@pytest.mark.parametrize("word", ["cc", "combined"])
def test_a_combined_diff_is_refused_in_words(word: str) -> None:
    """As git show gives it for a merge."""
    text = (
        f"commit {'1' * 40}\nMerge: 111 222\nAuthor: A <a@b>\nDate: x\n\n    Merge\n\n"
        f"diff --{word} mm/memory.c\nindex 1,2..3\n--- a/mm/memory.c\n+++ b/mm/memory.c\n@@@ -1,2 -1,2 +1,3 @@@ f\n  a\n"
    )
    assert "it is the combined diff of a merge; git show --first-parent -m gives one" in none(text.encode())


def test_a_mail_in_html_only_is_called_that() -> None:
    """Its markup is not read."""
    assert "its text is HTML only" in none(f"{HEADERS}Content-Type: text/html\n\n<p>{DIFF}</p>\n".encode())
