"""Which patch of a file is reviewed: the only one, one by its number, or all as the stack that a variant is."""

from __future__ import annotations

import pytest

from spfvar.errors import InputError
from spfvar.plugins.variant import Variant
from spfvar.review.hunks import patches_of
from spfvar.review.patchmail import Patch, parse_patches
from spfvar.review.stack import chosen
from tests.review.mails import COVER, DIFF, REPLY, mbox, numbered


class One:
    """1/3: the first."""


class Three:
    """3/3: the last; 2/3 changes nothing that the model has."""


class Repair:
    """Not of the series."""


def variant(*patches: type) -> Variant:
    """A variant of these layers."""
    return Variant("v", "a title", "v0", "20210407-1-ann@example.org", patches)


def thread(*numbers: int, total: int = 3) -> tuple[Patch, ...]:
    """The patches of a thread with its cover letter and an answer."""
    return parse_patches(mbox(COVER, *(numbered(n, total) for n in numbers), REPLY).encode(), file="t.mbox")


def refusal(patches: tuple[Patch, ...], number: int | None, one: Variant) -> str:
    """Why no patch was chosen."""
    with pytest.raises(InputError) as caught:
        chosen(patches, number, one)
    return str(caught.value)


def test_the_only_patch_needs_no_number() -> None:
    """Cover letters and answers are none; a number has to be its own."""
    patches = thread(2)
    assert chosen(patches, None, variant()) is patches[0]
    assert chosen(patches, 2, variant()) is patches[0]
    assert refusal(patches, 1, variant()) == (
        "t.mbox: --number: there is no patch 1; expected one of: 2 (mm: title 2)"
    )


def test_a_patch_is_chosen_by_the_number_in_its_subject() -> None:
    """In whichever order they lie; where subjects have none, by its place."""
    patches = thread(3, 1, 2)
    assert [chosen(patches, n, variant()).title for n in (1, 2, 3)] == [
        "mm: title 1",
        "mm: title 2",
        "mm: title 3",
    ]
    commits = (f"commit {d * 40}\nAuthor: A <a@b>\nDate: x\n\n    mm: {d}\n\n{DIFF}" for d in "12")
    log = parse_patches("\n".join(commits).encode())
    assert chosen(log, 2, variant()).title == "mm: 2"
    assert "there is no patch 0" in refusal(log, 0, variant())
    assert "there is no patch 3; expected one of: 1 (mm: 1), 2 (mm: 2)" in refusal(log, 3, variant())


def test_the_newest_version_counts_and_a_number_that_is_there_twice_is_refused() -> None:
    """A thread may hold v1 and v2."""
    old = numbered(1, 2).replace("v2 ", "")
    patches = parse_patches(mbox(old, numbered(1, 2)).encode(), file="t.mbox")
    assert chosen(patches, None, variant()).version == 2
    twice = parse_patches(mbox(numbered(1, 2), numbered(1, 2)).encode(), file="t.mbox")
    assert "there are 2 patches 1" in refusal(twice, 1, variant())


def test_all_of_them_are_the_stack_that_the_variant_is() -> None:
    """All its numbered layers, and no patch behind the last; a layer without a number may be there."""
    stack = variant(One, Three, Repair)
    patch = chosen(thread(3, 1, 2), None, stack)
    assert [part.title for part in patch.parts] == ["mm: title 1", "mm: title 2", "mm: title 3"]
    assert patch.title == "3 patches, from 1/3 mm: title 1 to 3/3 mm: title 3"
    assert patches_of(patch, stack) == (One, Three)
    assert [(file.path, len(file.hunks)) for file in patch.files] == [("mm/memory.c", 3)]
    # Each of the three adds two lines and removes one.
    assert (patch.diffstat.files, patch.diffstat.inserted, patch.diffstat.deleted) == (
        (("mm/memory.c", 9),),
        6,
        3,
    )
    assert (patch.author_name, patch.message_id, patch.warnings) == (
        "Ann Author",
        "20210407-1-ann@example.org",
        (),
    )


@pytest.mark.parametrize(
    ("layers", "numbers"), [((One,), (1, 2, 3)), ((One, Three), (1, 2)), ((), (1, 2, 3))]
)
def test_any_other_stack_is_refused_with_what_the_file_holds(
    layers: tuple[type, ...], numbers: tuple[int, ...]
) -> None:
    """A patch that the variant has not, a layer that the file has not, a variant without patches."""
    said = refusal(thread(*numbers), None, variant(*layers))
    assert said.startswith(
        f"t.mbox: holds {len(numbers)} patches, and v is not the stack of them: 1 (mm: title 1), 2"
    )
    assert said.endswith("; expected --number N for one of them, or a variant that is their stack")


def test_a_stack_of_a_series_is_told_by_its_numbers() -> None:
    """The last patches may change nothing that the model has; one more or less is another stack."""
    series = variant(One)
    assert len(chosen(thread(1, 2, 3), None, series, (1, 2, 3)).parts) == 3
    for numbers in ((1, 2), (1, 2, 3, 4)):
        with pytest.raises(InputError, match="holds 3 patches, and v is not the stack of them"):
            chosen(thread(1, 2, 3), None, series, numbers)


def test_warnings_of_a_stack_name_their_patch() -> None:
    """A hunk that was cut, a diffstat that is another."""
    cut = numbered(2, 2).replace("3 ++-", "4 ++--")
    patch = chosen(
        parse_patches(mbox(numbered(1, 2), cut).encode()),
        None,
        variant(type("A", (), {"__doc__": "1, 2/2: x"})),
    )
    assert patch.warnings == (
        "2/2 mm: title 2: mm/memory.c: 4 changed lines in the mail's diffstat, 3 changed lines in its hunks",
    )
