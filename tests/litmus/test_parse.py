"""The reader of litmus tests: what statements and clauses mean, and errors that say where and what was expected."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spfvar.errors import InputError
from spfvar.litmus import ast
from spfvar.litmus.functions import FUNCTIONS
from spfvar.litmus.parse import UnsupportedTest, parse, read
from spfvar.litmus.text import litmus_text
from tests.litmus import arbitrary

X, Y = ast.Address("x"), ast.Address("y")
R0, ONE, TWO = ast.Register("r0"), ast.Number(1), ast.Number(2)


def whole(body: str, clause: str = "true") -> str:
    """A test of one thread with the words x and y and the register r0."""
    return f"C T\n{{}}\nP0(int *x, atomic_t *y)\n{{\n\tint r0;\n{body}\n}}\nexists ({clause})\n"


def statements(body: str) -> tuple[ast.Statement, ...]:
    """What a body comes to."""
    return parse(whole(body)).threads[0].body


# -- Statements ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("r0 = READ_ONCE(*x);", ast.Load("r0", X, "once")),
        ("r0 = smp_load_acquire(x);", ast.Load("r0", X, "acquire")),
        ("r0 = rcu_dereference(*x);", ast.Load("r0", X, "once")),
        ("r0 = atomic_read_acquire(y);", ast.Load("r0", Y, "acquire")),
        ("r0 = *x;", ast.Load("r0", X, "plain")),
        ("*x = 1;", ast.Store(X, ONE, "plain")),
        ("WRITE_ONCE(*x, 1);", ast.Store(X, ONE, "once")),
        ("smp_store_release(x, 1);", ast.Store(X, ONE, "release")),
        ("rcu_assign_pointer(*x, y);", ast.Store(X, Y, "release")),
        ("atomic_set_release(y, 0x1);", ast.Store(Y, ONE, "release")),
        ("atomic_inc(y);", ast.Rmw(None, Y, "+", ONE, "nothing", "once")),
        ("atomic_or(2, y);", ast.Rmw(None, Y, "|", TWO, "nothing", "once")),
        ("r0 = atomic_fetch_sub_release(2, y);", ast.Rmw("r0", Y, "-", TWO, "old", "release")),
        ("r0 = atomic_add_return_relaxed(2, y);", ast.Rmw("r0", Y, "+", TWO, "new", "once")),
        ("r0 = atomic_fetch_andnot(2, y);", ast.Rmw("r0", Y, "&", ast.Unary("~", TWO), "old", "full")),
        ("r0 = xchg(x, 2);", ast.Rmw("r0", X, "xchg", TWO, "old", "full")),
        ("atomic_xchg_acquire(y, 2);", ast.Rmw(None, Y, "xchg", TWO, "old", "acquire")),
        ("r0 = cmpxchg_relaxed(x, 1, 2);", ast.Cmpxchg("r0", X, ONE, TWO, "once")),
        ("(void)atomic_add_unless(y, 1, 2);", ast.AddUnless(None, Y, ONE, TWO)),
        ("r0 = spin_trylock(x);", ast.SpinTrylock("r0", X)),
        ("r0 = spin_is_locked(x);", ast.SpinIsLocked("r0", X)),
        ("synchronize_rcu_expedited();", ast.RcuSync()),
        ("r0 = srcu_read_lock(x);", ast.SrcuLock("r0", X)),
        ("srcu_read_unlock(x, r0);", ast.SrcuUnlock(X, R0)),
        ("synchronize_srcu_expedited(x);", ast.SrcuSync(X)),
        ("smp_mb__after_unlock_lock();", ast.Fence("after-unlock-lock")),
        ("r0 = NULL;", ast.Assign("r0", ast.Number(0))),
        ("r0 = (int)1u;", ast.Assign("r0", ONE)),
        ("int *r1 = x;", ast.Assign("r1", X)),
    ],
)
def test_a_call_is_one_statement(text: str, expected: ast.Statement) -> None:
    """With the address, the order and the operands that the kernel's name says."""
    assert statements(text) == (expected,)


def test_a_full_barrier_behind_a_store_is_a_statement_of_its_own() -> None:
    """``smp_store_mb()`` is WRITE_ONCE() and smp_mb()."""
    assert statements("smp_store_mb(*x, 1);") == (ast.Store(X, ONE, "once"), ast.Fence("mb"))


def test_an_access_inside_an_expression_goes_to_a_register_of_its_own() -> None:
    """Left to right, before the statement that needs it; the dependency is in the register."""
    assert statements("r0 = READ_ONCE(*x) + atomic_read(y);") == (
        ast.Load("t0", X, "once"),
        ast.Load("t1", Y, "once"),
        ast.Assign("r0", ast.Binary("+", ast.Register("t0"), ast.Register("t1"))),
    )


def test_registers_of_the_reader_are_none_of_the_tests() -> None:
    """The thread has a t0 already."""
    body = "int t0 = 1; r0 = READ_ONCE(*x) + t0;"
    assert statements(body)[1] == ast.Load("t1", X, "once")


def test_the_result_of_a_test_is_a_comparison() -> None:
    """``atomic_dec_and_test()`` is atomic_dec_return() == 0, with the order of that."""
    change, branch = statements("if (atomic_dec_and_test(y)) WRITE_ONCE(*x, 1); else { }")
    assert change == ast.Rmw("t0", Y, "-", ONE, "new", "full")
    condition = ast.Binary("==", ast.Register("t0"), ast.Number(0))
    assert branch == ast.If(condition, (ast.Store(X, ONE, "once"),), ())


def test_a_pointer_that_was_read_is_followed_by_its_register() -> None:
    """An address dependency."""
    load, second = statements("int *r1; r1 = READ_ONCE(*x); r0 = READ_ONCE(*r1);")
    assert (load, second) == (ast.Load("r1", X, "once"), ast.Load("r0", ast.Register("r1"), "once"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("r0 + 1 == 2", "(r0 + 1) == 2"),
        ("r0 & 1 == 2", "r0 & (1 == 2)"),
        ("r0 == 1 || r0 == 2 && r0", "(r0 == 1) || ((r0 == 2) && r0)"),
        ("r0 - 1 - 2", "(r0 - 1) - 2"),
        ("!r0 + -r0", "(!r0) + (-r0)"),
        ("-1 - -2", "(-1) - (-2)"),
    ],
)
def test_operators_bind_as_in_c(text: str, expected: str) -> None:
    """With and without parentheses."""
    assert statements(f"r0 = {text};") == statements(f"r0 = {expected};")


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_call_can_be_written_with_its_arguments(name: str) -> None:
    """And not with one more."""
    function = FUNCTIONS[name]
    arguments = [{"l": "*x", "p": "x", "v": "1"}[kind] for kind in function.arguments]
    assert statements(f"{name}({', '.join(arguments)});")
    with pytest.raises(InputError, match=f"arguments of {name}"):
        statements(f"{name}({', '.join([*arguments, '1'])});".replace("()", "(1)"))


# -- Around the threads ----------------------------------------------------------------------------------------


HEAD = """(* before *)
C name+of+it (* here { too *)
"a string { of a tool"
Prefetch=what it left

(*
 * Result: Sometimes
 * nested (* comment *)
 *)
// C's too
"""


def test_what_is_between_the_name_and_the_values_is_skipped() -> None:
    """But for the claim."""
    test = parse(HEAD + "{ x=1; (* y=2; *) }\nP0(int *x) { /* P1() { */ }\nexists (x=1) (* end *)\n")
    assert (test.name, test.result) == ("name+of+it", "sometimes")
    assert test.initial == (ast.Initial(ast.FinalWord("x"), ONE),)


def test_a_star_behind_a_parenthesis_is_no_comment_in_a_thread() -> None:
    """``(*x)`` is a load there."""
    assert statements("r0 = (*x);") == (ast.Load("r0", X, "plain"),)


def test_initial_values() -> None:
    """Numbers, addresses with and without &, registers, mere declarations; types do not matter."""
    text = "C T\n{ x=-1; int *p = &x; q=x; atomic_t v = ATOMIC_INIT(2); 0:r0=x; spinlock_t l; [z]=1 }\nP0() { }\nexists (true)"
    initial = {i.place: i.value for i in parse(text).initial}
    assert initial == {
        ast.FinalWord("x"): ast.Number(-1),
        ast.FinalWord("p"): X,
        ast.FinalWord("q"): X,
        ast.FinalWord("v"): TWO,
        ast.FinalRegister(0, "r0"): X,
        ast.FinalWord("l"): ast.Number(0),
        ast.FinalWord("z"): ONE,
    }


def test_words_are_those_of_the_values_and_of_the_parameters() -> None:
    """Each once."""
    assert parse("C T\n{ p=z; }\nP0(int *x, int **p) { }\nexists (true)").words == ("p", "z", "x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x=1", ast.Equal(ast.FinalWord("x"), ONE)),
        ("0:r0=x", ast.Equal(ast.FinalRegister(0, "r0"), X)),
        ("0:r0=[x]", ast.Equal(ast.FinalRegister(0, "r0"), ast.FinalWord("x"))),
        ("0:r0=0:r0", ast.Equal(ast.FinalRegister(0, "r0"), ast.FinalRegister(0, "r0"))),
        ("x!=1", ast.Not(ast.Equal(ast.FinalWord("x"), ONE))),
        (
            "x=1 => y=1",
            ast.Or((ast.Not(ast.Equal(ast.FinalWord("x"), ONE)), ast.Equal(ast.FinalWord("y"), ONE))),
        ),
        (
            r"x=1 /\ y=1 \/ ~x=2",
            ast.Or(
                (
                    ast.And((ast.Equal(ast.FinalWord("x"), ONE), ast.Equal(ast.FinalWord("y"), ONE))),
                    ast.Not(ast.Equal(ast.FinalWord("x"), TWO)),
                )
            ),
        ),
    ],
)
def test_clauses(text: str, expected: ast.Clause) -> None:
    r"""``~`` binds most tightly, then ``/\``, ``\/``, ``=>``."""
    assert parse(whole("", text)).clause == expected


def test_filter_and_locations() -> None:
    """In any order before the quantifier."""
    text = whole("").replace("exists (true)", "locations [x; 0:r0]\nfilter (x=1)\n~exists (y=1)")
    test = parse(text)
    assert test.locations == (ast.FinalWord("x"), ast.FinalRegister(0, "r0"))
    assert test.filter == ast.Equal(ast.FinalWord("x"), ONE)
    assert test.quantifier == "~exists"


# -- Errors ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, 'this is no litmus test; expected a line "C NAME"'),
        ("C T", 1, "the test has a name only; expected { initial values }"),
        ("C T\n(* no end", 2, "this comment does not end; expected *)"),
        ("C T\n{ x=; }", 2, 'found ";"; expected a number or the name of a shared word'),
        ("C T\n{ x=1; x=2; }", 2, "this has two initial values"),
        ("C T\n{}\nexists (true)", 3, 'found "exists"; expected a thread such as P0(int *x) { ... }'),
        ("C T\n{}\nP1() {}\nexists (true)", 3, 'found "P1"; expected the threads in order: P0 here'),
        (
            "C T\n{}\nP0(int x) {}",
            3,
            '"x" is passed by value; expected a pointer to a shared word, such as int *x',
        ),
        ("C T\n{}\nP0(int *x, int *x) {}", 3, 'two parameters are called "x"'),
        ("C T\n{}\nP0() {\n", 4, "found the end of the file; expected a value"),
        ("C T\n{}\nP0() {}\n", 4, "found the end of the file; expected exists, ~exists or forall"),
        ("C T\n{}\nP0() {}\nexists (x=1)", 4, "unknown shared word 'x'; known: none"),
        ("C T\n{}\nP0() {}\nexists (1:r0=1)", 4, "unknown thread '1:'; known: 0:"),
        ("C T\n{}\nP0() {}\nexists (true) x", 4, r'found "x"; expected "/\", "\/" or the end of the file'),
        (whole("r0 = READ_ONCE(x);"), 6, '"x" is the address of a shared word; expected the word: *x'),
        (whole("r0 = READ_ONCE(*x, 1);"), 6, 'found ","; expected ")" after 1 arguments of READ_ONCE()'),
        (whole("r0 = READ_ONCE(*x)"), 7, 'found "}"; expected ";"'),
        (
            whole("x = 1;"),
            6,
            '"x" is the address of a shared word; expected *x = ..., a store to the word, or a local variable',
        ),
        (
            whole("r0 = r1;"),
            6,
            "unknown parameter or local variable 'r1'; known: x, y, r0",
        ),
        (whole("r0 = smp_mb();"), 6, "smp_mb() has no value; expected a statement of its own"),
        (whole("int x;"), 6, '"x" is a parameter and a local variable'),
        (whole("/* no end"), 6, "this comment does not end; expected */"),
        (whole("r0 = 1@2;"), 6, 'found the character "@"'),
        (
            whole("r0 = " + "(" * 100 + "1" + ")" * 100 + ";"),
            6,
            "nested too deeply; expected at most 60 levels",
        ),
        (
            whole("r0 = 1" + " + 1" * 101 + ";"),
            6,
            "the statement is too long; expected at most 100 operators",
        ),
        (whole("r0 = 9223372036854775808;"), 6, "this number is too large; expected less than 2**63"),
        (whole("", "0:r1=1"), 8, "unknown register of P0 'r1'; known: r0"),
        (whole("", "0:r0"), 8, 'found ")"; expected "=" and a value'),
        (whole("", "~" * 100 + "x=1"), 8, "nested too deeply; expected at most 60 levels"),
    ],
)
def test_errors_say_where_and_what_was_expected(text: str, line: int, message: str) -> None:
    """File, line, what was found, what should have been there."""
    with pytest.raises(InputError) as error:
        parse(text, "t.litmus")
    assert not isinstance(error.value, UnsupportedTest)
    assert str(error.value) == f"t.litmus:{line}: {message}"


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("PPC T\n{}\n", 1, "a test in PPC; only those in C are"),
        ("C T\n{ int x[2]; }\nP0() {}\nexists (true)", 2, "an array"),
        ("C T\n{}\nP0(int x[2]) {}", 3, "a parameter that is an array or a function"),
        (whole("while (1) ;"), 6, 'the statement "while"'),
        (whole("call_rcu(x);"), 6, "call_rcu(), which is none of the known calls"),
        (whole("r0 = 1 ? 2 : 3;"), 6, 'the operator "?"'),
        (whole("r0 += 1;"), 6, 'the operator "+="'),
        (whole("r0 = x->next;"), 6, 'the operator "->"'),
        (whole("r0 = &x;"), 6, "an address taken in a thread"),
        (whole("r0 = r0 && READ_ONCE(*x);"), 6, 'an access to memory on the right of "&&"'),
        (whole("", "0:r0<1"), 8, '"<" in a condition'),
    ],
)
def test_what_has_no_meaning_here_is_unsupported(text: str, line: int, why: str) -> None:
    """A verdict as much as an error: `why` is for it."""
    with pytest.raises(UnsupportedTest) as error:
        parse(text, "t.litmus")
    assert error.value.why == why
    assert str(error.value) == f"t.litmus:{line}: not supported: {why}"


def test_files(tmp_path: Path) -> None:
    """A file is read as UTF-8; what is none is an error with its line."""
    path = tmp_path / "t.litmus"
    path.write_text(whole(""), encoding="utf-8")
    assert read(path).name == "T"
    path.write_bytes(b"C T\n{}\n\xff")
    with pytest.raises(InputError, match=r"t.litmus:3: the file is not text; expected UTF-8 text"):
        read(path)
    with pytest.raises(InputError, match="cannot read"):
        read(tmp_path)


@given(arbitrary.tests, st.data())
def test_a_damaged_test_is_read_or_refused_with_a_line(test: ast.Test, data: st.DataObject) -> None:
    """No other exception, whatever characters come instead of others."""
    text = litmus_text(test)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 10)))
    put = data.draw(st.text(st.sampled_from("(){}[]*/\\~=&|;:,.<> \nx0P\"'e\x00é"), max_size=5))
    try:
        parse(text[:start] + put + text[end:], "t.litmus")
    except InputError as error:
        line = error.line
    else:
        return
    assert line is not None
