"""Trials: what a plugin does to a process it does to one of its own, and the others come through."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from spfvar.plugins import bounds, trial
from spfvar.plugins.bounds import CutOffError, bounded
from spfvar.plugins.registry import load_registry
from spfvar.plugins.trial import try_out
from tests.fuzz.hostile import GOOD, HEAD

HANGS = """
class Hangs:
    @hookimpl
    def do_anonymous_page(self, vmf):
        while True: pass
        yield
"""


def source(folder: Path, name: str, text: str) -> tuple[str, str, str]:
    """A plugin file as what a trial is given."""
    path = folder / name
    path.write_text(text)
    return str(path), "named", str(path)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that a test can wait for."""
    monkeypatch.setattr(bounds, "LOAD_SECONDS", 5.0)
    monkeypatch.setattr(bounds, "CHECK_SECONDS", 4.0)
    monkeypatch.setattr(trial, "GRACE_SECONDS", 1.0)


def test_one_process_is_begun_again_without_whoever_ended_it(tmp_path: Path) -> None:
    """However many do: each is told why, the good ones are not."""
    sources = [
        source(tmp_path, "exits.py", "import os; os._exit(3)"),
        source(tmp_path, "good.py", GOOD),
        source(tmp_path, "raises.py", "raise ValueError('no')"),
        source(tmp_path, "aborts.py", "import os; os.abort()"),
    ]
    found = try_out(sources)
    assert found.plugins == {
        sources[0][0]: "ends the process (exit code 3)",
        sources[2][0]: f"{sources[2][0]}:1: ValueError: no",
        sources[3][0]: "ends the process: SIGABRT",
    }


def test_behind_a_variant_that_was_cut_off_its_plugin_is_not_looked_at_any_further(tmp_path: Path) -> None:
    """A plugin of hundreds would take as many times the bound; the next plugin has its turn."""
    many = "VARIANTS = [Variant(name, 't', 'v5.12', 's', patches) for name, patches in "
    many += "(('fine', ()), ('hangs', (Hangs,)), ('behind', ()))]\n"
    sources = [source(tmp_path, "many.py", HEAD + HANGS + many), source(tmp_path, "good.py", GOOD)]
    wanted = {"fine": sources[0][0], "hangs": sources[0][0], "behind": sources[0][0], "good": sources[1][0]}
    found = try_out(sources, wanted)
    assert found.plugins == {}
    assert "fine" not in found.variants
    assert "good" not in found.variants
    assert found.cut == {"hangs", "behind"}
    assert (
        found.variants["behind"] == "variant behind: not looked at, for hangs of the same plugin was stopped"
    )
    assert (
        f"many.py:{(HEAD + HANGS).count(chr(10)) - 1}: never ends: stopped after 4 s"
        in found.variants["hangs"]
    )


def test_what_a_plugin_started_ends_with_its_trial(tmp_path: Path) -> None:
    """A child that outlives it would hold the machine."""
    file = tmp_path / "pid"
    text = (
        "import os, time\npid = os.fork()\nif not pid:\n    time.sleep(1000)\n"
        f"open({str(file)!r}, 'w').write(str(pid))\n{GOOD}"
    )
    assert try_out([source(tmp_path, "forks.py", text)]).plugins == {}
    pid = int(file.read_text())
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return
        if state == "Z":
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} is still there")


def test_what_a_plugin_prints_is_no_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It goes to stderr, once."""
    _, _, path = source(tmp_path, "prints.py", f"print('hello')\n{GOOD}")
    assert "good" in load_registry([path]).variants
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "hello\n")


def go_on() -> None:
    """Never end, but for a bound."""
    with bounded(0.2):
        with bounded(100):
            pass
        while True:
            pass


def test_code_in_this_process_is_bounded_too() -> None:
    """In time and memory; an inner bound does not end the outer one, and the limits are taken back."""
    with pytest.raises(CutOffError, match=r"test_trial\.py:\d+: never ends: stopped after 0\.2 s"):
        go_on()
    with pytest.raises(MemoryError), bounded(10, 64 << 20):
        bytearray(1 << 30)
    assert len(bytearray(1 << 28)) == 1 << 28
