"""The ablate command, as a user or a script meets it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.running import Answer, spfvar

PLUGIN = str(Path(__file__).parents[1] / "explore" / "broken.py")
SMALL = ["ablate", "spf-anon", "--race", "mbind"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["spf-dofault"], "did you mean 'spf-do-fault'?"),
        (["spf-anon", "--race", "mbnid"], "did you mean 'mbind'?"),
        (["spf-anon", "--race", "nothing-*"], "no race matches"),
        (["spf-anon", "--jobs", "0"], "expected 1 or more"),
        (["spf-anon", "--max-states", "0"], "expected 1 or more"),
        (["spf-anon", "--timeout", "soon"], "is not a duration"),
        (["spf-anon", "-o", "/nonexistent/out"], "/nonexistent/out"),
        (["spf-anon", "--plugin", "nowhere.py"], "there is no plugin file"),
        ([], "VARIANT"),
    ],
)
def test_bad_input_gets_one_message_and_exit_code_2(arguments: list[str], expected: str) -> None:
    """One line that says what was expected; nothing on stdout."""
    done = spfvar("ablate", *arguments)
    assert (done.code, done.out) == (2, "")
    assert len(done.err.strip().splitlines()) == 1
    assert expected in done.err


def test_a_variant_is_ablated_in_a_race(tmp_path: Path) -> None:
    """Exit code 0, the report on stdout and nothing on the stderr of a pipe; -o writes the same to a file."""
    done = spfvar(*SMALL)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("spf-anon: ")
    assert "not needed in the one race" in done.out
    assert "\nReproduce: spfvar ablate spf-anon --race mbind\n" in done.out
    written = tmp_path / "guards.txt"
    assert spfvar(*SMALL, "-o", str(written)) == Answer(0, "", "")
    assert written.read_text() == done.out


def test_every_form_has_the_same_guards() -> None:
    """JSON, markdown and mail; twice the same bytes."""
    text = spfvar(*SMALL, "--format", "json").out
    assert spfvar(*SMALL, "--format", "json").out == text
    guards = {entry["guard"] for entry in json.loads(text)}
    assert guards
    for form in ("markdown", "mail"):
        out = spfvar(*SMALL, "--format", form).out
        squeezed = " ".join(out.split())
        assert all(guard in squeezed for guard in guards)
    assert out.isascii()
    assert max(map(len, out.splitlines())) <= 72


def test_exit_codes_say_what_the_result_is_worth() -> None:
    """3: a bound was hit; 1: the design itself breaks, which is no guard's fault."""
    done = spfvar(*SMALL, "--max-states", "20")
    assert done.code == 3
    assert "left open: mbind" in done.out
    assert "not needed" not in done.out
    broken = ["ablate", "no-rcu-free", "--race", "munmap-file", "--plugin", PLUGIN]
    done = spfvar(*broken)
    assert done.code == 1
    text = " ".join(done.out.split())
    assert "Left out, for they break with every guard in place: munmap-file (P1)." in text
    assert "0 of them needed" in text


HUNT = [
    "ablate",
    "per-vma-6.12",
    "--race",
    "mbind",
    "--hunt",
    "--start",
    "neighbours",
    "--verbs",
    "load,merge",
]


def test_what_no_race_needs_is_hunted_and_saved(tmp_path: Path) -> None:
    """The second VMA of a merge: a generated race needs its lock, and is a race that ablate takes."""
    done = spfvar(*HUNT, "--format", "json", "--save", str(tmp_path))
    assert (done.code, done.err) == (0, "")
    calls = {
        (entry["kind"], call["caller"], call["where"]): call["hunted"]
        for entry in json.loads(done.out)
        for call in entry["calls"]
        if entry["function"] == "vma_start_write"
    }
    merge = ("lock", "vma_merge_existing_range")
    second, first = (calls[key] for key in sorted(key for key in calls if key[:2] == merge))
    assert first["needed"] is None
    assert first["races"] > 0
    assert second["needed"]["property"] == "P1"
    saved = sorted(tmp_path.iterdir())
    assert "per-vma-6.12-load-merge.toml" in [path.name for path in saved]
    again = spfvar("ablate", "per-vma-6.12", "--race", str(tmp_path / "per-vma-6.12-load-merge.toml"))
    assert again.code == 0
    assert "called by vma_merge_existing_range" in " ".join(again.out.split())
    assert "P1 in per-vma-6.12-load-merge" in " ".join(again.out.split())


def test_the_table_says_what_was_hunted() -> None:
    """How many races, up to which size, and for each guard needed by which, or not by any of how many."""
    text = " ".join(spfvar(*HUNT).out.split())
    assert "generated ones of up to 2 statements; call by call" in text
    assert "P1 in a generated race, " in text
    assert "load next against merge map to next" in text
    assert re.search(r"not needed in any of \d+ generated races that come by it", text)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--size", "3"], "--size"),
        (["--seed", "1"], "--seed"),
        (["--start", "anon"], "--start"),
        (["--save", "x"], "--save"),
    ],
)
def test_how_to_hunt_is_said_only_to_a_hunt(options: list[str], expected: str) -> None:
    """Otherwise nobody would notice that nothing was hunted."""
    done = spfvar(*SMALL, *options)
    assert (done.code, done.out) == (2, "")
    assert expected in done.err
    assert "--hunt with it" in done.err


def test_a_hunt_takes_what_spfvar_hunt_takes() -> None:
    """The same bounds, and the same message."""
    assert "2 to 6" in spfvar(*SMALL, "--hunt", "--size", "1").err
    assert "did you mean 'neighbours'?" in spfvar(*SMALL, "--hunt", "--start", "neighbors").err


def test_time_that_is_over_is_no_verdict() -> None:
    """Exit code 3, and the table says so."""
    done = spfvar(*SMALL, "--hunt", "--seconds", "0.001")
    assert done.code == 3
    assert "The time was over after" in done.out
