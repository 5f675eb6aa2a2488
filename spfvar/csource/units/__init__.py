"""Which function of a kernel is which text, and what the text leaves out: exceptions by name, each with a reason.

They are data beside the words of a release.  An exception that is not needed any more is an error: it would hide the
next difference.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from spfvar.errors import InputError
from spfvar.toml_input import load_toml


class Unit(BaseModel):
    """A function of the kernel beside a hook point; ``writer``: hook points of writers, not of faults."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    c: str
    text: str


class Exception_(BaseModel):
    """What a text leaves out, or has besides.

    One of: ``condition`` is always ``is``; a ``call`` always gives ``is``; letters that only the ``c`` has; letters
    that only the ``text`` has.  ``functions``: of the kernel (of the text's hook point, for ``text``); none: everywhere.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    functions: tuple[str, ...] = ()
    condition: str | None = None
    call: str | None = None
    is_: bool = Field(default=False, alias="is")
    c: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    why: str

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        given = [bool(self.condition), bool(self.call), bool(self.c), bool(self.text)]
        if sum(given) != 1:
            raise InputError(
                "an exception says one thing", key="exception", expected="one of condition, call, c and text"
            )
        return self

    @property
    def told(self) -> str:
        """What is excepted, in a few words."""
        if self.condition or self.call:
            what = self.condition or f"{self.call}()"
            return f"{what} is {'true' if self.is_ else 'false'}"
        return ", ".join((*self.c, *self.text)) + (" in the C" if self.c else " in the text")

    def concerns(self, function: str) -> bool:
        """Is it about this function?"""
        return not self.functions or function in self.functions

    def hides(self, letter: str, side: Literal["c", "text"]) -> bool:
        """Is a letter, whatever comes of it, left out on a side?"""
        hidden = self.c if side == "c" else self.text
        return letter in hidden or letter.partition(" = ")[0] in hidden


class Units(BaseModel):
    """What is compared for a release line; ``files`` in the order in which a function is looked for.

    ``inline``: functions that are read as if they stood where they are called.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kernels: list[str]
    files: list[str]
    inline: list[str] = Field(default_factory=list)
    unit: list[Unit]
    exception: list[Exception_] = Field(default_factory=list)


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
    raise InputError(f"no text is compared with the C of {kernel}", expected=f"one of {', '.join(_all_units())}")
