"""What the shell offers behind a TAB: names from the catalogues and plugins, and files.

Called by click while somebody types: it must be quick, so nothing here may import the simulator or the
explorer, and silent, so whatever goes wrong offers nothing.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from spfvar.plugins.registry import Registry

#: Name and what shells that show it (zsh, fish) say beside it.
Names = Iterable[tuple[str, str]]
Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
FILE = "file"


def files(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files: the shell itself knows them."""
    return [CompletionItem(incomplete, type=FILE)]


def names(offer: Callable[[click.Context], Names], or_files: bool = False) -> Complete:
    """Those names that begin with what was typed; ``or_files``: files where there is none."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        found = _quietly(offer, context)
        every = {name: text for name, text in reversed(found) if name.startswith(incomplete)}
        items = [CompletionItem(name, help=every[name]) for name in reversed(every)]
        return items or (files(context, parameter, incomplete) if or_files else [])

    return complete


def _quietly(offer: Callable[[click.Context], Names], context: click.Context) -> list[tuple[str, str]]:
    """What is offered; a plugin that prints would have its words taken for names."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            return list(offer(context))
        except Exception:  # there is nobody to tell
            return []


def _registry(context: click.Context) -> Registry:
    from spfvar.plugins.registry import load_registry

    return load_registry(context.params.get("plugins") or ())


def _variants(context: click.Context) -> Names:
    return [(variant.name, variant.title) for variant in _registry(context).variants.values()]


def _series(context: click.Context) -> Names:
    return [(one.name, one.title) for one in _registry(context).series.values()]


def _twins(context: click.Context) -> Names:
    return [(twin.name, twin.title) for twin in _registry(context).twins.values()]


def _checkable(context: click.Context) -> Names:
    return _twins(context) if context.params.get("twins") else _variants(context)


def _plain(every: Iterable[str]) -> Names:
    return [(name, "") for name in every]


def _axes(context: click.Context) -> Names:
    from spfvar.matrix import catalogue

    scenarios = catalogue.scenarios()
    chosen = context.params.get("scenarios") or scenarios.names()
    every = [scenarios[name] for name in scenarios.select(chosen)]
    return [(f"{name}=", axis.doc) for scenario in every for name, axis in scenario.axes.items()]


def _metrics(_context: click.Context) -> Names:
    from spfvar.comparison.metrics import METRICS

    return [*((metric.name, metric.title) for metric in METRICS.values()), ("all", "every metric")]


def _scenarios(_context: click.Context) -> Names:
    from spfvar.matrix import catalogue

    return _plain(catalogue.scenarios().names())


def _races(_context: click.Context) -> Names:
    from spfvar.matrix import catalogue

    return _plain(catalogue.races().names())


def _hardware(_context: click.Context) -> Names:
    from spfvar.matrix import catalogue

    return _plain(catalogue.hardware().names())


def _machines(context: click.Context) -> Names:
    return [*_hardware(context), ("all", "every one that came with spfvar")]


def _published(_context: click.Context) -> Names:
    from spfvar.matrix import catalogue

    known = catalogue.published()
    every = [known[name] for name in known.select(())]
    return [(table.row, one.title) for one in every for table in one.table]


def _everything(context: click.Context) -> Names:
    from spfvar.cli.show_names import named
    from spfvar.mm.hookspecs import HOOKS

    kinds = (_variants, _series, _scenarios, _races, _hardware, _twins)
    plain = [*HOOKS, *named(_registry(context))]
    return [*(entry for kind in kinds for entry in kind(context)), *_plain(plain)]


series = names(_series)
twins = names(_twins)
variants = names(_variants)
checkable = names(_checkable)
scenarios = names(_scenarios, or_files=True)
races = names(_races, or_files=True)
published = names(_published)
hardware = names(_hardware, or_files=True)
machines = names(_machines, or_files=True)
axes = names(_axes)
metrics = names(_metrics)
everything = names(_everything, or_files=True)
