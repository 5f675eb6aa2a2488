"""spfvar doctor, as a user or a script meets it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.running import spfvar


def test_what_is_broken_stands_out_and_sets_the_exit_code(tmp_path: Path) -> None:
    """In capitals, with an arrow to what can be done; within 60 columns too."""
    plugin = tmp_path / "bad.py"
    plugin.write_text("VARIANTS = 3\n")
    answer = spfvar("doctor", "--plugin", str(plugin), columns=60, environment={"NO_COLOR": "1"})
    assert answer.code == 1
    lines = answer.out.splitlines()
    start = next(i for i, line in enumerate(lines) if "BROKEN" in line)
    assert lines[start] == f"  BROKEN  {plugin}"
    below = " ".join(" ".join(lines[start + 1 :]).split())
    assert below.startswith(
        f"{plugin}:1: VARIANTS is 3, expected a list of Variant -> correct it, or take it away;"
    )
    assert lines[-1] == "1 broken: see the arrows"
    assert [line for line in lines if len(line) > 60 and len(line.split()) > 2] == []


def test_a_sound_installation() -> None:
    """Exit code 0, the same findings in both forms."""
    answer, shown = spfvar("doctor", "--format", "json"), spfvar("doctor")
    assert (answer.code, shown.code) == (0, 0)
    entries = json.loads(answer.out)
    assert all(set(entry) == {"section", "name", "status", "text", "advice"} for entry in entries)
    assert {entry["status"] for entry in entries} <= {"ok", "note"}
    assert all(f"  {entry['name']}" in shown.out for entry in entries)
    assert shown.out.endswith("\nnothing is broken\n")
    assert (
        next(e for e in entries if e["name"] == "stdout")["text"] == "stdout is a pipe or a file: 80 columns"
    )
