"""A series: patches in the order in which they were posted, and the stacks that one can make of them.

Wherever a variant is named, ``NAME`` is the whole series, ``NAME@23`` its first 23 patches (``@0``: none);
``+27`` adds a patch, ``~24`` takes one out, and with it every patch that needs it; behind the last ``+`` may
stand a bug that is put into the stack.  A plugin module declares its series in a list ``SERIES``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Annotated

from spfvar.errors import InputError
from spfvar.plugins.fields import AsTuple, Line, Name, Numbers, Patches, Text, check
from spfvar.plugins.repairs import Repair, check_repairs, posted_stack
from spfvar.plugins.variant import Event, Variant

_SIGNS = "@+~"
_PART = re.compile(f"([{_SIGNS}])([^{_SIGNS}]*)")
#: What a variant or a series that has repairs is called as it was posted.
_POSTED = "-posted"


@dataclass(frozen=True)
class SeriesPatch:
    """One patch: its place in the series, counted from 1, and what it is here.

    ``changes`` are classes with hook implementations, as in `Variant`; none if the patch changes no behaviour
    that the model has, and then ``note`` says why.  ``needs`` are the numbers of the patches whose code it
    calls, builds on or switches on.  A patch that only makes another one safe is not needed by it: to find
    that is the checker's task.  ``repairs`` are what it is here unlike in the mails; their classes that are
    none of its ``changes`` come last in a stack.
    """

    number: int
    title: Line
    source: Line
    changes: Patches = ()
    needs: Numbers = ()
    repairs: Annotated[tuple[Repair, ...], AsTuple] = ()
    note: Line = ""

    def __post_init__(self) -> None:
        check(self)

    @property
    def mends(self) -> tuple[type, ...]:
        """The classes of repairs that are no changes of the posted patch."""
        return tuple(one for repair in self.repairs for one in repair.patches if one not in self.changes)

    def as_posted(self) -> SeriesPatch:
        """The patch as it is in the mails."""
        changes = posted_stack((*self.changes, *self.mends), self.repairs)
        return replace(self, changes=changes, repairs=())


@dataclass(frozen=True, slots=True)
class Choice:
    """What a name stands for: the patches that are in, those taken out, and those that fell out with them."""

    numbers: tuple[int, ...]
    out: tuple[int, ...] = ()
    fallen: tuple[int, ...] = ()


@dataclass(frozen=True)
class Series:
    """A named, ordered list of patches over ``kernel``; ``events`` as in `Variant`.

    Raises ValueError (InputError for fields of other types) for a name with one of the signs in it, for
    numbers that do not count from 1, for a patch that needs a later one, and for repairs by one class of two
    bugs.
    """

    name: Name
    title: Line
    kernel: Line
    source: Line
    patches: Annotated[tuple[SeriesPatch, ...], AsTuple]
    events: Annotated[tuple[Event, ...], AsTuple] = ()
    description: Text = ""
    origin: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        check(self)
        if set(self.name) & set(_SIGNS):
            raise ValueError(f"series {self.name!r}: a name has a letter and none of {_SIGNS}")
        for place, patch in enumerate(self.patches, 1):
            if patch.number != place:
                raise ValueError(f"series {self.name}: patch {patch.number} in place {place}")
            for need in patch.needs:
                if not 1 <= need < place:
                    raise ValueError(f"series {self.name}: patch {place} needs {need}, not an earlier one")
        every = range(1, len(self.patches) + 1)
        try:
            check_repairs(self.stack(every), self.repairs(every))
        except ValueError as error:
            raise ValueError(f"series {self.name}: {error}") from error

    def choose(self, name: str) -> Choice:
        """The patches that a name of this series stands for.

        Raises InputError for what is no such name, and for a stack that lacks what a patch of it needs.
        """
        _, rest = split_name(name)
        parts = [(sign, self._number(name, sign, text)) for sign, text in _PART.findall(rest)]
        if "@" in [sign for sign, _ in parts[1:]]:
            raise InputError(f"{name!r}: '@' comes once, behind {self.name}", expected=f"{self.name}@N~M")
        first = parts[0][1] if parts and parts[0][0] == "@" else len(self.patches)
        inside = set(range(1, first + 1))
        for sign, number in parts:
            if sign == "+" and number in inside:
                raise InputError(f"{name!r}: patch {number} is in it already")
            inside |= {number} if sign == "+" else set()
        self._check_needs(name, inside)
        out = [number for sign, number in parts if sign == "~"]
        for number in out:
            if number not in inside:
                raise InputError(f"{name!r}: there is no patch {number} in it to take out")
        kept = inside - set(out)
        while broken := {n for n in kept if not kept.issuperset(self.patches[n - 1].needs)}:
            kept -= broken
        return Choice(_sorted(kept), _sorted(out), _sorted(inside - kept - set(out)))

    def variant(self, name: str) -> Variant:
        """The stack that a name stands for.  Raises InputError as `choose`."""
        choice = self.choose(name)
        numbers = choice.numbers
        return Variant(
            name=name,
            title=f"{self.title}: {self._told(choice)}",
            kernel=f"{self.kernel} + {spans(numbers)} of {len(self.patches)}" if numbers else self.kernel,
            source=self.source,
            patches=self.stack(numbers),
            events=self.events,
            description=self.description,
            repairs=self.repairs(numbers),
            origin=self.origin,
        )

    def as_posted(self, title: str = "", description: str = "") -> Series:
        """The series as it is in the mails."""
        return replace(
            self,
            name=f"{self.name}{_POSTED}",
            title=title or f"{self.title}, as posted",
            description=description,
            patches=tuple(patch.as_posted() for patch in self.patches),
        )

    def stack(self, numbers: Collection[int], extra: Iterable[type] = ()) -> tuple[type, ...]:
        """The classes of some patches, then ``extra`` ones, then the repairs that go with those patches."""
        chosen = [patch for patch in self.patches if patch.number in numbers]
        changes = [change for patch in chosen for change in patch.changes]
        mends = [mend for patch in chosen for mend in patch.mends]
        return (*changes, *extra, *mends)

    def repairs(self, numbers: Collection[int]) -> tuple[Repair, ...]:
        """What a stack of some patches has unlike the mails."""
        return tuple(repair for patch in self.patches if patch.number in numbers for repair in patch.repairs)

    def expression(self, numbers: Collection[int]) -> str:
        """The shortest name without ``~`` for some patches: the first so many, and others one by one."""
        first = next((n - 1 for n in range(1, len(self.patches) + 1) if n not in numbers), len(self.patches))
        return f"{self.name}@{first}" + "".join(f"+{n}" for n in sorted(numbers) if n > first)

    def prefixes(self, numbers: Collection[int]) -> list[str]:
        """Names for building up some patches one by one: first none of them, at last all."""
        order = sorted(numbers)
        return [self.expression(order[:count]) for count in range(len(order) + 1)]

    def _number(self, name: str, sign: str, text: str) -> int:
        last = len(self.patches)
        known = f"1 to {last}"
        if not re.fullmatch("0|[1-9][0-9]{0,5}", text):
            raise InputError(f"{name!r}: {text!r} behind {sign!r} is no patch number", expected=known)
        number = int(text)
        if not (0 if sign == "@" else 1) <= number <= last:
            raise InputError(f"{name!r}: {self.name} has no patch {number}", expected=known)
        return number

    def _check_needs(self, name: str, inside: set[int]) -> None:
        for number in sorted(inside):
            patch = self.patches[number - 1]
            lacks = [need for need in patch.needs if need not in inside]
            if lacks:
                raise InputError(
                    f"{name!r}: patch {number} ({patch.title}) needs {spans(lacks)}, which it has not",
                    expected=self.expression(self._with_needs(inside)),
                )

    def _with_needs(self, inside: set[int]) -> set[int]:
        """Some patches and, directly or not, all that they need."""
        found = set(inside)
        while more := {need for n in found for need in self.patches[n - 1].needs} - found:
            found |= more
        return found

    def _told(self, choice: Choice) -> str:
        """Which patches, in words."""
        before = {*choice.numbers, *choice.out, *choice.fallen}
        if not before:
            return "none of its patches"
        whole = "all patches" if len(before) == len(self.patches) else f"patches {spans(before)}"
        if not choice.out:
            return whole
        left = f"{whole} without {spans(choice.out)}"
        if not choice.fallen:
            return left
        need = "needs" if len(choice.fallen) == 1 else "need"
        return f"{left}, nor {spans(choice.fallen)}, which {need} {'it' if len(choice.out) == 1 else 'them'}"


def split_name(name: str) -> tuple[str, str]:
    """A variant's name in two: a series, if it names a stack of one, and the signs and numbers behind."""
    found = re.search(f"[{_SIGNS}]", name)
    return (name[: found.start()], name[found.start() :]) if found else (name, "")


def split_bug(name: str) -> tuple[str, str]:
    """A stack's name in two: "NAME@16+BUG" is NAME@16 with the twin BUG; "" for a stack without one."""
    found = re.search(r"\+(?=[A-Za-z])", name)
    return (name[: found.start()], name[found.end() :]) if found else (name, "")


def with_bug(stack: str, bug: str) -> str:
    """What `split_bug` splits."""
    return f"{stack}+{bug}" if bug else stack


def posted_name(name: str) -> str:
    """What a variant that has repairs is called as it was posted: "mine-posted", "series-posted@23"."""
    head, rest = split_name(name)
    return f"{head}{_POSTED}{rest}"


def repaired_name(name: str) -> str | None:
    """The name that `posted_name` made this one of; None if it is none of its."""
    head, rest = split_name(name)
    return f"{head.removesuffix(_POSTED)}{rest}" if head.endswith(_POSTED) else None


def spans(numbers: Iterable[int]) -> str:
    """Numbers in words: "1 to 23, 27 and 28"."""
    order = sorted(set(numbers))
    breaks = [0, *(i + 1 for i, (a, b) in enumerate(pairwise(order)) if b != a + 1), len(order)]
    runs = [order[a:b] for a, b in pairwise(breaks)]
    texts = [text for run in runs for text in ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run))]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def _sorted(numbers: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(set(numbers)))
