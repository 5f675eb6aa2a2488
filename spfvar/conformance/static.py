"""The checks that run nothing: what a plugin says of itself, its hook points, and its automata's paths."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

from spfvar.automata.automaton import Automaton
from spfvar.automata.extract import StrategyError
from spfvar.conformance.paths import Rules, Wrong, follow
from spfvar.conformance.references import References, counted_fields
from spfvar.conformance.result import Trouble, number, short_place
from spfvar.conformance.sections import Sections, told_by_state
from spfvar.conformance.subject import Subject
from spfvar.errors import nearest
from spfvar.mm import hookspecs as hooks
from spfvar.ops import codes as c
from spfvar.ops.op import Op
from spfvar.plugins.todos import todos_of
from spfvar.plugins.variant import Stack, Variant

#: What a check says: what it looked at, and what is wrong.
Said = tuple[str, list[Trouble]]

#: What can stand on a command line, and in a token before its colon.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]*")
_KERNEL = re.compile(r"\d+\.\d+")
_PLACEHOLDER = re.compile(r"(todo|tbd|fixme|xxx|\?)*", re.IGNORECASE)


def documented(subject: Subject) -> Said:
    """Name, title, source, kernel version; what each patch and event is."""
    variant = subject.variant
    wrong = [
        Trouble(f"its {name} is {text!r}", f"give the Variant {wanted} as {name}")
        for name, text, wanted in (
            ("title", variant.title, "a line that tells it from the others"),
            ("source", variant.source, "the message id, commit or paper it follows, or 'not posted'"),
        )
        if _PLACEHOLDER.fullmatch(text.strip())
    ]
    if not _NAME.fullmatch(variant.name):
        wrong.append(
            Trouble(f"its name is {variant.name!r}", "letters, digits, hyphens and dots, such as my-idea")
        )
    if not _KERNEL.search(variant.kernel):
        wrong.append(Trouble(f"its kernel is {variant.kernel!r}", "name a version, such as v6.12"))
    for patch in variant.patches:
        if not (patch.__doc__ or "").strip():
            wrong.append(Trouble(
                f"patch {patch.__name__} has no docstring", "say in its first line what it changes",
                _place_of(patch),
            ))  # fmt: skip
    wrong += [
        Trouble(f"its rival {rival!r} is no variant", _meant(rival, subject))
        for rival in variant.rivals if not subject.registry.has_variant(rival)
    ]  # fmt: skip
    wrong += [
        Trouble(f"event {event.name} is not explained", "give the Event a doc: a table's reader sees it")
        for event in variant.events if not event.doc.strip()
    ]  # fmt: skip
    return f"{number(len(variant.patches), 'patch')}, {number(len(variant.events), 'event')}", wrong


def _meant(rival: str, subject: Subject) -> str:
    close = nearest(rival, subject.registry.variants)
    return f"did you mean {close}?" if close else "spfvar list variants has the names"


def finished(subject: Subject) -> Said:
    """No text has a `todo`, and somebody has read what was drafted."""
    variant = subject.variant
    found = todos_of(variant)
    wrong = [
        Trouble(f"TODO: {todo.what}", "write what the patch does there, or delete it if that is nothing here",
                short_place(todo.where))
        for todo in found
    ]  # fmt: skip
    if variant.draft:
        do = "read the texts beside the patch, then delete draft="
        wrong.append(Trouble(f"drafted from {variant.draft}, with {number(len(found), 'TODO')}", do))
    return "nothing is left to do", wrong


def hook_points(subject: Subject) -> Said:
    """Every hook implementation is of a hook point, and takes arguments that this one has."""
    variant = subject.variant
    wrong = [trouble for patch in variant.patches for trouble in _of_patch(patch)]
    wrong += _of_own_hook_points(variant)
    if not wrong:
        try:
            Stack(variant)
        except Exception as error:
            text = str(error) if isinstance(error, StrategyError) else f"{type(error).__name__}: {error}"
            wrong.append(Trouble(text, "a patch is a class without arguments, and stands in the stack once"))
    found = [name for patch in variant.patches for name, _ in _implementations(patch)]
    implemented = f"{number(len(found), 'implementation')} of {number(len(set(found)), 'hook point')}"
    return implemented if found else "no patch: the core's own paths", wrong


def _of_own_hook_points(variant: Variant) -> list[Trouble]:
    """Hook points that the patches' modules declare have a contract."""
    modules = {patch.__module__ for patch in variant.patches}
    return [
        Trouble(
            f"hook point {name} has no docstring", "say what it is for and what it returns", _line_of(point)
        )
        for name, point in hooks.HOOKS.items()
        if point.__module__ in modules and not (point.__doc__ or "").strip()
    ]


def _implementations(patch: type) -> Iterator[tuple[str, Any]]:
    for name, member in inspect.getmembers(patch, inspect.isfunction):
        if hasattr(member, f"{hooks.PROJECT}_impl"):
            yield name, member


def _of_patch(patch: type) -> Iterator[Trouble]:
    implementations = dict(_implementations(patch))
    for name, member in implementations.items():
        yield from _of_implementation(patch, name, member)
    for name, member in inspect.getmembers(patch, inspect.isfunction):
        if name in hooks.HOOKS and name not in implementations:
            yield Trouble(
                f"{patch.__name__}.{name}() is named like a hook point, but is none's implementation",
                "put @hookimpl above it, or rename it", _line_of(member),
            )  # fmt: skip
    if not implementations:
        yield Trouble(
            f"patch {patch.__name__} implements no hook point",
            "put @hookimpl above the methods that do; spfvar list hooks has the names", _place_of(patch),
        )  # fmt: skip


def _of_implementation(patch: type, name: str, member: Any) -> Iterator[Trouble]:
    where = _line_of(member)
    if name not in hooks.HOOKS:
        close = nearest(name, hooks.HOOKS)
        do = f"did you mean {close}?" if close else "spfvar list hooks has the names"
        yield Trouble(f"{patch.__name__} implements {name}, which is no hook point", do, where)
        return
    known = list(inspect.signature(hooks.HOOKS[name]).parameters)
    for argument in list(inspect.signature(member).parameters)[1:]:
        if argument not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            yield Trouble(
                f"{patch.__name__}.{name}() takes {argument}, which the hook point has not", has, where
            )
    options = getattr(member, f"{hooks.PROJECT}_impl")
    if options["wrapper"] and not inspect.isgeneratorfunction(member):
        yield Trouble(
            f"{patch.__name__}.{name}() is a wrapper without a yield",
            "below = yield, then return a generator that runs it: yield from below", where,
        )  # fmt: skip


def _line_of(member: Any) -> str:
    code = member.__code__
    return short_place(f"{code.co_filename}:{code.co_firstlineno}")


def _place_of(patch: type) -> str:
    try:
        return short_place(f"{inspect.getsourcefile(patch)}:{inspect.getsourcelines(patch)[1]}")
    except (OSError, TypeError):
        return ""


def automata(subject: Subject) -> Said:
    """Every text ends, and does the same each time it is run: extracted twice, by stacks of their own."""
    first = subject.automata
    second = subject.extract(subject.variant)
    wrong = [
        Trouble(
            f"{name} is another automaton when it is extracted again",
            "a text may depend on its arguments and on outcomes only: no global, no clock, no set's order",
        )
        for name in first
        if first[name] != second[name]
    ]
    nodes = sum(len(automaton) for automaton in first.values())
    return f"{nodes} primitives in {number(len(first), 'text')}, the same twice", wrong


def sections(subject: Subject) -> Said:
    """On every path: locks and sections balance, and nothing sleeps where it must not.

    What the core's own texts seem to do wrong is none of the variant's: khugepaged holds the locks of several
    folios, which it reaches through one register.  Spinlocks that are held so are not followed.
    """
    rules = Sections(told_by_state(subject.automata.values()))
    found = _wrong_paths(subject.automata, rules)
    core = subject.core({name for name, _ in found})
    of_core = {_kind(wrong) for _, wrong in _wrong_paths(core, rules)}
    found = [(name, wrong) for name, wrong in found if _kind(wrong) not in of_core]
    return f"every path of {number(len(subject.automata), 'text')} balances", _troubles(found)


def references(subject: Subject) -> Said:
    """On every path of a fault, aborts above all: what was taken is given back or handed over."""
    faults = subject.faults
    found = _wrong_paths(faults, References(counted_fields(faults.values())))
    return f"every path of {number(len(faults), 'fault')} gives back what it took", _troubles(found)


def _wrong_paths(automata: Mapping[str, Automaton], rules: Rules) -> list[tuple[str, Wrong]]:
    """Every kind of wrong path once, with the name of the text that shows it first."""
    found: dict[tuple[str, str], tuple[str, Wrong]] = {}
    for name, automaton in automata.items():
        for wrong in follow(automaton, rules).wrong:
            found.setdefault(_kind(wrong), (name, wrong))
    return list(found.values())


def _kind(wrong: Wrong) -> tuple[str, str]:
    """The same mistake shows in many texts, and on many paths."""
    return wrong.objection.text, wrong.blamed.where


def _troubles(found: list[tuple[str, Wrong]]) -> list[Trouble]:
    troubles = []
    for name, wrong in found:
        details = [f"text: {name}"]
        if wrong.taken is not None and wrong.taken is not wrong.blamed:
            details.append(f"taken: {_place_in(wrong.taken)}, {short_place(wrong.taken.where)}")
        details.append(f"path: {'; '.join(wrong.decisions()) or 'the only one'}")
        what = f"{_place_in(wrong.blamed)}: a path {wrong.objection.text}"
        troubles.append(Trouble(what, wrong.objection.do, short_place(wrong.blamed.where), tuple(details)))
    return troubles


def _place_in(op: Op) -> str:
    return f"{op.name} in {op.function}()"


def events(subject: Subject) -> Said:
    """What the variant's patches count has a meaning in its list of events."""
    variant = subject.variant
    names = [event.name for event in variant.events]
    core = subject.core([text.name for text in subject.texts if text.is_fault])
    of_core = {event for automaton in core.values() for event in automaton.events()}
    counted: dict[str, str] = {}
    for automaton in subject.automata.values():
        for op in automaton.ops():
            if op.code == c.COUNT:
                counted.setdefault(op.event, op.where)
    wrong = [
        Trouble(f"counts {event}, which its events do not list",
                f'add Event("{event}", "reason", "...") to the Variant', short_place(where))
        for event, where in counted.items() if event not in names and event not in of_core
    ]  # fmt: skip
    return f"{len(set(counted) - of_core)} of its own counted, all listed", wrong + _success(variant)


def _success(variant: Variant) -> list[Trouble]:
    """The success rate needs both attempts and aborts."""
    attempts, aborts = variant.events_with("attempt"), variant.events_with("abort")
    if bool(attempts) == bool(aborts):
        return []
    has, lacks = ("attempt", "abort") if attempts else ("abort", "attempt")
    return [Trouble(
        f"has events of the role {has}, none of the role {lacks}, so its success rate means nothing",
        f"count {lacks}s too",
    )]  # fmt: skip
