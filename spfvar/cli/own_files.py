"""Files of the user's beside those that came with spfvar: which are taken, which are not, said on stderr."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from spfvar.cli import terminal
from spfvar.errors import shortlist
from spfvar.matrix.catalogue import Catalogue


def tell_own(catalogue: Catalogue[Any], patterns: Sequence[str], option: str) -> None:
    """Say what of the user's a command with these patterns leaves out, or takes because of a glob."""
    for line in lines(catalogue, patterns, option):
        terminal.say(f"spfvar: {line}", error=True)


def lines(catalogue: Catalogue[Any], patterns: Sequence[str], option: str) -> Iterator[str]:
    """The sentences; none if every file that is taken was named, and none of the user's is left out."""
    own = catalogue.own()
    if not patterns and own:
        first = next(iter(own))
        yield f"not run: {shortlist(map(str, own.values()))}; only what is named is, as by {option} {first}"
    for pattern in patterns:
        if any(sign in pattern for sign in "*?["):
            taken = [str(own[name]) for name in catalogue.select([pattern]) if name in own]
            if taken:
                yield f"{option} {pattern} takes {shortlist(taken)}, too"
    chosen = catalogue.select(patterns)
    for name, path in catalogue.hidden.items():
        if name in chosen and catalogue.own_file(name) is None:
            yield f"{path} is not used: {name} is a {catalogue.kind} of spfvar's; give the path, or rename it"
