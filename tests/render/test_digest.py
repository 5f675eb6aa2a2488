"""The summary that a comparison begins with: what it claims, its order, and that it stays short."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Mapping

import pandas as pd
import pytest

from spfvar.comparison.metrics import METRICS
from spfvar.comparison.places import places
from spfvar.comparison.stats import axes_key, compare_to
from spfvar.comparison.verdicts import DRAWS
from spfvar.matrix.known_off import REMARK
from spfvar.render.digest import Digest, digest_of
from spfvar.render.digested import claim_lines, markdown_parts, ratio_lines
from spfvar.render.meta import Meta
from spfvar.render.paint import CODES
from spfvar.render.text import Short, render_table

SIX = (0.99, 1.0, 1.01, 0.99, 1.0, 1.01)
RATE = "faults_per_s"
BASE = "base"


def comparisons(
    gain: Callable[[str, str, int], float],
    variants: tuple[str, ...] = ("one",),
    loads: Mapping[str, tuple[int, ...]] | None = None,
    metric: str = RATE,
) -> pd.DataFrame:
    """Six draws, in each of which a variant has ``gain(variant, load, threads)`` of the baseline."""
    rows = [
        (
            name,
            load,
            axes_key({"threads": n}),
            seed,
            metric,
            value * (1 if name == BASE else gain(name, load, n)),
        )
        for load, threads in (loads or {"load": (1, 4)}).items()
        for n in threads
        for name in (BASE, *variants)
        for seed, value in enumerate(SIX)
    ]
    columns = ["variant", "scenario", "axes", "seed", "metric", "value"]
    return compare_to(pd.DataFrame(rows, columns=columns), BASE, rule=DRAWS)


def digest(frame: pd.DataFrame, *variants: str, metric: str = RATE) -> Digest:
    """The digest against the baseline."""
    return digest_of(frame, baseline=BASE, metric=METRICS[metric], variants=variants or ("one",))


def test_gains_and_losses_are_told_by_load_the_largest_first() -> None:
    """Of each load the point that counts most; a load can stand in both."""
    gains = {("a", 1): 0.5, ("a", 4): 3.0, ("b", 1): 2.0, ("b", 4): 0.8, ("c", 1): 1.0, ("c", 4): 1.0}
    loads = {"a": (1, 4), "b": (1, 4), "c": (1, 4)}
    found = digest(comparisons(lambda _, load, n: gains[load, n], loads=loads))
    [claim] = found.claims
    assert [(e.load, e.column, round(e.ratio, 9)) for e in claim.gains] == [("a", "4", 3.0), ("b", "1", 2.0)]
    assert [(e.load, e.column, round(e.ratio, 9)) for e in claim.losses] == [("a", "1", 0.5), ("b", "4", 0.8)]
    lines = claim_lines(found, {"one": "safe in all 3 races"}, 80, True)
    assert lines == [
        "one: safe in all 3 races",
        "  worth it, 2 of 3: a x3.00 (3.00-3.00) @4, b x2.00 @1",
        "  who pays, 2 of 3: a x0.50 (0.50-0.50) @1, b x0.80 @4",
    ]


def test_a_latency_that_grows_is_told_beside_throughput_that_does_not_fall() -> None:
    """Nobody pays in throughput, but the slowest faults do."""
    frame = pd.concat(
        [comparisons(lambda *_: 2.0), comparisons(lambda *_: 3.0, metric="fault_p99")], ignore_index=True
    )
    [claim] = digest(frame).claims
    assert claim.losses == ()
    assert [e.metric for e in claim.hidden] == ["fault_p99"]
    assert claim_lines(digest(frame), {}, 80, True)[2] == ("  who pays: fault_p99 load x3.00 @1")


def test_a_metric_where_lower_is_better_is_ranked_the_other_way_round() -> None:
    """Half the time is a gain."""
    frame = comparisons(lambda _, __, n: 0.5 if n == 1 else 2.0, metric="makespan")
    [claim] = digest(frame, metric="makespan").claims
    assert [e.column for e in claim.gains] == ["1"]
    assert [e.column for e in claim.losses] == ["4"]


def test_shares_explain_and_do_not_pay() -> None:
    """More of a share that is no outcome is no loss."""
    frame = pd.concat(
        [comparisons(lambda *_: 2.0), comparisons(lambda *_: 5.0, metric="mmap_lock_share")],
        ignore_index=True,
    )
    assert digest(frame).claims[0].hidden == ()


def test_without_a_comparison_there_is_nothing_to_say() -> None:
    """A baseline alone."""
    found = digest(comparisons(lambda *_: 1.0, variants=()))
    assert (found.lines, ratio_lines(found, 80, each=True)) == ((), [])


@pytest.fixture(scope="module")
def whole() -> Digest:
    """As large as the default comparison: 4 variants, 10 loads at 4 thread counts and one at another."""
    variants = ("per-vma-6.12", "spf-anon", "spf-map-pages", "spf-do-fault")
    loads = {f"page-fault-{i:02}": (1, 4, 16, 56) for i in range(10)} | {"app-start": (100,)}
    cycle = itertools.cycle([0.78, 1.0, 11.0, 2.5, 0.034])
    gains = {(name, load, n): next(cycle) for name in variants for load in loads for n in loads[load]}
    return digest(comparisons(lambda *place: gains[place], variants, loads), *variants)


@pytest.mark.parametrize("width", [60, 72, 80, 120])
def test_lines_fit_and_stand_in_columns(whole: Digest, width: int) -> None:
    """No line is wider than asked for, and each load has a line for every band of variants."""
    lines = ratio_lines(whole, width, each=True)
    assert max(map(len, lines)) <= width
    bands = {60: 4, 72: 2, 80: 2, 120: 2}[width]  # 14 of the load, 2 + 4 x 7 - 1 of a variant
    assert sum(line.startswith("page-fault-03") for line in lines) == bands
    assert sum(line.startswith("app-start @100") for line in lines) == bands


def test_the_default_comparison_is_45_lines_whose_first_15_say_what_to_think(whole: Digest) -> None:
    """SIMULATED, a blank, three lines for each of four variants, a blank; then fidelity (2) and the ratios."""
    fidelity = "Fitted to its own curves with an rms error of 10 %; at 21 to 48 threads this is too fast."
    meta = Meta("1", "1", "skylake-2s56c", BASE, "abc", 8, 1, "spfvar compare", draws=True, fidelity=fidelity)
    lines = render_table([], meta, short=Short(whole, {}, bare=True)).splitlines()
    assert len(lines) <= 45
    assert lines[2:14] == claim_lines(whole, {}, 80, True)
    assert lines[15].startswith("Fitted to")


def test_colours_change_nothing_but_the_ratios(whole: Digest) -> None:
    """Without the codes the lines are the same."""
    coloured = ratio_lines(whole, 80, each=True, colour=True)
    assert [CODES.sub("", line) for line in coloured] == ratio_lines(whole, 80, each=True)
    assert coloured != ratio_lines(whole, 80, each=True)


def test_every_mark_is_explained_before_it_is_used(whole: Digest) -> None:
    """The second line has those that occur, and no other."""
    _, legend, *rest = ratio_lines(whole, 80, each=True)
    for mark, occurs in (("!", True), ("=", True), ("~", False), ("?", False)):
        assert (f"{mark} " in legend) == occurs == any(mark in line for line in rest)


def test_cells_that_are_known_to_be_off_are_marked_and_stay_in_columns() -> None:
    """By the remark that they have; ratios of a column end where they did, and the legend says what it means."""
    frame = comparisons(lambda _name, _load, n: 2.0 if n == 4 else 1.5)
    threads = frame["axes"].map(json.loads).map(lambda axes: axes["threads"])
    off = frame.assign(warning=[f"{REMARK}why" if n == 4 else "" for n in threads])
    _, plain, *_ = ratio_lines(digest(frame), 80, each=True)
    _, legend, _, line = ratio_lines(digest(off), 80, each=True)
    assert "known to be off" in legend
    assert "known to be off" not in plain
    assert line.split() == ["load", "1.50", "2.00", "^"]
    table = markdown_parts(digest(off), {}, True, str)[-1]
    assert table.splitlines()[-1] == "| load | 1.50 | 2.00 ^ |"


def test_rows_of_markdown_have_as_many_cells_as_the_header(whole: Digest) -> None:
    """And the claims are a list."""
    *_, table = markdown_parts(whole, {}, True, str)
    assert len({line.count("|") for line in table.splitlines()}) == 1
    claims = markdown_parts(whole, {}, True, str)[0].splitlines()
    assert all(line.startswith("- **") for line in claims)


def test_places_name_what_varies() -> None:
    """Threads where there are several, nothing where there is one."""
    frame = comparisons(lambda *_: 2.0, loads={"a": (1, 4), "b": (2,)})
    assert set(places(frame).values()) == {"a threads=1", "a threads=4", "b"}


def frames(*parts: pd.DataFrame) -> Digest:
    """The digest of several comparisons together."""
    return digest(pd.concat(parts, ignore_index=True))


def test_a_sure_loss_of_another_outcome_is_never_left_out() -> None:
    """Not for what is only likely, nor for want of room: then the interval goes, and then the line is broken."""
    spread = itertools.cycle([0.93, 0.95, 0.97, 0.94, 0.96, 1.0])
    likely = comparisons(lambda *_: next(spread), loads={"load": (1,)})
    slow = comparisons(lambda *_: 3.0, loads={"load": (1,)}, metric="fault_p99")
    for width in (40, 60, 80):
        found = " ".join(" ".join(claim_lines(frames(likely, slow), {}, width, True)).split())
        assert "who pays: fault_p99 load x3.00 @1" in found
        assert "likely load x0.96" in found or width < 80
    sure = comparisons(lambda *_: 0.5, loads={"a-load-with-a-name": (1,)})
    other = comparisons(lambda *_: 3.0, loads={"a-load-with-a-name": (1,)}, metric="fault_p99")
    assert claim_lines(frames(sure, other), {}, 80, True)[2] == (
        "  who pays: a-load-with-a-name x0.50 @1, fault_p99 a-load-with-a-name x3.00 @1"
    )


def test_what_could_not_be_told_is_not_told() -> None:
    """One draw has no verdict: the ratio has a mark of its own, and there is no claim."""
    frame = comparisons(lambda *_: 0.5, loads={"load": (1,)})
    frame["verdict"], frame["ci_low"], frame["ci_high"] = "n/a", math.nan, math.nan
    assert claim_lines(digest(frame), {}, 80, True) == ["one: safety not known; too few runs to tell in load"]
    lines = ratio_lines(digest(frame), 80, each=True)
    assert lines[1] == "# too few runs"
    assert lines[-1].split() == ["load", "0.50#"]


def test_a_load_where_a_variant_has_no_figure_is_named() -> None:
    """It does not count as one where nothing is lost."""
    both = comparisons(lambda *_: 2.0, ("one", "two"), {"a": (1,), "b": (1,)})
    frame = both[~((both["variant"] == "one") & (both["scenario"] == "b"))]
    lines = claim_lines(digest(frame, "one", "two", "three"), {}, 80, False)
    assert lines[0] == "one: safety not known; no figure in b"
    assert lines[1] == "  worth it: a x2.00 @1"
    assert lines[4] == "  worth it, 2 of 2: a x2.00 @1, b x2.00 @1"
    assert lines[6:] == ["three: safety not known; no figure in a, b"]


def test_a_loss_from_zero_is_the_largest() -> None:
    """It has no ratio, and is worse than any."""
    frame = pd.concat(
        [comparisons(lambda *_: 2.0), comparisons(lambda *_: 2.0, metric="worst_stall")], ignore_index=True
    )
    frame.loc[frame["metric"] == "worst_stall", "ratio"] = math.nan
    assert claim_lines(digest(frame), {}, 80, False)[2] == "  who pays: worst_stall load from 0 @1"


def test_markdown_escapes_and_says_nothing_of_nothing() -> None:
    """A name with a sign of Markdown's; a baseline alone; and no "@", which addresses people."""

    def escaped(text: str) -> str:
        return text.replace("_", "\\_")

    named = digest(comparisons(lambda *_: 2.0, ("a_b",)), "a_b")
    parts = markdown_parts(named, {}, True, escaped)
    assert parts[0].startswith("- **a\\_b**: ")
    assert "@" not in "".join(parts)
    assert markdown_parts(digest(comparisons(lambda *_: 1.0, variants=())), {}, True, str) == []
