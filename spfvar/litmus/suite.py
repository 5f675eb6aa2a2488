"""A suite of litmus tests: every file of some, judged, beside the verdict that its own header claims."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from spfvar.errors import InputError
from spfvar.explore.options import Options
from spfvar.litmus.cursor import UnsupportedTest
from spfvar.litmus.parse import read
from spfvar.litmus.run import Judged, judge

#: Verdicts of LKMM's; the others say that the model cannot tell.
DEFINITE: Final = ("never", "sometimes", "always")


@dataclass(frozen=True, slots=True)
class Result:
    """A file, the test in it, what the model says, and what the header claims ("": nothing)."""

    file: str
    test: str
    judged: Judged
    expected: str

    @property
    def agrees(self) -> bool:
        """Does a definite verdict equal the header's?"""
        return self.judged.verdict == self.expected

    @property
    def differs(self) -> bool:
        """Does it contradict the header?"""
        return bool(self.expected) and self.judged.verdict in DEFINITE and not self.agrees

    def as_dict(self) -> dict[str, Any]:
        """One entry of the JSON list."""
        entry: dict[str, Any] = {
            "file": self.file,
            "test": self.test,
            "verdict": self.judged.verdict,
            "expected": self.expected or None,
            "states": self.judged.states,
        }
        if self.judged.why:
            entry["why"] = self.judged.why
        return entry


def files_of(directory: str) -> list[str]:
    """The litmus tests below a directory, in order.  Raises InputError if there is none."""
    path = Path(directory)
    if not path.is_dir():
        raise InputError("there is no such directory", file=directory, expected="a directory of litmus tests")
    found = sorted(str(file) for file in path.rglob("*.litmus") if file.is_file())
    if not found:
        raise InputError("there is no litmus test in it", file=directory, expected="files *.litmus")
    return found


def run_file(file: str, bounds: Options = Options()) -> Result:  # noqa: B008
    """Read a test and run it.  Raises InputError for a file that is no litmus test."""
    try:
        test = read(file)
    except UnsupportedTest as error:
        return Result(file, Path(file).stem, Judged("unsupported", why=error.why), "")
    return Result(file, test.name, judge(test, bounds), test.result or "")


def table(results: Sequence[Result]) -> str:
    """A line for each test, and a sum."""
    width = max(len(result.test) for result in results)
    lines = []
    for result in results:
        judged = result.judged
        beside = "" if not result.expected else "" if result.agrees else f"  (its header: {result.expected})"
        why = f"  {judged.why}" if judged.why else ""
        lines.append(f"{result.test:<{width}}  {judged.verdict:<11}{judged.states:>9} states{beside}{why}")
    counts = Counter(result.judged.verdict for result in results)
    lines.append("")
    lines.append(f"{len(results)} tests: " + ", ".join(f"{number} {name}" for name, number in counts.items()))
    if claimed := [result for result in results if result.expected]:
        agree = sum(result.agrees for result in claimed)
        differ = sum(result.differs for result in claimed)
        lines.append(
            f"of {len(claimed)} with a result in their header {agree} agree, {differ} differ, "
            f"{len(claimed) - agree - differ} are open"
        )
    return "\n".join(lines) + "\n"
