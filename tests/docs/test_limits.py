"""docs/limits.md is the table of limits, and what is said of limits elsewhere is true."""

from __future__ import annotations

import re
from pathlib import Path

from docs._ext.limits import page
from spfvar.explore.properties import PROPERTIES
from spfvar.faultpaths.kinds import FAULT_KINDS
from spfvar.limits import LIMITS, OF_VERDICTS, SENTENCES
from spfvar.matrix import catalogue
from spfvar.ops import codes
from spfvar.plugins.registry import load_registry
from spfvar.render.mail import to_ascii

ROOT = Path(__file__).parents[2]


def test_the_page_is_the_table() -> None:
    """To repair: make limits."""
    assert (ROOT / "docs/limits.md").read_text(encoding="utf-8") == page()


def test_what_a_report_says_is_plain_text() -> None:
    """A sentence each, in ASCII and without markup: mail, pages and terminals print it as it is."""
    for sentence in SENTENCES:
        assert sentence.endswith(".")
        assert to_ascii(sentence) == sentence
        assert not re.search(r"[`*_]{2}|`", sentence)
    assert len(set(SENTENCES)) == len(SENTENCES)
    assert set(OF_VERDICTS.split()) <= {word for sentence in SENTENCES for word in sentence.split()}


def test_nothing_that_the_model_has_is_said_to_be_missing() -> None:
    """Swap, NUMA hints and SRCU were called missing after they had come."""
    races = catalogue.races()
    assert any(vma.swap != "no" for name in races.names() for vma in races[name].vma)
    assert "SRCU_READ_LOCK" in codes.NAMES.values()
    assert any(kind.name == "numa" for kind in FAULT_KINDS)
    said = [*SENTENCES, *(limit.text for limit in LIMITS)]
    said += re.findall(r'^caveat = "(.*)"$', "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "questions").glob("*.toml")
    ), re.MULTILINE)  # fmt: skip
    for text in said:
        assert not re.search(r"(no|There is no|without) (swap|NUMA|SRCU)\b", text), text
        assert not re.search(r"\b(swap|NUMA hint\w*|SRCU)( is| are) not ", text, re.IGNORECASE), text


def test_a_bug_that_has_a_twin_is_not_listed_as_out_of_reach() -> None:
    """docs/check.md lists published bugs without a twin; properties it names are not checked."""
    text = (ROOT / "docs/check.md").read_text(encoding="utf-8")
    table = text.partition("## Published bugs without a twin")[2]
    named = [bug for row in re.findall(r"^\| ([A-Z]\d.*?) \|", table, re.MULTILINE)
             for bug in re.findall(r"[A-Z]+\d+", row)]  # fmt: skip
    assert {"S11", "U1", "X2"} <= set(named)
    assert not set(named) & {twin.bug for twin in load_registry().twins.values()}
    [properties] = [limit for limit in LIMITS if limit.title.startswith("P15")]
    assert not set(re.findall(r"P\d+", properties.title)) & set(PROPERTIES)
