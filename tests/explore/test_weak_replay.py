"""Tokens and replays of paths under the kernel's memory model."""

from __future__ import annotations

import pytest

from spfvar.explore.replay import DIVERGED, HOLDS, REPRODUCED, replay
from spfvar.explore.tokens import parse
from tests.cli.running import spfvar
from tests.explore.weakworlds import PLUGIN, verdict, world

BROKEN = ["no-wmb", "no-rmb", "no-release", "no-mb"]


@pytest.mark.parametrize("name", BROKEN)
def test_a_token_leads_to_its_violation_again(name: str) -> None:
    """The same steps, which messages were read included, and the same end."""
    finding = verdict(name).findings[0]
    token = parse(finding.token)
    assert token.memory == "lkmm"
    assert str(token) == finding.token
    seen = replay(world(name), token)
    assert (seen.outcome, seen.message, seen.changed) == (REPRODUCED, finding.text, False)
    assert [step for scene in seen.scenes for step in scene.steps] == list(finding.trace.steps)


@pytest.mark.parametrize(("broken", "fixed"), [("no-release", "orders"), ("no-mb", "buffers")])
def test_a_repaired_design_goes_another_way(broken: str, fixed: str) -> None:
    """An order changes no primitive and no word of a program table, but which messages may be read."""
    seen = replay(world(fixed), parse(verdict(broken).findings[0].token))
    assert seen.outcome in (DIVERGED, HOLDS)
    assert seen.changed


def test_where_no_word_is_weak_the_token_is_that_of_sequential_consistency() -> None:
    """Then there is one model: both build the same world."""
    assert world("racy").memory == "sc"
    assert (world("racy").program.table == world("racy", "sc").program.table).all()


def test_the_command_replays_under_the_tokens_own_model_and_refuses_another() -> None:
    """Without an option it is the token's; whoever asks for the other one is told why not."""
    token = verdict("no-rmb").findings[0].token
    answer = spfvar("replay", token, "--plugin", PLUGIN)
    assert answer.code == 0, answer.err
    assert "reproduced" in answer.out
    assert "OLD: munmap wrote 1" in " ".join(answer.out.split())
    assert spfvar("replay", token, "--plugin", PLUGIN, "--memory", "lkmm").code == 0
    refused = spfvar("replay", token, "--plugin", PLUGIN, "--memory", "sc")
    assert refused.code == 2
    assert "was found under lkmm" in refused.err
