"""The gallery command, as a user meets it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from spfvar.atomic import write_atomically
from spfvar.cli.gallery import _bugs, _check_folder, _machines, _write
from spfvar.errors import InputError
from spfvar.matrix import catalogue
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Twin
from tests.cli.running import spfvar

SMALL = ["--threads", "1", "--seeds", "2", "--no-races"]
QUICK = ["--scenario", "pft", "--hardware", "phone-8c", *SMALL]
SHIPPED = ["broadwell-2s28c", "phone-8c", "rome-2s128c", "skylake-2s56c"]


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """A load of one's own, with hardly any faults."""
    text = re.sub("(?m)^title = .*", 'title = "My own few faults"', catalogue.scenarios().text("pft"))
    text = re.sub("(?m)^(warmup_per_thread|faults|faults_per_thread) = .*", r"\1 = 8", text)
    file = tmp_path / "few.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_gallery_is_written_twice_alike_and_what_an_older_one_had_is_gone(tmp_path: Path) -> None:
    """The second has one design less: its pages go, what somebody else put there stays."""
    site = tmp_path / "site"
    both = spfvar("gallery", str(site), "range-lock", "bonsai", *QUICK)
    assert both.code == 0, both.err
    assert both.out.startswith(f"{site / 'index.html'}: ")
    assert (site / "designs" / "bonsai.html").exists()
    before = {path: path.read_bytes() for path in site.rglob("*.html")}
    spfvar("gallery", str(site), "range-lock", "bonsai", *QUICK)
    assert {path: path.read_bytes() for path in site.rglob("*.html")} == before
    (site / "mine.txt").write_text("mine", encoding="utf-8")
    assert spfvar("gallery", str(site), "range-lock", *QUICK).code == 0
    assert not (site / "designs" / "bonsai.html").exists()
    assert (site / "designs" / "range-lock.html").exists()
    assert (site / "mine.txt").read_text(encoding="utf-8") == "mine"


def test_a_folder_with_files_that_no_gallery_wrote_is_refused(tmp_path: Path) -> None:
    """And a file: before anything is computed."""
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    answer = spfvar("gallery", str(tmp_path))
    assert answer.code == 2
    assert "has files that no gallery wrote" in answer.err
    answer = spfvar("gallery", str(tmp_path / "mine.txt"))
    assert (answer.code, "is a file" in answer.err) == (2, True)
    assert "did you mean 'pft'?" in spfvar("gallery", str(tmp_path / "new"), "--scenario", "pfft").err
    assert "did you mean 'phone-8c'?" in spfvar("gallery", str(tmp_path / "new"), "--hardware", "phone-8").err
    assert not (tmp_path / "new").exists()


def test_a_load_and_a_machine_of_ones_own_are_named_as_files(tmp_path: Path, few: Path) -> None:
    """The load's title comes from the file; a machine that is named twice, or by a glob too, is shown once."""
    mine = tmp_path / "mine.toml"
    mine.write_text(catalogue.hardware().text("phone-8c"), encoding="utf-8")
    machines = ["--hardware", f"{mine},{mine}", "--hardware", "min*"]
    answer = spfvar("gallery", "site", "range-lock", "--scenario", str(few), *SMALL, *machines, cwd=tmp_path)
    assert answer.code == 0, answer.err
    text = (tmp_path / "site" / "cells" / "range-lock--few.html").read_text(encoding="utf-8")
    assert "few: My own few faults." in text
    assert re.findall('<section id="on-([^"]*)"', text) == ["mine"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], SHIPPED),
        (["all"], SHIPPED),
        (["phone-8c", "phone*", "phone-8c"], ["phone-8c"]),
        (["*-2s128c,phone-8c"], ["rome-2s128c", "phone-8c"]),
        (["mine", "all"], ["mine", *SHIPPED]),
    ],
)
def test_machines_are_those_that_compare_takes_each_once(
    given: list[str], expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the user's only what is named; a glob is all that it matches."""
    (tmp_path / "hardware").mkdir()
    text = catalogue.hardware().text("phone-8c")
    (tmp_path / "hardware" / "mine.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert _machines(catalogue.hardware(), given or ["all"]) == expected


def test_two_machines_of_one_name_are_refused(tmp_path: Path) -> None:
    """Files of one stem in two folders, and a file beside the shipped machine of its name; equal ones are one."""
    text = catalogue.hardware().text("phone-8c")
    names = ("a/mine.toml", "b/mine.toml", "c/mine.toml", "d/phone-8c.toml")
    for name in names:
        (tmp_path / name).parent.mkdir()
        changed = text if name.startswith(("a", "c")) else text.replace('title = "', 'title = "Other ')
        (tmp_path / name).write_text(changed, encoding="utf-8")
    one, other, equal, phone = (str(tmp_path / name) for name in names)
    assert _machines(catalogue.hardware(), [one, equal]) == ["mine"]
    with pytest.raises(InputError, match=r"two hardware profiles are called 'mine': .*a/mine.* and .*b/mine"):
        _machines(catalogue.hardware(), [one, other])
    with pytest.raises(InputError, match=r"are called 'phone-8c': .*d/phone-8c.toml and phone-8c"):
        _machines(catalogue.hardware(), [phone, "all"])
    with pytest.raises(InputError, match="two hardware profiles are called 'phone-8c'"):
        _machines(catalogue.hardware(), [f"phone-*,{phone}"])


def test_a_bug_whose_race_is_a_file_stays_where_that_race_is_chosen(tmp_path: Path) -> None:
    """By the file's name, wherever the twin has it from; another race leaves the bug out."""
    file = tmp_path / "mine.toml"
    file.write_text(catalogue.races().text("munmap-anon"), encoding="utf-8")
    registry = load_registry()
    registry.twins["x@bonsai"] = Twin("X", "A bug", "0", "bonsai", str(file), "P2")
    designs = [registry["bonsai"]]
    races = catalogue.races()
    assert [case.race_name for case in _bugs(designs, registry, races, [str(file)])] == ["mine", "mine"]
    assert not any(case.twin == "x@bonsai" for case in _bugs(designs, registry, races, ["munmap-file"]))


@pytest.mark.parametrize("writes", range(5))
def test_a_gallery_that_was_interrupted_can_be_written_again(
    writes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After any number of files: the folder is a gallery's still, and the next one takes away what is no more."""
    _write(tmp_path, {"index.html": "1", "old/page.html": "1"})
    left = iter(range(writes))

    def interrupted(path: Path, text: str) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        write_atomically(path, text)

    with monkeypatch.context() as patched:
        patched.setattr("spfvar.cli.gallery.write_atomically", interrupted)
        with pytest.raises(KeyboardInterrupt):
            _write(tmp_path, {"index.html": "2", "new/page.html": "2", "new/other.html": "2"})
    _check_folder(tmp_path)
    _write(tmp_path, {"index.html": "3"})
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {"index.html", "gallery.txt"}
    assert (tmp_path / "gallery.txt").read_text(encoding="utf-8") == "index.html\n"


def test_a_first_gallery_that_was_interrupted_can_be_written_again(tmp_path: Path) -> None:
    """A page that cannot be written is told by name; the folder is a gallery's."""
    (tmp_path / "site" / "page.html").mkdir(parents=True)
    with pytest.raises(InputError, match=r"page\.html: cannot write: it is a directory"):
        _write(tmp_path / "site", {"index.html": "1", "page.html": "1"})
    _check_folder(tmp_path / "site")


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that cannot be made, and one whose list of files cannot be replaced; the folder holds nothing else."""
    monkeypatch.setattr("spfvar.cli.gallery._compared", lambda *_: pytest.fail("something was computed"))
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    answer = spfvar("gallery", str(tmp_path / "file" / "site"), *QUICK)
    assert (answer.code, "file/site: cannot be made: Not a directory" in answer.err) == (2, True), answer.err
    (tmp_path / "site" / "gallery.txt").mkdir(parents=True)
    answer = spfvar("gallery", str(tmp_path / "site"), *QUICK)
    assert (answer.code, "cannot write: it is a directory" in answer.err) == (2, True), answer.err
    assert [path.name for path in (tmp_path / "site").iterdir()] == ["gallery.txt"]
