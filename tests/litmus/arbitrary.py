"""Litmus tests of all shapes, for hypothesis: what their text must be able to say, not what makes sense to run."""

from __future__ import annotations

from hypothesis import strategies as st

from spfvar.litmus import ast

WORDS = ("x", "y", "lock")
REGISTERS = ("r0", "r1", "idx")
THREADS = 2

numbers = st.integers(-(2**31), 2**31).map(ast.Number)
addresses = st.sampled_from(WORDS).map(ast.Address)
registers = st.sampled_from(REGISTERS)
values = numbers | addresses
expressions: st.SearchStrategy[ast.Expression] = st.recursive(
    numbers | addresses | registers.map(ast.Register),
    lambda inner: (
        st.builds(ast.Unary, st.sampled_from(ast.UNARY), inner)
        | st.builds(ast.Binary, st.sampled_from(ast.BINARY), inner, inner)
    ),
    max_leaves=4,
)
pointers = expressions.filter(lambda expression: not isinstance(expression, ast.Number))
results = st.none() | registers
orders: st.SearchStrategy[ast.RmwOrder] = st.sampled_from(["once", "acquire", "release", "full"])
operators: st.SearchStrategy[ast.RmwOperator] = st.sampled_from(["+", "-", "&", "|", "^"])

accesses: st.SearchStrategy[ast.Statement] = st.one_of(
    st.builds(ast.Load, registers, pointers, st.sampled_from(["plain", "once", "acquire"])),
    st.builds(ast.Store, pointers, expressions, st.sampled_from(["plain", "once", "release"])),
    st.builds(ast.Rmw, results, pointers, operators, expressions, st.just("old"), orders),
    st.builds(ast.Rmw, results, pointers, st.sampled_from(["+", "-"]), expressions, st.just("new"), orders),
    st.builds(ast.Rmw, results, pointers, st.just("xchg"), expressions, st.just("old"), orders),
    st.builds(ast.Rmw, st.none(), pointers, operators, expressions, st.just("nothing"), st.just("once")),
    st.builds(ast.Cmpxchg, results, pointers, expressions, expressions, orders),
    st.builds(ast.AddUnless, results, pointers, expressions, expressions),
)
fences: st.SearchStrategy[ast.FenceKind] = st.sampled_from(
    ["mb", "rmb", "wmb", "barrier", "before-atomic", "after-atomic", "after-spinlock", "after-unlock-lock"]
)
locks: st.SearchStrategy[ast.Statement] = st.one_of(
    st.builds(ast.Fence, fences),
    st.builds(ast.SpinLock, pointers),
    st.builds(ast.SpinUnlock, pointers),
    st.builds(ast.SpinTrylock, results, pointers),
    st.builds(ast.SpinIsLocked, results, pointers),
    st.sampled_from([ast.RcuLock(), ast.RcuUnlock(), ast.RcuSync()]),
    st.builds(ast.SrcuLock, results, pointers),
    st.builds(ast.SrcuUnlock, pointers, expressions),
    st.builds(ast.SrcuSync, pointers),
)
simple = accesses | locks | st.builds(ast.Assign, registers, expressions)
statements: st.SearchStrategy[ast.Statement] = st.recursive(
    simple,
    lambda inner: st.builds(
        ast.If, expressions, st.lists(inner, max_size=2).map(tuple), st.lists(inner, max_size=2).map(tuple)
    ),
    max_leaves=4,
)
parameters = tuple(
    ast.Parameter(word, type_)
    for word, type_ in zip(WORDS, ("int *", "atomic_t *", "struct foo **"), strict=True)
)
#: Every register is written first, so that what follows may read it.
start = tuple(ast.Assign(register, ast.Number(0)) for register in REGISTERS)
threads = st.lists(statements, max_size=4).map(lambda body: ast.Thread(parameters, (*start, *body)))

places = st.sampled_from(WORDS).map(ast.FinalWord) | st.builds(
    ast.FinalRegister, st.integers(0, THREADS - 1), registers
)


def _some(inner: st.SearchStrategy[ast.Clause]) -> st.SearchStrategy[tuple[ast.Clause, ...]]:
    """None or several; one clause needs nothing that joins it."""
    return st.just(()) | st.lists(inner, min_size=2, max_size=3).map(tuple)


clauses: st.SearchStrategy[ast.Clause] = st.recursive(
    st.builds(ast.Equal, places | numbers | addresses, places | numbers | addresses),
    lambda inner: (
        st.builds(ast.Not, inner) | st.builds(ast.And, _some(inner)) | st.builds(ast.Or, _some(inner))
    ),
    max_leaves=5,
)


tests = st.builds(
    ast.Test,
    st.sampled_from(["MP", "SB+mb-R_2", "Z6.0+poonce"]),
    st.lists(st.builds(ast.Initial, places, values), max_size=4, unique_by=lambda i: i.place).map(tuple),
    st.lists(threads, min_size=THREADS, max_size=THREADS).map(tuple),
    st.sampled_from(["exists", "~exists", "forall"]),
    clauses,
    st.none() | clauses,
    st.lists(places, max_size=3).map(tuple),
    st.sampled_from([None, "never", "sometimes", "always"]),
)
