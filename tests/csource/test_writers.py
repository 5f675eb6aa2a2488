"""Writers' C: calls on one VMA, functions that are one step of the model, and errors that are given back."""

from __future__ import annotations

import pytest

from spfvar.csource.machine import Machine
from spfvar.csource.parse import parse
from spfvar.csource.units import Exemption, Kind
from spfvar.csource.words import Word, Words, WordsFile
from tests.csource.machines import words_up_to

WORDS = WordsFile(
    calls={
        "lock": "spin_lock ptl",
        "unlock": "spin_unlock ptl",
        "clear": "clear",
        "put": "put",
        "same": "same",
    },
    tested=["same"],
    context=["vma"],
    steps={"zap_pte_range": "zap", "zap_pmd_range": ""},
    ordered=["spin_lock ptl", "spin_unlock ptl"],
    repeated=["flush"],
    stores={"e": "store e", "vma->flags = new": "store flags"},
)


def paths(
    body: str,
    *more: str,
    vmas: str = "",
    inline: tuple[str, ...] = (),
    exceptions: tuple[Exemption, ...] = (),
) -> set[str]:
    """The words of at most six letters of a function with this body."""
    text = "\n".join([*more, f"int f(struct vm_area_struct *vma, int a) {{ {body} }}"])
    functions = parse(text, "f.c").functions
    find = {name: functions[name] for name in inline}.get
    nfa = Machine(Words(WORDS), find, exceptions, vmas).nfa(functions["f"])
    return {", ".join(word) for word in words_up_to(nfa, 6)}


def exempt(kind: Kind, what: str, *functions: str) -> Exemption:
    """An exception, with a reason."""
    return Exemption(kind, what, functions, "a test")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("for_each_vma(vmi, vma) put(); lock();", {"put, spin_lock ptl"}),
        ("mas_for_each(&mas, vma, ULONG_MAX) { if (a) continue; put(); } lock();", {"put, spin_lock ptl", "spin_lock ptl"}),
        ("do put(); while ((vma = mas_find(&mas, ULONG_MAX)) != NULL); lock();", {"put, spin_lock ptl"}),
        ("do { put(); vma = next_one(vma); } while (vma); lock();", {"put, spin_lock ptl"}),
    ],
)  # fmt: skip
def test_a_call_on_one_vma_goes_round_once(body: str, expected: set[str]) -> None:
    """Loops over VMAs have one round; those over anything else have any number of them."""
    assert paths(body, vmas="one") == expected
    assert paths(body, vmas="each") > expected
    assert "put, put" in paths("while (more(a)) put();", vmas="one")


def test_of_a_writer_nothing_is_known_that_lies_in_memory() -> None:
    """But whether its VMA has a file; variables are known as in any function."""
    twice = "if ({0}) lock(); if ({0}) unlock();"
    assert "spin_unlock ptl" in paths(twice.format("vma->flags & A"), vmas="one")
    assert paths(twice.format("vma->vm_file"), vmas="one") == {"spin_lock ptl, spin_unlock ptl", ""}
    assert paths(twice.format("a"), vmas="one") == {"spin_lock ptl, spin_unlock ptl", ""}


ZAP = "static int zap_pte_range(int a) { lock(); if (same()) clear(); put(); unlock(); return a; }"


def test_a_step_shows_its_locks_and_that_something_was_done() -> None:
    """Any number of times, or not at all, whichever of its calls that was; its tests are no letters."""
    found = paths("zap_pte_range(a); put();", ZAP, inline=("zap_pte_range",))
    assert found == {
        ", ".join(["spin_lock ptl", *["zap"] * number, "spin_unlock ptl", "put"]) for number in range(4)
    }
    leads = ZAP.replace("zap_pte_range", "zap_pmd_range")
    assert paths("zap_pmd_range(a); put();", leads, inline=("zap_pmd_range",)) == {
        "spin_lock ptl, spin_unlock ptl, put"
    }


def test_a_word_in_a_step_is_what_the_step_is() -> None:
    """A lock stays, a call becomes the step, a test is silent; elsewhere all are what they are."""
    words = Words(WORDS)
    assert words.within("zap_pte_range", words.classify("put")) == Word("primitive", ("zap",))
    assert words.within("zap_pte_range", words.classify("lock")) == words.classify("lock")
    assert words.within("zap_pte_range", words.classify("same")) == Word("silent")
    assert words.within("zap_pmd_range", words.classify("put")) == Word("silent")
    assert words.within("f", words.classify("same")) == words.classify("same")
    assert words.many == {"zap", "flush"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("if (a) return -ENOMEM; put(); return 0;", {"put"}),
        (
            "int e = -EINVAL; if (a) goto out; put(); e = 0; out: unlock(); return e;",
            {"put, spin_unlock ptl"},
        ),
        ("if (a) return NULL; put(); return a;", {"put", ""}),
        ("int n = helper(a); if (n == 1) put(); else unlock(); return 0;", {"put", "spin_unlock ptl"}),
        ("if (helper(a) < 0) put(); else unlock(); return 0;", {"spin_unlock ptl"}),
    ],
)
def test_a_path_that_gives_back_an_error_is_not_followed(body: str, expected: set[str]) -> None:
    """Whatever it did before; what is no error, or not known, is."""
    helper = "static int helper(int a) { if (a == 3) return -ENOMEM; return a ? 1 : 0; }"
    cut = exempt("cut", "return -E", "f*")
    assert paths(body, helper, inline=("helper",), exceptions=(cut,)) == expected
    assert paths("if (a) return NULL; put(); return a;", exceptions=(exempt("cut", "return NULL"),)) == {
        "put"
    }


def test_numbers_and_errors_are_told_apart() -> None:
    """What a variable was set to decides what it equals, and whether it is an error."""
    choose = "int n = {}; if (n == 1) put(); else if (n == -EAGAIN) lock(); else if (n < 0) unlock(); else clear();"
    for value, expected in (
        ("1", "put"),
        ("-EAGAIN", "spin_lock ptl"),
        ("-ENOMEM", "spin_unlock ptl"),
        ("2", "clear"),
    ):
        assert paths(choose.format(value)) == {expected}, value
    assert paths("p = ERR_PTR(-ENOMEM); if (IS_ERR(p)) put(); else lock();") == {"put"}


def test_an_exception_may_be_about_all_that_is_read_into_a_function() -> None:
    """Its name with a star behind; without, about the function alone."""
    helper = "static void helper(int a) { if (never(a)) put(); }"
    body = "if (never(a)) lock(); helper(a);"
    for name, expected in (("f*", {""}), ("f", {"put", ""}), ("helper", {"spin_lock ptl", ""})):
        found = paths(body, helper, inline=("helper",), exceptions=(exempt("never", "never()", name),))
        assert found == expected, name


def test_dots_stand_for_anything() -> None:
    """In a condition, a call or a letter; everything else of it is as it is written."""
    retry = exempt("never", "...flags & FAULT_FLAG_RETRY_NOWAIT")
    assert retry.means("flags & FAULT_FLAG_RETRY_NOWAIT")
    assert retry.means("vmf->flags & FAULT_FLAG_RETRY_NOWAIT")
    assert not retry.means("vmf->flags & FAULT_FLAG_TRIED")
    assert not exempt("cut", "a.b").means("axb")
    assert exempt("both", "spin_...lock ptl").hides("spin_unlock ptl", "c")
    assert not exempt("both", "spin_...lock ptl").hides("spin_lock pmd_lock", "c")


def test_a_store_may_be_told_by_its_value() -> None:
    """The field alone, or with what is written to it."""
    words = Words(WORDS)
    assert words.store("vma->flags", "new").letters == ("store flags",)
    assert words.store("vma->flags", "old") == Word("unknown")
    assert words.store("vma->e", "old").letters == words.store("vma->e").letters == ("store e",)
