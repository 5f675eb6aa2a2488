"""Hardware profiles: what a machine's primitives cost.  No entry may name a variant.

Times are nanoseconds at the frequency of one active core.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from spfvar.errors import InputError, unknown
from spfvar.shown import Shown

#: The largest x86 and Arm machines have about 2000; arrays over pairs of CPUs stay small.
MAX_CPUS = 4096
#: Far beyond any machine, and near enough that no figure of a run overflows, and that none takes hours
#: because one thing takes a million times as long as another that looks for it.
Cost = Annotated[float, Field(ge=0, le=1e6)]  # 1 ms of work within a fault
Latent = Annotated[float, Field(ge=0.1, le=1e5)]  # 0.1 ns: light goes 3 cm
Delay = Annotated[float, Field(ge=0, le=1e8)]  # 100 ms, ten ticks of a slow clock
Period = Annotated[float, Field(ge=5e5, le=1e9)]  # from half the fastest tick to a second
Gigahertz = Annotated[float, Field(ge=0.1, le=10)]
Batch = Annotated[int, Field(ge=1, le=1_000_000)]
Cpus = Annotated[int, Field(ge=1, le=MAX_CPUS)]
Place = Literal["pack", "spread", "quarter"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Latency(_Strict):
    """Time to move a modified cache line, by distance."""

    core: Latent
    cluster: Latent
    socket: Latent
    remote: Latent

    @model_validator(mode="after")
    def _farther_is_slower(self) -> Latency:
        if not self.core <= self.cluster <= self.socket <= self.remote:
            raise ValueError("core <= cluster <= socket <= remote")
        return self


class Queue(_Strict):
    """What a queue for a cache line does to its transfers.

    It slows each by ``1 + growth * waiting``, at most ``limit`` waiting.  ``locality`` is the part of the
    transfers that go to the nearest waiter, as caches prefer, rather than to the next in line.
    ``read_hold`` is the part of a transfer for which a mere read keeps the line from others.
    ``late_store`` is each waiting request's chance to take the line away between an atomic and the store
    right behind it, as between a rwsem's count and its owner.
    """

    growth: float = Field(ge=0, le=1)
    limit: int = Field(ge=0, le=64)
    locality: float = Field(default=0.0, ge=0, le=1)
    read_hold: float = Field(default=0.5, ge=0, le=1)
    late_store: float = Field(default=0.0, ge=0, le=1)


class Turbo(_Strict):
    """Frequency in GHz by active cores of a socket: [[cores, GHz], ...], interpolated."""

    ghz: list[tuple[Cpus, Gigahertz]] = Field(min_length=1, max_length=MAX_CPUS)

    def slowdown(self, active: int) -> float:
        """Factor on core-local times with ``active`` cores of the socket busy."""
        points = sorted(self.ghz)
        top = points[0][1]
        if active <= points[0][0]:
            return 1.0
        for (low, high_ghz), (high, low_ghz) in pairwise(points):
            if active <= high:
                ghz = high_ghz + (low_ghz - high_ghz) * (active - low) / (high - low)
                return top / ghz
        return top / points[-1][1]


class Ipi(_Strict):
    """A TLB-flush interrupt: the sender's time per CPU that runs the mm, the receiver's time."""

    per_cpu_ns: Cost
    handler_ns: Cost


class Kernel(_Strict):
    """What every design shares: allocator, LRU, memcg, scheduler, RCU.

    ``memcg_pages``: pages charged per atomic on a counter that all CPUs share.  A CPU charges 32 or 64
    pages at once, and before v6.x also hands each statistic on to every ancestor once per batch.
    """

    pcp_batch: Batch = 63
    zone_lock_page_ns: Cost
    lru_batch: Batch = 15
    lru_lock_page_ns: Cost
    memcg_pages: float = Field(default=64.0, ge=0.1, le=1e6)
    wake_ns: Delay = 1000
    wakeup_ns: Delay = 5000
    writer_spin_ns: Delay = 25000
    spin_handoff_ns: Delay = 200
    rcu_poll_ns: Period = 4e6
    time_slice_ns: Period = 4e6
    context_switch_ns: Delay = 1500


class Draws(_Strict):
    """An ensemble: what a machine's figures may be, too, as factors on those of its profile.

    ``figures`` are names such as "latency_ns.remote"; "cost_ns" stands for all local costs.  Each of
    ``factors`` has one factor per figure.  ``discrepancy`` is what a fit left: the standard deviation of
    log(model / published). ``command`` made them.  Seed 1 is run with the first draw, and so on, round and
    round: a run's draw depends on its seed alone.
    """

    command: str
    discrepancy: float = Field(ge=0, le=3)
    figures: list[str] = Field(min_length=1)
    factors: list[list[Annotated[float, Field(gt=0, le=100)]]] = Field(min_length=1, max_length=1000)

    def of_seed(self, seed: int) -> int:
        """The number of the draw that a seed is run with."""
        return (seed - 1) % len(self.factors)

    @model_validator(mode="after")
    def _rectangular(self) -> Draws:
        for i, factors in enumerate(self.factors):
            if len(factors) != len(self.figures):
                raise InputError(
                    f"{len(factors)} factors",
                    key=f"factors[{i}]",
                    expected=f"{len(self.figures)}, as figures",
                )
        return self


def scaled(raw: dict[str, Any], figures: Sequence[str], factors: Sequence[float]) -> dict[str, Any]:
    """A profile's tables with figures multiplied, kept within their bounds; farther stays no faster.

    Raises InputError for a figure that the profile does not have.
    """
    copy = deepcopy(raw)
    for name, factor in zip(figures, factors, strict=True):
        table, _, key = name.partition(".")
        place = copy.get(table) if key or table in ("cost_ns", "latency_ns") else copy
        names = [key] if key else list(place) if place is not copy and place else [table]
        for one in names:
            if not isinstance(place, dict) or not isinstance(place.get(one), int | float):
                raise unknown("figure", name, sorted(_figures(copy)), key="draws.figures")
            place[one] *= float(factor)
    latency, queue = copy["latency_ns"], copy["queue"]
    if copy.get("clusters_per_socket", 1) == 1:  # nothing is as far as that
        latency["socket"] = min(latency["socket"], latency["remote"])
    for near, far in pairwise(("core", "cluster", "socket", "remote")):
        latency[far] = max(latency[far], latency[near])
    for share in ("growth", "locality", "read_hold", "late_store"):
        if share in queue:
            queue[share] = min(1.0, queue[share])
    if "smt_slowdown" in copy:
        copy["smt_slowdown"] = max(1.0, copy["smt_slowdown"])
    return copy


def _figures(raw: dict[str, Any]) -> set[str]:
    names = {"cost_ns", "latency_ns"}
    for table, value in raw.items():
        if isinstance(value, dict):
            names |= {f"{table}.{key}" for key in value}
        elif isinstance(value, float):
            names.add(table)
    return names


class Profile(Shown, _Strict):
    """A machine, the costs of its primitives and of the kernel's common parts.

    ``fitted`` names what was fitted to published curves, ``fidelity`` says how far that goes: what reports
    tell their readers.
    """

    title: str
    description: str = ""
    source: str
    fitted: list[str] = Field(default_factory=list)
    fidelity: str = ""
    sockets: Cpus
    clusters_per_socket: Cpus = 1
    cores_per_cluster: Cpus
    smt: Cpus = 1
    smt_slowdown: float = Field(default=1.0, ge=1, le=16)
    place: Place = "spread"
    memory_gb_per_s: float = Field(ge=0.01, le=1e6)
    jitter: float = Field(default=0.1, ge=0, lt=1)
    io_spread: float = Field(default=0.5, ge=0, lt=1)
    latency_ns: Latency
    queue: Queue
    turbo: Turbo
    ipi: Ipi
    kernel: Kernel
    cost_ns: dict[str, Cost]
    #: They decide no run's results, so no dump has them.
    draws: Draws | None = Field(default=None, exclude=True)

    @model_validator(mode="after")
    def _fits(self) -> Profile:
        if self.cpus > MAX_CPUS:
            raise InputError(f"{self.cpus} CPUs in all", key="sockets", expected=f"at most {MAX_CPUS}")
        if self.draws is not None:
            scaled(self.model_dump(), self.draws.figures, self.draws.factors[0])
        return self

    def drawn(self) -> tuple[Profile, ...]:
        """The profile with each draw of its figures; none if it has no draws.

        Raises InputError for a draw with a figure that no profile may have.
        """
        if self.draws is None:
            return ()
        raw, drawn = self.model_dump(), []
        for i, factors in enumerate(self.draws.factors):
            try:
                drawn.append(Profile.model_validate(scaled(raw, self.draws.figures, factors)))
            except ValidationError as error:
                first = error.errors()[0]
                place = ".".join(map(str, first["loc"]))
                raise InputError(f"{place}: {first['msg']}", key=f"draws.factors.{i}") from error
        return tuple(drawn)

    @property
    def cores(self) -> int:
        """Physical cores."""
        return self.sockets * self.clusters_per_socket * self.cores_per_cluster

    @property
    def cpus(self) -> int:
        """Logical CPUs."""
        return self.cores * self.smt

    def topology(self) -> tuple[list[int], list[int], list[int]]:
        """Core, cluster and socket of each CPU; siblings of CPU c are c + k * cores, as Linux counts."""
        core = [cpu % self.cores for cpu in range(self.cpus)]
        cluster = [c // self.cores_per_cluster for c in core]
        socket = [c // self.clusters_per_socket for c in cluster]
        return core, cluster, socket

    def placement(self, threads: int) -> list[int]:
        """CPUs in the order in which the scheduler gives them to the first ``threads`` threads.

        "pack" fills a socket first, "spread" alternates; "quarter" is the rule of v5.11 to v5.17: stay
        on the first socket until it runs a quarter of the machine's CPUs, then even out.
        """
        per_socket = [self._socket_order(s) for s in range(self.sockets)]
        counts = self._per_socket(min(threads, self.cpus))
        first = [cpu for s, n in enumerate(counts) for cpu in per_socket[s][:n]]
        return first + [cpu for order, n in zip(per_socket, counts, strict=True) for cpu in order[n:]]

    def _per_socket(self, threads: int) -> list[int]:
        capacity = self.cpus // self.sockets
        if self.sockets == 1:
            return [threads]
        if self.place == "pack":
            return [max(0, min(capacity, threads - s * capacity)) for s in range(self.sockets)]
        if self.place == "quarter":
            packed = min(threads, max(1, self.cpus // 4))
            even = -(-threads // self.sockets)
            first = max(packed, even) if threads > packed else threads
            rest = threads - first
            others = self.sockets - 1
            return [first] + [rest // others + (1 if i < rest % others else 0) for i in range(others)]
        even, rest = divmod(threads, self.sockets)
        return [even + (1 if s < rest else 0) for s in range(self.sockets)]

    def _socket_order(self, socket: int) -> list[int]:
        """A socket's CPUs: idle cores first, clusters in turn, then the SMT siblings."""
        cores = self.clusters_per_socket * self.cores_per_cluster
        base = socket * cores
        order = [
            base + cluster * self.cores_per_cluster + core
            for core in range(self.cores_per_cluster)
            for cluster in range(self.clusters_per_socket)
        ]
        return [cpu + sibling * self.cores for sibling in range(self.smt) for cpu in order]
