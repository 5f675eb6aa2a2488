"""Scenarios and profiles by name, and files that users drop."""

from __future__ import annotations

from pathlib import Path

import pytest

from spfvar.errors import InputError
from spfvar.matrix import catalogue


def test_globs_and_names_select_in_order() -> None:
    """Each pattern adds its matches once, in the order asked for."""
    found = catalogue.scenarios().select(["pft", "file-*", "pft"])
    assert found == ["pft", "file-cow", "file-major", "file-read", "file-read-nofa"]


def test_a_dropped_file_does_not_hide_the_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A changed file of a shipped name is hidden, until it is named by its path; an equal one is the same."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scenarios").mkdir()
    text = catalogue.scenarios().text("pft")
    mine = tmp_path / "scenarios" / "pft.toml"
    mine.write_text(text)
    assert catalogue.scenarios().origin("pft") == "shipped"
    assert catalogue.scenarios().hidden == {}
    mine.write_text(text.replace("one big anonymous region", "a region of mine"))
    found = catalogue.scenarios()
    assert found.origin("pft") == "shipped"
    assert "a region of mine" not in found["pft"].title
    assert found.hidden == {"pft": Path("scenarios/pft.toml")}
    assert found.select(["scenarios/pft.toml"]) == ["pft"]
    assert found.origin("pft") == "scenarios/pft.toml"
    assert "a region of mine" in found["pft"].title


def test_a_broken_file_is_told_when_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other scenarios stay usable beside a broken one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "broken.toml").write_text("kind = ")
    found = catalogue.scenarios()
    assert found["pft"].title
    with pytest.raises(InputError, match=r"broken\.toml:1"):
        found["broken"]
