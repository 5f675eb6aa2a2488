"""The gallery as files: every address leads somewhere, colours say what was found, bytes are always the same."""

from __future__ import annotations

import posixpath
from dataclasses import replace

import pytest

from spfvar.pages.gallery import gallery
from spfvar.pages.site import hooks_of, slug
from spfvar.render.again import Files
from tests.pages.made_up import LOAD, MACHINES, OTHER, RACE, known, registry
from tests.review.test_html import Parsed, parsed


@pytest.fixture(scope="module")
def site() -> dict[str, str]:
    """The files by path."""
    return dict(gallery(known()))


@pytest.fixture(scope="module")
def pages(site: dict[str, str]) -> dict[str, Parsed]:
    """The pages, parsed: elements are closed where they have to be."""
    return {path: parsed(text) for path, text in site.items() if path.endswith(".html")}


def test_every_address_leads_to_a_page_and_an_anchor_of_it(
    pages: dict[str, Parsed], site: dict[str, str]
) -> None:
    """Relative, so that the folder can lie anywhere; or of the web, and then only as a link."""
    ids = {path: [a["id"] for _, a in page.elements if "id" in a] for path, page in pages.items()}
    wrong = []
    for path, page in pages.items():
        assert len(ids[path]) == len(set(ids[path])), path
        for href in [a["href"] for a in page.named("a", "link")] + [
            a["src"] for a in page.named("script") if "src" in a
        ]:
            if href.startswith(("https://", "data:")):
                continue
            target, _, anchor = href.partition("#")
            where = posixpath.normpath(posixpath.join(posixpath.dirname(path), target)) if target else path
            if where not in site or (anchor and anchor not in ids[where]):
                wrong.append((path, href))
    assert wrong == []


def test_nothing_is_loaded_from_the_web(pages: dict[str, Parsed]) -> None:
    """Style and script lie beside the pages."""
    for page in pages.values():
        assert {a["src"] for _, a in page.elements if "src" in a} <= {"page.js", "../page.js"}
        assert {a["href"] for a in page.named("link")} <= {"data:,", "page.css", "../page.css"}


def test_a_heat_map_per_machine_whose_cells_lead_to_their_pages(site: dict[str, str]) -> None:
    """Twice the faults/s at the most threads: the colour beyond 1.7; the cell's page begins at the machine."""
    for name in MACHINES:
        cell = f'<td class="up3" data-key="2.0"><a href="cells/{OTHER}--{LOAD}.html#on-{name}">2.00</a></td>'
        assert cell in site["index.html"]
        page = site[f"cells/{OTHER}--{LOAD}.html"]
        assert f'<section id="on-{name}"' in page
    assert page.count("<svg") == len(MACHINES)
    assert page.count('<td class="up3">2.00</td>') == len(MACHINES)


def test_what_was_posted_is_red_and_leads_to_its_trace(site: dict[str, str]) -> None:
    """Also where the repaired design is safe: the posted form comes first in its sentence."""
    sentence = "as posted: NO, 1 of 1 races; with repairs: yes"
    assert f'<td class="bad"><a href="races.html">{sentence}</a></td>' in site["index.html"]
    assert f'<span class="said bad">{sentence}</span>' in site[f"designs/{OTHER}.html"]
    ident = f"trace-{slug(OTHER)}-posted"
    assert f'<td class="bad"><a href="races/{RACE}.html#{ident}">P2 2 steps</a></td>' in site["races.html"]
    page = site[f"races/{RACE}.html"]
    assert f'class="trace" id="{ident}"' in page
    assert '<script type="application/json">' in page
    assert f'<a href="../designs/{OTHER}.html">{OTHER}-posted</a>' in page


def test_a_bug_has_its_first_bad_patch_its_trace_and_what_makes_the_difference(site: dict[str, str]) -> None:
    """The patch stands in the table by its title, and on the bug's page with how it was found."""
    row = site["bugs.html"]
    assert f'<a href="bugs/{slug("h4@" + OTHER)}.html#trace-{slug("h4@" + OTHER)}">P2, 2 steps</a>' in row
    assert "<td>spf@16<small>mm: enable speculative fault handling" in row
    page = site[f"bugs/{slug('h4@' + OTHER)}.html"]
    assert "which does not have the bug, is safe in this race" in page
    assert "<dt>First bad patch:</dt><dd>spf@16, mm: enable speculative fault handling" in page
    assert "the bug was put into each prefix of the series, of which 16 differ" in page
    without = dict(gallery(replace(known(), firsts={})))[f"bugs/{slug('h4@' + OTHER)}.html"]
    assert f"<dd>{OTHER} is no stack of a series&#39; patches</dd>" in without
    assert 'href="../source/' in page


def test_patches_and_hook_points_lead_to_their_source_lines(site: dict[str, str]) -> None:
    """A class's line there is its own."""
    patch = registry()[OTHER].patches[0]
    page = site[f"designs/{OTHER}.html"]
    at = page.index(f">{patch.__name__}</th>")
    href = page[page.index('href="../', at) + 9 :].partition('"')[0]
    path, _, anchor = href.partition("#")
    line = site[path].partition(f'<code id="{anchor}">')[2].partition("\n")[0]
    assert f"class {patch.__name__}" in line
    for hook in hooks_of(registry()[OTHER].patches):
        assert f'<a href="../hooks.html#hook-{hook}">{hook}()</a>' in page
        assert f'id="hook-{hook}"' in site["hooks.html"]


def test_the_same_results_give_the_same_bytes(site: dict[str, str]) -> None:
    """Nothing of a clock, an order or a place of this machine is in them."""
    assert dict(gallery(known())) == site
    assert not [path for path, text in site.items() if "/home/" in text or "/tmp/" in text]


def test_commands_name_the_files_that_they_need(site: dict[str, str]) -> None:
    """Plugins always; a race by its file if it is the user's, else by its name."""
    token, twin = f"{OTHER}-posted:{RACE}:AAAA", f"bugs/{slug('h4@' + OTHER)}.html"
    assert f"spfvar check --race {RACE}<" in site[f"races/{RACE}.html"]
    assert f"spfvar replay {token}<" in site[f"races/{RACE}.html"]
    bug = registry().twins[f"h4@{OTHER}"].race
    files = Files(["my idea.py"], {name: f"here/{name}.toml" for name in (RACE, bug)})
    own = dict(gallery(replace(known(), files=files)))
    plugin = "--plugin &#39;my idea.py&#39;"
    assert f"spfvar check --race here/{RACE}.toml {plugin}<" in own[f"races/{RACE}.html"]
    assert f"spfvar replay {token} --race here/{RACE}.toml {plugin}<" in own[f"races/{RACE}.html"]
    assert f"spfvar replay {token} --race here/{bug}.toml {plugin}<" in own[twin]
