"""Comparator of kernel-patch variants for Linux page faults: simulated, with reasons.

Functions and classes are loaded when they are asked for: importing spfvar takes no time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spfvar.api.checking import CheckFrame, check, load_checks, replay
    from spfvar.api.comparing import ComparisonFrame, MachinesFrame, compare, load
    from spfvar.api.explaining import validate, why
    from spfvar.api.listing import (
        get_hardware,
        get_race,
        get_scenario,
        get_variant,
        list_events,
        list_hardware,
        list_hooks,
        list_layouts,
        list_memories,
        list_metrics,
        list_primitives,
        list_properties,
        list_races,
        list_scenarios,
        list_series,
        list_twins,
        list_variants,
        list_verbs,
    )
    from spfvar.api.plots import plot_ratios, plot_scaling
    from spfvar.api.reviewing import load_review, report
    from spfvar.api.saving import save
    from spfvar.api.searching import ablate, coverage, hunt
    from spfvar.api.series import bisect
    from spfvar.errors import InputError
    from spfvar.plugins.variant import Event, Variant
    from spfvar.review.model import Review
    from spfvar.scenario.hardware import Profile
    from spfvar.scenario.race import Race
    from spfvar.scenario.schema import Scenario

__version__ = "0.1.0"
#: Changes whenever the same scenario may give other numbers.
MODEL_VERSION = "1"

#: By module what it has for users; no module or package below spfvar may have one of these names, for when it
#: is imported it would take its place.
_EXPORTS = {
    "spfvar.api.comparing": ("compare", "load", "ComparisonFrame", "MachinesFrame"),
    "spfvar.api.checking": ("check", "load_checks", "replay", "CheckFrame"),
    "spfvar.api.searching": ("ablate", "hunt", "coverage"),
    "spfvar.api.series": ("bisect",),
    "spfvar.api.reviewing": ("report", "load_review"),
    "spfvar.api.explaining": ("why", "validate"),
    "spfvar.api.saving": ("save",),
    "spfvar.api.listing": (
        "list_variants", "list_series", "list_scenarios", "list_races", "list_twins", "list_hardware",
        "list_metrics", "list_events", "list_properties", "list_verbs", "list_memories", "list_hooks",
        "list_primitives", "list_layouts", "get_variant", "get_scenario", "get_race", "get_hardware",
    ),
    "spfvar.api.plots": ("plot_scaling", "plot_ratios"),
    "spfvar.plugins.variant": ("Variant", "Event"),
    "spfvar.scenario.schema": ("Scenario",),
    "spfvar.scenario.race": ("Race",),
    "spfvar.scenario.hardware": ("Profile",),
    "spfvar.review.model": ("Review",),
    "spfvar.errors": ("InputError",),
}  # fmt: skip
_MODULES = {name: module for module, names in _EXPORTS.items() for name in names}

__all__ = [
    "MODEL_VERSION", "CheckFrame", "ComparisonFrame", "Event", "InputError", "MachinesFrame", "Profile",
    "Race", "Review", "Scenario", "Variant", "__version__", "ablate", "bisect", "check", "compare",
    "coverage", "get_hardware", "get_race", "get_scenario", "get_variant", "hunt", "list_events",
    "list_hardware", "list_hooks", "list_layouts", "list_memories", "list_metrics", "list_primitives",
    "list_properties", "list_races", "list_scenarios", "list_series", "list_twins", "list_variants",
    "list_verbs", "load", "load_checks", "load_review", "plot_ratios", "plot_scaling", "replay", "report",
    "save", "validate", "why",
]  # fmt: skip


if not TYPE_CHECKING:  # or a checker would take every name for one that exists

    def __getattr__(name: str) -> Any:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(_MODULES[name]), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
