"""What is to blame for a violation: the same whatever thread it is, and however long the way to it."""

from __future__ import annotations

from spfvar.explore.options import Options
from spfvar.explore.verdict import judge
from tests.explore.checking import world


def blamed(variant: str, race: str, **options: object) -> set[tuple[str, tuple[str, ...]]]:
    """Property and blame of each finding."""
    found = judge(world(variant, race), variant, race, Options(**options))  # type: ignore[arg-type]
    return {(finding.property, finding.trace.blamed) for finding in found.findings}


def test_an_access_is_blamed_on_its_primitive() -> None:
    """The function and the primitive that the trace ends with."""
    found = judge(world("no-rcu-free", "munmap-file"), "no-rcu-free", "munmap-file", Options())
    last = found.findings[0].trace.steps[-1]
    assert found.findings[0].trace.blamed == (f"{last.function}: {last.name}",)


def test_the_way_to_it_makes_no_difference() -> None:
    """The plain search takes another, with every primitive a step of its own."""
    assert blamed("no-rcu-free", "munmap-file") == blamed(
        "no-rcu-free", "munmap-file", merge=False, partial_order=False
    )
