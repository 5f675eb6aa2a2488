"""The store as commands use it: --no-store, and what there is to say of it afterwards."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from spfvar.cli import terminal

if TYPE_CHECKING:
    from spfvar.store.database import Store

no_store_option = click.option(
    "--no-store", is_flag=True, help="Compute everything, and keep nothing for the next time."
)


@contextmanager
def store_for(things: str, no_store: bool) -> Iterator[Store | None]:
    """The user's store, unless it is not wanted.

    On a terminal the command says afterwards how many ``things`` were there already; wherever it runs, what
    was wrong with the store.
    """
    from spfvar.store.database import opened

    with opened(not no_store) as store:
        yield store
    if store is None:
        return
    if store.trouble:
        terminal.say(f"spfvar: store: {store.trouble}", error=True)
    elif store.hits and sys.stderr.isatty():
        terminal.say(f"{store.hits} {things} had been computed before (spfvar store)", error=True)
