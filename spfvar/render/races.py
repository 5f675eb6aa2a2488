"""What a race is, in words."""

from __future__ import annotations

from spfvar.scenario.race import RaceStatement


def statement_text(statement: RaceStatement) -> str:
    """One step of an actor."""
    given = statement.model_dump(exclude_defaults=True)
    verb = statement.verb
    options = [f"{key} {value}" for key, value in given.items() if key != verb]
    return f"{verb} {given.get(verb, '')}".strip() + (f" ({', '.join(options)})" if options else "")
