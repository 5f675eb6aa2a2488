"""spfvar store."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from spfvar.cli import terminal
from spfvar.cli.command import Command
from spfvar.cli.options import blame, format_option
from spfvar.errors import InputError
from spfvar.store import database
from spfvar.store.database import Store
from spfvar.units import format_size, parse_size

DAMAGED = 1
DAY_S = 86_400.0


@click.group(name="store")
def command() -> None:
    """Results that were computed once: see what is kept, throw it away, look whether it is sound.

    Runs and verdicts are kept by what decides them: the model, the variant's text, the load or the race, the
    machine and the seed.  What changes is computed again; nothing has to be thrown away for that.
    SPFVAR_STORE names another file, or "off".

    \b
    Examples:
      spfvar store list
      spfvar store prune --days 30
      spfvar store prune --all
      spfvar store verify
    """


@command.command(name="list", cls=Command)
@format_option(("table", "json"))
def list_command(form: str) -> int:
    """Say what is kept, by kind, and how much of the disk that takes."""
    with _opened() as store:
        kinds, size = store.kinds(), store.size()
        _tell(store)
        path = store.path
    if form == "json":
        entries = [
            {"kind": k.kind, "entries": k.entries, "bytes": k.size, "first": k.first, "last": k.last}
            for k in kinds
        ]
        terminal.Place(None).put(
            json.dumps({"path": str(path), "bytes": size, "kinds": entries}, indent=2) + "\n"
        )
        return 0
    lines = [f"{path}: {format_size(size)} of at most {format_size(database.LIMIT)}"]
    if kinds:
        lines += ["", f"{'kind':<10}{'entries':>8}  {'made first':<16}  used last"]
    lines += [f"{k.kind:<10}{k.entries:>8}  {_day(k.first):<16}  {_day(k.last)}" for k in kinds]
    terminal.Place(None).put("\n".join(lines) + "\n")
    return 0


@command.command(name="prune", cls=Command)
@click.option(
    "--days", type=click.IntRange(0, 100_000), metavar="N", help="What was not used for so many days."
)
@click.option("--size", metavar="SIZE", help="What was used least recently, until no more than that is left.")
@click.option("--all", "every", is_flag=True, help="Everything.")
def prune(days: int | None, size: str | None, every: bool) -> int:
    """Throw results away: they are computed again when somebody asks for them."""
    if days is None and size is None and not every:
        raise InputError("nothing says what to throw away", expected="--days, --size or --all")
    before = 0.0 if days is None else time.time() - days * DAY_S
    with blame("--size"):
        most = None if size is None else parse_size(size)
    with _opened() as store:
        thrown = store.prune(before, 0 if every else most)
        _tell(store)
        terminal.say(f"{thrown} entries thrown away, {format_size(store.size())} left")
    return 0


@command.command(name="verify", cls=Command)
def verify() -> int:
    """Look at every entry's checksum, and throw away what is damaged.

    Exit codes: 0 all sound; 1 something was damaged.
    """
    with _opened() as store:
        looked, damaged = store.verify()
        _tell(store)
        terminal.say(f"{looked} entries, {damaged} damaged" + (" and thrown away" if damaged else ""))
        return DAMAGED if damaged or store.trouble else 0


def _opened() -> _Opened:
    path = database.default_path()
    if path is None:
        raise InputError("is off", key=database.VARIABLE, expected="no value, or the path of a file")
    return _Opened(path)


class _Opened:
    """The store, closed behind a command."""

    def __init__(self, path: Path) -> None:
        self.store = Store(path)

    def __enter__(self) -> Store:
        return self.store

    def __exit__(self, *_: object) -> None:
        self.store.close()


def _tell(store: Store) -> None:
    if store.trouble:
        terminal.say(f"spfvar: store: {store.trouble}", error=True)


def _day(when: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(when))
