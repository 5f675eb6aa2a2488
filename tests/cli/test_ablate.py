"""The ablate command, as a user or a script meets it."""

from __future__ import annotations

import json
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
