"""C in the model's words: which call, condition or store is which primitive or hook point.

Both directions use it: the audit asks what a kernel's C does, a draft what a patch's C would be as a text.
The tables are data, one per release line, on top of one that they share.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import Any, Final, Literal

from packaging.version import Version
from pydantic import BaseModel, ConfigDict, Field

from spfvar.csource.parse import squeezed
from spfvar.errors import unknown
from spfvar.toml_input import load_toml

#: What a piece of C may be.
Kind = Literal["primitive", "hook", "silent", "unknown"]
#: In front of a letter: the outcome is the other way round.
NOT: Final = "!"


class WordsFile(BaseModel):
    """A file of words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kernels: list[str] = Field(default_factory=list)
    options: list[str] = Field(default_factory=list)
    tested: list[str] = Field(default_factory=list)
    calls: dict[str, str | list[str]] = Field(default_factory=dict)
    locks: dict[str, str] = Field(default_factory=dict)
    lock_makers: dict[str, str] = Field(default_factory=dict)
    lock_classes: dict[str, str] = Field(default_factory=dict)
    hooks: dict[str, str] = Field(default_factory=dict)
    conditions: dict[str, str] = Field(default_factory=dict)
    stores: dict[str, str] = Field(default_factory=dict)
    once: list[str] = Field(default_factory=list)
    steady: list[str] = Field(default_factory=list)
    context: list[str] = Field(default_factory=list)
    same: dict[str, str] = Field(default_factory=dict)
    stable: list[str] = Field(default_factory=list)
    python: dict[str, str] = Field(default_factory=dict)
    texts: dict[str, str] = Field(default_factory=dict)
    results: dict[str, bool] = Field(default_factory=dict)
    steps: dict[str, str] = Field(default_factory=dict)
    ordered: list[str] = Field(default_factory=list)
    repeated: list[str] = Field(default_factory=list)
    silent: dict[str, list[str]] = Field(default_factory=dict)

    def on(self, common: WordsFile) -> WordsFile:
        """These words on top of others."""
        merged: dict[str, Any] = {}
        for name in WordsFile.model_fields:
            below, own = getattr(common, name), getattr(self, name)
            merged[name] = [*below, *own] if isinstance(below, list) else below | own
        return WordsFile.model_validate(merged)


@dataclass(frozen=True, slots=True)
class Word:
    """What a piece of C is.

    ``letters``: the primitives that it does, in order, or the hook point, as "do_wp_page()"; none if it is
    silent or unknown.  ``tested``: its outcome decides; ``negated``: the C asks the other way round.
    """

    kind: Kind
    letters: tuple[str, ...] = ()
    tested: bool = False
    negated: bool = False


@dataclass(frozen=True)
class Words:
    """The words of a release line."""

    table: WordsFile

    def with_hooks(self, hooks: Mapping[str, str]) -> Words:
        """With more functions that are hook points."""
        return Words(self.table.model_copy(update={"hooks": {**self.table.hooks, **hooks}}))

    @property
    def options(self) -> frozenset[str]:
        """Options of the kernel's configuration that are on."""
        return frozenset(self.table.options)

    @cached_property
    def alphabet(self) -> frozenset[str]:
        """Every letter that some C may be, without outcomes; hook points not among them."""
        table = self.table
        given = [*table.conditions.values(), *table.stores.values()]
        for letters in table.calls.values():
            given += [letters] if isinstance(letters, str) else letters
        given += [f"{verb} {lock}" for verb in table.locks.values() for lock in table.lock_classes.values()]
        return frozenset(letter.removeprefix(NOT) for letter in given)

    @cached_property
    def _silent(self) -> frozenset[str]:
        return frozenset(name for names in self.table.silent.values() for name in names)

    def classify(self, name: str, args: Sequence[str] = ()) -> Word:
        """What a call is, by its function's name as it is written and by its arguments."""
        table = self.table
        whole = f"{name}({', '.join(args)})"
        name = whole if whole in table.calls or whole in self._silent else name
        if name in table.hooks:
            return Word("hook", (f"{table.hooks[name]}()",))
        if name in table.locks:
            lock = self.lock_class(args)
            return self._primitive(f"{table.locks[name]} {lock}") if lock else Word("unknown")
        if name in table.calls:
            letters = table.calls[name]
            return self._primitive(*([letters] if isinstance(letters, str) else letters))
        if name in self._silent:
            return Word("silent")
        return Word("unknown")

    def lock_class(self, args: Sequence[str]) -> str | None:
        """Which class of locks a primitive's arguments name; None if none that the model has."""
        text = ", ".join(args)
        return next((name for piece, name in self.table.lock_classes.items() if piece in text), None)

    def condition(self, text: str) -> Word:
        """What a condition is that is no call."""
        letter = self.table.conditions.get(squeezed(text))
        return Word("unknown") if letter is None else self._primitive(letter)

    def store(self, target: str, value: str | None = None) -> Word:
        """What it is to write to a field, ``target`` and ``value`` as they are written."""
        _, arrow, name = target.rpartition("->")
        letter = self.table.stores.get(f"{target} = {value}", self.table.stores.get(name)) if arrow else None
        return Word("unknown") if letter is None else self._primitive(letter)

    @cached_property
    def many(self) -> frozenset[str]:
        """Steps of the model that C does entry by entry: any number of times, or not at all."""
        return frozenset((*self.table.steps.values(), *self.table.repeated)) - {""}

    def within(self, function: str, word: Word) -> Word:
        """What a word is in a function that is a step of the model: locks stay, tests are part of it."""
        if function not in self.table.steps or word.kind != "primitive":
            return word
        letters = tuple(filter(None, (self.in_step(function, letter) for letter in word.letters)))
        return Word("primitive", letters) if letters else Word("silent")

    def in_step(self, function: str, letter: str) -> str:
        """What a letter is in a function, or in a hook point of that name, that is a step of the model."""
        step = self.table.steps.get(function)
        if step is None or not letter or letter.startswith(tuple(self.table.ordered)):
            return letter
        return "" if self.is_tested(letter) else step

    def python(self, letter: str) -> str:
        """How a text yields a letter: what stands behind ``yield``."""
        if letter.endswith("()"):
            return f"from hooks.{letter[:-1]}vmf)"
        return self.table.python.get(letter, f"{letter.replace(' ', '_')}()")

    def is_tested(self, letter: str) -> bool:
        """Is a letter's outcome told?"""
        return letter in self.table.tested

    def _primitive(self, *letters: str) -> Word:
        negated = letters[0].startswith(NOT)
        letters = tuple(letter.removeprefix(NOT) for letter in letters)
        return Word("primitive", letters, len(letters) == 1 and self.is_tested(letters[0]), negated)


def _files() -> Iterator[tuple[str, WordsFile]]:
    folder = resources.files("spfvar.csource.words")
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml"):
            yield file.name, load_toml(file, WordsFile)


@cache
def _tables() -> Mapping[str, Words]:
    files = dict(_files())
    common = files.pop("common.toml")
    return {kernel: Words(file.on(common)) for file in files.values() for kernel in file.kernels}


def releases() -> tuple[str, ...]:
    """The release lines that have words, the earliest first, as "6.12"."""
    return tuple(sorted(_tables(), key=Version))


def words_for(kernel: str) -> Words:
    """The words of a kernel's release line, such as "6.12", "v6.12" or "6.12.117".  Raises InputError."""
    release = kernel.removeprefix("v")
    for line, words in _tables().items():
        if release == line or release.startswith((f"{line}.", f"{line}-")):
            return words
    raise unknown("release", kernel, _tables(), key="--kernel")
