"""What a plugin has to leave as it is: streams, hooks, signals and settings that it shares with spfvar."""

from __future__ import annotations

import builtins
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

from spfvar.mm import hookspecs as hooks

_STREAMS = ("stdin", "stdout", "stderr")
_HOOKS = ("excepthook", "displayhook", "unraisablehook")
#: What the project's own compiler sets when it is first imported.
_OURS = "NUMBA_"


class Surroundings:
    """A snapshot to be compared with a later one."""

    def __init__(self) -> None:
        self._now = dict(_look())

    def changes(self) -> list[str]:
        """What is not as it was, in words."""
        now = dict(_look())
        new = [
            what for key, (what, value) in now.items() if key not in self._now or self._now[key][1] != value
        ]
        gone = [what for key, (what, _) in self._now.items() if key not in now]
        return [*new, *(f"removes {what.partition(' ')[2]}" for what in gone)]


def _look() -> Iterator[tuple[str, tuple[str, Any]]]:
    """By key: what a change of it is called, and its value."""
    for number, name in enumerate(_STREAMS):
        stream = getattr(sys, name, None)
        yield name, (f"replaces sys.{name}", id(stream))
        yield f"{name} closed", (f"closes {name}", _closed(stream, number))
    for name in _HOOKS:
        yield name, (f"replaces sys.{name}", id(getattr(sys, name, None)))
    yield "threading", ("replaces threading.excepthook", id(threading.excepthook))
    yield "trace", ("sets a trace function", (id(sys.gettrace()), id(sys.getprofile())))
    yield "recursion", ("sets the recursion limit", sys.getrecursionlimit())
    yield "cwd", ("changes the working directory", _cwd())
    yield "threads", ("leaves a thread running", {id(thread) for thread in threading.enumerate()})
    for number in sorted(signal.valid_signals()):
        if number not in (signal.SIGKILL, signal.SIGSTOP, signal.SIGALRM):
            yield f"signal {number}", (f"handles signal {number}", id(signal.getsignal(number)))
    for name, value in os.environ.items():
        if not name.startswith(_OURS) or "spfvar.transition.jit" not in sys.modules:
            yield f"${name}", (f"sets ${name} in os.environ", value)
    for name, value in vars(builtins).items():
        if name != "_":
            yield f"builtin {name}", (f"replaces the builtin {name}", id(value))
    for name in list(hooks.HOOKS):
        if hooks.HOOKS[name].__module__.startswith("spfvar."):
            yield f"hook {name}", (f"replaces hook point {name}", id(hooks.HOOKS[name]))


def _closed(stream: Any, number: int) -> bool:
    try:
        os.fstat(number)
        return bool(stream.closed)
    except (OSError, AttributeError, ValueError):
        return True


def _cwd() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""
