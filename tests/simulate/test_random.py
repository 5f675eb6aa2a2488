"""L'Ecuyer's generator: in range, uniform, repeatable, the same compiled and uncompiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from spfvar.simulate.random import seeded, uniform
from tests.kernels import kernel

DRAWN = kernel(uniform)
PLAIN: Callable[[Any], float] = getattr(uniform, "py_func", uniform)
SEEDS = st.integers(0, 2**32 - 1)
M1, M2 = 2147483563, 2147483399


def draw(seed: int, n: int, function: Callable[[Any], float] = PLAIN) -> list[float]:
    """The first n numbers of a seed."""
    state = seeded(np.random.SeedSequence(seed))
    return [function(state) for _ in range(n)]


@given(SEEDS)
def test_numbers_lie_strictly_between_0_and_1(seed: int) -> None:
    """0 would make a sleep of no spread, 1 an index out of range."""
    assert all(0.0 < x < 1.0 for x in draw(seed, 200))


@given(SEEDS)
def test_a_seed_gives_a_state_that_the_generators_accept(seed: int) -> None:
    """Neither word may be 0 (it would stay 0), nor reach its modulus."""
    a, b = seeded(np.random.SeedSequence(seed))[0]
    assert 1 <= a < M1
    assert 1 <= b < M2


@settings(deadline=None)  # the first example compiles
@given(SEEDS)
def test_compiled_and_uncompiled_draw_the_same_numbers(seed: int) -> None:
    """Integer arithmetic only: equal to the last bit."""
    assert draw(seed, 50, DRAWN) == draw(seed, 50)


@given(SEEDS)
def test_the_recurrence_is_that_of_the_paper(seed: int) -> None:
    """CACM 31 (1988), figure 3: both generators in Python's unbounded integers."""
    a, b = (int(word) for word in seeded(np.random.SeedSequence(seed))[0])
    expected = []
    for _ in range(5):
        a, b = a * 40014 % M1, b * 40692 % M2
        z = a - b
        expected.append((z if z >= 1 else z + M1 - 1) * (1.0 / M1))
    assert draw(seed, 5) == expected


def test_mean_variance_and_serial_correlation_are_those_of_a_uniform() -> None:
    """Over n = 60000: mean 1/2, variance 1/12, lag-1 correlation 0, each within 4.5 standard errors.

    Standard errors: sqrt(1/12/n) for the mean, sqrt(1/180/n) for the variance (the fourth central moment
    of a uniform is 1/80, and 1/80 - 1/144 = 1/180), 1/sqrt(n) for the correlation.
    """
    n = 60000
    x = np.array(draw(1, n, DRAWN))
    assert abs(x.mean() - 1 / 2) < 4.5 * np.sqrt(1 / 12 / n)
    assert abs(x.var() - 1 / 12) < 4.5 * np.sqrt(1 / 180 / n)
    assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < 4.5 / np.sqrt(n)


def test_every_tenth_of_the_range_is_hit_equally_often() -> None:
    """Chi-square over ten bins, 9 degrees of freedom: 33.7 is the 0.9999 quantile."""
    n = 60000
    counts = np.histogram(draw(2, n, DRAWN), bins=10, range=(0, 1))[0]
    assert float(((counts - n / 10) ** 2 / (n / 10)).sum()) < 33.7


def test_seeds_give_different_sequences() -> None:
    """Neighbouring seeds share no number among the first 20."""
    assert not set(draw(1, 20)) & set(draw(2, 20))


def test_streams_of_a_seed_share_no_number() -> None:
    """Each thread draws from its own stream, so what it draws does not depend on the others' order."""
    state = seeded(np.random.SeedSequence(1), 3)
    streams = [{DRAWN(state, stream) for _ in range(20)} for stream in range(3)]
    assert len(set.union(*streams)) == 60


@settings(deadline=None)  # the first example compiles
@given(SEEDS, st.lists(st.integers(0, 2), max_size=60))
def test_what_a_stream_draws_does_not_depend_on_the_others(seed: int, order: list[int]) -> None:
    """Whatever the order in which threads draw, each gets the numbers that its own stream holds."""
    mixed = seeded(np.random.SeedSequence(seed), 3)
    drawn: dict[int, list[float]] = {0: [], 1: [], 2: []}
    for stream in order:
        drawn[stream].append(DRAWN(mixed, stream))
    alone = seeded(np.random.SeedSequence(seed), 3)
    for stream, numbers in drawn.items():
        assert numbers == [DRAWN(alone, stream) for _ in numbers]


@given(SEEDS, st.integers(2, 40))
def test_every_stream_begins_in_range_and_apart(seed: int, streams: int) -> None:
    """All states are valid, and no two threads begin at the same one."""
    states = seeded(np.random.SeedSequence(seed), streams)
    assert states.shape == (streams, 2)
    assert np.all(states >= 1)
    assert np.all(states < (M1, M2))
    assert len({tuple(state) for state in states.tolist()}) == streams
