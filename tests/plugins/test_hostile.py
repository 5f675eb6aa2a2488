"""A sample of the hostile plugins, one of each kind: each is named, and the good one beside it is there.

``tests/fuzz/test_plugins.py`` has all of them, on the command line.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from spfvar.plugins import bounds, trial
from spfvar.plugins.registry import load_registry
from tests.cli.running import spfvar
from tests.fuzz.hostile import plugins, write

#: What is done, and what has to be said of it.
SAMPLE = {
    "field patches is class": "hostile.py:10: Variant.patches: found a value of type type; expected a list",
    "a title with an escape sequence": "Variant.title: \"\\x1b[2J\" has unprintable characters",
    "VARIANTS is an array": "hostile.py:10: VARIANTS is an object of class ndarray, expected a list of Variant",
    "VARIANTS has ten thousand": "VARIANTS has 10000 entries, expected at most 1000",
    "a module __getattr__ that raises": "defines no VARIANTS list",
    "import: exits hard": "ends the process (exit code 0)",
    "import: a segmentation fault": "ends the process: SIGSEGV",
    "import: KeyboardInterrupt": "hostile.py:10: KeyboardInterrupt",
    "import: closes stdout": "closes stdout: a plugin leaves the process as it finds it",
    "import: replaces excepthook": "replaces sys.excepthook: a plugin leaves the process as it finds it",
    "import: leaves a thread": "leaves a thread running",
    "import: allocates at once": "hostile.py:10: takes more than 2048 MiB of memory",
    "patch: falls through": "P.do_fault() returns None and has no yield",
    "patch: a wrapper in pluggy's style": "takes what its yield gives for pluggy's result",
    "text: if without yield": "find_vma() is made, but not run: yield find_vma(...)",
    "text: raises GeneratorExit": "hostile.py:15: do_anonymous_page fails: GeneratorExit",
    "text: yields in finally": "no yield in 'finally', and GeneratorExit is passed on",
    "text: replaces excepthook": "replaces sys.excepthook",
    "text: a field of another class": "vma->vm_start cannot be reached through register mm",
    "text: a word as a lock": "mm->mm_users is no rwsem, which has 4 words",
}  # fmt: skip


@pytest.mark.parametrize("name", SAMPLE)
def test_a_hostile_plugin_is_named_and_the_other_one_is_there(tmp_path: Path, name: str) -> None:
    """What it says has the plugin's name, and its line where one can be known."""
    hostile, good = write(tmp_path, plugins()[name])
    registry = load_registry([hostile, good])
    known = [one for one in ("good", "hostile") if one in registry.variants]
    assert registry.check(*known) == ["good"]
    assert [problem.origin for problem in registry.problems] == [hostile]
    assert SAMPLE[name] in registry.problems[0].message


@pytest.mark.parametrize(
    "name", ["import: hangs", "import: hangs in C with signals blocked", "text: hangs in C"]
)
def test_what_never_ends_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """By a signal that names the line, or else by the end of its process."""
    monkeypatch.setattr(bounds, "LOAD_SECONDS", 1.0)
    monkeypatch.setattr(bounds, "CHECK_SECONDS", 3.0)
    monkeypatch.setattr(trial, "GRACE_SECONDS", 1.0)
    hostile, good = write(tmp_path, plugins()[name])
    registry = load_registry([hostile, good])
    known = [one for one in ("good", "hostile") if one in registry.variants]
    assert registry.check(*known) == ["good"]
    assert "never ends: stopped after" in registry.problems[0].message


def test_a_text_that_no_sample_reaches_is_cut_off_before_the_workers_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signals do not reach workers.  The good variant's verdict is told, and the exit code is that of bad input."""
    monkeypatch.setattr(bounds, "CHECK_SECONDS", 3.0)
    hostile, good = write(tmp_path, plugins()["late text: hangs"])
    answer = spfvar(
        "check", "hostile", "good", "--race", "munmap-swap", "--plugin", hostile, "--plugin", good
    )
    assert answer.code == 2
    assert f"variant hostile: {hostile}:14: never ends: stopped after 3 s" in answer.err
    assert "safe" in answer.out
    assert "hostile" not in answer.out.partition("Reproduce")[0]


def test_a_text_that_misbehaves_in_a_worker_only_is_never_run_in_one(tmp_path: Path) -> None:
    """All its texts are extracted in the thread that called."""
    text = """
class P:
    @hookimpl
    def do_anonymous_page(self, vmf):
        import threading
        while threading.current_thread() is not threading.main_thread():
            pass
        yield work("local")
        return VMFault.NONE
VARIANTS = [Variant("hostile", "t", "v5.12", "s", (P,))]
"""
    hostile, _ = write(tmp_path, text)
    answer = spfvar("check", "hostile", "--race", "munmap-anon", "--plugin", hostile)
    assert answer.err == ""
    compare = ["compare", "hostile", "--scenario", "pft", "--threads", "1", "--seeds", "2"]
    assert "never ends" not in spfvar(*compare, "--plugin", hostile).err
