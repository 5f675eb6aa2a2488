"""A load made concrete: every axis has a value, sizes are pages, addresses are fixed."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping as Dict
from dataclasses import dataclass, replace

from spfvar.errors import InputError
from spfvar.mm.vmf import Mapping
from spfvar.scenario.schema import MAX_THREADS, PAGE, Group, Region, Scenario

PT_SHIFT = 9
PT_SPAN = 1 << PT_SHIFT
#: An address space of more pages than this does not fit into the model's memory bound.
MAX_PAGES = 1 << 23


@dataclass(frozen=True, slots=True)
class Range:
    """A thread's view of a region: first page, pages, and the file that backs it (-1: none)."""

    start: int
    pages: int
    file: int


@dataclass(frozen=True, slots=True)
class ConcreteRegion:
    """A region with its ranges by thread (process-wide regions: the slice of each thread).

    A range's file is the one that it maps, or the swap cache of its pages.  ``child`` is where a forked child
    has its copy (-1: nobody forks it); that lies in its page tables as ``whole`` does.
    """

    name: str
    mapping: Mapping
    mapped: bool
    windowed: bool
    shared_vma: bool
    count: int
    cached: float
    anon_vma: bool
    pages: int
    ranges: tuple[Range, ...]
    whole: Range
    child: int = -1

    @property
    def vma_pages(self) -> int:
        """Pages of each of its VMAs."""
        return self.whole.pages if self.shared_vma else self.pages

    @property
    def has_folios(self) -> bool:
        """Do its pages come from the page cache or the swap cache?"""
        return self.mapping.swapped or not self.mapping.anonymous


@dataclass(frozen=True, slots=True)
class ConcreteGroup:
    """A group's threads: numbers ``first .. first + threads``."""

    group: Group
    first: int
    threads: int
    compute_ns: tuple[float, ...]
    every_ns: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Load:
    """What one cell of the matrix runs.

    Counted are at least so many ``faults`` of all threads, and so many ``rounds`` per thread of every group
    that goes round, after as much of either to warm up.
    """

    scenario: str
    axes: tuple[tuple[str, int | float | str], ...]
    threads: int
    regions: tuple[ConcreteRegion, ...]
    groups: tuple[ConcreteGroup, ...]
    pages: int
    tree_shift: int
    files: int
    folios: int
    io_ns: float
    warmup: int
    faults: int
    warmup_rounds: int
    rounds: int

    @property
    def forks(self) -> bool:
        """Is there a second address space, a child's?"""
        return any(region.child >= 0 for region in self.regions)

    @property
    def ends(self) -> bool:
        """Is the whole run counted, until every thread has ended?"""
        return not self.faults and all(group.group.repeat for group in self.groups)

    def region(self, name: str) -> ConcreteRegion:
        """The region of that name."""
        return next(region for region in self.regions if region.name == name)


def scenario_hash(scenario: Scenario) -> str:
    """Twelve hex digits of the scenario's content; a table that sets nothing is none."""
    content = scenario.model_dump(mode="json", exclude=None if scenario.threshold else {"threshold"})
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def make_load(name: str, scenario: Scenario, axes: Dict[str, int | float | str]) -> Load:
    """Resolve every axis and lay the regions out.  InputError if that makes no sense."""
    return _Maker(name, scenario, axes).make()


class _Maker:
    def __init__(self, name: str, scenario: Scenario, axes: Dict[str, int | float | str]) -> None:
        self.name = name
        self.scenario = scenario
        self.axes = axes
        self.page = 0
        self.folio = 0
        self.files = 0
        self.boundaries: list[int] = []

    def value(self, literal: int | float | str | None) -> int | float | str | None:
        if isinstance(literal, str) and literal.startswith("$"):
            return self.axes[literal[1:]]
        return literal

    def number(self, literal: int | float | str | None) -> float:
        value = self.value(literal)
        if isinstance(value, str) or value is None:
            raise InputError(f"{self.name}: {value!r} is no number here")
        return float(value)

    def make(self) -> Load:
        groups = self._groups()
        threads = sum(group.threads for group in groups)
        if threads > MAX_THREADS:
            raise InputError(f"{self.name}: {threads} threads in all", expected=f"at most {MAX_THREADS}")
        regions = tuple(self._region(region, groups, threads) for region in self.scenario.region)
        regions = tuple(self._with_child(region, groups) for region in regions)
        measure = self.scenario.measure
        main = groups[0].threads
        unit = math.gcd(*self.boundaries, self.page)
        return Load(
            scenario=self.name,
            axes=tuple(self.axes.items()),
            threads=threads,
            regions=regions,
            groups=groups,
            pages=-(-self.page // PT_SPAN) * PT_SPAN,
            tree_shift=(unit & -unit).bit_length() - 1,
            files=self.files,
            folios=self.folio,
            io_ns=self.number(self.scenario.io),
            warmup=measure.warmup + measure.warmup_per_thread * main,
            faults=measure.faults + measure.faults_per_thread * main,
            warmup_rounds=measure.warmup_rounds,
            rounds=measure.rounds,
        )

    def _groups(self) -> tuple[ConcreteGroup, ...]:
        groups = []
        first = 0
        for group in self.scenario.group:
            threads = int(self.number(group.threads))
            if not 1 <= threads <= MAX_THREADS:
                raise InputError(
                    f"{self.name}: group {group.name!r} has {threads} threads", expected=f"1 to {MAX_THREADS}"
                )
            group = group.model_copy(update={"repeat": int(self.number(group.repeat))})
            compute = tuple(0.0 if s.compute is None else self.number(s.compute) for s in group.program)
            every = tuple(0.0 if s.every is None else self.number(s.every) for s in group.program)
            groups.append(ConcreteGroup(group, first, threads, compute, every))
            first += threads
        return tuple(groups)

    def _region(self, region: Region, groups: tuple[ConcreteGroup, ...], threads: int) -> ConcreteRegion:
        users = [
            group for group in groups
            if any(s.target == region.name and not s.reaches_all for s in group.group.program)
        ] or [
            group for group in groups if any(s.target == region.name for s in group.group.program)
        ]  # fmt: skip
        members = {t for group in users for t in range(group.first, group.first + group.threads)}
        per_process = self.value(region.per) == "process"
        count = int(self.number(region.count))
        window = None if region.window is None else self._pages(region.window, region.name)
        each = window or self._pages(region.size, region.name)
        if per_process and window is None:
            each = max(1, each // max(1, len(members)))
        mapping = Mapping(
            anonymous=region.backing != "file",
            swapped=region.backing == "swap",
            shared=region.sharing == "shared",
            fault_around=max(1, int(self.number(region.fault_around)) // PAGE),
            map_pages=region.map_pages,
            speculative=region.speculative,
        )
        self._align(each)
        start = self.page
        none = Range(0, 0, -1)
        ranges = []
        cached = region.backing != "anon"
        whole_file = self._file(each * len(members)) if per_process and cached else -1
        for thread in range(threads):
            if thread not in members:
                ranges.append(none)
                continue
            file = whole_file if per_process else -1
            if not per_process and cached:
                file = self._file(each)
            ranges.append(Range(self.page, each, file))
            self.page += each * count
        self.boundaries += [start, each, self.page]
        if any(s.brk == region.name for group in users for s in group.group.program):
            self.boundaries += [1]
        if self.page > MAX_PAGES:
            raise InputError(
                f"{self.name}: region {region.name!r} makes the address space {self.page} pages",
                expected=f"at most {MAX_PAGES} (make the region smaller, or use fewer threads)",
            )
        return ConcreteRegion(
            name=region.name,
            mapping=mapping,
            mapped=region.mapped,
            windowed=window is not None,
            shared_vma=per_process,
            count=count,
            cached=self.number(region.cached),
            anon_vma=region.anon_vma,
            pages=each,
            ranges=tuple(ranges),
            whole=Range(start, self.page - start, whole_file),
        )

    def _with_child(self, region: ConcreteRegion, groups: tuple[ConcreteGroup, ...]) -> ConcreteRegion:
        """The region with a place for its copies, if a group forks it."""
        forking = sum(
            group.threads for group in groups if any(s.fork == region.name for s in group.group.program)
        )
        if not forking:
            return region
        if forking > 1:
            raise InputError(
                f"{self.name}: {forking} threads fork region {region.name!r}",
                expected="one: there is room for one child",
            )
        whole = region.whole
        child = -(-self.page // PT_SPAN) * PT_SPAN + whole.start % PT_SPAN
        self.page = child + whole.pages
        self.boundaries += [child, self.page]
        if self.page > MAX_PAGES:
            raise InputError(
                f"{self.name}: the child of region {region.name!r} makes the address space {self.page} pages",
                expected=f"at most {MAX_PAGES} (make the region smaller, or use fewer threads)",
            )
        return replace(region, child=child)

    def _pages(self, size: int | float | str, name: str) -> int:
        pages = int(self.number(size)) // PAGE
        if pages < 1:
            raise InputError(f"{self.name}: region {name!r} is smaller than a page", expected="4KiB or more")
        return pages

    def _align(self, pages: int) -> None:
        step = PT_SPAN if pages >= PT_SPAN else 1 << (pages - 1).bit_length()
        self.page = -(-self.page // step) * step

    def _file(self, pages: int) -> int:
        self.folio += pages
        self.files += 1
        return self.files - 1
