"""spfvar conform: three answers, exit codes, recordings of one's own, messages."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.running import spfvar
from tests.kernel import traces as t


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


def test_json_has_the_fields_that_readers_go_by() -> None:
    """A drift is exit code 1, and has both sides."""
    answer = spfvar("conform", "mmap-lock", "--kernel", "6.1", "--format", "json")
    assert answer.code == 1, answer.err
    found = json.loads(answer.out)
    assert list(found) == [
        "variant", "kernel", "faults", "paths", "kinds", "drift", "witnessed", "never", "abstracted",
    ]  # fmt: skip
    faults = [sum(counts) for kind, counts in found["kinds"].items() if not kind.startswith("sys-")]
    assert found["faults"] == sum(faults) > found["paths"]
    drift = next(drift for drift in found["drift"] if "file-shared-write" in drift["kinds"])
    assert drift["kernel"] == "the fault is done"
    assert any("mmap_read_trylock" in step for step in drift["text"])


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
    assert "all 1 recorded faults" in answer.out
    again = spfvar("conform", "mmap-lock", "--trace", str(saved))
    assert again.out.splitlines()[0] == answer.out.splitlines()[0]


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
