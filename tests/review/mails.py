"""A small patch as a mail, from which the tests make every other form."""

from __future__ import annotations

DIFF = """\
diff --git a/mm/memory.c b/mm/memory.c
index 1111111..2222222 100644
--- a/mm/memory.c
+++ b/mm/memory.c
@@ -10,3 +10,4 @@ static vm_fault_t __do_fault(struct vm_fault *vmf)
 \tfirst();
-\tsecond();
+\tsecond(1);
+\tthird();
 }
"""

MESSAGE = f"""\
Why, in a sentence.

Signed-off-by: Ann Author <ann@example.org>
---
 mm/memory.c | 3 ++-
 1 file changed, 2 insertions(+), 1 deletion(-)

{DIFF}\
--\x20
2.20.1
"""

HEADERS = """\
From: Ann Author <ann@example.org>
Date: Tue, 6 Apr 2021 18:52:34 -0700
Subject: [RFC PATCH v2 24/37] mm: a title
 in two lines
Message-Id: <20210407-25-ann@example.org>
In-Reply-To: <20210407-1-ann@example.org>
"""
MAIL = f"{HEADERS}\n{MESSAGE}"


def numbered(number: int, total: int, mail: str = MAIL) -> str:
    """The mail as another patch of a series, with a message id and a title of its own."""
    mail = mail.replace("24/37", f"{number}/{total}").replace("-25-", f"-{number + 1}-")
    return mail.replace("a title\n in two lines", f"title {number}")


def mbox(*mails: str, line: str = "From mboxrd@z Thu Jan  1 00:00:00 1970") -> str:
    """Mails as a list archive serves a thread."""
    return "\n".join(f"{line}\n{mail}" for mail in mails)


COVER = """\
From: Ann Author <ann@example.org>
Subject: [RFC PATCH v2 0/37] mm: cover
Message-Id: <20210407-1-ann@example.org>

 1 file changed, 1 insertion(+)
"""
REPLY = """\
From: Bob <bob@example.org>
Subject: Re: [RFC PATCH v2 24/37] mm: a title

On Tue, Ann wrote:
""" + "".join(f"> {line}\n" for line in DIFF.splitlines()) + "\nWhy not?\n"  # fmt: skip
