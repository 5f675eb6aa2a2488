"""What is measured, in which order, and what comes out: faults by threads and kinds, then the machine."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from spfvar.calibration.host import Place, this_host
from spfvar.calibration.measurements import Measurements, Rate
from spfvar.calibration.probe import Probe, ProbeError

#: Called with what is measured, how many things were, and of how many.
Progress = Callable[[str, int, int], None]
#: Loads, by the scenarios that they are: what is run, and how many threads do not fault, too.
LOADS: Final = (("pft", 0), ("page-fault1", 0), ("page-fault2", 0), ("page-fault3", 0), ("mmap-churn", 1))
#: Short samples, many of them: on a host that does other things some are left alone.
MS, SAMPLES = 5.0, 30
#: More thread counts than this are not measured.
COUNTS: Final = 6
#: Pairs of CPUs at one distance whose lines are looked at.
PAIRS: Final = 3
DISTANCES: Final = ("core", "cluster", "socket", "remote")


@dataclass(frozen=True)
class Task:
    """One thing to measure: a test of the probe on CPUs, which gives the figures or the rate of that name."""

    name: str
    test: str
    cpus: tuple[int, ...]
    load: str = ""
    threads: int = 0


def counts_of(cpus: int) -> list[int]:
    """Thread counts to measure: 1, all CPUs, and powers of two between, thinned out to `COUNTS`."""
    powers = [1 << i for i in range(cpus.bit_length()) if 1 << i < cpus]
    while len(powers) > COUNTS - 1:
        powers = [powers[0], *powers[2:]]
    return [*powers, cpus] if cpus > 1 else [1]


def order_of(cpus: Sequence[Place]) -> list[int]:
    """CPUs in the order in which threads are put on them: idle cores of a socket first, then siblings."""
    seen: dict[tuple[int, int], int] = {}
    keyed = []
    for place in cpus:
        sibling = seen[place.core] = seen.get(place.core, -1) + 1
        keyed.append((sibling, place.socket, place.cpu))
    return [cpu for *_, cpu in sorted(keyed)]


def tasks_of(cpus: Sequence[Place]) -> list[Task]:
    """Everything that a host with these CPUs can be asked."""
    order = order_of(cpus)
    every = tuple(order)
    found = [Task(test, test, every[:1]) for test in ("syscall", "atomic", "zero", "copy")]
    found.append(Task("switch", "switch", (order[0], order[0])))
    found.append(Task("bandwidth", "bandwidth", every))
    found.append(Task("speed", "speed", every[:1]))
    found.append(Task("flush", "flush", every[:1]))
    if len(every) > 1:
        found += [Task("speed_all", "speed", every), Task("flush_all", "flush", every)]
        found.append(Task("futex", "futex", every[:2]))
    for distance, pairs in pairs_of(cpus).items():
        found += [Task(f"line.{distance}", "line", pair) for pair in pairs[:PAIRS]]
    for load, others in LOADS:
        for count in counts_of(len(every)):
            if count + others <= len(every):
                found.append(Task("", load, every[: count + others], load, count))
    return found


def pairs_of(cpus: Sequence[Place]) -> dict[str, list[tuple[int, int]]]:
    """Pairs of CPUs by how far they are from each other."""
    found: dict[str, list[tuple[int, int]]] = {}
    for one, other in combinations(cpus, 2):
        distance = 3
        if one.socket == other.socket:
            distance = 0 if one.core == other.core else 1 if one.cluster == other.cluster else 2
        found.setdefault(DISTANCES[distance], []).append((one.cpu, other.cpu))
    return found


def measure(
    cpus: list[Place], probe: Probe, why_not: str = "", progress: Progress | None = None
) -> Measurements:
    """Measure a host.  What cannot be measured is named with its reason; ``why_not``: that of a bare probe.

    Raises ProbeError if not even single faults can be measured.
    """
    host = this_host(cpus)
    rates: list[Rate] = []
    figures: dict[str, list[float]] = {}
    missing: dict[str, str] = dict(_absent(cpus))
    spreads: list[float] = []
    tasks = tasks_of(cpus)
    for i, task in enumerate(tasks):
        if progress is not None:
            progress(_told(task), i, len(tasks))
        try:
            samples = probe(task.test, task.cpus, MS, SAMPLES)
            if not samples:
                raise ProbeError(f"{task.test} gave no sample")
        except ProbeError as error:
            missing[_told(task)] = why_not or str(error)
            continue
        first = [sample[0] for sample in samples]
        if task.load:
            best = max(first)
            rates.append(
                Rate(load=task.load, threads=task.threads, value=best, usual=statistics.median(first))
            )
            spreads.append(best / statistics.median(first))
        elif task.test == "futex":
            figures["wake"] = [min(first)]
            figures["wakeup"] = [min(sample[1] for sample in samples)]
        else:
            most = task.test in ("bandwidth", "speed")
            figures.setdefault(task.name, []).append(max(first) if most else min(first))
    if not any(rate.threads == 1 for rate in rates):
        raise ProbeError(f"not even the faults of one thread can be measured: {next(iter(missing.values()))}")
    noise = statistics.median(spreads) - 1.0
    one = {name: statistics.median(found) for name, found in figures.items()}
    return Measurements(host=host, rates=rates, figures=one, missing=missing, noise=round(max(noise, 0.0), 3))


def _absent(cpus: Sequence[Place]) -> Iterator[tuple[str, str]]:
    """What this host does not have, or nobody but root can see."""
    for distance in DISTANCES:
        if distance not in pairs_of(cpus):
            yield f"lines by distance {distance}", "no two of its CPUs are so near or far"
    if len(cpus) == 1:
        yield "everything with several threads", "the process may use one CPU"
    yield "locks of the allocator and the LRU", "they show as a whole only, in faults of many threads"
    yield "time that an IPI takes from its target", "no program sees it"


def _told(task: Task) -> str:
    if task.load:
        return f"faults of {task.load} with {task.threads} thread{'s' * (task.threads > 1)}"
    return task.name
