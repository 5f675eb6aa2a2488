"""Names: well formed, not taken, and no module that would hide another."""

from __future__ import annotations

import pytest

from spfvar.errors import InputError
from spfvar.plugins.registry import load_registry
from spfvar.scaffold.names import check_name, module_name

REGISTRY = load_registry()


@pytest.mark.parametrize("name", ["a", "my-idea", "idea2", "x-2-y"])
def test_names_that_are_none_yet(name: str) -> None:
    """Lower case, digits, single hyphens."""
    check_name(name, REGISTRY)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("My Idea", 'did you mean "my-idea"?'),
        ("my_idea", 'did you mean "my-idea"?'),
        ("my--idea", 'did you mean "my-idea"?'),
        ("2nd", "beginning with a letter"),
        ("", "beginning with a letter"),
        ("../evil", 'did you mean "evil"?'),
        ("a" * 41, "at most 40 characters"),
        ("mmap-lock", "there is a variant 'mmap-lock' already"),
        ("pft", "there is a scenario 'pft' already"),
        ("munmap-file", "there is a race 'munmap-file' already"),
        ("skylake-2s56c", "there is a hardware profile 'skylake-2s56c' already"),
        ("mmap", "there is a hook point 'mmap' already"),
    ],
)
def test_names_that_cannot_be(name: str, says: str) -> None:
    """The message says what a name looks like, what was probably meant, or who has it."""
    with pytest.raises(InputError) as caught:
        check_name(name, REGISTRY)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["json", "class", "pytest", "numba", "spfvar", "conftest"])
def test_a_module_that_would_hide_another_is_refused(name: str) -> None:
    """A plugin file json.py beside the tests would be what `import json` finds."""
    with pytest.raises(InputError, match=f"{name} cannot be its module"):
        module_name(name)


def test_hyphens_become_underscores() -> None:
    """As packages do it."""
    assert module_name("my-new-idea") == "my_new_idea"
