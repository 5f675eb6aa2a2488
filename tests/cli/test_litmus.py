"""spfvar litmus: forms, exit codes, messages."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.running import spfvar

#: Store buffering, which only full barriers forbid; its header claims what it is told to.
TEXT = """C buffering
(*
 * Result: %s
 *)
{ }
P0(int *x, int *y) { int r0; WRITE_ONCE(*x, 1); r0 = READ_ONCE(*y); }
P1(int *x, int *y) { int r0; WRITE_ONCE(*y, 1); r0 = READ_ONCE(*x); }
exists (0:r0=0 /\\ 1:r0=0)
"""


def test_a_suite_is_compared_with_its_headers(tmp_path: Path) -> None:
    """Exit code 0 if all agree, 1 if one differs; the last line counts."""
    (tmp_path / "a.litmus").write_text(TEXT % "Sometimes")
    answer = spfvar("litmus", "--suite", str(tmp_path))
    assert answer.code == 0, answer.err
    assert "buffering  sometimes" in answer.out
    assert answer.out.endswith("of 1 with a result in their header 1 agree, 0 differ, 0 are open\n")
    (tmp_path / "b.litmus").write_text(TEXT % "Never")
    answer = spfvar("litmus", "--suite", str(tmp_path))
    assert answer.code == 1
    assert "(its header: never)" in answer.out


def test_json_has_the_fields_that_readers_go_by(tmp_path: Path) -> None:
    """file, test, verdict, expected, states; and why for what is not definite (exit code 3)."""
    file = tmp_path / "a.litmus"
    file.write_text(TEXT % "Sometimes")
    other = tmp_path / "power.litmus"
    other.write_text("PPC power\n{ }\n")
    answer = spfvar("litmus", str(file), str(other), "--format", "json")
    assert answer.code == 3, answer.err
    first, second = json.loads(answer.out)
    assert first.pop("states") > 1
    assert first == {"file": str(file), "test": "buffering", "verdict": "sometimes", "expected": "sometimes"}
    assert second["verdict"] == "unsupported"
    assert "PPC" in second["why"]


def test_bad_input_says_what_was_expected(tmp_path: Path) -> None:
    """No test, no directory, an empty one."""
    for args, text in (
        ((), "expected files, or --suite DIR"),
        (("--suite", str(tmp_path / "none")), "there is no such directory"),
        (("--suite", str(tmp_path)), "there is no litmus test in it"),
        ((str(tmp_path / "no.litmus"),), "no.litmus"),
    ):
        answer = spfvar("litmus", *args)
        assert answer.code == 2
        assert text in answer.err


def test_a_model_has_a_name_and_walks_have_one() -> None:
    """check --memory takes sc and lkmm; walks prove nothing (exit code 3)."""
    answer = spfvar("check", "mmap-lock", "--race", "munmap-file", "--memory", "2GiB")
    assert answer.code == 2
    assert "expected sc or lkmm" in answer.err
    answer = spfvar("check", "mmap-lock", "--race", "munmap-file", "--memory", "lkmm", "--walk", "5")
    assert answer.code == 3, answer.err
    assert "none in 5 walks" in answer.out
