"""Command lines with arguments that nobody expects: names, paths, numbers, and files that are none."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spfvar.matrix import catalogue
from spfvar.matrix.runfile import run_text
from tests.cli.running import spfvar
from tests.fuzz.bounds import examples, tried
from tests.matrix.made_runs import made_run

#: Command lines that end soon, whatever one of their values is replaced by.
LINES = (
    ("list", "variants", "--format", "json"),
    ("list", "races"),
    ("show", "pft"),
    ("show", "pft", "--format", "toml"),
    ("show", "per-vma-6.12", "--fault", "anon-write", "--writer", "munmap"),
    ("show", "spf-anon", "--diff", "spf-do-fault", "--fault", "file-read"),
    ("show", "spf-anon", "--fault", "anon-write", "--dot"),
    ("replay", "known.json", "--race", "own.toml", "--format", "mail", "-o", "out"),
    ("compare", "mmap-lock", "--scenario", "mmap-churn", "--threads", "1", "--seeds", "1", "--seed", "1", "--jobs", "1",
     "--hardware", "skylake-2s56c", "--baseline", "mmap-lock", "--metric", "all", "--format", "csv", "--fail-on",
     "worse>5%", "--plugin", "own.py", "--save", "saved", "-o", "out"),
    ("compare", "--load", "own.jsonl", "--threads", "1", "--set", "hit_rate=0.5", "--format", "json"),
    ("check", "mmap-lock", "--race", "munmap-file", "--max-states", "100", "--max-memory", "1GiB", "--timeout", "1s",
     "--jobs", "1", "--count", "fault=1", "--format", "json", "--save", "saved", "-o", "out", "--plugin", "own.py"),
    ("check", "mmap-lock", "--race", "munmap-file", "--walk", "1", "--seed", "1", "--jobs", "1"),
    ("export", "--promela", "mmap-lock", "munmap-file", "-o", "out"),
    ("report", "mmap-lock", "--patch", "own.patch", "--number", "77", "--against", "mmap-lock", "--format", "mail"),
    ("new", "scenario", "mine", "--directory", "made"),
    ("new", "package", "mine", "--directory", "made"),
    ("completion", "bash"),
)  # fmt: skip
#: None asks for hours of honest work, and none names a place outside of the folder where a file could be made.
VALUES = (
    "", " ", ".", "..", "-", "--", "---", "-1", "0", "1.5", "NaN", "inf", "99999999999999999999", "1" * 5000,
    "a" * 300, "a/" * 3000, "a\0b", "a\nb", "\x1b[31m", "\u202eb", "\udcff", "%s", "{0}", "$HOME", "*", "[", "?", "~", "=",
    "a=", "=a", "a=b=c", ",", "1,", "1-", "2-1", "0-3", "@", "spf@", "spf@99", "spf~24", "spf@1+2~3@4", "a:b:c", ":::",
    "worse>1e999%", "worse>-1%", "better>1%", "1e999ns", "1 parsec", "999999999999TiB",
    "dir", "dir/", "dir.toml", "fifo", "fifo.toml", "fifo.py", "fifo.jsonl", "loop", "loop.toml", "gone.toml", "none/x.toml",
    "locked", "locked.toml", "empty", "empty.toml", "empty.jsonl", "empty.py", "noise", "noise.toml", "noise.jsonl",
    "noise.py", "huge", "huge.toml", "huge.jsonl", "mmap-lock", "MMAP-LOCK", "munmap-file", "pft.toml", "x.json", "out",
    "/dev/null", "/dev/zero", "/dev/full",  "/dev/stdin/x", "/proc/self/mem", "https://example.org/x.toml",
    "\x1b[2J.toml", "t\u202e.toml", "spfvar", "os", "spfvar.cli", "..x", "a..b", "mmap_lock",
)  # fmt: skip
OPTIONS = (
    "--help", "--verbose", "--all", "--twins", "--short", "--no-reductions", "--format", "--plugin", "--load", "--save",
    "--race", "--scenario", "--patch", "--number", "--hardware", "--set", "-o", "-x", "--no-such", "--seed", "--version",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that a name may stand for."""
    path = tmp_path_factory.mktemp("hostile")
    for name in ("dir", "dir.toml"):
        (path / name).mkdir()
    for ending in ("", ".toml", ".py", ".jsonl"):
        os.mkfifo(path / f"fifo{ending}")
        (path / f"empty{ending}").touch()
        (path / f"noise{ending}").write_bytes(bytes(range(256)) * 3)
        with (path / f"huge{ending}").open("wb") as stream:
            stream.truncate(1 << 29)  # a hole: it takes no place
    for ending in ("", ".toml"):
        (path / f"loop{ending}").symlink_to(f"loop{ending}")
        (path / f"locked{ending}").touch(0)
    (path / "gone.toml").symlink_to("nothing")
    for name in ("\x1b[2J.toml", "t\u202e.toml"):
        (path / name).write_text("kind = 1\n")
    (path / "own.patch").write_text("--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n")
    (path / "own.toml").write_text(catalogue.races().text("munmap-file"))
    (path / "own.jsonl").write_text(run_text(made_run(Random(1))))
    known = ["check", "--twins", "--race", "munmap-file", "--jobs", "1", "--save", str(path / "known.json")]
    assert spfvar(*known).code in (0, 1, 3)
    (path / "own.py").write_text(
        "from spfvar.plugins.variant import Variant\nVARIANTS = [Variant('own', 't', 'k', 's')]\n"
    )
    for kind in ("scenarios", "races", "hardware"):  # where spfvar looks by itself, once it is run in "sub"
        (path / "sub" / kind).mkdir(parents=True)
        for name in (
            "dir.toml",
            "fifo.toml",
            "empty.toml",
            "noise.toml",
            "huge.toml",
            "loop.toml",
            "\x1b[2J.toml",
        ):
            (path / "sub" / kind / name).symlink_to(path / name)
    return path


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    """A command line with one to three words replaced, added or taken away; what bounds the work stays."""
    words = list(draw(st.sampled_from(LINES)))
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        values = [i for i in range(1, len(words)) if not words[i].startswith("-")]
        how = draw(st.sampled_from(["value", "value", "value", "add", "option"]))
        value = draw(st.sampled_from(VALUES) | st.text(st.characters(exclude_characters="/"), max_size=8))
        if how == "value" and values:
            words[draw(st.sampled_from(values))] = value
        elif how == "add":
            words.insert(draw(st.integers(1, len(words))), value)
        else:
            words.append(draw(st.sampled_from(OPTIONS)))
    return words


@pytest.mark.parametrize("words", LINES, ids=" ".join)
def test_the_lines_themselves_are_good(folder: Path, words: tuple[str, ...]) -> None:
    """Or changing them would show little; 77 is no patch of the file, so that no review is run."""
    expected = {2} if words[0] == "report" else {0, 1, 3}
    assert tried(*words, cwd=folder).code in expected


@examples(120, 4000)
@given(lines(), st.sampled_from([".", ".", "sub"]))
def test_arguments(folder: Path, words: list[str], place: str) -> None:
    """One line says what is wrong, or the command does what it says."""
    tried(*words, cwd=folder / place)
