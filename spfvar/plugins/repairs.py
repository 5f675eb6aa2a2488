"""What a design has beside, or in place of, what was posted; and the stack as it was posted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spfvar.plugins.fields import Line, Names, Patches, check


@dataclass(frozen=True)
class Repair:
    """Bugs of the posted patches that a stack does not have, and why it does not.

    ``bugs`` are their numbers in the documentation, by which `Twin` calls them too; ``what`` says in words
    what happens as posted.  ``patches`` are the classes of the stack that mend it.  As posted there is
    ``posted`` in the place of the first of them; with no such class, outermost.

    Raises InputError for fields of other types, ValueError if it names no bug, does not say what it is, or
    leaves the stack as it is.
    """

    bugs: Names
    what: Line
    patches: Patches = ()
    posted: Patches = ()

    def __post_init__(self) -> None:
        check(self)
        if not self.bugs or not all(self.bugs) or not self.what.strip():
            raise ValueError(
                f"repair of {self.bugs!r}, {self.what!r}: expected a bug's number, and what it is"
            )
        if not (self.patches or self.posted) or set(self.patches) & set(self.posted):
            raise ValueError(f"repair of {', '.join(self.bugs)}: expected patches, or others as posted")

    @property
    def means(self) -> str:
        """The classes: "Mends", "Puts; as posted Leaks", "as posted Leaks"."""
        mends = ", ".join(patch.__name__ for patch in self.patches)
        posted = ", ".join(patch.__name__ for patch in self.posted)
        return "; ".join(filter(None, (mends, posted and f"as posted {posted}")))

    def __str__(self) -> str:
        return f"{', '.join(self.bugs)}: {self.what} ({self.means})"

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "bugs": list(self.bugs), "what": self.what,
            "patches": [patch.__name__ for patch in self.patches],
            "posted": [patch.__name__ for patch in self.posted],
        }  # fmt: skip


def posted_stack(patches: Sequence[type], repairs: Iterable[Repair]) -> tuple[type, ...]:
    """The stack without repairs."""
    stack = list(patches)
    for repair in repairs:
        place = min((stack.index(patch) for patch in repair.patches), default=len(stack))
        behind = [patch for patch in stack[place:] if patch not in repair.patches]
        stack = [*stack[:place], *repair.posted, *behind]
    return tuple(stack)


def check_repairs(patches: Sequence[type], repairs: Iterable[Repair]) -> None:
    """Raise ValueError for a repair by a class that the stack does not have, or that mends twice."""
    seen: set[type] = set()
    for repair in repairs:
        for patch in repair.patches:
            bugs = ", ".join(repair.bugs)
            if patch not in patches:
                raise ValueError(f"repair of {bugs}: {patch.__name__} is none of the patches")
            if patch in seen:
                raise ValueError(f"repair of {bugs}: {patch.__name__} is another repair's, too")
            seen.add(patch)
