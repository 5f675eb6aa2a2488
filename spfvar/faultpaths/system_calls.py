"""The system calls whose effect on faults is looked at: what each does, and on which memory."""

from __future__ import annotations

from dataclasses import dataclass

from spfvar.faultpaths.small import Facts
from spfvar.scenario.race import RaceFile, RaceStatement, RaceVma


@dataclass(frozen=True)
class Writer:
    """A writer and the memory it works on.

    ``near`` is a fault on its VMA, ``far`` one on another VMA; None: there is none that could run.
    """

    name: str
    title: str
    vmas: tuple[RaceVma, ...]
    program: tuple[RaceStatement, ...]
    near: Facts | None
    far: Facts | None
    files: tuple[RaceFile, ...] = ()


def _vma(name: str = "map", start: int = 0, pages: int = 2, **more: object) -> RaceVma:
    return RaceVma.model_validate({"name": name, "start": start, "pages": pages, **more})


def _do(**statement: object) -> tuple[RaceStatement, ...]:
    return (RaceStatement.model_validate(statement),)


_MAP = _vma()
_STACK = _vma(growsdown=True)
_FAR = _vma("far", 8)
_PLACE = _vma("to", 4, mapped=False)
_CHILD = _vma("child", 4, mapped=False, mm=1)
_FILES = (RaceFile(name="data", pages=2), RaceFile(name="other", pages=2))
_MAPPED = _vma(file="data", fault_around=2, anon_vma=False)
_FAR_FILE = _vma("far", 8, file="other", fault_around=2)


def _anon(
    name: str,
    title: str,
    program: tuple[RaceStatement, ...],
    *more: RaceVma,
    vma: RaceVma = _MAP,
    page: int = 0,
) -> Writer:
    """A writer on anonymous memory, against first writes."""
    near, far = Facts("map", page, write=True), Facts("far", write=True)
    return Writer(name, title, (vma, _FAR, *more), program, near, far)


def _file(name: str, title: str, program: tuple[RaceStatement, ...]) -> Writer:
    """A writer on a file, against reads of a mapping of it."""
    return Writer(name, title, (_MAPPED, _FAR_FILE), program, Facts("map"), Facts("far"), _FILES)


WRITERS: tuple[Writer, ...] = (
    Writer("mmap", "mmap at a free address", (_PLACE, _FAR), _do(mmap="to"), None, Facts("far", write=True)),
    _anon("mmap-fixed", "mmap over a mapping", _do(map_over="over"), _vma("over", 0, mapped=False)),
    _anon("munmap", "munmap", _do(munmap="map")),
    _anon("mprotect", "mprotect to read-only", _do(mprotect="map", prot="r")),
    _anon("madvise", "madvise(MADV_DONTNEED)", _do(madvise="map")),
    _anon("brk-grow", "brk that grows the heap", _do(grow="map", page=1)),
    _anon("brk-shrink", "brk that shrinks the heap", _do(shrink="map", page=1)),
    _anon("mbind", "mbind", _do(mbind="map")),
    _anon("fork", "fork", _do(fork="map", to="child"), _CHILD),
    _anon("mremap", "mremap, entry by entry", _do(move="map", to="to"), _PLACE),
    _anon("mremap-fast", "mremap, by whole page tables", _do(move="map", to="to", fast=True), _PLACE),
    _anon("stack", "a fault that extends the stack", _do(store="map"), vma=_STACK, page=1),
    _anon("maps", "read of /proc/pid/maps", _do(maps="map")),
    _anon("khugepaged", "khugepaged, anonymous memory", _do(collapse="map")),
    _file("retract", "khugepaged, the pages of a file", _do(retract="data")),
    _file("truncate", "truncate", _do(truncate="data")),
    _file("reclaim", "reclaim of a page of a file", _do(reclaim="data")),
    Writer("exit", "exit of the last thread", (_vma("last", 0, mm=1), _FAR), _do(exit="last"), None, None),
)  # fmt: skip
