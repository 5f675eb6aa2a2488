"""spfvar new: what it writes passes its own tests as it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli import running
from tests.cli.running import COMMAND, Answer

PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]


def run(arguments: list[str], folder: Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run something in a folder, as a user would; ``path``: where a package is installed."""
    more = {} if path is None else {"PYTHONPATH": str(path)}
    return subprocess.run(
        arguments, cwd=folder, env=os.environ | more, capture_output=True, text=True, timeout=900, check=False
    )


def spfvar(line: str, folder: Path) -> Answer:
    """Run a command line of spfvar's in a folder."""
    return running.spfvar(*line.split(), cwd=folder)


def new(folder: Path, line: str) -> str:
    """Run spfvar new; what it printed."""
    answer = spfvar(f"new {line}", folder)
    assert answer.code == 0, answer.err
    return answer.out


def test_a_written_variant_passes_its_tests_and_can_be_compared_and_checked(tmp_path: Path) -> None:
    """pytest runs the whole conformance kit on it: every race, every load."""
    printed = new(tmp_path, "variant my-idea")
    assert printed.startswith("wrote my_idea.py\nwrote test_my_idea.py\nwrote README.md\n\nNext:\n")
    tests = run(PYTEST, tmp_path)
    assert tests.returncode == 0, tests.stdout
    # Loading, nine checks of the kit, and the patch's own test for reads and for writes.
    assert "12 passed" in tests.stdout
    compared = spfvar(
        "compare my-idea --plugin my_idea.py --scenario pft --threads 2 --seeds 1 --events", tmp_path
    )
    assert compared.code == 0
    assert "my_idea_write" in compared.out
    checked = spfvar("check my-idea --plugin my_idea.py --race munmap-anon", tmp_path)
    assert checked.code == 0, checked.out


def test_a_written_package_is_installed_and_passes_its_tests(tmp_path: Path) -> None:
    """On a shipped variant; its races and loads are left to the test above, whose patch is the same."""
    new(tmp_path, "package my-idea --on spf-anon")
    target = tmp_path / "target"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--no-deps"]
    installed = run([*pip, "--no-build-isolation", "--target", str(target), "./my-idea"], tmp_path)
    assert installed.returncode == 0, installed.stderr
    tests = run([*PYTEST, "-k", "not safe and not runs"], tmp_path / "my-idea", target)
    assert tests.returncode == 0, tests.stdout
    assert "11 passed" in tests.stdout
    shown = run([*COMMAND, "show", "-v", "my-idea"], tmp_path, target)
    assert "MyIdea: Counts write faults" in shown.stdout


PATCH = """From: A. Developer <a@example.org>
Subject: [PATCH] mm: a shared fault waits

---
diff --git a/mm/memory.c b/mm/memory.c
--- a/mm/memory.c
+++ b/mm/memory.c
@@ -100,3 +100,4 @@ vm_fault_t finish_fault(struct vm_fault *vmf)
 \tint x;
+\tfrobnicate(vmf);
 \tnext(vmf);
 \tlast(vmf);
"""


def test_a_drafted_variant_can_be_checked_and_compared_and_is_told_to_be_a_draft(tmp_path: Path) -> None:
    """At once, with its TODO; check-plugin counts it, and a report's first line, as a note of every other, says DRAFT."""
    (tmp_path / "1.patch").write_text(PATCH)
    printed = new(tmp_path, "variant my-idea --from-patch 1.patch --on mmap-lock")
    assert "TODO line 10: frobnicate(vmf); (statement)" in printed
    assert "wrote my_idea.py\nNext:\n" in printed
    checked = spfvar("check my-idea --plugin my_idea.py --race munmap-file", tmp_path)
    assert checked.code == 0, checked.out
    compared = spfvar("compare my-idea --plugin my_idea.py --scenario pft --threads 2 --seeds 1", tmp_path)
    assert compared.code == 0, compared.err
    for printed in (checked.out, compared.out):
        assert " ".join(printed.split()).count("my-idea is a DRAFT with 1 TODO, drafted from 1.patch:") == 1
    counted = spfvar("check-plugin my_idea.py --check finished", tmp_path)
    assert counted.code == 1
    assert "TODO: frobnicate(vmf)" in counted.out
    assert "drafted from 1.patch, with 1 TODO" in counted.out
    line = "report my-idea --plugin my_idea.py --scenario pft --threads 2 --seeds 1 --race munmap-file"
    report = spfvar(f"{line} --generated 0 --short", tmp_path)
    assert report.out.startswith("DRAFT with 1 TODO. SIMULATED review of my-idea")
    assert "DRAFT:    drafted from 1.patch, 1 TODO" in report.out
    again = spfvar("new variant my-idea --from-patch 1.patch", tmp_path)
    assert (again.code, again.out.count("wrote")) == (2, 0)
    assert "is there already, so nothing was written" in again.err


def test_a_written_scenario_and_a_written_race_run(tmp_path: Path) -> None:
    """They are found by their names, in the folder that they were written to."""
    new(tmp_path, "scenario my-load")
    load = "compare mmap-lock per-vma-6.12 --scenario my-load --threads 2 --seeds 1 --set size=32KiB"
    compared = spfvar(load, tmp_path)
    assert compared.code == 0, compared.err
    assert "my-load" in compared.out
    new(tmp_path, "race my-race")
    checked = spfvar("check mmap-lock spf-do-fault --race my-race", tmp_path)
    assert checked.code == 0, checked.out
    assert "vacuous" not in checked.out
    for name in ("my-load", "my-race"):
        assert spfvar(f"show {name}", tmp_path).code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["variant", "My Idea"], 'did you mean "my-idea"?'),
        (["variant", "my-idea", "--on", "spf-do-falt"], "did you mean 'spf-do-fault'?"),
        (["scenario", "pft"], "there is a scenario 'pft' already"),
        (["variant", "json"], "json cannot be its module"),
        (["variant", "taken"], "taken.py: is there already, so nothing was written"),
        (["race", "my-race", "--directory", "taken.py"], "taken.py: --directory: is no directory"),
        (["variant", "my-idea", "--from-patch", "taken.py"], "there is no patch here: no diff was found"),
        (["variant", "my-idea", "--from-patch", "gone.patch"], "gone.patch: cannot read"),
        (
            ["variant", "my-idea", "--from-patch", "x", "--on", "spf@230"],
            "spf has no patch 230; expected 1 to 37",
        ),
    ],
)
def test_bad_input_gets_one_message_and_writes_nothing(
    tmp_path: Path, arguments: list[str], says: str
) -> None:
    """Exit code 2; no file more than there was."""
    (tmp_path / "taken.py").write_text("mine")
    answer = running.spfvar("new", *arguments, cwd=tmp_path)
    assert (answer.code, answer.out) == (2, "")
    assert len(answer.err.splitlines()) == 1
    assert says in answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["taken.py"]
    assert (tmp_path / "taken.py").read_text() == "mine"
