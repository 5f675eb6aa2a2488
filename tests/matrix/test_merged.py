"""Runs put together and taken apart: the same numbers as one run has, or a reason why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spfvar.errors import InputError
from spfvar.matrix.merged import merge, select
from spfvar.matrix.plan import CellSpec
from spfvar.matrix.runfile import parse_run, run_text
from spfvar.matrix.runs import Run
from spfvar.matrix.samples import place_of
from tests.matrix.made_runs import COMMAND, changed, made_run, numbers, part, shown

quick = settings(deadline=None, max_examples=5)
RUN = made_run(Random(3))


def table(run: Run) -> dict[str, str]:
    """Every form, without the command lines, which say how the run came about."""
    source = replace(run.source, commands=(COMMAND,))
    return shown(replace(run, source=source))


HALVES: dict[str, Callable[[CellSpec, int], bool]] = {
    "scenarios": lambda cell, _: cell.load.scenario == "file-cow",
    "threads": lambda cell, _: cell.axes["threads"] == 1,
    "another axis": lambda cell, _: cell.axes.get("hit_rate") == 0.5,
    "variants": lambda cell, _: cell.variant.name != "per-vma-6.12",
    "seeds": lambda _, seed: seed == 1,
}


@pytest.mark.parametrize("axis", HALVES)
def test_two_halves_are_the_whole(axis: str) -> None:
    """To the byte and in every form, however the matrix was cut."""
    half = HALVES[axis]
    one, other = part(RUN, half), part(RUN, lambda cell, seed: not half(cell, seed))
    merged = merge([("a", one), ("b", other)])
    assert merged.plan.matrix_hash == RUN.plan.matrix_hash
    assert table(merged) == table(RUN)


@quick
@given(st.integers(0, 1 << 32))
def test_neither_the_order_nor_what_overlaps_matters(number: int) -> None:
    """Every sample is in one or more of three runs; in whatever order, together they have the whole's numbers."""
    run = made_run(Random(number))

    def piece(number_of_piece: int) -> Run:
        def owned(cell: CellSpec, seed: int) -> bool:
            owners = Random(f"{number} {place_of(cell)} {seed}")
            first = owners.randrange(3)
            return number_of_piece == first or (number_of_piece == (first + 1) % 3 and owners.random() < 0.5)

        return part(run, owned)

    pieces = [(f"run {i}", piece(i)) for i in range(3)]
    whole = numbers(run)
    for order in permutations(pieces):
        assert numbers(merge(order)) == whole


def test_a_merged_run_is_saved_and_loaded_like_any_other() -> None:
    """With gaps in its seeds, which its notes tell and its hash knows."""
    one = part(RUN, lambda cell, seed: seed != 2 or cell.load.scenario == "pft")
    again = parse_run(run_text(one), "r.jsonl")
    assert run_text(again) == run_text(one)
    assert shown(again) == shown(one)
    assert "cells have 2 to 3 of the seeds 1 to 3" in one.plan.notes
    assert one.plan.matrix_hash != RUN.plan.matrix_hash


def test_other_seeds_add_up() -> None:
    """Three seeds from 1 and three from 101 are six samples in each cell, paired seed by seed."""
    other = run_like(seeds=[[101, 3]], shift=100)
    run = merge([("a", made_run(Random(5))), ("b", other)])
    assert run.source.draws == ((1, 3), (101, 3))
    assert (run.plan.seed, run.plan.seeds) == (1, 6)
    assert "cells have 6 of the seeds 1 to 3, 101 to 103" in run.plan.notes
    cells = run.samples.values.groupby(["variant", "scenario", "axes", "metric"])["seed"]
    assert set(cells.agg(tuple)) == {(1, 2, 3, 101, 102, 103)}


def run_like(seeds: list[list[int]], shift: int) -> Run:
    """The same run, with other seeds."""
    text = run_text(made_run(Random(5)))
    text = changed(text, 1, lambda header: header.update(seeds=seeds))
    for number, line in enumerate(text.splitlines(), 1):
        if '"seeds": [1, 2, 3]' in line:
            text = changed(text, number, shifted(shift))
    return parse_run(text, "r.jsonl")


def redrawn(run: Run, first: int) -> Run:
    """The same samples, said to be drawn from another first seed."""
    return replace(run, source=replace(run.source, draws=((first, 9),)))


def test_seeds_drawn_twice_are_merged_if_their_samples_are_the_same() -> None:
    """Seeds 1 to 3 of --seed 0 that are those of --seed 1 are the same runs, and what each lacks is added."""
    one = part(RUN, lambda cell, seed: seed < 3 or cell.variant.name == "mmap-lock")
    other = redrawn(part(RUN, lambda cell, _: cell.variant.name != "per-vma-6.12"), 0)
    assert numbers(merge([("a", one), ("b", other)])) == numbers(
        part(RUN, lambda cell, seed: seed < 3 or cell.variant.name != "per-vma-6.12")
    )


def test_seeds_drawn_twice_are_refused_if_a_sample_differs() -> None:
    """With the seed, the cell and both first seeds; one of many cells is enough."""
    other = redrawn(altered('"metrics"', add("metrics", "faults_per_s", 0.125)), 0)
    with pytest.raises(InputError) as caught:
        merge([("a", RUN), ("b", other)])
    assert str(caught.value).startswith("b: seed 1 is another run of mmap-lock in file-cow (hit_rate=0.5, ")
    assert str(caught.value).endswith(
        ": drawn from --seed 0, in a from --seed 1; expected the same --seed, or seeds that do not overlap"
    )


def test_seeds_drawn_twice_are_refused_if_nothing_shows_that_they_are_the_same() -> None:
    """Cells of one point would be paired by them; those of different scenarios are not."""
    one = part(RUN, lambda cell, _: cell.variant.name == "mmap-lock")
    other = redrawn(part(RUN, lambda cell, _: cell.variant.name == "spf-anon"), 0)
    with pytest.raises(InputError, match=r"^b: no variant shows that seeds are the same runs in file-cow \("):
        merge([("a", one), ("b", other)])
    pft = part(RUN, lambda cell, _: cell.load.scenario == "pft")
    rest = part(RUN, lambda cell, _: cell.load.scenario != "pft")
    assert numbers(merge([("a", pft), ("b", redrawn(rest, 0))])) == numbers(RUN)


def shifted(by: int) -> Callable[[dict[str, Any]], None]:
    """A change of a cell's seeds."""
    return lambda cell: cell.update(seeds=[seed + by for seed in cell["seeds"]])


def altered(line: str, change: Callable[[dict[str, Any]], None]) -> Run:
    """RUN with the first line of a kind changed ("cell": the first with samples)."""
    lines = run_text(RUN).splitlines()
    number = next(i for i, one in enumerate(lines, 1) if line in one)
    return parse_run(changed(run_text(RUN), number, change), "b")


def add(table: str, name: str, value: float) -> Callable[[dict[str, Any]], None]:
    """A change of a cell: its first sample is another one."""
    return lambda cell: cell[table][name].__setitem__(0, value)


DRAWN = {"command": "c", "discrepancy": 0.1, "figures": ["cost_ns"], "factors": [[1.1], [0.9], [1.0]]}


@pytest.mark.parametrize(
    ("line", "change", "says"),
    [
        ("spfvar-run", lambda h: h.update(model="2"), "b: another model (2, not 1) than in a; expected runs of one"),
        ("spfvar-run", lambda h: h.update(hardware="mine"), "b: other hardware (mine, not skylake-2s56c) than in a"),
        ('"profile"', lambda p: p["profile"].update(jitter=0.5), "b: another text of hardware profile skylake-2s56c"),
        ('"profile"', lambda p: p.update(draws=DRAWN), "b: other draws of the machine's figures, or none, than in a"),
        ('"scenario"', lambda s: s.update(hash="x"), "b: another text of scenario file-cow than in a; expected the"),
        ('"variant"', lambda v: v.update(digest="x"), "b: another text of variant mmap-lock than in a; expected the"),
        ("spfvar-run", lambda h: h.update(baseline="spf-anon"), "another baseline (spf-anon, not mmap-lock) than in"),
        ('"metrics"', add("metrics", "faults_per_s", 0.125),
         "b: other samples of mmap-lock in file-cow (hit_rate=0.5, fault_around=64KiB, io_latency=100us, vma=thread, threads=1), seed 1, "
         "than in a; expected the same: a run is repeatable"),
        ('"metrics"', lambda c: c.update(seeds=[], metrics={}, events={}, failure="stuck"),
         "b: another outcome of mmap-lock in file-cow (hit_rate=0.5, fault_around=64KiB, io_latency=100us, vma=thread, threads=1) than"),
    ],
)  # fmt: skip
def test_runs_that_do_not_go_together(line: str, change: Callable[[dict[str, Any]], None], says: str) -> None:
    """What differs, in which file, and what would be right."""
    with pytest.raises(InputError) as caught:
        merge([("a", RUN), ("b", altered(line, change))])
    assert says in str(caught.value)


def test_another_state_of_the_code_is_told() -> None:
    """Its samples may still be the same: a remark in every report, and in the file."""
    other = altered("spfvar-run", lambda header: header.update(code=["x"], spfvar="0.2.0"))
    run = merge([("a", RUN), ("b", other)])
    assert any("different states of spfvar's code" in note for note in run.plan.notes)
    assert run.plan.version == "0.1.0 and 0.2.0"
    assert "different states" in run_text(run).splitlines()[0]


def test_a_baseline_may_be_chosen() -> None:
    """Also where the runs have different ones; it must be in one of them."""
    other = altered("spfvar-run", lambda header: header.update(baseline="spf-anon"))
    assert merge([("a", RUN), ("b", other)], "per-vma-6.12").plan.baseline == "per-vma-6.12"
    with pytest.raises(InputError, match="--baseline: unknown variant 'spf'"):
        merge([("a", RUN)], "spf")


def test_a_part_has_only_what_was_asked_for() -> None:
    """In the order asked for; the baseline is always there."""
    run = select(RUN, ["spf-anon"], ["pft", "file-*"], [4], {"hit_rate": ["1", "0.5"]})
    assert [variant.name for variant in run.plan.variants] == ["mmap-lock", "spf-anon"]
    points = [
        (c.load.scenario, c.axes.get("hit_rate"), c.axes["threads"], c.variant.name) for c in run.plan.cells
    ]
    # pft has no hit rate, so that setting one leaves it as it is.
    assert points == [
        (scenario, rate, 4, variant)
        for scenario, rate in (("pft", None), ("file-cow", 1.0), ("file-cow", 0.5))
        for variant in ("mmap-lock", "spf-anon")
    ]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"variants": ["spf-dofault"]}, "unknown variant 'spf-dofault'"),
        ({"patterns": ["page-*"]}, "no scenario matches 'page-*'; expected file-cow, pft"),
        ({"patterns": ["file-cw"]}, "did you mean 'file-cow'?"),
        ({"threads": [1, 2]}, "--threads: threads=2 was not run; expected 1, 4"),
        ({"settings": {"hit_rate": ["0.9"]}}, "--set hit_rate: hit_rate=0.9 was not run; expected 0.5, 1.0"),
        ({"settings": {"hit_rate": ["9"]}}, '--set hit_rate: "9" is no share'),
        ({"settings": {"hitrate": ["1"]}}, 'did you mean "hit_rate"?'),
    ],
)  # fmt: skip
def test_what_was_not_run_cannot_be_shown(asked: dict[str, Any], says: str) -> None:
    """With what there is instead."""
    with pytest.raises(InputError) as caught:
        select(RUN, **asked)
    assert says in str(caught.value)
