"""Reviews from Python, and their files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import spfvar
from spfvar.review.html import render_html
from spfvar.review.mail import render_mail, render_short
from spfvar.review.markdown import render_markdown
from tests.cli.running import spfvar as command
from tests.review.made_up import hostile, repaired, review

PRE = '<pre style="max-height: 60em; overflow: auto">'


def test_a_review_is_made_with_its_forms() -> None:
    """The smallest there is; its last line is the command that makes it again."""
    made = spfvar.report(
        spfvar.get_variant("spf-anon"), against="mmap-lock", scenarios="pft", races="munmap-anon", threads=1,
        generated=0, seeds=2,
    )  # fmt: skip
    assert made.verdict.is_safe is not None
    assert (made.html(), made.markdown()) == (render_html(made), render_markdown(made))
    assert (made.mail(), made.mail(short=True)) == (render_mail(made), render_short(made))
    assert made.provenance.reproduce == (
        "spfvar report spf-anon --against mmap-lock --scenario pft --race munmap-anon --generated 0 --threads 1 "
        "--seeds 2"
    )
    assert made._repr_html_().startswith(PRE + "SIMULATED review of spf-anon")


@pytest.mark.parametrize("made", [review(), review(unsafe=True), repaired(), hostile()])
def test_a_file_has_the_whole_review(made: spfvar.Review, tmp_path: Path) -> None:
    """NaN, traces and foreign text too: read again it is equal, and so is its file; JSON that everybody reads."""
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    spfvar.save(made, first)
    json.loads(first.read_text(encoding="ascii"), parse_constant=lambda word: pytest.fail(word))
    again = spfvar.load_review(first)
    spfvar.save(again, second)
    assert second.read_bytes() == first.read_bytes()
    assert (again.html(), again.mail(), again.markdown()) == (made.html(), made.mail(), made.markdown())


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    """One message: what is wrong with which file."""
    file = tmp_path / "review.json"
    whole = review().json()
    for text, said in [
        (whole[:-20], "is no review"),
        (whole.replace('"verdict": "safe"', '"verdict": "sure"'), "is damaged: its checksum differs"),
        (whole.replace('"format": 1', '"format": 2'), "is a review of another form, written by spfvar 0.1.0"),
        ("[]", "is no review; expected a file written by spfvar report --save"),
    ]:
        file.write_text(text)
        with pytest.raises(spfvar.InputError) as error:
            spfvar.load_review(file)
        assert str(error.value).startswith(f"{file}: {said}")


def test_the_command_draws_a_saved_review(tmp_path: Path) -> None:
    """In every form, without its variant; what would make one is refused."""
    file = str(tmp_path / "review.json")
    spfvar.save(review(), file)
    assert command("report", "--load", file).out == review().mail()
    assert command("report", "--load", file, "--format", "markdown").out == review().markdown()
    assert command("report", "--load", file, "--short").out == review().mail(short=True)
    assert command("report", "--load", file, "--format", "json").out == Path(file).read_text()
    for arguments, said in [
        (["spf-anon", "--load", file], "VARIANT: has no use beside --load, which computes nothing"),
        (["--load", file, "--race", "munmap-anon"], "--race: has no use beside --load"),
        (["--load", file, "--no-store"], "--no-store: has no use beside --load"),
        (["--load", f"{file}.gz"], "cannot read"),
        ([], "VARIANT: none is given; expected one of `spfvar list variants`, or --load FILE"),
        (["spf-anon", "--save", "/no/such/folder/x"], "its directory does not exist"),
        (["spf-anon", "--save", file, "-o", file], "--save: names the same file as --output"),
    ]:
        answer = command("report", *arguments)
        assert (answer.code, answer.out) == (2, "")
        assert said in answer.err


def test_the_command_saves_what_it_prints(tmp_path: Path) -> None:
    """--save adds nothing to the review's own command line."""
    file = tmp_path / "review.json"
    line = [
        "report",
        "mmap-lock",
        "--against",
        "spf-anon",
        "--scenario",
        "pft",
        "--threads",
        "1",
        "--seeds",
        "2",
    ]
    scope = ["--race", "munmap-anon", "--generated", "0"]
    answer = command(*line, *scope, "--save", str(file))
    assert answer.code == 0
    assert spfvar.load_review(file).mail() == answer.out
    assert "--save" not in answer.out
