"""Random numbers inside compiled code: L'Ecuyer's combined generator (CACM 31, 1988).

Two 31-bit multiplicative generators, period about 2.3e18; integer arithmetic only, so the compiled and
the uncompiled function draw the same numbers.  The state is two words, seeded by numpy.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from spfvar.transition.jit import inlined

_M1: Final = 2147483563
_M2: Final = 2147483399


def seeded(seeds: np.random.SeedSequence) -> npt.NDArray[np.int64]:
    """A generator's state, (2,) int64."""
    words = seeds.generate_state(2, np.uint32).astype(np.int64)
    return np.array([words[0] % (_M1 - 1) + 1, words[1] % (_M2 - 1) + 1], dtype=np.int64)


@inlined
def uniform(state):
    """The next number, in (0, 1)."""
    state[0] = state[0] * 40014 % _M1
    state[1] = state[1] * 40692 % _M2
    z = state[0] - state[1]
    if z < 1:
        z += _M1 - 1
    return z / _M1
