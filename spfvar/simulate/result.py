"""What a simulated run gives, for those who need nothing that simulates."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """One run: metrics by name (NaN: not applicable) and events per 1000 faults."""

    metrics: dict[str, float]
    events: dict[str, float]
    faults: int
    steps: int
