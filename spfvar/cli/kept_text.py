"""Comparisons as they were shown, in the store: the same command prints the same without running statistics.

What is kept is the text.  Nothing here loads pandas, or what evaluates and lays out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

from spfvar import units
from spfvar.cli.options import what_decides
from spfvar.comparison.metrics import Metric
from spfvar.matrix.keys import package_digest
from spfvar.matrix.plan import Plan
from spfvar.matrix.safety import in_words, known_safety
from spfvar.render.wrap import WIDTH
from spfvar.store.database import Store, key_of

#: The kind of entries.
COMPARISON: Final = "comparison"
#: Forms that begin with a summary, which says what is known of the variants' safety.
DIGESTED: Final = ("table", "markdown", "mail", "html")
_LIBRARIES: Final = ("pandas", "scipy")


@dataclass(frozen=True)
class View:
    """How a comparison is shown; ``tables`` and ``events``: what follows the summary."""

    form: str
    metrics: Mapping[str, Metric]
    condition: units.FailOn | None = None
    width: int = WIDTH
    colour: bool = False
    tables: bool = False
    events: bool = False


class KeptText:
    """The text that a command line gives of these plans, if all that is wanted is the text."""

    def __init__(
        self, store: Store | None, plans: Sequence[Plan], view: View, arguments: Sequence[str]
    ) -> None:
        """``arguments``: the command line, which texts quote."""
        self._store = store
        self._plans = plans
        self._view = view
        self._arguments = arguments

    def get(self) -> str | None:
        """The text, with what is known of the variants' safety now; its runs are the hits."""
        variants = self._plans[0].variants
        key = self._key(in_words(variants, known_safety(self._store, variants)))
        found: Any = self._store.get(key, counts=False) if self._store is not None and key else None
        if self._store is None or found is None:
            return None
        self._store.hits += found["runs"]
        return str(found["text"])

    def keep(self, text: str, safety: Mapping[str, str]) -> None:
        """Keep a text, in which this is said of the variants' safety, and every cell of the plans is."""
        key = self._key(safety)
        if self._store is not None and key:
            runs = sum(len(plan.cells) * plan.seeds for plan in self._plans)
            names = ", ".join(variant.name for variant in self._plans[0].variants)
            label = f"{names} on {', '.join(plan.hardware for plan in self._plans)}"
            self._store.put(key, COMPARISON, label, {"text": text, "runs": runs})

    def _key(self, safety: Mapping[str, str]) -> str:
        """Of all that the text depends on; "" if it is not kept.

        That is so with a design that did not come with spfvar, whose text may read whatever it likes.
        """
        view = self._view
        said = dict(safety) if view.form in DIGESTED else {}
        shipped = all(variant.is_shipped for plan in self._plans for variant in plan.variants)
        if self._store is None or not shipped or view.condition is not None or view.form == "github":
            return ""
        return key_of(
            COMPARISON, package_digest(), [version(name) for name in _LIBRARIES],
            [[plan.hardware, plan.matrix_hash, plan.notes] for plan in self._plans], said,
            [view.form, list(view.metrics), view.width, view.colour, view.tables, view.events],
            what_decides(self._arguments),
        )  # fmt: skip
