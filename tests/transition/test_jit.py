"""Compilation: the same words as uncompiled, no test of an index's sign, and inlined code only where it runs."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from spfvar.transition import jit
from spfvar.transition.jit import compiled, inlined
from tests.kernels import kernel


@compiled
def exchange(words: Any, table: Any, row: Any, column: Any) -> Any:
    """Swap a word with the word that a table's cell names; returns that cell."""
    cell = table[row, column]
    words[0], words[cell] = words[cell], words[0]
    words[cell] += 1
    return cell


def test_accesses_reach_the_same_words_compiled_and_uncompiled() -> None:
    table = np.array([[1, 2], [3, 4]], dtype=np.int32)
    results = []
    for function in (exchange, getattr(exchange, "py_func", exchange)):
        words = np.arange(5, dtype=np.int32) * 10
        cells = [int(function(words, table, row, column)) for row in (0, 1) for column in (0, 1)]
        results.append((cells, words.tolist()))
    assert results[0] == results[1] == ([1, 2, 3, 4], [40, 1, 11, 21, 31])


def test_no_access_asks_whether_its_index_is_negative() -> None:
    """numba would choose between the index and the index counted from the end."""
    if not hasattr(exchange, "py_func"):
        return  # uncompiled
    uncached = numba.njit(pipeline_class=jit._Compiler)(exchange.py_func)
    uncached(np.zeros(5, dtype=np.int32), np.zeros((2, 2), dtype=np.int32), 0, 0)
    (code,) = uncached.inspect_llvm().values()
    body = code.split("define")[1]
    assert "getelementptr" in body
    assert "select" not in body


@inlined
def twice(number: Any) -> Any:
    """Called by two others, which are called by one."""
    return number * 2


@inlined
def up(number: Any) -> Any:
    """More than double."""
    return twice(number) + 1


@inlined
def down(number: Any) -> Any:
    """Less than double."""
    return twice(number) - 1


@compiled
def around(number: Any) -> Any:
    """Calls the callee of both before them."""
    return twice(number) + up(number) * down(number)


def test_what_is_inlined_at_any_depth_does_what_is_written() -> None:
    """2 * 5 + (2 * 5 + 1) * (2 * 5 - 1) is 109; with a real number, 2 * 0.5 + (1 + 1) * (1 - 1) is 1."""
    assert around(5) == 109
    assert around(0.5) == 1.0


def test_python_gets_what_is_inlined_as_it_is_written() -> None:
    """Twice a list is a longer one, of which compiled code knows nothing."""
    assert up(2) == 5
    assert twice([1]) == [1, 1]
    assert kernel(up)(2) == 5


def test_what_is_inlined_is_optimised_where_it_runs_and_no_code_of_it_is_left() -> None:
    """One body, without a call: every level of inlining would take as long as all below it otherwise."""
    if not hasattr(around, "py_func"):
        return  # uncompiled
    uncached = numba.njit(pipeline_class=jit._Compiler)(around.py_func)
    uncached(5)
    (code,) = uncached.inspect_llvm().values()
    assert not any("twice" in line for line in code.splitlines() if line.startswith(("define", "declare")))
    assert "call" not in code.split("define")[1]
