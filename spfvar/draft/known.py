"""What a stack has that a draft may use: hook points, flags of faults, and where names are imported from."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from spfvar.csource.words import Word
from spfvar.draft.words import draft_words, normal, words_near
from spfvar.mm import hookspecs
from spfvar.plugins.variant import CORE, Variant
from spfvar.review.hunks import KernelNames

#: What a hook point returns: VMFault; that and the fault; a truth; what the walk found; nothing.
Kind = Literal["fault", "pair", "truth", "entry", "nothing"]

#: Where the names in texts come from; the first that has a name counts.
SOURCES: Final = (
    "spfvar.ops.primitives", "spfvar.ops.paging", "spfvar.ops.swapping", "spfvar.ops.pinning",
    "spfvar.ops.orders", "spfvar.ops.todo", "spfvar.mm.vmf", "spfvar.mm.fault", "spfvar.mm.filemap",
    "spfvar.mm.dispatch", "spfvar.mm.drafted", "spfvar.mm.page_mkwrite",
)  # fmt: skip
_CORE: Final = "spfvar.mm."
_FLAG = re.compile(r"[A-Z][A-Z0-9_]*\Z")


@dataclass(frozen=True, slots=True)
class Hook:
    """A hook point: its parameters with their types, and what it returns."""

    name: str
    parameters: tuple[tuple[str, str], ...]
    kind: Kind

    def has(self, parameter: str) -> bool:
        """Does it take an argument of this name?"""
        return any(name == parameter for name, _ in self.parameters)


class Known:
    """What can be used on top of a variant's patches."""

    def __init__(self, base: Variant) -> None:
        self.base = base
        self.table = draft_words()
        self.words = words_near(base.kernel)
        self._names = KernelNames(base)
        self._classes = (*CORE, *base.patches)

    def hook(self, name: str) -> Hook:
        """A hook point."""
        specification = hookspecs.HOOKS[name]
        parameters = tuple(
            (parameter.name, _type_of(parameter.annotation))
            for parameter in inspect.signature(specification).parameters.values()
        )
        return Hook(name, parameters, _kind(inspect.getdoc(specification) or ""))

    def word(self, name: str, args: Sequence[str] = ()) -> Word:
        """What the tables that audits share say of a call."""
        return self.words.classify(normal(name), args)

    def implemented(self, hook: str) -> bool:
        """Does the stack have a text for a hook point?"""
        return any(hasattr(cls, hook) for cls in self._classes)

    def mentioned(self, hook: str) -> set[str]:
        """The hook points that the texts of a hook point call, under this stack."""
        found: set[str] = set()
        for cls in self._classes:
            if hasattr(cls, hook):
                found |= set(self._names.mentioned_by(getattr(cls, hook))) & set(hookspecs.HOOKS)
        return found

    def hook_of(self, function: str) -> str | None:
        """The hook point that a kernel function is, or is part of; None if the model has no place for it."""
        if function in self.table.functions:
            return self.table.functions[function]
        if function in self.table.hooks:
            return self.table.hooks[function]
        touches = self._names.hooks_of(function)
        exact = [touch.hook for touch in touches if touch.how == "is"]
        if exact:
            return exact[0]
        part = [t.hook for t in touches if t.how in ("named", "part") and self._is_in(t.hook, function)]
        return part[0] if part else None

    def _is_in(self, hook: str, function: str) -> bool:
        """Does a hook point of the core say that it stands in the function, "(mm/memory.c: f, g)"?"""
        specification = hookspecs.HOOKS[hook]
        if not specification.__module__.startswith(_CORE):
            return False
        said = re.search(r"\([\w/]+\.[ch]: ([\w, ]+)\)", inspect.getdoc(specification) or "")
        return said is not None and function in re.split(r",\s*", said[1])

    def hook_called(self, function: str) -> str | None:
        """The hook point that a call is, if the stack has a text for it."""
        found = self.table.hooks.get(function)
        if found is None:
            word = self.word(function)
            found = word.letters[0].removesuffix("()") if word.kind == "hook" else None
        if found is None and function in hookspecs.HOOKS:
            found = function
        if found is None or found not in hookspecs.HOOKS or not self.implemented(found):
            return None
        return found

    @cached_property
    def flags(self) -> dict[str, tuple[str, str]]:
        """FAULT_FLAG_* that texts of the stack know, without the prefix: the constant and its module."""
        modules = dict.fromkeys(["spfvar.mm.vmf", *(cls.__module__ for cls in self._classes)])
        found: dict[str, tuple[str, str]] = {}
        for module in modules:
            for name, value in vars(sys.modules[module]).items():
                if isinstance(value, str) and _FLAG.match(name) and name == value:
                    found.setdefault(value, (name, module))
        return found

    def source_of(self, name: str) -> str | None:
        """The module that a name in a text is imported from; None: no such name."""
        if name in hookspecs.HOOKS:
            return hookspecs.HOOKS[name].__module__
        if name in self.flags:
            return self.flags[name][1]
        for module in SOURCES:
            found = vars(importlib.import_module(module))
            if name in found and (not callable(found[name]) or found[name].__module__ == module):
                return module
        return None

    def hook_call(self, hook: str) -> str:
        """A hook point as a text calls it: those of the core through their module."""
        return f"hooks.{hook}" if hookspecs.HOOKS[hook].__module__.startswith(_CORE) else hook


def _type_of(annotation: object) -> str:
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))


def _kind(doc: str) -> Kind:
    """What a hook point's contract says that it returns."""
    said = re.search(r"Returns (.*)", " ".join(doc.split()))
    if said is None:
        return "nothing"
    text = said[1]
    if text.startswith(("(VMFault, vmf)", "as do_fault_around")):
        return "pair"
    if text.startswith("VMFault"):
        return "fault"
    return "truth" if text.startswith(("whether", "bool", "False")) else "entry"
