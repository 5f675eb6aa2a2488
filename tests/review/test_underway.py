"""How far a review is, in one line."""

from __future__ import annotations

from spfvar.review.build import PHASES
from spfvar.review.underway import in_one_line


def lines(*told: tuple[str, int, int]) -> list[str]:
    """What a command would print of these."""
    found: list[str] = []
    tell = in_one_line(lambda what, done, total: found.append(f"{what}: {done} of {total}"))
    for phase, done, total in told:
        tell(phase, done, total)
    return found


def test_phases_that_are_under_way_are_told_together() -> None:
    """In the order of the phases, whoever told last; one that is over is told once more, and then no longer."""
    told = [
        ("checking", 0, 9),
        ("simulating", 3, 40),
        ("checking", 9, 9),
        ("taking guards out", 1, 7),
        ("simulating", 4, 40),
    ]
    assert lines(*told) == [
        "4/6 checking: 0 of 9",
        "1/6 simulating: 3 of 40, 4/6 checking: 0 of 9",
        "1/6 simulating: 3 of 40, 4/6 checking: 9 of 9",
        "1/6 simulating: 3 of 40, 5/6 taking guards out: 1 of 7",
        "1/6 simulating: 4 of 40, 5/6 taking guards out: 1 of 7",
    ]  # fmt: skip


def test_two_phases_fit_a_terminal() -> None:
    """The longest names, with counts and seconds as large as they get: a line that wraps is not written over."""
    lanes = PHASES[:3], PHASES[3:]
    told = [(max(lane, key=len), 999, 1000) for lane in lanes]
    assert len(f"{lines(*told)[-1]}  999 s") <= 80
