"""The comparison of printed outputs: what it overlooks, and what it does not."""

from __future__ import annotations

import pytest

from tests.docs.blocks import blocks, commands, difference

TABLE = "variant  threads=1\nmine    0.525 ±0.1%\n        x1.08 better\n"


@pytest.mark.parametrize(
    "actual",
    [
        TABLE,
        TABLE.replace("0.525", "12.1"),
        TABLE.replace("x1.08", "x1.1"),
        TABLE.replace("mine    ", "mine  "),
    ],
)
def test_numbers_and_widths_may_differ(actual: str) -> None:
    """They move whenever the model does."""
    assert difference(TABLE, actual) is None


@pytest.mark.parametrize(
    ("actual", "at"),
    [
        (TABLE.replace("better", "WORSE"), "        x1.08 better"),
        (TABLE.replace("mine", "yours"), "mine    0.525 ±0.1%"),
        (TABLE + "one line more\n", "the end of the output"),
        (TABLE.replace("mine    0.525 ±0.1%\n", ""), "mine    0.525 ±0.1%"),
    ],
)
def test_words_and_lines_may_not(actual: str, at: str) -> None:
    """The first line that is wrong is told."""
    assert difference(TABLE, actual) == at


def test_numbers_in_names_are_part_of_them() -> None:
    """P4 is not P6, and v5.12 is not v6.12."""
    assert difference("P4 26 steps", "P4 27 steps") is None
    assert difference("P4 26 steps", "P6 26 steps") is not None
    assert difference("v5.12", "v6.12") is not None


def test_dots_stand_for_any_lines() -> None:
    """Also for none; what comes behind them is still needed."""
    assert difference("a\n...\nc\n", "a\nb\nb\nc\n") is None
    assert difference("a\n...\nc\n", "a\nc\n") is None
    assert difference("a\n...\nc\n", "a\nb\n") == "c"


def test_blocks_and_commands_are_found() -> None:
    """A file, then a command with its output."""
    page = (
        "Save this as `a.py`:\n\n```python\nx = 1\n```\n\nRun:\n\n```console\n$ spfvar show 'a b'\nout\n```\n"
    )
    file, console = blocks(page)
    assert (file.language, file.text, file.file) == ("python", "x = 1\n", "a.py")
    assert console.file is None
    assert commands(console.text) == [(["spfvar", "show", "a b"], "out\n")]
