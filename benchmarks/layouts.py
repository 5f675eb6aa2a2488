"""The shipped struct layouts beside what a compiler makes of a kernel's headers.

    python -m benchmarks.layouts                 every headers package that is installed below /usr/src
    python -m benchmarks.layouts BUILD [SOURCE]  a build tree, and its source tree if that is another

Needs gcc and configured headers: on Debian, ``apt-get install linux-headers-amd64``.  A file that includes
linux/mm_types.h is compiled with the kernel's include paths; the offsets are read from its assembly.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from spfvar.structs.model import StructLayout
from spfvar.structs.shipped import layouts, name_for

#: Flags of arch/x86/Makefile and Makefile that change types, or without which the headers do not compile.
FLAGS = [
    "-std=gnu11",
    "-O1",
    "-nostdinc",
    "-D__KERNEL__",
    "-fshort-wchar",
    "-fms-extensions",
    "-fno-PIE",
    "-mno-sse",
    "-mno-mmx",
    "-mno-sse2",
    "-mno-80387",
    "-w",
]
INCLUDES = ("arch/x86/include", "arch/x86/include/generated", "include")
UAPI = ("arch/x86/include/uapi", "arch/x86/include/generated/uapi", "include/uapi", "include/generated/uapi")
FORCED = ("linux/compiler-version.h", "linux/kconfig.h", "linux/compiler_types.h")

Places = dict[tuple[str, str], tuple[int, int]]


def installed() -> list[tuple[Path, Path]]:
    """Debian's headers: the configured part, and the part that all flavours share."""
    found = []
    for build in sorted(Path("/usr/src").glob("linux-headers-*-amd64")):
        source = build.with_name(build.name.removesuffix("-amd64").removesuffix("-cloud") + "-common")
        if source.is_dir() and "-rt" not in build.name:
            found.append((build, source))
    return found


def release_of(build: Path) -> str:
    """The kernel version, as "v6.12.117"."""
    text = (build / "include/generated/utsrelease.h").read_text(encoding="utf-8")
    version = build / "include/generated/uapi/linux/version.h"
    number = re.search(r"LINUX_VERSION_CODE (\d+)", version.read_text(encoding="utf-8"))
    if number is None:
        raise ValueError(f"{version}: no LINUX_VERSION_CODE ({text.strip()})")
    code = int(number[1])
    return f"v{code >> 16}.{code >> 8 & 255}.{code & 255}"


def measure(build: Path, source: Path, layout: StructLayout) -> Places:
    """Offset and size in bytes of each member that the headers have too, by struct and member.

    Raises CalledProcessError if the headers do not compile at all.
    """
    wanted = [(struct.name, member.name) for struct in layout.struct for member in struct.members]
    # The struct may lack a member: then the compiler names it, and the rest is asked for again.
    while True:
        made = _compile(build, source, _program(wanted))
        missing = set(re.findall(r"has no member named ['‘](\w+)['’]", made.stderr))
        if not missing:
            break
        wanted = [(struct, member) for struct, member in wanted if member not in missing]
    made.check_returncode()
    numbers = [int(text) for text in re.findall(r"->(\d+)", made.stdout)]
    return dict(zip(wanted, zip(numbers[::2], numbers[1::2], strict=True), strict=True))


def _program(wanted: list[tuple[str, str]]) -> str:
    lines = ["#include <linux/mm_types.h>", "#include <linux/rwsem.h>", "void offsets(void) {"]
    for struct, member in wanted:
        for value in (f"offsetof(struct {struct}, {member})", f"sizeof(((struct {struct} *)0)->{member})"):
            lines.append(f'asm volatile("->%c0" : : "i" ({value}));')
    return "\n".join([*lines, "}"])


def _compile(build: Path, source: Path, text: str) -> subprocess.CompletedProcess[str]:
    include = [f"-I{tree / part}" for part in (*INCLUDES, *UAPI) for tree in dict.fromkeys((source, build))]
    # Older kernels have no compiler-version.h.
    forced = [
        f"-include{source / 'include' / name}" for name in FORCED if (source / "include" / name).exists()
    ]
    return subprocess.run(
        ["gcc", *FLAGS, *include, *forced, "-S", "-o", "-", "-xc", "-"],
        input=text, capture_output=True, text=True, check=False, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip


def differences(layout: StructLayout, found: Places) -> Iterator[str]:
    """What the data says otherwise than the compiler."""
    for struct in layout.struct:
        for member in struct.members:
            place = found.get((struct.name, member.name))
            if place is None:
                yield f"{struct.name}.{member.name}: not in these headers"
            elif place != (member.offset, member.size):
                yield (
                    f"{struct.name}.{member.name}: {place[1]} bytes at {place[0]}, "
                    f"in the data {member.size} at {member.offset}"
                )


def compare(build: Path, source: Path) -> bool:
    """Print how one kernel compares with its layout; do they agree?"""
    release = release_of(build)
    name = name_for(release)
    layout = layouts()[name]
    found = measure(build, source, layout)
    wrong = list(differences(layout, found))
    print(f"{release} ({build}) and layout {name}: {len(found)} members compiled, {len(wrong)} differ")
    for line in wrong:
        print(f"  {line}")
    return not wrong


def main() -> int:
    """Command line; 1 if anything differs, 2 if there is nothing to compare with."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("build", nargs="?", type=Path)
    parser.add_argument("source", nargs="?", type=Path)
    options = parser.parse_args()
    trees = [(options.build, options.source or options.build)] if options.build else installed()
    if not trees or shutil.which("gcc") is None:
        print("no kernel headers below /usr/src, or no gcc", file=sys.stderr)
        return 2
    agree = [compare(*tree) for tree in trees]
    return 0 if all(agree) else 1


if __name__ == "__main__":
    sys.exit(main())
