"""Fields of a plugin's declarations: right ones are taken, all others are told with key and expectation."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spfvar.errors import InputError
from spfvar.plugins.series import Series, SeriesPatch
from spfvar.plugins.variant import Event, Twin, Variant


class Patch:
    """No patch of anybody's."""


VARIANT = Variant("mine", "title", "v5.12", "here")
DECLARATIONS: list[Any] = [
    VARIANT,
    Event("abort", "abort", "doc"),
    Twin("T1", "title", "here", "mine", "munmap-anon", "P4"),
    SeriesPatch(1, "title", "here"),
    Series("mine", "title", "v5.12", "here", ()),
]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.just(Patch)
    | st.just(Patch()) | st.just(Event) | st.just(VARIANT),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=4,
)  # fmt: skip


@given(st.sampled_from(DECLARATIONS), st.data(), ANYTHING)
def test_a_field_is_taken_or_refused_by_an_input_error(
    declaration: Any, data: st.DataObject, value: Any
) -> None:
    """Whatever it is; what was taken is printable, hashable, and equal to what was given."""
    field = data.draw(st.sampled_from(fields(declaration))).name
    try:
        made = replace(declaration, **{field: value})
    except ValueError:  # an InputError is one; anything else fails the test
        return
    hash(made)
    taken = getattr(made, field)
    assert taken == (tuple(value) if isinstance(value, list) else value)
    if isinstance(taken, str) and field not in ("origin", "replaces"):
        assert taken.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"name": None}, "Variant.name: found a value of type NoneType; expected a string"),
        ({"name": "a b"}, 'Variant.name: "a b" is no name; expected a letter or digit, then'),
        ({"patches": Patch}, "Variant.patches: found a value of type type; expected a list or tuple"),
        (
            {"patches": [Patch()]},
            "Variant.patches[0]: found an object of class Patch; expected a class, such as",
        ),
        ({"patches": [Patch, Patch]}, "Variant.patches: Patch stands there twice; expected once"),
        ({"events": "abc"}, 'Variant.events: found "abc"; expected a list or tuple'),
        ({"compared": 1}, "Variant.compared: found 1; expected True or False"),
        (
            {"title": "\x1b[2J"},
            'Variant.title: "\\x1b[2J" has unprintable characters; expected one printable line',
        ),
        ({"title": "t" * 301}, "Variant.title: is 301 characters long; expected at most 300"),
    ],
)
def test_what_is_wrong_is_told_with_the_field(given: dict[str, Any], says: str) -> None:
    """And with what would be right."""
    with pytest.raises(InputError) as caught:
        replace(VARIANT, **given)
    assert says in str(caught.value)


def test_an_event_has_a_role_and_stands_once() -> None:
    """A misspelt role was counted by no table."""
    with pytest.raises(InputError, match=r'Event.role: found "reasn"; .*did you mean "reason"'):
        Event("a", "reasn", "doc")
    event = Event("a", "reason", "doc")
    with pytest.raises(InputError, match="event a stands there twice"):
        replace(VARIANT, events=(event, event))


def test_a_twin_breaks_a_property_that_there_is() -> None:
    """Or none, if it is a control."""
    with pytest.raises(InputError, match=r"Twin\.prop: unknown property 'P44': did you mean 'P4'"):
        Twin("T1", "title", "here", "mine", "munmap-anon", "P44")
    assert Twin("T1", "title", "here", "mine", "munmap-anon", "").prop == ""


def test_a_list_is_as_good_as_a_tuple() -> None:
    """It becomes one: a variant is hashable."""
    as_list: Any = [Patch]
    assert replace(VARIANT, patches=as_list).patches == (Patch,)
