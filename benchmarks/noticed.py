"""Which twins would a booted kernel's recording, or its C, notice?

    python -m benchmarks.noticed --design mmap-lock 6.1 ~/linux-6.1 --design per-vma-6.12 6.12 ~/linux-6.12

A row for each twin of a design: whether recorded faults or calls that are paths of the design's text are none
of the twin's, and whether the audit finds a difference in the twin's text that the design's does not have.
Without a tree, recordings alone; without a recording of that release, the C alone.  A twin that neither
notices differs in what no table has a letter for, or in a function that is not compared.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from spfvar.csource.audit import Auditor, Tree, audit_with
from spfvar.csource.units import units_for
from spfvar.csource.words import words_for
from spfvar.errors import InputError
from spfvar.kernel.conform import Recording, Text
from spfvar.kernel.fixtures import release_of, shipped
from spfvar.kernel.texts import Way
from spfvar.plugins.registry import Registry, load_registry
from spfvar.plugins.variant import Variant


@dataclass(frozen=True)
class Row:
    """A twin, and who notices it: words that are no paths, functions that differ (None: not looked at)."""

    design: str
    twin: str
    bug: str
    words: int | None
    functions: tuple[str, ...] | None

    @property
    def noticed(self) -> bool:
        """Does either notice it?"""
        return bool(self.words) or bool(self.functions)


def paths(variant: Variant, recording: Recording) -> set[int]:
    """The numbers of the different recorded words that are paths of a design's text."""
    text = Text(variant, recording.table)
    return {number for number, (word, _) in enumerate(recording.words) if isinstance(text.read(word), Way)}


def differences(auditor: Auditor, variant: Variant, release: str) -> set[tuple[str, str, str]]:
    """What the audit finds, with every exception taken as it is: function, direction, letter."""
    found = audit_with(auditor, variant.name, release, units_for(release), needed=False)
    missing = {(function, "not compared", "") for function in found.untold}
    return missing | {(one.function, one.direction, one.letter) for one in found.differences}


def twins(registry: Registry, design: str, patterns: Sequence[str] = ("*",)) -> list[str]:
    """A design's twins, controls too; not those of weak memory, for barriers do not show here."""
    return [
        name
        for name, twin in registry.twins.items()
        if twin.fixed == design
        and twin.memory == "sc"
        and any(fnmatchcase(name, pattern) for pattern in patterns)
    ]


def rows(
    registry: Registry, design: str, release: str, tree: str | None, patterns: Sequence[str] = ("*",)
) -> Iterator[Row]:
    """A row for each twin of a design, beside a release's recording and a tree."""
    recorded = release_of(release)
    recording = shipped(recorded) if recorded is not None else None
    fixed = registry.any_variant(design)
    before = paths(fixed, recording) if recording is not None else set()
    auditor = None
    if tree is not None:
        words_of, units = words_for(release), units_for(release)
        auditor = Auditor(fixed, Tree(tree, words_of, units), words_of, units)
    known = differences(auditor, fixed, release) if auditor is not None else set()
    for name in twins(registry, design, patterns):
        variant = registry.any_variant(name)
        words = len(before - paths(variant, recording)) if recording is not None else None
        functions = None
        if auditor is not None:
            more = differences(auditor.of(variant), variant, release) - known
            functions = tuple(sorted({function for function, _, _ in more}))
        yield Row(design, name, registry.twins[name].bug, words, functions)


def line(row: Row) -> str:
    """A row as it is printed."""
    words = "-" if row.words is None else f"{row.words} words" if row.words else "no"
    functions = "-" if row.functions is None else ", ".join(row.functions) or "no"
    return f"{row.twin:<32} {row.bug:<12} {words:<12} {functions}"


def summary(found: Sequence[Row]) -> str:
    """How many are noticed, and by whom."""
    by_words, by_functions = sum(bool(row.words) for row in found), sum(bool(row.functions) for row in found)
    noticed = sum(row.noticed for row in found)
    return (
        f"{noticed} of {len(found)} twins are noticed: {by_words} by recordings, {by_functions} by the C, "
        f"{by_words + by_functions - noticed} by both"
    )


def main() -> None:
    """Print a row for each twin, as it is known, and the sum."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--design", nargs="+", action="append", required=True, metavar=("VARIANT RELEASE", "TREE")
    )
    parser.add_argument("--twin", action="append", metavar="PATTERN", help="only twins of such names")
    given = parser.parse_args()
    for one in given.design:
        if len(one) not in (2, 3):
            parser.error(f"--design {' '.join(one)}: expected VARIANT RELEASE, and a TREE if there is one")
    registry = load_registry(())
    found = []
    try:
        for design, release, *tree in given.design:
            for row in rows(registry, design, release, tree[0] if tree else None, given.twin or ("*",)):
                found.append(row)
                print(line(row))
                sys.stdout.flush()
    except InputError as error:
        parser.error(str(error))
    print(summary(found))


if __name__ == "__main__":
    main()
