"""Tokens and replays."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spfvar.automata.weaken import Memory
from spfvar.errors import InputError
from spfvar.explore.replay import DIVERGED, HOLDS, REPRODUCED, replay
from spfvar.explore.search import WAYS
from spfvar.explore.tokens import Token, parse
from spfvar.explore.world import build_race
from spfvar.matrix import catalogue
from spfvar.ops import codes as c
from spfvar.ops.histories import DEEPEST
from spfvar.plugins.variant import Stack
from spfvar.render.replays import render_replay
from tests.explore.checking import registry, verdict, world

BROKEN = ["no-rcu-free", "spins", "crosses"]


@pytest.mark.parametrize("variant", BROKEN)
def test_a_token_leads_to_its_violation_again(variant: str) -> None:
    """Same steps, same end, nothing changed; and the token is short enough for a mail."""
    finding = verdict(variant).findings[0]
    seen = replay(world(variant), parse(finding.token))
    assert (seen.outcome, seen.message, seen.changed) == (REPRODUCED, finding.text, False)
    assert [step for scene in seen.scenes for step in scene.steps] == list(finding.trace.steps)
    assert len(finding.token) < 72 * 2


def test_a_changed_variant_diverges_at_the_step_that_is_another() -> None:
    """The fixed design goes the same way up to where the VMA is freed; the file says what was there before."""
    finding = verdict("no-rcu-free").findings[0]
    recorded = [str(step) for step in finding.trace.steps]
    seen = replay(world("spf-do-fault"), parse(finding.token), recorded)
    assert seen.outcome == DIVERGED
    assert seen.changed
    freed = next(text for text in recorded if text.startswith("munmap: vm_area_free: vm_area_free"))
    assert "it is now munmap: vm_area_free: call_rcu" in seen.message
    assert seen.message.endswith(f"; it was {freed}")
    assert seen.scenes[-1].steps[-1].name.startswith("call_rcu")
    without = replay(world("spf-do-fault"), parse(finding.token))
    assert without.outcome == DIVERGED
    assert recorded.index(freed) <= sum(len(scene.steps) for scene in without.scenes) - 1


def test_a_changed_race_diverges() -> None:
    """Where the other race has another program."""
    finding = verdict("no-rcu-free").findings[0]
    race = catalogue.races()["munmap-anon"]
    other = build_race(race, Stack(registry()["no-rcu-free"]))
    seen = replay(other, parse(finding.token))
    assert seen.outcome == DIVERGED
    assert seen.changed


def test_a_property_that_holds_now_is_told() -> None:
    """The path is the same, its end is not what the token says."""
    token = parse(verdict("no-rcu-free").findings[0].token)
    other = Token(token.variant, token.race, token.digest, c.V_OVERWRITE, token.ways, token.sums)
    assert replay(world("no-rcu-free"), other).outcome == HOLDS


#: Threads and choices: primitives have up to eight, loads of weak words as many as a history has stores.
PATHS = {
    memory: st.lists(
        st.builds(lambda thread, choice: thread * WAYS + choice, st.integers(0, 7), st.integers(0, most - 1)),
        min_size=1, max_size=400,
    ).map(tuple)
    for memory, most in (("sc", 8), ("lkmm", DEEPEST))
}  # fmt: skip


@pytest.mark.parametrize("memory", ["sc", "lkmm"])
@given(st.binary(min_size=3, max_size=3), st.integers(1, len(c.VIOLATIONS) - 1), st.data())
def test_tokens_are_read_as_they_were_written(
    memory: Memory, digest: bytes, code: int, data: st.DataObject
) -> None:
    """Whatever the path, under either memory model; also when a mail program broke the line."""
    ways = data.draw(PATHS[memory])
    sums = data.draw(st.lists(st.integers(0, 15), min_size=len(ways), max_size=len(ways)))
    token = Token("a-b@c.d", "race_1", digest, code, ways, tuple(sums), memory)
    assert parse(str(token)) == token
    assert parse(f" {str(token)[:20]}\n  {str(token)[20:]}\n") == token


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_token_is_refused_or_replayed_but_never_crashes(data: st.DataObject) -> None:
    """One character another: an InputError, or a path that the model follows or leaves."""
    token = verdict("no-rcu-free").findings[0].token
    at = data.draw(st.integers(token.rindex(":") + 1, len(token) - 1))
    character = data.draw(st.sampled_from("ABab09-_!+ "))
    try:
        parsed = parse(token[:at] + character + token[at + 1 :])
    except InputError:
        return
    assert replay(world("no-rcu-free"), parsed).outcome in (REPRODUCED, DIVERGED, HOLDS)


@pytest.mark.parametrize("text", ["", "x", "a:b", "a:b:", "a:b:!!", "a:b:AAAA", "a:b:AQ", "a::AQAAAA"])
def test_what_is_no_token_gets_one_message(text: str) -> None:
    """It says that it is no token, and where tokens come from."""
    with pytest.raises(InputError, match=r"is no token: .*from check"):
        parse(text)


@pytest.mark.parametrize(("form", "width"), [("table", 80), ("mail", 72)])
def test_a_replay_fits_and_shows_the_state(form: str, width: int) -> None:
    """Where each thread is, locks, VMA tree and page tables stand beside each step."""
    seen = replay(world("no-rcu-free"), parse(verdict("no-rcu-free").findings[0].token))
    text = render_replay(seen, form)
    assert max(map(len, text.splitlines())) <= width
    for part in (
        "tree: [0] vma 0",
        "tree: empty",
        "mm->mmap_lock: munmap",
        "pmd[0]: page_table 0",
        "(in RCU)",
    ):
        assert part in text
