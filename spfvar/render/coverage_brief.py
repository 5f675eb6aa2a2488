"""Coverage of many designs on a page: a line for each, a sign for each kind of fault."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from spfvar.faultpaths.faults import Handling
from spfvar.faultpaths.writers import Effect, Overlay

WIDTH = 80
#: Kinds of faults have a letter each; more than these have none.
LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SIGNS = {"handled": "+", "falls back": "-", "mmap_lock": ".", "refused": "x"}
_CONDITIONAL = "c"


def brief_faults(found: Sequence[Handling], reproduce: str) -> str:
    """A row per design, a sign per kind of fault; designs that handle the same are one row."""
    kinds = list(dict.fromkeys(one.kind for one in found))
    rows: dict[str, str] = {}
    for one in found:
        sign = _CONDITIONAL if one.verdict == "handled" and one.conditions else _SIGNS[one.verdict]
        rows[one.variant] = rows.get(one.variant, "") + sign
    column = max(map(len, rows))
    lines = [f"{'':{column}}  {' '.join(LETTERS[: len(kinds)])}  handled"]
    for signs, names in _grouped(rows).items():
        count = f"{sum(sign in '+c' for sign in signs)} of {len(signs)}"
        for name in names[:-1]:
            lines.append(name)
        lines.append(f"{names[-1]:{column}}  {' '.join(signs)}  {count}")
    legend = [f"{letter} {kind}" for letter, kind in zip(LETTERS, kinds, strict=False)]
    return _page(
        lines,
        [
            "+ without mmap_lock, c on a condition; - tried, then done again under mmap_lock;"
            " . under it; x refused"
        ],
        [", ".join(legend)],
        [
            "A design without signs is like the one below it. Why, and what the kinds are:"
            " name up to three, or -v"
        ],
        [f"Reproduce: {reproduce}"],
    )


def brief_writers(found: Sequence[Overlay], reproduce: str) -> str:
    """A row per design: how many writers take mmap_lock, and disturb faults of their VMA, and others."""
    rows: dict[str, str] = {}
    for name in dict.fromkeys(one.variant for one in found):
        mine = [one for one in found if one.variant == name]
        locks = [_mode(one.mmap_lock) for one in mine]
        counts = [locks.count("W"), locks.count("R"), locks.count("-")]
        counts += [sum(_disturbs(effect, running) for effect in effects)
                   for effects in ([one.near for one in mine], [one.far for one in mine])
                   for running in (True, False)]  # fmt: skip
        rows[name] = " ".join(f"{count:>7}" for count in counts)
    column = max(map(len, rows))
    heads = ("W", "R", "none", "running", "new", "running", "new")
    lines = [
        f"{'':{column}}  {'mmap_lock for':<23} {'in its VMA':<15} {'in others':<15}".rstrip(),
        f"{'':{column}}  {' '.join(f'{head:>7}' for head in heads)}",
    ]
    for row, names in _grouped(rows).items():
        lines += [*names[:-1], f"{names[-1]:{column}}  {row}"]
    total = len(dict.fromkeys(one.writer for one in found))
    return _page(
        lines,
        [f"Of {total} writers: how many take mmap_lock (or a lock of ranges) for writing, for reading,"
         " not at all; and how many disturb a fault in the VMA that they work on, and in others: one that"
         " was at the page tables when they came (running), or begins meanwhile (new)."],
        ["A design without figures is like the one below it. Which writers, and how: name one design, or -v"],
        [f"Reproduce: {reproduce}"],
    )  # fmt: skip


def _mode(lock: str) -> str:
    """Of "W>R; IPI": how it is taken first."""
    mode = lock[:1].upper()
    return mode if mode in ("W", "R") else "-"


def _disturbs(effect: Effect | None, running: bool) -> bool:
    return effect is not None and bool(effect.running if running else effect.new)


def _grouped(rows: dict[str, str]) -> dict[str, list[str]]:
    """Names by what stands in their rows, in the order of the first."""
    groups: dict[str, list[str]] = {}
    for name, row in rows.items():
        groups.setdefault(row, []).append(name)
    return groups


def _page(*parts: Iterable[str]) -> str:
    first, *rest = parts
    text = ["\n".join(line.rstrip() for line in first)]
    text += ["\n".join(_fill(line) for line in part) for part in rest]
    return "\n\n".join(text) + "\n"


def _fill(line: str) -> str:
    return textwrap.fill(line, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
