"""The doctor: it finds what is broken, says what to do, and never breaks itself."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from spfvar import diagnosis
from spfvar.diagnosis import Finding, compiled, diagnose, files, packages, plugin_findings


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    """Findings by what was looked at."""
    return {finding.name: finding for finding in findings}


def test_nothing_is_broken_here() -> None:
    """Where the tests run, spfvar works; every part has been looked at, and JSON can hold it."""
    found = diagnose()
    assert [finding for finding in found if finding.status == "broken"] == []
    sections = dict.fromkeys(finding.section for finding in found)
    assert list(sections) == ["spfvar", "packages", "compiled code", "machine", "plugins", "files"]
    assert {"numba", "pandas", "click", "packaging"} <= set(by_name(found))
    assert found[0].as_dict()["section"] == "spfvar"


def test_packages_are_held_against_what_spfvar_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too old, missing, only for an extra, other than tested, and as it should be."""
    needs = ["click>=99", "no-such-package>=1", "simpy; extra == 'bench'", "numpy>=1", "pluggy"]
    monkeypatch.setattr(metadata, "requires", lambda _: needs)
    numpy = metadata.version("numpy")
    monkeypatch.setattr(diagnosis, "_lock", lambda: {"numpy": "1.0", "pluggy": metadata.version("pluggy")})
    found = by_name(list(packages()))
    assert {name: finding.status for name, finding in found.items()} == {
        "click": "broken", "no-such-package": "broken", "numpy": "note", "pluggy": "ok",
    }  # fmt: skip
    assert found["click"].advice == "pip install 'click>=99'"
    assert found["no-such-package"].text == "is not installed"
    assert found["numpy"].text == f"{numpy} (needs >=1); spfvar is tested with 1.0"


def test_the_lock_is_that_of_the_project() -> None:
    """Exact versions of what is needed and of the tools."""
    root = Path(__file__).parents[1]
    lines = (root / "requirements.lock").read_text().split()
    assert [f"{name}=={version}" for name, version in diagnosis._lock().items()] == lines


def test_a_cache_that_cannot_be_written_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """numba would raise in the middle of a run."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "cache"))
    found = by_name(list(compiled()))["cache"]
    assert found.status == "broken"
    assert "Not a directory" in found.text
    assert "NUMBA_CACHE_DIR" in found.advice


def test_code_is_warm_where_numba_has_an_index_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And cold where the directory has others' only."""
    module = ModuleType("made_kernels")
    module.run = SimpleNamespace(stats=SimpleNamespace(cache_path=str(tmp_path)))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "made_kernels", module)
    monkeypatch.setattr(diagnosis, "ENTRIES", {"compare": ("made_kernels", "run")})
    (tmp_path / "made_kernels.running-12.py311.nbi").touch()
    cold = by_name(list(compiled()))["compare"]
    assert (cold.status, cold.text.partition(":")[0]) == ("note", "cold")
    (tmp_path / "made_kernels.run-12.py311.nbi").touch()
    warm = by_name(list(compiled()))["compare"]
    assert (warm.status, warm.text.partition(":")[0]) == ("ok", "warm")


def test_uncompiled_runs_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one setting that makes everything slow."""
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    (found,) = compiled()
    assert found.status == "note"
    assert found.advice == "unset NUMBA_DISABLE_JIT"


GOOD = "from spfvar.plugins.variant import Variant\nVARIANTS = [Variant('{}', 't', 'k', 's')]\n"


def test_plugins_are_named_with_what_they_brought_or_why_not(tmp_path: Path) -> None:
    """File and line of what is wrong; a variant of a shipped name says so."""
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text(GOOD.format("spf-anon"))
    bad.write_text("x = 1\n1 / 0\n")
    found = by_name(list(plugin_findings([str(good), str(bad)])))
    assert found[str(good)].text == "variants spf-anon (instead of the one from spfvar.variants.spf)"
    assert found[str(bad)].status == "broken"
    assert found[str(bad)].text == f"{bad}:2: ZeroDivisionError: division by zero"
    assert found["shipped"].status == "ok"
    missing = by_name(list(plugin_findings(["nowhere.py"])))["--plugin"]
    assert (missing.status, missing.text) == ("broken", "there is no plugin file 'nowhere.py'")


def test_a_variant_that_cannot_be_extracted_is_broken(tmp_path: Path) -> None:
    """As `compare` would say it."""
    text = """
from spfvar.mm.hookspecs import hookimpl
from spfvar.plugins.variant import Variant
class Bad:
    @hookimpl
    def do_anonymous_page(self, vmf):
        yield 42
VARIANTS = [Variant("bad", "t", "k", "s", (Bad,))]
"""
    plugin = tmp_path / "bad.py"
    plugin.write_text(text)
    found = by_name(list(plugin_findings([str(plugin)])))[str(plugin)]
    assert found.status == "broken"
    assert f"{plugin}:7" in found.text


def test_files_of_the_user_s_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken one is told by line and key."""
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "mine.toml").write_text('kind = "lod"\n')
    monkeypatch.chdir(tmp_path)
    found = by_name(list(files()))
    shipped = len(list((Path(__file__).parents[1] / "scenarios").glob("*.toml")))
    assert found["scenarios"].text == f"{shipped} shipped, 1 own"
    assert found["mine"].status == "broken"
    assert "scenarios/mine.toml:1: kind: " in found["mine"].text


def test_a_part_that_fails_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are looked at all the same."""

    def fails() -> list[Finding]:
        raise RuntimeError("no /proc here")

    monkeypatch.setattr(diagnosis, "machine", fails)
    found = by_name(diagnose())
    assert found["machine"].status == "broken"
    assert "RuntimeError: no /proc here" in found["machine"].text
    assert "shipped" in found
