"""A strategy's text while it is run: started, sent outcomes, left; whatever goes wrong names its line."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Any

from spfvar.automata.blame import blamed
from spfvar.errors import SpfvarError, one_line, shorten
from spfvar.ops.op import RUN_CALL, Again, Call, Loop, NotYieldedError, Op, Passage, Steps

_LONGEST_VALUE = 80


class StrategyError(SpfvarError):
    """A strategy's text that is no strategy: names the function, the file and the line."""

    exit_code = 2


def location(steps: Steps) -> str:
    """``file:line`` of the innermost text that a suspended or finished generator stands in."""
    inner: Any = steps
    while getattr(inner, "gi_yieldfrom", None) is not None and hasattr(inner.gi_yieldfrom, "gi_frame"):
        if inner.gi_yieldfrom.gi_code in RUN_CALL:
            break
        inner = inner.gi_yieldfrom
    frame = getattr(inner, "gi_frame", None)
    if frame is not None:
        return f"{frame.f_code.co_filename}:{frame.f_lineno}"
    code = inner.gi_code
    return f"{code.co_filename}:{code.co_firstlineno}"


def start(name: str, text: Callable[[], Steps]) -> Steps:
    """The generator of a text called ``name``.  Raises StrategyError for what gives none."""
    try:
        steps = text()
    except (StrategyError, KeyboardInterrupt):
        raise
    except BaseException as error:  # a text that exits is as wrong as one that raises
        raise StrategyError(_failed(name, error)) from error
    if isinstance(steps, Call | Passage):
        return iter(steps)
    if not inspect.isgenerator(steps):
        code = getattr(text, "__code__", None)
        where = f"{code.co_filename}:{code.co_firstlineno}: " if code is not None else ""
        raise StrategyError(f"{where}{name} returns {shown(steps)}, not a generator of ops")
    return steps


def advance(name: str, steps: Steps, outcome: Hashable) -> tuple[Any, tuple[Hashable] | None]:
    """Send one outcome: the next item, or the returned value in a tuple.

    Raises StrategyError for whatever the text raises, but for an interrupt, which is the user's.
    """
    try:
        return steps.send(outcome), None
    except StopIteration as stop:
        try:
            hash(stop.value)
        except Exception:
            raise StrategyError(
                f"{location(steps)}: {name} returns {shown(stop.value)}, which is not hashable"
            ) from None
        return None, (stop.value,)
    except (StrategyError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise StrategyError(_failed(name, error)) from error


def leave(name: str, steps: Steps) -> None:
    """Leave a text where it stands.  Raises StrategyError for one that goes on all the same."""
    where = location(steps)
    try:
        steps.close()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise StrategyError(
            f"{where}: {name} goes on when it is left here ({type(error).__name__}: {_told(error)}): "
            "no yield in 'finally', and GeneratorExit is passed on"
        ) from error


def abandon(steps: Steps) -> None:
    """Leave a text that is known to be wrong: what it does then is of no interest."""
    with suppress(Exception, GeneratorExit, SystemExit):
        steps.close()


def shown(value: object) -> str:
    """A plugin's value in a message: short, on one line, even if it cannot be shown."""
    if isinstance(value, Op | Call | Passage | Loop | Again):
        return str(value.name)
    try:
        return shorten(one_line(repr(value)), _LONGEST_VALUE)
    except Exception:
        return f"a {type(value).__name__}"


def _failed(name: str, error: BaseException) -> str:
    where = blamed(error)
    place = f"{where}: " if where else ""
    if isinstance(error, MemoryError):
        return f"{place}{name} takes too much memory"
    if isinstance(error, NotYieldedError):
        return f"{place}{name}: {_told(error)}"
    return f"{place}{name} fails: {type(error).__name__}: {_told(error)}"


def _told(error: BaseException) -> str:
    try:
        return shorten(" ".join(str(error).split()))
    except Exception:
        return "(it cannot be shown)"
