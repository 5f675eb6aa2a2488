"""Which design is it that a kernel was recorded with?  Every design beside one recording, best first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from spfvar.kernel.conform import Conformity, Recording, conform
from spfvar.kernel.fixtures import release_of
from spfvar.plugins.variant import Variant


def beside(
    variants: Sequence[Variant], recording: Recording,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Conformity, ...]:  # fmt: skip
    """The designs beside a recording, those with most paths first.  Raises StrategyError."""
    found = []
    for number, variant in enumerate(variants):
        told(number, len(variants))
        found.append(conform(variant, recording))
    told(len(variants), len(variants))
    return ranked(found)


def ranked(found: Iterable[Conformity]) -> tuple[Conformity, ...]:
    """Those with most paths first; of these, those of whose own steps some were seen."""
    return tuple(sorted(found, key=_fit, reverse=True))


def best(found: Iterable[Conformity]) -> tuple[Conformity, ...]:
    """The designs that fit best, all if several fit alike; none if no text has any of the paths."""
    designs = ranked(found)
    return tuple(one for one in designs if _fit(one) == _fit(designs[0]) and (one.paths or one.calls[0]))


def of_recorded_kernels(variants: Iterable[Variant]) -> list[Variant]:
    """The designs that shipped with a kernel of which there is a recording."""
    return [variant for variant in variants if variant.is_shipped and release_of(variant.kernel)]


def _fit(one: Conformity) -> tuple[int, int, bool]:
    return one.paths, one.calls[0], not one.unseen
