"""From tables to numbers: ratios, multiples, rates; names that there are not, with their lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from spfvar.errors import InputError
from spfvar.matrix import catalogue
from spfvar.plugins.registry import load_registry
from spfvar.validation.points import Rows, load_rows
from spfvar.validation.run import loads_of, machines_of

TABLE = """\
title = "two designs"
source = "a mail"
kernel = "v6.12"

[machine]
title = "a machine"
profile = "{profile}"
relative = {relative}

[[table]]
row = "X1"
load = "{load}"
settings = {{ vma = "{vma}" }}
unit = "{unit}"
threads = [1, 4]

[table.values]
mmap-lock = [2.0, 4.0]
{design} = [2.0, 10.0]
"""


def rows_of(folder: Path, **given: str) -> Rows:
    """The rows of a file of one's own."""
    names = {
        "profile": "skylake-2s56c", "relative": "true", "load": "pft", "vma": "process", "unit": "faults/s",
        "design": "spf-anon",
    }  # fmt: skip
    path = folder / "mine.toml"
    path.write_text(TABLE.format(**{**names, **given}))
    return load_rows(catalogue.published(), [str(path)])


def numbers(rows: Rows) -> list[tuple[str, int, float]]:
    """Kind, threads and published number."""
    return [(point.kind, point.threads, point.published) for point in rows.points]


def test_a_relative_has_ratios_and_multiples(tmp_path: Path) -> None:
    """b / a: 2/2 and 10/4; of their own thread: 4/2 and 10/2."""
    assert numbers(rows_of(tmp_path)) == [
        ("ratio", 1, 1.0), ("ratio", 4, 2.5), ("scaling", 4, 2.0), ("scaling", 4, 5.0),
    ]  # fmt: skip


def test_the_machine_itself_has_ratios_and_rates(tmp_path: Path) -> None:
    """The rates as they were published."""
    assert numbers(rows_of(tmp_path, relative="false"))[2:] == [
        ("rate", 1, 2.0), ("rate", 4, 4.0), ("rate", 1, 2.0), ("rate", 4, 10.0),
    ]  # fmt: skip


def test_times_of_fixed_work_are_reciprocals_of_rates(tmp_path: Path) -> None:
    """2 and 4 ms against 2 and 10: b is at 4/10 of a's rate, and slower with threads."""
    assert [one[2] for one in numbers(rows_of(tmp_path, unit="ms"))] == pytest.approx([1.0, 0.4, 0.5, 0.2])


@pytest.mark.parametrize(
    ("given", "line", "said"),
    [
        ({"load": "pff"}, 12, "did you mean 'pft'"),
        ({"vma": "proces"}, 13, '"process"'),
        ({"design": "spf-anan"}, 19, "spf-anon"),
        ({"profile": "skylake"}, 7, "skylake-2s56c"),
    ],
)
def test_a_name_that_there_is_not_is_told_with_file_and_line(
    tmp_path: Path, given: dict[str, str], line: int, said: str
) -> None:
    """Lines of TABLE."""
    rows = rows_of(tmp_path, **given)
    known = catalogue.published()
    known.add_file(str(tmp_path / "mine.toml"))

    def look_up() -> None:
        machines_of(rows, known, catalogue.hardware())
        loads_of(rows, known, catalogue.scenarios(), load_registry())

    with pytest.raises(InputError) as caught:
        look_up()
    assert caught.value.file == str(tmp_path / "mine.toml")
    assert caught.value.line == line
    assert said in str(caught.value)


def test_rows_are_chosen_by_name_or_glob() -> None:
    """Those that are left out have names, too; a name of none is refused."""
    known = catalogue.published()
    assert {point.row for point in load_rows(known, (), ["S3"]).points} == {"S3"}
    assert {point.row for point in load_rows(known, (), ["N[12]"]).points} == {"N1", "N2"}
    assert [one.row for one in load_rows(known, (), ["S8"]).left_out] == ["S8"]
    with pytest.raises(InputError, match="unknown published row 'S99'"):
        load_rows(known, (), ["S99"])


def test_a_file_of_ones_own_takes_the_place_of_those_shipped(tmp_path: Path) -> None:
    assert {point.row for point in rows_of(tmp_path).points} == {"X1"}


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    """Rows go by their files' names: one would be counted twice, the other not at all."""
    paths = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        rows_of(tmp_path / folder)
        paths.append(str(tmp_path / folder / "mine.toml"))
    with pytest.raises(InputError, match="two files of that name"):
        load_rows(catalogue.published(), paths)
