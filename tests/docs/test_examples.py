"""The examples of the pages: run in order, in an empty directory, as a reader would."""

from __future__ import annotations

from pathlib import Path

import pytest

from spfvar.scenario.race import Race
from spfvar.toml_input import load_toml
from tests.cli.running import spfvar
from tests.docs.blocks import PAGES, ROOT, Block, blocks, commands, difference

#: A page whose Python is one program, block by block, with what it prints in the block of text behind.
PROGRAM = ROOT / "docs" / "python.md"
ALL = [(page, list(blocks(page.read_text(encoding="utf-8")))) for page in PAGES]
RUN = [(page, found) for page, found in ALL if any(block.language == "console" for block in found)]


def of_language(language: str) -> list[tuple[Path, Block]]:
    """Every block of a language, with its page."""
    return [(page, block) for page, found in ALL for block in found if block.language == language]


@pytest.mark.parametrize(("page", "found"), RUN, ids=[page.stem for page, _ in RUN])
def test_commands_print_what_the_page_says(
    page: Path, found: list[Block], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are saved and commands run, each from where the one before left off."""
    monkeypatch.chdir(tmp_path)
    for block in found:
        if block.file is not None:
            Path(block.file).write_text(block.text, encoding="utf-8")
        for words, expected in commands(block.text) if block.language == "console" else []:
            assert words[0] == "spfvar"
            answer = spfvar(*words[1:])
            missing = difference(expected, answer.out)
            assert missing is None, f"{page.name}: {' '.join(words)}: {missing}\n{answer.out}{answer.err}"


@pytest.mark.parametrize(
    ("page", "block"), of_language("python"), ids=lambda value: getattr(value, "stem", "")
)
def test_python_is_python(page: Path, block: Block) -> None:
    """Every block compiles; one that imports spfvar itself runs as it stands."""
    code = compile(block.text, str(page), "exec")
    if block.text.startswith("import spfvar") and page != PROGRAM:
        exec(code, {})


def test_a_program_prints_what_its_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each block goes on where the one before left off."""
    monkeypatch.chdir(tmp_path)
    found = list(blocks(PROGRAM.read_text(encoding="utf-8")))
    names: dict[str, object] = {}
    for block, following in zip(found, [*found[1:], None], strict=True):
        if block.language == "python":
            exec(compile(block.text, str(PROGRAM), "exec"), names)
            printed = capsys.readouterr().out
            if following is not None and following.language == "text":
                assert difference(following.text, printed) is None, printed


#: One that is saved under a name is run by its page's commands, and may need its page's plugin.
RACES = [shown for shown in of_language("toml") if 'kind = "race"' in shown[1].text and shown[1].file is None]


@pytest.mark.parametrize(("page", "block"), RACES, ids=lambda value: getattr(value, "stem", ""))
def test_races_are_races(page: Path, block: Block, tmp_path: Path) -> None:
    """The files that pages show to start from are valid."""
    file = tmp_path / "race.toml"
    file.write_text(block.text, encoding="utf-8")
    assert load_toml(file, Race).title
