"""Write docs/findings.md: questions of the 2021 series, and orders that seem to be missing, by searches.

    python -m benchmarks.findings > docs/findings.md        (make findings)

A probe is a twin (twins/*.py): a design with the doubtful form put in.  No verdict is written by hand: a
question is confirmed if its first probe, which has the doubtful form, breaks a property, and refuted if
the search of that form is complete and safe.  What the model has no place for is listed with the reason.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from benchmarks.weak_findings import read_missing
from spfvar.explore.options import Options
from spfvar.explore.verdict import INCOMPLETE, VIOLATION
from spfvar.matrix import catalogue
from spfvar.matrix.cases import make_cases
from spfvar.matrix.check import Checked, run_checks
from spfvar.plugins.registry import load_registry


@dataclass(frozen=True)
class Question:
    """A doubt about the series: ``bugs`` are the probes, the deciding one first; or why there is none."""

    name: str
    text: str
    bugs: tuple[str, ...] = ()
    why_not: str = ""


QUESTIONS = (
    Question(
        "H1",
        "mremap moves whole page tables under pmd locks only, against a speculative fault",
        ("S10", "H1-table"),
    ),
    Question(
        "H2",
        "MMU notifiers may be registered during a speculative copy",
        (),
        "notifiers have no subscribers here",
    ),
    Question(
        "H3",
        "stack growth under mmap_lock for reading, so without a bump, against a copy of the VMA",
        ("H3",),
    ),
    Question(
        "H4",
        "the memory policy is put at once, and a speculative fault reads the copied pointer",
        ("H4", "H4-rcu"),
    ),
    Question("H5", "patch 25 keeps the page's reference on its RETRY exits", ("H5",)),
    Question(
        "H6",
        "patch 27 takes the XFS lock twice and drops it once",
        (),
        "file systems' own locks are not modelled",
    ),
    Question("H7", "patch 19 leaves a notifier's section open on RETRY", ("H7",)),
    Question(
        "H8", "an RCU-only walk, where a page table may be freed by IPI and at once", ("H8", "H8-batch")
    ),
    Question("H9", "munmap makes the count even before it zaps and frees", ("H9",)),
    Question(
        "H10",
        "VMAs are freed at once if mm_users is 1",
        (),
        "the users of an mm do not change while it is faulted",
    ),
    Question(
        "H11",
        "any writer aborts every speculative fault",
        (),
        "a question of speed: spfvar compare counts aborts",
    ),
    Question(
        "H12",
        "page tables of file mappings are freed without mmap_lock (v6.6)",
        ("H12", "H12-arm64", "H12-rcu", "H12-recheck"),
    ),
    Question("H13", "the speculative anonymous path still allocates page tables", ("H13",)),
    Question(
        "N1",
        "new: a page table is retracted without its own lock, behind a speculative fault's last check",
        ("N1",),
    ),
)


def answer(results: list[Checked]) -> str:
    """What the first probe, which has the doubtful form, says."""
    if not results:
        return "out of the model's reach"
    verdict = results[0].verdict.verdict
    if verdict == VIOLATION:
        return "**confirmed**"
    return "open" if verdict == INCOMPLETE else "refuted"


def evidence(result: Checked) -> str:
    """One probe in a line."""
    verdict = result.verdict
    where = f"`{result.case.twin}` in `{verdict.race}`"
    if verdict.verdict == VIOLATION:
        found = verdict.findings[0]
        return f"{where}: {verdict.property} in {found.trace.length} steps ({found.text})"
    return f"{where}: {verdict.verdict}, {verdict.states} states"


def main() -> None:
    """Search every probe and print the page."""
    registry = load_registry()
    bugs = [bug for question in QUESTIONS for bug in question.bugs]
    lacking, out_of_reach = read_missing()
    bugs += [missing.twin for missing in lacking if missing.twin]
    cases = [case for case in make_cases(registry, catalogue.races(), bugs, (), twins=True) if case.expected]
    print(f"searching {len(cases)} probes", file=sys.stderr)
    results = run_checks(cases, Options())
    by_bug: dict[str, list[Checked]] = {}
    for result in results:
        if result.verdict.variant == result.case.twin:
            by_bug.setdefault(registry.twins[result.case.twin].bug, []).append(result)
    print(HEAD)
    for question in QUESTIONS:
        probes = [result for bug in question.bugs for result in by_bug.get(bug, [])]
        print(f"## {question.name}: {answer(probes)}\n\n{question.text[0].upper()}{question.text[1:]}.\n")
        for probe in probes:
            twin = registry.twins[probe.case.twin]
            more = f" {' '.join(twin.description.split())}" if twin.description else ""
            print(f"* {evidence(probe)}. {twin.title[0].upper()}{twin.title[1:]}.{more}")
        print(f"* {question.why_not[0].upper()}{question.why_not[1:]}.\n" if question.why_not else "")
    print(WEAK)
    for missing in lacking:
        gap, mend = missing.verdicts()
        told = "**confirmed**" if (gap, mend) == ("sometimes", "never") else "open"
        print(f"## {missing.name}: {told}\n\n{missing.title[0].upper()}{missing.title[1:]}.\n")
        print(f"{missing.text}\n* As a litmus test: {gap}; with the order in its place: {mend}.")
        for probe in by_bug.get(missing.twin, []):
            print(f"* {evidence(probe)}, under `--memory lkmm`. {registry.twins[probe.case.twin].title}.")
        print(f"\n```\n{missing.pattern(missing.gap)}```\n")
    print(out_of_reach, end="")


HEAD = """\
# Open questions of the 2021 series

Generated by `make findings` from searches; `spfvar check --twins` shows the traces. The shipped `spf-*`
variants are the series as intended, with repairs for what is confirmed here (each a patch in
`variants/spf_patches.py`); a probe takes one repair out, or puts the posted form back. `spfvar bisect
spf-posted` shows for a race at which patch of the posted series it breaks ([series](series.md)). Memory is
sequentially consistent in the model.
"""


WEAK = """\
# Orders that seem to be missing

Met on the way, in kernels as they are. A litmus test has the pattern, once as the source has it and once with
the order that is missing; *confirmed* says that the kernel's memory model allows it, and with that order does
not, and no more: no hardware was asked, and no developer. The first of these also breaks a whole design
([weak memory](weak-memory.md)).
"""


if __name__ == "__main__":
    main()
