"""Words and exceptions are data: what they name has to make sense, and to be read as it is meant."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from spfvar.csource.units import KINDS, ExceptionEntry, units_for
from spfvar.csource.words import Word, WordsFile, words_for
from spfvar.errors import InputError
from spfvar.mm.hookspecs import HOOKS

RELEASES = ["6.1", "6.12"]


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("pte_same", (), Word("primitive", ("pte_same",), tested=True)),
        ("spin_lock", ("vmf->ptl",), Word("primitive", ("spin_lock ptl",))),
        ("spin_lock", ("&mm->page_table_lock",), Word("primitive", ("spin_lock page_table_lock",))),
        ("spin_lock", ("&inode->i_lock",), Word("unknown")),  # a lock that the model does not have
        ("do_wp_page", ("vmf",), Word("hook", ("do_wp_page()",))),
        ("count_vm_event", ("PGFAULT",), Word("silent")),
        (
            "pte_none",
            ("vmf->orig_pte",),
            Word("silent"),
        ),  # the entry that was read before: no look at the table
        ("pte_unmap_unlock", (), Word("primitive", ("spin_unlock ptl", "rcu_read_unlock"))),
        ("frobnicate", (), Word("unknown")),
    ],
)
def test_a_call_is_what_the_table_says(name: str, args: tuple[str, ...], expected: Word) -> None:
    """Of v6.12."""
    assert words_for("6.12").classify(name, args) == expected


def test_conditions_and_stores_have_words_too() -> None:
    """What is read, or written, without a call; "!" in a table: the C asks the other way round."""
    words = words_for("v6.12")
    assert words.condition("vma->detached") == Word("primitive", ("detached",), tested=True)
    assert words.condition("index >= max_idx") == Word(
        "primitive", ("index < i_size",), tested=True, negated=True
    )
    assert words.store("vma->vm_lock_seq").letters == ("store vm_lock_seq",)
    assert words.store("vm_lock_seq") == words.condition("a > b") == Word("unknown")


def test_a_letter_is_written_in_python() -> None:
    """For drafts of texts."""
    words = words_for("6.1")
    assert words.python("pte_same") == "pte_same()"
    assert words.python("spin_lock ptl") == "spin_lock(PTL)"
    assert words.python("do_wp_page()") == "from hooks.do_wp_page(vmf)"


def test_a_release_is_named_as_people_name_it() -> None:
    """And one that nobody has words for is refused."""
    assert words_for("6.12") is words_for("v6.12") is words_for("6.12.117")
    for kernel in ("6.120", "5.12"):
        for table in (words_for, units_for):
            with pytest.raises(InputError, match=r"unknown release.*6\.1, 6\.12") as said:
                table(kernel)
            assert said.value.key == "--kernel"


@pytest.mark.parametrize("kernel", RELEASES)
def test_hook_points_of_the_tables_exist(kernel: str) -> None:
    """Or a text would never be asked."""
    words, units = words_for(kernel), units_for(kernel)
    assert set(words.table.hooks.values()) <= set(HOOKS)
    assert {unit.text for unit in units.unit} <= set(HOOKS)
    assert set(units.opaque) <= set(HOOKS)


@pytest.mark.parametrize("kernel", RELEASES)
def test_no_word_is_said_twice(kernel: str) -> None:
    """A name that is a primitive and silent would be what the code asks first."""
    table = words_for(kernel).table
    silent = [name for names in table.silent.values() for name in names]
    assert not set(silent) & (set(table.hooks) | set(table.locks))
    assert not set(silent) & set(table.calls)


@pytest.mark.parametrize("kernel", RELEASES)
def test_every_exception_has_a_reason_and_is_said_once(kernel: str) -> None:
    """A reason is a sentence, not a word."""
    found = units_for(kernel).exemptions
    assert all(len(one.why) > 5 for one in found)
    assert len({(one.kind, one.what, one.functions) for one in found}) == len(found)
    names = {unit.c for unit in units_for(kernel).unit} | set(units_for(kernel).inline) | set(HOOKS)
    for one in found:
        assert {name.rstrip("*").partition("<")[0] for name in one.functions} <= names, one


def test_an_exception_that_says_nothing_is_refused() -> None:
    """With what it may say."""
    with pytest.raises((InputError, ValidationError)) as told:
        ExceptionEntry(why="because")
    assert all(kind in str(told.value) for kind in KINDS)


def test_words_of_a_release_have_the_last_say() -> None:
    """On top of the common ones."""
    common = WordsFile(calls={"a": "x", "b": "y"}, tested=["x"])
    merged = WordsFile(calls={"b": "z"}, tested=["z"]).on(common)
    assert merged.calls == {"a": "x", "b": "z"}
    assert merged.tested == ["x", "z"]
