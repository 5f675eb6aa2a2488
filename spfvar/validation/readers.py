"""Results of benchmarks as columns of a published table: rates by number of threads.

will-it-scale: the CSV that its runtest.py prints (column ``threads``: operations per second of all of them, a
page fault each in page_fault1 to 3).  pft: what the program prints, or a log of mmtests with several runs of
it; the column fault/wsec is averaged harmonically.  mmtests: what its comparison prints of one kernel, rows
such as ``Hmean faults/sec-12``.  perf-stat: ``perf stat -x,`` with page-faults and duration_time, a file per
number of threads.
"""

from __future__ import annotations

import csv
import math
import re
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from spfvar.errors import InputError, quote
from spfvar.reading import read_file
from spfvar.scenario.published import LARGEST, SMALLEST, Table
from spfvar.units import MAX_THREADS

#: A benchmark's result is far smaller.
MAX_BYTES: Final = 1 << 24
#: Stands for the number of threads in the name of a file.
THREADS_MARK: Final = "{threads}"

#: Loads that count a page fault per operation of the testcase of that name.
_TESTCASES: Final = {"page_fault1": "page-fault1", "page_fault2": "page-fault2", "page_fault3": "page-fault3"}


def read_results(table: Table, folder: Path | None) -> Table:
    """The table with values instead of results; paths are relative to ``folder``.

    Of the numbers of threads those are taken that every design has, or of them those that the table lists.
    Raises InputError for a file that cannot be read as its format, with its line.
    """
    columns = {design: _read(table, (folder or Path()) / name) for design, name in table.results.items()}
    common = sorted(set.intersection(*(set(column) for column in columns.values())))
    wanted = table.threads or common
    missing = [n for n in wanted if n not in common]
    if missing or not wanted:
        raise InputError(
            f"no results at {missing[0]} threads" if missing else "no number of threads in all files",
            expected=f"of those in all files: {', '.join(map(str, common)) or 'none'}",
        )  # fmt: skip
    values = {design: [column[n] for n in wanted] for design, column in columns.items()}
    raw = table.model_dump() | {"threads": wanted, "values": values, "results": {}, "format": None}
    try:
        return Table.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        cause = first.get("ctx", {}).get("error")
        raise cause if isinstance(cause, InputError) else InputError(first["msg"]) from error


def _read(table: Table, path: Path) -> dict[int, float]:
    if table.format == "perf-stat" or THREADS_MARK in path.name:
        if THREADS_MARK not in path.name or not table.threads:
            raise InputError(
                "a file per number of threads", expected=f"threads, and {THREADS_MARK} in the name"
            )
        found: dict[int, float] = {}
        for n in table.threads:
            one = path.with_name(path.name.replace(THREADS_MARK, str(n)))
            if table.format == "perf-stat":
                found[n] = perf_stat(_text(one), str(one))
            else:
                found |= {
                    k: v for k, v in _READERS[str(table.format)](_text(one), str(one)).items() if k == n
                }
        return found
    if table.format == "will-it-scale":
        testcase = next((name for name in _TESTCASES if name in path.name), None)
        if testcase is not None and _TESTCASES[testcase] != table.load:
            raise InputError(
                f"results of {testcase}", file=str(path), expected=f"those of the load {table.load}"
            )
    return _READERS[str(table.format)](_text(path), str(path))


def _text(path: Path) -> str:
    try:
        return read_file(path, MAX_BYTES).decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror or error}", file=str(path)) from error


def will_it_scale(text: str, name: str) -> dict[int, float]:
    """Operations per second of all threads, by their number."""
    header: list[str] | None = None
    found: dict[int, float] = {}
    for line, fields in _csv(text):
        if header is None:
            header = [field.strip() for field in fields]
            if "tasks" not in header or "threads" not in header:
                raise InputError(
                    f"no columns tasks and threads in {quote(','.join(fields))}", file=name, line=line,
                    expected="what runtest.py prints",
                )  # fmt: skip
            continue
        if len(fields) != len(header):
            raise InputError(f"{len(fields)} columns", file=name, line=line, expected=str(len(header)))
        row = dict(zip(header, fields, strict=True))
        count = _number(row["tasks"], name, line)
        rate = _number(row["threads"], name, line)
        if count and rate > 0:  # the first line is no run, and -1 is a run that failed
            _put(found, count, rate, name, line)
    return _some(found, name)


def pft(text: str, name: str) -> dict[int, float]:
    """Faults per second of wall time by threads: harmonic means of the runs.

    A line of nine columns each, the first of which may be missing: size, repeat, threads, cache line, user,
    system and wall seconds, faults per second of CPU time and of wall time.
    """
    runs: dict[int, list[float]] = {}
    for line, raw in enumerate(text.splitlines(), 1):
        fields = raw.split()
        if not fields or re.search("[A-Za-z]", raw.replace("s", "")):
            continue  # headings
        if len(fields) not in (8, 9):
            raise InputError(f"{len(fields)} columns", file=name, line=line, expected="8 or 9, as pft prints")
        threads = fields[-7]
        rate = _number(fields[-1].rstrip("s"), name, line)
        if rate > 0:
            runs.setdefault(_count(_number(threads, name, line), name, line), []).append(rate)
    return _some({n: statistics.harmonic_mean(rates) for n, rates in runs.items()}, name)


def mmtests(text: str, name: str) -> dict[int, float]:
    """Faults per second by threads from rows such as ``Hmean faults/sec-12 4970000 (0.00%)`` of one kernel.

    Blanks or commas between; other statistics and other rows are passed over.
    """
    found: dict[int, float] = {}
    for line, raw in enumerate(text.splitlines(), 1):
        fields = re.sub(r"\(\s*-?[0-9.]+\s*%\)", " ", raw.replace(",", " ")).split()
        place = next(
            (i for i, field in enumerate(fields) if re.fullmatch(r"faults/sec-[0-9]{1,9}", field)), None
        )
        if place is None or fields[:place] not in ([], ["Hmean"], ["Amean"]):
            continue
        figures = fields[place + 1 :]
        if len(figures) != 1:
            raise InputError(
                f"{len(figures)} figures", file=name, line=line, expected="one: a file per kernel"
            )
        threads = int(fields[place].rpartition("-")[2])
        _put(found, threads, _number(figures[0], name, line), name, line)
    return _some(found, name)


def perf_stat(text: str, name: str) -> float:
    """Page faults per second of ``perf stat -x, -e page-faults,duration_time`` (nanoseconds)."""
    events: dict[str, float] = {}
    for line, fields in _csv(text):
        if not fields[0].strip() or fields[0].lstrip().startswith("#"):
            continue
        if len(fields) < 3:
            raise InputError(
                f"{len(fields)} columns", file=name, line=line, expected="what perf stat -x, prints"
            )
        event = fields[2].strip().partition(":")[0]
        if event in ("page-faults", "faults", "duration_time"):
            events["faults" if event != "duration_time" else event] = _number(fields[0], name, line)
    faults, took = events.get("faults", 0.0), events.get("duration_time", 0.0)
    if faults <= 0 or took <= 0:
        raise InputError(
            "no page-faults and duration_time", file=name, expected="perf stat -x, with both events"
        )
    return _bounded(faults / took * 1e9, name, None)


_READERS: Mapping[str, Callable[[str, str], dict[int, float]]] = {
    "will-it-scale": will_it_scale,
    "pft": pft,
    "mmtests": mmtests,
}


def _csv(text: str) -> list[tuple[int, list[str]]]:
    """Lines that are not empty, with their numbers."""
    lines = []
    reader = csv.reader(text.replace("\0", "").splitlines())
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                lines.append((reader.line_num, fields))
    except csv.Error as error:
        raise InputError(f"no CSV: {error}", line=reader.line_num) from error
    return lines


def _number(text: str, name: str, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{quote(text.strip())} is no number", file=name, line=line) from None
    if not math.isfinite(value) or abs(value) > LARGEST:
        raise InputError(f"{quote(text.strip())} is out of range", file=name, line=line)
    return value


def _count(value: float, name: str, line: int) -> int:
    if value != int(value) or not 1 <= value <= MAX_THREADS:
        raise InputError(f"{value:g} threads", file=name, line=line, expected=f"1 to {MAX_THREADS}")
    return int(value)


def _put(found: dict[int, float], count: float, rate: float, name: str, line: int) -> None:
    threads = _count(count, name, line)
    if threads in found:
        raise InputError(f"{threads} threads again", file=name, line=line, expected="one figure for each")
    found[threads] = _bounded(rate, name, line)


def _bounded(rate: float, name: str, line: int | None) -> float:
    if not SMALLEST <= rate <= LARGEST:
        raise InputError(f"{rate:g} is no rate", file=name, line=line, expected="more than 0")
    return rate


def _some(found: dict[int, float], name: str) -> dict[int, float]:
    if not found:
        raise InputError("no results in the file", file=name)
    return found
