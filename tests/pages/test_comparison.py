"""A comparison as a page: what it says first, its colours, its tables, and that a stranger's text stays text."""

from __future__ import annotations

import pandas as pd
import pytest

from spfvar.cli.comparing import render
from spfvar.cli.kept_text import View
from spfvar.comparison.metrics import METRICS
from spfvar.comparison.stats import axes_key, compare_to, summarise
from spfvar.comparison.verdicts import DRAWS
from spfvar.matrix import catalogue
from spfvar.matrix.runs import run_of
from spfvar.pages.comparison import comparison_page, heat, tone_of_safety
from spfvar.render.digest import digest_of
from spfvar.render.meta import Meta
from spfvar.render.tables import build_blocks
from tests.pages.made_up import comparison, plan
from tests.review.made_up import HOSTILE
from tests.review.test_html import parsed

SAFETY = {"fast": "safe in all 3 races", "slow": "UNSAFE: breaks P1 in race of 3 races", "even": "not known"}
GAINS = {"base": 1.0, "fast": 2.0, "slow": 0.5, "even": 1.0}
META = Meta("0.1", "1", "box", "base", "a" * 12, 6, 1, "spfvar compare", draws=True, notes=(HOSTILE,))


def samples() -> pd.DataFrame:
    """One load at 1 and 4 threads: "fast" has twice the baseline's faults/s, "slow" half, "even" the same."""
    rows = [
        (name, "load", axes_key({"threads": threads}), seed, "faults_per_s", 1e6 * threads * gain * value)
        for threads in (1, 4)
        for name, gain in GAINS.items()
        for seed, value in enumerate((0.99, 1.0, 1.01, 0.99, 1.0, 1.01))
    ]
    return pd.DataFrame(rows, columns=["variant", "scenario", "axes", "seed", "metric", "value"])


def page(title: str = "a load") -> str:
    """The page of these samples."""
    metrics = {"faults_per_s": METRICS["faults_per_s"]}
    cells, tests = summarise(samples(), rule=DRAWS), compare_to(samples(), "base", rule=DRAWS)
    digest = digest_of(tests, baseline="base", metric=metrics["faults_per_s"], variants=list(GAINS))
    blocks = build_blocks(cells, tests, baseline="base", metrics=metrics)
    return comparison_page(digest, blocks, [], cells, META, SAFETY, {"load": title})


def test_each_variant_has_its_safety_in_its_colour_and_its_best_and_worst_cell() -> None:
    """Red for a violation, green only for what was searched whole, amber else."""
    text = page()
    for name, tone in (("fast", "good"), ("slow", "bad"), ("even", "open")):
        assert f'<div class="{tone}"><dt>{name}</dt><dd><span class="line"><span class="said {tone}">' in text
    assert "worth it: load x2.00 (2.00-2.00) at" in text
    assert "who pays: load x0.50 (0.50-0.50) at" in text


def test_a_ratio_has_the_colour_of_how_far_it_goes() -> None:
    """x2 is beyond 1.7, and so is x0.5 the other way; "same" has none; curves that are equal are one."""
    text = page()
    assert '<td class="up3" data-key="2.0">2.00</td>' in text
    assert '<td class="down3" data-key="0.5">0.50!</td>' in text
    assert '<td data-key="1.0">1.00=</td>' in text
    assert ">base = even</text>" in text
    assert "where 95 % of such machines lie" in text


@pytest.mark.parametrize(
    ("ratio", "verdict", "colour"),
    [
        (1.01, "better", "up1"), (1.3, "better", "up2"), (9.0, "better", "up4"), (0.9, "WORSE", "down1"),
        (0.2, "WORSE", "down4"), (9.0, "likely better", "up1"), (2.0, "unsure", ""), (1.0, "same", ""),
        (0.5, "better", "up3"), (0.0, "WORSE", "down1"), (float("nan"), "WORSE", "down1"),
    ],
)  # fmt: skip
def test_colours_go_by_the_verdict_and_not_by_the_side_of_one(
    ratio: float, verdict: str, colour: str
) -> None:
    """A latency of half is better; what has no ratio has the faintest colour of its verdict."""
    assert heat(ratio, verdict) == colour


def test_only_a_whole_search_is_green() -> None:
    """Other words on safety are amber, or red."""
    assert [tone_of_safety(text) for text in SAFETY.values()] == ["good", "bad", "open"]
    assert tone_of_safety("no violation: safe in 2 of 3 races, 1 not finished") == "open"


def test_the_page_is_whole_closed_to_the_network_and_always_the_same() -> None:
    """Elements are closed, nothing is loaded, a stranger's title is text, no address leads nowhere."""
    text = page(HOSTILE)
    found = parsed(text)
    assert text == page(HOSTILE)
    assert "<script>alert" not in text
    assert [a for _, a in found.elements if {"src", "action"} & set(a)] == []
    ids = [a["id"] for _, a in found.elements if "id" in a]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for a in found.named("a") if a["href"].startswith("#")} <= set(ids)
    assert text.index("SIMULATED") < text.index("<h1>")


def test_a_load_of_ones_own_has_its_title() -> None:
    """It is of the plan: a file that was named is in no list of what there is."""
    known = catalogue.scenarios()
    known.give("mine", known["pft"].model_copy(update={"title": "a load of my own"}))
    own = plan("phone-8c", known, "mine")
    done = comparison(own)
    run = run_of(own, done.samples, ["compare", "--scenario", "mine.toml"])
    text = render([(done, run)], View("html", {"faults_per_s": METRICS["faults_per_s"]}))
    assert "a load of my own" in text
