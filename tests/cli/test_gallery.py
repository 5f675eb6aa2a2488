"""The gallery command, as a user meets it."""

from __future__ import annotations

from pathlib import Path

from tests.cli.running import spfvar

QUICK = ["--scenario", "pft", "--threads", "1", "--seeds", "2", "--hardware", "phone-8c", "--no-races"]


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
