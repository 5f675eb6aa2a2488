"""The commands that take --memory: what they print, and what they refuse."""

from __future__ import annotations

import json

import pytest

from tests.cli.running import spfvar
from tests.explore.weakworlds import PLUGIN

HERE = ("--plugin", PLUGIN, "--race", "munmap-file")


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (("ablate", "weak-fences", "--barriers"), "--memory lkmm with it"),
        (("ablate", "weak-fences", "--memory", "lkmm", "--hunt"), "under weak memory"),
        (("ablate", "weak-fences", "--memory", "tso"), "is no memory model"),
        (("check", "weak-fences", "--audit"), "--memory lkmm with it"),
        (
            ("check", "weak-fences", "--memory", "lkmm", "--audit", "--save", "x.toml"),
            "an audit has no tokens",
        ),
        (("check", "weak-fences", "--memory", "lkmm", "--audit", "--all"), "an audit has no verdicts"),
        (("check", "weak-fences", "--memory", "lkmm", "--audit", "--walk", "0"), "0 walks"),
        (("coverage", "weak-fences"), "--memory lkmm with it"),
        (("coverage", "weak-fences", "--memory", "lkmm", "--writers"), "sc with --writers"),
    ],
)
def test_what_is_not_possible_is_refused(command: tuple[str, ...], why: str) -> None:
    """Exit 2, with what would be."""
    answer = spfvar(*command, *HERE)
    assert answer.code == 2, answer.out
    assert why in " ".join(answer.err.split())


def test_ablate_says_of_each_barrier_what_it_is_for() -> None:
    """And a design whose race does not break with every barrier in place ends with 0."""
    answer = spfvar("ablate", "weak-fences", *HERE, "--memory", "lkmm", "--barriers")
    assert answer.code == 0, answer.err
    text = " ".join(answer.out.split())
    assert "fence: smp_wmb() (weakly.py:" in text
    assert "SC: safe" in text


def test_an_audit_lists_racy_words() -> None:
    """1 if there is one; JSON has an entry for each, with reads and stores."""
    answer = spfvar("check", "weak-racy", *HERE, "--memory", "lkmm", "--audit", "--walk", "50")
    assert answer.code == 1, answer.err
    assert "mm->plain is racy: declare it weak (in munmap-file)" in answer.out
    listed = spfvar("check", "weak-racy", *HERE, "--memory", "lkmm", "--audit", "--format", "json")
    (entry,) = json.loads(listed.out)
    assert (entry["variant"], entry["word"], entry["races"]) == ("weak-racy", "mm->plain", ["munmap-file"])
    (read,) = entry["reads"]
    assert (read["function"], [store["function"] for store in read["stores"]]) == (
        "do_user_addr_fault",
        ["munmap"],
    )
    clean = spfvar("check", "weak-ordered", *HERE, "--memory", "lkmm", "--audit", "--walk", "50")
    assert (clean.code, "no racy words" in clean.out) == (0, True)


def test_check_says_what_its_verdicts_are_worth() -> None:
    """Nobody is told that memory is sequentially consistent where it is not."""
    weak = spfvar("check", "weak-fences", *HERE, "--memory", "lkmm").out
    strong = spfvar("check", "weak-fences", *HERE).out
    assert "Memory is the kernel's model (LKMM)" in weak
    assert "Memory is sequentially consistent" not in " ".join(weak.split())
    assert "Memory is sequentially consistent" in " ".join(strong.split())


def test_walks_take_the_model() -> None:
    """They are no proof under either."""
    answer = spfvar("check", "weak-no-rmb", *HERE, "--memory", "lkmm", "--walk", "5000")
    assert answer.code == 1, answer.err
    assert "OLD: munmap wrote 1" in " ".join(answer.out.split())


def test_coverage_says_what_of_the_barriers_was_executed() -> None:
    """Of the design's own races."""
    answer = spfvar("coverage", "weak-fences", *HERE, "--memory", "lkmm")
    assert answer.code == 0, answer.err
    assert "fence: smp_rmb() (weakly.py:" in answer.out
