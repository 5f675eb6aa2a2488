"""A layout file: members lie where a compiler puts them, or the file is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spfvar.errors import InputError
from spfvar.structs.model import LINE, Member, Struct, StructLayout, packed
from spfvar.toml_input import parse_toml

SIZES = st.sampled_from([1, 2, 4, 8, 16, 24, 40, 64])
ALIGNS = st.sampled_from([None, 8, LINE])


@st.composite
def structs(draw: st.DrawFn) -> Struct:
    """Members of any sizes, at the offsets of a compiler."""
    shapes = draw(st.lists(st.tuples(SIZES, ALIGNS), min_size=1, max_size=12))
    loose = tuple(
        Member(name=f"m{i}", offset=0, size=size, align=align) for i, (size, align) in enumerate(shapes)
    )
    placed = [one.model_copy(update={"offset": at}) for one, at in zip(loose, packed(loose), strict=True)]
    return Struct(name="s", known="read", members=tuple(placed))


@given(structs())
def test_packed_members_do_not_overlap_are_sorted_aligned_and_have_no_needless_hole(struct: Struct) -> None:
    """The rule of the ABI, stated the other way round."""
    end = 0
    for member in struct.members:
        assert member.offset % member.alignment == 0
        assert end <= member.offset < end + member.alignment
        end = member.end


@given(structs(), st.data())
def test_a_member_anywhere_else_is_refused(struct: Struct, data: st.DataObject) -> None:
    """The error names it and the offset that it should have."""
    number = data.draw(st.integers(0, len(struct.members) - 1))
    member = struct.members[number]
    other = data.draw(st.integers(0, 1000).filter(lambda at: at != member.offset))
    members = [one.model_dump() for one in struct.members]
    members[number]["offset"] = other
    with pytest.raises(ValueError, match=f"{member.name} at {other}") as caught:
        Struct.model_validate({"name": "s", "known": "read", "members": members})
    assert f"{member.offset}, behind what precedes it" in str(caught.value)


WHOLE = """
title = "t"
since = ["v1.0"]
source = "s"
config = "c"
[[struct]]
name = "mm_struct"
known = "read"
{more}members = [
    {{ name = "mm_users", offset = 0, size = 4 }},
    {{ name = "{second}", offset = 8, size = 40, type = "{type}" }},
]
[[struct]]
name = "rw_semaphore"
known = "read"
members = [{{ name = "count", offset = 0, size = 8 }}]
"""


def read(**words: str) -> StructLayout:
    """The file with some words replaced."""
    usual: dict[str, Any] = {"more": "", "second": "mmap_lock", "type": "rw_semaphore"}
    return parse_toml(WHOLE.format(**(usual | words)), "v1.0.toml", StructLayout)


def test_a_dotted_name_is_within_the_member_that_it_begins_with() -> None:
    """ "mmap_lock.tree" lies where mmap_lock does."""
    struct = read().find("mm_struct")
    assert struct is not None
    found = [struct.member(name) for name in ("mmap_lock.tree", "mmap_lock", "mmap")]
    assert [one.offset if one is not None else None for one in found] == [8, 8, None]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"type": "rw_semaphor"}, r"unknown struct 'rw_semaphor': did you mean 'rw_semaphore'\?"),
        ({"second": "mm_users"}, "two members mm_users"),
        ({"more": "size = 40\n"}, "40 bytes, but mmap_lock ends later"),
        ({"more": "length = 40\n"}, "length"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(words: dict[str, str], message: str) -> None:
    """As of every TOML file."""
    with pytest.raises(InputError, match=message) as caught:
        read(**words)
    assert caught.value.file == "v1.0.toml"
    assert caught.value.line is not None
