"""spfvar check-plugin, as a user or a script meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import Answer, spfvar

BROKEN = str(Path(__file__).parents[1] / "explore" / "broken.py")


def check_plugin(*arguments: str) -> Answer:
    """Run the command."""
    return spfvar("check-plugin", *arguments)


def test_a_sound_plugin_passes_and_each_check_says_what_it_looked_at() -> None:
    """Exit code 0; the races and loads named are the ones that are run.  A plugin's check, and nine for each variant of three."""
    result = check_plugin("spfvar.variants.mmap_lock", "--race", "munmap-anon", "--scenario", "pft")
    assert result.code == 0, result.out
    assert "pass  safe        1 race, " in result.out
    assert "pass  runs        1 load with 2 threads" in result.out
    assert result.out.endswith("28 of 28 checks passed\n")
    assert result.err == ""


def test_a_broken_plugin_fails_in_text_and_json() -> None:
    """Exit code 1; both forms name the check, what is wrong and what to do; the text fits 80 columns."""
    arguments = [BROKEN, "--race", "munmap-file", "--scenario", "pft", "--check", "safe", "--check", "runs"]
    text = check_plugin(*arguments)
    assert text.code == 1
    assert "FAIL  safe" in text.out
    assert "munmap-file: P1 is broken in " in text.out
    assert "to do: read its steps: spfvar check no-rcu-free --race munmap-file" in " ".join(text.out.split())
    assert "not run  runs" in text.out
    assert max(map(len, text.out.splitlines())) <= max(80, len(BROKEN) + 20)
    result = check_plugin(*arguments, "--format", "json")
    assert result.code == 1
    found = json.loads(result.out)
    assert (found["plugin"], found["passed"]) == (BROKEN, False)
    assert {"variant", "check", "status", "why", "troubles"} == set(found["checks"][0])
    statuses = {(check["variant"], check["check"]): check["status"] for check in found["checks"]}
    assert statuses[None, "loads"] == "pass"
    assert statuses["no-rcu-free", "safe"] == "fail"
    assert statuses["no-rcu-free", "runs"] == "not run"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.py"], "there is no plugin file 'nowhere.py'"),
        (["no_such_module_anywhere"], "there is no plugin module"),
        ([BROKEN, "--check", "section"], "unknown check 'section': did you mean 'sections'?"),
        ([BROKEN, "--race", "munmap-flie"], "did you mean 'munmap-file'?"),
        ([BROKEN, "--scenario", "ptf"], "did you mean 'pft'?"),
        ([BROKEN, "--jobs", "0"], "expected 1 or more"),
        ([BROKEN, "--timeout", "soon"], "is not a duration"),
        ([BROKEN, "-o", "/nonexistent/out"], "/nonexistent/out"),
    ],
)
def test_bad_input_gets_one_message_and_exit_code_2(arguments: list[str], says: str) -> None:
    """Before anything is run."""
    answer = check_plugin(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert len(answer.err.splitlines()) == 1
    assert says in answer.err


def test_every_check_is_known_by_the_name_that_is_printed() -> None:
    """`loads` too, which is of the plugin and not of a variant."""
    answer = spfvar("check-plugin", BROKEN, "--check", "loads", "--format", "json")
    assert [(one["check"], one["status"]) for one in json.loads(answer.out)["checks"]] == [("loads", "pass")]
