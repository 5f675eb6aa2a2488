"""The guest: its scripts and its program, and, where somebody asks for it, a boot."""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib import resources
from pathlib import Path

import pytest

from spfvar.errors import InputError
from spfvar.kernel.boot import BootError, _depends, record, tracer_script
from spfvar.kernel.conform import make_recording
from spfvar.kernel.letters import letters_for
from spfvar.kernel.recording import events, segments

GUEST = resources.files("spfvar.kernel") / "guest"


@pytest.mark.parametrize("script", [tracer_script(), (GUEST / "init.sh").read_text(encoding="utf-8")])
def test_a_shell_can_read_the_scripts(script: str) -> None:
    """Syntax only: nothing is run."""
    done = subprocess.run(["sh", "-n"], input=script, text=True, capture_output=True, check=False)
    assert done.stderr == ""


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_the_program_compiles_without_a_warning_and_runs_where_nobody_traces(tmp_path: Path) -> None:
    """It says what it had to leave out, and comes to its end."""
    program = tmp_path / "provoke"
    source = str(GUEST / "provoke.c")
    built = subprocess.run(
        ["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread", "-o", str(program), source],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.stderr == ""
    done = subprocess.run([str(program), str(tmp_path), "100"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert all(line.startswith("left out: ") for line in done.stderr.splitlines())


def test_what_a_module_depends_on_is_in_its_modinfo() -> None:
    """Names with either dash; none at all for a module that needs none."""
    assert list(_depends(b"x\0depends=mbcache,crc-16\0y")) == ["mbcache", "crc_16"]
    assert list(_depends(b"x\0depends=\0y")) == []
    assert list(_depends(b"x")) == []


@pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="no emulator")
def test_a_file_that_is_no_kernel_package_is_refused(tmp_path: Path) -> None:
    """By its name."""
    file = tmp_path / "linux-image.deb"
    with pytest.raises(InputError, match="no such file"):
        record(file)
    file.write_text("hello")
    with pytest.raises((InputError, BootError), match=r"not a Debian package"):
        record(file)


@pytest.mark.skipif("SPFVAR_KERNEL" not in os.environ, reason="no kernel package is named in SPFVAR_KERNEL")
def test_a_kernel_is_booted_and_every_kind_of_fault_recorded() -> None:
    """Takes a minute or two: each kind that the shipped recordings have, twice as short a race."""
    done = record(Path(os.environ["SPFVAR_KERNEL"]), iterations=500)
    table = letters_for(done.kernel)
    recorded = segments(events(done.trace.splitlines(), "trace"), table.fault_roots)
    kinds = {word.kind for word, _ in make_recording(done.kernel, table, recorded, "trace").words}
    assert {"anon-write", "file-cow", "swap-read", "userfault", "race", "kernel-anon-write"} <= kinds
