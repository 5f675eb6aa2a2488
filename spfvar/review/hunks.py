"""Which hook points the hunks of a patch touch, and the protocol's steps there without and with the patch.

No table says which kernel function is which hook point: hook points are named after kernel functions, their
docstrings name others, so do the functions that texts are made of, and a primitive is named after its own.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from types import CodeType, FunctionType
from typing import Any, Literal

from spfvar.automata.extract import StrategyError
from spfvar.mm import hookspecs
from spfvar.mm.vmf import Mapping, VmFault
from spfvar.ops.op import Call, Steps
from spfvar.ops.places import Register
from spfvar.plugins.registry import sample_texts
from spfvar.plugins.variant import CORE, Stack, Variant
from spfvar.review.diff import Hunk
from spfvar.review.patchmail import Patch

How = Literal["is", "named", "part", "calls", "primitive"]
#: From the surest to the vaguest.
RANK: tuple[How, ...] = ("is", "named", "part", "calls", "primitive")

#: A kernel function's name, or a word of prose: names that no function has do no harm.
_WORD = re.compile(r"\b_{0,2}[a-z][a-z0-9]*(?:_[a-z0-9]+)+_?\b")
#: A docstring that begins so says which kernel function is meant, whatever the text itself is called.
_LEAD = re.compile(r"(?:``(\w+)``|The kernel's (\w+))[:.]")
_METHOD = re.compile(r"``\w+->(\w+)``(?: = (\w+))?")
_CALL = re.compile(r"(?:(?<![\w.])|(?<=->))([A-Za-z_]\w*)\s*\((?!\s*\*)")
_SYSCALL = re.compile(r"(?:COMPAT_)?SYSCALL_DEFINE\d\(\s*(\w+)")
_DEFINITION = re.compile(r"(?:#\s*define\s+|(?:[A-Za-z_]\w*[\s*]+)+)([A-Za-z_]\w*)\((?!\s*\*)[^;]*\Z")
_KEYWORDS = frozenset(
    {"if", "else", "while", "for", "switch", "return", "sizeof", "do", "case", "goto", "typeof", "defined"}
)
_POSITION = re.compile(r"([\d, ]+)/(\d+)\s*:")
_PRIMITIVES = "spfvar.ops."
_SERIES = re.compile(r"(.*)-(\d+)-([^-]*@.*)\Z")

Text = tuple[str, Callable[[], Steps]]


@dataclass(frozen=True, slots=True)
class Touch:
    """A hook point that a hunk touches, and how that is known from the kernel ``function``.

    ``how``: "is" - the hook point is that function; "named" - its docstring names the function; "part" - the
    function's text is part of the hook point's; "calls" - the changed lines, or that function, call it;
    "primitive" - the hook point executes the function as a primitive.
    """

    hook: str
    function: str
    how: How


@dataclass(frozen=True, slots=True)
class Case:
    """The outline of a hook point under some facts: without the patch and with it.

    ``facts`` say for which calls, e.g. "write fault, private file, SPECULATIVE".  Steps are () for a stack
    that lacks the hook point.
    """

    facts: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """Does the patch change these steps?"""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class TouchedHook:
    """A hook point that a hunk touches: its contract, who implements it in the patch, its steps.

    ``cases`` that the patch changes come first, then those with the most facts; none if no text that was
    extracted calls the hook point.
    """

    touch: Touch
    doc: str
    implemented_by: tuple[str, ...]
    cases: tuple[Case, ...]

    @property
    def changed(self) -> bool:
        """Does the patch change the steps for any facts?"""
        return any(case.changed for case in self.cases)

    @property
    def before(self) -> tuple[str, ...]:
        """The steps of the first case without the patch."""
        return self.cases[0].before if self.cases else ()

    @property
    def after(self) -> tuple[str, ...]:
        """The steps of the first case with the patch."""
        return self.cases[0].after if self.cases else ()


@dataclass(frozen=True, slots=True)
class HunkSteps:
    """A hunk, the kernel functions that its changed lines are in, and the hook points that it touches.

    ``hooks`` are ordered: changed ones first, then by how surely they are touched.  None: the model has no
    place for what the hunk changes.
    """

    hunk: Hunk
    functions: tuple[str, ...]
    hooks: tuple[TouchedHook, ...]

    @property
    def main(self) -> tuple[TouchedHook, ...]:
        """The hook points whose steps the patch changes; if there is none, those that are the function."""
        changed = tuple(hook for hook in self.hooks if hook.changed)
        return changed or tuple(hook for hook in self.hooks if hook.touch.how == "is")


# --- what a hunk says ----------------------------------------------------------------------------


def hunk_functions(hunk: Hunk) -> tuple[str, ...]:
    """The kernel functions that a hunk's changed lines are in, in order.

    The first is the one that the hunk's header names; a definition in the hunk begins the next.
    """
    current = defined_function(hunk.function) or first_called(hunk.function)
    found: dict[str, None] = {}
    for line in hunk.lines:
        current = defined_function(line.text) or current
        if line.kind != " " and line.text.strip() and current:
            found[current] = None
    return tuple(found)


def called_functions(hunk: Hunk) -> tuple[str, ...]:
    """The functions that a hunk's changed lines call, in order; comments are not looked at."""
    found: dict[str, None] = {}
    for line in hunk.lines:
        text = line.text.split("/*")[0].strip()
        if line.kind != " " and not text.startswith(("*", "//")) and not defined_function(line.text):
            found |= dict.fromkeys(n for n in _CALL.findall(text) if n not in _KEYWORDS)
    return tuple(found)


def defined_function(text: str) -> str:
    """The function that a line of C defines, "" if it does not look like that."""
    if (match := _SYSCALL.match(text)) is not None:
        return match[1]
    match = _DEFINITION.match(text[:200])
    if match is None or _KEYWORDS & set(re.findall(r"\w+", text[: match.start(1)])) or match[1] in _KEYWORDS:
        return ""
    return match[1]


def first_called(text: str) -> str:
    """The first function that a line of C calls or declares, "" for none."""
    return next((name for name in _CALL.findall(text[:200]) if name not in _KEYWORDS), "")


# --- what the specifications say -----------------------------------------------------------------


class KernelNames:
    """Finds hook points by the names of kernel functions, under the stacks of some variants."""

    def __init__(self, *variants: Variant) -> None:
        self._classes = tuple(
            dict.fromkeys(patch for variant in variants for patch in (*CORE, *variant.patches))
        )
        modules = dict.fromkeys(cls.__module__ for base in self._classes for cls in base.__mro__[:-1])
        self._plain = {
            name: function
            for module in modules
            for name, function in vars(sys.modules[module]).items()
            if isinstance(function, FunctionType) and name not in hookspecs.HOOKS
        }

    def touched(self, hunk: Hunk) -> tuple[Touch, ...]:
        """The hook points that a hunk touches, each once, by the surest evidence."""
        found: dict[str, Touch] = {}
        functions = hunk_functions(hunk)
        for function in functions:
            for touch in self.hooks_of(function):
                _keep(found, touch)
        for function in called_functions(hunk):
            for hook in self._meant.get(function, ()):
                _keep(found, Touch(hook, function, "calls"))
        return tuple(sorted(found.values(), key=lambda touch: RANK.index(touch.how)))

    def hooks_of(self, function: str) -> list[Touch]:
        """The hook points that stand for a kernel function, name it, or are made of it."""
        touches = [Touch(hook, function, "is") for hook in self._meant.get(function, ())]
        touches += [Touch(hook, function, "named") for hook in self._named.get(function, ())]
        for text in self._texts.get(function, ()):
            how: How = "primitive" if self._plain[text].__module__.startswith(_PRIMITIVES) else "part"
            touches += [Touch(hook, function, how) for hook in self._around(text)]
            touches += [Touch(hook, function, "calls") for hook in self._below(text)]
        if touches:
            return touches
        short = function.lstrip("_")  # such as __pte_map_lock, of which pte_map_lock is the usual form
        return [Touch(hook, function, "is") for hook in self._meant.get(short, ())]

    @cached_property
    def _meant(self) -> dict[str, list[str]]:
        """Kernel function -> the hook points that are it: by their name, or by how their docstring begins."""
        found: dict[str, list[str]] = {}
        for hook, specification in hookspecs.HOOKS.items():
            for name in _meant_by(hook, specification):
                found.setdefault(name, []).append(hook)
        return found

    @cached_property
    def _named(self) -> dict[str, list[str]]:
        """Kernel function -> the hook points whose docstrings name it."""
        found: dict[str, list[str]] = {}
        for hook, specification in hookspecs.HOOKS.items():
            for name in dict.fromkeys(_WORD.findall(inspect.getdoc(specification) or "")):
                if hook not in self._meant.get(name, ()):
                    found.setdefault(name, []).append(hook)
        return found

    @cached_property
    def _texts(self) -> dict[str, list[str]]:
        """Kernel function -> the functions that hook points' texts are made of, which are it."""
        found: dict[str, list[str]] = {}
        for name, function in self._plain.items():
            for kernel_name in _meant_by(name, function):
                found.setdefault(kernel_name, []).append(name)
        return found

    def _below(self, text: str) -> list[str]:
        """The hook points that a function of a text calls, itself or through other functions."""
        return [name for name in self.mentioned_by(self._plain[text]) if name in hookspecs.HOOKS]

    def _around(self, text: str) -> list[str]:
        """The hook points whose implementations reach a function of a text without a call of a hook point."""
        return list(
            dict.fromkeys(
                name
                for patch in self._classes
                for name, member in inspect.getmembers(patch, inspect.isfunction)
                if name in hookspecs.HOOKS and text in self.mentioned_by(member)
            )
        )

    def mentioned_by(self, function: FunctionType) -> dict[str, None]:
        """Names in a function's code, and in that of the functions among them."""
        found: dict[str, None] = {}
        queue: list[CodeType] = [function.__code__]
        for code in queue:
            queue += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
            for name in code.co_names:
                if name not in found:
                    found[name] = None
                    queue += [self._plain[name].__code__] if name in self._plain else []
        return found


def _keep(found: dict[str, Touch], touch: Touch) -> None:
    known = found.get(touch.hook)
    if known is None or RANK.index(touch.how) < RANK.index(known.how):
        found[touch.hook] = touch


def _meant_by(name: str, text: Callable[..., Any]) -> tuple[str, ...]:
    """The kernel functions that a text is: the one that its docstring begins with, or the one of its name.

    A docstring that begins with a method, such as ``vm_ops->map_pages``, adds that and what it is here.
    """
    doc = inspect.getdoc(text) or ""
    if (match := _LEAD.match(doc)) is not None:
        return tuple(found for found in match.groups() if found)
    method = _METHOD.match(doc)
    return (name, *(found for found in (method.groups() if method else ()) if found))


# --- steps without and with a patch --------------------------------------------------------------


def review_hunks(
    patch: Patch, before: Variant, after: Variant, texts: Iterable[Text] | None = None
) -> tuple[HunkSteps, ...]:
    """Every hunk of a patch with the hook points that it touches, and their steps under two stacks.

    ``before`` is the variant without the patch, ``after`` the one with it (see `without`).  ``texts`` are
    threads' texts whose calls say under which facts a hook point is looked at; by default every kind of fault
    and writer (`registry.sample_texts`).  Raises StrategyError.
    """
    names = KernelNames(before, after)
    pair = _Pair(before, after, tuple(sample_texts() if texts is None else texts))
    known: dict[str, tuple[Case, ...]] = {}
    reviewed = []
    for hunk in patch.hunks:
        touches = names.touched(hunk) or pair.primitives(hunk_functions(hunk))
        hooks = []
        for touch in touches:
            if touch.hook not in known:
                known[touch.hook] = pair.cases(touch.hook)
            specification = hookspecs.HOOKS[touch.hook]
            doc = (inspect.getdoc(specification) or "").split("\n")[0]
            hooks.append(TouchedHook(touch, doc, pair.implementers(touch.hook), known[touch.hook]))
        hooks.sort(key=lambda hook: not hook.changed)
        reviewed.append(HunkSteps(hunk, hunk_functions(hunk), tuple(hooks)))
    return tuple(reviewed)


class _Pair:
    """Two stacks with the same texts extracted."""

    def __init__(self, before: Variant, after: Variant, texts: tuple[Text, ...]) -> None:
        self.before, self.after = Stack(before), Stack(after)
        self._automata = [
            stack.automaton(name, text) for name, text in texts for stack in (self.before, self.after)
        ]
        self._added = [patch for patch in after.patches if patch not in before.patches]

    def implementers(self, hook: str) -> tuple[str, ...]:
        """The patches that only the second stack has and that implement a hook point."""
        return tuple(patch.__name__ for patch in self._added if hasattr(patch, hook))

    def primitives(self, functions: tuple[str, ...]) -> tuple[Touch, ...]:
        """The hook points that execute one of the kernel functions as a primitive."""
        found = {
            (op.function, name): None
            for automaton in self._automata
            for op in automaton.ops()
            for name in functions
            if op.function in hookspecs.HOOKS and re.match(rf"{re.escape(name)}\b", op.name)
        }
        return tuple(Touch(hook, name, "primitive") for hook, name in found)

    def cases(self, hook: str) -> tuple[Case, ...]:
        """The outlines of a hook point, equal ones once: what changed first, then what most facts have."""
        facts: dict[tuple[tuple[str, ...], tuple[str, ...]], dict[str, None]] = {}
        calls = dict.fromkeys(
            call for stack in (self.after, self.before) for call in stack.calls() if call.name == hook
        )
        for call in calls:
            outlines = _outline(self.before, call), _outline(self.after, call)
            facts.setdefault(outlines, {})[describe_facts(call.args)] = None
        cases = [Case(tuple(found), *outlines) for outlines, found in facts.items()]
        return tuple(sorted(cases, key=lambda case: (not case.changed, -len(case.facts))))


def _outline(stack: Stack, call: Call) -> tuple[str, ...]:
    try:
        return tuple(stack.outline(call))
    except StrategyError:
        return ()  # a hook point that a patch declares and only the other stack implements


def describe_facts(args: Iterable[object]) -> str:
    """The facts that a call of a hook point gets, in words."""
    return ", ".join(text for text in map(_fact, args) if text)


def _fact(value: object) -> str:
    if isinstance(value, VmFault):
        access = "write fault" if value.write else "read fault"
        return ", ".join([access, _fact(value.mapping), *sorted(value.flags)])
    if isinstance(value, Mapping):
        if value.anonymous:
            return "anonymous"
        around = "" if value.map_pages and value.fault_around > 1 else ", no fault-around"
        return f"{'shared' if value.shared else 'private'} file{around}"
    return value.name if isinstance(value, Register) else str(value)


# --- which patches of a variant a mail is --------------------------------------------------------


def without(variant: Variant, patches: Iterable[type]) -> Variant:
    """The variant without some of its patches."""
    left_out = tuple(patches)
    names = "+".join(patch.__name__ for patch in left_out)
    kept = tuple(patch for patch in variant.patches if patch not in left_out)
    return replace(variant, name=f"{variant.name}~{names}", patches=kept, repairs=())


def patches_of(patch: Patch, variant: Variant) -> tuple[type, ...]:
    """The classes of a variant's stack that are the patch in a mail; () if that cannot be told.

    A class says it by its docstring, which begins with its place in the series ("24/37: ..."), if the mail
    is of the series that the variant's source is; else it is the classes that implement a hook point that
    the patch changes by name.  Of a stack it is those of all its patches.
    """
    if patch.parts:
        found = {cls for part in patch.parts for cls in patches_of(part, variant)}
        return tuple(cls for cls in variant.patches if cls in found)
    if patch.position is not None and not _other_series(patch.message_id, variant.source):
        number, total = patch.position
        numbered = tuple(cls for cls in variant.patches if number in number_of(cls, total))
        if numbered:
            return numbered
    names = KernelNames(variant)
    hooks = {touch.hook for hunk in patch.hunks for touch in names.touched(hunk) if touch.how == "is"}
    return tuple(cls for cls in variant.patches if any(hasattr(cls, hook) for hook in hooks))


def number_of(cls: type, total: int | None = None) -> tuple[int, ...]:
    """The places of a class in its series (of ``total`` patches, if given), by its docstring; () for none."""
    match = _POSITION.match(inspect.getdoc(cls) or "")
    if match is None or total not in (None, int(match[2])):
        return ()
    return tuple(int(number) for number in match[1].split(","))


def _other_series(message_id: str, source: str) -> bool:
    """Do both ids number the mails of a series, but not of the same one?"""
    mine, theirs = _SERIES.match(message_id), _SERIES.match(source)
    return mine is not None and theirs is not None and mine.group(1, 3) != theirs.group(1, 3)


def functions_by_file(patch: Patch) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each file of a patch with the kernel functions that it changes there."""
    for path, hunks in groupby(patch.hunks, key=lambda hunk: hunk.file):
        yield path, tuple(dict.fromkeys(name for hunk in hunks for name in hunk_functions(hunk)))
