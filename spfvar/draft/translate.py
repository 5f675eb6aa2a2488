"""Statements of C as the text of a hook point, by tables of words; what is in none is a TODO that runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from spfvar.draft.code import If, Line, Node, joined, negated, simplified, unwrapped
from spfvar.draft.known import Hook, Known
from spfvar.draft.tree import Expression, Statement
from spfvar.draft.words import normal
from spfvar.mm.vmf import VMFault

#: What came of a statement or a test.
Came = Literal["translated", "silent", "TODO"]
#: Variables that functions of the fault path keep their result in.
RESULTS: Final = ("ret", "fault")
_LONGEST: Final = 48
_RESULT: Final = re.compile(r"VM_FAULT_([A-Z_]+)\Z")
_FLAG: Final = re.compile(r"flags & FAULT_FLAG_([A-Z_]+)\Z")
_LOCAL: Final = re.compile(r"[a-z_]\w*\Z")
#: A field of the fault itself: no other thread sees it.
_OWN: Final = re.compile(r"\*?vmf(?:->|\.)\w+\Z")
#: A test that does something besides.
_HAS_EFFECT: Final = re.compile(r"yield (?:from|\w*trylock|\w+_get_)")
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


@dataclass(frozen=True, slots=True)
class Role:
    """What a text is for.

    ``hook``: the hook point that it implements.  ``below``: the statements whose place the text below it
    takes, and ``call`` the one call that they make ("": none); ``calls``: functions that are the text below.
    ``value`` is the variable that such a call's value goes to.  ``alone``: there is nothing below, the text
    is all of the function.  ``around``: it stands around a call of the hook point, so a value is that call's.
    ``replaces``: a way through that does not come to the text below is without it.
    """

    hook: Hook
    below: tuple[str, ...] = ()
    call: str = ""
    calls: frozenset[str] = frozenset()
    value: str = ""
    alone: bool = False
    around: bool = False
    replaces: bool = False


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
        if self.role.around and self._calls_below(statement.value) and not state.ran:
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
        if self._calls_below(value) and not state.ran:
            self._note(statement, statement.text, "translated")
            return [self._return_below(statement)]
        if value.text in state.names:
            self._note(statement, statement.text, "translated")
            return [self._return_result(statement.at, replace(state, result=value.text))]
        if _LOCAL.match(value.text) and not state.ran and not self.role.alone:
            self._note(statement, statement.text, "translated")  # what the function has there is not known
            return self._falls_off(state)
        nodes, python, state = self._value(statement, value, state)
        if python is None:
            note = self._todo(statement, "what does it return")
            return [*nodes, note, *self._falls_off(replace(state, result=""))]
        self._note(statement, statement.text, "translated")
        return [*nodes, Line(f"return {self._as_result(python)}", statement.at)]

    def _as_result(self, python: str) -> str:
        """A value as the hook point returns it."""
        kind = self.role.hook.kind
        if self._is_pair(python):
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
        if value.kind == "update" or value.kind == "assign":
            target = value.parts[0].text if value.parts else value.text
            if _LOCAL.match(target) or _OWN.match(target):
                self._note(statement, statement.text, "silent")
                return [], state
        if value.kind != "call":
            return [self._todo(statement)], state
        if self._calls_below(value) and not state.ran:
            self._note(statement, statement.text, "translated")
            if self.role.around:
                return [self._return_below(statement)], replace(state, ran=True)
            return self._run_below(statement, state)
        nodes, python, state, came = self._call(statement, value, state)
        if came == "TODO":
            return [*nodes, self._todo(statement)], state
        self._note(statement, statement.text, came)
        if python is None:
            return nodes, state
        return [*nodes, Line(f"yield {python}", statement.at)], state

    def _assignment(
        self, statement: Statement, target: str, value: Expression, state: State
    ) -> tuple[list[Node], State]:
        name = target if _LOCAL.match(target) else ""
        if self._calls_below(value) and not state.ran:
            self._note(statement, statement.text, "translated")
            if self.role.around:
                return [self._return_below(statement)], replace(state, ran=True)
            return self._run_below(statement, state)
        nodes, python, state = self._value(statement, value, state)
        if python is None:
            if not any(True for _ in value.calls()) and (name or _OWN.match(target)):
                self._note(statement, statement.text, "silent")
                return nodes, replace(state, names=state.names - {name})
            return [*nodes, self._todo(statement)], replace(state, names=state.names - {name})
        if not name:
            came: Came = "silent" if _OWN.match(target) else "TODO"
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
        both = f"{name}, vmf" if self._is_pair(plain) else name
        return [*nodes, Line(f"{both} = {plain}", statement.at)], after

    # --- values ----------------------------------------------------------------------------------

    def _value(
        self, statement: Statement, value: Expression, state: State
    ) -> tuple[list[Node], str | None, State]:
        """Steps, then the value in Python; None: not known, "": of no interest to the model."""
        text = value.text
        if (constant := self._constant(value)) is not None:
            return [], constant, state
        if text in ("true", "false"):
            return [], text.capitalize(), state
        if text in state.names:
            return [], text, state
        if value.kind == "choice" and len(value.parts) == 3:
            nodes, test, state = self._test(statement, value.parts[0], state)
            arms = [self._value(statement, part, state)[1] for part in value.parts[1:]]
            if all(arms):
                return nodes, f"{arms[0]} if {test} else {arms[1]}", state
            return nodes, None, state
        if value.kind == "call":
            returned = self.known.table.returns.get(self.role.hook.name, {}).get(value.name)
            if returned is not None and returned in state.names | {"pte"}:
                return [], returned, state
            nodes, python, state, came = self._call(statement, value, state)
            if came == "TODO":
                return nodes, None, state
            return nodes, "" if python is None else f"(yield {python})", state
        if value.kind in ("not", "and", "or", "compare") and self.role.hook.kind == "truth":
            nodes, test, state = self._test(statement, value, state)
            return nodes, test, state
        return [], None, state

    def _constant(self, value: Expression) -> str | None:
        """VM_FAULT_* in Python; those that the model has not are never returned, so they can be left out."""
        names = [_RESULT.match(part.strip("() ")) for part in value.text.split("|")]
        if value.text == "0":
            return "VMFault.NONE" if self.role.hook.kind in ("fault", "pair", "entry") else "False"
        if not all(names):
            return None
        found = [
            f"VMFault.{name[1]}" for name in names if name is not None and name[1] in VMFault.__members__
        ]
        return " | ".join(found) if found else None

    def _call(
        self, statement: Statement, value: Expression, state: State
    ) -> tuple[list[Node], str | None, State, Came]:
        """What stands behind ``yield`` for a call; None if it has no effect."""
        table, name = self.known.table, value.name
        args = [part.text for part in value.parts]
        inner: list[Node] = []
        if any(name in names for names in table.silent.values()):
            return inner, None, state, "silent"
        if name == "kmem_cache_free" and args and args[0] in table.caches:
            return inner, self._filled(table.caches[args[0]]), state, "translated"
        if name in table.calls and self._usable(table.calls[name]):
            return inner, self._filled(table.calls[name]), state, "translated"
        hook = self.known.hook_called(name)
        if hook is not None and hook != self.role.hook.name:
            call = self._hook_call(hook, args)
            return inner, call, state, "TODO" if call is None else "translated"
        word = self.known.word(name, args)
        if word.kind == "silent":
            return inner, None, state, "silent"
        if word.kind == "primitive" and len(word.letters) == 1:
            python = self.known.words.python(word.letters[0])
            if self._usable(python):
                return inner, python, state, "translated"
        return inner, None, state, "TODO"

    def _filled(self, python: str) -> str:
        if self.role.hook.has("vma"):
            return python.replace("{vma}", "vma")
        return (
            python.replace("({vma})", "()").replace("{vma}", "o.vma")
            if "find" in python
            else python.replace("{vma}", "o.vma")
        )

    def _usable(self, python: str) -> bool:
        """Can this be written here: are its names known, and is there a fault if it takes one?"""
        if "vmf" in python and not self.role.hook.has("vmf"):
            return False
        names = re.findall(r"(?<![.\w\"])([A-Za-z_]\w*)(?=\(|\b)", re.sub(r'"[^"]*"', "", python))
        skipped = {"from", "yield", "o", "hooks", "vmf", "None", "vma", "not", "True", "False", "pte"}
        if re.search(r"hooks\.(\w+)", python):
            return all(self.known.implemented(hook) for hook in re.findall(r"hooks\.(\w+)", python))
        return all(name in skipped or self.known.source_of(name) is not None for name in names)

    def _hook_call(self, hook: str, args: Sequence[str]) -> str | None:
        """A call of another hook point, whose arguments are this one's; None if it takes others."""
        wanted = [name for name, _ in self.known.hook(hook).parameters]
        if not all(self.role.hook.has(name) for name in wanted):
            return None
        added = [
            self._flag(flag) for arg in args if "|" in arg for flag in re.findall(r"FAULT_FLAG_(\w+)", arg)
        ]
        if not all(flag is not None and flag.startswith("vmf.has(") for flag in added):
            return None
        flags = ", ".join(
            flag.removeprefix("vmf.has(").removesuffix(")") for flag in added if flag is not None
        )
        given = [f"vmf.set({flags})" if name == "vmf" and flags else name for name in wanted]
        return f"from {self.known.hook_call(hook)}({', '.join(given)})"

    def _is_pair(self, python: str) -> bool:
        """Does a call of a hook point return the fault, too?"""
        called = re.search(r"yield from hooks\.(\w+)\(", python)
        return called is not None and self.known.hook(called[1]).kind == "pair"

    def _calls_below(self, value: Expression) -> bool:
        """Is this a call of what the text below is in the place of?"""
        if self.role.alone:
            return False
        if value.kind == "not":
            return self._calls_below(value.parts[0])
        if value.kind != "call":
            return False
        return normal(value.text) == self.role.call or value.name in self.role.calls

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
            return [], atom, state
        self._note(statement, value.text, "TODO", "test")
        return [], f'(yield todo("{_short(value.text)}", False, True))', state

    def _atom(self, statement: Statement, value: Expression, state: State) -> str | None:
        """A condition without operators that C's logic has; None if nothing says what it is."""
        table, text = self.known.table, normal(value.text)
        flag = _FLAG.match(text)
        if flag is not None:
            return self._flag(flag[1])
        fact = table.facts.get(text) or (table.facts.get(value.name) if value.kind == "call" else None)
        if fact is not None:
            return fact if self._usable(fact) else None
        if text in table.conditions:
            python = self._filled(table.conditions[text])
            return python if self._usable(python) else None
        if text in state.names:
            return text
        if value.kind == "assign" and value.name == "=" and len(value.parts) == 2:
            return self._atom(statement, value.parts[1], state)
        if value.kind == "compare" and len(value.parts) == 2:
            return self._compared(statement, value, state)
        if value.kind == "call":
            _, called, _, came = self._call(statement, value, state)
            if came != "translated" or called is None:
                return None
            return f"(yield {called})" if called.startswith("from ") or self._is_told(value) else None
        word = self.known.words.condition(text)
        if word.kind == "primitive":
            python = self.known.words.python(word.letters[0])
            return f"(yield {python})" if self._usable(python) and word.tested else None
        return None

    def _is_told(self, value: Expression) -> bool:
        """Has a call an outcome that decides?"""
        if any(value.name in names for names in self.known.table.told.values()):
            return True
        return self.known.word(value.name, [part.text for part in value.parts]).tested

    def _compared(self, statement: Statement, value: Expression, state: State) -> str | None:
        left, right = value.parts
        if value.name == "&" and left.text in state.names:
            constant = self._constant(right)
            if constant is not None:
                return f"{left.text} & ({constant})" if "|" in constant else f"{left.text} & {constant}"
        if value.name in ("==", "!=") and right.text in _NULL:
            test = self._atom(statement, left, state)
            if test is not None:
                return negated(test) if value.name == "==" else test
        return None

    def _flag(self, name: str) -> str | None:
        """A FAULT_FLAG_*, if texts of the stack set it; of another one nobody knows when it is set."""
        if not self.role.hook.has("vmf"):
            return None
        attribute = self.known.table.flags.get(f"FAULT_FLAG_{name}")
        if attribute is not None:
            return attribute
        known = self.known.flags.get(name)
        return f"vmf.has({known[0]})" if known is not None else None

    # --- notes -----------------------------------------------------------------------------------

    def _note(self, statement: Statement, text: str, came: Came, why: str = "") -> None:
        if came == "TODO" or (statement.at, text) not in self.found:
            self.found[statement.at, text] = Found(statement.at, text, came, why)

    def _todo(self, statement: Statement, why: str = "") -> Line:
        self._note(statement, statement.text, "TODO", why or "statement")
        return Line(f'yield todo("{_short(statement.text)}")', statement.at)


def _short(text: str) -> str:
    """C as a TODO quotes it."""
    plain = " ".join(re.sub(r"[\"\\]", "'", text).rstrip(";").split())
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 3].rstrip()}..."
