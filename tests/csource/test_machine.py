"""What is known on a path decides where it goes; exceptions take paths and letters out, and say that they did."""

from __future__ import annotations

import pytest

from spfvar.csource.units import Exemption, Kind
from spfvar.csource.words import WordsFile
from tests.csource.machines import machine, words_up_to

WORDS = WordsFile(
    calls={
        "lock": "lock",
        "unlock": "unlock",
        "same": "same",
        "not_same": "!same",
        "get": "get",
        "both": ["lock", "get"],
    },
    tested=["same", "field"],
    hooks={"hook": "hook"},
    conditions={"vma->field": "field", "vma->field == x": "!field"},
    stores={"field": "store field"},
    stable=["->flags"],
    context=["vmf"],
    results={"never_null": True},
    once=["same"],
    lock_makers={"pmd_lock": "pmd_lock"},
    lock_classes={"pmd_lock": "pmd_lock", "ptl": "ptl"},
    locks={"spin_lock": "spin_lock", "spin_unlock": "spin_unlock"},
)


def paths(
    body: str, *more: str, inline: tuple[str, ...] = (), exceptions: tuple[Exemption, ...] = ()
) -> set[str]:
    """The words of a function with this body; ``more`` are other functions."""
    text = "\n".join([*more, f"int f(struct vm_fault *vmf, int a, int b) {{ {body} }}"])
    _, nfa = machine(text, WORDS, inline, exceptions)
    return {", ".join(word) for word in words_up_to(nfa, 8)}


def exempt(kind: Kind, what: str, *functions: str) -> Exemption:
    """An exception, with a reason."""
    return Exemption(kind, what, functions, "a test")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        # A test that decides is told with its outcome; "!" turns it round.
        ("if (same()) lock();", {"same = 1, lock", "same = 0"}),
        ("if (!not_same()) lock();", {"same = 1, lock", "same = 0"}),
        ("int r = same(); get(); if (r) lock();", {"same = 1, get, lock", "same = 0, get"}),
        # The same test twice does not go both ways, unless what it asks was written in between.
        ("if (a) lock(); if (a) unlock();", {"lock, unlock", ""}),
        ("if (a) lock(); a = b; if (a) unlock();", {"lock, unlock", "lock", "unlock", ""}),
        ("if (a == b) lock(); if (a != b) get();", {"lock", "get"}),
        ("if (other(a)) lock(); if (other(a)) unlock();", {"lock, unlock", ""}),
        # What is written from something that is not looked at is not known any more.
        ("a = 0; a = b++; if (a) lock(); else get();", {"lock", "get"}),
        ("a = 0; a = VM_WARN_ON_ONCE(b); if (a) lock(); else get();", {"lock", "get"}),
        ("a = 0; if (b++) both(); if (a--) lock(); if (a) unlock(); else get();",
         {f"{one}{two}{three}" for one in ("lock, get, ", "") for two in ("lock, ", "") for three in ("unlock", "get")}),
        # Constants and flags.
        ("a = 0; if (a) lock();", {""}),
        ("int ret = VM_FAULT_RETRY; if (ret & (VM_FAULT_ERROR | VM_FAULT_RETRY)) lock();", {"lock"}),
        ("int ret = VM_FAULT_OOM; if (ret & VM_FAULT_ERROR) lock();", {"lock"}),
        ("int ret = VM_FAULT_NOPAGE; ret |= VM_FAULT_MAJOR; if (ret & VM_FAULT_MAJOR) lock();", {"lock"}),
        ("int ret = VM_FAULT_NOPAGE; if (ret & VM_FAULT_RETRY) lock();", {""}),
        # What a hook point, or a pointer, may have changed is not known any more; flags are nobody's to change.
        ("if (vmf->pte) lock(); hook(vmf); if (vmf->pte) unlock();",
         {"lock, hook(), unlock", "lock, hook()", "hook(), unlock", "hook()"}),
        ("if (vmf->flags & A) lock(); hook(vmf); if (vmf->flags & A) unlock();", {"lock, hook(), unlock", "hook()"}),
        ("if (a) lock(); fill(&a); if (a) unlock();", {"lock, unlock", "lock", "unlock", ""}),
        # Reads and writes that are no calls.
        ("if (vma->field) lock(); else vma->field = a;", {"field = 1, lock", "field = 0, store field"}),
        ("if (vma->field != x) lock();", {"field = 1, lock", "field = 0"}),
        ("WRITE_ONCE(vma->field, a);", {"store field"}),
        # Several letters of one call; a lock by who gave it; a call that always gives something.
        ("both();", {"lock, get"}),
        ("spinlock_t *l = pmd_lock(a); spin_unlock(l); spin_lock(vmf->ptl);", {"spin_unlock pmd_lock, spin_lock ptl"}),
        ("a = never_null(); if (!a) lock();", {""}),
        # Asked again, it says the same.
        ("if (same(a)) lock(); if (same(a)) unlock();", {"same = 1, lock, unlock", "same = 0"}),
        # An error as a pointer.
        ("page = same(); if (IS_ERR(page)) lock();", {"same = 1", "same = 0, lock"}),
        ("return same() && vma->field;", {"same = 0", "same = 1, field = 0", "same = 1, field = 1"}),
    ],
)  # fmt: skip
def test_paths_go_by_what_is_known(body: str, expected: set[str]) -> None:
    """Words of the body, read off it."""
    assert paths(body) == expected


def test_what_is_found_out_takes_the_place_of_what_was_known() -> None:
    """A condition that asks a variable first came out true, so the variable is; eight, for a set has any order."""
    names = [f"v{number}" for number in range(8)]
    words = WORDS.model_copy(update={"conditions": {f"{name} && p->x": "field" for name in names}})
    for name in names:
        body = f"if ({name}) lock(); if ({name} && p->x) {{ if ({name}) get(); else unlock(); }}"
        _, nfa = machine(f"void f(int {name}) {{ {body} }}", words)
        assert not any("unlock" in word for word in words_up_to(nfa, 8)), name


ROUND = "lock, get, "


@pytest.mark.parametrize(
    ("body", "rounds"),
    [
        ("while (mystery(a)) both(); unlock();", range(4)),
        ("while (!empty(&p->list)) both(); unlock();", range(4)),
        ("while (a--) both(); unlock();", range(4)),
        ("for (;p->e;) both(); unlock();", range(4)),
        ("do both(); while (p->e); unlock();", range(1, 4)),
        ("again: both(); if (!mystery(a)) goto again; unlock();", range(1, 4)),
        # What was known before it holds in its first round: p->e, so there is one.
        ("p->e = 1; while (p->e) both(); unlock();", range(1, 4)),
        # In one round a condition says the same twice.
        ("while (mystery(a)) { if (p->e) lock(); if (p->e) get(); } unlock();", range(4)),
        # A macro that is a loop, whatever is known of the variable that it writes.
        ("for_each_vma(vmi, vma) both(); unlock();", range(4)),
        ("if (a) vma_for_each(vmi, a) both(); unlock();", range(4)),
        ("if (!a) for_each_vma(vmi, a) both(); unlock();", range(4)),
        # Variables that nobody writes are what they were: for ever, which is no path to the end.
        ("while (a) both(); unlock();", range(1)),
    ],
)
def test_a_loop_goes_round_any_number_of_times(body: str, rounds: range) -> None:
    """Words of at most eight letters: three rounds of two, and one letter behind."""
    assert paths(body) == {f"{ROUND * number}unlock" for number in rounds}


def test_what_nobody_changes_is_the_same_in_each_round() -> None:
    """Flags of the fault, and a variable that the loop does not write: each round is of one kind."""
    rounds = {f"{', '.join([letter] * number)}" for letter in ("lock", "get") for number in range(9)}
    for condition in ("vmf->flags & A", "b"):
        assert paths(f"while (mystery(a)) {{ if ({condition}) lock(); else get(); }}") == rounds
    mixed = paths("while (mystery(a)) { if (p->e) lock(); else get(); }")
    assert "lock, get" in mixed


def test_a_macro_that_is_a_loop_forgets_what_it_writes() -> None:
    """Behind it a variable may be what it was not before."""
    assert paths("if (a) lock(); for_each_vma(vmi, a) c(); if (a) unlock();") == {
        "lock, unlock",
        "lock",
        "unlock",
        "",
    }


HELPER = "static bool helper(struct vm_fault *vmf, bool p) { if (p) { lock(); return true; } return false; }"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("if (helper(vmf, a)) get();", {"lock, get", ""}),
        ("if (helper(vmf, 0)) get();", {""}),
        (
            "helper(vmf, a); if (a) unlock();",
            {"lock, unlock", ""},
        ),  # what it found out of its argument is known
        ("if (a) get(); helper(vmf, a);", {"get, lock", ""}),
        ("b = helper(vmf, true); if (b) get();", {"lock, get"}),
    ],
)
def test_helpers_are_read_where_they_are_called(body: str, expected: set[str]) -> None:
    """With their arguments, and what they return."""
    assert paths(body, HELPER, inline=("helper",)) == expected
    assert not any("lock" in word.split(", ") for word in paths(body, HELPER))


SETS = "static int sets(int x) { if (!x) x = 1; return 0; }"
FILLS = "static int fills(int x) { fill(&x); if (x) both(); return 0; }"
LOOKS = "static void looks(struct vm_fault *vmf) { if (vmf->flags & A) get(); }"
WRITES = "static void writes(struct s *q) { q->e = 1; }"
PASSES = "static void passes(struct s *r) { writes(r); }"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        # A parameter is the helper's own: what it writes there is not in the caller's variable.
        ("sets(a); if (a) get(); else lock();", {"get", "lock"}),
        ("fills(a); if (a) get(); else lock();", {"lock, get, get", "lock, get, lock", "get", "lock"}),
        # Its vmf is the caller's only if that one was given.
        ("looks(vmf); if (vmf->flags & A) lock();", {"get, lock", ""}),
        ("looks(b); if (vmf->flags & A) lock();", {"get, lock", "get", "lock", ""}),
        ("if (vmf->flags & A) lock(); looks(vmf);", {"lock, get", ""}),
        ("if (vmf->flags & A) lock(); looks(b);", {"lock, get", "lock", "get", ""}),
        # What it writes through a pointer is written, whatever the pointer is called there.
        ("p->e = 0; if (p->e) lock(); else get();", {"get"}),
        ("p->e = 0; writes(p); if (p->e) lock(); else get();", {"lock", "get"}),
        ("p->e = 0; passes(p); if (p->e) lock(); else get();", {"lock", "get"}),
        ("p->e = 0; passes(b); if (p->e) lock(); else get();", {"get"}),
    ],
)
def test_what_a_helper_does_to_its_own_variables_stays_there(body: str, expected: set[str]) -> None:
    """And what it does to the caller's, does not; ``fill`` is any call that may write what it is given."""
    helpers = (SETS, FILLS, LOOKS, WRITES, PASSES)
    assert paths(body, *helpers, inline=("sets", "fills", "looks", "writes", "passes")) == expected


def test_a_helper_that_calls_itself_is_not_followed_for_ever() -> None:
    """Its inner call is a call like any other."""
    helper = "static void helper(int p) { lock(); if (p) helper(p - 1); unlock(); }"
    assert paths("helper(a);", helper, inline=("helper",)) == {"lock, unlock"}


@pytest.mark.parametrize(
    ("exception", "expected"),
    [
        (exempt("always", "a"), {"lock, get"}),
        (exempt("never", "a"), {"get"}),
        (exempt("never", "a", "f"), {"get"}),
        (exempt("never", "a", "another"), {"lock, get", "get"}),
        (exempt("always", "a", "f<another"), {"lock, get", "get"}),
        (exempt("c", "lock"), {"get"}),
        (exempt("both", "get"), {"lock", ""}),
        (exempt("text", "lock"), {"lock, get", "get"}),
        (exempt("cut", "lock"), {"get"}),
    ],
)
def test_exceptions_take_out_what_they_say_and_nothing_else(exception: Exemption, expected: set[str]) -> None:
    """Of ``if (a) lock(); get();``."""
    assert paths("if (a) lock(); get();", exceptions=(exception,)) == expected


def test_an_exception_of_a_helper_may_be_of_one_caller_alone() -> None:
    """Named "callee<caller"."""
    hides = (exempt("c", "lock", "helper<f"),)
    assert paths("helper(vmf, true); lock();", HELPER, inline=("helper",), exceptions=hides) == {"lock"}


def test_a_machine_says_what_it_met() -> None:
    """Exceptions of use, calls without a word, functions that were read."""
    used, unused = exempt("never", "a"), exempt("never", "b")
    made, _ = machine(
        f"{HELPER} int f(int a) {{ if (a) lock(); mystery(); helper(0, 0); }}",
        WORDS,
        ("helper",),
        (used, unused),
    )
    assert made.used == {used}
    assert made.unknown == {"mystery": "f.c:1"}
    assert set(made.entered) == {"f", "helper"}
    assert made.unread == {}


def test_what_could_not_be_read_is_said_with_its_function() -> None:
    """Not only that of the function itself: that of one that is read into it, at the line where it begins."""
    broken = "static void helper(void) { lock(); @@ get(; unlock(); }"
    made, _ = machine(f"\n{broken}\nint f(void) {{ helper(); }}", WORDS, ("helper",))
    assert made.unread == {"helper": "f.c:2"}
