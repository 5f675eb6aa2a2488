"""The C of a kernel tree beside a design's text, function by function.

For each function that a hook point is the text of: the shortest path of letters that one side has and the
other lacks, in both directions.  What a text leaves out is excepted by name; one without use is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from spfvar.csource.machine import Machine
from spfvar.csource.nfa import END, Comparison, Gap, Nfa
from spfvar.csource.parse import CFunction, CSource, parse
from spfvar.csource.texts import Texts
from spfvar.csource.units import TEXT_KINDS, Exemption, Unit, Units, units_for
from spfvar.csource.words import Words, words_for
from spfvar.errors import InputError, unknown
from spfvar.kernel.places import place
from spfvar.kernel.texts import Edge
from spfvar.plugins.variant import Variant
from spfvar.reading import read_file

#: Bytes of a file of C.
MAX_FILE = 1 << 23
Direction = Literal["only in the C", "only in the text"]


class Tree:
    """The files of a kernel tree in which functions are looked for; ``key``: the option that gave it."""

    def __init__(self, root: str | Path, words: Words, units: Units, key: str = "--tree") -> None:
        self.root = Path(root)
        if not self.root.is_dir():
            raise InputError("no such directory", file=str(root), key=key, expected="a kernel's source tree")
        self._words = words
        self._units = units
        self._parsed: dict[str, CSource | None] = {}
        if not any((self.root / file).is_file() for file in units.files):
            raise InputError(
                "this is no kernel's source tree",
                file=str(root),
                key=key,
                expected=f"{units.files[0]} in it",
            )

    def source(self, file: str) -> CSource | None:
        """A file's functions; None if the tree has no such file."""
        if file not in self._parsed:
            path = self.root / file
            text = (
                read_file(str(path), MAX_FILE).decode("utf-8", errors="replace") if path.is_file() else None
            )
            self._parsed[file] = None if text is None else parse(self._same(text), file, self._words.options)
        return self._parsed[file]

    def _same(self, text: str) -> str:
        for one, other in self._words.table.same.items():
            text = text.replace(f"{one}->", f"{other}->")
        return text

    def function(self, name: str) -> CFunction | None:
        """A function of the tree, from the first file that defines it."""
        for file in self._units.files:
            source = self.source(file)
            if source is not None and name in source.functions:
                return source.functions[name]
        return None

    def names(self) -> list[str]:
        """Every function of these files."""
        sources = [self.source(file) for file in self._units.files]
        return [name for source in sources if source is not None for name in source.functions]


@dataclass(frozen=True, slots=True)
class Difference:
    """A letter that one side has and the other lacks.

    ``function`` (of the kernel) and ``hook`` are compared; ``path`` are the letters to it, the last is the
    one; ``where`` is its ``file:line``, ``at`` the function it stands in; ``instead`` what the other side has
    there; ``guard``: it is a test; ``behind``: another difference is on the way.
    """

    function: str
    hook: str
    direction: Direction
    path: tuple[str, ...]
    at: str
    where: str
    line: int
    instead: tuple[Edge, ...]
    guard: bool
    behind: bool

    @property
    def letter(self) -> str:
        """The letter that the other side lacks."""
        return self.path[-1]

    @property
    def text_line(self) -> str:
        """Where in the text: of the letter, or of what stands there instead."""
        if self.direction == "only in the text":
            return self.where
        return next((edge.where for edge in self.instead if edge.where), "")

    @property
    def c_line(self) -> str:
        """Where in the C: of the letter, or of what stands there instead."""
        if self.direction == "only in the C":
            return self.where
        return next((edge.where for edge in self.instead if edge.where), "")

    def as_dict(self) -> dict[str, object]:
        """One entry of the JSON list."""
        file, _, line = self.c_line.rpartition(":")
        return {
            "function": self.function, "hook": self.hook, "at": self.at,
            "file": file, "line": int(line) if line else self.line, "text_line": place(self.text_line),
            "direction": self.direction, "letters": list(self.path),
            "instead": [edge.letter for edge in self.instead], "guard": self.guard,
        }  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """A function beside its hook point."""

    unit: Unit
    function: CFunction
    differences: tuple[Difference, ...]
    read: tuple[str, ...]
    unknown: dict[str, str] = field(compare=False)
    unread: dict[str, str] = field(compare=False)


@dataclass(frozen=True)
class Audit:
    """A design beside a tree.

    ``used``: what is excepted and has to be; ``stale``: what is and need not; ``lines``: of the text, that
    yield.
    """

    variant: str
    kernel: str
    compared: tuple[Compared, ...]
    untold: tuple[str, ...]
    used: tuple[Exemption, ...]
    stale: tuple[Exemption, ...]
    lines: int

    @cached_property
    def differences(self) -> tuple[Difference, ...]:
        """All of them, guards first."""
        found = [difference for one in self.compared for difference in one.differences]
        return tuple(sorted(found, key=lambda difference: (not difference.guard, len(difference.path))))

    @cached_property
    def read(self) -> frozenset[str]:
        """The functions of the kernel that were read."""
        return frozenset(name for one in self.compared for name in one.read)

    @cached_property
    def unknown(self) -> dict[str, str]:
        """Calls that no word is known of, and where."""
        return {name: where for one in self.compared for name, where in one.unknown.items()}

    @cached_property
    def unread(self) -> dict[str, str]:
        """Functions of which a part could not be read as C, and where they are."""
        return {name: where for one in self.compared for name, where in one.unread.items()}

    @property
    def exceptions(self) -> int:
        """How many exceptions that are needed there are; a class of tests is one."""
        return len({entry.exception for entry in self.used})

    @property
    def agrees(self) -> bool:
        """No difference, no exception without use, and nothing that could not be read."""
        return not self.differences and not self.stale and not self.unread


@dataclass(frozen=True, slots=True)
class _Code:
    """A function's graph, with what was of use for it."""

    nfa: Nfa
    used: frozenset[Exemption]
    read: tuple[str, ...]
    unknown: dict[str, str]
    unread: dict[str, str]


class Auditor:
    """Compares functions of a tree with a design's texts."""

    def __init__(self, variant: Variant, tree: Tree, words: Words, units: Units) -> None:
        self.tree = tree
        words = words.with_hooks(units.steps)
        self._words = words
        self._units = units
        self.texts = Texts(variant, words, units.opaque)
        self._inline = frozenset(units.inline)
        self._codes: dict[tuple[Unit, frozenset[Exemption]], _Code] = {}
        self._text_graphs: dict[
            tuple[Unit, frozenset[Exemption]], tuple[Nfa | None, frozenset[Exemption]]
        ] = {}

    def of(self, variant: Variant) -> Auditor:
        """The same tree beside another design's texts."""
        other = copy(self)
        other.texts = Texts(variant, self._words, self._units.opaque)
        other._text_graphs = {}
        return other

    def on(self, tree: Tree, units: Units | None = None) -> Auditor:
        """The same texts beside another tree, or with other exceptions."""
        other = copy(self)
        other.tree = tree
        other._units = units or self._units
        other._inline = frozenset(other._units.inline)
        other._codes, other._text_graphs = {}, {}
        return other

    def find(self, name: str) -> CFunction | None:
        """A function that is read as if it stood where it is called."""
        name = self._units.aliases.get(name, name)
        return self.tree.function(name) if name in self._inline else None

    def compare(self, unit: Unit, exceptions: Sequence[Exemption], used: set[Exemption]) -> Compared | None:
        """A function beside its hook point; None if the design, or the tree, has no such one."""
        function = self.tree.function(unit.c)
        if function is None:
            return None
        text, of_text = self._text(unit, frozenset(one for one in exceptions if one.kind in TEXT_KINDS))
        if text is None:
            return None
        code = self._code(unit, function, frozenset(one for one in exceptions if one.kind != "text"))
        used |= of_text | code.used
        tests = frozenset(self._words.table.tested)
        gaps = Comparison(code.nfa, text).gaps()
        found = tuple(
            _difference(unit, function, gap, tests) for gap in gaps if not _ends(gap, unit, exceptions, used)
        )
        return Compared(unit, function, found, code.read, code.unknown, code.unread)

    def _text(self, unit: Unit, exceptions: frozenset[Exemption]) -> tuple[Nfa | None, frozenset[Exemption]]:
        key = (unit, exceptions)
        if key not in self._text_graphs:
            used: set[Exemption] = set()
            made = self.texts.nfa(unit, exceptions, used)
            self._text_graphs[key] = made, frozenset(used)
        return self._text_graphs[key]

    def _code(self, unit: Unit, function: CFunction, exceptions: frozenset[Exemption]) -> _Code:
        key = (unit, exceptions)
        if key not in self._codes:
            machine = Machine(self._words, self.find, sorted(exceptions, key=str), unit.vmas)
            nfa = machine.nfa(function)
            self._codes[key] = _Code(
                nfa, frozenset(machine.used), tuple(machine.entered), machine.unknown, machine.unread
            )
        return self._codes[key]


def _ends(gap: Gap, unit: Unit, exceptions: Iterable[Exemption], used: set[Exemption]) -> bool:
    """Is it an end that one side alone has, and may have?"""
    if gap.letter != END:
        return False
    kind, name = ("c", unit.c) if gap.left else ("text", unit.text)
    excepted = [one for one in exceptions if one.kind == kind and one.what == END and one.concerns(name)]
    used.update(excepted[:1])
    return bool(excepted)


def _difference(unit: Unit, function: CFunction, gap: Gap, tests: frozenset[str]) -> Difference:
    last = gap.word[-1]
    direction: Direction = "only in the C" if gap.left else "only in the text"
    guard = last.letter.partition(" = ")[0] in tests
    path = tuple(edge.letter for edge in gap.word)
    return Difference(
        unit.c,
        unit.text,
        direction,
        path,
        last.function,
        last.where,
        function.line,
        gap.instead,
        guard,
        gap.behind,
    )


def audit(
    variant: Variant, root: str | Path, kernel: str | None = None, functions: Sequence[str] = (),
    told: Callable[[int, int], None] = lambda done, total: None,
) -> Audit:  # fmt: skip
    """Compare a design's texts with a tree's functions.

    ``kernel``: the release whose words and exceptions hold; by default the one that the variant names.
    ``functions``: only these.  Raises InputError, StrategyError.
    """
    release = kernel or variant.kernel
    words, units = words_for(release), units_for(release)
    auditor = Auditor(variant, Tree(root, words, units), words, units)
    return audit_with(auditor, variant.name, release, units, functions, told=told)


def audit_with(
    auditor: Auditor, name: str, release: str, units: Units, functions: Sequence[str] = (),
    needed: bool = True, told: Callable[[int, int], None] = lambda done, total: None,
) -> Audit:  # fmt: skip
    """The same with an auditor that is there; ``needed``: is each exception looked at for its need?"""
    exceptions = units.exemptions
    chosen = _chosen(auditor, units, functions)
    compared, of_use, untold = [], [], []
    for number, unit in enumerate(chosen):
        told(number, len(chosen))
        used: set[Exemption] = set()
        one = auditor.compare(unit, exceptions, used)
        if one is None:
            untold.append(unit.c)
            continue
        compared.append(one)
        of_use.append(used)
    told(len(chosen), len(chosen))
    if not compared:
        raise InputError(
            "the tree, or the design, has no such function",
            file=str(auditor.tree.root),
            key="--function" if functions else "--tree",
            expected=f"one of {', '.join(unit.c for unit in chosen)} in both",
        )
    used_ones, stale = [], []
    for entry in exceptions:
        places = [one for one, used in zip(compared, of_use, strict=True) if entry in used]
        if places and (not needed or any(_needs(auditor, one, exceptions, entry) for one in places)):
            used_ones.append(entry)
        elif not functions:
            stale.append(entry)
    lines = frozenset().union(*(auditor.texts.lines(one.unit) for one in compared))
    return Audit(name, release, tuple(compared), tuple(untold), tuple(used_ones), tuple(stale), len(lines))


def _needs(auditor: Auditor, one: Compared, exceptions: Iterable[Exemption], entry: Exemption) -> bool:
    """Is there a difference more without the exception?"""
    after = auditor.compare(one.unit, [other for other in exceptions if other is not entry], set())
    assert after is not None
    return {(d.direction, d.letter) for d in after.differences} != {
        (d.direction, d.letter) for d in one.differences
    }


def _chosen(auditor: Auditor, units: Units, functions: Sequence[str]) -> list[Unit]:
    if not functions:
        return units.unit
    chosen: list[Unit] = []
    for name in functions:
        found = [unit for unit in units.unit if name in (unit.c, unit.text)]
        if not found and name in units.inline:
            found = [unit for unit in units.unit if name in _entered(auditor, unit)]
        if not found:
            raise unknown("function", name, [unit.c for unit in units.unit] + units.inline, key="--function")
        chosen += [unit for unit in found if unit not in chosen]
    return chosen


def _entered(auditor: Auditor, unit: Unit) -> tuple[str, ...]:
    one = auditor.compare(unit, (), set())
    return one.read if one is not None else ()
