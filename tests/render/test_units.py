"""Numbers for people: prefixes, significant digits, shares and ratios."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spfvar.render import units


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (4_703_127, "faults/s", "4.70M faults/s"),
        (573_625, "faults/s", "574k faults/s"),
        (12, "faults/s", "12.0 faults/s"),
        (1_850, "ns", "1.85us"),
        (850, "ns", "850ns"),
        (3_200_000_000, "ns", "3.20s"),
        (0.123, "share", "12.3 %"),
        (0.0004, "share", "0.0400 %"),
        (2_577, "objects", "2.58k objects"),
        (0, "objects", "0 objects"),
        (math.nan, "ns", "n/a"),
    ],
)
def test_a_value_is_shown_in_the_unit_that_suits_it(value: float, unit: str, text: str) -> None:
    assert units.human(value, unit) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0851, "0.0851"),
        (0.9996, "1.00"),
        (9.994, "9.99"),
        (9.996, "10.0"),
        (99.96, "100"),
        (4234.5, "4234"),
        (-1.234, "-1.23"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (math.nan, "n/a"),
    ],
)
def test_numbers_have_three_significant_digits_and_no_exponent(value: float, text: str) -> None:
    assert units.digits(value) == text


@given(st.floats(min_value=1e-6, max_value=1e9))
def test_three_digits_are_within_half_a_per_cent(value: float) -> None:
    # The worst case is 1.00 standing for 1.005.
    assert float(units.digits(value)) == pytest.approx(value, rel=0.005)


def test_a_table_has_one_prefix_that_suits_the_middle_of_its_magnitudes() -> None:
    # 850 ns and 4.2 ms: the geometric mean is 59 us.
    scale = units.scale_for([850, 4.2e6], "ns")
    assert scale.unit == "us"
    assert [scale.number(850), scale.number(4.2e6)] == ["0.850", "4200"]


def test_zeros_and_missing_values_do_not_choose_the_prefix() -> None:
    assert units.scale_for([0, math.nan, math.inf, 2e6], "faults/s").unit == "M faults/s"
    assert units.scale_for([], "ns").unit == "ns"


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0.0%"),
        (0.0004, "0.0%"),
        (0.004, "0.4%"),
        (0.0099, "1.0%"),
        (0.00996, "1%"),
        (0.124, "12%"),
        (9.99, "999%"),
        (10, ">999%"),
        (math.inf, ">999%"),
        (math.nan, ""),
    ],
)
def test_a_relative_interval_takes_no_more_room_than_it_needs(share: float, text: str) -> None:
    assert units.percent(share) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.654, "x1.65"),
        (0.62, "x0.62"),
        (0.0342, "x0.034"),
        (0.0004, "x<0.001"),
        (0, "x0"),
        (9.996, "x10.0"),
        (123.4, "x123"),
        (20_000, "x>9999"),
        (math.inf, "x>9999"),
        (math.nan, ""),
    ],
)
def test_a_ratio_shows_what_matters_at_its_magnitude(value: float, text: str) -> None:
    assert units.ratio(value) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(1.05, 1.71, "1.05-1.71"), (0.036, 12.9, "0.036-12.9"), (math.nan, 2.0, ""), (1.0, math.inf, "")],
)
def test_an_interval_has_both_ends_or_is_none(low: float, high: float, text: str) -> None:
    """As ratios are spelled, without their sign."""
    assert units.interval(low, high) == text
