"""Where in a kernel's source a call is: a traced call site, and a vmlinux with debug information.

A site is what a probe prints of its return address, such as ``__handle_mm_fault+0x572``.  Wants ``nm`` and
``addr2line`` of the binutils.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cached_property
from pathlib import Path
from typing import Final

from spfvar.errors import InputError

TOOLS: Final = ("nm", "addr2line")
_SITE = re.compile(r"([\w.]+)\+(0x[0-9a-f]+)")


class Vmlinux:
    """A kernel's image, not compressed.  Raises InputError for a file that is none, and for missing tools."""

    def __init__(self, file: str) -> None:
        self._file = file
        missing = [tool for tool in TOOLS if shutil.which(tool) is None]
        if missing:
            raise InputError(
                f"there is no {', '.join(missing)}", key="--vmlinux", expected="the binutils installed"
            )
        if not Path(file).is_file():
            raise InputError("there is no such file", file=file, expected="a vmlinux with debug information")
        if not self._symbols:
            raise InputError("no symbols in it", file=file, expected="a vmlinux with debug information")

    def _output(self, *command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout if done.returncode == 0 else ""

    @cached_property
    def _symbols(self) -> dict[str, int]:
        """The address of each function."""
        found = {}
        for line in self._output("nm", self._file).splitlines():
            address, _, rest = line.partition(" ")
            kind, _, name = rest.partition(" ")
            if kind in ("T", "t", "W", "w") and address.strip():
                found[name] = int(address, 16) if name not in found else -1
        return found

    def line_of(self, site: str) -> str:
        """File and line of a call that returns to a site, "mm/memory.c:5798"; "" if that is not known."""
        match = _SITE.match(site)
        begin = self._symbols.get(match[1]) if match is not None else None
        if match is None or begin is None or begin < 0:  # none, or several of that name
            return ""
        # The byte before the return address is the call's.
        address = begin + int(match[2], 16) - 1
        where = self._output("addr2line", "-e", self._file, hex(address)).strip().partition(" ")[0]
        return "" if where.startswith("??") or where.endswith(":?") else where
