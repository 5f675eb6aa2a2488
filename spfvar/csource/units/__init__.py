"""Which function of a kernel is which text, and what the text leaves out: exceptions, each with a reason.

They are data beside the words of a release.  An exception that is not needed any more is an error: it would
hide the next difference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from spfvar.errors import InputError, unknown
from spfvar.toml_input import load_toml


class Unit(BaseModel):
    """A function of the kernel beside a hook point.

    ``writes``: only as faults that write call it; ``step``: where another function calls it, it is one step;
    ``vmas``: of a writer, is its text a call on one VMA, so that loops over VMAs have one round, or on each?
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    c: str
    text: str
    writes: bool = False
    step: bool = False
    vmas: Literal["", "one", "each"] = ""


#: What an exception may say: a condition (or a call's result) that always, or never, holds; a call of C, or a
#: letter, whose paths are not compared; a letter that only the C or only the text has; one that both have,
#: but not at the same place.
Kind = Literal["always", "never", "cut", "c", "text", "both"]
KINDS: Final[tuple[Kind, ...]] = ("always", "never", "cut", "c", "text", "both")


#: In front of a test of a class: it fails where the class holds.
NOT: Final = "!"
#: In what is excepted: anything may stand there.
ELLIPSIS: Final = "..."
_OTHER_WAY: Final[Mapping[Kind, Kind]] = {"always": "never", "never": "always"}

#: Those that a text's graph depends on.
TEXT_KINDS: Final = frozenset(("text", "both", "cut"))


@dataclass(frozen=True, slots=True)
class Exemption:
    """One thing that a text leaves out, or has besides, and why.

    ``what`` is a condition as C has it, a call's result ("pte_alloc()"), or a letter.  ``functions``: of the
    kernel, or the text's hook points, or one of the kernel where another calls it ("callee<caller"); none:
    everywhere.  ``named``: the class of tests that it is one of, "" if it is named by itself.
    """

    kind: Kind
    what: str
    functions: tuple[str, ...]
    why: str
    named: str = ""

    @property
    def exception(self) -> tuple[str, str, tuple[str, ...]]:
        """What it counts as: a class that is excepted is one exception, whatever there is of it."""
        return (self.named, "", self.functions) if self.named else (self.kind, self.what, self.functions)

    @property
    def told(self) -> str:
        """What is excepted, in a few words."""
        ways = {
            "always": f"{self.what} always holds",
            "never": f"{self.what} never holds",
            "cut": f"{self.what} is not followed",
            "c": f"{self.what} is only in the C",
            "text": f"{self.what} is only in the text",
            "both": f"{self.what} is at another place",
        }
        return ways[self.kind] + (f" ({', '.join(self.functions)})" if self.functions else "")

    def means(self, text: str) -> bool:
        """Is it about a condition, a call or a letter, as it is written?  "..." stands for anything."""
        if ELLIPSIS not in self.what:
            return self.what == text
        return re.fullmatch(".*".join(map(re.escape, self.what.split(ELLIPSIS))), text) is not None

    def concerns(self, *names: str) -> bool:
        """Is it about this function, by any of its names?"""
        return not self.functions or not set(names).isdisjoint(self.functions)

    def hides(self, letter: str, side: Literal["c", "text"]) -> bool:
        """Is a letter, whatever comes of it, left out on a side?"""
        return self.kind in (side, "both") and (self.means(letter) or self.means(letter.partition(" = ")[0]))


class ExceptionEntry(BaseModel):
    """What a text leaves out for one reason."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    functions: tuple[str, ...] = ()
    always: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()
    c: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    both: tuple[str, ...] = ()
    why: str

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not any(getattr(self, kind) for kind in KINDS):
            raise InputError(
                "an exception that says nothing", key="exception", expected=f"one of {', '.join(KINDS)}"
            )
        return self

    def exemptions(self, classes: Mapping[str, Sequence[str]]) -> list[Exemption]:
        """Each thing that is excepted; of a class, each of its tests."""
        found = []
        for kind in KINDS:
            for what in getattr(self, kind):
                if what not in classes:
                    found.append(Exemption(kind, what, self.functions, self.why))
                for member in classes.get(what, ()):
                    of_member = _OTHER_WAY.get(kind, kind) if member.startswith(NOT) else kind
                    member = member.removeprefix(NOT)
                    found.append(Exemption(of_member, member, self.functions, self.why, what))
        return found


class Units(BaseModel):
    """What is compared for a release line; ``files`` in the order in which a function is looked for.

    ``inline``: functions that are read as if they stood where they are called; ``aliases``: calls by another
    name that are such a function, as a pointer to it is; ``opaque``: hook points of texts alone that are one
    step; ``classes``: tests that have one meaning ("an allocation fails"), which an exception may name at
    once.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kernels: list[str]
    files: list[str]
    inline: list[str] = Field(default_factory=list)
    opaque: list[str] = Field(default_factory=list)
    aliases: dict[str, str] = Field(default_factory=dict)
    unit: list[Unit]
    classes: dict[str, list[str]] = Field(default_factory=dict)
    exception: list[ExceptionEntry] = Field(default_factory=list)

    @cached_property
    def steps(self) -> dict[str, str]:
        """Functions that are one step where another one calls them, with their hook points."""
        return {unit.c: unit.text for unit in self.unit if unit.step}

    @cached_property
    def exemptions(self) -> tuple[Exemption, ...]:
        """Everything that is excepted, one by one."""
        return tuple(one for entry in self.exception for one in entry.exemptions(self.classes))


@cache
def _all_units() -> dict[str, Units]:
    folder = resources.files("spfvar.csource.units")
    files = [file for file in sorted(folder.iterdir(), key=lambda f: f.name) if file.name.endswith(".toml")]
    return {kernel: units for file in files for units in [load_toml(file, Units)] for kernel in units.kernels}


def units_for(kernel: str) -> Units:
    """What is compared of a kernel's release line, such as "v6.12" or "6.12.117".  Raises InputError."""
    release = kernel.removeprefix("v")
    for line, units in _all_units().items():
        if release == line or release.startswith((f"{line}.", f"{line}-")):
            return units
    raise unknown("release", kernel, _all_units(), key="--kernel")
