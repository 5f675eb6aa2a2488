"""The ablate command, as a user or a script meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spfvar.cli.main import main

PLUGIN = str(Path(__file__).parents[1] / "explore" / "broken.py")
SMALL = ["ablate", "spf-anon", "--race", "mbind"]


def spfvar(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command line."""
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    assert isinstance(stop.value.code, int)
    out, err = capsys.readouterr()
    return stop.value.code, out, err


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
def test_bad_input_gets_one_message_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], expected: str
) -> None:
    """One line that says what was expected; nothing on stdout."""
    code, out, err = spfvar(capsys, "ablate", *arguments)
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1
    assert expected in err


def test_a_variant_is_ablated_in_a_race(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Exit code 0, the report on stdout and nothing on the stderr of a pipe; -o writes the same to a file."""
    code, out, err = spfvar(capsys, *SMALL)
    assert (code, err) == (0, "")
    assert out.startswith("spf-anon: ")
    assert "P1 in mbind" in out or "not needed in the one race" in out
    written = tmp_path / "guards.txt"
    assert spfvar(capsys, *SMALL, "-o", str(written)) == (0, "", "")
    body = out.partition("Reproduce:")[0]
    assert written.read_text().partition("Reproduce:")[0] == body


def test_every_form_has_the_same_guards(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON, markdown and mail; twice the same bytes."""
    _, text, _ = spfvar(capsys, *SMALL, "--format", "json")
    assert spfvar(capsys, *SMALL, "--format", "json")[1] == text
    guards = {entry["guard"] for entry in json.loads(text)}
    assert guards
    for form in ("markdown", "mail"):
        _, out, _ = spfvar(capsys, *SMALL, "--format", form)
        squeezed = " ".join(out.split())
        assert all(guard in squeezed for guard in guards)
    assert out.isascii()
    assert max(map(len, out.splitlines())) <= 72


def test_exit_codes_say_what_the_result_is_worth(capsys: pytest.CaptureFixture[str]) -> None:
    """3: a bound was hit; 1: the design itself breaks, which is no guard's fault."""
    code, out, _ = spfvar(capsys, *SMALL, "--max-states", "20")
    assert code == 3
    assert "left open: mbind" in out
    assert "not needed" not in out
    broken = ["ablate", "no-rcu-free", "--race", "munmap-file", "--plugin", PLUGIN]
    code, out, _ = spfvar(capsys, *broken)
    assert code == 1
    assert "Left out, for they break with every guard in place: munmap-file (P1)." in " ".join(out.split())
    assert "0 of them needed" in out
