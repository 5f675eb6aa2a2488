"""A patch's hook implementations: looked at before pluggy gets them, and watched while it calls them.

pluggy asks the next implementation if one answers None, and ignores what a wrapper yields.  Both would hide a
mistake: the variant would be the core, or lack a step, and nobody would be told.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterator
from functools import cache, wraps
from typing import Any

import pluggy

from spfvar.automata.blame import blamed
from spfvar.automata.text import StrategyError, shown
from spfvar.errors import nearest
from spfvar.mm import hookspecs as hooks
from spfvar.ops.op import Call, Passage
from spfvar.plugins.mistakes import unused_text

_MARK = f"{hooks.PROJECT}_impl"


def register(manager: pluggy.PluginManager, patch: type) -> None:
    """Make a patch's implementations those of the manager's hook points.  Raises StrategyError."""
    try:
        _check(patch)
        instance = patch()
        manager.register(instance, name=f"{patch.__module__}.{patch.__qualname__}")
    except (StrategyError, KeyboardInterrupt):
        raise
    except BaseException as error:  # a patch that exits is as wrong as one that raises
        first = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        where = blamed(error) or place_of(patch)
        raise StrategyError(f"{where}: patch {patch.__name__}: {first[0]}") from error
    for caller in manager.get_hookcallers(instance) or ():
        for implementation in caller.get_hookimpls():
            if implementation.plugin is instance:
                watched = _watched(patch, caller.name, implementation)
                implementation.function = watched  # type: ignore[misc]  # before anybody has called it


def implementations(patch: type) -> Iterator[tuple[str, Any]]:
    """The methods that are marked as hook implementations, by name."""
    for name, member in inspect.getmembers(patch, inspect.isfunction):
        if hasattr(member, _MARK):
            yield name, member


def line_of(member: Any) -> str:
    """``file:line`` of a function."""
    code = inspect.unwrap(member).__code__
    return f"{code.co_filename}:{code.co_firstlineno}"


def place_of(patch: type) -> str:
    """``file:line`` of a patch's class; its module's name if there is no source to look at."""
    try:
        return f"{inspect.getsourcefile(patch)}:{inspect.getsourcelines(patch)[1]}"
    except (OSError, TypeError):
        return patch.__module__


@cache
def _check(patch: type) -> None:
    marked = dict(implementations(patch))
    for name, member in marked.items():
        if name not in hooks.HOOKS:
            close = nearest(name, hooks.HOOKS)
            hint = f" (did you mean {close!r}?)" if close else ""
            raise StrategyError(
                f"{line_of(member)}: patch {patch.__name__} implements {name!r}, which is no hook point{hint}"
            )
        if getattr(member, _MARK)["hookwrapper"]:
            raise StrategyError(
                f"{line_of(member)}: {patch.__name__}.{name}() is a wrapper of pluggy's old style: "
                "@hookimpl(wrapper=True), whose 'below = yield' is the text to run with 'yield from'"
            )
        _check_arguments(patch, name, member)
    for name, member in inspect.getmembers(patch, inspect.isfunction):
        if name in hooks.HOOKS and name not in marked:
            raise StrategyError(
                f"{line_of(member)}: {patch.__name__}.{name}() is named like a hook point, but is none's "
                "implementation: put @hookimpl above it, or rename it"
            )
    if not marked:
        raise StrategyError(
            f"{place_of(patch)}: patch {patch.__name__} implements no hook point: "
            "put @hookimpl above the methods that do"
        )
    if not patch.__module__.startswith("spfvar."):  # the project's own tests look at these
        for member in vars(patch).values():
            if inspect.isfunction(member) and (mistake := unused_text(member, patch)) is not None:
                raise StrategyError(mistake)


def _check_arguments(patch: type, name: str, member: Any) -> None:
    known = list(inspect.signature(hooks.HOOKS[name]).parameters)
    for argument in list(inspect.signature(member).parameters)[1:]:
        if argument not in known:
            raise StrategyError(
                f"{line_of(member)}: patch {patch.__name__}: {name}() takes {argument}, which the "
                f"hook point has not: it has {', '.join(known) or 'none'}"
            )


def _watched(patch: type, name: str, implementation: Any) -> Callable[..., Any]:
    function = implementation.function
    what = f"{line_of(function)}: {patch.__name__}.{name}()"
    if implementation.wrapper:
        return _watched_wrapper(function, what)
    return function if inspect.isgeneratorfunction(function) else _watched_text(function, what)


def _watched_text(function: Callable[..., Any], what: str) -> Callable[..., Any]:
    @wraps(function)
    def text(*args: Any) -> Any:
        steps = function(*args)
        if not _is_text(steps):
            raise StrategyError(
                f"{what} returns {shown(steps)} and has no yield, so it is no text, and would leave the hook "
                "point to what is below (a text that only returns has a yield behind its return)"
            )
        return steps

    return text


def _watched_wrapper(function: Callable[..., Any], what: str) -> Callable[..., Any]:
    @wraps(function)
    def wrapper(*args: Any) -> Generator[None, Any, Any]:
        inner = function(*args)
        try:
            first = next(inner)
        except StopIteration:
            raise StrategyError(f"{what} is a wrapper that does not reach its yield") from None
        if first is not None:
            inner.close()
            raise StrategyError(
                f"{what} is a wrapper, and yields {shown(first)}, which is lost: it has one empty yield, and "
                "returns a text that yields the rest"
            )
        below = yield
        try:
            second = inner.send(below)
        except StopIteration as stop:
            if not _is_text(stop.value):
                raise StrategyError(
                    f"{what} is a wrapper that returns {shown(stop.value)}, not a text: "
                    "return a generator that runs what is below with 'yield from'"
                ) from None
            return stop.value
        except AttributeError as error:
            if error.name in ("get_result", "force_result", "exception", "result"):
                raise StrategyError(
                    f"{blamed(error) or what}: {what.partition(': ')[2]} takes what its yield gives for "
                    "pluggy's result; it is the text below, to be run with 'yield from' or not at all"
                ) from error
            raise
        inner.close()
        raise StrategyError(
            f"{what} is a wrapper that yields {shown(second)} behind its first yield: "
            "it returns a text that does, as 'return self._text(below)'"
        )

    return wrapper


def _is_text(steps: object) -> bool:
    if inspect.iscoroutine(steps):
        steps.close()
    return inspect.isgenerator(steps) or isinstance(steps, Call | Passage)
