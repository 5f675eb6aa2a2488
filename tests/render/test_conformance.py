"""The kit's results as text: what matters first, at most so many troubles, within the width."""

from __future__ import annotations

import json

from spfvar.conformance.result import FAIL, NOT_RUN, PASS, Result, Trouble
from spfvar.render.conformance import SHOWN, render_json, render_text

LONG = "a path that is told in more words than fit into a single line of a terminal of eighty columns; " * 3
TROUBLE = Trouble(f"f() {LONG}", "give it back", "mine.py:7", (f"path: {LONG}",))
RESULTS = [
    Result("", "loads", PASS, "mine"),
    Result("mine", "sections", FAIL, "wrong", (TROUBLE,) * (SHOWN + 2)),
    Result("mine", "safe", NOT_RUN, "automata has to pass first"),
]


def test_text_fits_and_ends_with_the_verdict() -> None:
    """Every line within 80 columns; troubles beyond the first few are counted."""
    text = render_text("mine.py", RESULTS)
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("to do: give it back") == SHOWN
    assert "... and 2 more" in text
    assert text.endswith("1 of 3 checks passed, 1 failed (mine: sections), 1 not run\n")


def test_json_has_every_trouble() -> None:
    """And whether all passed."""
    found = json.loads(render_json("mine.py", RESULTS))
    assert found["passed"] is False
    assert len(found["checks"][1]["troubles"]) == SHOWN + 2
    assert found["checks"][1]["troubles"][0] == {
        "what": TROUBLE.what, "where": "mine.py:7", "details": list(TROUBLE.details), "do": "give it back",
    }  # fmt: skip
    assert json.loads(render_json("mine.py", RESULTS[:1]))["passed"] is True
