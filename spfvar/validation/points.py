"""Published tables as comparisons, one number each, and the cells of the model that each of them needs."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spfvar.errors import InputError, unknown
from spfvar.matrix.catalogue import Catalogue
from spfvar.scenario.published import RATE, LeftOut, MeasuredOn, Published, Table
from spfvar.toml_places import KeyPath, find_places, line_of
from spfvar.validation.readers import read_results

#: b / a at so many threads; a multiple of one thread's rate; a rate in faults per second.
Kind = Literal["ratio", "scaling", "rate"]


@dataclass(frozen=True, slots=True)
class Cell:
    """What the model runs: a design under a load, on the machine of a file."""

    file: str
    load: str
    settings: tuple[tuple[str, int | float | str], ...]
    metric: str
    threads: int
    design: str


@dataclass(frozen=True, slots=True)
class Point:
    """A published number: of ``b`` against ``a``, or of ``b`` alone (a rate)."""

    row: str
    kind: Kind
    file: str
    table: int
    a: Cell | None
    b: Cell
    published: float
    fitted: bool
    sign_only: bool

    @property
    def threads(self) -> int:
        """Threads of b."""
        return self.b.threads


@dataclass(frozen=True)
class Rows:
    """Chosen points, the files they are from, and what is left out of the model's reach."""

    points: tuple[Point, ...]
    files: dict[str, Published]
    left_out: tuple[LeftOut, ...]

    def machine(self, file: str) -> MeasuredOn:
        """The machine of a file with tables."""
        machine = self.files[file].machine
        assert machine is not None
        return machine


def load_rows(known: Catalogue[Published], own: Iterable[str] = (), patterns: Sequence[str] = ()) -> Rows:
    """The shipped rows, or those of a user's ``own`` files; of them those that names or globs stand for.

    Raises InputError for a file that cannot be used, with its line, and for a name that no row has.
    """
    own = list(own)
    for i, path in enumerate(own):
        if Path(path).stem in [Path(other).stem for other in own[:i]]:
            raise InputError("two files of that name", file=path, expected="files of different names")
    files = [known.add_file(path) for path in own] or known.select(())
    points: list[Point] = []
    left: list[LeftOut] = []
    for name in files:
        one = known[name]
        left += one.left_out
        for i, table in enumerate(one.table):
            points += _points(known, name, i, _filled(known, name, i, table))
    names = list(dict.fromkeys([point.row for point in points]))
    if patterns:
        chosen = _chosen(patterns, names, [one.row for one in left])
        points = [point for point in points if point.row in chosen]
        left = [one for one in left if one.row in chosen]
    used = {point.file for point in points}
    return Rows(tuple(points), {name: known[name] for name in files if name in used}, tuple(left))


def at_line(known: Catalogue[Published], file: str, path: KeyPath, error: InputError) -> InputError:
    """The error, with the file and the line of a key."""
    text = known.text(file)
    origin = str(known.own_file(file) or f"{file}.toml")
    place = find_places(text, origin).at(path)
    key = ".".join(map(str, path))
    return error.located(file=origin, line=line_of(text, place.offset), key=error.key or key)


def _chosen(patterns: Sequence[str], names: Sequence[str], left: Sequence[str]) -> set[str]:
    chosen: set[str] = set()
    for pattern in patterns:
        found = fnmatch.filter([*names, *left], pattern)
        if not found:
            raise unknown("published row", pattern, [*names, *left])
        chosen.update(found)
    return chosen


def _filled(known: Catalogue[Published], file: str, index: int, table: Table) -> Table:
    """A table with the figures of its results' files."""
    if not table.results:
        return table
    path = known.own_file(file)
    folder = path.parent if path is not None else None
    try:
        return read_results(table, folder)
    except InputError as error:
        if error.file is None:
            raise at_line(known, file, ("table", index, "results"), error) from error
        raise


def _points(known: Catalogue[Published], file: str, index: int, table: Table) -> list[Point]:
    machine = known[file].machine
    assert machine is not None
    settings = tuple(table.settings.items())
    sign = table.compares == "sign"

    def cell(design: str, threads: int) -> Cell:
        return Cell(file, table.load, settings, table.metric, threads, design)

    def point(kind: Kind, a: Cell | None, b: Cell, published: float) -> Point:
        return Point(table.row, kind, file, index, a, b, published, table.fitted, sign)

    designs = list(table.values)
    columns = {
        design: [1.0 / value if table.inverse else value for value in column]
        for design, column in table.values.items()
    }
    points = []
    first = designs[0]
    for design in designs[1:]:
        for i, n in enumerate(table.threads):
            ratio = columns[design][i] / columns[first][i]
            points.append(point("ratio", cell(first, n), cell(design, n), ratio))
    rates = not machine.relative and table.unit in ("faults/s", "ops/s")
    if sign or table.metric != RATE:
        return points
    for design in designs:
        for i, n in enumerate(table.threads):
            if rates:
                points.append(point("rate", None, cell(design, n), columns[design][i]))
            elif i > 0 and table.threads[0] == 1:
                multiple = columns[design][i] / columns[design][0]
                points.append(point("scaling", cell(design, 1), cell(design, n), multiple))
    return points
