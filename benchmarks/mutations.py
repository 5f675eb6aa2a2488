"""Write docs/mutations.md: guards at every call, of the designs that are or were in a kernel tree.

    python -m benchmarks.mutations > docs/mutations.md        (make mutations)

Each guard is taken out at each call of its function, of one race after the other until one breaks.  What no
race notices has to be explained in benchmarks/survivors.toml; what is not is taken out of generated races, as
`spfvar ablate --hunt` does.  An explanation that names what does the same ("with") is tried: without that,
the guard has to be missed.  The exit code is 1 if an explanation no longer applies.

``--keep DIR`` keeps what searches found, for the next time; ``--no-hunt`` leaves generated races out,
``--hunt-all`` has them look at what is explained, too.  ``--partners`` prints no page, but what has to be
taken out besides, one guard at a time, for a guard that is left to be missed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

import toml
from pydantic import BaseModel, ConfigDict, Field

from benchmarks.mutants import Mutant, Mutants, Names, Progress, Searches
from spfvar.explore.guards import Guard
from spfvar.matrix import catalogue
from spfvar.matrix.ablate import HuntedGuard
from spfvar.matrix.guard_hunt import hunt_uses
from spfvar.matrix.hunting import Plan
from spfvar.plugins.registry import load_registry

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

    ``designs``, ``functions``, ``guard`` and ``calls`` are globs of names as `Use` has them; ``partners``
    ("with" in the table) are globs of names as `Names.text` has them: of what does the same.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    designs: tuple[str, ...]
    functions: tuple[str, ...]
    guard: str
    calls: tuple[str, ...] = ("*",)
    why: Literal["redundant", "cost", "outside"]
    because: str
    partners: tuple[str, ...] = Field(default=(), alias="with")


@dataclass(frozen=True, slots=True)
class Use:
    """A guard at one call of its function, in one design; ``call`` is "" where threads begin with it.

    ``guard`` is its kind and name, ``call`` the caller, each with a number where there are several alike.
    ``races`` are those that hold without it.
    """

    design: str
    function: str
    guard: str
    call: str
    by_race: bool
    open: bool
    races: int
    by_hunt: bool = False
    generated: int = 0

    @property
    def noticed(self) -> bool:
        """Does something break without it?"""
        return self.by_race or self.by_hunt


def use_of(design: str, mutant: Mutant, names: Names, hunted: HuntedGuard | None = None) -> Use:
    """What the races here, and perhaps generated ones, say of a guard at a call."""
    guard = mutant.guard
    return Use(
        design, guard.function, names.guard(guard), names.call(guard), mutant.breaks is not None,
        bool(mutant.open), len(mutant.holds),
        hunted is not None and hunted.needed is not None, hunted.races if hunted is not None else 0,
    )  # fmt: skip


def explains(explanation: Explanation, use: Use) -> bool:
    """Is it about this use?"""
    return (
        any(fnmatchcase(use.design, glob) for glob in explanation.designs)
        and any(fnmatchcase(use.function, glob) for glob in explanation.functions)
        and _matches(use.guard, explanation.guard)
        and any(fnmatchcase(use.call, glob) for glob in explanation.calls)
    )


def _matches(text: str, glob: str) -> bool:
    return fnmatchcase(text, glob.replace("[", "[[]"))


def explained(uses: Sequence[Use], explanations: Sequence[Explanation]) -> dict[Use, Explanation]:
    """The first explanation of each use that nothing notices."""
    found = {}
    for use in uses:
        explanation = next((one for one in explanations if explains(one, use)), None)
        if explanation is not None and not use.noticed:
            found[use] = explanation
    return found


def stale(uses: Sequence[Use], explanations: Sequence[Explanation]) -> list[str]:
    """Explanations, with the glob of designs or calls that no longer has anything to explain."""
    found = explained(uses, explanations)
    designs = {use.design for use in uses}
    wrong = []
    for explanation in explanations:
        mine = [use for use, why in found.items() if why is explanation]
        about = _about(explanation, explanations)
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


def _about(explanation: Explanation, explanations: Sequence[Explanation]) -> str:
    number = 1 + next(n for n, one in enumerate(explanations) if one is explanation)
    return f"explanation {number} ({', '.join(explanation.functions)}: {explanation.guard})"


def not_so(
    mutants: Mutants, found: Mapping[Use, Explanation], guards: Mapping[Use, Guard]
) -> Iterator[tuple[Use, Explanation]]:
    """Guards that nothing misses without what is said to do the same."""
    for use, explanation in found.items():
        globs = explanation.partners
        others = [
            guard
            for guard in mutants.guards
            if any(_matches(mutants.names.text(guard), glob) for glob in globs)
        ]
        if globs and not missed(mutants, guards[use], others):
            yield use, explanation


def missed(mutants: Mutants, guard: Guard, partners: Collection[Guard]) -> str:
    """A race that holds without the partners, and breaks without them and the guard; "" if there is none."""
    for subject in mutants.coming_by(guard):
        others = sorted((subject.found & set(partners)) - {guard}, key=lambda one: one.order)
        if others and subject.misses(guard, others):
            return subject.name
    return ""


def partners(mutants: Mutants, guard: Guard) -> Iterator[str]:
    """What does the same as a guard: names, and the race that breaks without both."""
    for subject in mutants.coming_by(guard):
        for other in sorted(subject.found - {guard, guard.everywhere}, key=lambda one: one.order):
            if subject.misses(guard, [other]):
                yield f"{mutants.names.text(other)} ({subject.name})"


def read_explanations(path: Path = SURVIVORS) -> list[Explanation]:
    """The table.  Raises pydantic's ValidationError."""
    entries = toml.loads(path.read_text(encoding="utf-8"))["survivor"]
    return [Explanation.model_validate(entry) for entry in entries]


def page(
    designs: Sequence[str], uses: Sequence[Use], explanations: Sequence[Explanation], size: int | None
) -> str:
    """docs/mutations.md; ``size`` is that of the generated races, None: there were none."""
    found = explained(uses, explanations)
    generated = f"generated ones of up to {size} statements" if size else "nothing else in this run"
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
    if explanation.partners:
        yield f"  * Missed without {' and '.join(explanation.partners)}."


def _line(use: Use) -> str:
    call = f", called by {use.call}" if use.call else ""
    held = "left open" if use.open else f"holds in {use.races} races and {use.generated} generated ones"
    return f"* `{use.design}`: `{use.function}`: {use.guard}{call}: {held}"


def _told(what: str) -> Progress:
    """Progress on standard error: one line that changes, and in a file one when a stage has ended."""

    def tell(stage: str, done: int, of: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{what}: {stage} {done} of {of}\x1b[K", end="" if done < of else "\n", file=sys.stderr)
        elif done == of:
            print(f"{what}: {of} {stage}", file=sys.stderr, flush=True)

    return tell


@dataclass(slots=True)
class Run:
    """What a run of some designs found: every use, in order; and explanations that are not so."""

    searches: Searches
    explanations: Sequence[Explanation]
    uses: list[Use] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def add(self, design: str, size: int | None, everything: bool) -> None:
        """Take every guard out of a design; what is left, out of generated races of up to ``size``.

        ``everything``: what is explained, too.
        """
        mutants = mutants_of(design, self.searches)
        found = mutants.run()
        names = mutants.names
        guards = {use_of(design, mutant, names): mutant.guard for mutant in found}
        why = explained(list(guards), self.explanations)
        for use, explanation in not_so(mutants, why, guards):
            about = _about(explanation, self.explanations)
            self.wrong.append(f"{about}: not missed in {design}: {_line(use)}")
        hunted: Mapping[Guard, HuntedGuard] = {}
        if size is not None:
            left = {
                guard for use, guard in guards.items() if not use.noticed and (everything or use not in why)
            }
            hunted = hunt_uses(mutants.variant, left, Plan(size), _told(design))
        self.uses += [use_of(design, mutant, names, hunted.get(mutant.guard)) for mutant in found]


def mutants_of(design: str, searches: Searches) -> Mutants:
    """A design in all races."""
    races = catalogue.races()
    chosen = {name: races[name] for name in races.select(())}
    return Mutants(load_registry().any_variant(design), chosen, searches, _told(design))


def print_partners(run: Run, design: str) -> None:
    """For each guard that is left, what does the same."""
    mutants = mutants_of(design, run.searches)
    for mutant in mutants.run():
        use = use_of(design, mutant, mutants.names)
        if not use.noticed and not explained([use], run.explanations):
            print(_line(use))
            for text in partners(mutants, mutant.guard):
                print(f"  * {text}")


def main() -> int:
    """Print the page; 1 if an explanation no longer applies."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("designs", nargs="*", metavar="DESIGN")
    parser.add_argument("--size", type=int, default=2)
    parser.add_argument("--no-hunt", action="store_true")
    parser.add_argument("--hunt-all", action="store_true")
    parser.add_argument("--partners", action="store_true")
    parser.add_argument("--keep", type=Path, metavar="DIR")
    options = parser.parse_args()
    keep = options.keep / "searches.json" if options.keep is not None else None
    run = Run(Searches(keep), read_explanations())
    designs = options.designs or DESIGNS
    size = None if options.no_hunt else options.size
    for design in designs:
        if options.partners:
            print_partners(run, design)
        else:
            run.add(design, size, options.hunt_all)
        run.searches.save()
    if options.partners:
        return 0
    print(page(designs, run.uses, run.explanations, size), end="")
    wrong = [*run.wrong, *stale(run.uses, run.explanations)]
    for text in wrong:
        print(text, file=sys.stderr)
    return 1 if wrong else 0


HEAD = """\
# Guards at every call

Generated by `make mutations`, in one run. A guard is taken out at one call of its function at a time, of the
designs that are or were in a kernel tree; [ablation](ablate.md) says how, and what a guard is. It is
*noticed* if a race breaks without it: one of `races/`, and if that is none, and it is not explained either,
GENERATED. What is not noticed is explained below (`benchmarks/survivors.toml`).
Where an explanation names what does the same, the run has tried it: some race holds without that, and breaks
without that and the guard. An explanation that no longer applies makes `make mutations` fail.
"""


if __name__ == "__main__":
    sys.exit(main())
