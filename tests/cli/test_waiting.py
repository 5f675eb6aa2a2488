"""What a progress line says while nothing moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from spfvar.cli.waiting import doing


def test_only_the_first_run_speaks_of_compiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part of the model is compiled on its own; numba makes its directory before it fills it."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert doing("checking", "explore") == "compiling (once), checking"
    (tmp_path / "explore_0123").mkdir()
    assert doing("checking", "explore") == "compiling (once), checking"
    (tmp_path / "explore_0123" / "search.run-1.py311.nbi").touch()
    assert doing("checking", "explore") == "checking"
    assert doing("simulating", "simulate") == "compiling (once), simulating"
    assert doing("checking", "explore", "search.run") == "checking"
    assert doing("checking", "explore", "search.other") == "compiling (once), checking"


def test_numba_names_its_directories_so(tmp_path: Path) -> None:
    """The compiled parts are in packages of these names."""
    import spfvar.explore.search
    import spfvar.simulate.engine

    assert Path(spfvar.explore.search.__file__).parent.name == "explore"
    assert Path(spfvar.simulate.engine.__file__).parent.name == "simulate"
    assert spfvar.simulate.engine.run_recorded.__name__ == "run_recorded"  # as spfvar why asks for it
