"""A page of sections in the look of a review: one file that loads nothing, or one of a site."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from markupsafe import Markup

from spfvar.render.charts import CSS
from spfvar.review.html import environment, page_script, source
from spfvar.review.pageparts import PageSection

#: What a site's pages have in common, beside them.
STYLE, SCRIPT = "page.css", "page.js"


@dataclass(frozen=True, slots=True)
class Said:
    """A box of the verdict: who or what it is about, where that leads ("": nowhere), sentences with tones."""

    label: str
    sentences: tuple[tuple[str, str], ...]
    href: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A page: its ``title`` and heading, the first lines, what matters most, and sections.

    ``trail`` leads back: names and addresses.
    """

    title: str
    heading: str
    opening: tuple[str, ...]
    verdict: tuple[Said, ...]
    sections: tuple[PageSection, ...]
    version: str
    trail: tuple[tuple[str, str], ...] = ()


def render_document(document: Document, root: str | None = None) -> str:
    """The page; ``root`` is the way to the site's style and script ("", "../"), None: they are inside."""
    script = page_script()
    return (
        environment()
        .get_template("document.html")
        .render(
            page=document,
            root=root,
            chart_css=Markup(CSS),
            script=Markup(script),
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )


def site_files() -> dict[str, str]:
    """The style and the script of a site, by name."""
    return {STYLE: CSS + source("page.css"), SCRIPT: page_script()}
