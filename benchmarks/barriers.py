"""Write docs/barriers.md: which barrier of which design some race needs, under the kernel's memory model.

    python -m benchmarks.barriers [VARIANT...] > docs/barriers.md        (make barriers)

Each barrier, order and address dependency of a design's own texts is taken out of every race, as
`spfvar ablate VARIANT --memory lkmm --barriers` does; those that no race needs alone, together.
``--keep DIR`` keeps what was found, by design and version of the model, for the next time.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spfvar.atomic import write_atomically
from spfvar.explore.barriers import WHOLE
from spfvar.matrix import catalogue
from spfvar.matrix.ablate import ablate
from spfvar.plugins.registry import load_registry
from spfvar.render.ablation import render_json
from spfvar.transition.jit import cache_directory

NEEDED, EITHER, OPEN, NEVER = "needed", "one of several", "open", "never"
ANSWERS = (NEEDED, EITHER, OPEN, NEVER)

INTRODUCTION = """\
# Which barrier is needed, by design

Generated (`make barriers`): each barrier, order of an access and address dependency of each design, taken out
of all of the races, one at a time, under the kernel's memory model ([weak memory](weak-memory.md)).

* **needed**: a race breaks without it.
* **one of several**: none does, but one breaks without it and others that do the same.
* **never**: every race holds without it, and without all of those that are not needed alone.
* **open**: a search hit a bound.

*Never* is said of these races, not of the design: what an order protects that no race looks at, nobody misses
here. A design's own texts are looked at; those of the core are mmap-lock's. What one of them is for:
`spfvar ablate VARIANT --memory lkmm --barriers`.
"""


@dataclass(frozen=True, order=True, slots=True)
class Barrier:
    """One guard, by what designs that share it have in common."""

    function: str
    guard: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the races say of it in one design; ``why``: the race that breaks soonest, and the property."""

    answer: str
    why: str
    others: tuple[Barrier, ...] = ()


Found = Mapping[Barrier, Answer]


def barrier_of(entry: Mapping[str, Any]) -> Barrier:
    """The guard of an entry of `spfvar ablate --format json`."""
    name = entry["guard"] if entry["kind"] == "fence" else f"{entry['kind']}: {entry['guard']}"
    return Barrier(entry["function"], name)


def answer_of(entry: Mapping[str, Any]) -> Answer:
    """What such an entry says."""
    if entry["breaks"]:
        first = entry["breaks"][0]
        return Answer(NEEDED, f"{first['property']} in {first['race']}")
    if entry["either"]:
        first = entry["either"][0]
        others = tuple(map(barrier_of, first["others"]))
        return Answer(EITHER, f"{first['property']} in {first['race']}", others)
    return Answer(OPEN if entry["incomplete"] else NEVER, "")


def found_in(entries: Sequence[Mapping[str, Any]]) -> dict[Barrier, Answer]:
    """By barrier; of several alike in a function, what is needed first."""
    found: dict[Barrier, Answer] = {}
    for entry in entries:
        if entry["kind"] not in WHOLE:
            continue
        barrier, answer = barrier_of(entry), answer_of(entry)
        before = found.get(barrier)
        if before is None or ANSWERS.index(answer.answer) < ANSWERS.index(before.answer):
            found[barrier] = answer
    return found


def searched(name: str, keep: Path | None) -> list[dict[str, Any]]:
    """The entries of one design, from ``keep`` if they are there."""
    kept = keep / f"{name}-{cache_directory().name}.json" if keep is not None else None
    if kept is not None and kept.exists():
        entries: list[dict[str, Any]] = json.loads(kept.read_text())
        return entries
    races = catalogue.races()

    def tell(what: str, done: int, of: int) -> None:
        if sys.stderr.isatty():
            print(f"\r\x1b[K{name}: {what} {done}/{of}", end="", file=sys.stderr, flush=True)

    found = ablate(
        load_registry()[name], {race: races[race] for race in races.names()}, progress=tell, memory="lkmm",
        barriers=True,
    )  # fmt: skip
    text = render_json(name, found)
    if kept is not None:
        write_atomically(kept, text)
    entries = json.loads(text)
    return entries


def page(by_design: Mapping[str, Found]) -> Iterator[str]:
    """The page, line by line."""
    yield INTRODUCTION
    yield f"| design | barriers | {' | '.join(ANSWERS)} |"
    yield f"|---|---:|{'---:|' * len(ANSWERS)}"
    for name, found in by_design.items():
        counts = [sum(one.answer == answer for one in found.values()) for answer in ANSWERS]
        yield f"| {name} | {len(found)} | {' | '.join(map(str, counts))} |"
    yield "\n## Barrier by barrier\n"
    yield "| function | barrier | needed | one of several | never |"
    yield "|---|---|---|---|---|"
    for barrier in sorted({barrier for found in by_design.values() for barrier in found}):
        cells = {answer: list[str]() for answer in ANSWERS}
        for name, found in by_design.items():
            if barrier in found:
                cells[found[barrier].answer].append(cell(name, found[barrier]))
        cells[NEVER] += [f"{name} (open)" for name in cells[OPEN]]
        texts = [cells[answer] for answer in (NEEDED, EITHER, NEVER)]
        row = [f"`{barrier.function}`", f"`{barrier.guard}`", *("<br>".join(text) for text in texts)]
        yield f"| {' | '.join(row)} |"


def cell(name: str, answer: Answer) -> str:
    """A design, and why."""
    others = " and ".join(f"`{one.guard}` in `{one.function}`" for one in answer.others)
    return ": ".join(filter(None, (name, answer.why + (f", with {others}" if others else ""))))


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("variants", nargs="*", metavar="VARIANT")
    parser.add_argument("--keep", type=Path, metavar="DIR")
    options = parser.parse_args()
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
    names = options.variants or list(load_registry().variants)
    found = {name: found_in(searched(name, options.keep)) for name in names}
    print("\n".join(page({name: one for name, one in found.items() if one})))


if __name__ == "__main__":
    main()
