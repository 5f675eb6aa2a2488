"""The source of protocol texts: what a patch does at a hook point, as it is written."""

from __future__ import annotations

import inspect
import re
import textwrap

from spfvar.mm.hookspecs import PROJECT
from spfvar.plugins.variant import CORE


def core_of(hook: str) -> type | None:
    """The class of the core that implements a hook point; None if only patches do."""
    return next((patch for patch in CORE if hasattr(getattr(patch, hook, None), f"{PROJECT}_impl")), None)


def text_of(patch: type, name: str) -> str:
    """The source of a method and, below it, of the class's own methods that it runs."""
    wanted, done = [name], dict[str, str]()
    while wanted:
        method = wanted.pop(0)
        if method in done or not inspect.isfunction(getattr(patch, method, None)):
            continue
        done[method] = textwrap.dedent(inspect.getsource(getattr(patch, method)))
        wanted += re.findall(r"\bself\.(_\w+)\(", done[method])
    return "\n".join(done.values())
