"""What the system says of this host: CPUs and their caches, the kernel.  Linux, below /proc and /sys."""

from __future__ import annotations

import os
import platform
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spfvar.calibration.measurements import Host
from spfvar.errors import InputError

CPU = Path("/sys/devices/system/cpu")
PAGE = 4096


@dataclass(frozen=True)
class Place:
    """Where a CPU is: numbers of its core, of the CPUs that share its last cache, of its socket."""

    cpu: int
    core: tuple[int, int]
    cluster: tuple[int, ...]
    socket: int


def places() -> list[Place]:
    """The CPUs that this process may use, in order."""
    return [_place(cpu) for cpu in sorted(os.sched_getaffinity(0))]


def _place(cpu: int) -> Place:
    socket = int(_read(f"cpu{cpu}/topology/physical_package_id") or 0)
    core = int(_read(f"cpu{cpu}/topology/core_id") or cpu)
    caches = sorted((CPU / f"cpu{cpu}/cache").glob("index*")) if (CPU / f"cpu{cpu}/cache").is_dir() else []
    shared = [text for one in caches if (text := _read(f"cpu{cpu}/cache/{one.name}/shared_cpu_list"))]
    return Place(cpu, (socket, core), numbers(shared[-1]) if shared else (), socket)


def numbers(text: str) -> tuple[int, ...]:
    """ "0-2,5" as numbers."""
    found: list[int] = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)


def _read(name: str) -> str:
    try:
        return (CPU / name).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def this_host(cpus: list[Place]) -> Host:
    """The machine that these CPUs are.  Raises InputError for one that the model has nothing of."""
    if platform.system() != "Linux":
        raise InputError(f"this is {platform.system()}", key="calibrate", expected="Linux")
    page = os.sysconf("SC_PAGE_SIZE")
    if page != PAGE:
        raise InputError(f"pages of {page >> 10} KiB", key="calibrate", expected="4 KiB, as the model has")
    info = _cpuinfo()
    model = info.get("model name") or info.get("Hardware") or platform.machine()
    mhz = info.get("cpu MHz", "")
    sockets, clusters, cores, smt = shape(cpus)
    return Host(
        title=" ".join(model.split()), kernel=platform.release(), architecture=platform.machine(),
        virtual="hypervisor" in info.get("flags", "").split(), sockets=sockets, clusters_per_socket=clusters,
        cores_per_cluster=cores, smt=smt,
        ghz=round(float(mhz) / 1000, 2) if re.fullmatch(r"[1-9][\d.]*", mhz) else None,
    )  # fmt: skip


def shape(cpus: list[Place]) -> tuple[int, int, int, int]:
    """Sockets, clusters per socket, cores per cluster, CPUs per core.

    A profile's are all alike: where those of the host are not, its most frequent numbers are taken, and at
    least as many of each as hold every CPU that may be used.
    """
    sockets = {place.socket for place in cpus}
    clusters = {(place.socket, place.cluster) for place in cpus}
    cores = {place.core: (place.socket, place.cluster) for place in cpus}
    smt = _usual(Counter(place.core for place in cpus))
    per_cluster = _usual(Counter(cores.values()))
    per_socket = _usual(Counter(socket for socket, _ in clusters))
    while len(sockets) * per_socket * per_cluster * smt < len(cpus):
        per_cluster += 1
    return len(sockets), per_socket, per_cluster, smt


def _usual(counts: Counter[Any]) -> int:
    """The most frequent count."""
    return Counter(counts.values()).most_common(1)[0][0]


def _cpuinfo() -> dict[str, str]:
    """The first CPU's entries of /proc/cpuinfo."""
    found: dict[str, str] = {}
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return found
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            found.setdefault(name.strip(), value.strip())
    return found


def version(release: str) -> tuple[int, int]:
    """ "6.18.44-fc" as (6, 18); (0, 0) if it is none."""
    found = re.match(r"v?(\d+)\.(\d+)", release)
    return (int(found[1]), int(found[2])) if found else (0, 0)
