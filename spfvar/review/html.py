"""A review as one HTML file without anything outside it: for a browser, a phone or paper.

jinja2 escapes every value, in text and in attributes; each is made harmless first (`spfvar.review.clean`).
The page forbids itself, by its Content-Security-Policy, to load anything and to run any script but its own.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from difflib import SequenceMatcher
from functools import cache
from itertools import zip_longest
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from spfvar.explore.states import States
from spfvar.explore.trace import Trace
from spfvar.render.charts import CSS
from spfvar.render.columns import scheduled
from spfvar.review.clean import clean
from spfvar.review.document import against, headline, stat_text, subject_line, verdict_items
from spfvar.review.model import Review
from spfvar.review.page import page_sections
from spfvar.review.pageparts import BAD, GOOD, OPEN

ARCHIVE = "https://lore.kernel.org/r/"
#: An address of the web, or a message id that begins with a date or a time as those of git send-email do.
_LINK = re.compile(r"https?://[\w./?=&%+~:;#@-]*[\w/]|(?<![\w.@+-])\d{8}[\w.+-]*@[\w-]+(?:\.[\w-]+)+")

#: A line of steps: how far it is indented, and its text.
Line = tuple[int, str]


def render_html(review: Review) -> str:
    """The whole review as a page."""
    opening, *others = page_sections(review)
    script = page_script()
    return (
        environment()
        .get_template("page.html")
        .render(
            review=review,
            opening=opening,
            sections=others,
            headline=headline(review),
            against=against(review),
            verdict=verdict_rows(review),
            subject=subject_line(review.patch) if review.patch is not None else "",
            stat=stat_text(review.patch) if review.patch is not None else "",
            chart_css=Markup(CSS),
            script=Markup(script),
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )


def page_script() -> str:
    """What runs on a page: tables, folds and copies, then the trace viewer."""
    return source("page.js") + source("trace.js")


def verdict_rows(review: Review) -> list[tuple[str, list[tuple[str, str]]]]:
    """The verdict: labels, and sentences with their tones.  What was posted comes before anything green."""
    tones = {True: GOOD, False: BAD, None: OPEN}
    rows = []
    for item in verdict_items(review).items:
        said = [(item.text, "")]
        if item.label == "Safe:":
            said = [(text, tones[is_safe]) for text, is_safe in review.verdict.sentences] or said
        elif item.label == "Generated:" and review.safety.generated is not None:
            said = [(item.text, BAD if review.safety.generated.violations else "")]
        elif item.label == "DRAFT:":
            said = [(item.text, OPEN)]
        rows.append((item.label, said))
    return rows


def states_json(states: States) -> Markup:
    """The state beside a trace as JSON that can stand in an element; every text is made harmless."""
    data = {
        "words": [list(map(clean, word)) for word in states.words],
        "start": list(map(clean, states.start)),
        "changes": [[[index, clean(value)] for index, value in step] for step in states.changes],
        "freed": [{key: clean(str(value)) for key, value in asdict(one).items()} for one in states.freed],
    }
    text = json.dumps(data, separators=(",", ":"), sort_keys=True)
    return Markup(text.replace("<", "\\u003c"))  # so that nothing in it ends the element


def linked(text: str) -> Markup:
    """The text with its addresses and message ids as links: https, http, or the list's archive."""
    text, parts, end = clean(text), [], 0
    for match in _LINK.finditer(text):
        found = match[0]
        target = found if found.startswith("http") else ARCHIVE + quote(found, safe="@")
        link = Markup('<a href="{}" rel="noreferrer">{}</a>').format(target, found)
        parts += [Markup.escape(text[end : match.start()]), link]
        end = match.end()
    return Markup("").join([*parts, Markup.escape(text[end:])])


def paired(before: Sequence[str], after: Sequence[str]) -> list[tuple[str, Line | None, Line | None]]:
    """Two outlines in rows: " " for a step of both, "-" for one of the first, "+" of the second, else "±"."""
    rows: list[tuple[str, Line | None, Line | None]] = []
    for kind, i, j, k, m in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        for left, right in zip_longest(before[i:j], after[k:m]):
            sign = " " if kind == "equal" else "-" if right is None else "+" if left is None else "±"
            rows.append((sign, _line(left), _line(right)))
    return rows


def _line(text: str | None) -> Line | None:
    if text is None:
        return None
    bare = text.lstrip(" ")
    return len(text) - len(bare), bare


def columns(trace: Trace) -> list[tuple[int, list[list[Line]]]]:
    """The trace in rows: the number of a step, and the lines in the column of each thread."""
    return [
        (number, [lines if name == thread else [] for name in trace.threads])
        for number, thread, lines in scheduled(trace.steps)
    ]


def _kind(part: object) -> str:
    """The macro that draws a part."""
    return type(part).__name__.lower()


def _harmless(value: object) -> object:
    """What every value goes through before it is escaped."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def source(name: str) -> str:
    """The text of a template."""
    loader = environment().loader
    assert loader is not None
    return loader.get_source(environment(), name)[0]


@cache
def environment() -> Environment:
    """The templates, and what they draw with."""
    found = Environment(
        loader=PackageLoader("spfvar.review"), autoescape=True, undefined=StrictUndefined,
        finalize=_harmless, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    found.filters |= {
        "linked": linked,
        "columns": columns,
        "kind": _kind,
        "markup": Markup,
        "json": states_json,
    }
    found.globals |= {"paired": paired}
    return found
