"""Running SPIN on an exported model."""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

#: Options of spin that keep it from changing the model: no dead variables, no merged statements.
PLAIN = ("-o1", "-o2", "-o3")


class SpinError(Exception):
    """SPIN, the C compiler or the search failed."""


@dataclass(frozen=True)
class Search:
    """What a search took: seconds of CPU time, without compilation; ``errors``: what SPIN found wrong."""

    states: int
    transitions: int
    seconds: float
    errors: tuple[str, ...] = ()
    complete: bool = True

    @property
    def rate(self) -> float:
        """Transitions per second."""
        return self.transitions / max(self.seconds, 1e-9)


def missing() -> str:
    """Which program SPIN needs is not there; "" if all are."""
    return next((name for name in ("spin", "gcc") if shutil.which(name) is None), "")


def quick_compiler() -> tuple[str, ...]:
    """For small models: tcc compiles a pan.c in a fiftieth of gcc's time, which then runs slower."""
    return ("tcc",) if shutil.which("tcc") else ("gcc", "-O0")


def run_spin(
    text: str,
    plain: bool,
    compiler: tuple[str, ...] = ("gcc", "-O2"),
    megabytes: int = 2048,
    depth: int = 1_000_000,
) -> Search:
    """Compile a model and search it, in so much memory; plain: every state, as the model has them."""
    with tempfile.TemporaryDirectory(prefix="spfvar-spin-") as name:
        folder = Path(name)
        (folder / "model.pml").write_text(text, encoding="utf-8")
        _run(["spin", *(PLAIN if plain else ()), "-a", "model.pml"], folder)
        options = ["-w", "-DSAFETY", "-DVECTORSZ=8192", f"-DMEMLIM={megabytes}"]
        _run([*compiler, *options, *(["-DNOREDUCE"] if plain else []), "-o", "pan", "pan.c"], folder)
        before = _seconds_of_children()
        output = _run(["./pan", f"-m{depth}", "-w24"], folder)
        return parsed(output, _seconds_of_children() - before)


def _seconds_of_children() -> float:
    """CPU time, so that other users of the machine do not count."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def parsed(output: str, seconds: float) -> Search:
    """What pan says of its search."""
    states = re.search(r"(\d+) states, stored", output)
    transitions = re.search(r"(\d+) transitions", output)
    if states is None or transitions is None:
        raise SpinError(f"pan did not finish: {output[-500:]}")
    errors = tuple(re.findall(r"^pan:\d+: (.*?)(?: \(at depth \d+\))?$", output, re.MULTILINE))
    complete = "Search not completed" not in output and "max search depth too small" not in output
    return Search(int(states[1]), int(transitions[1]), seconds, errors, complete)


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0 and command[0] != "./pan":
        raise SpinError(f"{' '.join(command)} failed: {done.stdout}{done.stderr}")
    return done.stdout
