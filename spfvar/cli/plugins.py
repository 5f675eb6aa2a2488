"""Plugins of a command line, and what is said of them on stderr."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from spfvar.cli import terminal
from spfvar.cli.options import is_verbose
from spfvar.plugins.registry import Problem, Registry, load_registry

BAD_INPUT = 2


def load(plugins: Sequence[str]) -> Registry:
    """The registry with these plugins; on a terminal, or with --verbose, says what each of them brought."""
    registry = load_registry(plugins)
    if sys.stderr.isatty() or is_verbose():
        for one in registry.named:
            terminal.say(f"spfvar: {one}", error=True)
    return registry


def exit_code(code: int, problems: Sequence[Problem]) -> int:
    """The exit code of a run that gave ``code``, with plugins or variants that cannot be used: bad input."""
    return BAD_INPUT if problems else code


def tell_problems(registry: Registry, told: int = 0) -> None:
    """Say which plugins and variants cannot be used, and why; ``told``: so many were said before."""
    for problem in registry.problems[told:]:
        terminal.say(f"spfvar: {problem}", error=True)
