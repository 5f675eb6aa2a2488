"""Stacks of patches: applied in order, the last outermost; what is no hook is named."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from spfvar.automata.extract import StrategyError
from spfvar.errors import InputError
from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import Mapping, VmFault
from spfvar.ops.op import Steps
from spfvar.ops.primitives import work
from spfvar.plugins.variant import Event, Stack, Variant

VMF = VmFault(True, Mapping())


def variant(*patches: type) -> Variant:
    """A variant of these patches."""
    return Variant("mine", "a title", "v5.12", "here", patches)


def ops_of(patches: tuple[type, ...]) -> list[str]:
    """The ops of the hook ``do_fault`` under a stack."""
    automaton = Stack(variant(*patches)).automaton("t", lambda: hooks.do_fault(VMF))
    return [op.name for op in automaton.ops()]


class Replaces:
    @hookimpl
    def do_fault(self, vmf: VmFault) -> Steps:
        yield work("replaced")


class ReplacesAgain:
    @hookimpl
    def do_fault(self, vmf: VmFault) -> Steps:
        yield work("replaced again")


class Inner:
    @hookimpl(wrapper=True)
    def do_fault(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._wrap((yield))

    def _wrap(self, below: Steps) -> Steps:
        yield work("inner begins")
        ret = yield from below
        yield work("inner ends")
        return ret


class Outer:
    @hookimpl(wrapper=True)
    def do_fault(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._wrap((yield))

    def _wrap(self, below: Steps) -> Steps:
        yield work("outer begins")
        ret = yield from below
        yield work("outer ends")
        return ret


class Drops:
    @hookimpl(wrapper=True)
    def do_fault(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        yield
        return self._instead()

    def _instead(self) -> Steps:
        yield work("instead")


def test_the_last_patch_is_the_outermost() -> None:
    """Two wrappers nest in the order of the stack; exchanged, they nest the other way round."""
    inside = ["replaced"]
    inner, outer = ["inner begins", *inside, "inner ends"], ["outer begins", *inside, "outer ends"]
    assert ops_of((Replaces, Inner, Outer)) == ["outer begins", *inner, "outer ends", "exit"]
    assert ops_of((Replaces, Outer, Inner)) == ["inner begins", *outer, "inner ends", "exit"]


def test_the_last_replacement_wins() -> None:
    """A patch that is no wrapper replaces what was there, below every wrapper."""
    assert ops_of((Replaces, ReplacesAgain)) == ["replaced again", "exit"]
    assert ops_of((ReplacesAgain, Replaces)) == ["replaced", "exit"]
    assert ops_of((Replaces, Inner, ReplacesAgain)) == [
        "inner begins",
        "replaced again",
        "inner ends",
        "exit",
    ]


def test_a_wrapper_may_drop_what_it_wraps() -> None:
    """The wrapped text is never run; what lies outside still is."""
    assert ops_of((Replaces, Drops, Outer)) == ["outer begins", "instead", "outer ends", "exit"]


def test_without_patches_the_core_answers() -> None:
    """The empty stack is v5.12."""
    assert "filemap_get_folio" in ops_of(())


def test_stacks_do_not_disturb_each_other() -> None:
    """pluggy managers are per stack: extracting one variant leaves no patch behind for the next."""
    before = ops_of(())
    ops_of((Replaces, Outer))
    assert ops_of(()) == before


def test_an_unknown_hook_name_is_refused_with_the_nearest_one() -> None:
    """The error names file, line, patch, name and what was probably meant."""

    class Misspelt:
        @hookimpl
        def do_falt(self, vmf: VmFault) -> Steps:
            yield work("x")

    line = Misspelt.do_falt.__code__.co_firstlineno
    with pytest.raises(StrategyError) as caught:
        Stack(variant(Misspelt))
    assert str(caught.value) == (
        f"variant mine: {__file__}:{line}: patch Misspelt implements 'do_falt', which is no hook point "
        "(did you mean 'do_fault'?)"
    )


def test_unknown_arguments_are_refused() -> None:
    """A hook implementation may take fewer arguments than the hook point has, but no others."""

    class Wrong:
        @hookimpl
        def do_fault(self, vmf: VmFault, pte: str) -> Steps:
            yield work("x")

    with pytest.raises(StrategyError, match=r"patch .*Wrong.*pte"):
        Stack(variant(Wrong))


def test_a_patch_that_cannot_be_made_is_refused() -> None:
    """Patches are made without arguments."""

    class NeedsArguments:
        def __init__(self, n: int) -> None:
            self.n = n

    with pytest.raises(StrategyError, match="NeedsArguments"):
        Stack(variant(NeedsArguments))


def test_the_same_patch_twice_is_refused() -> None:
    """It would be applied once, silently."""
    with pytest.raises(InputError, match=r"Variant.patches: Inner stands there twice"):
        variant(Inner, Inner)


def test_extraction_errors_name_the_variant() -> None:
    """With many variants in a run, the user must know which one."""

    class Broken:
        @hookimpl
        def do_fault(self, vmf: VmFault) -> Steps:
            yield 3

    with pytest.raises(StrategyError, match=r"^variant mine: .*yields 3, which is no op"):
        Stack(variant(Broken)).automaton("t", lambda: hooks.do_fault(VMF))


def test_events_are_selected_by_role() -> None:
    """Attempts and aborts are what the success rate is made of."""
    events = (
        Event("a", "attempt", ""),
        Event("r", "reason", ""),
        Event("b", "abort", ""),
        Event("c", "abort", ""),
    )
    one = Variant("v", "t", "k", "s", events=events)
    assert one.events_with("abort") == ["b", "c"]
    assert one.events_with("attempt") == ["a"]


def test_a_hook_point_called_with_too_few_arguments_is_named() -> None:
    """The message has the hook point, its parameters and how many there were."""
    with pytest.raises(StrategyError, match=r"mmap_write_lock\(start, end\) is called with 0 arguments"):
        Stack(variant()).automaton("t", hooks.mmap_write_lock)
