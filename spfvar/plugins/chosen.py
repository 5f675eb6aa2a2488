"""Which of a registry's variants a command takes."""

from __future__ import annotations

from collections.abc import Sequence

from spfvar.errors import SpfvarError
from spfvar.plugins.registry import BUILT_IN, Registry


def compared(registry: Registry, every: bool = False) -> list[str]:
    """The variants of a comparison that names none: those compared by default, or ``every`` one."""
    return [name for name, variant in registry.variants.items() if every or variant.compared]


def usable(registry: Registry, names: Sequence[str]) -> list[str]:
    """The variants asked for (none: all) whose texts can be extracted; the rest become problems.

    Shipped variants are not checked here: the project's own tests do that.  SpfvarError if names were given
    and none can be used.
    """
    wanted = list(names) or list(registry.variants)
    found = [
        name for name in wanted
        if name in registry.twins
        or registry[name].origin.startswith(BUILT_IN)
        or registry.check(registry[name])
    ]  # fmt: skip
    if not found:
        reasons = "; ".join(f"plugin {problem.origin}: {problem.message}" for problem in registry.problems)
        raise SpfvarError(f"none of the variants asked for can be used: {reasons}")
    return found
