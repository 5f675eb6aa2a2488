"""watch: a process looks at the file, each save begins anew, and what is seen becomes lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from spfvar.cli.watch import _digest, _Looks, broken_lines, measured_line, searched_line
from spfvar.matrix.look import Broken, Measured, Searched, Seen, Wanted
from tests.cli.running import spfvar
from tests.matrix.test_look import RACY, SAFE


def test_one_look_is_a_script_s_check(tmp_path: Path) -> None:
    """Exit code 1 for what breaks; nothing that only a terminal wants."""
    file = tmp_path / "idea.py"
    file.write_text(RACY)
    answer = spfvar("watch", str(file), "--once", "--race", "munmap-anon", "--threads", "1", "--no-store")
    assert (answer.code, answer.err) == (1, "")
    head, broken, *_, replay, searched, measured = answer.out.splitlines()
    assert head == f"{file}:"
    assert broken.startswith("  racy: P4 broken in munmap-anon")
    assert replay.startswith(f"    spfvar replay --plugin {file} racy:munmap-anon:")
    assert searched == "  racy: 0 of 1 safe, 1 broken: P4 (1)"
    assert measured.startswith("  racy: pft x1.0")


def test_a_save_ends_a_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is another one as soon as the first races are known, and many are still to come."""
    file = tmp_path / "idea.py"
    file.write_text(SAFE)
    looks, told = _Looks(file), []

    def save(seen: Seen) -> int:
        told.append(seen)
        file.write_text(RACY)
        return 0

    monkeypatch.setattr(looks, "_told", save)
    assert looks.one(Wanted(str(file), (), "pft", None, "skylake-2s56c", 1, True)) is None
    assert not any(isinstance(seen, Searched) for seen in told)


def test_what_is_beside_the_file_counts(tmp_path: Path) -> None:
    """A plugin may import it; other files do not."""
    file = tmp_path / "idea.py"
    file.write_text(SAFE)
    before = _digest(file)
    (tmp_path / "notes.txt").write_text("x")
    assert _digest(file) == before
    (tmp_path / "other.py").write_text("x = 1")
    assert _digest(file) != before


def test_lines() -> None:
    """What a person reads."""
    broken = Broken("mine", "munmap-anon", "P4", "nobody looks", 26, ("=> recycled",), "mine:munmap-anon:A")
    assert broken_lines(broken, "m.py", short=True) == ["  mine: P4 broken in munmap-anon, 26 steps"]
    assert broken_lines(broken, "m.py", short=False) == [
        "  mine: P4 broken in munmap-anon, 26 steps (nobody looks)",
        "    => recycled",
        "    spfvar replay --plugin m.py mine:munmap-anon:A",
    ]
    found = Searched("mine", 177, 172, 1, (("P4", 3), ("P2", 1)))
    assert searched_line(found) == "  mine: 172 of 177 safe, 4 broken: P4 (3), P2 (1), 1 incomplete"
    ratio = Measured("mine", "mmap-lock", "pft", 56, 1.36, 1.06, 1.75, "better")
    assert measured_line(ratio) == "  mine: pft x1.36 (1.06-1.75) of mmap-lock @56: better, SIMULATED"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nowhere.py"], "nowhere.py: there is no such file"),
        (["FILE", "--race", "munmap-anno"], "did you mean 'munmap-anon'?"),
        (["FILE", "--scenario", "pfft"], "did you mean 'pft'?"),
        (["FILE", "--scenario", "file-*"], "expected one"),
        (["FILE", "--threads", "0"], "expected thread counts 1..1024"),
        (["FILE", "--threads", "1,4"], "2 thread counts; expected one"),
    ],
)
def test_bad_input_is_told_before_anything_is_watched(
    arguments: list[str], expected: str, tmp_path: Path
) -> None:
    """One line, exit code 2."""
    (tmp_path / "idea.py").write_text(SAFE)
    words = [str(tmp_path / "idea.py") if word == "FILE" else word for word in arguments]
    answer = spfvar("watch", *words)
    assert (answer.code, answer.out) == (2, "")
    assert expected in answer.err
