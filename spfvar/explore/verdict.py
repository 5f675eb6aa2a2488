"""The verdict on one variant in one race: safe, violated or incomplete, with the evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from spfvar.automata.weaken import Memory
from spfvar.explore.explore import Exploration, Violation, explore
from spfvar.explore.moves import way_round
from spfvar.explore.options import Options
from spfvar.explore.properties import property_of
from spfvar.explore.tokens import token_of
from spfvar.explore.trace import Trace, length_of, record
from spfvar.explore.world import RaceWorld
from spfvar.ops import codes as c
from spfvar.ops.op import Op
from spfvar.transition.views import SEEN_FULL, SEEN_ORDERS, SEEN_UNORDERED

SAFE = "safe"
VIOLATION = "violation"
INCOMPLETE = "incomplete"

Progress = Callable[[int, int, float], None]


class _Coded(Protocol):
    """A violation, of a search or of a walk."""

    @property
    def code(self) -> int: ...


V = TypeVar("V", bound=_Coded)


@dataclass(frozen=True, slots=True)
class Finding:
    """One violated property: how to get there, and the token that replays it."""

    property: str
    text: str
    trace: Trace
    token: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a search says.

    ``verdict`` is safe (every state was seen), violation or incomplete (``why`` names the bound).
    ``vacuous`` names what the race wants to see at least once and none did: then "safe" says little.
    ``findings`` are shortest first.  Of random walks there were ``walks``: they have ``transitions``, and no
    states.  ``memory``: the memory model; without weak words it is "sc" in any case.
    """

    variant: str
    race: str
    verdict: str
    states: int
    transitions: int
    depth: int
    seconds: float
    findings: tuple[Finding, ...] = ()
    vacuous: tuple[str, ...] = ()
    why: str = ""
    walks: int = 0
    memory: Memory = "sc"

    @property
    def property(self) -> str:
        """The property of the first finding; "" if there is none."""
        return self.findings[0].property if self.findings else ""

    def as_dict(self) -> dict[str, Any]:
        """One entry of the JSON list."""
        first = self.findings[0] if self.findings else None
        entry: dict[str, Any] = {
            "variant": self.variant,
            "race": self.race,
            "verdict": self.verdict,
            "property": self.property or None,
            "states": self.states,
            "transitions": self.transitions,
            "depth": self.depth,
            "seconds": round(self.seconds, 3),
            "trace": [step.as_dict() for step in first.trace.steps] if first else [],
            "what": list(first.trace.end) if first else [],
            "story": list(first.trace.story) if first else [],
            "vacuous": list(self.vacuous),
            "why": self.why or None,
            "token": first.token if first else None,
        }
        if self.memory != "sc":
            entry["memory"] = self.memory
        if self.walks:
            entry["walks"] = self.walks
        if len(self.findings) > 1:
            entry["more"] = [
                {"property": f.property, "what": list(f.trace.end), "story": list(f.trace.story),
                 "token": f.token, "trace": [step.as_dict() for step in f.trace.steps]}
                for f in self.findings[1:]
            ]  # fmt: skip
        return entry


@dataclass(frozen=True, slots=True)
class Brief:
    """A verdict in short: of its first finding the property, what is wrong, and the length of the trace."""

    verdict: str
    property: str = ""
    text: str = ""
    steps: int = 0


def judge(
    world: RaceWorld, variant: str, race: str, options: Options, progress: Progress | None = None
) -> Verdict:
    """Explore a race under a variant."""
    found, seconds = _searched(world, options, progress)
    real = real_violations(world, found.violations)
    findings = tuple(
        finding_of(world, variant, race, violation.code, found.ways_of(violation), violation.node)
        for violation in real
    )
    verdict, why = _word(world, found, real)
    vacuous = tuple(never_reached(world, found.covered)) if verdict == SAFE else ()
    return Verdict(
        variant, race, verdict, found.states, found.transitions, found.depth, seconds, findings, vacuous, why,
        memory=world.memory,
    )  # fmt: skip


def judge_briefly(world: RaceWorld, options: Options, progress: Progress | None = None) -> Brief:
    """The same in short, without telling the traces: that takes longer than most searches that break."""
    found, _ = _searched(world, options, progress)
    real = real_violations(world, found.violations)
    verdict, _ = _word(world, found, real)
    if not real:
        return Brief(verdict)
    code = real[0].code
    ways, _ = _with_round(world, code, found.ways_of(real[0]))
    return Brief(
        verdict, property_of(code, _blamed(world, real[0].node)), c.VIOLATIONS[code], length_of(world, ways)
    )


def _searched(world: RaceWorld, options: Options, progress: Progress | None) -> tuple[Exploration, float]:
    """A search, and its seconds; of what breaks the search that finds a shortest way."""
    return _shortest(world, options, explore(world, options, progress), progress)


def _word(world: RaceWorld, found: Exploration, real: Sequence[Violation]) -> tuple[str, str]:
    """The verdict, and why it is incomplete."""
    if real:
        return VIOLATION, ""
    limits = [violation for violation in found.violations if violation.code == c.V_NO_MEMORY]
    beyond = beyond_model(world)
    if found.complete and not limits and not beyond:
        return SAFE, ""
    if beyond:
        return INCOMPLETE, beyond
    return INCOMPLETE, f"out of objects: {world.program.ops[limits[0].node].name}" if limits else found.why


def real_violations(world: RaceWorld, found: Sequence[V]) -> list[V]:
    """Those that are no bound of the model: no objects left, or a history with no room for a store."""
    unreal = {c.V_NO_MEMORY} | ({c.V_DEADLOCK, c.V_LIVELOCK} if history_full(world) else set())
    return [violation for violation in found if violation.code not in unreal]


def history_full(world: RaceWorld) -> bool:
    """Was there a store for which a weak word's history had no room?  Then its thread could not go on."""
    return world.weak is not None and bool(world.weak.seen[SEEN_FULL])


def beyond_model(world: RaceWorld) -> str:
    """What a search of weak memory met that the model does not have, so that it is incomplete; or nothing."""
    if world.weak is None:
        return ""
    for seen, text in (
        (SEEN_FULL, "history full"), (SEEN_UNORDERED, "unordered stores"),
        (SEEN_ORDERS, "an interrupt of more than three CPUs, in one order"),
    ):  # fmt: skip
        noted = int(world.weak.seen[seen])
        if noted:
            op = world.program.ops[noted - 1]
            return f"{text}: {op.name} in {op.function}" if op.function else f"{text}: {op.name}"
    return ""


def _shortest(
    world: RaceWorld, options: Options, found: Exploration, progress: Progress | None
) -> tuple[Exploration, float]:
    """Search again without partial-order reduction, which may take the long way to a violation.

    The second search may hit a bound that the first one did not; then the longer trace is kept.
    """
    plain = with_reductions(options, ("partial_order",), False)
    if not found.violations or plain == options:
        return found, found.seconds
    followed = found.search.followed if world.weak is None else None
    if followed is not None:
        followed = replace(followed, rules=followed.rules._replace(partial=plain.partial_order))
    again = explore(world, plain, progress, followed)
    seconds = found.seconds + again.seconds
    return (again if again.violations else found), seconds


#: Options that leave out states or names of threads.
REDUCTIONS = ("merge", "forget", "symmetry", "partial_order")


def with_reductions(options: Options, names: Sequence[str], wanted: bool) -> Options:
    """The same search with or without reductions; names that this explorer does not have are ignored."""
    known = {field.name for field in fields(options)}
    return replace(options, **{name: wanted for name in names if name in known})


def never_reached(world: RaceWorld, covered: npt.NDArray[np.uint8]) -> list[str]:
    """Those of the race's ``sometimes`` that are not among the (node, outcome) pairs ``covered``."""
    reached = covered.reshape(-1, c.MAX_OUTCOMES).max(axis=1)
    names = {op.name for op, was in zip(world.program.ops, reached, strict=True) if was}
    return [
        wanted
        for wanted in world.race.sometimes
        if not any(name.startswith(tuple(wanted.split(" or "))) for name in names)
    ]


def finding_of(
    world: RaceWorld, variant: str, race: str, code: int, ways: Sequence[int], node: int
) -> Finding:
    """The violation at the end of a path, with ``node`` to blame (-1: the state at rest)."""
    ways, round_from = _with_round(world, code, ways)
    trace = record(world, ways, code, round_from)
    token = token_of(world, variant, race, code, ways, trace.steps)
    return Finding(property_of(code, _blamed(world, node)), c.VIOLATIONS[code], trace, token)


def _with_round(world: RaceWorld, code: int, ways: Sequence[int]) -> tuple[Sequence[int], int]:
    """A path, a livelock's once round its circle; and from which primitive on that goes round (-1: none)."""
    if code != c.V_LIVELOCK:
        return ways, -1
    more, before = way_round(world, ways)
    return [*ways, *more], len(ways) + before if more else -1


def _blamed(world: RaceWorld, node: int) -> Op | None:
    return world.program.ops[node] if node >= 0 else None
