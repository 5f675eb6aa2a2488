"""What a patch does to a function: statements removed and added, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from spfvar.draft.tree import Expression, Statement


@dataclass(frozen=True, slots=True)
class Guard:
    """A condition that holds around a change, or (``negated``) does not hold."""

    test: Expression
    negated: bool


@dataclass(frozen=True, slots=True)
class Change:
    """Statements in the place of others, under the ``guards`` of the blocks around them.

    ``earlier`` are the statements before them in their block, ``later`` those that follow there.  Of a
    function that the patch defines, all of it is ``added`` and ``whole`` is true.
    """

    removed: tuple[Statement, ...]
    added: tuple[Statement, ...]
    guards: tuple[Guard, ...] = ()
    earlier: tuple[Statement, ...] = ()
    later: tuple[Statement, ...] = ()
    whole: bool = False

    @property
    def at(self) -> int:
        """The line of the patch that it begins at."""
        return min((statement.at for statement in (*self.added, *self.removed)), default=0)


def changes(
    before: Sequence[Statement], after: Sequence[Statement], guards: tuple[Guard, ...] = ()
) -> Iterator[Change]:
    """The changes from one list of statements to another, in order.

    Where a condition stays, the change is inside of what it guards.
    """
    matcher = SequenceMatcher(None, list(map(_head, before)), list(map(_head, after)), autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag != "equal":
            yield Change(tuple(before[i:j]), tuple(after[k:m]), guards, tuple(after[:k]), tuple(after[m:]))
            continue
        for old, new in zip(before[i:j], after[k:m], strict=True):
            if old.text != new.text and new.value is not None:
                yield from changes(old.body, new.body, (*guards, Guard(new.value, negated=False)))
                yield from changes(old.orelse, new.orelse, (*guards, Guard(new.value, negated=True)))


def _head(statement: Statement) -> str:
    """What tells a statement from others: all of its text, or the condition in front of its block."""
    if statement.kind in ("if", "loop") and statement.value is not None:
        return f"{statement.kind} {statement.value.text}"
    return statement.text
