"""What a review says of a variant that is not as it was posted: what breaks without its repairs."""

from __future__ import annotations

from collections.abc import Iterator

from spfvar.explore.verdict import INCOMPLETE, VIOLATION
from spfvar.ops.properties import PROPERTIES, order
from spfvar.review.model import RaceOutcome, Review, Subject, Violation
from spfvar.review.parts import Command, Item, Items, Part, Text, TracePart
from spfvar.review.words import plural


def repairs_words(subject: Subject) -> str:
    """ "6 repairs"."""
    return plural(len(subject.repairs), "repair")


def repair_items(subject: Subject) -> tuple[Item, ...]:
    """Each repair: the bugs, what happens without it, and the classes."""
    return tuple(Item(f"{', '.join(one.bugs)}:", f"{one.what} ({one.means})") for one in subject.repairs)


def repairs_line(subject: Subject) -> str:
    """What all are for, in one line."""
    return f"of {', '.join(bug for one in subject.repairs for bug in one.bugs)}; not in what was posted"


def posted_parts(review: Review) -> Iterator[Part]:
    """What is repaired; the races that break without it, by property; the shortest trace, and tokens."""
    posted = review.posted
    if posted is None:
        return
    variant = review.variant
    yield Text(f"{variant.name} has {repairs_words(variant)}. Without them, as {posted.name}, this happens:")
    yield Items(repair_items(variant))
    outcomes = review.safety.of(posted.name)
    broken = [outcome for outcome in outcomes if outcome.verdict == VIOLATION]
    if broken:
        yield Text(f"{posted.name} breaks in {len(broken)} of {plural(len(outcomes), 'race')}:")
        yield Items(tuple(_by_property(broken)))
    yield from _open(outcomes)
    yield from _shortest([one for one in review.safety.violations if one.variant == posted.name])
    yield Command("All traces:", f"spfvar check {posted.name}")


def _by_property(broken: list[RaceOutcome]) -> Iterator[Item]:
    for name in order({outcome.property for outcome in broken}):
        races = [outcome.race for outcome in broken if outcome.property == name]
        yield Item(f"{name}:", f"{PROPERTIES[name].text}: {', '.join(races)}")


def _open(outcomes: tuple[RaceOutcome, ...]) -> Iterator[Part]:
    for outcome in outcomes:
        if outcome.verdict == INCOMPLETE:
            yield Text(f"incomplete: {outcome.variant}, {outcome.race}: {outcome.why}")


def _shortest(violations: list[Violation]) -> Iterator[Part]:
    """The shortest trace, and of the other properties the token of theirs.  Violations: shortest first."""
    firsts: dict[str, Violation] = {}
    for found in violations:
        firsts.setdefault(found.property, found)
    for number, found in enumerate(firsts.values()):
        replay = f"spfvar replay {found.token}"
        if number == 0:
            title = f"{found.variant}, {found.race}: {found.property}, {found.text}"
            yield TracePart(title, found.trace, replay)
        else:
            yield Command(f"{found.property} in {found.race}, {plural(found.trace.length, 'step')}:", replay)
