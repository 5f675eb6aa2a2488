"""The verdict of walks: a violation that replays, or incomplete; never safe."""

from __future__ import annotations

from dataclasses import replace

from spfvar.explore.replay import REPRODUCED, replay
from spfvar.explore.tokens import parse
from spfvar.explore.verdict import Verdict
from spfvar.explore.walk import WalkOptions
from spfvar.explore.walked import judge_walks
from spfvar.explore.world import build_race
from spfvar.plugins.variant import Stack
from spfvar.scenario.race import Race
from tests.explore.checking import registry, verdict, world
from tests.explore.worlds import race_text

WALKS = WalkOptions(5_000, 2_000)


def walked(variant: str, race: str = "munmap-file", options: WalkOptions = WALKS) -> Verdict:
    """The verdict of walks in a shipped race."""
    return judge_walks(world(variant, race), variant, race, options)


def as_told(verdict: Verdict) -> dict[str, object]:
    """All but the time that it took."""
    return {key: value for key, value in verdict.as_dict().items() if key != "seconds"}


def test_no_violation_is_incomplete_and_never_safe() -> None:
    """However many walks: the number of walks is the reason."""
    found = walked("spf-do-fault")
    assert (found.verdict, found.why, found.walks) == ("incomplete", "no violation in 5000 walks", 5000)
    assert (found.states, found.depth, found.findings, found.vacuous) == (0, 0, (), ())
    assert found.transitions > 5000
    assert found.as_dict()["walks"] == 5000


def test_a_violation_has_a_trace_and_a_token_that_replays() -> None:
    """Of the property that a search finds broken, too."""
    found = walked("no-rcu-free")
    assert (found.verdict, found.property) == ("violation", "P1")
    (finding,) = found.findings
    assert finding.trace.steps[-1].outcome == "VIOLATION"
    assert replay(world("no-rcu-free"), parse(finding.token)).outcome == REPRODUCED


def test_a_deadlock_has_one_too() -> None:
    """Who holds what and who waits."""
    found = walked("crosses")
    assert found.property == "P11"
    assert "left_lock is held by" in " ".join(found.findings[0].trace.end)
    assert replay(world("crosses"), parse(found.findings[0].token)).outcome == REPRODUCED


def test_a_seed_gives_the_same_verdict_again() -> None:
    """To the last primitive; another seed goes other ways."""
    assert as_told(walked("no-rcu-free")) == as_told(walked("no-rcu-free"))
    other = walked("spf-do-fault", options=replace(WALKS, seed=2))
    assert other.transitions != walked("spf-do-fault").transitions


def test_rounds_do_not_repeat_each_other() -> None:
    """More walks than a round has: the second 20 000 are others than the first."""
    once, twice = (walked("mmap-lock", options=replace(WALKS, walks=n)).transitions for n in (20_000, 40_000))
    assert once < twice
    assert twice != 2 * once


def test_all_violations_are_told_only_if_asked_for() -> None:
    """The shortest first; without --all it is the only one."""
    every = walked("h13@spf-anon", "munmap-anon", replace(WALKS, first=False))
    assert {"P4"} <= {finding.property for finding in every.findings}
    lengths = [len(finding.trace.ways) for finding in every.findings]
    assert lengths == sorted(lengths)
    assert len(walked("h13@spf-anon", "munmap-anon").findings) == 1


def test_walks_that_are_cut_and_walks_that_were_not_taken_are_told() -> None:
    """An endless spin, and a time that is over."""
    found = walked("spins", options=WalkOptions(50, 500))
    assert found.why == "no violation in 50 walks; 50 of them were cut after 500 primitives"
    found = walked("mmap-lock", options=replace(WALKS, seconds=0.0))
    assert (found.verdict, found.why) == ("incomplete", "no violation in 0 walks; timeout")


def test_what_no_walk_reached_is_told() -> None:
    """A race that wants to see what never happens is vacuous for walks, too."""
    text = race_text() | {"sometimes": ["set_pte_at(file)", "a unicorn"]}
    where = build_race(Race(**text), Stack(registry()["mmap-lock"]))
    assert judge_walks(where, "mmap-lock", "unicorn", replace(WALKS, walks=200)).vacuous == ("a unicorn",)


def test_running_out_of_objects_is_no_violation() -> None:
    """It is the model that is too small, for a search as for walks."""
    assert (verdict("hoards").verdict, verdict("hoards").why) == (
        "incomplete",
        "out of objects: pte_alloc_one",
    )
    found = walked("hoards", options=replace(WALKS, walks=10))
    assert found.verdict == "incomplete"
    assert found.why == "no violation in 10 walks; some of them ran out of objects: pte_alloc_one"
