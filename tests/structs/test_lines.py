"""Cache lines from offsets: what shares one, what a patch adds, what is asked to be apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spfvar.errors import InputError
from spfvar.ops import objects as o
from spfvar.ops.places import RWSEM_WORDS, Field, ObjectClass, apart, behind, member
from spfvar.structs.lines import ALL, CacheLines, Memory
from spfvar.structs.model import LINE, Member, Struct, StructLayout, packed

THING = ObjectClass("thing", struct="thing")


def layout(*sizes: int, types: dict[int, str] | None = None, **more: int) -> StructLayout:
    """A struct of members m0, m1, ... of so many bytes, and rwsems' owners at 8."""
    loose = tuple(
        Member(name=f"m{i}", offset=0, size=size, type=(types or {}).get(i)) for i, size in enumerate(sizes)
    )
    placed = [one.model_copy(update={"offset": at}) for one, at in zip(loose, packed(loose), strict=True)]
    rwsem = Struct(
        name="rw_semaphore", known="read",
        members=(Member(name="count", offset=0, size=8), Member(name="owner", offset=8, size=8)),
    )  # fmt: skip
    return StructLayout(
        title="", since=("v1.0",), source="", config="",
        struct=(Struct(name="thing", known="read", members=tuple(placed), **more), rwsem),
    )  # fmt: skip


def lines(made: StructLayout, *fields: Field, apart: frozenset[str] = frozenset()) -> CacheLines:
    """The lines of a run that touches ``fields``."""
    return CacheLines(Memory("made", made, apart), fields)


@given(st.lists(st.sampled_from([1, 2, 4, 8, 16, 40]), min_size=2, max_size=30))
def test_members_share_a_line_exactly_if_their_offsets_are_within_one(sizes: list[int]) -> None:
    """Objects begin on a line, so a line is 64 bytes from a multiple of 64."""
    made = layout(*sizes)
    fields = [Field(THING, f"m{i}") for i in range(len(sizes))]
    found = lines(made, *fields)
    for a, one in zip(fields, made.struct[0].members, strict=True):
        assert found.offset(a) == one.offset
        for b, other in zip(fields, made.struct[0].members, strict=True):
            assert (found.key(a) == found.key(b)) is (one.offset // LINE == other.offset // LINE)


def test_a_member_that_a_patch_adds_moves_what_follows() -> None:
    """m0 0..3, m1 4..7, m2 8..55, m3 56: four bytes behind m1 push m3 to 64; eight bytes were there before."""
    made = layout(4, 4, 48, 8)
    m1, m3 = Field(THING, "m1"), Field(THING, "m3")
    added = Field(THING, "added", where=behind("m1", 4))
    assert lines(made, m1, m3).key(m1) == lines(made, m1, m3).key(m3)
    found = lines(made, m1, m3, added)
    assert [found.offset(field) for field in (m1, added, m3)] == [4, 8, 64]
    assert found.key(m1) == found.key(added) != found.key(m3)


@given(st.permutations([Field(THING, name, where=behind("m0", 4)) for name in "abc"]))
def test_several_behind_one_member_are_in_the_order_of_their_names(fields: list[Field]) -> None:
    """Whichever op is met first."""
    found = lines(layout(4, 8), *fields)
    assert [found.offset(field) for field in sorted(fields, key=lambda one: one.name)] == [4, 8, 12]


def test_an_added_member_can_be_aligned_to_a_line() -> None:
    """____cacheline_aligned_in_smp: 64 is the next multiple behind m0."""
    added = Field(THING, "added", where=behind("m0", 4, align=LINE))
    assert lines(layout(4, 8), added).offset(added) == 64


def test_what_the_kernel_has_lies_where_the_kernel_has_it() -> None:
    """A patch that was merged adds nothing to a later layout."""
    merged = Field(THING, "m1", where=behind("m2", 8))
    found = lines(layout(4, 4, 48), merged)
    assert found.offset(merged) == 4
    assert not found.is_added(merged)


def test_a_field_can_be_within_a_member_of_another_name() -> None:
    """An explicit member, or a dotted name."""
    within, dotted, it = Field(THING, "bit", where=member("m1")), Field(THING, "m1.bit"), Field(THING, "m1")
    found = lines(layout(64, 8), within, dotted, it)
    assert found.key(within) == found.key(dotted) == found.key(it) == ("thing", 1)


def test_what_is_apart_or_unknown_has_a_line_of_its_own() -> None:
    """Memory that the object refers to; a member that no layout has; a class without a struct."""
    alone = [
        Field(THING, "nodes", where=apart()), Field(THING, "named", where=apart("other memory")),
        Field(THING, "unknown"), Field(ObjectClass("other"), "m0"),
    ]  # fmt: skip
    fields = [*alone, Field(THING, "m0"), Field(THING, "m1")]
    found = lines(layout(4, 4), *fields)
    assert len({found.key(field) for field in fields}) == len(alone) + 1


def test_members_can_be_moved_apart() -> None:
    """One, which leaves the others where they are; or all."""
    fields = [Field(THING, f"m{i}") for i in range(3)]
    one = lines(layout(4, 4, 4), *fields, apart=frozenset({"thing.m1"}))
    assert one.key(fields[0]) == one.key(fields[2]) != one.key(fields[1])
    every = lines(layout(4, 4, 4), *fields, apart=frozenset({ALL}))
    assert len({every.key(field) for field in fields}) == 3


def test_a_struct_of_one_line_is_one_line_whatever_its_members() -> None:
    """struct page: 64 bytes, 64-byte aligned; members that the layout does not list are on it, too."""
    made = layout(8, size=64, aligned=64)
    fields = [Field(THING, "m0"), Field(THING, "anything"), Field(THING, "alone")]
    found = lines(made, *fields, apart=frozenset({"thing.alone"}))
    assert found.key(fields[0]) == found.key(fields[1]) != found.key(fields[2])


@pytest.mark.parametrize(("before", "lock", "owner"), [(0, 0, 0), (48, 0, 0), (56, 0, 1), (64, 1, 1)])
def test_a_rwsems_owner_is_eight_bytes_behind_its_count(before: int, lock: int, owner: int) -> None:
    """At 56 the count ends the first line, and the owner begins the second."""
    sizes = (before, 40) if before else (40,)
    number = len(sizes) - 1
    field = Field(THING, f"m{number}", RWSEM_WORDS)
    found = lines(layout(*sizes, types={number: "rw_semaphore"}), field)
    assert found.key(field) == ("thing", lock)
    assert found.owner_key(field) == ("thing", owner)


def test_a_rwsem_that_is_moved_apart_takes_its_owner_along() -> None:
    """Its 40 bytes then begin a line."""
    field = Field(THING, "m1", RWSEM_WORDS)
    found = lines(layout(56, 40, types={1: "rw_semaphore"}), field, apart=frozenset({"thing.m1"}))
    assert found.key(field) == found.owner_key(field) != ("thing", 0)


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (
            Field(o.MM, "x", where=behind("mmap_lok")),
            r"mm->x lies behind 'mmap_lok'.*did you mean 'mmap_lock'",
        ),
        (Field(o.MM, "x", where=member("mm_user")), r"mm->x is 'mm_user'.*did you mean 'mm_users'"),
        (Field(o.FILE, "x", where=behind("f_count")), "file->x lies behind a member, but .* its struct"),
    ],
)
def test_a_member_that_is_not_there_is_told_with_the_nearest_name(field: Field, message: str) -> None:
    """At the latest when its line is asked for."""
    mm = StructLayout(
        title="", since=("v1.0",), source="", config="",
        struct=(Struct(name="mm_struct", known="read", members=(
            Member(name="mm_users", offset=0, size=4), Member(name="mmap_lock", offset=8, size=40),
        )),),
    )  # fmt: skip
    with pytest.raises(InputError, match=message):
        lines(mm, field).key(field)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("thing.m7", "unknown member of thing 'm7'"),
        ("thin.m0", "unknown struct 'thin': did you mean 'thing'"),
    ],
)
def test_only_what_is_there_can_be_asked_to_be_apart(name: str, message: str) -> None:
    """A variant's ``apart``."""
    with pytest.raises(InputError, match=message):
        Memory("made", layout(4), frozenset({name})).check()
