"""Saved runs, saved verdicts and tokens that were changed: shown and replayed, or refused in words."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

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
    line_changed(RUN), st.booleans(), st.sampled_from(["table", "csv", "json", "markdown", "mail", "github"])
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
