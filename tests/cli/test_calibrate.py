"""The calibrate command, as a user meets it: from measurements in a file, so that no test depends on its host."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from spfvar.cli import calibrate
from tests.cli.running import spfvar

HOST = {
    "title": "A CPU (R) @ 3 GHz", "kernel": "6.12.1", "architecture": "x86_64", "virtual": True, "sockets": 1,
    "clusters_per_socket": 1, "cores_per_cluster": 2, "smt": 1,
}  # fmt: skip
MEASURED = {
    "host": HOST, "rates": [{"load": "pft", "threads": 1, "value": 5e5, "usual": 4.9e5}],
    "figures": {"syscall": 100.0}, "missing": {"line.cluster": "no second CPU"}, "noise": 0.02,
}  # fmt: skip


def test_a_profile_is_fitted_written_and_found_by_its_name(tmp_path: Path) -> None:
    """Into the user's folder, from where every command finds it; a second time only with --force."""
    file = tmp_path / "here.json"
    file.write_text(json.dumps(MEASURED))
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    answer = spfvar("calibrate", "here", "--load", str(file), environment=environment)
    assert answer.code == 0, answer.err
    written = tmp_path / "spfvar" / "hardware" / "here.toml"
    assert f"Written: {written}" in answer.out
    assert "as per-vma-6.12." in answer.out
    assert re.search(r"pft +1 +500k faults/s +490k faults/s +\S+ faults/s +[+-]\d+ %", answer.out)
    assert "line.cluster: no second CPU" in answer.out
    shown = spfvar("show", "here", environment=environment)
    assert "A CPU (R) @ 3 GHz, a virtual machine: 2 CPUs" in shown.out
    again = spfvar("calibrate", "here", "--load", str(file), environment=environment)
    assert (again.code, "is there already; expected another name, or --force" in again.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["Here And There"], "is no name of a profile"),
        (["skylake-2s56c"], "came with spfvar"),
        (["here", "-o", "there.toml"], "a file is named as its profile"),
        (["-o", "here.txt"], "is no name of a profile"),
        (["--load", "nowhere.json"], "nowhere.json"),
        (["--load", "a.json", "--save", "b.json"], "measures nothing"),
        (["--design", "mmap-lok", "--load", "bad.json"], "did you mean 'mmap-lock'?"),
        (["--load", "bad.json"], "bad.json: host: no measurements"),
    ],
)
def test_bad_input_gets_one_message_and_exit_code_2(
    arguments: list[str], expected: str, tmp_path: Path
) -> None:
    """Before anything is measured or fitted; nothing is written."""
    (tmp_path / "bad.json").write_text('{"rates": []}')
    answer = spfvar("calibrate", *arguments, cwd=tmp_path, environment={"XDG_CONFIG_HOME": str(tmp_path)})
    assert answer.code == 2
    assert len(answer.err.strip().splitlines()) == 1
    assert expected in answer.err
    assert {path.name for path in tmp_path.iterdir()} == {"bad.json"}


@pytest.mark.parametrize("name", [["here"], []])
def test_a_folder_that_cannot_be_made_is_told_before_anything_is_measured(
    name: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute of measurements would be lost.  /proc takes no folder of anybody's; a file is none."""

    def never() -> None:
        raise AssertionError("it was measured")

    monkeypatch.setattr(calibrate, "_measured", never)
    (tmp_path / "file").touch()
    for home in ("/proc/nope", str(tmp_path / "file" / "below")):
        answer = spfvar("calibrate", *name, environment={"XDG_CONFIG_HOME": home})
        assert (answer.code, len(answer.err.splitlines())) == (2, 1)
        assert f"{home}/spfvar/hardware" in answer.err
        assert "cannot write" in answer.err


def test_ctrl_c_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it measures: exit code 130, no profile, no measurements."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(calibrate, "_measured", interrupted)
    answer = spfvar("calibrate", "here", "--save", "here.json", cwd=tmp_path,
                    environment={"XDG_CONFIG_HOME": str(tmp_path)})  # fmt: skip
    assert answer.code == 130
    assert list(tmp_path.iterdir()) == []
