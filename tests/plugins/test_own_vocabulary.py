"""What a plugin brings of its own: properties, actors, cost classes; and what it cannot, classes of objects."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from spfvar.api.comparing import compare
from spfvar.errors import InputError
from spfvar.mm import hookspecs as hooks
from spfvar.ops.properties import PROPERTIES, declare, order
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Variant
from tests.cli.running import spfvar
from tests.docs.blocks import blocks

ROOT = Path(__file__).parents[2]

COSTLY = """
from spfvar.mm.hookspecs import hookimpl
from spfvar.ops.primitives import work
from spfvar.plugins.variant import Variant


class Costly:
    '''Every fault pays for a look at a table of the patch's own.'''

    @hookimpl(wrapper=True)
    def release_fault_lock(self, vmf):
        return self._look((yield))

    def _look(self, below):
        yield work("my_table")
        return (yield from below)


VARIANTS = [Variant("costly", "t", "v5.12", "here", patches=(Costly,), costs={"%s": %s})]
"""


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """A plugin's declarations last as long as the process."""
    known, points = dict(PROPERTIES), dict(hooks.HOOKS)
    yield
    for table, before in ((PROPERTIES, known), (hooks.HOOKS, points)):
        table.clear()
        table.update(before)  # type: ignore[arg-type]


def plugin(folder: Path, text: str) -> str:
    """Write a plugin file; returns its path."""
    path = folder / "mine.py"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_declared_property_is_one_of_all() -> None:
    """Behind the core's, in the order of declaration; its id cannot be had twice, nor be any word."""
    mine = declare("MY1", "nothing happens twice")
    assert list(PROPERTIES)[-1] == "MY1"
    assert PROPERTIES["MY1"] is mine
    assert order({"MY1", "P9", "P10", "gone"}) == ["P9", "P10", "MY1", "gone"]
    with pytest.raises(InputError, match="property MY1 is declared already: nothing happens twice"):
        declare("MY1", "again")
    with pytest.raises(InputError, match="property 'my 1' has no such id"):
        declare("my 1", "text")
    with pytest.raises(InputError, match="property MY2 has no text"):
        declare("MY2", " ")


def test_a_plugin_that_does_not_load_leaves_no_property(tmp_path: Path) -> None:
    """As it leaves no hook point."""
    text = "from spfvar.ops.properties import declare\ndeclare('MY3', 'text')\nraise OSError('no')\n"
    assert load_registry([plugin(tmp_path, text)]).problems
    assert "MY3" not in PROPERTIES


def test_a_cost_class_of_the_variants_own_takes_its_time(tmp_path: Path) -> None:
    """One thread's fault takes 1000 ns longer with a class of 1000 ns: 1e9 / rate grows by just that.

    At the frequency of one active core nothing scales it; tables round to less than 0.1 %.
    """
    fault = {}
    for cost in (0, 1000):
        path = plugin(tmp_path, COSTLY % ("my_table", cost))
        frame = compare(
            "costly", plugins=[path], scenarios=["pft"], threads=[1], seeds=2, hardware="skylake-2s56c"
        )
        rows = frame[(frame.metric == "faults_per_s") & (frame.variant == "costly")]
        fault[cost] = 1e9 / float(rows.value.iloc[0])
    assert math.isclose(fault[1000] - fault[0], 1000, rel_tol=0.02)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("my_table", "-1", "Variant.costs.my_table: "),
        ("my_table", "float('nan')", "Variant.costs.my_table: "),
        ("my table", "1", "'my table' is no cost class"),
        ("my_table", "'1ns'", "Variant.costs.my_table: "),
    ],
)
def test_a_cost_that_is_none_is_refused(tmp_path: Path, name: str, value: str, message: str) -> None:
    """With the field and the plugin's line."""
    (problem,) = load_registry([plugin(tmp_path, COSTLY % (name, value))]).problems
    assert message in problem.message.replace('"', "'")
    assert "mine.py:19" in problem.message


def test_a_class_of_the_machine_cannot_be_given_another_time(tmp_path: Path) -> None:
    """Two variants would be compared on two machines."""
    path = plugin(tmp_path, COSTLY % ("zero_page", 1))
    done = spfvar(
        "compare", "costly", "--plugin", path, "--scenario", "pft", "--threads", "1", "--seeds", "1"
    )
    assert done.code == 2
    assert "Variant.costs.zero_page: the machine has that cost class; expected another name" in " ".join(
        done.err.split()
    )


def test_variants_with_costs_can_be_told_apart() -> None:
    """They are hashable as before, and unequal if a cost is."""
    one, other = (Variant("v", "t", "v5.12", "here", costs={"my_table": ns}) for ns in (1.0, 2.0))
    assert one != other
    assert len({hash(one), hash(other)}) == 1


def test_an_object_class_of_a_plugins_own_is_refused(tmp_path: Path) -> None:
    """At the line that yields the primitive, with the classes that there are."""
    text = """
from spfvar.mm.hookspecs import hookimpl
from spfvar.ops.places import ObjectClass, Register
from spfvar.ops.primitives import set_null
from spfvar.plugins.variant import Variant


class Own:
    '''Objects of its own.'''

    @hookimpl(wrapper=True)
    def release_fault_lock(self, vmf):
        return self._own((yield))

    def _own(self, below):
        yield set_null(Register("mine", ObjectClass("table_lock")))
        return (yield from below)


VARIANTS = [Variant("own", "t", "v5.12", "here", patches=(Own,))]
"""
    registry = load_registry([plugin(tmp_path, text)])
    assert registry.check("own") == []
    assert "mine.py:16: release_fault_lock" in registry.problems[0].message
    assert (
        "class 'table_lock', which the model does not have; expected one of" in registry.problems[0].message
    )


def test_a_file_may_be_loaded_again_with_what_it_declares(tmp_path: Path) -> None:
    """As a session in Python does with each call: its hook points and properties are its own again."""
    text = """
from spfvar.mm.hookspecs import hook_point
from spfvar.ops.properties import declare
from spfvar.plugins.variant import Variant

declare("MY4", "text")


@hook_point
def my_walk():
    '''A walk.'''


VARIANTS = [Variant("mine", "t", "v5.12", "here")]
"""
    path = plugin(tmp_path, text)
    for _ in range(2):
        registry = load_registry([path])
        assert registry.problems == []
        assert PROPERTIES["MY4"].origin == path
        assert "my_walk" in hooks.HOOKS


def test_a_property_of_a_plugins_own_is_listed_shown_and_broken(tmp_path: Path) -> None:
    """By a race that calls the plugin's actor; without the bug it is safe.  The text is the tutorial's."""
    page = (ROOT / "docs" / "write-a-variant.md").read_text(encoding="utf-8")
    for block in blocks(page):
        if block.file in ("monitor.py", "monitor.toml"):
            (tmp_path / block.file).write_text(block.text, encoding="utf-8")
    more = ("--plugin", "monitor.py")
    safe = spfvar("check", "monitored", "--race", "monitor.toml", *more, cwd=tmp_path)
    assert (safe.code, "1 of 1 safe" in safe.out) == (0, True)
    twin = spfvar("check", "--twins", "m1@monitored", "--format", "json", *more, cwd=tmp_path)
    assert (twin.code, '"property": "MONITOR1"' in twin.out) == (0, True)
    assert (
        "the monitor's VMA stays while it looks  [monitor.py]"
        in spfvar("list", "properties", *more, cwd=tmp_path).out
    )
    shown = spfvar("show", "monitor1", *more, cwd=tmp_path).out
    assert "Declared by monitor.py, whose texts look at it (bug_on)." in shown
    assert "spfvar check --twins m1@monitored --plugin monitor.py" in " ".join(shown.split())


def test_an_assertion_that_fails_in_a_simulated_run_stops_it(tmp_path: Path) -> None:
    """With no figure, as any violation."""
    text = (COSTLY % ("my_table", 1)).replace('yield work("my_table")', 'yield bug_on("always")')
    path = plugin(tmp_path, text.replace("import work", "import bug_on"))
    done = spfvar(
        "compare", "costly", "--plugin", path, "--scenario", "pft", "--threads", "1", "--seeds", "1"
    )
    assert "an assertion of the text's own does not hold" in " ".join((done.out + done.err).split())
