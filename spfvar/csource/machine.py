"""A C function as a graph of letters: what a path through it does, in the model's words.

Paths are followed with what is known on them: a variable that was set to a constant or tested, a condition
that was tested before.  So a path that tests the same thing twice does not go both ways.  What is not known
goes either way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from spfvar.csource.flow import (
    Assign,
    Choice,
    Jump,
    Return,
    Run,
    Test,
    graph_of,
)
from spfvar.csource.nfa import Nfa, build
from spfvar.csource.parse import CCall, CFunction
from spfvar.csource.prepared import ADDED, EQUAL, IS_ERROR, MASKED, Prepared, prepare
from spfvar.csource.units import Exemption, Kind
from spfvar.csource.words import Word, Words
from spfvar.errors import InputError
from spfvar.kernel.texts import Edge

#: More states than a function has that is worth comparing.
MAX_STATES: Final = 200_000
#: Nested calls of functions that are read as if they stood there.
MAX_DEPTH: Final = 16
#: Where a function's result is kept until its caller looks at it.
RETURNED: Final = "<returned>"
#: What an exception calls any error that is returned: "return -E".
ERROR: Final = "-E"

#: What is known of a value: false or true, or which number or error, or its VM_FAULT_* flags (none: zero).
Value = bool | frozenset[str]
Facts = frozenset[tuple[str, Value]]

_FLAGS: Final = re.compile(r"VM_FAULT_\w+(?: ?\| ?VM_FAULT_\w+)*")
#: A variable that a longer condition asks first.
_ALSO: Final = re.compile(r"(\w+) && ")
_WORDS: Final = re.compile(r"[A-Za-z_]\w*(?:(?:->|\.)\w+)*")
#: What is more than variables and constants: somebody else may change it, or a call say something else.
_ELSEWHERE: Final = re.compile(r"->|\.|\[|\*|\b(?!IS_ERR\()\w+\(")
_ERROR: Final = re.compile(r"(?:ERR_PTR\()?(-E[A-Z]+)\)?")
#: What a writer asks of its VMA again and again, and nothing changes.
_FILE: Final = "vma->vm_file"
#: Flags that stand for several.
_ALL: Final[Mapping[str, frozenset[str]]] = {
    "VM_FAULT_ERROR": frozenset(
        (
            "VM_FAULT_OOM",
            "VM_FAULT_SIGBUS",
            "VM_FAULT_SIGSEGV",
            "VM_FAULT_HWPOISON",
            "VM_FAULT_HWPOISON_LARGE",
            "VM_FAULT_FALLBACK",
        )
    )
}


def flags_of(text: str) -> frozenset[str]:
    """VM_FAULT_* flags that a text names."""
    names = [name.strip() for name in text.split("|")]
    return frozenset().union(*(_ALL.get(name, frozenset((name,))) for name in names))


def constant(text: str) -> Value | None:
    """What a text that is a constant is worth; None if it is none."""
    if text in ("0", "false", "NULL"):
        return False
    if text == "true" or re.fullmatch(r"&\w+", text):
        return True
    if text.isdigit():
        return frozenset((text,)) if int(text) > 0 else False
    error = _ERROR.fullmatch(text)
    if error is not None:
        return frozenset((error[1],))
    return flags_of(text) if _FLAGS.fullmatch(text) else None


@dataclass(frozen=True, slots=True)
class _Frame:
    """A function that is being followed: where, what is known, and where its result goes in its caller."""

    function: str
    node: int
    facts: Facts


_Stack = tuple[_Frame, ...]
#: Functions that are being followed, and steps that are still to be shown before they go on.
_State = tuple[_Stack, tuple[Edge, ...]]
#: What a node shows, and where it leads.
_Way = tuple[tuple[Edge, ...], _Stack]


class Machine:
    """Follows functions of a tree; ``find`` gives those that are read as if they stood where called."""

    def __init__(
        self, words: Words, find: Callable[[str], CFunction | None], exceptions: Iterable[Exemption] = (),
        vmas: str = "",
    ) -> None:  # fmt: skip
        self._vmas = vmas
        self._words = words
        self._find = find
        self._exceptions = tuple(exceptions)
        self._about: dict[tuple[tuple[Kind, ...], str], list[Exemption]] = {}
        self._prepared: dict[str, Prepared] = {}
        self._lasting: dict[str, bool] = {}
        #: Exceptions that were of use, calls that no word is known of, functions that are no C in part, and
        #: functions that were read.
        self.used: set[Exemption] = set()
        self.unknown: dict[str, str] = {}
        self.unread: dict[str, str] = {}
        self.entered: dict[str, CFunction] = {}

    def nfa(self, function: CFunction) -> Nfa:
        """The function's graph of letters.  Raises InputError if it is too large."""
        self._enter(function)
        entry = self._prepared[function.name].graph.entry
        start: _State = ((_Frame(function.name, entry, frozenset()),), ())
        made = build([start], self._expand, MAX_STATES)
        if made is None:
            raise InputError(
                f"{function.name} has more than {MAX_STATES} states", file=function.file, line=function.line
            )
        return made

    def _enter(self, function: CFunction) -> None:
        if function.name not in self._prepared:
            graph = graph_of(function, self._is_word, self._words.options, self._vmas == "one")
            self._prepared[function.name] = prepare(graph, self._words)
            self.entered[function.name] = function
            if function.body.has_error:
                self.unread[function.name] = f"{function.file}:{function.line}"

    def _is_word(self, text: str) -> bool:
        return self._words.condition(text).kind == "primitive"

    # --- one step --------------------------------------------------------------------------------

    def _expand(self, state: _State) -> Iterator[tuple[Edge | None, _State]]:
        stack, pending = state
        if pending:
            yield pending[0], (stack, pending[1:])
            if pending[0].letter in self._words.many:  # any number of times, or not at all
                yield pending[0], state
                yield None, (stack, pending[1:])
            return
        for edges, further in self._step(stack):
            if any(self._is_cut(stack, edge.letter) for edge in edges):
                yield None, state  # for ever: no end is reached
                continue
            shown = tuple(edge for edge in edges if not self._hidden(stack, edge.letter))
            yield (shown[0], (further, shown[1:])) if shown else (None, (further, ()))
            if shown and shown[0].letter in self._words.many:
                yield shown[0], state
                yield None, (further, shown[1:])

    def _step(self, stack: _Stack) -> Iterator[_Way]:
        frame = stack[-1]
        node = self._prepared[frame.function].graph.nodes[frame.node]
        if isinstance(node, Run | Test) and node.call is not None and self._is_cut(stack, node.call.name):
            yield (), stack  # for ever: no end is reached
        elif isinstance(node, Return):
            yield from self._return(stack, node)
        elif isinstance(node, Jump):
            yield (), self._at(stack, node.next)
        elif isinstance(node, Choice):
            for way in node.ways:
                yield (), self._at(stack, way)
        elif isinstance(node, Assign):
            yield from self._assign(stack, node)
        elif isinstance(node, Run):
            yield from self._run(stack, node.call, node)
        elif node.call is not None:
            yield from self._test_of_call(stack, node, node.call)
        else:
            yield from self._test(stack, node)

    def _at(self, stack: _Stack, node: int, facts: Facts | None = None) -> _Stack:
        frame = stack[-1]
        live = self._prepared[frame.function].live[node]
        known = frame.facts if facts is None else facts
        step = self._words.table.steps.get(frame.function)
        if step is not None:  # only its locks are compared: what matters is which page table was there
            known = frozenset(fact for fact in known if step and fact[0].isidentifier())
        again = (frame.node, node) in self._prepared[frame.function].back  # the next round asks again
        if self._vmas or again:
            known = frozenset(
                fact for fact in known if self._lasts(fact[0]) or not _ELSEWHERE.search(fact[0])
            )
        kept = frozenset(fact for fact in known if fact[0] in live or self._lasts(fact[0]))
        return (*stack[:-1], _Frame(frame.function, node, kept))

    def _lasts(self, text: str) -> bool:
        """Is it about what no function of a fault changes, so that another one may ask again?"""
        if text not in self._lasting:
            table = self._words.table
            stable = any(name in text for name in table.stable) if not self._vmas else text == _FILE
            self._lasting[text] = stable and _variables(text) <= frozenset(table.context)
        return self._lasting[text]

    def _in_step(self, stack: _Stack) -> bool:
        return stack[-1].function in self._words.table.steps

    def _edge(self, stack: _Stack, letter: str, line: int) -> Edge:
        function = self.entered[stack[-1].function]
        return Edge(letter, -1, function.name, f"{function.file}:{line}")

    def _edges(self, stack: _Stack, word: Word, line: int) -> tuple[Edge, ...]:
        return tuple(self._edge(stack, letter, line) for letter in word.letters)

    def _know(self, stack: _Stack, text: str, value: Value) -> _Stack:
        """With one fact more, if anybody may still ask for it."""
        frame = stack[-1]
        if text not in self._prepared[frame.function].live[frame.node]:
            return stack
        facts = frozenset(fact for fact in frame.facts if fact[0] != text) | {(text, value)}
        return (*stack[:-1], replace(frame, facts=facts))

    def _forgotten(self, stack: _Stack, into: str) -> _Stack:
        """Who is called writes through a pointer: its callers do not know any more what is there."""
        if "->" not in into:
            return stack
        frames, names = [stack[-1]], {into}
        for caller, callee in zip(reversed(stack[:-1]), reversed(stack[1:]), strict=True):
            given = self._given(caller, callee)
            for name in tuple(names):
                base, _, rest = name.partition("->")
                if arg := given.get(base):
                    names.add(f"{arg}->{rest}")
            facts = caller.facts
            for name in names:
                facts = self._written(facts, name, None)
            frames.append(replace(caller, facts=facts))
        return tuple(reversed(frames))

    def _given(self, caller: _Frame, callee: _Frame) -> dict[str, str]:
        """The callee's parameters, and what its caller gave for each."""
        node = self._prepared[caller.function].graph.nodes[caller.node]
        assert isinstance(node, Run | Test)
        assert node.call is not None
        return dict(zip(self.entered[callee.function].parameters, node.call.args, strict=False))

    def _assign(self, stack: _Stack, node: Assign) -> Iterator[_Way]:
        if node.value is not None and self._words.table.same.get(node.value) == node.into:
            yield (), self._at(stack, node.next)  # it is that anyway
            return
        facts = self._written(
            stack[-1].facts, node.into, None if node.value is None else self._value(stack, node.value)
        )
        yield (
            self._edges(stack, self._words.store(node.into, node.value), node.line),
            self._at(self._forgotten(stack, node.into), node.next, facts),
        )

    def _return(self, stack: _Stack, node: Return) -> Iterator[_Way]:
        value = (
            dict(stack[-1].facts).get(RETURNED) if node.value == RETURNED else self._value(stack, node.value)
        )
        names = value if isinstance(value, frozenset) and not self._in_step(stack) else ()
        kinds = {ERROR if name.startswith("-") else name for name in names}
        if any(self._is_cut(stack, f"return {name}") for name in (node.value, *sorted(kinds))):
            yield (), stack  # for ever: no end is reached
            return
        if len(stack) == 1:
            return
        yield from self._came_back(self._learned(stack), value)

    def _learned(self, stack: _Stack) -> _Stack:
        """The caller's frame, with what the callee has found out about variables that it was given."""
        caller, callee = stack[-2], stack[-1]
        given, written = self._given(caller, callee), self._prepared[callee.function].written
        facts, found = caller.facts, dict(callee.facts)
        for parameter, arg in given.items():
            known_here = parameter in found and parameter not in written
            if known_here and arg.isidentifier() and not arg.isupper():
                facts = frozenset(fact for fact in facts if fact[0] != arg) | {(arg, found[parameter])}
        others = {parameter for parameter, arg in given.items() if parameter != arg}  # as the caller has it
        for text, known in found.items():
            if self._lasts(text) and _variables(text).isdisjoint(others):
                facts = frozenset(fact for fact in facts if fact[0] != text) | {(text, known)}
        return (*stack[:-2], replace(caller, facts=facts))

    def _came_back(self, stack: _Stack, value: Value | None) -> Iterator[_Way]:
        """The caller goes on with a result."""
        node = self._prepared[stack[-1].function].graph.nodes[stack[-1].node]
        if isinstance(node, Run):
            yield from self._resulted(stack, node, value)
        elif isinstance(node, Test):
            if value is None or value:
                yield (), self._at(stack, node.yes)
            if not value:
                yield (), self._at(stack, node.no)

    def _resulted(self, stack: _Stack, node: Run, value: Value | None) -> Iterator[_Way]:
        facts = self._written(stack[-1].facts, node.into, value) if node.into else stack[-1].facts
        yield (
            self._edges(stack, self._words.store(node.into), node.call.line),
            self._at(self._forgotten(stack, node.into), node.next, facts),
        )

    # --- calls -----------------------------------------------------------------------------------

    def _run(self, stack: _Stack, call: CCall, node: Run) -> Iterator[_Way]:
        function = stack[-1].function
        callee = self._callee(call, stack)
        if callee is not None:
            yield (), self._called(stack, call, callee)
            return
        word = self._classified(function, call)
        assumed = self._assumed(stack, f"{call.name}()")
        after = self._after_call(stack, call, word)
        if word.tested:
            for outcome in (True, False):
                value = outcome != word.negated
                if assumed is None or bool(assumed) == value:
                    shown = self._edge(stack, f"{word.letters[0]} = {int(outcome)}", call.line)
                    for stores, further in self._resulted(after, node, value):
                        yield (shown, *stores), self._know(further, f"IS_ERR({node.into})", not value)
            return
        for stores, further in self._resulted(after, node, assumed):
            yield (*self._edges(stack, word, call.line), *stores), further

    def _test_of_call(self, stack: _Stack, node: Test, call: CCall) -> Iterator[_Way]:
        function = stack[-1].function
        assumed = self._assumed(stack, node.text)
        if assumed is None:
            assumed = self._assumed(stack, f"{call.name}()")
        callee = self._callee(call, stack) if assumed is None else None
        if callee is not None:
            yield (), self._called(stack, call, callee)
            return
        word = self._classified(function, call)
        if word.tested:
            once = word.letters[0] in self._words.table.once
            if once and assumed is None and node.text in dict(stack[-1].facts):
                yield from self._either(stack, node, bool(dict(stack[-1].facts)[node.text]), None)
                return
            for outcome in (True, False):
                value = outcome != word.negated
                if assumed is None or assumed == value:
                    shown = self._edge(stack, f"{word.letters[0]} = {int(outcome)}", call.line)
                    for _, further in self._either(stack, node, value, node.text if once else None):
                        yield (shown,), further
            return
        if word.letters:
            for _, further in self._either(self._after_call(stack, call, word), node, assumed, None):
                yield self._edges(stack, word, call.line), further
        else:
            known = assumed if assumed is not None else self._value(stack, node.text)
            yield from self._either(stack, node, None if known is None else bool(known), node.text)

    def _either(self, stack: _Stack, node: Test, known: bool | None, fact: str | None) -> Iterator[_Way]:
        for value, to in ((True, node.yes), (False, node.no)):
            if known is None or known == value:
                facts = stack[-1].facts
                if fact is not None:
                    facts = frozenset(one for one in facts if one[0] != fact) | {(fact, value)}
                yield (), self._at(stack, to, facts)

    def _test(self, stack: _Stack, node: Test) -> Iterator[_Way]:
        word = self._words.within(stack[-1].function, self._words.condition(node.text))
        if word.letters:
            assumed = self._assumed(stack, node.text)
            for outcome in (True, False):
                value = outcome != word.negated
                if assumed is None or assumed == value:
                    shown = self._edge(stack, f"{word.letters[0]} = {int(outcome)}", node.line)
                    further = self._at(stack, node.yes if value else node.no)
                    asked = _ALSO.match(node.text)
                    yield (shown,), self._know(further, asked[1], True) if asked and value else further
            return
        value_of: Value | None = self._assumed(stack, node.text) if self._in_step(stack) else None
        if value_of is None:
            value_of = self._value(stack, node.text)
        known = None if value_of is None else bool(value_of)
        fact = node.text
        if known is not None and dict(stack[-1].facts).get(fact):
            yield (), self._at(stack, node.yes if known else node.no)  # what is known in more detail stays so
            return
        yield from self._either(stack, node, known, fact)

    def _classified(self, function: str, call: CCall) -> Word:
        classes = self._prepared[function].locks
        word = self._words.classify(call.name, [classes.get(arg, arg) for arg in call.args])
        if word.kind == "unknown":
            self.unknown.setdefault(call.name, f"{self.entered[function].file}:{call.line}")
        return self._words.within(function, word)

    def _callee(self, call: CCall, stack: _Stack) -> CFunction | None:
        if any(frame.function == call.name for frame in stack) or len(stack) >= MAX_DEPTH:
            return None
        return self._find(call.name)

    def _called(self, stack: _Stack, call: CCall, callee: CFunction) -> _Stack:
        self._enter(callee)
        facts: set[tuple[str, Value]] = set()
        same = set()
        for parameter, arg in zip(callee.parameters, call.args, strict=False):
            value = self._value(stack, arg)
            if value is not None and parameter:
                facts.add((parameter, value))
            if parameter == arg:
                same.add(parameter)
        shared = same | (frozenset(self._words.table.context) - frozenset(callee.parameters))
        for text, value in stack[-1].facts:  # what is known of something that has the same name there
            names = _variables(text)
            if names and names <= shared:
                facts.add((text, value))
        prepared = self._prepared[callee.name]
        entry = prepared.graph.entry
        known = frozenset(fact for fact in facts if fact[0] in prepared.live[entry] or self._lasts(fact[0]))
        after = self._after_call(stack, call, Word("unknown"))
        return (*after, _Frame(callee.name, entry, known))

    def _after_call(self, stack: _Stack, call: CCall, word: Word) -> _Stack:
        """What a call may have changed is not known any more: what its arguments point to."""
        facts = stack[-1].facts
        for arg in call.args:
            if arg.startswith("&"):
                facts = self._written(facts, arg[1:], None)
            elif word.kind == "hook" and arg.isidentifier():
                stable = self._words.table.stable
                facts = frozenset(
                    (text, value) for text, value in facts
                    if f"{arg}->" not in text or any(name in text for name in stable)
                )  # fmt: skip
        return (*stack[:-1], _Frame(stack[-1].function, stack[-1].node, facts))

    # --- facts -----------------------------------------------------------------------------------

    def _value(self, stack: _Stack, text: str) -> Value | None:
        """What is known of an expression."""
        facts = dict(stack[-1].facts)
        fixed = constant(text)
        if fixed is None:
            fixed = facts.get(text)
        if fixed is None:
            fixed = self._assumed(stack, text)
        if fixed is not None:
            return fixed
        equal = EQUAL.fullmatch(text)
        if (
            equal is not None
            and isinstance(known := facts.get(equal[1]), frozenset | bool)
            and known is not True
        ):
            return known == constant(equal[2])
        asked = IS_ERROR.fullmatch(text)
        if asked is not None and (known := facts.get(asked[1] or asked[2])) is not None and known is not True:
            return any(name.startswith("-") for name in known or ())
        more = ADDED.fullmatch(text)
        if more is not None and (before := facts.get(more[1])) is not None and before is not True:
            return flags_of(more[2]) | (before or frozenset())
        masked = MASKED.fullmatch(text)
        if masked is not None and masked[1] in facts:
            value = facts[masked[1]]
            if isinstance(value, frozenset):
                return bool(value & flags_of(masked[2]))
            return None if value else False
        return None

    @staticmethod
    def _written(facts: Facts, into: str, value: Value | None) -> Facts:
        pattern = re.compile(rf"(?<![\w>.]){re.escape(into)}(?!\w)")
        kept = {(text, known) for text, known in facts if not pattern.search(text)}
        return frozenset(kept if value is None else kept | {(into, value)})

    # --- exceptions ------------------------------------------------------------------------------

    def _assumed(self, stack: _Stack, text: str) -> bool | None:
        """What a condition is taken to be, or what a call gives ("name()")."""
        known = self._words.table.results.get(text.removesuffix("()"))
        if known is not None:
            return known
        entry = self._excepted(stack, ("always", "never"), text)
        return None if entry is None else entry.kind == "always"

    def _is_cut(self, stack: _Stack, name: str) -> bool:
        return self._excepted(stack, ("cut",), name) is not None

    def _hidden(self, stack: _Stack, letter: str) -> bool:
        return self._excepted(stack, ("both", "c"), letter) is not None

    def _excepted(self, stack: _Stack, kinds: tuple[Kind, ...], text: str) -> Exemption | None:
        """The first exception that is about a condition, a call or a letter, here; it is of use then."""
        if (kinds, text) not in self._about:
            self._about[kinds, text] = [
                one for one in self._exceptions
                if one.kind in kinds and (one.hides(text, "c") if "c" in kinds else one.means(text))
            ]  # fmt: skip
        about = self._about[kinds, text]
        names = _names(stack) if about else ()
        found = next((entry for entry in about if entry.concerns(*names)), None)
        if found is not None:
            self.used.add(found)
        return found


def _variables(text: str) -> set[str]:
    """The variables that an expression begins from."""
    names = {name.partition("->")[0].partition(".")[0] for name in _WORDS.findall(text)}
    return {name for name in names if name.islower() and f"{name}(" not in text}


def _names(stack: _Stack) -> tuple[str, ...]:
    """What an exception may call the place.

    The function, or with who calls it ("callee<caller"), or one that it is read into ("caller*").
    """
    function = stack[-1].function
    within = tuple(f"{frame.function}*" for frame in stack)
    return (function, f"{function}<{stack[-2].function}", *within) if len(stack) > 1 else (function, *within)
