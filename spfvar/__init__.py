"""Comparator of kernel-patch variants for Linux page faults: simulated, with reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from spfvar.matrix.why import Why

__version__ = "0.1.0"
#: Changes whenever the same scenario may give other numbers.
MODEL_VERSION = "1"

__all__ = ["MODEL_VERSION", "__version__", "check", "compare", "load", "why"]


def compare(*variants: str, **options: Any) -> pd.DataFrame:
    """Run a comparison; see `spfvar.api.compare` for the options and the columns of the table."""
    from spfvar.api import compare as run

    return run(*variants, **options)


def load(*files: str, **options: Any) -> pd.DataFrame:
    """Merge runs that were saved; see `spfvar.api.load` for the options and the columns of the table."""
    from spfvar.api import load as run

    return run(*files, **options)


def check(*variants: str, **options: Any) -> pd.DataFrame:
    """Explore every interleaving of races; see `spfvar.api.check` for the options and the columns."""
    from spfvar.api import check as run

    return run(*variants, **options)


def why(variant: str, scenario: str, **options: Any) -> Why:
    """Record one cell; see `spfvar.api.why` for the options and the answer."""
    from spfvar.api import why as run

    return run(variant, scenario, **options)
