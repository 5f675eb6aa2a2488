"""The model's figures are those of single runs, on the machine of the file, at its own figures and at draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spfvar.matrix import catalogue
from spfvar.ops import objects as o
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack
from spfvar.scenario.load import make_load
from spfvar.simulate.runner import seed_sequence, simulate
from spfvar.simulate.world import build_world
from spfvar.structs.lines import CacheLines
from spfvar.validation.points import load_rows
from spfvar.validation.run import RELATIVE, discrepancies, draws_for, machines_of, memory_of, run_rows
from spfvar.validation.scores import score

MINE = """\
title = "t"
source = "me"
kernel = "v5.12"
[machine]
title = "m"
profile = "skylake-2s56c"
relative = true
cores_per_cluster = 10
[[table]]
row = "X"
load = "pft"
settings = { vma = "thread" }
threads = [2]
[table.values]
mmap-lock = [1.0]
spf-anon = [1.5]
"""


def test_a_cell_is_run_on_the_files_machine(tmp_path: Path) -> None:
    """Two seeds and the first draws, each the same as a run of its own; the model is the ratio of medians."""
    (tmp_path / "mine.toml").write_text(MINE)
    known, profiles, registry = catalogue.published(), catalogue.hardware(), load_registry()
    rows = load_rows(known, [str(tmp_path / "mine.toml")])
    found = run_rows(rows, known, registry, catalogue.scenarios(), profiles, 2, 1)
    [point] = rows.points
    own, *drawn = machines_of(rows, known, profiles)["mine"]
    assert own.cores == 20
    load = make_load("pft", catalogue.scenarios()["pft"], {"threads": 2, "vma": "thread"})
    world = build_world(load, Stack(registry["spf-anon"]))

    def alone(profile: object, index: int) -> float:
        run = simulate(world, registry["spf-anon"], profile, seed_sequence(1, index, "pft", 2))  # type: ignore[arg-type]
        return run.metrics["faults_per_s"]

    figures = found[point.b]
    assert figures.seeds.tolist() == [alone(own, 0), alone(own, 1)]
    assert len(figures.draws) == draws_for(2) == 12
    assert figures.draws[:2].tolist() == [alone(drawn[0], 0), alone(drawn[1], 1)]
    left = discrepancies(rows, profiles)
    draws = profiles["skylake-2s56c"].draws
    assert draws is not None
    assert left == {"mine": pytest.approx((draws.discrepancy**2 + RELATIVE**2) ** 0.5)}  # a relative's
    [scored] = score(rows, found, left)
    assert point.a is not None
    assert scored.model == pytest.approx(np.median(figures.seeds) / np.median(found[point.a].seeds))
    assert scored.by_draws
    assert scored.low < scored.model < scored.high


@pytest.mark.parametrize(("threads", "draws"), [(1, 12), (50, 12), (100, 6), (192, 4), (1024, 4)])
def test_cells_of_many_threads_get_fewer_draws(threads: int, draws: int) -> None:
    assert draws_for(threads) == draws


@pytest.mark.parametrize(("layout", "shares"), [("", False), ('layout = "v6.1"', True)])
def test_a_row_is_laid_out_as_the_kernel_that_was_measured(tmp_path: Path, layout: str, shares: bool) -> None:
    """mm_users, at 92, and mmap_lock: at 128 in v5.12, which the designs are of; at 84 and 112 in v6.1."""
    (tmp_path / "mine.toml").write_text(MINE.replace("[machine]", f"{layout}\n[machine]", 1))
    rows = load_rows(catalogue.published(), [str(tmp_path / "mine.toml")])
    [point] = rows.points
    fields = {o.MM_USERS, o.MMAP_LOCK}
    lines = CacheLines(memory_of(rows, point.b, load_registry()["spf-anon"]), fields)
    assert (len({lines.key(field) for field in fields}) == 1) is shares
