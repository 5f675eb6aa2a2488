"""Which of a registry's variants a command takes."""

from __future__ import annotations

from collections.abc import Sequence

from spfvar.errors import UnknownNameError, quote
from spfvar.plugins.registry import Problem, Registry


def compared(registry: Registry, every: bool = False) -> list[str]:
    """The variants of a comparison that names none: those compared by default, or ``every`` one.

    Stacks that begin with the same patch stand together, the smaller first, as the patches of a series do.
    """
    stacks = {
        name: variant.patches for name, variant in registry.variants.items() if every or variant.compared
    }
    begins = list(dict.fromkeys(patches[:1] for patches in stacks.values()))
    return sorted(stacks, key=lambda name: (begins.index(stacks[name][:1]), len(stacks[name])))


def usable(registry: Registry, names: Sequence[str]) -> list[str]:
    """The variants asked for (none: all) whose texts can be extracted; the rest become problems.

    Shipped variants are not checked here: the project's own tests do that.  InputError if none can be used,
    or for a name that no plugin which failed to load can have had.
    """
    known, missing = [], []
    for name in list(names) or list(registry.variants):
        try:
            registry.any_variant(name)
            known.append(name)
        except UnknownNameError as error:
            if not registry.problems:  # or a plugin that was not loaded may be the one that has it
                raise
            missing.append(error)
    found = registry.check(*known)
    if missing and not found:
        raise missing[0]
    registry.problems += [Problem("", f"not run: {quote(error.name)}: there is none") for error in missing]
    if not found:
        raise registry.nothing_left()
    return found
