"""From what the user asks for to the list of cells to run."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import spfvar
from spfvar.comparison.metrics import Thresholds
from spfvar.errors import InputError, nearest, unknown
from spfvar.matrix.catalogue import Catalogue
from spfvar.plugins.registry import Registry
from spfvar.plugins.todos import draft_remarks
from spfvar.plugins.variant import Variant
from spfvar.scenario.hardware import Draws, Profile
from spfvar.scenario.load import Load, make_load, scenario_hash
from spfvar.scenario.schema import MAX_THREADS, Scenario, Unit
from spfvar.structs.lines import Memory
from spfvar.units import format_duration, format_size

Value = int | float | str
DEFAULT_HARDWARE = "skylake-2s56c"
#: What --hardware calls every machine that came with spfvar.
ALL_MACHINES = "all"
MAX_SEEDS = 1000
#: Runs of a cell by default: with draws of the machine's figures, or where there are none with seeds.
DEFAULT_DRAWS, DEFAULT_SEEDS = 8, 6
#: Frames hold seeds in 64 bits, with room for `MAX_SEEDS` behind the first.
MAX_SEED = (1 << 63) - 1 - MAX_SEEDS


@dataclass(frozen=True, slots=True)
class CellSpec:
    """One cell: a variant under a concrete load; ``axes`` as tables and ``--set`` spell them.

    ``memory``: where the members of structs lie, ``costs``: its own cost classes, if not as the variant says.
    """

    variant: Variant
    load: Load
    axes: dict[str, Value]
    memory: Memory | None = None
    costs: dict[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a comparison runs; the cells are ordered scenario, axes, variant.

    ``uneven``: the seeds of each cell, where they are not ``seed`` and those that follow, ``seeds`` in all,
    for every one.  ``ensemble``: the profile's, if each seed is run with a draw of its figures.
    ``version`` and ``model`` are those of spfvar where the cells are run.
    """

    cells: tuple[CellSpec, ...]
    variants: tuple[Variant, ...]
    baseline: str
    hardware: str
    profile: Profile
    scenarios: dict[str, Scenario]
    scenario_hashes: dict[str, str]
    seeds: int
    seed: int
    notes: tuple[str, ...] = ()
    uneven: tuple[tuple[int, ...], ...] = ()
    ensemble: Draws | None = None
    version: str = spfvar.__version__
    model: str = spfvar.MODEL_VERSION

    @property
    def thresholds(self) -> Thresholds:
        """What scenarios say is noise, for those that do."""
        return {name: one.threshold for name, one in self.scenarios.items() if one.threshold}

    @property
    def matrix_hash(self) -> str:
        """Twelve hex digits of everything that decides the results."""
        content = {
            "spfvar": self.version,
            "profile": self.profile.model_dump(mode="json"),
            "scenarios": self.scenario_hashes,
            "cells": [[cell.variant.name, cell.load.scenario, cell.load.axes] for cell in self.cells],
            "baseline": self.baseline,
            "seeds": self.uneven or [self.seed, self.seeds],
        }
        if self.ensemble is not None:
            content["ensemble"] = self.ensemble.model_dump(mode="json")
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def make_plan(
    registry: Registry,
    scenarios: Catalogue[Scenario],
    profiles: Catalogue[Profile],
    *,
    variants: Sequence[str] = (),
    patterns: Sequence[str] = (),
    threads: Sequence[int] = (),
    hardware: str = DEFAULT_HARDWARE,
    baseline: str | None = None,
    settings: Mapping[str, Sequence[str]] | None = None,
    seeds: int = DEFAULT_SEEDS,
    seed: int = 1,
    every: bool = False,
    draws: int = 0,
) -> Plan:
    """Resolve names and axes.  Raises InputError for anything that makes no sense.

    No ``variants`` means all; no ``patterns`` means the default matrix of the scenarios that are part of a
    comparison by default, or with ``every`` of all.  ``settings`` gives axes the values to run, as text.
    With ``draws`` each cell is run with so many draws of the machine's figures, a seed each, instead of with
    ``seeds``.
    """
    if not 1 <= seeds <= MAX_SEEDS:
        raise InputError(f"{seeds} seeds", key="--seeds", expected=f"1 to {MAX_SEEDS}")
    if not 0 <= seed <= MAX_SEED:
        raise InputError(f"the first seed is {seed}", key="--seed", expected=f"0 or more, at most {MAX_SEED}")
    hardware = machine_named(profiles, hardware)
    profile = profiles[hardware]
    ensemble = _ensemble(profile, hardware, draws) if draws else None
    chosen = [registry[name] for name in dict.fromkeys(variants or registry.variants)]
    base = baseline or _default_baseline(chosen, registry)
    if not registry.has_variant(base):
        raise unknown("variant", base, [*registry.variants, *registry.series], key="--baseline")
    if base not in [variant.name for variant in chosen]:
        chosen.insert(0, registry[base])
    names = scenarios.select(patterns)
    if not patterns and not every:
        names = [name for name in names if scenarios[name].default]
    settings = dict(settings or {})
    check_settings(settings, [scenarios[name] for name in names])
    points = {name: _points(scenarios[name], profile, threads, settings) for name in names}
    loads = [place_load(name, scenarios[name], point) for name in names for point in points[name]]
    cells = tuple(CellSpec(variant, load, axes) for load, axes in loads for variant in chosen)
    return Plan(
        cells, tuple(chosen), base, hardware, profile,
        {name: scenarios[name] for name in names},
        {name: scenario_hash(scenarios[name]) for name in names}, draws or seeds, seed,
        (*notes_on({name: scenarios[name] for name in names}, chosen, cells), *draft_remarks(chosen)),
        ensemble=ensemble,
    )  # fmt: skip


def machine_patterns(text: str) -> list[str]:
    """What --hardware names, for a catalogue's ``select``: names, globs and files; nothing for "all"."""
    if text == ALL_MACHINES:
        return []
    patterns = text.split(",")
    if not all(patterns):
        raise InputError(f"{text!r} names no profile", key="--hardware", expected="NAME,NAME or all")
    return patterns


def machines_named(profiles: Catalogue[Profile], given: Sequence[str]) -> list[str]:
    """The machines that some values of --hardware stand for, each once.

    Raises InputError for what stands for none, and for two of one name.
    """
    patterns = [pattern for text in given for pattern in machine_patterns(text) or profiles.select(())]
    return profiles.select(patterns)


def machine_named(profiles: Catalogue[Profile], pattern: str) -> str:
    """The one machine that a name, glob or file stands for.  Raises InputError if there are several."""
    found = profiles.select([pattern])
    if len(found) > 1:
        message = f"{pattern!r} stands for {len(found)} machines"
        raise InputError(message, key="--hardware", expected=f"one, as {found[0]}")
    return found[0]


def runs_of_a_cell(
    profiles: Catalogue[Profile], hardware: str, seeds: int | None, draws: int | None
) -> tuple[int, int]:
    """Seeds and draws of `make_plan`, of which the user gave one or none.

    Draws are the default, with a machine that has them.  Raises InputError for both.
    """
    if draws and seeds is not None:
        raise InputError("--seeds and --draws", expected="one of them: each draw has a seed of its own")
    if seeds is not None or draws == 0:
        return DEFAULT_SEEDS if seeds is None else seeds, 0
    ensemble = profiles[machine_named(profiles, hardware)].draws
    if draws is None:
        draws = 0 if ensemble is None else min(DEFAULT_DRAWS, len(ensemble.factors))
    return DEFAULT_SEEDS, draws


def _ensemble(profile: Profile, hardware: str, draws: int) -> Draws:
    if profile.draws is None:
        raise InputError(f"{hardware} has no draws of its figures", key="--draws", expected="--seeds instead")
    there = len(profile.draws.factors)
    if not 1 <= draws <= there:
        raise InputError(f"{draws} draws", key="--draws", expected=f"1 to {there}, as {hardware} has")
    return profile.draws


def place_load(name: str, scenario: Scenario, point: Mapping[str, Value]) -> tuple[Load, dict[str, Value]]:
    """A scenario at a point (bytes, nanoseconds, ...), and the point as tables spell it."""
    return make_load(name, scenario, dict(point)), spelled(scenario, point)


def spelled(scenario: Scenario, point: Mapping[str, Value]) -> dict[str, Value]:
    """A point with sizes and durations as a user would write them."""
    return {name: spelled_value(scenario.axes[name].unit, value) for name, value in point.items()}


def spelled_value(unit: Unit, value: Value) -> Value:
    """A value of an axis as a user would write it."""
    if unit == "size":
        return format_size(int(value))
    return format_duration(float(value)) if unit == "duration" else value


def _default_baseline(chosen: Sequence[Variant], registry: Registry) -> str:
    """The first variant that stands on no patch, or the first asked for."""
    for variant in [*chosen, *registry.variants.values()]:
        if not variant.patches:
            return variant.name
    return chosen[0].name


def check_settings(settings: Mapping[str, Sequence[str]], chosen: Iterable[Scenario]) -> None:
    """Raise InputError for an axis that no chosen scenario has."""
    known = {axis for scenario in chosen for axis in scenario.axes}
    for axis in settings:
        if axis not in known:
            raise InputError(
                f"no chosen scenario has an axis {axis!r}", key="--set", expected=", ".join(sorted(known)),
                suggestion=nearest(axis, known),
            )  # fmt: skip


def _points(
    scenario: Scenario,
    profile: Profile,
    threads: Sequence[int],
    settings: Mapping[str, Sequence[str]],
) -> list[dict[str, Value]]:
    """The cross product of the axes' values, threads last."""
    values: dict[str, list[Value]] = {}
    for axis_name, axis in scenario.axes.items():
        asked: Sequence[object] = settings.get(axis_name, ())
        try:
            values[axis_name] = list(dict.fromkeys(axis.parse(v) for v in asked or axis.values))
        except InputError as error:
            error.key = f"--set {axis_name}"
            raise
    if threads:
        values["threads"] = list(threads)
    elif "threads" not in settings:
        values["threads"] = _fitting(values["threads"], profile.cpus)
    for count in values["threads"]:
        if not 1 <= int(count) <= MAX_THREADS:
            raise InputError(f"{count} threads", key="--threads", expected=f"1 to {MAX_THREADS}")
    order = [axis for axis in values if axis != "threads"] + ["threads"]
    product = itertools.product(*(values[axis] for axis in order))
    return [dict(zip(order, point, strict=True)) for point in product]


def _fitting(counts: list[Value], cpus: int) -> list[Value]:
    """Default thread counts that a machine can run at once; a single count is meant as it is."""
    if len(counts) == 1 or max(int(n) for n in counts) <= cpus:
        return counts
    return list(dict.fromkeys(min(int(n), cpus) for n in counts))


def notes_on(
    scenarios: Mapping[str, Scenario], variants: Iterable[Variant], cells: Iterable[CellSpec]
) -> tuple[str, ...]:
    """Where a name stands for another variant, or a comparison is smaller than the published benchmark."""
    replaced = (f"{v.name} is that of {v.origin}, not of {v.replaces}" for v in variants if v.replaces)
    return (*replaced, *smaller_notes(scenarios, cells))


def smaller_notes(scenarios: Mapping[str, Scenario], cells: Iterable[CellSpec]) -> tuple[str, ...]:
    """Where a comparison is smaller than the published benchmark."""
    spelled: dict[tuple[str, str], dict[Value, Value]] = {}
    for cell in cells:
        for axis, value in cell.load.axes:
            spelled.setdefault((cell.load.scenario, axis), {})[value] = cell.axes[axis]
    smaller = [
        f"{name}: {axis}={','.join(map(str, values.values()))} to save time; "
        f"--set {axis}={published} runs the published size"
        for (name, axis), values in spelled.items()
        if (published := scenarios[name].axes[axis].published) is not None
        and scenarios[name].axes[axis].parse(published) not in values
    ]
    return tuple(smaller)
