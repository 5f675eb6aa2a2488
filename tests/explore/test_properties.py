"""Which property a violation breaks."""

from __future__ import annotations

import pytest

from spfvar.explore.properties import PROPERTIES, property_of
from spfvar.matrix import catalogue
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops import paging
from spfvar.ops.op import Op
from spfvar.ops.places import Field
from spfvar.ops.primitives import at, free, load
from spfvar.plugins.registry import load_registry

CODES = [code for code in range(1, len(c.VIOLATIONS)) if code != c.V_NO_MEMORY]


@pytest.mark.parametrize("code", CODES, ids=[c.VIOLATIONS[code] for code in CODES])
def test_every_violation_breaks_a_property(code: int) -> None:
    """Whatever the transition function or the end of a run reports has an id, with a primitive and without."""
    for op in (None, load(at(o.vma, o.VM_START), o.scratch), paging.free_gathered_pages()):
        assert property_of(code, op) in PROPERTIES


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        (load(at(o.vma, o.VM_START), o.scratch), "P1"),
        (free(o.vma, "vm_area_free"), "P1"),
        (paging.filemap_get_folio(), "P2"),
        (load(at(o.anon_vma, o.ANON_VMA_REFS), o.scratch), "P2"),
        (load(at(o.mm, o.MM_USERS), o.scratch), "P3"),
        (paging.pte_none(), "P4"),
        (paging.free_gathered_pages(), "P9"),
        (paging.put_page(o.old_page), "P9"),
    ],
    ids=lambda value: value.name if isinstance(value, Op) else value,
)
def test_an_access_breaks_the_property_of_its_object(op: Op, expected: str) -> None:
    """Freed, recycled or null: the class of the object decides."""
    for code in (c.V_NULL, c.V_USE_AFTER_FREE, c.V_STALE_REFERENCE, c.V_OUTSIDE_RCU):
        assert property_of(code, op) == expected


@pytest.mark.parametrize("cls", o.CLASSES, ids=lambda cls: cls.name)
def test_every_class_of_objects_has_a_property(cls: object) -> None:
    """A new class has to say what a use after free of it means."""
    register = next(
        r for r in vars(o).values() if getattr(r, "cls", None) == cls and not isinstance(r, Field)
    )
    op = load(at(register, Field(cls, "some_field")), o.scratch)  # type: ignore[arg-type]
    assert property_of(c.V_STALE_REFERENCE, op) in PROPERTIES


def test_races_and_twins_name_known_properties() -> None:
    """What races are about and what twins break is something that is checked."""
    races = catalogue.races()
    named = {prop for name in races.names() for prop in races[name].properties}
    named |= {twin.prop for twin in load_registry().twins.values() if twin.prop}
    assert named <= set(PROPERTIES)


def test_every_twin_patches_something_or_is_a_control() -> None:
    """A bug with neither patches nor left-out ones would be the fixed design itself."""
    twins = load_registry().twins.values()
    assert [twin.bug for twin in twins if not (twin.patches or twin.without) and twin.prop] == []
