"""Sites as source lines, by a small program that is built for it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from spfvar.errors import InputError
from spfvar.kernel.symbols import TOOLS, Vmlinux

needs_tools = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("cc", *TOOLS)), reason="no C compiler, or no binutils"
)
SOURCE = """\
void spin_lock(void) {}
void handle_mm_fault(void)
{
	spin_lock();
}
int main(void) { handle_mm_fault(); return 0; }
"""


@needs_tools
def test_a_site_is_the_line_of_its_call_and_an_unknown_one_is_nothing(tmp_path: Path) -> None:
    """The return address lies behind the call, on the same line or the next: line 4 is what calls."""
    (tmp_path / "small.c").write_text(SOURCE)
    program = tmp_path / "small"
    subprocess.run(["cc", "-g", "-O0", "-o", program, tmp_path / "small.c"], check=True)
    image = Vmlinux(str(program))
    dump = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", program], capture_output=True, text=True, check=True
    ).stdout
    body = dump.partition("<handle_mm_fault>:")[2].splitlines()[1:]
    begin = int(body[0].partition(":")[0], 16)
    behind = next(i for i, line in enumerate(body) if "<spin_lock>" in line) + 1
    offset = int(body[behind].partition(":")[0], 16) - begin
    assert image.line_of(f"handle_mm_fault+{offset:#x}").endswith("small.c:4")
    assert image.line_of("nobody+0x10") == ""
    assert image.line_of("handle_mm_fault") == ""


@needs_tools
def test_a_name_of_several_functions_is_nothing(tmp_path: Path) -> None:
    """Static functions of two files: whichever line was named, it might be the other's."""
    for name in ("one", "two"):
        (tmp_path / f"{name}.c").write_text(
            f"static void helper(void) {{}}\nvoid {name}(void) {{ helper(); }}\n"
        )
    (tmp_path / "main.c").write_text(
        "void one(void); void two(void); int main(void) { one(); two(); return 0; }\n"
    )
    program = tmp_path / "small"
    sources = [str(tmp_path / f"{name}.c") for name in ("one", "two", "main")]
    subprocess.run(["cc", "-g", "-O0", "-o", program, *sources], check=True)
    image = Vmlinux(str(program))
    assert image.line_of("helper+0x4") == ""
    assert image.line_of("one+0x8") != ""


@needs_tools
def test_a_file_that_is_no_kernel_is_refused(tmp_path: Path) -> None:
    """A missing one, and one without symbols."""
    with pytest.raises(InputError, match="no such file"):
        Vmlinux(str(tmp_path / "vmlinux"))
    (tmp_path / "vmlinux").write_text("hello")
    with pytest.raises(InputError, match="no symbols"):
        Vmlinux(str(tmp_path / "vmlinux"))
