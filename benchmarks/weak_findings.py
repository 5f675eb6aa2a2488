"""Orders that kernels seem to lack: what docs/findings.md says of weak memory (weak_findings.toml).

"Sometimes" with the gap, "never" with the order in its place, is what the page calls confirmed.  The verdicts
are made by `spfvar.litmus` whenever the page is; none is written by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import toml

from spfvar.litmus.parse import parse
from spfvar.litmus.run import judge

_FILE = Path(__file__).with_suffix(".toml")
_GAP = "GAP"


@dataclass(frozen=True)
class Missing:
    """An order that a source lacks; ``twin`` is the bug that shows it in a whole design, if one does."""

    name: str
    title: str
    gap: str
    mend: str
    text: str
    litmus: str
    twin: str = ""

    def pattern(self, order: str) -> str:
        """The litmus test with this where the order would be."""
        lines = (line.replace(_GAP, order) for line in self.litmus.splitlines())
        return "".join(f"{line}\n" for line in lines if line.strip())

    def verdicts(self) -> tuple[str, str]:
        """With the gap, and with the order."""
        gap, mend = (judge(parse(self.pattern(one))).verdict for one in (self.gap, self.mend))
        return gap, mend


def read_missing() -> tuple[list[Missing], str]:
    """Those that can be tested, and what is said of the rest."""
    table = toml.loads(_FILE.read_text(encoding="utf-8"))
    return [Missing(**entry) for entry in table["missing"]], table["out_of_reach"]
