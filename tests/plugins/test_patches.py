"""What pluggy would let pass: implementations that fall through, and wrappers that are none of ours."""

from __future__ import annotations

from typing import Any

import pytest

from spfvar.automata.extract import StrategyError
from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import VMFault, VmFault
from spfvar.ops.op import Steps
from spfvar.ops.primitives import rcu_read_lock, work
from spfvar.plugins.registry import sample_texts
from spfvar.plugins.variant import Stack, Variant

READ_FAULT = dict(sample_texts())["read fault, anonymous"]


def automaton(patch: type) -> Any:
    """The automaton of a read fault on anonymous memory under one patch."""
    stack = Stack(Variant("mine", "t", "v5.12", "s", (patch,)))
    return stack.automaton("read fault", READ_FAULT)


class FallsThrough:
    @hookimpl
    def do_anonymous_page(self, vmf: VmFault) -> Any:
        pass


class Pluggys:
    @hookimpl(wrapper=True)
    def do_anonymous_page(self, vmf: VmFault) -> Any:
        outcome = yield
        return outcome.get_result()


class OldStyle:
    @hookimpl(hookwrapper=True)
    def do_anonymous_page(self, vmf: VmFault) -> Any:
        yield


class YieldsFirst:
    @hookimpl(wrapper=True)
    def do_anonymous_page(self, vmf: VmFault) -> Any:
        below = yield rcu_read_lock()
        return below


class YieldsBehind:
    @hookimpl(wrapper=True)
    def do_anonymous_page(self, vmf: VmFault) -> Any:
        below = yield
        yield rcu_read_lock()
        return below


class Forgets:
    @hookimpl(wrapper=True)
    def do_anonymous_page(self, vmf: VmFault) -> Any:
        yield


class Unmarked:
    def do_anonymous_page(self, vmf: VmFault) -> Any:
        yield work("local")


@pytest.mark.parametrize(
    ("patch", "line", "says"),
    [
        (
            FallsThrough,
            1,
            "returns None and has no yield, so it is no text, and would leave the hook point to what",
        ),
        (Pluggys, 4, "takes what its yield gives for pluggy's result; it is the text below, to be run with"),
        (OldStyle, 1, "is a wrapper of pluggy's old style: @hookimpl(wrapper=True)"),
        (YieldsFirst, 1, "yields rcu_read_lock(), which is lost"),
        (YieldsBehind, 1, "behind its first yield: it returns a text that does"),
        (Forgets, 1, "is a wrapper that returns None, not a text"),
        (Unmarked, 1, "is named like a hook point, but is none's implementation: put @hookimpl above it"),
    ],
)
def test_a_mistake_is_told_at_its_line(patch: Any, line: int, says: str) -> None:
    """It used to be the core's text, a traceback, or a step that was lost."""
    first = patch.do_anonymous_page.__code__.co_firstlineno
    with pytest.raises(StrategyError) as caught:
        automaton(patch)
    assert str(caught.value).startswith(f"variant mine: {__file__}:{first + line - 1}: ")
    assert says in str(caught.value)


def test_a_text_may_be_a_call_of_another_hook_point() -> None:
    """Or any generator: what counts is that there is one."""

    class Forwards:
        @hookimpl
        def do_anonymous_page(self, vmf: VmFault) -> Steps:
            return hooks.do_numa_page(vmf)

    class Returns:
        @hookimpl
        def do_numa_page(self, vmf: VmFault) -> Steps:
            return VMFault.NONE
            yield

    stack = Stack(Variant("mine", "t", "v5.12", "s", (Forwards, Returns)))
    assert len(stack.automaton("read fault", READ_FAULT)) < len(
        Stack(Variant("c", "", "", "")).automaton("f", READ_FAULT)
    )


def test_a_patch_that_exits_while_it_is_made_is_told() -> None:
    """As one that raises."""

    class Exits:
        def __init__(self) -> None:
            raise SystemExit(3)

        @hookimpl
        def do_anonymous_page(self, vmf: VmFault) -> Steps:
            yield work("local")

    with pytest.raises(StrategyError, match=r"test_patches.py:\d+: patch .*Exits: 3"):
        automaton(Exits)
