"""Saved runs, saved verdicts and tokens that were changed: shown and replayed, or refused in words."""

from __future__ import annotations

import json
import math
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spfvar.matrix.runfile import checksum, run_text
from tests.cli.running import spfvar
from tests.fuzz.bounds import examples, tried
from tests.fuzz.mutations import VALUES, changed, data
from tests.matrix.made_runs import made_run

RUN = run_text(made_run(Random(1)))
OTHER = run_text(made_run(Random(1)))
#: JSON has no words of its own for these, but Python reads them.
JSON_VALUES = (*VALUES, "null", "NaN", "Infinity", '"\\u001b]0;x\\u0007"', '{"a": 1}', "[1, 2]")


WRONG: tuple[Any, ...] = (
    ..., None, True, 0, 1, -1, -0.5, 2.5, 1e308, -1e308, 5e-324, math.inf, -math.inf, math.nan, 1 << 64, 10**400, "", "x",
    "\x1b[31m", "\u202e", [], {}, [[]], [-1.0, 1.0, 1.0], [math.nan] * 3, [None] * 3, {"x": [1.0]},
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, and verdicts with tokens."""
    path = tmp_path_factory.mktemp("saved")
    (path / "good.jsonl").write_text(OTHER)
    for name in ("known.toml", "known.json"):
        answer = spfvar(
            "check", "--twins", "--race", "munmap-file", "--save", str(path / name), "--jobs", "1"
        )
        assert answer.code in (0, 1, 3)
    return path


def sealed(text: str) -> str:
    """With a checksum that fits again."""
    lines = text.split("\n")
    body = "".join(f"{line}\n" for line in lines if line and '"sha256"' not in line)
    return body + json.dumps({"kind": "end", "sha256": checksum(body)}) + "\n"


@st.composite
def value_changed(draw: st.DrawFn, text: str) -> str:
    """One value of one line of JSON is another, or gone; what no JSON can say, Python's does."""
    lines = text.split("\n")
    at = draw(st.integers(0, len(lines) - 3))  # not the checksum
    line = here = json.loads(lines[at])
    while True:
        key = draw(st.sampled_from(list(here) if isinstance(here, dict) else range(len(here))))
        if not (isinstance(here[key], dict | list) and here[key]) or draw(st.integers(0, 9)) == 0:
            break
        here = here[key]
    value = draw(st.sampled_from(WRONG))
    if value is ...:
        del here[key]
    else:
        here[key] = value
    return "\n".join([*lines[:at], json.dumps(line), *lines[at + 1 :]])


def line_changed(text: str) -> st.SearchStrategy[str]:
    """One line changed, so that a long file does not hide the change."""
    lines = text.split("\n")
    return st.integers(0, len(lines) - 2).flatmap(
        lambda at: changed(lines[at], JSON_VALUES).map(
            lambda line: "\n".join([*lines[:at], line, *lines[at + 1 :]])
        )
    )


@examples(60, 2000)
@given(
    value_changed(RUN) | value_changed(RUN) | line_changed(RUN),
    st.booleans(),
    st.sampled_from(["table", "csv", "json", "markdown", "mail", "github"]),
)
def test_saved_runs(folder: Path, text: str, merged: bool, form: str) -> None:
    """Alone and beside another run, with all metrics."""
    path = folder / "own.jsonl"
    path.write_bytes(data(sealed(text) if text.isascii() else text))
    more = ["--load", str(folder / "good.jsonl")] if merged else []
    tried("compare", "--load", str(path), *more, "--metric", "all", "--format", form)


@examples(15, 400)
@given(st.data(), st.sampled_from(["known.toml", "known.json"]))
def test_saved_verdicts(folder: Path, drawn: st.DataObject, name: str) -> None:
    """Replayed, all tokens of them."""
    path = folder / f"own-{name}"
    path.write_bytes(data(drawn.draw(line_changed((folder / name).read_text()))))
    tried("replay", str(path))


@examples(40, 1500)
@given(st.data(), st.sampled_from(["table", "markdown", "mail", "json"]))
def test_tokens(folder: Path, drawn: st.DataObject, form: str) -> None:
    """A good token changed: characters, parts, length."""
    cases = json.loads((folder / "known.json").read_text())["case"]
    token = drawn.draw(st.sampled_from([case["token"] for case in cases if case.get("token")]))
    tried("replay", "--format", form, "--", drawn.draw(changed(token)))
