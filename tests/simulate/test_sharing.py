"""Which members disturb each other in a load, and that layouts change times only through lines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spfvar.automata.extract import StrategyError
from spfvar.errors import InputError
from spfvar.matrix.catalogue import hardware, scenarios
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack
from spfvar.scenario.load import Load, make_load
from spfvar.simulate.result import Result
from spfvar.simulate.runner import seed_sequence, simulate
from spfvar.simulate.sharing import written_lines
from spfvar.simulate.world import build_world
from spfvar.structs.lines import ALL, Memory
from spfvar.structs.shipped import layout_named
from tests.stacks import stack

VARIANTS = load_registry().variants
PROFILE = hardware()["skylake-2s56c"]


def load(threads: int = 8) -> Load:
    """Private write faults on a cached file, which the series' first half does not speculate on."""
    scenario = scenarios()["file-cow"]
    point = {name: axis.parse(axis.values[0]) for name, axis in scenario.axes.items()}
    made = make_load("file-cow", scenario, {**point, "threads": threads})
    return replace(made, warmup=500, faults=2000)


def memory(layout: str, *apart: str) -> Memory:
    """A shipped layout, with members moved apart."""
    return Memory(layout, layout_named(layout), frozenset(apart))


def with_mmap_lock(layout: Memory) -> set[str]:
    """The members beside mmap_lock's count, in the series' first half."""
    lines = written_lines(load(), stack("spf-anon"), layout)
    return {name for line in lines if "mm_struct.mmap_lock" in line for name in line} - {
        "mm_struct.mmap_lock"
    }


def test_v5_12_has_the_sequence_count_beside_the_lock_and_the_users_before_it() -> None:
    """mmap_seq at 168 with mmap_lock at 128; mm_users at 92."""
    assert with_mmap_lock(memory("v5.12")) == {"mm_struct.mmap_seq"}


def test_v5_13_has_the_users_beside_the_lock_and_the_sequence_count_beside_its_owner() -> None:
    """mm_users 92, pgtables_bytes 104, page_table_lock 116, mmap_lock 120; owner 128, mmap_seq 160."""
    layout = memory("v5.13")
    assert with_mmap_lock(layout) >= {"mm_struct.mm_users", "mm_struct.pgtables_bytes"}
    assert frozenset({"mm_struct.mmap_lock.owner", "mm_struct.mmap_seq"}) in written_lines(
        load(), stack("spf-anon"), layout
    )


def test_members_apart_disturb_nothing() -> None:
    """One by one, or all."""
    assert with_mmap_lock(memory("v5.12", "mm_struct.mmap_seq")) == set()
    assert written_lines(load(), stack("spf-anon"), memory("v5.12", ALL)) == frozenset()


def run(layout: Memory, variant: str = "spf-anon") -> Result:
    """One short run with 16 threads."""
    world = build_world(load(16), stack(variant), layout)
    return simulate(world, VARIANTS[variant], PROFILE, seed_sequence(1, 0, "file-cow", 16))


def test_two_layouts_give_worlds_that_differ_in_their_lines_alone() -> None:
    """Same state, same program but for the numbers of lines; with the same lines, the same result."""
    from spfvar.ops import codes as c

    one, other = (build_world(load(), stack("spf-anon"), memory(name)) for name in ("v5.12", "v5.13"))
    assert np.array_equal(one.state, other.state)
    lines = [c.C_L_BASE, c.C_L_OWNER, c.C_FLAGS]
    rest = [column for column in range(c.COLUMNS) if column not in lines]
    assert np.array_equal(one.program.table[:, rest], other.program.table[:, rest])
    assert not np.array_equal(one.program.table[:, lines], other.program.table[:, lines])


def test_a_sequence_count_on_the_locks_line_slows_faults_that_fall_back() -> None:
    """Every fault reads it, gives up, and takes the lock: the line comes twice.  Apart, it is only read."""
    rates = [
        run(layout).metrics["faults_per_s"]
        for layout in (memory("v5.12"), memory("v5.12", "mm_struct.mmap_seq"), memory("v5.12", ALL))
    ]
    assert rates[0] < 0.9 * rates[1]
    assert rates[1] == pytest.approx(rates[2], rel=0.02)


def test_a_layout_that_keeps_a_variants_lines_changes_nothing() -> None:
    """mmap_lock's baseline has no member beside the lock in v5.12; moving mm_users apart leaves it so."""
    plain, moved = run(memory("v5.12"), "mmap-lock"), run(memory("v5.12", "mm_struct.mm_users"), "mmap-lock")
    assert plain.metrics == pytest.approx(moved.metrics, nan_ok=True)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"layout": "v5.12x"}, "variant mine: unknown layout 'v5.12x': did you mean 'v5.12'"),
        ({"apart": ("mm_struct.mm_user",)}, "unknown member of mm_struct 'mm_user': did you mean 'mm_users'"),
        ({"apart": ("mm.mm_users",)}, "unknown struct 'mm'"),
    ],
)
def test_a_variants_layout_has_to_exist(more: dict[str, object], message: str) -> None:
    """Said when its stack is built, with the nearest name."""
    variant = replace(VARIANTS["mmap-lock"], name="mine", **more)  # type: ignore[arg-type]
    with pytest.raises(StrategyError, match=message):
        Stack(variant)
    with pytest.raises(InputError):
        variant.memory  # noqa: B018
