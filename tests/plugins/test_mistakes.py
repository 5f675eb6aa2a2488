"""Calls in a text whose value is dropped: always a mistake, and told with its line; shipped texts have none."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from spfvar.mm import hookspecs as hooks
from spfvar.mm.vmf import VmFault
from spfvar.ops import objects as o
from spfvar.ops import primitives
from spfvar.ops.op import Steps, passage
from spfvar.ops.primitives import at, find_vma, spin_lock, work
from spfvar.plugins.mistakes import unused_text
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import CORE


def helper(vmf: VmFault) -> Steps:
    yield work("local")


def dropped(vmf: VmFault) -> Steps:
    spin_lock(at(o.mm, o.PAGE_TABLE_LOCK))
    yield work("local")


def dropped_of_a_module(vmf: VmFault) -> Steps:
    primitives.rcu_read_lock()
    yield work("local")


def asked(vmf: VmFault) -> Steps:
    if find_vma():
        yield work("local")


def negated(vmf: VmFault) -> Steps:
    return not find_vma()
    yield


def compared(vmf: VmFault) -> Steps:
    return find_vma() == True  # noqa: E712
    yield


def hook_dropped(vmf: VmFault) -> Steps:
    hooks.pte_unmap_unlock(vmf)
    yield work("local")


def generator_asked(vmf: VmFault) -> Steps:
    while helper(vmf):
        yield work("local")


def deeper(vmf: VmFault) -> Steps:
    return (yield from dropped(vmf))


@passage
def dropped_in_a_passage(vmf: VmFault) -> Steps:
    spin_lock(at(o.mm, o.PAGE_TABLE_LOCK))
    yield work("local")


def passage_dropped(vmf: VmFault) -> Steps:
    dropped_in_a_passage(vmf)
    yield work("local")


def below_a_passage(vmf: VmFault) -> Steps:
    yield from dropped_in_a_passage(vmf)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (
            dropped,
            1,
            "dropped: spin_lock(at(o.mm, o.PAGE_TABLE_LOCK)) is made, but not run: yield spin_lock(...)",
        ),
        (dropped_of_a_module, 1, "primitives.rcu_read_lock() is made, but not run: yield primitives"),
        (asked, 1, "find_vma() is made, but not run: yield find_vma(...)"),
        (negated, 1, "yield find_vma(...)"),
        (compared, 1, "yield find_vma(...)"),
        (
            hook_dropped,
            1,
            "hooks.pte_unmap_unlock(vmf) is made, but not run: yield from hooks.pte_unmap_unlock(...)",
        ),
        (generator_asked, 1, "helper(vmf) is made, but not run: yield from helper(...)"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_call_that_nobody_runs_is_found(text: Callable[..., Any], line: int, says: str) -> None:
    """With file, line and what to write instead."""
    found = unused_text(text)
    assert found is not None
    assert found.startswith(f"{__file__}:{text.__code__.co_firstlineno + line}: ")
    assert says in found


def test_it_is_found_in_what_a_text_calls() -> None:
    """A helper of the same module; the line is the helper's."""
    found = unused_text(deeper)
    assert found is not None
    assert f":{dropped.__code__.co_firstlineno + 1}: dropped: " in found


def test_it_is_found_in_a_passage() -> None:
    """What a text goes by is a text, too: run it, and look into it."""
    made = unused_text(passage_dropped)
    assert made is not None
    assert "passage_dropped: dropped_in_a_passage(vmf) is made, but not run: yield from" in made
    made = unused_text(below_a_passage)
    assert made is not None
    assert "dropped_in_a_passage: spin_lock(at(o.mm, o.PAGE_TABLE_LOCK)) is made" in made


def right(vmf: VmFault) -> Steps:
    prepared = spin_lock(at(o.mm, o.PAGE_TABLE_LOCK))
    below = helper(vmf)
    if (yield find_vma()) and vmf.write:
        yield prepared.costing("local")
    yield from below
    return list(map(helper, ()))


def test_what_is_kept_passed_on_or_yielded_is_no_mistake() -> None:
    """It may be yielded later, by somebody else."""
    assert unused_text(right) is None


def test_no_shipped_patch_has_such_a_call() -> None:
    """Neither the core, nor a variant, a twin or a series: the check has no false alarm there."""
    registry = load_registry()
    patches: set[Any] = set(CORE)
    for variant in [*registry.variants.values(), *map(registry.any_variant, registry.twins)]:
        patches |= set(variant.patches)
    for series in registry.series.values():
        patches |= {patch for one in series.patches for patch in (*one.changes, *one.repairs)}
    assert len(patches) > 100
    found = [
        unused_text(m, patch) for patch in patches for m in vars(patch).values() if inspect.isfunction(m)
    ]
    assert [one for one in found if one is not None] == []
