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
_UNIT: Final = 1.0 / _M1


def seeded(seeds: np.random.SeedSequence, streams: int = 1) -> npt.NDArray[np.int64]:
    """States of independent generators, (streams, 2) int64."""
    words = seeds.generate_state(2 * streams, np.uint32).astype(np.int64).reshape(streams, 2)
    state: npt.NDArray[np.int64] = words % (np.array([_M1, _M2]) - 1) + 1
    return state


@inlined
def uniform(state, stream=0):
    """The stream's next number, in (0, 1)."""
    first = state[stream, 0] * 40014 % _M1
    second = state[stream, 1] * 40692 % _M2
    state[stream, 0] = first
    state[stream, 1] = second
    z = first - second
    if z < 1:
        z += _M1 - 1
    return z * _UNIT
