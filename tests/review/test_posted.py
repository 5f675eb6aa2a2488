"""What a review says of a variant with repairs: the posted form first, and what breaks in it."""

from __future__ import annotations

import re
from dataclasses import replace

from spfvar.review.document import sections
from spfvar.review.html import render_html
from spfvar.review.mail import SHORT_LINES, render_mail, render_short
from spfvar.review.markdown import render_markdown
from spfvar.review.model import Violation
from spfvar.review.parts import Command, TracePart
from spfvar.review.posted import posted_parts
from tests.review.made_up import outcome, repaired, review, trace

FORMS = (render_mail, render_short, render_markdown, render_html)


def words(text: str) -> str:
    """Without line breaks, and without the elements that sentences of a page are in."""
    return " ".join(re.sub("</?span[^>]*>", "", text).split())


def test_the_first_line_of_every_form_is_the_posted_forms() -> None:
    """As mail, in short, in Markdown and as a page; the bugs behind the repairs are named there, too."""
    for render in FORMS:
        text = words(render(repaired()))
        assert "As posted: NO (1 of 2 races). With 1 repair: yes." in text
        assert "of B1, B2; not in what was posted" in text
    assert len(render_short(repaired()).splitlines()) <= SHORT_LINES


def test_the_whole_forms_say_what_each_repair_is_for_and_what_breaks() -> None:
    """Bugs, what happens, the class; the race by its property, a trace, and the command for all."""
    for render in (render_mail, render_markdown):
        text = words(render(repaired()))
        assert "mine has 1 repair." in text
        assert "a page is lost (Extra)" in text
        assert "mine-posted breaks in 1 of 2 races:" in text
        assert "spfvar check mine-posted" in text
        assert "mine-posted, other-race: P1" in text


def test_a_rival_that_is_not_as_posted_is_marked() -> None:
    """Its column says safe of what nobody posted."""
    assert "(v0; nowhere), with 2 repairs that were not posted" in words(render_mail(repaired()))
    assert "that were not posted" not in words(render_mail(review()))


def test_what_breaks_as_posted_is_in_no_table_of_the_repaired_variant() -> None:
    """The matrix and the traces below it are about the variant and its rivals."""
    races = next(section for section in sections(repaired(), narrow=False) if section.key == "races")
    assert "mine-posted" not in repr(races)


def test_without_repairs_nothing_is_said_of_them() -> None:
    """No section, and the verdict in its own words."""
    assert list(posted_parts(review())) == []
    assert "posted" not in render_mail(review()).lower()


def test_one_trace_and_of_each_other_property_a_token() -> None:
    """Three violations of two properties, the shortest first: a trace of P1, a command for P4."""
    base = repaired()
    cells = [("first-race", "P1"), ("other-race", "P1"), ("third-race", "P4")]
    outcomes = [replace(outcome("mine-posted", race, "violation"), property=name) for race, name in cells]
    found = [
        Violation("mine-posted", race, name, "a text", trace(), f"mine-posted:{race}:AA")
        for race, name in cells
    ]
    safety = replace(base.safety, outcomes=tuple(outcomes), violations=tuple(found))
    parts = list(posted_parts(replace(base, safety=safety)))
    assert [part.replay for part in parts if isinstance(part, TracePart)] == [
        "spfvar replay mine-posted:first-race:AA"
    ]
    assert [(part.label, part.command) for part in parts if isinstance(part, Command)] == [
        ("P4 in third-race, 2 steps:", "spfvar replay mine-posted:third-race:AA"),
        ("All traces:", "spfvar check mine-posted"),
    ]


def test_a_search_that_was_cut_off_is_told() -> None:
    """A posted form that is open is no safe one."""
    base = repaired()
    safety = replace(base.safety, outcomes=(outcome("mine-posted", "one", "incomplete"),), violations=())
    parts = list(posted_parts(replace(base, safety=safety)))
    assert "incomplete: mine-posted, one: max_states" in repr(parts)
