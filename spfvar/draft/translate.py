"""Statements of C as the text of a hook point, by tables of words; what is in none is a TODO that runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from spfvar.draft.calls import Calls, Came, Role
from spfvar.draft.code import If, Line, Node, joined, negated, simplified, unwrapped
from spfvar.draft.known import Known
from spfvar.draft.tree import Expression, Statement
from spfvar.draft.words import normal

#: Variables that functions of the fault path keep their result in.
RESULTS: Final = ("ret", "fault")
_LONGEST: Final = 48
_FLAG: Final = re.compile(r"flags & FAULT_FLAG_([A-Z_]+)\Z")
_LOCAL: Final = re.compile(r"[a-z_]\w*\Z")
#: A field of the fault itself: no other thread sees it.
_OWN: Final = re.compile(r"\*?vmf(?:->|\.)\w+\Z")
#: A test that does something besides.
_HAS_EFFECT: Final = re.compile(r"yield (?:from|\w*trylock|\w+_get_)")
#: How results are put together and taken apart.
_BITS: Final = ("|", "&")
_NULL: Final = ("NULL", "0", "false")


@dataclass(frozen=True, slots=True)
class Found:
    """A statement or test of the patch, and what came of it: ``why`` of a TODO."""

    at: int
    text: str
    came: Came
    why: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """What is known at a place of the text.

    ``ran``: the text below has run; ``result``: the variable that has the function's result, "" before there
    is one; ``names`` are C's variables whose outcome a variable of the same name has.
    """

    ran: bool = False
    result: str = ""
    names: frozenset[str] = frozenset()


Tail = Callable[[State], list[Node]]
#: A label, and what follows it.
Labels = dict[str, tuple[tuple[Statement, ...], Tail]]


@dataclass
class Translator:
    """Writes one text.  ``found`` has every statement and test that it came by, in order of appearance."""

    known: Known
    role: Role
    function: str
    helpers: dict[str, tuple[Statement, ...]] = field(default_factory=dict)
    found: dict[tuple[int, str], Found] = field(default_factory=dict)
    _going: list[str] = field(default_factory=list)
    calls: Calls = field(init=False)

    def __post_init__(self) -> None:
        self.calls = Calls(self.known, self.role)

    def text(self, statements: Sequence[Statement]) -> list[Node]:
        """The body of the method."""
        return simplified(self._sequence(tuple(statements), State(), self._falls_off, {}))

    def steps(self, statements: Sequence[Statement]) -> list[Node]:
        """What statements do, without what follows them."""
        return self._sequence(tuple(statements), State(), lambda _: [], {})

    def behind(self, statements: Sequence[Statement], result: str) -> list[Node]:
        """The body of a method that runs the text below first; ``result``: C's variable for its result."""
        if self.role.hook.kind == "nothing":
            ran = State(ran=True)
            return [Line("yield from below", 0), *self._sequence(tuple(statements), ran, lambda _: [], {})]
        pair = ", vmf" if self.role.hook.kind == "pair" else ""
        ran = State(True, result, frozenset({result}))
        end: Node = Line(f"return {result}{pair}", 0)
        return [
            Line(f"{result}{pair} = yield from below", 0),
            *self._sequence(tuple(statements), ran, lambda _: [], {}), end,
        ]  # fmt: skip

    # --- statements ------------------------------------------------------------------------------

    def _sequence(
        self, statements: tuple[Statement, ...], state: State, tail: Tail, labels: Labels
    ) -> list[Node]:
        here = {
            one.name: (statements[i + 1 :], tail) for i, one in enumerate(statements) if one.kind == "label"
        }
        labels = labels | here
        if not statements:
            return tail(state)
        if (count := self._is_below(statements)) and not state.ran:
            first = statements[0]
            self._note(first, first.text, "translated")
            nodes, state = self._run_below(first, state)
            return nodes + self._sequence(statements[count:], state, tail, labels)
        first, rest = statements[0], statements[1:]

        def go_on(after: State) -> list[Node]:
            return self._sequence(rest, after, tail, labels)

        if first.kind == "if":
            return self._if(first, state, go_on, labels)
        if first.kind == "return":
            return self._return(first, state)
        if first.kind == "goto":
            return self._goto(first, state, labels)
        if first.kind in ("loop", "switch"):
            return self._loop(first, state, go_on, labels)
        if first.kind == "other":
            return [self._todo(first), *go_on(state)]
        if first.value is None:  # a label, or a declaration without a value
            return go_on(state)
        if first.kind == "expression" and first.value.kind == "call":
            inner = self.helpers.get(first.value.name)
            if inner is not None and first.value.name not in self._going:
                self._going.append(first.value.name)
                nodes = self._sequence(inner, state, go_on, labels)
                self._going.pop()
                return nodes
        nodes, state = self._effect(first, first.value, state)
        return nodes + go_on(state)

    def _is_below(self, statements: Sequence[Statement]) -> int:
        """How many of these statements are what the text below is in the place of."""
        below = self.role.below
        texts = [normal(statement.text) for statement in statements[: len(below)]]
        return len(below) if below and texts == list(below) else 0

    def _run_below(self, first: Statement, state: State) -> tuple[list[Node], State]:
        if self.role.hook.kind == "nothing":
            return [Line("yield from below", first.at)], replace(state, ran=True)
        target = "ret, vmf" if self.role.hook.kind == "pair" else "ret"
        ran = replace(state, ran=True, result="ret", names=state.names | {"ret"})
        return [Line(f"{target} = yield from below", first.at)], ran

    def _if(self, statement: Statement, state: State, go_on: Tail, labels: Labels) -> list[Node]:
        assert statement.value is not None
        if self.role.around and self.calls.is_below(statement.value) and not state.ran:
            self._note(statement, statement.value.text, "translated")
            return [self._return_below(statement)]
        before = dict(self.found)
        nodes, test, state = self._test(statement, statement.value, state)
        if test in ("True", "False"):
            arm = statement.body if test == "True" else statement.orelse
            return nodes + self._sequence(arm, state, go_on, labels)
        ends: list[State] = []

        def join(after: State) -> list[Node]:
            ends.append(after)
            return []

        then = self._sequence(statement.body, state, join, labels)
        orelse = self._sequence(statement.orelse, state, join, labels)
        if not then and not orelse:
            self.found = before | {k: v for k, v in self.found.items() if v.came == "silent"}
            self._note(statement, statement.value.text, "silent")
            if _HAS_EFFECT.search(test) and "todo(" not in test:
                nodes.append(If(test, (Line("pass", 0),), (), statement.at))
            return nodes + go_on(self._met(ends) or state)
        if not ends:
            return [*nodes, If(test, tuple(then), tuple(orelse), statement.at)]
        met = self._met(ends)
        if met is not None:
            return [*nodes, If(test, tuple(then), tuple(orelse), statement.at), *go_on(met)]
        arms = [self._sequence(arm, state, go_on, labels) for arm in (statement.body, statement.orelse)]
        return [*nodes, If(test, tuple(arms[0]), tuple(arms[1]), statement.at)]

    def _met(self, ends: Sequence[State]) -> State | None:
        """The state where several ways meet; None if what follows depends on the way."""
        first = ends[0]
        if any(one.result != first.result for one in ends):
            return None
        if not first.result and any(one.ran != first.ran for one in ends):
            return None
        names = frozenset.intersection(*(one.names for one in ends))
        return State(any(one.ran for one in ends), first.result, names)

    def _goto(self, statement: Statement, state: State, labels: Labels) -> list[Node]:
        if statement.name in labels and statement.name not in self._going:
            after, tail = labels[statement.name]
            self._going.append(statement.name)
            nodes = self._sequence(after, state, tail, labels)
            self._going.pop()
            self._note(statement, statement.text, "translated")
            return nodes
        result = state.result or next((name for name in RESULTS if name in state.names), "")
        if result:
            self._note(statement, statement.text, "translated")
            return [self._return_result(statement.at, replace(state, result=result))]
        return [self._todo(statement, "where does it go on"), *self._falls_off(state)]

    def _loop(self, statement: Statement, state: State, go_on: Tail, labels: Labels) -> list[Node]:
        """Any number of passes, also none."""
        body = self._sequence(statement.body, state, lambda _: [], labels)
        if not body:
            if statement.value is not None and self.calls.acts(statement.value):
                return [self._todo(statement, f"{statement.kind}: how often"), *go_on(state)]
            self._note(statement, statement.text, "silent")
            return go_on(state)
        name = f"line_{statement.at}"
        word = "another pass" if statement.kind == "loop" else "a case"
        self._note(statement, statement.text, "TODO", f"{statement.kind}: how often")
        test = f'(yield todo("{word}, line {statement.at}", False, True))'
        if statement.kind == "switch":
            return [If(test, tuple(body), (), statement.at), *go_on(state)]
        again = Line(f'yield again("{name}")', statement.at)
        return [
            Line(f'yield loop("{name}")', statement.at), If(test, (*body, again), (), statement.at),
            *go_on(state),
        ]  # fmt: skip

    def _return(self, statement: Statement, state: State) -> list[Node]:
        value = statement.value
        if value is None:
            self._note(statement, statement.text, "translated")
            if self.role.hook.kind == "nothing":
                return [Line("return", statement.at)]
            return [self._return_result(statement.at, state)] if state.result else self._falls_off(state)
        if self.calls.is_below(value) and not state.ran:
            self._note(statement, statement.text, "translated")
            return [self._return_below(statement)]
        if value.text in state.names:
            self._note(statement, statement.text, "translated")
            return [self._return_result(statement.at, replace(state, result=value.text))]
        is_open = value.text != state.result and not state.ran and not self.role.alone
        if is_open and _LOCAL.match(value.text):
            self._note(statement, statement.text, "translated")  # what the function has there is not known
            return self._falls_off(state)
        nodes, python, state = self._value(statement, value, state)
        if python is None:
            note = self._todo(statement, "what does it return")
            known = state.result if value.text == state.result else ""  # it has what it had on some way
            return [*nodes, note, *self._falls_off(replace(state, result=known))]
        self._note(statement, statement.text, "translated")
        return [*nodes, Line(f"return {self._as_result(python)}", statement.at)]

    def _as_result(self, python: str) -> str:
        """A value as the hook point returns it."""
        kind = self.role.hook.kind
        if self.calls.is_pair(python):
            return python if kind == "pair" else f"{python}[0]"
        if kind == "pair":
            return f"({python}), vmf" if " " in python and not python.startswith("(") else f"{python}, vmf"
        if kind == "truth":
            return {"VMFault.NONE": "False", "0": "False", "1": "True"}.get(
                python, "False" if python.startswith("VMFault.") else python
            )
        return python

    def _return_below(self, statement: Statement) -> Line:
        return Line("return (yield from below)", statement.at)

    def _return_result(self, at: int, state: State) -> Line:
        name = state.result
        if name in RESULTS or self.role.value != name:
            both = f"{name}, vmf" if self.role.hook.kind == "pair" else name
            return Line(f"return {both}" if self.role.hook.kind != "nothing" else "return", at)
        true, false = self.known.table.truths.get(self.role.hook.name, ("", ""))
        return Line(f"return {true} if {name} else {false}" if true else f"return {name}", at)

    def _falls_off(self, state: State) -> list[Node]:
        """The end of what the patch has there."""
        kind = self.role.hook.kind
        if state.result and (state.ran or self.role.below or self.role.around or self.role.alone):
            return [] if kind == "nothing" else [self._return_result(0, state)]
        if self.role.around and not state.ran:
            done = {"fault": "VMFault.NONE", "pair": "VMFault.NONE, vmf", "truth": "True"}.get(kind)
            return [Line(f"return {done}", 0)] if done is not None else []
        if state.ran or self.role.alone or (self.role.replaces and kind == "nothing"):
            return []
        return [Line("yield from below" if kind == "nothing" else "return (yield from below)", 0)]

    def _effect(self, statement: Statement, value: Expression, state: State) -> tuple[list[Node], State]:
        """A call or an assignment for its effect."""
        python = self.known.table.statements.get(normal(value.text))
        if python is not None:
            self._note(statement, statement.text, "translated")
            return [Line(python, statement.at)], state
        if value.kind == "assign" and value.name == "=":
            return self._assignment(statement, value.parts[0].text, value.parts[1], state)
        if value.kind in ("assign", "update"):
            return self._compound(statement, value, state)
        if value.kind != "call":
            return [self._todo(statement)], state
        if self.calls.is_below(value) and not state.ran:
            self._note(statement, statement.text, "translated")
            if self.role.around:
                return [self._return_below(statement)], replace(state, ran=True)
            return self._run_below(statement, state)
        python, came = self.calls.call(value)
        nodes = self._done_by(statement, _evaluated(value), told=came == "TODO")
        if came == "TODO":
            nodes.append(self._todo(statement))
        else:
            known, _ = self.calls.done_by(_evaluated(value))
            self._note(statement, statement.text, "translated" if known else came)
        if python is None:
            return nodes, state
        return [*nodes, Line(f"yield {python}", statement.at)], state

    def _assignment(
        self, statement: Statement, target: str, value: Expression, state: State
    ) -> tuple[list[Node], State]:
        name = self.calls.variable(target)
        if self.calls.is_below(value) and not state.ran:
            self._note(statement, statement.text, "translated")
            if self.role.around:
                return [self._return_below(statement)], replace(state, ran=True)
            return self._run_below(statement, state)
        nodes, python, state = self._value(statement, value, state)
        if python is None:
            if not any(True for _ in value.calls()) and (_LOCAL.match(target) or _OWN.match(target)):
                self._note(statement, statement.text, "silent")
                return nodes, replace(state, names=state.names - {name})
            return [*nodes, self._todo(statement)], replace(state, names=state.names - {name})
        if not name:
            is_inside = _OWN.match(target) or (python == "" and _LOCAL.match(target))
            came: Came = "silent" if is_inside else "TODO"
            if "yield" in python:
                self._note(statement, statement.text, "translated")
                return [*nodes, Line(unwrapped(python), statement.at)], state
            if came == "TODO":
                return [*nodes, self._todo(statement)], state
            self._note(statement, statement.text, came)
            return nodes, state
        if python == "":
            self._note(statement, statement.text, "silent")
            return nodes, replace(state, names=state.names - {name})
        self._note(statement, statement.text, "translated")
        plain = unwrapped(python) if python.startswith("(yield") else python
        is_result = statement.kind != "declaration" and name in (self.role.value, *RESULTS)
        after = replace(
            state, names=state.names | {name}, result=name if is_result and python else state.result
        )
        both = f"{name}, vmf" if self.calls.is_pair(plain) else name
        return [*nodes, Line(f"{both} = {plain}", statement.at)], after

    def _compound(self, statement: Statement, value: Expression, state: State) -> tuple[list[Node], State]:
        """An assignment that computes with what its variable has."""
        target, sign = value.parts[0].text, value.name[:-1]
        right = value.parts[1] if value.kind == "assign" else None
        if right is not None and self.calls.is_below(right) and not state.ran:
            if target not in state.names or self.role.around or self.role.hook.kind != "fault":
                lost = self._todo(statement, "what the variable had before")
                nodes, state = self._assignment(statement, target, right, state)
                return [lost, *nodes], state
            self._note(statement, statement.text, "translated")
            both = f"{target} = {target} {sign} (yield from below)"
            return [Line(both, statement.at)], replace(state, ran=True, result=target)
        is_result = target in (self.role.value, state.result, *RESULTS)
        if right is not None and target in state.names and sign in _BITS:
            nodes, python, after = self._bits(statement, right, sign, state)
            if python is not None:
                self._note(statement, statement.text, "translated")
                line = Line(f"{target} = {target} {sign} {python}", statement.at)
                return [*nodes, line], replace(after, result=target if is_result else after.result)
            is_result = is_result or "VM_FAULT_" in right.text or right.text in state.names
        else:
            is_result = False  # nobody counts in a result
        after = replace(state, names=state.names - {target})  # what it has now is open
        is_inside = _LOCAL.match(target) or _OWN.match(target)
        if is_inside and not is_result and (right is None or not self.calls.acts(right)):
            self._note(statement, statement.text, "silent")
            return [], after
        nodes = [] if right is None else self._done_by(statement, (right,), told=True)
        return [*nodes, self._todo(statement)], after

    def _bits(
        self, statement: Statement, right: Expression, sign: str, state: State
    ) -> tuple[list[Node], str | None, State]:
        """Steps, then what a result is put together with; None: not known."""
        if right.text in state.names:
            return [], right.text, state
        if right.kind == "call":
            nodes, python, after = self._value(statement, right, state)
            is_one = python is not None and python.startswith("(yield") and not self.calls.is_pair(python)
            return (nodes, python, after) if is_one and self.calls.is_told(right) else ([], None, state)
        inverse = right.text.startswith("~") and len(right.parts) == 1
        constant = self.calls.constant(right.parts[0] if inverse else right)
        if constant is None or self.role.hook.kind not in ("fault", "pair"):
            return [], None, state
        constant = f"({constant})" if "|" in constant and (inverse or sign == "&") else constant
        return [], f"~{constant}" if inverse else constant, state

    def _done_by(self, statement: Statement, values: Sequence[Expression], told: bool = False) -> list[Node]:
        """The calls in expressions as steps; ``told``: a TODO of the statement names the unknown ones."""
        steps, unknown = self.calls.done_by(values)
        nodes: list[Node] = [Line(f"yield {python}", statement.at) for python in steps]
        return nodes if told else [*nodes, *(self._open(statement, text) for text in unknown)]

    # --- values ----------------------------------------------------------------------------------

    def _value(
        self, statement: Statement, value: Expression, state: State
    ) -> tuple[list[Node], str | None, State]:
        """Steps, then the value in Python; None: not known, "": of no interest to the model."""
        text = value.text
        if (constant := self.calls.constant(value)) is not None:
            return [], constant, state
        if text in ("true", "false"):
            return [], text.capitalize(), state
        if text in state.names:
            return [], text, state
        if value.kind == "choice" and len(value.parts) == 3:
            nodes, test, state = self._test(statement, value.parts[0], state)
            arms = [self._value(statement, part, state) for part in value.parts[1:]]
            if all(python and not steps for steps, python, _ in arms):
                return nodes, f"{arms[0][1]} if {test} else {arms[1][1]}", state
            return nodes, None, state
        if value.kind == "call":
            returned = self.known.table.returns.get(self.role.hook.name, {}).get(value.name)
            if returned is not None and returned in state.names | {"pte"}:
                return [], returned, state
            python, came = self.calls.call(value)
            nodes = self._done_by(statement, _evaluated(value), told=came == "TODO")
            if came == "TODO":
                return nodes, None, state
            return nodes, "" if python is None else f"(yield {python})", state
        if value.kind in ("not", "and", "or", "compare") and self.role.hook.kind == "truth":
            nodes, test, state = self._test(statement, value, state)
            return nodes, test, state
        return [], None, state

    # --- tests -----------------------------------------------------------------------------------

    def _test(self, statement: Statement, value: Expression, state: State) -> tuple[list[Node], str, State]:
        """A condition in Python, each of its parts noted for itself."""
        if value.kind == "not":
            nodes, test, state = self._test(statement, value.parts[0], state)
            return nodes, {"True": "False", "False": "True"}.get(test) or negated(test), state
        if value.kind in ("and", "or") and len(value.parts) == 2:
            word = value.kind
            stop, neutral = ("False", "True") if word == "and" else ("True", "False")
            nodes, left, state = self._test(statement, value.parts[0], state)
            if left == stop:
                return nodes, left, state
            more, right, state = self._test(statement, value.parts[1], state)
            if left == neutral:
                return [*nodes, *more], right, state
            if right == neutral:
                return [*nodes, *more], left, state
            return [*nodes, *more], joined(left, word, right), state
        atom = self._atom(statement, value, state)
        if atom is not None:
            self._note(statement, value.text, "translated")
            return self._unknown_in(statement, value), atom, state
        self._note(statement, value.text, "TODO", "test")
        return [], f'(yield todo("{_short(value.text)}", False, True))', state

    def _atom(self, statement: Statement, value: Expression, state: State) -> str | None:
        """A condition without operators that C's logic has; None if nothing says what it is."""
        table, text = self.known.table, normal(value.text)
        flag = _FLAG.match(text)
        if flag is not None:
            return self.calls.flag(flag[1])
        fact = table.facts.get(text) or (table.facts.get(value.name) if value.kind == "call" else None)
        if fact is not None:
            return fact if self.calls.usable(fact) else None
        if text in table.conditions:
            python = self.calls.filled(table.conditions[text])
            return python if self.calls.usable(python) else None
        if text in state.names:
            return text
        if value.kind == "assign" and value.name == "=" and len(value.parts) == 2:
            return self._atom(statement, value.parts[1], state)
        if value.kind == "compare" and len(value.parts) == 2:
            return self._compared(statement, value, state)
        if value.kind == "call":
            called, came = self.calls.call(value)
            if came != "translated" or called is None or self.calls.done_by(value.parts)[0]:
                return None
            return f"(yield {called})" if called.startswith("from ") or self.calls.is_told(value) else None
        word = self.known.words.condition(text)
        if word.kind == "primitive":
            python = self.known.words.python(word.letters[0])
            return f"(yield {python})" if self.calls.usable(python) and word.tested else None
        return None

    def _unknown_in(self, statement: Statement, test: Expression) -> list[Node]:
        """A step for each unknown call in the arguments of a tested call, if no table has all of it."""
        while test.kind in ("assign", "compare"):
            test = test.parts[-1 if test.kind == "assign" else 0]
        table, text = self.known.table, normal(test.text)
        if test.kind != "call" or text in table.conditions or text in table.facts or test.name in table.facts:
            return []
        return [self._open(statement, text) for text in self.calls.done_by(test.parts)[1]]

    def _compared(self, statement: Statement, value: Expression, state: State) -> str | None:
        left, right = value.parts
        if value.name == "&" and left.text in state.names:
            constant = self.calls.constant(right)
            if constant is not None:
                return f"{left.text} & ({constant})" if "|" in constant else f"{left.text} & {constant}"
        if value.name in ("==", "!=") and right.text in _NULL:
            test = self._atom(statement, left, state)
            if test is not None:
                return negated(test) if value.name == "==" else test
        return None

    # --- notes -----------------------------------------------------------------------------------

    def _note(self, statement: Statement, text: str, came: Came, why: str = "") -> None:
        if came == "TODO" or (statement.at, text) not in self.found:
            self.found[statement.at, text] = Found(statement.at, text, came, why)

    def _open(self, statement: Statement, call: str) -> Line:
        """A call in an argument that no table has."""
        self._note(statement, call, "TODO", "in an argument")
        return Line(f'yield todo("{_short(call)}")', statement.at)

    def _todo(self, statement: Statement, why: str = "") -> Line:
        self._note(statement, statement.text, "TODO", why or "statement")
        return Line(f'yield todo("{_short(statement.text)}")', statement.at)


def _evaluated(call: Expression) -> tuple[Expression, ...]:
    """A call's arguments; without CONFIG_DEBUG_VM, an assertion of the mm evaluates none."""
    return () if call.name.startswith("VM_") else call.parts


def _short(text: str) -> str:
    """C as a TODO quotes it."""
    plain = " ".join(re.sub(r"[\"\\]", "'", text).rstrip(";").split())
    plain = "".join(sign for sign in plain if sign.isprintable())
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 3].rstrip()}..."
