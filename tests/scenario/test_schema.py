"""The scenario's file: what is refused is named with its key."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import toml

from spfvar.errors import InputError
from spfvar.matrix import catalogue
from spfvar.scenario.load import make_load, scenario_hash
from spfvar.scenario.schema import VERBS, Axis, Scenario, Statement, parse_value
from spfvar.toml_input import load_toml

GOOD: dict[str, Any] = {
    "kind": "load",
    "title": "a title",
    "axes": {
        "threads": {"doc": "threads", "values": [1, 4]},
        "size": {"doc": "s", "unit": "size", "values": ["8KiB"]},
    },
    "region": [{"name": "memory", "size": "$size"}],
    "group": [{"name": "t", "threads": "$threads", "program": [{"touch": "memory"}]}],
    "measure": {"faults": 100},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """GOOD with one value replaced; path "region.0.size"; a value of None deletes the key."""
    table = copy.deepcopy(GOOD)
    here: Any = table
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in way:
        here = here[part]
    if value is None:
        del here[last]
    else:
        here[last] = value
    return table


def load(folder: Path, table: dict[str, Any]) -> Scenario:
    """The scenario of a table that is written as TOML first."""
    file = folder / "mine.toml"
    file.write_text(toml.dumps(table), encoding="utf-8")
    return load_toml(file, Scenario)


def test_the_table_that_the_other_tests_change_is_good(tmp_path: Path) -> None:
    """Literals are parsed, references to axes stay."""
    scenario = load(tmp_path, GOOD)
    assert scenario.region[0].size == "$size"
    assert scenario.axes["size"].parse("8KiB") == 8192
    assert scenario.io == 100_000  # "100us" in nanoseconds


@pytest.mark.parametrize(
    ("path", "value", "key", "says"),
    [
        ("title", None, "title", "missing"),
        ("kind", "rac", "kind", "load"),
        ("axes.threads", None, "axes", "there is no axis threads"),
        ("axes.size.values", [], "axes.size.values", ""),
        ("axes.size.values", ["8 apples"], "axes.size", "8 apples"),
        ("axes.size.unit", "sise", "axes.size.unit", "size"),
        ("axes.threads.values", [0], "axes.threads", "count"),
        ("axes.threads.values", [1.5], "axes.threads", "count"),
        ("region.0.size", "$sizes", "region[0].size", "did you mean \"size\""),
        ("region.0.size", "8QiB", "region[0].size", "8QiB"),
        ("region.0.size", True, "region[0].size", "true is not a size"),
        ("region.0.count", True, "region[0].count", "true is no number"),
        ("region.0.per", "threads", "region[0].per", "did you mean \"thread\""),
        ("io", 100, "io", "100 has no unit"),
        ("io", True, "io", "true is not a duration"),
        ("axes.threads.values", [True], "axes.threads.values[0]", "found true"),
        ("threshold", {"faults_per_s": 2}, "threshold.faults_per_s", "2 has no % sign"),
        ("threshold", {"faults_per_s": "101%"}, "threshold.faults_per_s", "out of range"),
        ("threshold", {"fault_per_s": "2%"}, "threshold.fault_per_s", "did you mean 'faults_per_s'"),
        ("threshold", "2%", "threshold", "expected a table"),
        ("region.0.name", "Bad Name", "region[0].name", ""),
        ("region.0.backing", "fil", "region[0].backing", "file"),
        ("region.0.sise", "8KiB", "region[0].sise", "did you mean \"size\""),
        ("region.0.cached", 1.5, "region[0].cached", "from 0 to 1"),
        ("region", [], "region", ""),
        ("group.0.program", [], "group[0].program", ""),
        ("group.0.program.0", {"touch": "memori"}, "group[0].program[0].touch", "did you mean \"memory\""),
        ("group.0.program.0", {"tuch": "memory"}, "group[0].program[0].tuch", "did you mean \"touch\""),
        ("group.0.program.0", {"access": "read"}, "group[0].program[0]", "no verb"),
        ("group.0.program.0", {"mmap": "memory", "munmap": "memory"}, "group[0].program[0]", "mmap and mun"),
        ("group.0.repeat", -1, "group[0].repeat", ""),
        ("group.0.threads", "$thread", "group[0].threads", "did you mean \"threads\""),
        ("measure", {}, "group[0].repeat", "never ends"),
        ("measure.rounds", 0, "measure.rounds", ""),
        ("measure.warmup_rounds", 0, "measure.warmup_rounds", ""),
        ("measure.faults", -5, "measure.faults", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_file_and_key(
    tmp_path: Path, path: str, value: Any, key: str, says: str
) -> None:
    """One line, with the key as it is written in TOML."""
    with pytest.raises(InputError) as caught:
        load(tmp_path, changed(path, value))
    message = str(caught.value)
    assert "\n" not in message
    assert "mine.toml" in message
    assert key in message
    assert says in message


def test_a_scenario_that_was_dumped_loads_again() -> None:
    """Outside a file written by hand, durations may be bare nanoseconds, as dumps have them."""
    shipped = catalogue.scenarios()
    for name in shipped.names():
        dumped = json.loads(json.dumps(shipped[name].model_dump(mode="json")))
        assert Scenario.model_validate(dumped) == shipped[name]


def test_thresholds_are_shares_and_part_of_the_hash(tmp_path: Path) -> None:
    """2.5 % is 0.025; another threshold is another scenario, an empty table is none."""
    plain, empty = load(tmp_path, GOOD), load(tmp_path, changed("threshold", {}))
    own = load(tmp_path, changed("threshold", {"faults_per_s": "2.5 %"}))
    assert own.threshold == {"faults_per_s": 0.025}
    assert scenario_hash(plain) == scenario_hash(empty) != scenario_hash(own)


@pytest.mark.parametrize(
    ("value", "unit", "parsed"),
    [(3, "count", 3), ("3", "count", 3), (0.5, "share", 0.5), ("2MiB", "size", 2 << 20),
     ("3us", "duration", 3000.0),
     ("b", "choice", "b")],
)  # fmt: skip
def test_values_are_parsed_in_their_unit(value: object, unit: Any, parsed: object) -> None:
    """Sizes are bytes, durations nanoseconds."""
    assert parse_value(value, unit, ("a", "b")) == parsed


@pytest.mark.parametrize(
    ("value", "unit"),
    [(0, "count"), (2_000_000, "count"), ("x", "count"), (1.5, "count"), (-0.1, "share"), ("x", "share"),
     ("c", "choice"), ("x", "size"), ("x", "duration"), (5, "duration"), (5.0, "duration"), (float("nan"), "share")],
)  # fmt: skip
def test_values_that_do_not_fit_are_input_errors(value: object, unit: Any) -> None:
    """Never another exception."""
    with pytest.raises(InputError):
        parse_value(value, unit, ("a", "b"))


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan"), "inf", "nan", "1e400"])
def test_counts_that_are_no_numbers_are_input_errors(value: object) -> None:
    """Infinity has no whole part, and is no count."""
    with pytest.raises(InputError):
        parse_value(value, "count")


def test_an_axis_checks_its_values_and_the_published_one() -> None:
    """A default that the axis itself would refuse is found when the file is read."""
    with pytest.raises(ValueError, match="no share"):
        Axis(doc="d", unit="share", values=[0.5], published=2)


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_is_a_statement_of_its_own(verb: str) -> None:
    """The verb is what was given, whatever the defaults of options."""
    value = "1us" if verb == "compute" else "memory"
    assert Statement.model_validate({verb: value}).verb == verb


@pytest.mark.parametrize(
    ("axis", "says"),
    [
        ({"unit": "share", "values": [0.5], "range": [0.6, 1.0]}, "0.5 is not within 0.6 to 1.0"),
        ({"unit": "size", "values": ["8KiB"], "range": ["8KiB", "8KiB"]}, "not within"),
        ({"unit": "duration", "values": ["1us"], "range": ["0ns", "1us"]}, "more than 0"),
        ({"unit": "choice", "values": ["a"], "choices": ["a"], "range": ["a", "a"]}, "a choice has no range"),
        ({"values": [2], "range": [1, "many"]}, '"many" is no number'),
        ({"values": [2], "range": [1]}, "range"),
    ],
)
def test_a_range_that_is_none_is_refused(tmp_path: Path, axis: dict[str, Any], says: str) -> None:
    """It has a lowest and a highest value in the axis's unit, and the default within."""
    with pytest.raises(InputError, match=says):
        load(tmp_path, changed("axes.size", {"doc": "s", **axis}))


def test_how_often_a_group_repeats_may_be_an_axis(tmp_path: Path) -> None:
    """The load has the number; a scenario without one cannot be told to be endless."""
    table = changed("group.0.repeat", "$times")
    table["axes"]["times"] = {"doc": "rounds", "values": [3]}
    scenario = load(tmp_path, table)
    made = make_load("mine", scenario, {"threads": 1, "size": 8192, "times": 3})
    assert made.groups[0].group.repeat == 3


@pytest.mark.parametrize(
    ("value", "says"), [(-1, "no number of times"), ("3", "no number of times"), ("$no", "no axis")]
)
def test_a_repeat_that_is_none_is_refused(tmp_path: Path, value: object, says: str) -> None:
    """A number from 0 on, or an axis that exists."""
    with pytest.raises(InputError, match=says):
        load(tmp_path, changed("group.0.repeat", value))
