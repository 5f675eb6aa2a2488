"""spfvar store, and what commands do with it."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from spfvar.matrix.safety import Safety
from spfvar.store.database import Store
from tests.cli.running import COMMAND, spfvar

COMPARE = ("compare", "mmap-lock", "spf-anon", "--scenario", "pft", "--threads", "2", "--seeds", "2")
CHECK = ("check", "mmap-lock", "--race", "munmap-*")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "results.sqlite"
    monkeypatch.setenv("SPFVAR_STORE", str(path))
    return path


def kinds(path: Path) -> dict[str, int]:
    found = Store(path)
    try:
        return {kind.kind: kind.entries for kind in found.kinds()}
    finally:
        found.close()


def test_the_second_time_nothing_is_computed_and_every_byte_is_the_same(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two designs with two seeds: four runs, the keys to two programs, and the text."""
    first = spfvar(*COMPARE)
    assert kinds(store) == {"comparison": 1, "program": 2, "run": 4}
    monkeypatch.setattr("spfvar.matrix.cells.simulate", None)
    assert spfvar(*COMPARE) == first
    assert first.code == 0
    monkeypatch.setattr("spfvar.cli.comparing.render", None)
    assert spfvar(*COMPARE) == first


@pytest.mark.parametrize(
    "more", [(), ("--format", "csv"), ("--format", "markdown", "--events"), ("--verbose",)], ids=" ".join
)
def test_a_text_that_was_kept_is_the_same(store: Path, more: tuple[str, ...]) -> None:
    """Each form is a text of its own; none is one without the store."""
    first = spfvar(*COMPARE, *more)
    assert spfvar(*COMPARE, *more) == first
    assert kinds(store)["comparison"] == 1
    assert spfvar(*COMPARE, *more, "--no-store").out == first.out


def test_a_kept_text_says_what_is_known_of_safety_now(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = spfvar(*COMPARE)
    assert "safety not known" in first.out
    known = {"mmap-lock": Safety(3, 0, ()), "spf-anon": Safety(3, 0, ())}
    for module in ("spfvar.cli.kept_text", "spfvar.cli.comparing"):
        monkeypatch.setattr(f"{module}.known_safety", lambda *_: known)
    assert "safe in all 3 races" in spfvar(*COMPARE).out
    assert kinds(store)["comparison"] == 2


def test_after_a_change_no_text_is_an_old_one(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of anything that came with spfvar: runs may be the same, what is said of them need not."""
    spfvar(*COMPARE)
    monkeypatch.setattr("spfvar.cli.kept_text.package_digest", lambda: "changed")
    monkeypatch.setattr("spfvar.cli.comparing.render", lambda *_: "changed, too\n")
    assert spfvar(*COMPARE).out == "changed, too\n"
    assert kinds(store) == {"comparison": 2, "program": 2, "run": 4}


def test_verdicts_are_kept_too(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = spfvar(*CHECK, "--format", "json")
    monkeypatch.setattr("spfvar.matrix.searching.judge", None)
    assert spfvar(*CHECK, "--format", "json") == first
    assert kinds(store)["verdict"] == len(json.loads(first.out))


def test_without_it_nothing_is_looked_up_or_kept(store: Path) -> None:
    """--no-store is no part of what reproduces a result."""
    answer = spfvar(*COMPARE, "--no-store")
    assert answer.code == 0
    assert not store.exists()
    assert "--no-store" not in answer.out


def test_on_a_terminal_it_is_said_how_much_was_there(store: Path) -> None:
    """To a pipe nothing is."""
    del store
    assert spfvar(*COMPARE).err == ""
    assert spfvar(*COMPARE).err == ""


def test_a_damaged_file_is_named_and_computed_again(store: Path) -> None:
    first = spfvar(*COMPARE)
    store.write_bytes(b"no database" * 500)
    for suffix in ("-wal", "-shm"):
        Path(f"{store}{suffix}").unlink(missing_ok=True)
    second = spfvar(*COMPARE)
    assert (second.code, second.out) == (0, first.out)
    assert second.err.startswith(f"spfvar: store: {store}: was damaged")
    assert second.err.count("\n") == 1
    assert spfvar(*COMPARE) == first


def test_a_run_that_is_killed_goes_on_where_it_stopped(store: Path) -> None:
    """What it had finished is not computed again, and the bytes are those of an undisturbed run."""
    line = ("compare", "mmap-lock", "--scenario", "pft", "--threads", "4", "--seeds", "40", "--jobs", "1")
    undisturbed = spfvar(*line, "--no-store")
    process = subprocess.Popen([*COMMAND, *line], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until = time.monotonic() + 120
    while kinds(store).get("run", 0) < 3 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = kinds(store)["run"]
    assert before >= 3
    assert spfvar(*line) == undisturbed
    assert kinds(store)["run"] == 40


def test_list_prune_and_verify(store: Path) -> None:
    """By kind; what is thrown away is gone; exit code 1 only if something was damaged."""
    assert spfvar(*COMPARE).code == 0
    listed = spfvar("store", "list").out
    assert listed.startswith(f"{store}: ")
    assert "\nprogram          2  " in listed
    found = json.loads(spfvar("store", "list", "--format", "json").out)
    assert [(kind["kind"], kind["entries"]) for kind in found["kinds"]] == [
        ("comparison", 1), ("program", 2), ("run", 4),
    ]  # fmt: skip
    assert spfvar("store", "verify").out == "7 entries, 0 damaged\n"
    assert spfvar("store", "prune", "--days", "1").out.startswith("0 entries thrown away")
    assert spfvar("store", "prune", "--size", "64MiB").out.startswith("0 entries thrown away")
    assert spfvar("store", "prune", "--all").out.startswith("7 entries thrown away")
    assert kinds(store) == {}
    store.write_bytes(b"x" * 5000)
    assert spfvar("store", "verify").code == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["prune"], "nothing says what to throw away; expected --days, --size or --all"),
        (["prune", "--size", "lots"], "--size"),
        (["lst"], "'list'"),
    ],
)
def test_bad_input_gets_one_message(store: Path, arguments: list[str], says: str) -> None:
    """Exit code 2, and nothing thrown away."""
    del store
    answer = spfvar("store", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert says in answer.err
    assert answer.err.count("\n") == 1


def test_a_store_that_is_off_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPFVAR_STORE", "off")
    answer = spfvar("store", "list")
    assert answer.code == 2
    assert answer.err == "spfvar: SPFVAR_STORE: is off; expected no value, or the path of a file\n"
