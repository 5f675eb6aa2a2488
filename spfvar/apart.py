"""One call in a process of its own, beside work of this one: for what holds the GIL most of the time."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from threading import Lock
from types import ModuleType
from typing import Any

from spfvar.errors import SpfvarError
from spfvar.threads import Watch

#: Seconds between two looks whether anybody still wants the result.
_PATIENCE = 0.1
_TOLD, _DONE, _FAILED = "told", "done", "failed"


class DiedError(SpfvarError):
    """The process ended without a result."""


def apart(call: Callable[..., Any], *arguments: Any, tell: Callable[..., None], watch: Watch) -> Any:
    """What ``call(*arguments, tell)`` returns, or raises, in a process that is made for it.

    ``call`` is a function of a module; it, what it is given and what it gives are pickled.  What it tells is
    told here, in the thread that calls, as is ``watch`` now and then: if either raises, the process is ended,
    and so are those that it has begun.  An interrupt does not reach it otherwise.  Raises DiedError if it was
    killed, as by a system that is out of memory.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(theirs, call, arguments))
    with without_main():
        process.start()
    theirs.close()
    try:
        while True:
            watch()
            if not ours.poll(_PATIENCE):
                continue
            kind, what = ours.recv()
            if kind == _TOLD:
                tell(*what)
            elif kind == _DONE:
                return what
            else:
                raise what
    except EOFError:
        process.join()
        raise DiedError(f"a process ended with code {process.exitcode}, without a result") from None
    finally:
        process.terminate()
        process.join()
        ours.close()


def _serve(connection: Connection, call: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end)
    lock = Lock()

    def send(kind: str, what: object) -> None:
        with lock:  # threads of the call's may tell, too
            connection.send((kind, what))

    with suppress(BrokenPipeError):  # whoever asked was killed
        try:
            send(_DONE, call(*arguments, lambda *what: send(_TOLD, what)))
        except Exception as error:
            send(_FAILED, error)


def _end(*_: object) -> None:
    """End as if this had been asked for here: whoever waits for processes of its own ends them first."""
    raise SystemExit


@contextmanager
def without_main() -> Iterator[None]:
    """Processes that start here get no main module: they need none, and each would run a script again."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
