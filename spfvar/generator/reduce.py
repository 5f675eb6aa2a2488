"""A race made smaller while it still breaks in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from spfvar.scenario.race import Race

#: A race as its file has it: what is not said is the default.
Tables = dict[str, Any]


def reduced(race: Race, breaks: Callable[[Race], bool]) -> Race:
    """The race with actors, statements, VMAs and what they begin with taken away, as long as it ``breaks``.

    No single one of these can be taken away from the result.
    """
    tables = as_tables(race)
    found = True
    while found:
        found = False
        for smaller in _smaller(tables):
            try:
                candidate = Race.model_validate(smaller)
            except ValueError:
                continue  # it makes no sense any more
            if breaks(candidate):
                tables, found = smaller, True
                break
    return Race.model_validate(tables)


def as_tables(race: Race) -> Tables:
    """A race as its file would have it."""
    return race.model_dump(mode="json", exclude_defaults=True)


def _smaller(tables: Tables) -> Iterator[Tables]:
    """Everything that is one thing less, the largest things first."""
    for number in range(len(tables["actor"])):
        if len(tables["actor"]) > 1:
            yield _without(tables, "actor", number)
    for number, actor in enumerate(tables["actor"]):
        if actor.get("count", 1) > 1:
            yield _changed(tables, "actor", number, count=actor["count"] - 1)
        for at in range(len(actor["program"])):
            if len(actor["program"]) > 1:
                program = [one for i, one in enumerate(actor["program"]) if i != at]
                yield _changed(tables, "actor", number, program=program)
    for kind in ("vma", "file"):
        for number in range(len(tables.get(kind, []))):
            yield _without(tables, kind, number)
    yield from _plainer(tables)


def _plainer(tables: Tables) -> Iterator[Tables]:
    """One key less somewhere."""
    if "tlb" in tables:
        yield {key: value for key, value in deepcopy(tables).items() if key != "tlb"}
    for kind in ("vma", "file"):
        for number, item in enumerate(tables.get(kind, [])):
            for key in item:
                if key not in ("name", "start"):
                    smaller = deepcopy(tables)
                    del smaller[kind][number][key]
                    yield smaller
    for number, actor in enumerate(tables["actor"]):
        for at, statement in enumerate(actor["program"]):
            for key in list(statement)[1:]:
                program = deepcopy(actor["program"])
                del program[at][key]
                yield _changed(tables, "actor", number, program=program)


def _without(tables: Tables, kind: str, number: int) -> Tables:
    smaller = deepcopy(tables)
    del smaller[kind][number]
    if not smaller[kind]:
        del smaller[kind]
    return smaller


def _changed(tables: Tables, kind: str, number: int, **changes: Any) -> Tables:
    changed = deepcopy(tables)
    changed[kind][number].update(changes)
    return changed
