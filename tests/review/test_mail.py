"""The mail forms: 72 columns of ASCII that can be pasted, whatever a stranger wrote into patch or plugin."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from spfvar.review.mail import SHORT_LINES, render_mail, render_short
from spfvar.review.model import Review
from tests.review.made_up import duel, hostile, review

REVIEWS = {"safe": review(), "unsafe": review(unsafe=True), "hostile": hostile()}
FORMS = {"full": render_mail, "short": render_short}
#: Where git am ends a description, and what a mailbox or a quotation begins with.
SPECIAL = re.compile(r"---|diff -|Index:|From |>|-- $|\.$")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("which", REVIEWS)
def test_every_line_can_be_pasted(which: str, form: str) -> None:
    """Printable ASCII, at most 72 columns, nothing that a mail tool takes for more than text."""
    text = FORMS[form](REVIEWS[which])
    assert text.endswith("\n")
    for line in text.splitlines():
        assert line.isascii()
        assert line.isprintable()
        assert len(line) <= 72
        assert not SPECIAL.match(line)
        assert line == line.rstrip()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("which", REVIEWS)
def test_it_begins_with_simulated_and_never_votes(which: str, form: str) -> None:
    """The first word says what the figures are; "Tested-by:" of a subject is no vote of the report."""
    text = FORMS[form](REVIEWS[which])
    assert text.startswith("SIMULATED ")
    assert not re.search(r"(?i)\b[a-z-]+-by:", text)
    assert not re.search(r"(?i)\b(fixes|acked|cc):(\s|$)", text)


@pytest.mark.parametrize(("todos", "said"), [(0, "DRAFT with 0 TODOs. "), (3, "DRAFT with 3 TODOs. ")])
def test_a_draft_says_so_before_everything_else(todos: int, said: str) -> None:
    """In the first line and in the verdict, with how much is to be done; in both lengths."""
    plain = review()
    found = replace(plain, variant=replace(plain.variant, draft="1.patch", todos=todos))
    for text in (render_mail(found), render_short(found)):
        assert text.startswith(f"{said}SIMULATED")
        assert "DRAFT:    drafted from 1.patch, " in text
    assert "DRAFT" not in render_mail(plain)


@pytest.mark.parametrize("which", REVIEWS)
def test_the_short_form_fits_into_25_lines_with_verdict_limits_and_command(which: str) -> None:
    """What is left out is the end of lists, never the verdict, the fine print or how to make it again."""
    text = render_short(REVIEWS[which])
    assert len(text.splitlines()) <= SHORT_LINES == 25
    for part in (
        "Safe: ",
        "Worth it: ",
        "Who pays: ",
        "sequentially consistent",
        "Reproduce: spfvar report mine",
    ):
        assert part in " ".join(text.split()).replace("  ", " ")


def test_a_short_form_with_many_flips_says_how_many_are_left_out() -> None:
    """Twenty entries do not fit; the last line of the list counts those that are missing."""
    base = review()
    many = replace(base, sensitivity=base.sensitivity * 20)
    text = render_short(many)
    assert len(text.splitlines()) <= SHORT_LINES
    shown = text.count("hit_rate: better at 1")
    assert f"* {20 - shown} more" in text


def test_the_full_form_has_every_part_with_its_figures() -> None:
    """Each section of a review is there, with a figure of the data below it."""
    text = " ".join(render_mail(review(unsafe=True)).split())
    for part in (
        "[PATCH 1/2] mm: look again", "A. U. Thor", "1@example.org", "1 file, 1 insertion, 1 deletion",
        "check()", "no: return VM_FAULT_RETRY",  # the steps with the patch
        "P1 2 steps", "safe 1.23k", "=> access to a freed object",  # matrix and trace
        "P1 in first-race, 36 steps", "not needed in any of the races that come by it (1)",  # guards
        "x0.80 +-1% WORSE at 4", "x2.00 +-1% better at 4", "x1.50 writer p99, 1.00 -> 1.50us",
        "50.0 -> 1.0 %", "12.5 a writer came",  # why
        "1.00 2.00",  # scaling, in M faults/s
        "same (x1.00) at 0.5", "because of 7 steps", "Nothing is booted.", "Rough.", "a" * 12, "b" * 12,
        "Reproduce: spfvar report mine --patch mine.patch",
    ):  # fmt: skip
        assert part in text, part


def test_a_token_longer_than_a_line_is_pasted_as_one_word() -> None:
    """A shell joins the pieces: a backslash at the end, nothing before the next piece."""
    text = render_mail(review(unsafe=True))
    start = text.index("Replay:")
    joined = text[start:].replace("\\\n", "").split("\n\n")[0]
    assert "mine:first-race:" + "A" * 90 in joined


def test_races_that_are_safe_everywhere_are_named_not_tabulated() -> None:
    """Under a quoted patch, a column of "safe" says less than one line."""
    text = render_mail(review())
    # Three variants in two races, 1234 states in each cell.
    whole = "Safe under mine, base, rival, every interleaving (7.4k states in all), 2 races: first-race, other-race."
    assert whole in " ".join(text.split())
    assert "safe 1.23k" not in text


def loads_in(text: str) -> list[str]:
    """The names of loads in the order of the first table of ratios."""
    table = text[text.index("== Speed: against base") :]
    return re.findall(r"^  (\w+-load) ", table, re.MULTILINE)[:2]


def test_what_hurts_stands_before_what_helps() -> None:
    """The worst first."""
    assert loads_in(render_mail(review())) == ["slow-load", "fast-load"]


def test_a_review_without_a_patch_speaks_of_the_variant() -> None:
    """No subject, no hunk; the guards are the variant's."""
    text = render_mail(replace(review(), patch=None))
    assert "Subject:" not in text
    assert "Hunk" not in text
    assert "The variant's guards" in text


@pytest.mark.parametrize("form", FORMS)
def test_a_patch_that_the_variant_does_not_have_is_told(form: str) -> None:
    """The figures are then of something else than what was sent."""
    base = review()
    assert base.patch is not None
    other = replace(base, patch=replace(base.patch, layers=()))
    assert "no part of mine is this patch" in FORMS[form](other)
    assert "no part of mine" not in FORMS[form](base)


def test_more_rivals_have_a_line_each() -> None:
    """Each rival but the baseline stands beside the verdict."""
    base = review()
    speed = replace(base.speed, duels=(*base.speed.duels, duel("third")))
    text = render_mail(again(replace(base, speed=speed)))
    assert "rival: better in 1 of 3 loads: fast-load (x2.00)" in " ".join(text.split())
    assert "third: better in 1 of 3 loads: fast-load (x2.00)" in " ".join(text.split())


def again(base: Review) -> Review:
    """The review with the verdict that its figures give."""
    from spfvar.review.verdict import make_verdict

    return replace(base, verdict=make_verdict(base.safety, base.speed, base.variant))
