"""spfvar conform: three answers, exit codes, recordings of one's own, messages."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from spfvar.plugins.registry import load_registry
from tests.cli.running import spfvar
from tests.kernel import traces as t
from tests.kernel.tracers import TRACERS


def only(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """These are all the designs that there are: each takes half a second."""
    registry = load_registry(())
    registry.variants = {name: registry.variants[name] for name in names}
    monkeypatch.setattr("spfvar.cli.conform.load", lambda plugins: registry)


def test_a_table_has_three_answers_in_eighty_columns() -> None:
    """Paths, witnessed, abstracted with reasons; what it does not say; how to run it again."""
    answer = spfvar("conform", "mmap-lock-6.1")
    assert answer.code in (0, 1), answer.err
    assert max(map(len, answer.out.splitlines())) <= 80
    assert answer.out.startswith("mmap-lock-6.1 beside 6.1.176: ")
    for part in (
        "\nwitnessed: ",
        "\nabstracted: ",
        "barriers.\n",
        "\nReproduce: spfvar conform mmap-lock-6.1",
    ):
        assert part in answer.out


def test_json_has_the_fields_that_readers_go_by(monkeypatch: pytest.MonkeyPatch) -> None:
    """A drift is exit code 1, and has both sides."""
    only(monkeypatch, "mmap-lock", "mmap-lock-6.1")
    answer = spfvar("conform", "mmap-lock", "--kernel", "6.1", "--format", "json")
    assert answer.code == 1, answer.err
    found = json.loads(answer.out)
    assert list(found) == [
        "variant", "kernel", "faults", "paths", "kinds", "drift", "witnessed", "never", "own", "abstracted",
        "best",
    ]  # fmt: skip
    faults = [sum(counts) for kind, counts in found["kinds"].items() if not kind.startswith("sys-")]
    assert found["faults"] == sum(faults) > found["paths"]
    drift = next(drift for drift in found["drift"] if "file-shared-write" in drift["kinds"])
    assert drift["kernel"] == "the fault is done"
    assert any("mmap_read_trylock" in step for step in drift["text"])
    # Steps stand where a reader finds them, on whatever machine this was printed.
    steps = [*drift["text"], *found["never"]]
    assert any(", spfvar/mm/writers.py:" in step for step in steps)
    assert not any("/" in step and ", spfvar/mm/" not in step for step in steps)
    # A design that drifts is told which of those of recorded kernels does not.
    (best,) = found["best"]
    assert (best["variant"], best["paths"]) == ("mmap-lock-6.1", found["faults"])


def test_a_variant_whose_kernel_nobody_recorded_has_to_be_given_one() -> None:
    """The nearest that there are."""
    answer = spfvar("conform", "spf-do-fault")
    assert answer.code == 2
    assert "6.1.176, 6.12.117" in answer.err
    answer = spfvar("conform", "mmap-lock", "--kernel", "6.12.118")
    assert answer.code == 2
    assert "6.12.117" in answer.err


def test_a_recording_of_ones_own_is_read_and_kept_and_read_again(tmp_path: Path) -> None:
    """As ftrace prints it with --kernel; as --save wrote it without."""
    trace, saved = tmp_path / "recording", tmp_path / "saved.json"
    trace.write_text("\n".join([*t.TABLE_IS_ALLOCATED, *t.marked("present", t.read_of_present_page())]))
    answer = spfvar("conform", "mmap-lock", "--trace", str(trace))
    assert answer.code == 2
    assert "--kernel" in answer.err
    answer = spfvar("conform", "mmap-lock", "--trace", str(trace), "--kernel", "6.1.9", "--save", str(saved))
    assert answer.code == 0, answer.out
    assert "1 of 1 recorded faults" in answer.out
    again = spfvar("conform", "mmap-lock", "--trace", str(saved))
    assert again.out.splitlines()[0] == answer.out.splitlines()[0]


@pytest.mark.parametrize("lines", TRACERS.values(), ids=TRACERS)
def test_other_tracers_files_are_read(lines: list[str], tmp_path: Path) -> None:
    """The one marked fault of each is a path, of what is seen seven steps."""
    trace = tmp_path / "recording"
    trace.write_text("\n".join(lines))
    answer = spfvar("conform", "mmap-lock-6.1", "--trace", str(trace), "--kernel", "6.1.9")
    assert answer.code == 0, answer.err
    assert "1 of 1 recorded faults" in answer.out
    assert "\nwitnessed: 7 of " in answer.out  # trylock, look-up, entering, lock, flags, unlock, up_read


def test_a_design_that_fits_though_nothing_of_its_own_was_seen_is_exit_code_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault under mmap_lock is a path of speculative faults, too, which may always fail."""
    only(monkeypatch, "spf-anon", "mmap-lock-6.1")
    trace = tmp_path / "recording"
    trace.write_text("\n".join(TRACERS["perf script"]))
    answer = spfvar("conform", "spf-anon", "--trace", str(trace), "--kernel", "6.1.9")
    assert answer.code == 3, answer.err
    assert "\nUNSEEN: none of the " in answer.out
    assert ", 0 of " in answer.out
    assert "mmap-lock-6.1 fits: 1 of 1 recorded faults" in answer.out


def test_without_a_variant_every_design_is_compared_and_the_best_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of the kernel, and another whose own steps were not seen."""
    only(monkeypatch, "spf-anon", "mmap-lock-6.1")
    trace = tmp_path / "recording"
    trace.write_text("\n".join(TRACERS["perf script"]))
    answer = spfvar("conform", "--trace", str(trace), "--kernel", "6.1.9")
    assert answer.code == 0, answer.err
    assert answer.out.startswith("6.1.9 beside every design: mmap-lock-6.1 fits: 1 of 1 recorded faults.\n")
    rows = [line.split()[:2] for line in answer.out.splitlines()[3:6]]
    assert rows == [["recorded", "1"], ["mmap-lock-6.1", "1"], ["spf-anon", "1"]]
    answer = spfvar("conform", "--trace", str(trace), "--kernel", "6.1.9", "--format", "json")
    found = json.loads(answer.out)
    assert (found["faults"], found["best"]) == (1, ["mmap-lock-6.1"])
    assert [one["variant"] for one in found["designs"]] == ["mmap-lock-6.1", "spf-anon"]
    assert found["designs"][1]["own"][0] == 0


def test_what_is_about_one_text_needs_a_variant() -> None:
    """Mutants are of a text."""
    answer = spfvar("conform", "--kernel", "6.1", "--mutants")
    assert answer.code == 2
    assert "--mutants: every design is compared, not one text; expected a variant" in answer.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no recording: it has no event; expected what function_graph, trace-cmd report, perf script"),
        ("\0\1\xff binary\n", "no recording: it has no event"),
        (" 0)  pf-1  | /* page_fault_user: truncated\n", "no line is an event; the last one is"),
        (" 0)  pf-1  | find_vma();\n", "no page fault in it; expected events page_fault_user"),
        ('{"kernel": "6.1.176", "letters": [', "no recording: Invalid JSON: EOF"),
        ('{"kernel": "6.1.176", "letters": [], "faults": 3}', "faults: no recording: Input should be"),
        ('{"kernel": "6.1.176", "letters": [], "faults": []}', "no page fault in it"),
        ('{"kernel": "7.9", "letters": [], "faults": [["a", 4, 1, []]]}', "what a kernel 7.9 shows"),
    ],
)
def test_a_bad_file_is_one_message_with_its_name(text: str, message: str, tmp_path: Path) -> None:
    """Empty, binary, cut off, of other events, of a kernel that no table knows."""
    file = tmp_path / "mine.txt"
    file.write_text(text, encoding="latin-1")
    answer = spfvar("conform", "mmap-lock", "--trace", str(file), "--kernel", "6.1")
    assert (answer.code, answer.out) == (2, "")
    assert "mine.txt: " in answer.err
    assert message in answer.err
    assert len(answer.err.splitlines()) == 1


def test_what_is_no_recording_or_no_package_is_refused(tmp_path: Path) -> None:
    """One message with the file's name, and no traceback."""
    file = tmp_path / "notes.txt"
    file.write_text("hello\n")
    answer = spfvar("conform", "mmap-lock", "--trace", str(file), "--kernel", "6.1")
    assert answer.code == 2
    assert "notes.txt" in answer.err
    answer = spfvar("conform", "mmap-lock", "--boot", str(file), "--trace", str(file))
    assert answer.code == 2
    answer = spfvar("conform")
    assert answer.code == 2
    assert "--print-tracer" in answer.err


def test_booting_without_an_emulator_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the packages' names."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    answer = spfvar("conform", "mmap-lock", "--boot", str(tmp_path / "linux.deb"))
    assert answer.code == 2
    assert "apt install qemu-system-x86 busybox-static cpio" in answer.err


def test_the_tracer_is_a_script_with_every_function_that_a_letter_needs() -> None:
    """For whoever records on a machine of his own; a shell can read it."""
    answer = spfvar("conform", "--print-tracer")
    assert answer.code == 0
    assert answer.out.startswith("#!/bin/sh\n")
    assert "@" not in answer.out.replace('"$@"', "")
    for name in ("lock_vma_under_rcu", "__pte_offset_map_lock", "down_read_trylock", "_raw_spin_lock"):
        assert name in answer.out
