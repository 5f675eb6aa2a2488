"""Flips of a verdict: bracketed by halving, the same however it is run, honest about what was tried."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spfvar.errors import InputError
from spfvar.matrix import catalogue
from spfvar.matrix.catalogue import Catalogue
from spfvar.matrix.cells import CellWork
from spfvar.matrix.kept_runs import CellTask
from spfvar.matrix.plan import make_plan
from spfvar.matrix.run import run_plan
from spfvar.plugins.registry import load_registry
from spfvar.review.markdown import render_markdown
from spfvar.review.points import APART, EVERY_APART, LAYOUT, OWN, Figure, Runner
from spfvar.review.sensitivity import Flip, Sensitivity, _along, find_flips, sentence
from spfvar.scenario.schema import Scenario
from spfvar.store.database import Store
from tests.review.made_up import review

REGISTRY = load_registry()
NAN = (math.nan, math.nan)

#: Reads of a file, little enough of them to be cheap.
TINY = """
kind = "load"
title = "a tiny load"
source = "none"
io = "$io"

[axes.threads]
doc = "threads"
values = [8]

[axes.hit_rate]
doc = "share in the page cache"
unit = "share"
values = [1.0]

[axes.io]
doc = "time of a read"
unit = "duration"
values = ["100us"]
range = ["10us", "1ms"]

[axes.size]
doc = "each thread's part of the file, which does not fit into the model at its largest"
unit = "size"
values = ["2MiB"]
range = ["2MiB", "64GiB"]

[axes.vma]
doc = "whose mapping"
unit = "choice"
choices = ["process", "thread"]
values = ["thread"]

[[region]]
name = "file"
size = "16GiB"
window = "$size"
backing = "file"
per = "$vma"
mapped = true
cached = "$hit_rate"
fault_around = "4KiB"

[[group]]
name = "reader"
threads = "$threads"
program = [{ touch = "file", access = "read" }]

[measure]
warmup_per_thread = 20
faults = 600
"""


def flips(scenarios: Catalogue[Scenario], **more: Any) -> tuple[Sensitivity, ...]:
    """The whole 2021 series against mmap_lock in the tiny load."""
    options: dict[str, Any] = {
        "variant": "spf-do-fault",
        "rival": "mmap-lock",
        "names": ["tiny"],
        "halvings": 2,
    }
    return find_flips(REGISTRY, scenarios, catalogue.hardware(), **(options | more))


@pytest.fixture(scope="module")
def scenarios(tmp_path_factory: pytest.TempPathFactory) -> Catalogue[Scenario]:
    """The shipped loads and the tiny one."""
    file: Path = tmp_path_factory.mktemp("scenarios") / "tiny.toml"
    file.write_text(TINY)
    found = catalogue.scenarios()
    found.add_file(str(file))
    return found


@pytest.fixture(scope="module")
def found(scenarios: Catalogue[Scenario]) -> dict[str, Sensitivity]:
    """Every axis but threads."""
    return {one.axis: one for one in flips(scenarios)}


def test_every_axis_but_threads_is_moved(found: dict[str, Sensitivity]) -> None:
    """In the scenario's order, each against the same default."""
    assert list(found) == ["hit_rate", "io", "size", "vma", LAYOUT]
    assert {(one.default.verdict, one.default.ratio) for one in found.values()} == {
        ("better", found["io"].default.ratio)
    }


def test_a_flip_lies_between_two_values_that_were_run(found: dict[str, Sensitivity]) -> None:
    """Speculation gives up on every miss: it cannot be better if nothing is cached.  A share is halved linearly."""
    one = found["hit_rate"]
    (flip,) = one.flips
    assert one.default.value == 1.0
    assert (one.low.value, one.low.verdict) != (one.default.value, "better")
    assert (flip.keeps.verdict, flip.flips.verdict != "better") == ("better", True)
    assert {flip.keeps, flip.flips} <= set(one.tried)
    # 0 and 0.5 first; then two halvings of the half with the flip: an eighth of the range.
    assert float(flip.keeps.value) - float(flip.flips.value) == pytest.approx(0.125, abs=0.001)


def test_what_changes_nothing_does_not_flip(found: dict[str, Sensitivity]) -> None:
    """Everything is cached, so storage is never read: both ends and the middles have the default's figures."""
    one = found["io"]
    assert one.flips == ()
    assert [figure.value for figure in one.tried] == ["10us", "32us", "100us", "320us", "1ms"]
    assert {figure.values for figure in one.tried} == {one.default.values}
    assert one.runs == 4 * 2 * 3  # four values besides the default, two variants, half of six seeds


def test_a_value_that_cannot_be_run_has_no_figure(found: dict[str, Sensitivity]) -> None:
    """The address space would be too large: no verdict there, and no flip from it."""
    one = found["size"]
    assert (one.high.value, one.high.verdict) == ("64GiB", "n/a")
    assert math.isnan(one.high.ratio)
    assert one.flips == ()


def test_choices_are_tried_one_by_one(found: dict[str, Sensitivity]) -> None:
    """In the order of the scenario."""
    assert [figure.value for figure in found["vma"].tried] == ["thread", "process"]


def test_the_result_does_not_depend_on_what_else_is_run(
    scenarios: Catalogue[Scenario], found: dict[str, Sensitivity]
) -> None:
    """One axis alone, on one core, gives the same, and reports each point it runs."""
    seen: list[tuple[int, int]] = []
    (alone,) = flips(scenarios, axes=["vma"], jobs=1, progress=lambda done, total: seen.append((done, total)))
    assert alone == found["vma"]
    assert seen[-1] == (2, 2)  # the default and the other choice


def test_what_the_store_has_is_not_run(
    scenarios: Catalogue[Scenario],
    found: dict[str, Sensitivity],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same as without a store; where members lie is looked at in texts that nothing was run of, too."""
    store, axes = Store(tmp_path / "store.sqlite"), ["vma", LAYOUT]
    assert flips(scenarios, axes=axes, store=store) == tuple(found[axis] for axis in axes)
    monkeypatch.setattr("spfvar.matrix.cells.simulate", None)
    assert flips(scenarios, axes=axes, store=store) == tuple(found[axis] for axis in axes)
    store.close()


def test_a_default_that_was_compared_is_not_run(
    scenarios: Catalogue[Scenario], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its cells are those of a comparison."""
    store = Store(tmp_path / "store.sqlite")
    plan = make_plan(
        REGISTRY, scenarios, catalogue.hardware(), variants=["spf-do-fault", "mmap-lock"], patterns=["tiny"],
        baseline="mmap-lock", seeds=6,
    )  # fmt: skip
    run_plan(plan, store=store)
    ran: list[CellTask] = []
    monkeypatch.setattr(CellWork, "run", _noted(CellWork.run, ran))
    flips(scenarios, axes=["vma"], store=store)
    assert {task.axes["vma"] for task in ran} == {"process"}
    store.close()


def _noted(run: Any, ran: list[CellTask]) -> Any:
    def noted(work: CellWork, task: CellTask) -> Any:
        ran.append(task)
        return run(work, task)

    return noted


def test_where_both_run_the_same_program_nothing_is_run(
    scenarios: Catalogue[Scenario], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An anonymous mapping has no use for what a patch does to files: its verdict is what runs would give."""
    axes, seeds = ["pause"], 2
    both: dict[str, Any] = {"variant": "spf-map-pages", "rival": "spf-anon", "names": ["mmap-churn"]}
    ran: list[CellTask] = []
    monkeypatch.setattr(CellWork, "run", _noted(CellWork.run, ran))
    (found,) = flips(scenarios, axes=axes, seeds=seeds, **both)
    assert {task.axes["pause"] for task in ran} == {found.default.value}
    assert (found.runs, len(found.tried)) == (0, 5)
    monkeypatch.setattr("spfvar.review.points.ALWAYS_THERE", "another metric")
    (simulated,) = flips(scenarios, axes=axes, seeds=seeds, **both)
    assert simulated.runs == 4 * 2 * seeds
    assert [(one.value, one.verdict, one.ratio) for one in found.tried] == [
        (one.value, one.verdict, one.ratio) for one in simulated.tried
    ]
    assert found.flips == simulated.flips == ()
    assert sentence(found) == sentence(simulated)


def test_an_axis_that_no_load_has_is_refused(scenarios: Catalogue[Scenario]) -> None:
    """With the nearest one."""
    with pytest.raises(InputError, match="unknown axis 'hitrate': did you mean 'hit_rate'"):
        flips(scenarios, axes=["hitrate"])


def test_file_loads_have_the_axes_that_reviewers_ask_for() -> None:
    """Page-cache hit rate, fault-around, time of I/O, VMAs per thread; numbers say what is plausible."""
    shipped = catalogue.scenarios()
    for name in ("file-cow", "file-read", "file-read-nofa", "file-major"):
        axes = shipped[name].axes
        assert {"hit_rate", "fault_around", "io_latency", "vma"} <= set(axes)
        assert all(axes[axis].range is not None for axis in ("hit_rate", "fault_around", "io_latency"))
    assert {"hit_rate", "fault_around", "io_latency", "vmas"} <= set(shipped["app-start"].axes)


# --- the search alone ----------------------------------------------------------------------------


def figure(value: float, verdict: str) -> Figure:
    """A figure with this verdict."""
    return Figure(value, verdict, 1.0, NAN)


@given(st.floats(0, 1, exclude_min=True, exclude_max=True), st.booleans(), st.integers(1, 8))
def test_the_bracket_holds_the_threshold(threshold: float, down: bool, halvings: int) -> None:
    """From either end of 0..1: the verdict is another beyond the threshold, and the bracket gets half as wide."""
    start, end = (1.0, 0.0) if down else (0.0, 1.0)

    def measured(value: float) -> Figure:
        beyond = value < threshold if down else value > threshold
        return figure(value, "same" if beyond else "better")

    side = _along(start, end, measured(start), lambda a, b: (float(a) + float(b)) / 2, halvings)
    asked = next(side)
    try:
        while True:
            asked = side.send([measured(float(value)) for value in asked])
    except StopIteration as stop:
        (flip,) = stop.value
    low, high = sorted((float(flip.keeps.value), float(flip.flips.value)))
    assert low <= threshold <= high
    assert high - low == pytest.approx(0.5 ** (halvings + 1))


def test_what_is_unsure_neither_keeps_a_verdict_nor_flips_it() -> None:
    """Better below 0.3, unsure up to 0.6, the same above: the bracket is from the last sure one to the first."""

    def measured(value: float) -> Figure:
        return figure(value, "better" if value < 0.3 else "unsure" if value < 0.6 else "same")

    side = _along(0.0, 1.0, measured(0.0), lambda a, b: (float(a) + float(b)) / 2, 3)
    asked = next(side)
    seen = []
    try:
        while True:
            seen += asked
            asked = side.send([measured(float(value)) for value in asked])
    except StopIteration as stop:
        (flip,) = stop.value
    # 0.5 is unsure; 0.75 flips, 0.625 too, 0.5625 is unsure: nothing surely better but the start.
    assert seen == [0.5, 1.0, 0.75, 0.625, 0.5625]
    assert (flip.keeps.value, flip.flips.value) == (0.0, 0.625)


@pytest.mark.parametrize(
    ("default", "tried", "steady"),
    [
        ("same", ("same", "same", "n/a"), True),
        ("same", ("same", "unsure"), False),
        ("unsure", ("unsure", "unsure"), False),
        ("n/a", ("n/a",), False),
    ],
)
def test_only_what_is_sure_at_every_value_does_not_flip(
    default: str, tried: tuple[str, ...], steady: bool
) -> None:
    """What cannot be run is not claimed either way."""
    figures = tuple(figure(place, verdict) for place, verdict in enumerate(tried))
    one = Sensitivity("load", "a", "b", "faults_per_s", "x", "doc", figure(0, default), (), figures, 6, 4)
    assert one.is_steady == steady


def test_a_review_tells_what_is_unsure_from_what_does_not_flip() -> None:
    """One axis is the same at every value, one is unsure at some value: only the first does not flip."""
    here = figure(0.5, "better")
    tried = {"steady": (here, figure(1.0, "better")), "open": (here, figure(1.0, "unsure"))}
    found = tuple(
        Sensitivity("load", "a", "b", "faults_per_s", axis, "doc", here, (), figures, 6, 4)
        for axis, figures in tried.items()
    )
    text = render_markdown(replace(review(), sensitivity=found))
    steady = text.index("These do not, at any value tried:")
    unsure = text.index("These may or may not")
    assert steady < text.index("steady (0.5 to 1)") < unsure < text.index("open (0.5 to 1)")


HALF = figure(0.5, "same")
WHOLE = figure(1.0, "better")


@pytest.mark.parametrize(
    ("default", "tried", "found", "text"),
    [
        (WHOLE, (HALF, WHOLE), (Flip(WHOLE, HALF),), "x: better at 1 (x1.00); same (x1.00) at 0.5"),
        (
            WHOLE, (HALF, figure(0.75, "better"), WHOLE), (Flip(figure(0.75, "better"), HALF),),
            "x: better at 1 (x1.00); same (x1.00) at 0.5, still better at 0.75",
        ),
        (HALF, (HALF,), (), "x: same at 0.5 (x1.00), and so at no other value"),
        (
            HALF, (figure(0.25, "n/a"), figure(0.3, "same"), HALF, figure(0.7, "same")), (),
            "x: same at 0.5 (x1.00), and so at 0.3 and 0.7",
        ),
        (figure(0.5, "n/a"), (figure(0.5, "n/a"),), (), "x: no figure at 0.5"),
        (
            HALF, (figure(0.3, "same"), HALF, figure(0.7, "unsure")), (),
            "x: same at 0.5 (x1.00), and so at 0.3; unsure at 0.7",
        ),
        (
            figure(0.5, "unsure"), (figure(0.3, "same"), figure(0.5, "unsure")), (),
            "x: unsure at 0.5 (x1.00): no verdict that could flip",
        ),
    ],
)  # fmt: skip
def test_sentences(default: Figure, tried: tuple[Figure, ...], found: tuple[Flip, ...], text: str) -> None:
    """What a report says about an axis; only values that have a figure are claimed."""
    one = Sensitivity("load", "a", "b", "faults_per_s", "x", "doc", default, found, tried, 6, 4)
    assert sentence(one) == text


def test_a_verdict_that_hangs_on_a_cache_line_names_the_member() -> None:
    """Half the series gives up on files: worse because mmap_seq, which it reads first, is beside mmap_lock.

    Either of the two on a line of its own is enough, as in v5.12.12, where mmap_seq is beside the owner, it is not.
    """
    (one,) = flips(
        catalogue.scenarios(), variant="spf-anon", names=["file-cow"], axes=[LAYOUT], seeds=2, threads=16
    )
    assert (one.default.value, one.default.verdict) == (OWN, "WORSE")
    assert [flip.flips.value for flip in one.flips] == [
        f"mm_struct.mmap_lock{APART}", f"mm_struct.mmap_seq{APART}"
    ]  # fmt: skip
    assert {"v5.13", EVERY_APART, f"mm_struct.mm_users{APART}"} <= {figure.value for figure in one.tried}
    assert f"same (x1.00) at mm_struct.mmap_seq{APART}" in sentence(one)
    assert one.runs == 2 * 2 * (len(one.tried) - 1)


def test_a_layout_with_the_same_lines_is_not_run(scenarios: Catalogue[Scenario]) -> None:
    """A layout before v5.12 and one behind it, if lines differ, and no single member."""
    (one,) = flips(scenarios, axes=[LAYOUT], variant="spf-do-fault", rival="mmap-lock")
    assert [figure.value for figure in one.tried] == [OWN, "v4.15", "v5.13", EVERY_APART]


def test_what_half_of_the_seeds_say_surely_is_asked_of_no_more(
    found: dict[str, Sensitivity], scenarios: Catalogue[Scenario], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same flips as when each value is run with all; and what differs from the default is seen in the same half."""
    monkeypatch.setattr(Runner, "run_moved", lambda runner, wanted, _: runner.run(wanted))
    for whole in flips(scenarios):
        thrifty = found[whole.axis]
        values = [figure for figure in whole.tried if not math.isnan(figure.ratio)]
        assert whole.runs == 2 * 6 * (len(values) - 1)
        assert thrifty.default == whole.default
        assert [(one.flips.value, one.flips.verdict) for one in thrifty.flips] == [
            (one.flips.value, one.flips.verdict) for one in whole.flips
        ]
        for few, all_of_them in zip(thrifty.tried, whole.tried, strict=True):
            assert (few.value, few.verdict) == (all_of_them.value, all_of_them.verdict)
            assert few.ratio == pytest.approx(all_of_them.ratio, rel=0.05, nan_ok=True)
    assert sum(one.runs for one in found.values()) < 0.8 * sum(one.runs for one in flips(scenarios))
