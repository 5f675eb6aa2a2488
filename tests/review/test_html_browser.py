"""The page in a real browser: nothing overflows, everything is shown, sorting works by mouse and by key."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from spfvar.pages.gallery import gallery
from spfvar.review.html import render_html
from spfvar.review.model import Review
from tests.pages.made_up import LOAD, MACHINES, OTHER, RACE, known
from tests.pages.test_comparison import page as comparison
from tests.review.chromium import PROGRAM, Chromium, chromium
from tests.review.made_up import hostile, many_races, review
from tests.review.page_texts import squeezed, texts_of

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no Chromium here (Debian: chromium)")

EXAMPLE = Path(__file__).parents[2] / "reports" / "spf-24-37.html"
REVIEWS: dict[str, Review] = {"unsafe": review(unsafe=True), "hostile": hostile()}
WHICH = [*REVIEWS, "example"]
SITE = ["index.html", f"cells/{OTHER}--{LOAD}.html", f"races/{RACE}.html", "bugs.html"]
PHONE, DESKTOP, PAPER = 360, 1280, 718  # A4 within margins of 1 cm, at 96 dots per inch
VIEWER = "document.getElementById('trace-1')"
TABLE = "document.querySelector('#speed-1 table')"
NAMES = f"[...{TABLE}.tBodies[0].rows].map(row => row.cells[0].firstChild.textContent)"
SORTED = f"[...{TABLE}.tHead.rows[0].cells].map(cell => cell.ariaSort)"

#: The least contrast of any text with what is behind it, by the formula of WCAG 2, and that text.
CONTRAST = """(() => {
  const rgba = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = colour.map((c) => c / 255).map((c) => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const ground = (element) => {
    for (; element; element = element.parentElement) {
      const colour = rgba(getComputedStyle(element).backgroundColor);
      if (colour.length === 3) return colour;
    }
    throw new Error("no ground");
  };
  let least = [Infinity, ""];
  for (const element of document.body.querySelectorAll("*")) {
    const own = [...element.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data.trim()).join("");
    if (!own || element.closest("script, svg")) continue;
    const [one, other] = [rgba(getComputedStyle(element).color), ground(element)].map(light);
    const ratio = (Math.max(one, other) + .05) / (Math.min(one, other) + .05);
    if (ratio < least[0]) least = [ratio, own];
  }
  return least;
})()"""

#: What reaches beyond the page and cannot be scrolled to within its own box.
OVERFLOWING = """[...document.body.querySelectorAll("*")].filter((element) => {
  const box = element.getBoundingClientRect();
  const inside = element.parentElement.closest(".scroll");
  const scrolls = inside && getComputedStyle(inside).overflowX === "auto";
  return !scrolls && box.width && box.right > document.documentElement.clientWidth + 1;
}).map((element) => element.outerHTML.slice(0, 200))"""

#: Boxes that would have to be scrolled.
CUT_OFF = """[...document.querySelectorAll(".scroll")].filter(
  (box) => box.scrollWidth > box.clientWidth + 1
).map((box) => box.ariaLabel)"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """One browser for all tests here."""
    with chromium(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages as files, by name."""
    folder = tmp_path_factory.mktemp("pages")
    files = {"example": EXAMPLE}
    for name, one in {**REVIEWS, "many races": many_races()}.items():
        files[name] = folder / f"{name}.html"
        files[name].write_text(render_html(one), encoding="utf-8")
    files["comparison"] = folder / "comparison.html"
    files["comparison"].write_text(comparison(), encoding="utf-8")
    for name, text in gallery(known()):
        files[name] = folder / "site" / name
        files[name].parent.mkdir(parents=True, exist_ok=True)
        files[name].write_text(text, encoding="utf-8")
    return files


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize("which", [*WHICH, "comparison", *SITE])
def test_the_page_fits_and_nothing_complains(
    browser: Chromium, pages: dict[str, Path], which: str, width: int
) -> None:
    """Wide tables scroll in their own box, the page does not; the console stays empty, also at the end."""
    browser.open(pages[which], width)
    browser.run("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    assert browser.run("innerWidth") == width
    assert browser.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert browser.run(OVERFLOWING) == []
    assert browser.console() == []
    assert browser.run("document.querySelectorAll('script:not([type])').length") == 1


def test_the_console_is_heard(browser: Chromium, pages: dict[str, Path]) -> None:
    """A script that throws, and one that the page's policy forbids: else an empty console says nothing."""
    browser.open(pages["unsafe"])
    browser.run("setTimeout(() => { throw new Error('heard'); })")
    browser.run("document.body.append(Object.assign(document.createElement('script'), {text: 'alert(1)'}))")
    console = browser.console()
    assert len(console) == 2
    assert any("heard" in entry for entry in console)
    assert any("Content Security Policy" in entry for entry in console)


@pytest.mark.parametrize("which", REVIEWS)
def test_every_text_is_shown(browser: Chromium, pages: dict[str, Path], which: str) -> None:
    """With all details open, what is rendered has every text of the sections, on a phone, too."""
    browser.open(pages[which], PHONE)
    browser.run("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    shown = squeezed(browser.run("document.body.innerText"))
    assert [text for text in texts_of(REVIEWS[which]) if squeezed(text) not in shown] == []


def test_a_click_sorts_upwards_downwards_and_back(browser: Chromium, pages: dict[str, Path]) -> None:
    """By the best ratio: x1.00 and x1.00 keep their order, x2.00 is last; aria-sort says so."""
    browser.open(pages["unsafe"])
    page_order = ["slow-load", "even-load", "fast-load"]
    assert browser.run(NAMES) == page_order
    states = []
    for _ in range(3):
        browser.run(f"{TABLE}.tHead.rows[0].cells[3].querySelector('button').click()")
        states.append((browser.run(SORTED)[3], browser.run(NAMES)))
    assert states == [
        ("ascending", page_order),
        ("descending", ["fast-load", "slow-load", "even-load"]),
        ("none", page_order),
    ]


def test_the_keyboard_sorts_too_and_names_are_sorted_as_names(
    browser: Chromium, pages: dict[str, Path]
) -> None:
    """Enter and the space bar, on the first header; another column's order is forgotten."""
    browser.open(pages["unsafe"])
    browser.run(f"{TABLE}.tHead.rows[0].cells[2].querySelector('button').click()")
    browser.run(f"{TABLE}.tHead.rows[0].cells[0].querySelector('button').focus()")
    browser.press("Enter", 13, "\r")
    assert browser.run(SORTED) == ["ascending", "none", "none", "none"]
    assert browser.run(NAMES) == ["even-load", "fast-load", "slow-load"]
    browser.press(" ", 32, " ")
    assert browser.run(SORTED) == ["descending", "none", "none", "none"]
    assert browser.run(NAMES) == ["slow-load", "fast-load", "even-load"]


def test_a_race_that_breaks_leads_to_its_trace_and_safe_ones_are_folded(
    browser: Chromium, pages: dict[str, Path]
) -> None:
    """A click on the cell; the trace is open then, at its end."""
    browser.open(pages["unsafe"])
    assert browser.run("[...document.querySelectorAll('#races table.sortable')].map(t => t.checkVisibility())") == [
        True, False,
    ]  # fmt: skip
    browser.run("document.querySelector('#races td a').click()")
    browser.run("new Promise(resolve => setTimeout(resolve, 50))")
    assert browser.run(f"{VIEWER}.querySelector('.place').textContent") == "step 2 of 2"
    assert browser.run("document.activeElement.getAttribute('aria-label')").startswith(
        "trace: mine, first-race"
    )


def test_keys_go_along_a_trace_and_to_who_freed_it(browser: Chromium, pages: dict[str, Path]) -> None:
    """The state behind each step: values, what the step changed, and the step that set it."""
    browser.open(pages["unsafe"])
    browser.run(f"{VIEWER}.querySelector('.scroll').focus()")
    words = f"""[...{VIEWER}.querySelectorAll('.groups tr')].map(row =>
        [row.className, ...[...row.cells].map(cell => cell.innerText.trim())].join('|'))"""
    at_the_end = ["changed|vma|vma 0 vma 0 (freed)|2", "changed|vma 0|in use free|2"]
    assert browser.run(words) == at_the_end
    assert "freed" not in browser.run(f"{VIEWER}.querySelector('.now').innerText")
    assert browser.run(f"{VIEWER}.querySelector('.freed').innerText").startswith(
        "vma 0: in use -> free at step 2 by munmap, in munmap()"
    )
    browser.press("ArrowLeft", 37)
    assert browser.run(words) == ["changed|vma|vma 0|1", "|vma 0|in use|"]
    assert browser.run(f"{VIEWER}.querySelector('[aria-current] th').innerText") == "1"
    browser.press("c", 67, "c")  # also what never changes
    assert browser.run(words) == ["changed|vma|vma 0|1", "|mm->mmap_lock|munmap writes|", "|vma 0|in use|"]
    browser.press("Home", 36)
    assert browser.run(f"{VIEWER}.querySelector('.place').textContent") == "step 0 of 2"
    browser.press("j", 74, "j")
    browser.press("j", 74, "j")
    browser.press("j", 74, "j")  # no further than the end
    assert browser.run("location.hash") == "#trace-1-2"
    browser.run(f"{VIEWER}.querySelector('tbody tr').click()")
    assert browser.run("location.hash") == "#trace-1-1"
    browser.run("location.hash = '#trace-1-2'")  # an address of a step
    browser.run("new Promise(resolve => setTimeout(resolve, 50))")
    assert browser.run(f"{VIEWER}.querySelector('.place').textContent") == "step 2 of 2"


def test_long_tables_are_filtered_and_commands_copied(browser: Chromium, pages: dict[str, Path]) -> None:
    """What lacks a word of the box is hidden; a command is on the clipboard after a click, or selected."""
    browser.open(pages["many races"])
    box = "document.querySelector('#races .filter')"
    rows = f"[...{box}.nextElementSibling.querySelectorAll('tbody tr')].filter(row => !row.hidden)"
    assert browser.run(f"{rows}.length") == 21
    browser.run(f"{box}.value = 'race-1 title'; {box}.dispatchEvent(new Event('input'))")
    # race-1, race-10 to race-19; "other-race" lacks the 1.
    assert browser.run(f"{rows}.length") == 11
    browser.run("document.querySelector('#provenance .copy').click()")
    browser.run("new Promise(resolve => setTimeout(resolve, 100))")
    assert browser.run("document.querySelector('#provenance .copy').textContent") in ("copied", "selected")


def test_the_skip_link_comes_first(browser: Chromium, pages: dict[str, Path]) -> None:
    """One press of the tab key shows it, another of Enter leads past the contents."""
    browser.open(pages["unsafe"])
    browser.press("Tab", 9)
    assert browser.run("document.activeElement.className") == "skip"
    assert browser.run("document.activeElement.getBoundingClientRect().left >= 0")
    browser.press("Enter", 13, "\r")
    assert browser.run("document.activeElement.id") == "main"


def test_a_gallery_is_walked_from_the_heat_map_and_from_a_broken_race_to_its_trace(
    browser: Chromium, pages: dict[str, Path]
) -> None:
    """From files, without a server: style and script of the site are loaded, a click leads on."""
    browser.open(pages["index.html"])
    assert (
        browser.run("getComputedStyle(document.querySelector('td.up3')).backgroundColor")
        == "rgb(176, 223, 188)"
    )
    browser.follow("td.up3 a")
    assert browser.run("location.href").endswith(f"cells/{OTHER}--{LOAD}.html#on-{MACHINES[0]}")
    browser.open(pages["races.html"])
    browser.follow("td.bad a")
    assert browser.run("document.querySelector('details.trace .place').textContent") == "step 2 of 2"
    assert browser.console() == []


@pytest.mark.parametrize("which", ["unsafe", "example", "comparison", *SITE])
def test_light_and_dark_grounds_differ_and_every_text_can_be_read(
    browser: Chromium, pages: dict[str, Path], which: str
) -> None:
    """By the preference of whoever reads; contrast of at least 4.5 (WCAG 2 AA) on both."""
    grounds = []
    for dark in (False, True):
        browser.open(pages[which], dark=dark)
        grounds.append(browser.run("getComputedStyle(document.body).backgroundColor"))
        ratio, text = browser.run(CONTRAST)
        assert ratio >= 4.5, (dark, text)
    assert grounds == ["rgb(255, 255, 255)", "rgb(21, 23, 26)"]


@pytest.mark.parametrize("which", WHICH)
def test_paper_gets_everything(browser: Chromium, pages: dict[str, Path], which: str) -> None:
    """Details are open while it is printed, no box cuts its content off, and it can be printed."""
    browser.open(pages[which], PAPER, dark=True, media="print")
    folded = "document.querySelectorAll('details:not([open])').length"
    before = browser.run(folded)
    assert before > 0
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert browser.run(folded) == 0
    assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.run(OVERFLOWING) == []
    assert browser.run(CUT_OFF) == []
    browser.run("dispatchEvent(new Event('afterprint'))")
    assert browser.run(folded) == before
    pdf = base64.b64decode(browser.call("Page.printToPDF")["data"])
    assert pdf.startswith(b"%PDF-")
