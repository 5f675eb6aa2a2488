"""Series: which stack a name stands for, what is refused and why, and what plugins may declare."""

from __future__ import annotations

import pytest

from spfvar.errors import InputError
from spfvar.plugins.repairs import Repair
from spfvar.plugins.series import Choice, Series, SeriesPatch, posted_name, repaired_name, spans


class One:
    """A change."""


class Two:
    """Another change."""


class Three:
    """A third one."""


class Mend:
    """What the second change needs beyond the series."""


class PostedThree:
    """The third one, as posted."""


#: 3 builds on 1; 4 on 3; 2 and 5 on nothing.
SMALL = Series(
    name="small",
    title="a series of five",
    kernel="v5.12",
    source="cover",
    patches=(
        SeriesPatch(1, "first", "m1", (One,)),
        SeriesPatch(2, "second", "m2", (Two,), repairs=(Repair(("B1",), "it breaks", (Mend,)),)),
        SeriesPatch(
            3,
            "third",
            "m3",
            (Three,),
            needs=(1,),
            repairs=(Repair(("B2",), "it leaks", (Three,), (PostedThree,)),),
        ),
        SeriesPatch(4, "fourth", "m4", needs=(3,), note="nothing here"),
        SeriesPatch(5, "fifth", "m5"),
    ),
    origin="a test",
)


@pytest.mark.parametrize(
    ("name", "numbers", "out", "fallen"),
    [
        ("small", (1, 2, 3, 4, 5), (), ()),
        ("small@2", (1, 2), (), ()),
        ("small@0", (), (), ()),
        ("small@1+3", (1, 3), (), ()),
        ("small~2", (1, 3, 4, 5), (2,), ()),
        ("small~1", (2, 5), (1,), (3, 4)),  # 3 needs 1, and 4 needs 3
        ("small~4~3", (1, 2, 5), (3, 4), ()),
        ("small~3~4", (1, 2, 5), (3, 4), ()),
        ("small@3~1", (2,), (1,), (3,)),
        ("small@2+5~1", (2, 5), (1,), ()),
    ],
)
def test_a_name_stands_for_patches(
    name: str, numbers: tuple[int, ...], out: tuple[int, ...], fallen: tuple[int, ...]
) -> None:
    """``@`` first so many, ``+`` one more, ``~`` one less and all that need it, in any order."""
    assert SMALL.choose(name) == Choice(numbers, out, fallen)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("small@6", "small has no patch 6; expected 1 to 5"),
        ("small~0", "small has no patch 0"),
        ("small@", "'' behind '@' is no patch number"),
        ("small@two", "'two' behind '@' is no patch number"),
        ("small@02", "'02' behind '@' is no patch number"),
        ("small~2@3", "'@' comes once, behind small"),
        ("small@2@3", "'@' comes once, behind small"),
        ("small@2+1", "patch 1 is in it already"),
        ("small@2~3", "there is no patch 3 in it to take out"),
        ("small@0+4", "patch 4 (fourth) needs 3, which it has not; expected small@1+3+4"),
    ],
)
def test_what_is_no_stack_is_refused_with_the_reason(name: str, says: str) -> None:
    """The patch and what it needs, or the part of the name that is wrong, and what would be right."""
    with pytest.raises(InputError) as caught:
        SMALL.variant(name)
    assert says in str(caught.value)
    assert repr(name) in str(caught.value)


def test_a_stack_is_the_changes_in_order_and_then_the_repairs() -> None:
    """A repair comes with its patch only; what a variant adds stands between the two."""
    assert SMALL.variant("small").patches == (One, Two, Three, Mend)
    assert SMALL.variant("small~2").patches == (One, Three)
    assert SMALL.stack((1, 2), extra=(Three,)) == (One, Two, Three, Mend)
    assert SMALL.variant("small@0").patches == ()


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("small", "all patches"),
        ("small@0", "none of its patches"),
        ("small@2", "patches 1 and 2"),
        ("small~2", "all patches without 2"),
        ("small~1", "all patches without 1, nor 3 and 4, which need it"),
        ("small~1~2", "all patches without 1 and 2, nor 3 and 4, which need them"),
        ("small@3~1", "patches 1 to 3 without 1, nor 3, which needs it"),
    ],
)
def test_the_title_says_what_is_in_it_and_what_fell_out(name: str, title: str) -> None:
    """The name stays as it was typed, for tables."""
    variant = SMALL.variant(name)
    assert (variant.name, variant.title) == (name, f"a series of five: {title}")
    assert variant.origin == "a test"


def test_prefixes_build_a_stack_up_by_names_that_can_be_given_back() -> None:
    """Each name stands for one patch more than the one before, whatever was left out."""
    assert SMALL.prefixes(range(1, 6)) == [f"small@{n}" for n in range(6)]
    names = SMALL.prefixes(SMALL.choose("small~2").numbers)
    assert names == ["small@0", "small@1", "small@1+3", "small@1+3+4", "small@1+3+4+5"]
    assert [SMALL.choose(name).numbers for name in names] == [(), (1,), (1, 3), (1, 3, 4), (1, 3, 4, 5)]


@pytest.mark.parametrize(
    ("numbers", "text"),
    [((3,), "3"), ((1, 2), "1 and 2"), ((1, 2, 3), "1 to 3"), ((5, 1, 2, 3, 7, 8), "1 to 3, 5, 7 and 8")],
)
def test_numbers_in_words(numbers: tuple[int, ...], text: str) -> None:
    """Runs of three and more are spans."""
    assert spans(numbers) == text


@pytest.mark.parametrize(
    ("name", "patches", "says"),
    [
        ("a@b", (), "'a@b'"),
        ("", (), '"" is no name'),
        ("s", (SeriesPatch(2, "t", "m"),), "patch 2 in place 1"),
        ("s", (SeriesPatch(1, "t", "m", needs=(1,)),), "patch 1 needs 1"),
        ("s", (SeriesPatch(1, "t", "m"), SeriesPatch(2, "t", "m", needs=(0,))), "patch 2 needs 0"),
    ],
)
def test_a_series_that_makes_no_sense_is_refused(
    name: str, patches: tuple[SeriesPatch, ...], says: str
) -> None:
    """When it is made, so that the registry can tell the plugin's line."""
    with pytest.raises(ValueError, match=says):
        Series(name, "t", "k", "s", patches)


def test_the_posted_series_has_no_repairs_and_what_was_posted_in_their_place() -> None:
    """Mend goes, PostedThree stands where Three was; numbers and needs are the same."""
    posted = SMALL.as_posted()
    assert posted.name == "small-posted"
    assert posted.variant("small-posted").patches == (One, Two, PostedThree)
    assert posted.variant("small-posted").repairs == ()
    assert posted.choose("small-posted~1").fallen == (3, 4)
    assert posted.title == "a series of five, as posted"


def test_a_stack_has_the_repairs_of_its_patches() -> None:
    """Of patch 2 and of patch 3, and none where neither is in."""
    assert [repair.bugs for repair in SMALL.variant("small").repairs] == [("B1",), ("B2",)]
    assert [repair.bugs for repair in SMALL.variant("small~2").repairs] == [("B2",)]
    assert SMALL.variant("small@1").repairs == ()


@pytest.mark.parametrize(
    ("name", "posted"), [("small", "small-posted"), ("small@2+5", "small-posted@2+5"), ("a~1", "a-posted~1")]
)
def test_the_posted_name_leads_back(name: str, posted: str) -> None:
    """The signs stay behind the name of the series."""
    assert posted_name(name) == posted
    assert repaired_name(posted) == name
    assert repaired_name(name) is None


def test_one_class_mends_one_thing() -> None:
    """Else nobody could say what is left as posted."""
    twice = Repair(("B1",), "it breaks", (Mend,))
    with pytest.raises(ValueError, match="series twice: repair of B1: Mend is another repair's"):
        Series("twice", "t", "k", "s", (SeriesPatch(1, "a", "m", (One,), repairs=(twice, twice)),))
