"""The committed examples of reviews are what `make reports` writes."""

from __future__ import annotations

import html
import os
import re
from pathlib import Path

import pytest

from benchmarks.reports import COMMAND, FOLDER, FORMS, texts
from spfvar.plugins.registry import Registry
from spfvar.review import build
from spfvar.review.build import Scope
from spfvar.review.model import Review
from spfvar.review.patchmail import load_patches


class _FoundError(Exception):
    """Carries what a review would be made of."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope


def test_the_examples_are_of_todays_loads_and_races(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their hashes say so; `make reports` brings them up to date."""

    def stop(_registry: Registry, scope: Scope, *_more: object) -> Review:
        raise _FoundError(scope)

    monkeypatch.chdir(Path(__file__).parents[2])
    monkeypatch.setattr(build, "make_review", stop)
    with pytest.raises(_FoundError) as found:
        texts()
    made = build._provenance(found.value.scope, "")
    hashes = f"matrix {made.matrix_hash}, races {made.races_hash}"
    assert hashes in (FOLDER / "spf-24-37.md").read_text(encoding="utf-8"), "run `make reports`"


@pytest.mark.skipif(not os.environ.get("SPFVAR_FULL"), reason="SPFVAR_FULL=1 makes the review again")
def test_the_examples_are_what_make_reports_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """One run, every form, byte by byte; `make reports` brings them up to date."""
    monkeypatch.chdir(Path(__file__).parents[2])
    for name, text in texts().items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, f"reports/{name}: run `make reports`"


@pytest.mark.parametrize("name", FORMS)
def test_an_example_says_how_it_was_made(name: str) -> None:
    """Its Reproduce line is the command, with what this form needs."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    text = text[text.index("Reproduce:") :]
    if name.endswith(".html"):
        text = html.unescape(re.sub("<[^>]*>", "", text.partition("</p>")[0]))
    line = " ".join(text.replace("\\\n", " ").replace("`", "").split())
    assert line == f"Reproduce: {COMMAND}{FORMS[name][0]}"


def test_the_examples_patch_has_the_facts_of_the_posted_one() -> None:
    """Subject, author, message id, file, function and line counts; no warning about its hunk."""
    patch = load_patches(str(FOLDER / "spf-24-37.patch"))[0]
    assert patch.warnings == ()
    assert patch.stat_differences == ()
    assert patch.title == "mm: implement speculative handling in __do_fault()"
    assert (patch.author_name, patch.position) == ("Michel Lespinasse", (24, 37))
    assert patch.message_id == "20210407014502.24091-25-michel@lespinasse.org"
    (hunk,) = patch.hunks
    assert (hunk.file, hunk.added, hunk.removed, hunk.whole) == ("mm/memory.c", 42, 21, True)
    assert hunk.function == "static vm_fault_t __do_fault(struct vm_fault *vmf)"


def test_the_example_says_where_the_patch_beats_map_pages_alone_and_what_its_guards_prevent() -> None:
    """With figures: the two loads that ->map_pages cannot serve, and P2 without either guard."""
    text = " ".join((FOLDER / "spf-24-37.txt").read_text(encoding="utf-8").split())
    assert "better than spf-map-pages (faults/s) in file-cow (x" in text
    assert "file-read-nofa (x" in text
    own = text[text.index("The patch's own guards") : text.index("Guards of what it is stacked on")]
    assert "RCU section" in own
    assert "mmap_seq_read_check" in own
    assert own.count("P2 in munmap-file") == 2
