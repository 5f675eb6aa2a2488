"""An audit as text, markdown and JSON: the words that should be declared weak, and who reads them."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence

from spfvar.explore.audit import PMD, PTE, TREE, Access
from spfvar.matrix.audit import Audited, RacyWord, in_order
from spfvar.render.mail import to_ascii
from spfvar.render.paint import Paint

FOOT = (
    "Racy: in some walk a thread read the word that, by locks, RCU, interrupts, barriers and orders of "
    "its texts, need not know the newest store to it; under --memory lkmm it has to be weak (Field(..., "
    "weak=True)), or verdicts take for granted that it is seen at once. What is not listed was not met in "
    "these walks, which proves nothing. Atomics read the newest store anyway. docs/weak-memory.md says more."
)
#: Words that no Field declares.
_NO_FIELD = (TREE, PMD, PTE)


def render_text(audits: Sequence[Audited], reproduce: str, width: int = 80, paint: Paint = str) -> str:
    """By variant and word: the reads, and below each the stores that it need not know."""
    lines: list[str] = []
    for audited in audits:
        lines += [*_fill(title_of(audited), width), ""]
        for word in audited.words.values():
            lines += [*map(paint, _fill(verdict_of(word), width, "  "))]
            for reader in in_order(set(word.reads)):
                lines += _fill(f"read in {_text(reader)}", width, "    ")
                for writer in in_order(word.reads[reader]):
                    lines += _fill(f"stored in {_text(writer)}", width, "      ")
            lines.append("")
    for text in (FOOT, f"Reproduce: {reproduce}"):
        lines += [*_fill(text, width), ""]
    return "\n".join(lines[:-1]) + "\n"


def title_of(audited: Audited) -> str:
    """ "my-idea: 3 racy words in 51 races, 200 walks each; 4 of 5 loads of strong words were run"."""
    number = len(audited.words)
    each = audited.walks // max(1, audited.races)
    races = f"{audited.races} race{'s' * (audited.races != 1)}"
    return (
        f"{audited.variant}: {number or 'no'} racy word{'s' * (number != 1)} in {races}, {each} walks each; "
        f"{audited.read} of {audited.loads} loads of strong words were executed"
    )


def verdict_of(word: RacyWord) -> str:
    """ "vma->detached is racy: declare it weak (in munmap-file and 3 other races)"."""
    first, *others = word.races
    more = f" and {len(others)} other race{'s' * (len(others) > 1)}" if others else ""
    advice = "no field, so it cannot be declared weak" if word.word in _NO_FIELD else "declare it weak"
    return f"{word.word} is racy: {advice} (in {first}{more})"


def _text(access: Access) -> str:
    return f"{access.function}: {access.name} ({access.where})"


def render_mail(audits: Sequence[Audited], reproduce: str) -> str:
    """As text, ASCII, 72 columns."""
    return to_ascii(render_text(audits, reproduce, 72))


def render_markdown(audits: Sequence[Audited], reproduce: str) -> str:
    """A table for each variant, in GitHub's dialect."""
    parts = []
    for audited in audits:
        rows = ["| word | read in | stored in | races |", "| --- | --- | --- | --- |"]
        rows += [f"| {' | '.join(cells)} |" for word in audited.words.values() for cells in _rows(word)]
        parts.append(f"## {title_of(audited)}" + ("\n\n" + "\n".join(rows) if audited.words else ""))
    return "\n\n".join([*parts, FOOT, f"Reproduce: `{reproduce}`"]) + "\n"


def _rows(word: RacyWord) -> Iterator[tuple[str, ...]]:
    for reader in in_order(set(word.reads)):
        stores = "<br>".join(_text(writer) for writer in in_order(word.reads[reader]))
        yield f"`{word.word}`", _text(reader), stores, str(len(word.races))


def render_json(audits: Sequence[Audited]) -> str:
    """A list with one entry per racy word of a variant."""
    entries = [word.as_dict() for audited in audits for word in audited.words.values()]
    return json.dumps(entries, indent=2) + "\n"


def _fill(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=f"{indent}  ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
