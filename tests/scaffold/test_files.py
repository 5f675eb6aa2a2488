"""Several new files: all or none, and never over one that exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from spfvar.atomic import write_atomically
from spfvar.errors import InputError
from spfvar.scaffold.files import write_new


def everything(folder: Path) -> dict[str, str]:
    """Files below a folder with their content; folders as None would have no content."""
    return {str(p.relative_to(folder)): p.read_text() if p.is_file() else "/" for p in folder.rglob("*")}


def test_files_and_folders_are_made(tmp_path: Path) -> None:
    """Folders as they are needed."""
    write_new({tmp_path / "a/b/one.txt": "1", tmp_path / "a/two.txt": "2"})
    assert everything(tmp_path) == {"a": "/", "a/b": "/", "a/b/one.txt": "1", "a/two.txt": "2"}


def test_one_file_that_exists_leaves_everything_as_it_was(tmp_path: Path) -> None:
    """The new folder and the file before it are gone again; the old file has its content."""
    (tmp_path / "old.txt").write_text("mine")
    with pytest.raises(InputError, match=r"old\.txt: is there already, so nothing was written"):
        write_new({tmp_path / "new/one.txt": "1", tmp_path / "old.txt": "2", tmp_path / "three.txt": "3"})
    assert everything(tmp_path) == {"old.txt": "mine"}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_whatever_goes_wrong_half_way_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """The second file cannot be written: the first one is taken back."""

    def failing(path: Path, text: str) -> None:
        if path.name == "two.txt":
            raise error
        write_atomically(path, text)

    monkeypatch.setattr("spfvar.scaffold.files.write_atomically", failing)
    with pytest.raises((InputError, KeyboardInterrupt)):
        write_new({tmp_path / "a/one.txt": "1", tmp_path / "a/two.txt": "2"})
    assert everything(tmp_path) == {}


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A file is in the way."""
    (tmp_path / "a").write_text("a file")
    with pytest.raises(InputError, match="cannot be written"):
        write_new({tmp_path / "a/one.txt": "1"})
    assert everything(tmp_path) == {"a": "a file"}
