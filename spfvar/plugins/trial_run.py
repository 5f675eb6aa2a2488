"""A trial, from inside: the process in which plugins are run for the first time.

It says in lines of JSON what it is about to do and what it found, so that whoever waits knows what to blame
when it hears nothing more.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import IO, Any

from spfvar.errors import SpfvarError
from spfvar.plugins import bounds
from spfvar.plugins.registry import Registry, Source, told
from spfvar.plugins.surroundings import Surroundings


@dataclass(frozen=True)
class _Telling:
    """The way back to who waits."""

    file: IO[str]

    def __call__(self, **what: Any) -> None:
        self.file.write(json.dumps(what) + "\n")
        self.file.flush()


def main(order: dict[str, Any], answers: int) -> None:
    """Load plugins, then extract variants; ends the process, whatever the plugins left running."""
    bounds.LOAD_SECONDS, bounds.CHECK_SECONDS, bounds.MEMORY = order["bounds"]
    tell = _Telling(os.fdopen(answers, "w", encoding="utf-8"))
    registry = Registry()
    registry.on_trial = True
    registry.add_shipped()
    for kind, text in order["sources"]:
        source = Source(kind, text)
        tell(at=source.origin)
        before = len(registry.problems)
        _watched(tell, source.origin, "", partial(registry.add, source))
        for problem in registry.problems[before:]:
            if problem.fatal:
                tell(plugin=problem.origin, message=problem.message)
    cut: dict[str, str] = {}  # the first variant of each plugin that had to be stopped
    for name in order["names"]:
        origin = order["origins"][name]
        if origin in cut:  # the next one would most likely take as long
            why = f"variant {name}: not looked at, for {cut[origin]} of the same plugin was stopped"
            tell(broken=name, message=why, cut=True)
            continue
        tell(at=origin, name=name)
        if _watched(tell, origin, name, partial(registry.extract, name)):
            cut[origin] = name
    tell(done=True)
    os._exit(0)


def _watched(tell: _Telling, origin: str, name: str, do: Callable[[], object]) -> bool:
    """Do it for a plugin, or a variant of it: did it have to be stopped?

    Ends the trial if things are not left as they were.
    """
    before, stopped = Surroundings(), False
    try:
        do()
    except SpfvarError as error:
        stopped = isinstance(error, bounds.CutOffError)
        tell(broken=name, message=str(error), cut=stopped)
    except BaseException as error:
        if name:
            tell(broken=name, message=f"variant {name}: {told(error)}", cut=False)
        else:
            tell(plugin=origin, message=told(error))
    if changes := before.changes():
        more = f" (and {len(changes) - 3} more)" if len(changes) > 3 else ""
        tell(disturbed=f"{'; '.join(changes[:3])}{more}: a plugin leaves the process as it finds it")
        os._exit(0)
    return stopped
