"""Compiled accesses: the same words as uncompiled ones, without a test of the index's sign."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from spfvar.transition import jit
from spfvar.transition.jit import compiled


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
