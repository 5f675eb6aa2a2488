"""A finished comparison with all that it came from, so that it can be kept, merged and shown again."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from types import CodeType

from spfvar.matrix.plan import CellSpec, Plan, notes_on
from spfvar.matrix.samples import Failure, Sample, Samples, gather, place_of
from spfvar.plugins.todos import draft_remarks
from spfvar.plugins.variant import CORE, Variant
from spfvar.scenario.hardware import Draws, Profile
from spfvar.scenario.schema import Scenario

#: Packages whose text decides what a run gives.
MODEL = ("automata", "mm", "ops", "scenario", "simulate", "structs", "transition", "layouts")

#: A cell of the matrix with its runs by rising seed, or why there are none.
Result = tuple[CellSpec, list[Sample] | Failure]


@dataclass(frozen=True)
class Source:
    """Where samples come from, which is the same for all of them.

    ``draws``: seeds as (first, how many); those of one entry were drawn together, from its first.
    ``commands``: the command lines that give the samples, without ``spfvar``.  ``code`` stands for the text
    of the model, with an entry for each state of it; ``digests`` for that of the variants' patches, by
    variant; ``hashes`` for the scenarios.  ``remarks`` are for the reader of every report.  ``ensemble``: the
    machine's, if each seed was run with a draw of its figures.  ``safety``: what was known of variants'.
    """

    version: str
    model: str
    code: tuple[str, ...]
    hardware: str
    profile: Profile
    baseline: str
    draws: tuple[tuple[int, int], ...]
    commands: tuple[tuple[str, ...], ...]
    variants: Mapping[str, Variant]
    digests: Mapping[str, str]
    scenarios: Mapping[str, Scenario]
    hashes: Mapping[str, str]
    remarks: tuple[str, ...] = ()
    ensemble: Draws | None = None
    safety: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A finished comparison: its plan, its samples, and where they come from."""

    plan: Plan
    samples: Samples
    source: Source


def run_of(plan: Plan, samples: Samples, command: Sequence[str]) -> Run:
    """A comparison that ``spfvar COMMAND`` has just run."""
    source = Source(
        version=plan.version,
        model=plan.model,
        code=(code_of(MODEL),),
        hardware=plan.hardware,
        profile=plan.profile,
        baseline=plan.baseline,
        draws=((plan.seed, plan.seeds),),
        commands=(tuple(command),),
        variants={variant.name: variant for variant in plan.variants},
        digests={variant.name: digest_of(variant) for variant in plan.variants},
        scenarios=plan.scenarios,
        hashes=plan.scenario_hashes,
        ensemble=plan.ensemble,
        remarks=draft_remarks(plan.variants),
    )
    return Run(plan, samples, source)


def assemble(source: Source, results: Iterable[Result]) -> Run:
    """A run of these cells, which are ordered scenario, axes, variant."""
    results = list(results)
    seeds = [tuple(s.seed for s in found) for _, found in results if not isinstance(found, Failure)]
    every = sorted({seed for of_cell in seeds for seed in of_cell}) or [source.draws[0][0]]
    even = all(of_cell == tuple(every) for of_cell in seeds) and _is_range(every)
    scenarios = {cell.load.scenario: source.scenarios[cell.load.scenario] for cell, _ in results}
    cells = tuple(cell for cell, _ in results)
    plan = Plan(
        cells=cells,
        variants=tuple(source.variants.values()),
        baseline=source.baseline,
        hardware=source.hardware,
        profile=source.profile,
        scenarios=scenarios,
        scenario_hashes={name: source.hashes[name] for name in scenarios},
        seeds=len(every),
        seed=every[0],
        notes=(
            *notes_on(scenarios, source.variants.values(), cells),
            *source.remarks,
            *([] if even else [_seeds_note(seeds, every)]),
        ),
        uneven=() if even else tuple(seeds),
        ensemble=source.ensemble,
        version=source.version,
        model=source.model,
    )
    return Run(plan, gather((place_of(cell), found) for cell, found in results), source)


def _is_range(seeds: Sequence[int]) -> bool:
    return seeds[-1] - seeds[0] + 1 == len(seeds)


def _seeds_note(seeds: Sequence[tuple[int, ...]], every: Sequence[int]) -> str:
    """ "cells have 3 to 6 of the seeds 1 to 6"."""
    starts = [seed for seed in every if seed - 1 not in every]
    ends = [seed for seed in every if seed + 1 not in every]
    ranges = [str(a) if a == b else f"{a} to {b}" for a, b in zip(starts, ends, strict=True)]
    fewest, most = min(map(len, seeds)), max(map(len, seeds))
    count = str(most) if fewest == most else f"{fewest} to {most}"
    return f"cells have {count} of the seeds {', '.join(ranges)}"


def code_of(parts: Sequence[str]) -> str:
    """Twelve hex digits of the text of some packages."""
    digest = hashlib.sha256()
    for part in parts:
        for entry in sorted(resources.files(f"spfvar.{part}").iterdir(), key=lambda entry: entry.name):
            if entry.name.endswith((".py", ".toml")):
                digest.update(entry.read_bytes())
    return digest.hexdigest()[:12]


def digest_of(variant: Variant) -> str:
    """Twelve hex digits of the files that a variant's patches are written in, wherever these lie.

    And of where the members of its structs lie, if it says so itself.
    """
    classes = {base for patch in variant.patches for base in patch.__mro__} - {object, *CORE}
    texts = sorted(set(map(_text_of, classes)))
    names = " ".join(patch.__qualname__ for patch in variant.patches)
    names += "".join(f" {name}" for name in (variant.layout, *variant.apart))
    return hashlib.sha256(b"\0".join([names.encode(), *texts])).hexdigest()[:12]


def _text_of(patch: type) -> bytes:
    """The file that a class is written in; of one that none has, as in a notebook, its compiled methods."""
    try:
        return Path(inspect.getsourcefile(patch) or "").read_bytes()
    except (TypeError, OSError):
        made = [one.__code__ for one in vars(patch).values() if inspect.isfunction(one)]
        return repr([(patch.__qualname__, *map(_instructions, made))]).encode()


def _instructions(code: CodeType) -> object:
    """What a function does, without where it is written."""
    constants = [_instructions(one) if inspect.iscode(one) else one for one in code.co_consts]
    return code.co_name, code.co_code, code.co_names, constants
