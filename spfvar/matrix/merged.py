"""Several runs as one, and a part of a run: what `compare --load` shows, without computing anything."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TypeVar

import spfvar
from spfvar.errors import InputError, unknown
from spfvar.matrix.catalogue import matching
from spfvar.matrix.plan import CellSpec, Plan, Value, check_settings
from spfvar.matrix.runs import Result, Run, Source, assemble
from spfvar.matrix.samples import Failure, Place, Sample, by_cell, place_of

V = TypeVar("V")
MIXED = (
    "the runs were made by different states of spfvar's code; "
    "where these give other numbers, cells of different runs do not compare"
)


def merge(runs: Sequence[tuple[str, Run]], baseline: str | None = None) -> Run:
    """The cells of all runs; errors call each by the name (its file) that comes with it.

    What several runs have must be the same in all: model, hardware, scenarios, variants, and the sample of a
    cell with one seed.  A cell that has other seeds in each gets all of them.  A seed that was drawn from two
    ``--seed`` is another run in each, unless the samples of it are the same.

    Variants, scenarios and points come in the order in which they are met; the numbers do not depend on it.
    ``baseline`` is what ratios refer to, and has to be given where the runs have different ones.

    Raises InputError for runs that do not go together, with the files and what differs.
    """
    (first_name, first), *others = runs
    source = replace(first.source, commands=saved_by(first_name, first))
    results = _results(first)
    names = dict.fromkeys(results, first_name)
    for name, run in others:
        own, before = _results(run), source
        source = _both(first_name, source, name, run, baseline)
        for draws in _drawn_twice(before, run.source):
            _same_runs(results, names, own, name, draws)
        for place, result in own.items():
            if place in results:
                result = _one_cell(results[place], names[place], result, name)
            results[place] = result
            names.setdefault(place, name)
    if baseline is not None and baseline not in source.variants:
        raise unknown("variant", baseline, source.variants, key="--baseline")
    source = replace(source, baseline=baseline or source.baseline)
    return assemble(source, _ordered(results.values(), source, {}))


def saved_by(name: str, run: Run) -> tuple[tuple[str, ...], ...]:
    """The command lines that write the run's file."""
    *before, last = run.source.commands
    return (*before, (*last, "--save", name))


def noted(run: Run) -> Plan:
    """What was run, with a word on it where this spfvar's model would give other numbers."""
    plan = run.plan
    if plan.model == spfvar.MODEL_VERSION:
        return plan
    note = f"run by model {plan.model}; this spfvar has model {spfvar.MODEL_VERSION}"
    return replace(plan, notes=(note, *plan.notes))


def select(
    run: Run,
    variants: Sequence[str] = (),
    patterns: Sequence[str] = (),
    threads: Sequence[int] = (),
    settings: Mapping[str, Sequence[str]] | None = None,
) -> Run:
    """The part of a run that a comparison with these arguments would have; seeds and baseline stay.

    Nothing given means all.  Raises InputError for what the run does not have.
    """
    source, names = run.source, list(run.source.scenarios)
    for name in variants:
        if name not in source.variants:
            raise unknown("variant", name, source.variants)
    chosen = list(dict.fromkeys(variants or source.variants))
    if source.baseline not in chosen:
        chosen.insert(0, source.baseline)
    if patterns:
        names = list(dict.fromkeys(n for p in patterns for n in matching("scenario", p, sorted(names))))
    check_settings(settings or {}, [source.scenarios[name] for name in names])
    texts = {**(settings or {}), **({"threads": [str(count) for count in threads]} if threads else {})}
    results = [
        (cell, found)
        for cell, found in _results(run).values()
        if cell.variant.name in chosen and cell.load.scenario in names
    ]
    for axis, values in texts.items():
        results = _at(axis, values, results, source)
    source = replace(
        source,
        variants={name: source.variants[name] for name in chosen},
        digests={name: source.digests[name] for name in chosen},
        scenarios={name: source.scenarios[name] for name in names},
    )
    return assemble(source, _ordered(results, source, texts))


def _results(run: Run) -> dict[Place, Result]:
    found = by_cell(run.samples)
    return {place_of(cell): (cell, found[place_of(cell)]) for cell in run.plan.cells}


def _at(axis: str, texts: Sequence[str], results: Sequence[Result], source: Source) -> list[Result]:
    """The results that have one of the values, or whose scenario has no such axis."""
    kept, met = [], set()
    for cell, found in results:
        axes = source.scenarios[cell.load.scenario].axes
        if axis not in axes:
            kept.append((cell, found))
            continue
        wanted = _parsed(axis, texts, cell, source)
        value = dict(cell.load.axes)[axis]
        if value in wanted:
            kept.append((cell, found))
            met.add(texts[wanted.index(value)])
    for text in texts:
        if text not in met:
            there = dict.fromkeys(str(cell.axes[axis]) for cell, _ in results if axis in cell.axes)
            key = "--threads" if axis == "threads" else f"--set {axis}"
            raise InputError(f"{axis}={text} was not run", key=key, expected=", ".join(there))
    return kept


def _parsed(axis: str, texts: Sequence[str], cell: CellSpec, source: Source) -> list[Value]:
    try:
        return [source.scenarios[cell.load.scenario].axes[axis].parse(text) for text in texts]
    except InputError as error:
        raise error.located(key=f"--set {axis}") from error


def _ordered(
    results: Iterable[Result], source: Source, settings: Mapping[str, Sequence[str]]
) -> list[Result]:
    """By scenario, point and variant; values of an axis as they are set, or else as they are met."""
    results = list(results)
    variant_rank, scenario_rank = _ranks(source.variants), _ranks(source.scenarios)
    met: dict[tuple[str, str], list[Value]] = {}
    for cell, _ in results:
        for axis, value in cell.load.axes:
            place = (cell.load.scenario, axis)
            if place not in met:
                met[place] = _parsed(axis, settings[axis], cell, source) if axis in settings else []
            met[place].append(value)
    ranks = {place: _ranks(values) for place, values in met.items()}

    def rank(result: Result) -> tuple[int, list[int], int]:
        cell = result[0]
        point = [ranks[cell.load.scenario, axis][value] for axis, value in cell.load.axes]
        return scenario_rank[cell.load.scenario], point, variant_rank[cell.variant.name]

    return sorted(results, key=rank)


def _ranks(names: Iterable[V]) -> dict[V, int]:
    return {name: i for i, name in enumerate(dict.fromkeys(names))}


def _both(a_name: str, a: Source, b_name: str, run: Run, baseline: str | None) -> Source:
    """Where the samples of both come from, if they go together."""
    b = run.source

    def same(one: object, other: object, what: str, expected: str) -> None:
        if one != other:
            raise InputError(f"{what} than in {a_name}", file=b_name, expected=expected)

    same(a.model, b.model, f"another model ({b.model}, not {a.model})", "runs of one model")
    same(a.hardware, b.hardware, f"other hardware ({b.hardware}, not {a.hardware})", "runs on the same")
    same(
        a.profile.model_dump(),
        b.profile.model_dump(),
        f"another text of hardware profile {a.hardware}",
        "runs on the same",
    )
    expected = "both with --seeds, or both with --draws of one profile"
    same(a.ensemble, b.ensemble, "other draws of the machine's figures, or none,", expected)
    for name in (name for name in a.hashes if name in b.hashes):
        one, other = ((s.hashes[name], s.scenarios[name]) for s in (a, b))
        same(one, other, f"another text of scenario {name}", "the same, or another name")
    for name in (name for name in a.digests if name in b.digests):
        same(a.digests[name], b.digests[name], f"another text of variant {name}", "the same, or another name")
    if baseline is None:
        differs = f"another baseline ({b.baseline}, not {a.baseline})"
        same(a.baseline, b.baseline, differs, "--baseline to choose one")
    code = _union(a.code, b.code)
    return replace(
        a,
        version=" and ".join(_union(a.version.split(" and "), b.version.split(" and "))),
        code=code,
        draws=_draws(a, b),
        commands=(*a.commands, *saved_by(b_name, run)),
        variants={**a.variants, **b.variants},
        digests={**a.digests, **b.digests},
        scenarios={**a.scenarios, **b.scenarios},
        hashes={**a.hashes, **b.hashes},
        safety=_safety(a.safety, b.safety),
        remarks=_union(_union(a.remarks, b.remarks), [MIXED] if len(code) > 1 else []),
    )


def _safety(one: Mapping[str, str], other: Mapping[str, str]) -> dict[str, str]:
    """What both say of a variant; where they differ, by the text of races or of the model, nothing."""
    said = {**one, **other}
    return {name: text for name, text in said.items() if text == one.get(name, text)}


def _union(one: Iterable[V], other: Iterable[V]) -> tuple[V, ...]:
    return tuple(dict.fromkeys([*one, *other]))


def _draws(a: Source, b: Source) -> tuple[tuple[int, int], ...]:
    """The seeds of both."""
    counts = dict(a.draws)
    for first, count in b.draws:
        counts[first] = max(count, counts.get(first, 0))
    return tuple(sorted(counts.items()))


@dataclass(frozen=True)
class _Draws:
    """Seeds that one run has from ``--seed known``, another from ``--seed new``.

    The random numbers of a run come from the first seed and the place behind it (`seed_sequence`), so that
    seed 3 of --seed 1 is not seed 3 of --seed 3.
    """

    known: int
    new: int
    seeds: range

    def of(self, result: Result) -> dict[int, Sample]:
        """A cell's samples with these seeds."""
        found = result[1]
        return {} if isinstance(found, Failure) else {s.seed: s for s in found if s.seed in self.seeds}


def _drawn_twice(a: Source, b: Source) -> Iterator[_Draws]:
    for (first, many), (other, count) in product(a.draws, b.draws):
        seeds = range(max(first, other), min(first + many, other + count))
        if first != other and seeds:
            yield _Draws(first, other, seeds)


def _same_runs(
    known: Mapping[Place, Result],
    names: Mapping[Place, str],
    new: Mapping[Place, Result],
    name: str,
    draws: _Draws,
) -> None:
    """Refuse seeds that are two runs, for at one point of the matrix all cells are paired by their seeds.

    That they are the same runs has to be seen, at each point that both have, by a cell in common.
    """

    def refused(what: str, place: Place) -> InputError:
        cell = (known.get(place) or new[place])[0]
        where = f"{cell.load.scenario} ({_point(cell)})"
        drawn = f"drawn from --seed {draws.new}, in {names[place]} from --seed {draws.known}"
        expected = "the same --seed, or seeds that do not overlap"
        return InputError(f"{what.format(where)}: {drawn}", file=name, expected=expected)

    seen = set()
    for place in (place for place in new if place in known):
        one, other = draws.of(known[place]), draws.of(new[place])
        for seed in sorted(one.keys() & other.keys()):
            if not _equal(one[seed], other[seed]):
                raise refused(f"seed {seed} is another run of {place[0]} in {{}}", place)
            seen.add(place[1:])
    there = {place[1:]: place for place, result in known.items() if draws.of(result)}
    for place, result in new.items():
        point = place[1:]
        if point in there and point not in seen and draws.of(result):
            raise refused("no variant shows that seeds are the same runs in {}", there[point])


def _one_cell(known: Result, known_name: str, new: Result, name: str) -> Result:
    """The samples of both; what they share has to be equal."""
    (cell, one), (_, other) = known, new
    where = f"{cell.variant.name} in {cell.load.scenario} ({_point(cell)})"
    repeatable = "the same: a run is repeatable"
    if isinstance(one, Failure) or isinstance(other, Failure):
        if one != other:
            raise InputError(
                f"another outcome of {where} than in {known_name}", file=name, expected=repeatable
            )
        return known
    samples = {sample.seed: sample for sample in one}
    for sample in other:
        if not _equal(samples.setdefault(sample.seed, sample), sample):
            raise InputError(
                f"other samples of {where}, seed {sample.seed}, than in {known_name}", file=name,
                expected=repeatable,
            )  # fmt: skip
    return cell, [samples[seed] for seed in sorted(samples)]


def _point(cell: CellSpec) -> str:
    return ", ".join(f"{axis}={value}" for axis, value in cell.axes.items())


def _equal(one: Sample, other: Sample) -> bool:
    return all(
        a.keys() == b.keys() and all(a[k] == b[k] or (math.isnan(a[k]) and math.isnan(b[k])) for k in a)
        for a, b in ((one.metrics, other.metrics), (one.events, other.events))
    )
