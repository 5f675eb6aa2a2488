"""The pytest plugin: a test per variant and check, and messages that say what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PLUGIN = """
from spfvar.mm.hookspecs import hookimpl
from spfvar.ops.primitives import work
from spfvar.plugins.variant import Variant
class Bad:
    @hookimpl
    def do_falt(self, vmf):
        yield work("x")
VARIANTS = [Variant("bad", "a title", "v5.12", "not posted", (Bad,))]
"""
TESTS = """
pytest_plugins = ["spfvar.testing"]
SPFVAR_PLUGIN = "{plugin}"
def test_conforms(conformance_check):
    conformance_check()
def test_variants(spfvar_variants):
    assert list(spfvar_variants) == ["bad"]
"""


def pytest_in(folder: Path, tests: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Run a test module beside the plugin, with warnings as errors and unknown marks forbidden."""
    (folder / "bad.py").write_text(PLUGIN, encoding="utf-8")
    (folder / "test_bad.py").write_text(tests, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-v",
        "-p",
        "no:cacheprovider",
        "-W",
        "error",
        "--strict-markers",
    ]
    return subprocess.run(
        [*command, *more], cwd=folder, capture_output=True, text=True, timeout=600, check=False
    )


def test_each_check_of_each_variant_is_a_test_of_its_own(tmp_path: Path) -> None:
    """The plugin is found beside the test; what fails says where and what to do; what needs it is skipped."""
    result = pytest_in(tmp_path, TESTS.format(plugin="bad.py"))
    assert result.returncode == 1
    assert "test_conforms[loads] PASSED" in result.stdout
    assert "test_conforms[bad-hooks] FAILED" in result.stdout
    assert "test_conforms[bad-safe] SKIPPED" in result.stdout
    assert "test_variants PASSED" in result.stdout
    assert "Bad implements do_falt, which is no hook point" in result.stdout
    assert "to do: did you mean do_fault?" in result.stdout
    assert "Traceback" not in result.stdout


def test_a_missing_plugin_or_name_is_told_at_collection(tmp_path: Path) -> None:
    """One line each, without a traceback through the plugin's innards."""
    for tests, says in (
        (TESTS.format(plugin="nowhere.py"), "SPFVAR_PLUGIN: there is no plugin file 'nowhere.py'"),
        (
            TESTS.replace("SPFVAR_PLUGIN =", "OTHER ="),
            'the test module has no SPFVAR_PLUGIN = "FILE or MODULE"',
        ),
    ):
        result = pytest_in(tmp_path, tests)
        assert result.returncode != 0
        assert says in result.stdout
        assert "testing.py" not in result.stdout


def test_other_tests_do_not_notice_it(tmp_path: Path) -> None:
    """Without pytest_plugins nothing of spfvar is imported: there is no entry point that would do so."""
    tests = (
        "import sys\ndef test_it():\n    assert not [m for m in sys.modules if m.split('.')[0] == 'spfvar']\n"
    )
    assert pytest_in(tmp_path, tests).returncode == 0
