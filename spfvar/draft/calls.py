"""What stands in a text for calls and constants of C, by the tables, and whether it can be written there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from keyword import iskeyword
from typing import Final, Literal

from spfvar.draft.known import Hook, Known
from spfvar.draft.tree import Expression
from spfvar.draft.words import normal
from spfvar.mm.vmf import VMFault

#: What came of a statement or a test.
Came = Literal["translated", "silent", "TODO"]
_RESULT: Final = re.compile(r"VM_FAULT_([A-Z_]+)\Z")
_LOCAL: Final = re.compile(r"[a-z_]\w*\Z")
#: Names that are no variables of C's wherever a text has them.
_TAKEN: Final = ("self", "below", "vmf", "o", "hooks", "loop", "again")


@dataclass(frozen=True, slots=True)
class Role:
    """What a text is for.

    ``hook``: the hook point that it implements.  ``below``: the statements whose place the text below it
    takes, and ``call`` the one call that they make ("": none); ``calls``: functions that are the text below.
    ``value`` is the variable that such a call's value goes to.  ``alone``: there is nothing below, the text
    is all of the function.  ``around``: it stands around a call of the hook point, so a value is that call's.
    ``replaces``: a way through that does not come to the text below is without it.
    """

    hook: Hook
    below: tuple[str, ...] = ()
    call: str = ""
    calls: frozenset[str] = frozenset()
    value: str = ""
    alone: bool = False
    around: bool = False
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class Calls:
    """Writes calls and constants in the text of a role."""

    known: Known
    role: Role

    def constant(self, value: Expression) -> str | None:
        """VM_FAULT_* in Python; those that the model has not are never returned, so they can be left out."""
        names = [_RESULT.match(part.strip("() ")) for part in value.text.split("|")]
        if value.text == "0":
            return "VMFault.NONE" if self.role.hook.kind in ("fault", "pair", "entry") else "False"
        if not all(names):
            return None
        found = [
            f"VMFault.{name[1]}" for name in names if name is not None and name[1] in VMFault.__members__
        ]
        return " | ".join(found) if found else None

    def call(self, value: Expression) -> tuple[str | None, Came]:
        """What stands behind ``yield`` for a call; None if it has no effect."""
        table, name = self.known.table, value.name
        args = [part.text for part in value.parts]
        if any(name in names for names in table.silent.values()):
            return None, "silent"
        if name == "kmem_cache_free" and args and args[0] in table.caches:
            return self.filled(table.caches[args[0]]), "translated"
        if name in table.calls and self.usable(table.calls[name]):
            return self.filled(table.calls[name]), "translated"
        hook = self.known.hook_called(name)
        if hook is not None and hook != self.role.hook.name:
            call = self.hook_call(hook, args)
            return call, "TODO" if call is None else "translated"
        word = self.known.word(name, args)
        if word.kind == "silent":
            return None, "silent"
        if word.kind == "primitive" and len(word.letters) == 1:
            python = self.known.words.python(word.letters[0])
            if self.usable(python):
                return python, "translated"
        return None, "TODO"

    def done_by(self, values: Sequence[Expression]) -> tuple[list[str], list[str]]:
        """What stands behind ``yield`` for each call in expressions; and the C of those that nobody knows."""
        found = [(call.text, *self.call(call)) for value in values for call in value.calls()]
        unknown = [text for text, _, came in found if came == "TODO"]
        outer = [text for text in unknown if not any(text in one and text != one for one in unknown)]
        return [python for _, python, _ in found if python is not None], outer

    def acts(self, value: Expression) -> bool:
        """Does a call in an expression do something, as far as anybody knows?"""
        return any(self.call(call)[1] != "silent" for call in value.calls())

    def variable(self, text: str) -> str:
        """C's name of a variable, if a text can have it; "" if it is none, or is another thing in a text."""
        if not _LOCAL.match(text) or not text.isidentifier() or iskeyword(text) or text in _TAKEN:
            return ""
        return "" if self.role.hook.has(text) or self.known.source_of(text) is not None else text

    def filled(self, python: str) -> str:
        """An entry of the table with the VMA's register in it."""
        if self.role.hook.has("vma"):
            return python.replace("{vma}", "vma")
        return (
            python.replace("({vma})", "()").replace("{vma}", "o.vma")
            if "find" in python
            else python.replace("{vma}", "o.vma")
        )

    def usable(self, python: str) -> bool:
        """Can this be written here: are its names known, and is there a fault if it takes one?"""
        if "vmf" in python and not self.role.hook.has("vmf"):
            return False
        names = re.findall(r"(?<![.\w\"])([A-Za-z_]\w*)(?=\(|\b)", re.sub(r'"[^"]*"', "", python))
        skipped = {"from", "yield", "o", "hooks", "vmf", "None", "vma", "not", "True", "False", "pte"}
        if re.search(r"hooks\.(\w+)", python):
            return all(self.known.implemented(hook) for hook in re.findall(r"hooks\.(\w+)", python))
        return all(name in skipped or self.known.source_of(name) is not None for name in names)

    def hook_call(self, hook: str, args: Sequence[str]) -> str | None:
        """A call of another hook point, whose arguments are this one's; None if it takes others."""
        wanted = [name for name, _ in self.known.hook(hook).parameters]
        if not all(self.role.hook.has(name) for name in wanted):
            return None
        added = [
            self.flag(flag) for arg in args if "|" in arg for flag in re.findall(r"FAULT_FLAG_(\w+)", arg)
        ]
        if not all(flag is not None and flag.startswith("vmf.has(") for flag in added):
            return None
        flags = ", ".join(
            flag.removeprefix("vmf.has(").removesuffix(")") for flag in added if flag is not None
        )
        given = [f"vmf.set({flags})" if name == "vmf" and flags else name for name in wanted]
        return f"from {self.known.hook_call(hook)}({', '.join(given)})"

    def is_pair(self, python: str) -> bool:
        """Does a call of a hook point return the fault, too?"""
        called = re.search(r"yield from hooks\.(\w+)\(", python)
        return called is not None and self.known.hook(called[1]).kind == "pair"

    def is_below(self, value: Expression) -> bool:
        """Is this a call of what the text below is in the place of?"""
        if self.role.alone:
            return False
        if value.kind == "not":
            return self.is_below(value.parts[0])
        if value.kind != "call":
            return False
        return normal(value.text) == self.role.call or value.name in self.role.calls

    def is_told(self, value: Expression) -> bool:
        """Has a call an outcome that decides?"""
        hook = self.known.hook_called(value.name)
        if hook is not None and self.known.hook(hook).kind in ("fault", "truth"):
            return True
        if any(value.name in names for names in self.known.table.told.values()):
            return True
        return self.known.word(value.name, [part.text for part in value.parts]).tested

    def flag(self, name: str) -> str | None:
        """A FAULT_FLAG_*, if texts of the stack set it; of another one nobody knows when it is set."""
        if not self.role.hook.has("vmf"):
            return None
        attribute = self.known.table.flags.get(f"FAULT_FLAG_{name}")
        if attribute is not None:
            return attribute
        known = self.known.flags.get(name)
        return f"vmf.has({known[0]})" if known is not None else None
