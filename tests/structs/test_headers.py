"""The shipped layouts against a compiler, where the headers of a kernel are installed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.layouts import compare, differences, installed, measure, release_of
from spfvar.structs.model import Struct, StructLayout
from spfvar.structs.shipped import layout_named, name_for

TREES = installed() if shutil.which("gcc") else []
needs_headers = pytest.mark.skipif(not TREES, reason="no kernel headers below /usr/src, or no gcc")


@needs_headers
@pytest.mark.parametrize(("build", "source"), TREES or [(Path(), Path())], ids=lambda path: path.name)
def test_every_offset_is_that_of_the_compiler(
    build: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every member that the data has is there, at that offset and of that size."""
    assert compare(build, source), capsys.readouterr().out


@needs_headers
def test_a_wrong_offset_is_noticed() -> None:
    """vm_mm's neighbours changed places in the data."""
    build, source = TREES[0]
    layout = layout_named(name_for(release_of(build)))
    vma = layout.find("vm_area_struct")
    assert vma is not None
    order = list(vma.members)
    at = [one.name for one in order].index("vm_mm")
    order[at], order[at + 1] = (
        order[at + 1].model_copy(update={"offset": order[at].offset}),
        order[at].model_copy(update={"offset": order[at + 1].offset}),
    )
    wrong = layout.model_copy(update={"struct": (vma.model_copy(update={"members": tuple(order)}),)})
    told = list(differences(wrong, measure(build, source, wrong)))
    assert [line.split(":")[0] for line in told] == [
        f"vm_area_struct.{one.name}" for one in order[at : at + 2]
    ]


def test_differences_name_the_member_both_numbers_and_what_is_missing() -> None:
    """Without a compiler."""
    mm = Struct.model_validate({
        "name": "mm_struct", "known": "read",
        "members": [
            {"name": "a", "offset": 0, "size": 4}, {"name": "b", "offset": 4, "size": 4},
            {"name": "c", "offset": 8, "size": 8},
        ],
    })  # fmt: skip
    layout = StructLayout(title="", since=("v1.0",), source="", config="", struct=(mm,))
    found = {("mm_struct", "a"): (0, 4), ("mm_struct", "b"): (8, 8)}
    assert list(differences(layout, found)) == [
        "mm_struct.b: 8 bytes at 8, in the data 4 at 4",
        "mm_struct.c: not in these headers",
    ]
