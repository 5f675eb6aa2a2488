"""The markdown form: tables that hold, and a stranger's text that stays text."""

from __future__ import annotations

import re

import pytest

from spfvar.review.markdown import code, escaped, render_markdown
from tests.review.made_up import HOSTILE, hostile, review

TEXTS = {
    "safe": render_markdown(review()),
    "unsafe": render_markdown(review(unsafe=True)),
    "hostile": render_markdown(hostile()),
}


def outside_code(text: str) -> str:
    """The text without fences and code spans."""
    text = re.sub(r"(?ms)^(`{3,})text\n.*?^\1$", "", text)
    return re.sub(r"(?<!\\)(`+)(?!`).*?(?<!`)\1(?!`)", "", text)


@pytest.mark.parametrize("which", TEXTS)
def test_every_row_of_a_table_has_its_headers_cells(which: str) -> None:
    """An unescaped bar would make a cell more."""
    rows = [line for line in TEXTS[which].splitlines() if line.startswith("| ")]
    assert rows
    width = 0
    for before, row in zip(["", *TEXTS[which].splitlines()], TEXTS[which].splitlines(), strict=False):
        if row.startswith("| "):
            cells = len(re.findall(r"(?<!\\)\|", row))
            width = width if before.startswith("| ") else cells
            assert cells == width


def test_a_strangers_markup_is_shown_as_it_is() -> None:
    """No tag, no emphasis, no mention, no reference, no control character outside code."""
    text = outside_code(TEXTS["hostile"])
    assert re.search(r"(?<!\\)<", text) is None
    assert "\\<script>alert(1)\\</script>" in text
    assert re.search(r"(?<![\\\w])@all", text) is None
    assert re.search(r"(?<!\\)#1", text) is None
    assert "\\*\\*b\\*\\*" in text
    for form in (text, TEXTS["hostile"]):
        assert all(char.isprintable() or char == "\n" for char in form)
        assert not re.search(r"(?i)\b[a-z-]+-by:", form)


def test_lines_do_not_become_lists_titles_or_quotations() -> None:
    """What begins a block of markdown is escaped at the beginning of a text."""
    assert escaped("- item") == "\\- item"
    assert escaped("+ item") == "\\+ item"
    assert escaped("> quoted") == "\\> quoted"
    assert escaped("1. item") == "1\\. item"
    assert escaped("# title") == "\\# title"
    assert escaped("-> x1.5, 3.5 of 4") == "\\-> x1.5, 3.5 of 4"
    assert escaped("x -> y") == "x -> y"


def test_code_has_more_backticks_than_its_text() -> None:
    """The longest run inside is two, so three stand around it."""
    assert code("plain") == "`plain`"
    assert code("a ``b`` c") == "``` a ``b`` c ```"


def test_a_fence_is_longer_than_what_it_holds() -> None:
    """A trace whose text holds a fence does not end it."""
    from spfvar.review.markdown import _fence

    assert _fence(["````", "x"]).splitlines() == ["`````text", "````", "x", "`````"]


def test_the_whole_matrix_is_there() -> None:
    """A tracker has room for every race, also for those that are safe everywhere."""
    assert "| first-race | safe 1.23k | safe 1.23k | safe 1.23k |" in TEXTS["safe"]
    assert "| first-race | P1 2 steps | safe 1.23k | safe 1.23k |" in TEXTS["unsafe"]


def test_the_title_says_simulated_and_the_end_how_to_make_it_again() -> None:
    """First and last line."""
    for text in TEXTS.values():
        assert text.startswith("# SIMULATED ")
        assert text.splitlines()[-1] == "Reproduce: `spfvar report mine --patch mine.patch`"


def test_the_made_up_stranger_is_as_bad_as_it_gets() -> None:
    """The text that these tests use has a tag, a bar, a terminal code and a vote."""
    assert all(part in HOSTILE for part in ("<script>", "|", "\x1b", "\u202e", "Tested-by: "))
