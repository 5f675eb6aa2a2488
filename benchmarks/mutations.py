"""Write docs/mutations.md: guards at every call, of the designs that are or were in a kernel tree.

    python -m benchmarks.mutations > docs/mutations.md        (make mutations)

Each guard is taken out at each call of its function, as `spfvar ablate DESIGN --hunt` does; what no race
notices has to be explained in benchmarks/survivors.toml.  The exit code is 1 if an explanation no longer
applies.
``--keep DIR`` keeps what was found there, a file for each design as ``--format json`` writes it, and takes
what is there already; ``--no-hunt`` leaves generated races out, and so does not judge explanations.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import toml
from pydantic import BaseModel, ConfigDict

from spfvar.atomic import write_atomically
from spfvar.matrix import catalogue
from spfvar.matrix.ablate import ablate
from spfvar.matrix.guard_hunt import hunt_guards
from spfvar.matrix.hunting import Plan
from spfvar.plugins.registry import load_registry
from spfvar.report.ablation import render_json

#: In mainline; in ChromeOS' and Android's trees.
DESIGNS = (
    "mmap-lock", "mmap-lock-2010", "per-vma-6.4", "per-vma-6.6", "per-vma-6.7", "per-vma-6.12",
    "per-vma-refcnt", "per-vma-6.17", "spf-anon", "spf-map-pages", "spf-do-fault",
)  # fmt: skip
SURVIVORS = Path(__file__).with_name("survivors.toml")
WHY = {
    "redundant": "Redundant",
    "cost": "For speed",
    "outside": "Against what the model does not have",
}


class Explanation(BaseModel):
    """Why nothing notices some guards.

    ``designs``, ``functions``, ``guard`` and ``calls`` are globs of names as `Use` has them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    designs: tuple[str, ...]
    functions: tuple[str, ...]
    guard: str
    calls: tuple[str, ...] = ("*",)
    why: Literal["redundant", "cost", "outside"]
    because: str


@dataclass(frozen=True, slots=True)
class Use:
    """A guard at one call of its function, in one design; ``call`` is "" where threads begin with it.

    ``guard`` is its kind and name, ``call`` the caller, each with a number where there are several alike.
    """

    design: str
    function: str
    guard: str
    call: str
    by_race: bool
    by_hunt: bool
    open: bool
    races: int
    generated: int

    @property
    def noticed(self) -> bool:
        """Does something break without it?"""
        return self.by_race or self.by_hunt


def uses_of(design: str, entries: Sequence[Mapping[str, Any]]) -> Iterator[Use]:
    """Every use of a design's guards, from what ``spfvar ablate --format json`` says."""
    alike: dict[tuple[str, str], list[str]] = {}
    calls: dict[tuple[str, str], list[str]] = {}
    for entry in entries:
        alike.setdefault((entry["function"], _kind_and_name(entry)), []).append(entry["where"])
        for call in entry["calls"]:
            calls.setdefault((entry["function"], call["caller"]), []).append(call["where"])
    for entry in entries:
        name = _kind_and_name(entry)
        guard = _numbered(name, entry["where"], alike[entry["function"], name])
        for call in entry["calls"] or [entry]:
            caller = ""
            if entry["calls"]:
                same = calls[entry["function"], call["caller"]]
                caller = _numbered(call["caller"], call["where"], same)
            hunted = call["hunted"] or {"races": 0, "needed": None}
            yield Use(
                design, entry["function"], guard, caller, bool(call["breaks"]), hunted["needed"] is not None,
                bool(call["incomplete"]), len(call["holds"]), hunted["races"],
            )  # fmt: skip


def _kind_and_name(entry: Mapping[str, Any]) -> str:
    return f"{entry['kind']}: {entry['guard']}"


def _numbered(name: str, where: str, alike: Sequence[str]) -> str:
    places = sorted(set(alike), key=lambda place: (place.rpartition(":")[0], int(place.rpartition(":")[2])))
    return name if len(places) == 1 else f"{name}, {places.index(where) + 1} of {len(places)}"


def explains(explanation: Explanation, use: Use) -> bool:
    """Is it about this use?"""
    return (
        any(fnmatchcase(use.design, glob) for glob in explanation.designs)
        and any(fnmatchcase(use.function, glob) for glob in explanation.functions)
        and fnmatchcase(use.guard, explanation.guard.replace("[", "[[]"))
        and any(fnmatchcase(use.call, glob) for glob in explanation.calls)
    )


def explained(uses: Sequence[Use], explanations: Sequence[Explanation]) -> dict[Use, Explanation]:
    """The first explanation of each use that nothing notices."""
    found = {}
    for use in uses:
        if not use.noticed:
            for explanation in explanations:
                if explains(explanation, use):
                    found[use] = explanation
                    break
    return found


def stale(uses: Sequence[Use], explanations: Sequence[Explanation]) -> list[str]:
    """Explanations, with the glob of designs or calls that no longer has anything to explain."""
    found = explained(uses, explanations)
    designs = {use.design for use in uses}
    wrong = []
    for number, explanation in enumerate(explanations, 1):
        mine = [use for use, why in found.items() if why is explanation]
        about = f"explanation {number} ({', '.join(explanation.functions)}: {explanation.guard})"
        for glob in explanation.designs:
            here = {design for design in designs if fnmatchcase(design, glob)}
            if here and not any(use.design in here for use in mine):
                wrong.append(f"{about}: nothing to explain in {glob}")
        for glob in explanation.functions if mine else ():
            if not any(fnmatchcase(use.function, glob) for use in mine):
                wrong.append(f"{about}: nothing to explain in {glob}()")
        for glob in explanation.calls if mine else ():
            if not any(fnmatchcase(use.call, glob) for use in mine):
                wrong.append(f"{about}: nothing to explain in calls by {glob}")
    return wrong


def read_explanations(path: Path = SURVIVORS) -> list[Explanation]:
    """The table.  Raises pydantic's ValidationError."""
    entries = toml.loads(path.read_text(encoding="utf-8"))["survivor"]
    return [Explanation.model_validate(entry) for entry in entries]


def page(
    designs: Sequence[str], uses: Sequence[Use], explanations: Sequence[Explanation], size: int | None
) -> str:
    """docs/mutations.md; ``size`` is that of the generated races, None: there were none."""
    found = explained(uses, explanations)
    generated = f"generated ones of up to {size} statements" if size else "no generated ones, in this run"
    lines = [HEAD.replace("GENERATED", generated), *_scores(designs, uses, found), ""]
    for why, title in WHY.items():
        mine = [explanation for explanation in explanations if explanation.why == why]
        lines += [f"## {title}", ""]
        for explanation in mine:
            about = [use for use in found if found[use] is explanation]
            if about:
                lines += [*_explanation(explanation, about), ""]
    left = [use for use in uses if not use.noticed and use not in found]
    lines += ["## Not explained", "", *([_line(use) for use in left] or ["None."])]
    return "\n".join(lines) + "\n"


def _scores(designs: Sequence[str], uses: Sequence[Use], found: Mapping[Use, Explanation]) -> Iterator[str]:
    yield "| design | guards at calls | noticed | of these by generated races only | explained | left |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for design in designs:
        mine = [use for use in uses if use.design == design]
        noticed = sum(use.noticed for use in mine)
        generated = sum(use.by_hunt and not use.by_race for use in mine)
        why = sum(use in found for use in mine)
        share = f"{noticed} ({100 * noticed / len(mine):.0f} %)" if mine else "none of its own"
        yield f"| `{design}` | {len(mine)} | {share} | {generated} | {why} | {len(mine) - noticed - why} |"


def _explanation(explanation: Explanation, about: Sequence[Use]) -> Iterator[str]:
    guards = dict.fromkeys(f"`{use.function}`: {use.guard}" for use in about)
    calls = dict.fromkeys(use.call for use in about if use.call)
    designs = dict.fromkeys(use.design for use in about)
    yield f"* {'; '.join(guards)}"
    if calls:
        yield f"  * called by {', '.join(calls)}"
    yield f"  * in {', '.join(f'`{design}`' for design in designs)}"
    yield f"  * {explanation.because}"


def _line(use: Use) -> str:
    call = f", called by {use.call}" if use.call else ""
    held = "left open" if use.open else f"holds in {use.races} races and {use.generated} generated ones"
    return f"* `{use.design}`: `{use.function}`: {use.guard}{call}: {held}"


def entries_of(design: str, size: int | None, keep: Path | None) -> list[dict[str, Any]]:
    """What ablation says of a design; ``size`` of the generated races, None: none of them."""
    kept = keep / f"{design}.json" if keep is not None else None
    if kept is not None and kept.exists():
        return list(json.loads(kept.read_text(encoding="utf-8")))
    print(f"taking guards out of {design}", file=sys.stderr)
    variant = load_registry().any_variant(design)
    races = catalogue.races()
    found = ablate(variant, {name: races[name] for name in races.select(())})
    if size is not None:
        found = hunt_guards(variant, found, Plan(size))
    text = render_json(design, found)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(str(kept), text)
    return list(json.loads(text))


def main() -> int:
    """Print the page; 1 if an explanation no longer applies."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("designs", nargs="*", metavar="DESIGN")
    parser.add_argument("--size", type=int, default=2)
    parser.add_argument("--no-hunt", action="store_true")
    parser.add_argument("--keep", type=Path, metavar="DIR")
    options = parser.parse_args()
    size = None if options.no_hunt else options.size
    designs = options.designs or DESIGNS
    uses = [use for design in designs for use in uses_of(design, entries_of(design, size, options.keep))]
    explanations = read_explanations()
    print(page(designs, uses, explanations, size), end="")
    # Some explanations are about guards that only generated races come by.
    wrong = stale(uses, explanations) if size is not None else []
    for text in wrong:
        print(text, file=sys.stderr)
    return 1 if wrong else 0


HEAD = """\
# Guards at every call

Generated by `make mutations`. A guard is taken out at one call of its function at a time, of the designs that
are or were in a kernel tree; [ablation](ablate.md) says how, and what a guard is. It is *noticed* if a race
breaks without it: those of `races/`, and GENERATED. What is not noticed is explained
below (`benchmarks/survivors.toml`); an explanation that no longer applies makes `make mutations` fail.
"""


if __name__ == "__main__":
    sys.exit(main())
