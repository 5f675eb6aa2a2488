"""Hook points: a call of one is a `Call` by name; a name is declared once."""

from __future__ import annotations

import inspect

import pytest

from spfvar.mm import hookspecs as hooks
from spfvar.mm.vmf import Mapping, VmFault
from spfvar.ops.op import Call, Steps
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import CORE

DECLARED_BY_CORE = [name for name, spec in hooks.HOOKS.items() if spec.__module__ == hooks.__name__]


def test_calling_a_hook_yields_a_call_and_returns_what_is_sent() -> None:
    """What runs is decided when the automaton is built."""
    vmf = VmFault(True, Mapping())
    steps = iter(hooks.do_fault(vmf))
    assert next(steps) == Call("do_fault", (vmf,))
    with pytest.raises(StopIteration) as stop:
        steps.send("ret")
    assert stop.value.value == "ret"


def test_a_hook_point_cannot_be_declared_twice() -> None:
    """The second declaration would silently replace the first."""

    def do_fault(vmf: VmFault) -> Steps:
        raise AssertionError

    before = dict(hooks.HOOKS)
    with pytest.raises(ValueError, match="hook point do_fault is declared twice"):
        hooks.hook_point(do_fault)
    assert before == hooks.HOOKS


@pytest.mark.parametrize("name", DECLARED_BY_CORE)
def test_the_core_implements_its_hook_points_with_the_declared_arguments(name: str) -> None:
    """Every hook point that the core declares has one implementation in it, with the same parameters."""
    implementations = [patch for patch in CORE if name in vars(patch)]
    assert len(implementations) <= 1
    assert implementations or name == "wp_page_copy"
    for patch in implementations:
        parameters = list(inspect.signature(vars(patch)[name]).parameters)[1:]
        assert parameters == list(inspect.signature(hooks.HOOKS[name]).parameters)


@pytest.mark.parametrize("name", hooks.HOOKS)
def test_hook_points_are_documented(name: str) -> None:
    """The specification's docstring is what `spfvar show` prints."""
    assert inspect.getdoc(hooks.HOOKS[name])


def test_patches_may_declare_hook_points_of_their_own() -> None:
    """The speculative patches do; loading the registry twice declares them once."""
    load_registry()
    load_registry()
    assert len(hooks.HOOKS) > len(DECLARED_BY_CORE)
