"""The page as text: whole, well formed, closed to the network, and to what strangers write."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from spfvar.review.html import linked, paired, render_html
from spfvar.review.page import HUNK_LINES
from tests.review import made_up
from tests.review.made_up import hostile, patch_review, repaired, review
from tests.review.page_texts import squeezed, texts_of

EXAMPLE = Path(__file__).parents[2] / "reports" / "spf-24-37.html"
REVIEWS = {
    "safe": review(),
    "unsafe": review(unsafe=True),
    "hostile": hostile(),
    "no patch": replace(review(), patch=None),
}
PAGES = {name: render_html(one) for name, one in REVIEWS.items()}
PAGES["example"] = EXAMPLE.read_text(encoding="utf-8")
LIMIT = 1_500_000
VOID = {"meta", "link", "br", "img"}
#: Leaves an attribute by either quotation mark, an element, a script, a style.
BREAKOUT = "\"'><img src=x onerror=alert(1)></script></style><svg onload=alert(2)> onclick='x()' javascript:x"


@dataclass
class Parsed(HTMLParser):
    """What a parser makes of a page: elements with their attributes, text, what is left open."""

    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)
    states: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.inside.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.inside.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.inside and self.inside[-1] == "script" and "type" in self.elements[-1][1]:
            self.states.append(data)
        elif self.inside and self.inside[-1] in ("script", "style"):
            self.sources[self.inside[-1]] = data
        else:
            self.text.append(data)

    def named(self, *tags: str) -> Iterator[dict[str, str]]:
        """The attributes of some elements."""
        return (attributes for tag, attributes in self.elements if tag in tags)


def parsed(page: str) -> Parsed:
    """The page, every element of which is closed where it has to be."""
    parser = Parsed()
    parser.feed(page)
    parser.close()
    assert parser.inside == []
    return parser


@pytest.mark.parametrize("which", REVIEWS)
def test_a_page_has_every_text_of_the_other_forms(which: str) -> None:
    """Titles, sentences, items, cells, steps, traces, commands."""
    shown = squeezed("".join(parsed(PAGES[which]).text))
    assert [text for text in texts_of(REVIEWS[which]) if squeezed(text) not in shown] == []


@pytest.mark.parametrize("which", PAGES)
def test_nothing_is_loaded_and_no_script_but_its_own_is_allowed(which: str) -> None:
    """No address but in links; the policy names the digest of the one script."""
    page = parsed(PAGES[which])
    loaded = [(tag, a) for tag, a in page.elements if {"src", "srcset", "action", "poster"} & set(a)]
    assert loaded == []
    assert [a["href"] for a in page.named("link")] == ["data:,"]
    assert "url(" not in page.sources["style"]
    assert "@import" not in page.sources["style"]
    digest = base64.b64encode(hashlib.sha256(page.sources["script"].encode()).digest()).decode()
    (policy,) = [a["content"] for a in page.named("meta") if "http-equiv" in a]
    assert policy.startswith("default-src 'none';")
    assert f"script-src 'sha256-{digest}';" in policy


@pytest.mark.parametrize("text", [made_up.HOSTILE, BREAKOUT])
def test_a_strangers_text_makes_no_element_no_attribute_and_no_link(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In every place that a patch, a file or a plugin fills, in texts and in attributes."""
    monkeypatch.setattr(made_up, "HOSTILE", text)
    page = parsed(render_html(hostile()))
    harmless = parsed(PAGES["unsafe"])
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in harmless.elements}
    assert [a for a in page.named("script") if a.get("type") != "application/json"] == [{}]
    assert page.sources == harmless.sources
    known = {(tag, name) for tag, attributes in harmless.elements for name in attributes}
    assert {(tag, name) for tag, attributes in page.elements for name in attributes} <= known
    assert {a["href"][:1] for a in page.named("a")} == {"#"}
    shown = squeezed("".join(page.text))
    assert squeezed(text)[:20] in shown
    (states,) = map(json.loads, page.states)
    assert squeezed(text)[:20] in squeezed(states["start"][0])
    assert all(char.isprintable() for value in (*states["start"], *states["words"][0]) for char in value)
    assert all(char.isprintable() or char == "\n" for char in "".join(page.text))
    assert not re.search(r"(?i)\b[a-z-]+-by:", PAGES["hostile"])


@pytest.mark.parametrize("which", PAGES)
def test_anchors_labels_and_headings_are_sound(which: str) -> None:
    """Ids are unique, what is referred to exists, levels of headings are not skipped, charts have texts."""
    page = parsed(PAGES[which])
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    targets = [a["href"][1:] for a in page.named("a") if a["href"].startswith("#")]
    traces = [target for target in targets if target.startswith("trace-")]
    targets = [target for target in targets if target not in traces]
    assert set(traces) <= {a["id"] for a in page.named("details") if "id" in a}
    labels = [label for _, a in page.elements for label in a.get("aria-labelledby", "").split()]
    assert set(targets) | set(labels) <= set(ids)
    targets = [target for target in targets if not target.startswith("source-")]  # of guards, in the text
    assert targets[0] == "main"
    sections = [a["id"] for a in page.named("section")]
    assert targets[1:] == sections
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(len(a["aria-labelledby"].split()) == 2 for a in page.named("svg"))


def test_what_was_posted_comes_before_anything_green() -> None:
    """Two sentences, each with its own colour: red for what was posted, green for what was made of it."""
    page = render_html(repaired())
    red, green = page.index('<span class="said bad">As posted: NO'), page.index('class="said good"')
    assert red < green
    body = page.index("<body>")
    assert page.find('good"', body) == green + len('class="said ')
    assert '<div class="bad"><dt>Safe:</dt>' in page


def test_broken_races_come_first_each_with_its_trace_and_safe_ones_are_folded() -> None:
    """One of two races breaks: its cell leads to its trace; the other's table is closed."""
    page = PAGES["unsafe"]
    races = page[page.index('<section id="races"') : page.index('<section id="guards"')]
    open_part, folded = races.split("<details>", 1)
    assert '<a href="#trace-1">P1 2 steps</a>' in open_part
    assert "other-race" not in open_part
    assert folded.index("other-race") < folded.index('class="trace" id="trace-1"')
    only_safe = PAGES["safe"][PAGES["safe"].index('<section id="races"') :]
    assert only_safe.index("<summary>No race breaks: 2 races, safe under") < only_safe.index("<table")


def test_every_violation_of_the_posted_form_has_its_trace() -> None:
    """A second race with the same property, of which other forms have only the token."""
    base = repaired()
    first = base.safety.violations[0]
    second = replace(first, race="first-race", token=first.token + "B")
    outcomes = tuple(
        replace(one, verdict="violation", property="P1", steps=2)
        if (one.variant, one.race) == ("mine-posted", "first-race") else one
        for one in base.safety.outcomes
    )  # fmt: skip
    page = render_html(
        replace(base, safety=replace(base.safety, outcomes=outcomes, violations=(first, second)))
    )
    assert '<a href="#trace-2">P1 2 steps</a>' in page
    assert 'class="trace" id="trace-2"' in page
    assert f"spfvar replay {second.token}" in page
    assert parsed(page).states[0] == parsed(page).states[1]


def test_the_same_review_gives_the_same_bytes_and_the_example_is_small() -> None:
    """Twice, with nothing of a clock in it."""
    assert render_html(review(unsafe=True)) == PAGES["unsafe"]
    assert max(map(len, (page.encode() for page in PAGES.values()))) < LIMIT


def test_a_patch_of_any_size_leaves_the_page_small() -> None:
    """Two hunks of 20000 lines of 400 letters: 2000 lines are shown, cut; what is left out is counted."""
    hunk = "@@ -0,0 +1,20000 @@\n" + f"+{'x' * 400}\n" * 20_000
    patch = patch_review(f"--- a/mm/a.c\n+++ b/mm/a.c\n{hunk}".encode())
    page = render_html(replace(review(), patch=replace(patch, hunks=patch.hunks * 2)))
    assert len(page.encode()) < LIMIT
    assert page.count("+xxx") == HUNK_LINES == 2000
    assert "(18000 more lines)" in page
    assert "1 more hunk: not shown here." in page
    assert "x" * 200 not in page


def test_steps_are_shown_once() -> None:
    """Two hunks of one function touch the same hook point."""
    patch = patch_review()
    page = render_html(replace(review(), patch=replace(patch, hunks=patch.hunks * 2)))
    assert (
        page.count('<table class="steps beside">') == PAGES["safe"].count('<table class="steps beside">') == 1
    )
    assert page.count("These steps are shown above.") == 1
    assert page.count('<div class="hunk">') == 2


def test_hunks_keep_their_blanks_and_say_what_each_line_is() -> None:
    """Tabs are eight columns; the sign is part of the text, not only of the colour."""
    page = PAGES["safe"]
    assert '<code class="removed">-        one</code>' in page
    assert '<code class="added">+        other</code>' in page
    assert "<code>         same</code>" in page


def test_links_are_message_ids_and_addresses_of_the_web() -> None:
    """Mail addresses are not ids; brackets and full stops do not belong to an address."""
    posted = "20210407014502.24091-25-michel@lespinasse.org"
    archive = f'<a href="https://lore.kernel.org/r/{posted}" rel="noreferrer">{posted}</a>'
    assert linked(f"v5.12; {posted}).") == f"v5.12; {archive})."
    web = "https://lwn.net/Articles/851853/"
    assert linked(f"see {web}.") == f'see <a href="{web}" rel="noreferrer">{web}</a>.'
    for plain in ("Me <m@e.org>", "javascript:alert(1)", "<1@example.org>", 'http://"', "a20210407@b.org"):
        assert "<a" not in linked(plain)
    assert linked('https://a/"onclick=x') == (
        '<a href="https://a/" rel="noreferrer">https://a/</a>&#34;onclick=x'
    )


def test_a_link_is_looked_for_in_linear_time() -> None:
    """What a long run of digits, or of dots, costs: milliseconds, where squares would be minutes."""
    for text in ("1" * 200_000, "12345678@a" + ".a" * 100_000 + ".", "12345678-" * 20_000):
        linked(text)


def test_steps_without_and_with_a_patch_are_paired() -> None:
    """Equal ones share a row; the rest is one's, the other's, or stands for it."""
    assert paired(["a", "  b", "c"], ["a", "  d", "c", "e"]) == [
        (" ", (0, "a"), (0, "a")),
        ("±", (2, "b"), (2, "d")),
        (" ", (0, "c"), (0, "c")),
        ("+", None, (0, "e")),
    ]
    assert paired(["a", "b"], ["b"]) == [("-", (0, "a"), None), (" ", (0, "b"), (0, "b"))]
