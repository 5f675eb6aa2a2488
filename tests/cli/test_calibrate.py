"""The calibrate command, as a user meets it: from measurements in a file, so that no test depends on its host."""

from __future__ import annotations

import json
import re
import tomllib
import warnings
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
    host = HOST | {"title": r'A "CPU" \x (R) @ 3 GHz'}  # a name is text, whatever a format makes of it
    file.write_text(json.dumps(MEASURED | {"host": host}))
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    answer = spfvar("calibrate", "here", "--load", str(file), environment=environment)
    assert answer.code == 0, answer.err
    written = tmp_path / "spfvar" / "hardware" / "here.toml"
    assert f"Written: {written}" in answer.out
    assert "as per-vma-6.12." in " ".join(answer.out.split())
    assert re.search(r"pft +1 +500k faults/s +490k faults/s +\S+ faults/s +[+-]\d+ %", answer.out)
    assert "line.cluster: no second CPU" in answer.out
    shown = spfvar("show", "here", environment=environment)
    assert r'A "CPU" \x (R) @ 3 GHz, a virtual machine: 2 CPUs' in shown.out
    made = tomllib.loads(written.read_text())
    line = f"spfvar calibrate here --load {file}"
    assert (made["source"], made["draws"]["command"]) == (line, line)
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


RATE = MEASURED["rates"][0]  # type: ignore[index]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"rates": []}, "rates: no rate of one thread"),
        ({"rates": [RATE | {"threads": 2}]}, "rates: no rate of one thread"),
        ({"rates": [RATE | {"value": 1e15}]}, "rates.0.value: no measurements: Input should be less than"),
        (
            {"rates": [RATE | {"value": 1e-300}]},
            "rates.0.value: no measurements: Input should be greater than",
        ),
        ({"rates": [RATE | {"value": float("nan")}]}, "rates.0.value: no measurements"),
        ({"rates": [RATE | {"load": "ptf"}]}, "did you mean 'pft'"),
        ({"figures": {"syscall": 1e15}}, "figures.syscall: no measurements: Input should be less than"),
        ({"figures": {"line.socket": 1e12}}, "figures.line.socket: no measurements"),
        ({"figures": {"line.cluster": 9e6}}, "latency_ns.core: these measurements give no machine"),
        ({"figures": {"syscall": 5e6}}, "cost_ns.syscall: these measurements give no machine"),
        ({"host": HOST | {"title": "a\0b"}}, "host.title: found the character \\x00"),
        ({"host": HOST | {"kernel": "6.12\x1b[2J"}}, "host.kernel: found the character \\x1b"),
        ({"noise": float("inf")}, "noise: no measurements"),
    ],
)
def test_measurements_of_no_machine_are_told(changed: dict[str, object], said: str, tmp_path: Path) -> None:
    """One line, with the file and the key, no warnings of numpy; nothing is written."""
    file = tmp_path / "m.json"
    file.write_text(json.dumps(MEASURED | changed))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer = spfvar(
            "calibrate", "here", "--load", str(file), environment={"XDG_CONFIG_HOME": str(tmp_path)}
        )
    assert (answer.code, len(answer.err.splitlines())) == (2, 1), answer.err
    assert said in answer.err
    assert list(tmp_path.iterdir()) == [file]


def test_ctrl_c_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it measures: exit code 130, no profile, no measurements."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(calibrate, "_measured", interrupted)
    answer = spfvar("calibrate", "here", "--save", "here.json", cwd=tmp_path,
                    environment={"XDG_CONFIG_HOME": str(tmp_path)})  # fmt: skip
    assert answer.code == 130
    assert list(tmp_path.iterdir()) == []
