"""Repairs: what they are declared as, and the stack that was posted."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spfvar.errors import InputError
from spfvar.plugins.registry import load_registry
from spfvar.plugins.repairs import Repair, check_repairs, posted_stack
from spfvar.plugins.variant import Variant

CLASSES = tuple(type(f"Patch{n}", (), {}) for n in range(8))
A, B, C, D, E = CLASSES[:5]


@pytest.mark.parametrize(
    ("repairs", "posted"),
    [
        ((), (A, B, C)),
        ((Repair(("B1",), "breaks", (B,)),), (A, C)),
        ((Repair(("B1",), "breaks", (B,), (D,)),), (A, D, C)),
        ((Repair(("B1",), "breaks", posted=(D,)),), (A, B, C, D)),
        ((Repair(("B1",), "breaks", (C, A), (D, E)),), (D, E, B)),
        ((Repair(("B1",), "breaks", (A,)), Repair(("B2",), "leaks", (C,), (D,))), (B, D)),
    ],
)
def test_what_was_posted_stands_where_the_repair_was(
    repairs: tuple[Repair, ...], posted: tuple[type, ...]
) -> None:
    """By hand; what mends nothing in the stack is outermost."""
    assert posted_stack((A, B, C), repairs) == posted


@given(st.lists(st.sampled_from(CLASSES), unique=True), st.data())
def test_no_mend_is_left_and_everything_else_keeps_its_order(stack: list[type], data: st.DataObject) -> None:
    """However many repairs there are of however many classes each."""
    rest = list(stack)
    repairs: list[Repair] = []
    for _ in range(data.draw(st.integers(0, 4))):
        mends: list[type] = data.draw(st.lists(st.sampled_from(rest or CLASSES), unique=True))
        if not rest or not mends:
            break
        rest = [patch for patch in rest if patch not in mends]
        repairs.append(Repair(("B",), "breaks", tuple(mends)))
    assert posted_stack(stack, repairs) == tuple(rest)


@pytest.mark.parametrize(
    ("bugs", "what", "patches", "posted"),
    [
        ((), "breaks", (A,), ()),
        (("",), "breaks", (A,), ()),
        (("B1",), " ", (A,), ()),
        (("B1",), "breaks", (), ()),
        (("B1",), "breaks", (A,), (A, B)),
    ],
)
def test_a_repair_that_says_nothing_is_refused(
    bugs: tuple[str, ...], what: str, patches: tuple[type, ...], posted: tuple[type, ...]
) -> None:
    """No bug, no words, nothing that differs, or a class that is there both ways."""
    with pytest.raises(ValueError, match=r"repair of .*: expected|Repair.bugs.* is no name"):
        Repair(bugs, what, patches, posted)


def test_a_repair_is_of_the_stack() -> None:
    """A class that is not in it mends nothing; the variant is named."""
    repair = Repair(("B1",), "breaks", (D,))
    with pytest.raises(ValueError, match="repair of B1: Patch3 is none of the patches"):
        check_repairs((A, B), [repair])
    with pytest.raises(ValueError, match="variant mine: repair of B1: Patch3"):
        Variant("mine", "t", "k", "s", (A, B), repairs=(repair,))


PLUGIN = """
from spfvar.plugins.repairs import Repair
from spfvar.plugins.variant import Variant
from spfvar.variants.spf_patches import NoTableMove

VARIANTS = [
    Variant("mine", "a title", "v5.12", "nowhere", ({stack}), repairs=(Repair(("B1",), "breaks", (NoTableMove,)),))
]
"""


def test_a_plugins_variant_can_be_named_as_posted(tmp_path: Path) -> None:
    """Without being declared; what has no repairs has no such name, and says why."""
    file = tmp_path / "mine.py"
    file.write_text(PLUGIN.format(stack="NoTableMove,"))
    registry = load_registry([str(file)])
    posted = registry["mine-posted"]
    assert (posted.name, posted.patches, posted.repairs) == ("mine-posted", (), ())
    assert registry.as_posted(registry["mine"]) == posted
    assert registry.has_variant("mine-posted")
    with pytest.raises(InputError, match="mmap-lock has no repairs: it is as it was posted"):
        registry["mmap-lock-posted"]
    assert not registry.has_variant("nobody-posted")
    with pytest.raises(InputError, match="unknown variant"):
        registry["nobody-posted"]


def test_a_plugin_whose_repair_is_not_in_the_stack_is_a_problem(tmp_path: Path) -> None:
    """With the file and the line."""
    file = tmp_path / "mine.py"
    file.write_text(PLUGIN.format(stack=""))
    registry = load_registry([str(file)])
    assert "mine" not in registry.variants
    assert "variant mine: repair of B1: NoTableMove is none of the patches" in registry.problems[0].message
