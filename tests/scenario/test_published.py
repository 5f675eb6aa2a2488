"""Published measurements: what a file may say, and that every shipped one says it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from spfvar.errors import InputError
from spfvar.matrix import catalogue
from spfvar.plugins.registry import load_registry
from spfvar.scenario.published import MeasuredOn, Published
from spfvar.toml_input import parse_toml

GOOD = """\
title = "two designs"
source = "a mail"
kernel = "v6.12"

[machine]
title = "a machine"
profile = "skylake-2s56c"

[[table]]
row = "X1"
load = "pft"
threads = [1, 4]

[table.values]
a = [1.0, 3.0]
b = [1.0, 4.0]
"""
KNOWN = catalogue.published()


def refused(text: str) -> InputError:
    """The error that a text leads to."""
    with pytest.raises(InputError) as caught:
        parse_toml(text, "mine.toml", Published)
    return caught.value


def test_a_table_has_a_column_per_design() -> None:
    one = parse_toml(GOOD, "mine.toml", Published)
    assert one.table[0].values == {"a": [1.0, 3.0], "b": [1.0, 4.0]}
    assert not one.table[0].fitted


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("a = [1.0, 3.0]", "a = [1.0]", 15, "1 values"),
        ("a = [1.0, 3.0]", "a = [1.0, -3.0]", 15, "greater than or equal to 0.000000001"),
        ("threads = [1, 4]", "threads = [4, 1]", 12, "not in order"),
        ("threads = [1, 4]\n", "", 9, "values without threads"),
        ('load = "pft"\n', 'load = "pft"\nmetric = "faults"\n', 12, "faults_per_s"),
        ('profile = "skylake-2s56c"\n', 'profile = "skylake-2s56c"\nsockets = 4\n', 8, "relative = true"),
        ('source = "a mail"\n', 'source = "a mail"\nlayout = "v6.2"\n', 3, "unknown layout 'v6.2'"),
        ('source = "a mail"\n', "", None, "need a machine, a source and a kernel"),
        ("b = [1.0, 4.0]\n", "c = 4\n", 16, "array"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_told_with_its_line(old: str, new: str, line: int | None, said: str) -> None:
    """Lines are counted in GOOD, with the replacement made."""
    assert old in GOOD
    error = refused(GOOD.replace(old, new))
    assert error.file == "mine.toml"
    assert said in str(error)
    assert line is None or error.line == line


def test_one_design_needs_a_single_thread_to_be_compared_with() -> None:
    """Of one column ratios of designs cannot be had."""
    alone = GOOD.replace("b = [1.0, 4.0]\n", "")
    assert len(parse_toml(alone, "mine.toml", Published).table[0].values) == 1
    error = refused(alone.replace("threads = [1, 4]", "threads = [2, 4]"))
    assert "nothing to compare" in str(error)


@pytest.mark.parametrize("name", KNOWN.names())
def test_every_shipped_file_names_what_there_is(name: str) -> None:
    """Loads, designs and profiles; and its figures fit the machine: no more threads than CPUs, unless it says so."""
    one = KNOWN[name]
    registry, profiles, loads = load_registry(), catalogue.hardware(), catalogue.scenarios()
    for table in one.table:
        assert one.machine is not None
        profile = one.machine.on(profiles[one.machine.profile])
        assert table.load in loads.names()
        assert all(registry.has_variant(design) for design in table.values)
        assert max(table.threads) <= profile.cpus or table.compares == "sign"


def test_a_row_is_expressed_or_left_out_not_both() -> None:
    """Every identifier of the collection is in one place."""
    every = [KNOWN[name] for name in KNOWN.names()]
    rows = {table.row for one in every for table in one.table}
    left = [row.row for one in every for row in one.left_out]
    assert len(left) == len(set(left))
    assert rows.isdisjoint(left)


def test_what_is_fitted_is_on_the_profiles_own_machine() -> None:
    """And every profile that says it was fitted has such a table."""
    fitted = set()
    for name in KNOWN.names():
        one = KNOWN[name]
        if any(table.fitted for table in one.table):
            assert one.machine is not None
            assert not one.machine.relative
            fitted.add(one.machine.profile)
    profiles = catalogue.hardware()
    assert fitted == {name for name in profiles.names() if profiles[name].fitted}


def test_a_relative_has_its_own_shape_and_kernel() -> None:
    """Figures that are not named are the profile's."""
    profile = catalogue.hardware()["skylake-2s56c"]
    machine = MeasuredOn(
        title="t", profile="skylake-2s56c", relative=True, cores_per_cluster=10, place="pack",
        kernel={"memcg_pages": 8.0},
    )  # fmt: skip
    one = machine.on(profile)
    assert (one.cores, one.cpus, one.place, one.kernel.memcg_pages) == (20, 40, "pack", 8.0)
    assert one.latency_ns == profile.latency_ns


def test_a_figure_that_no_profile_has_is_refused() -> None:
    """By its name."""
    machine = MeasuredOn(title="t", profile="skylake-2s56c", kernel={"batch": 3.0})
    with pytest.raises(InputError, match=re.escape("machine.kernel.batch")):
        machine.on(catalogue.hardware()["skylake-2s56c"])


def test_sources_are_given(tmp_path: Path) -> None:
    """A message id, a report's name, or what there is instead."""
    for name in KNOWN.names():
        assert not KNOWN[name].table or len(KNOWN[name].source) > 10
