"""Extraction: run a strategy's text along every outcome and share what is equal.

A generator cannot be copied, so each path is run afresh from the start; that also notices a text
that behaves differently on a second run.  A call is extracted once per argument list and then
spliced in behind every caller, which keeps the number of paths that of one function.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from spfvar.automata.automaton import Automaton, Node, minimise
from spfvar.automata.outline import Spell, Step, spell_outcome
from spfvar.automata.text import StrategyError as StrategyError
from spfvar.automata.text import abandon, advance, leave, location, shown, start
from spfvar.automata.tree import Back, Branch, Function, Head, Leaf, Tree
from spfvar.automata.vocabulary import Vocabulary
from spfvar.automata.weaken import stripped
from spfvar.ops.op import Again, Call, CallSite, Loop, Op, Passage, Steps
from spfvar.ops.primitives import end_thread

#: Ops and branches on one path of one function, and paths of one function, beyond which it "never ends".
MAX_PATH = 500
MAX_BRANCHES = 150
MAX_PATHS = 5000
MAX_DEPTH = 60


class Resolver(Protocol):
    """Finds the text of a hook under a variant's stack of patches."""

    def __call__(self, name: str, args: tuple[Any, ...]) -> Steps:
        """The text of hook ``name`` called with ``args``."""


#: What decides a call's own text, whichever stack it is called under; None: nobody can say.
Origin = Callable[[Call], Hashable]

#: Functions that were extracted before, by call and origin.  Besides, a text depends on what its callees
#: return, and on nothing else, so it is the same under every stack of which that holds.
_KNOWN: dict[tuple[Any, tuple[Any, ...], Hashable], list[Function]] = {}
#: Automata that consist of those alone, besides the thread's own text, by all that they follow from: several
#: stacks have most actors in common.
_SHARED: dict[Hashable, Automaton] = {}


class Extractor:
    """Extracts automata under one stack of patches; functions are remembered by argument list."""

    def __init__(self, resolve: Resolver, origin: Origin = lambda call: None) -> None:
        """``origin``: calls of one origin have the same text under every stack (None: this one only)."""
        self._resolve = resolve
        self._origin = origin
        self._functions: dict[tuple[Any, tuple[Any, ...]], Function] = {}
        self._active: list[tuple[Any, tuple[Any, ...]]] = []
        self._passages: dict[tuple[str, Passage], Function] = {}
        self._entered: list[tuple[str, Passage]] = []
        self._automata: dict[tuple[str, bool, bool, bool, int, tuple[Tree, ...]], Automaton] = {}
        self._below: dict[tuple[Any, tuple[Any, ...]], frozenset[Function] | None] = {}
        #: What the primitives of all texts have to agree with.
        self.vocabulary = Vocabulary()

    def automaton(
        self, name: str, text: Callable[[], Steps], callers: bool = False, keep: bool = True,
        chains: bool = False, strong: bool = False,
    ) -> Automaton:  # fmt: skip
        """The automaton of a thread's whole text; where the text ends, the thread ends.

        ``callers``: each primitive says who called its function, so those of two calls stay apart; with
        ``chains``, who called that one, and so on.  ``keep``: it is remembered, for other texts that are the
        same.  ``strong``: without orders and barriers, as `spfvar.automata.weaken.strengthen` makes it later.
        Raises StrategyError for a text that yields no op, never ends, or is not repeatable.
        """
        try:
            function = self._extract(name, text)
            key = (name, callers, chains, strong, function.root, tuple(function.nodes))
            if key in self._automata:  # loads that differ in numbers only have the same automata
                return self._automata[key]
            below = self._functions_below(function) if keep else None
            automaton = _SHARED.get((key, below)) if below is not None else None
            if automaton is None:
                flat = _Flattener(self._callee, end_thread(), callers, chains)
                entry = flat.run(function)
                nodes, entry = stripped(flat.nodes, entry) if strong else (flat.nodes, entry)
                automaton = minimise(name, nodes, entry)
        except RecursionError:
            raise StrategyError(f"{name} is too long: its calls and branches nest too deeply") from None
        if keep:
            self._automata[key] = automaton
        if below is not None:
            _SHARED[key, below] = automaton
        return automaton

    def _functions_below(self, function: Function) -> frozenset[Function] | None:
        """All functions that a text comes to; None if one of them is not known to other stacks."""
        found: set[Function] = set()
        for call in function.callees:
            key = (call.target, call.args)
            if key not in self._below:
                callee = self._functions[key]
                below = None if self._origin(call) is None else self._functions_below(callee)
                self._below[key] = None if below is None else below | {callee}
            more = self._below[key]
            if more is None:
                return None
            found |= more
        return frozenset(found)

    def calls(self) -> list[Call]:
        """Every call that the automata so far consist of: which functions, with which arguments."""
        return [Call(target, args) for target, args in self._functions]

    def returns(self, call: Call) -> tuple[Hashable, ...]:
        """Every value that a call may return, in order of appearance.  Raises StrategyError."""
        return tuple(dict.fromkeys(self._call(call, call.name).returns()))

    def callees(self, call: Call) -> list[Call]:
        """The calls in one function's own text, each once, in the order of a reader's eye.

        Raises StrategyError as `automaton` does.
        """
        return _callees(self._call(call, call.name))

    def called_by(self, text: Callable[[], Steps]) -> list[Call]:
        """The same of a thread's text, which is not remembered."""
        return _callees(self._extract("text", text))

    def steps(self, call: Call, spell: Spell = spell_outcome) -> tuple[list[Step], int]:
        """One function's own text as steps, calls not spliced, and the entry (see `spfvar.automata.outline`).

        Raises StrategyError as `automaton` does.
        """
        try:
            reader = _Reader(self._call(call, call.name), spell)
            return reader.steps, reader.entry
        except RecursionError:
            raise StrategyError(f"{call.name} is too long: its branches nest too deeply") from None

    def texts(self) -> Iterator[Op]:
        """The primitives of all functions called so far, each at the line that yields it.

        An automaton shows those of a function that is one primitive at the line that calls it.
        """
        for function in self._functions.values():
            yield from (
                node.item for node in function.nodes if isinstance(node, Branch) and isinstance(node.item, Op)
            )

    # --- one function ----------------------------------------------------------------------------

    def _callee(self, call: Call) -> Function:
        return self._functions[(call.target, call.args)]

    def _call(self, call: Call, where: str) -> Function:
        key = (call.target, call.args)
        try:
            known = self._functions.get(key)
        except Exception as error:
            raise StrategyError(f"{where}: {call.name}: an argument is not hashable: {error}") from None
        if known is not None:
            return known
        if key in self._active or len(self._active) >= MAX_DEPTH:
            raise StrategyError(f"{where}: {call.name} never ends: it calls itself with the same arguments")
        self._active.append(key)
        try:
            function = self._function(call)
        finally:
            self._active.pop()
        self._functions[key] = function
        return function

    def _function(self, call: Call) -> Function:
        origin = self._origin(call)
        known = [] if origin is None else _KNOWN.setdefault((call.target, call.args, origin), [])
        for function in known:
            if self._holds(function):
                return function
        if isinstance(call.target, str):
            function = self._extract(call.name, lambda: self._resolve(call.target, call.args))
        else:
            function = self._extract(call.name, lambda: call.target(*call.args))
        if origin is not None:
            known.append(function)
        return function

    def _holds(self, function: Function) -> bool:
        """Is a function of another stack what would be extracted under this one?

        Its callees are looked at in the order in which extraction comes to them, so that what is remembered
        here, and which mistake is told, does not depend on what was extracted before.
        """
        for call, returned in function.callees.items():
            if self._call(call, call.where).returns() != returned:
                return False
        return all(self.vocabulary.wrong(op) is None for op in function.ops())

    def passage(self, name: str, passage: Passage) -> Function:
        """A passage of the text of a function called ``name``: its primitives are that function's own."""
        key = name, passage
        try:
            known = self._passages.get(key)
        except Exception as error:
            raise StrategyError(f"{passage.name}: an argument is not hashable: {error}") from None
        if known is None:
            if key in self._entered:
                raise StrategyError(f"{passage.name} never ends: it calls itself with the same arguments")
            self._entered.append(key)
            try:
                known = self._passages[key] = self._extract(name, passage.text)
            finally:
                self._entered.pop()
        return known

    def _extract(self, name: str, text: Callable[[], Steps]) -> Function:
        function = Function(name)
        function.finish(_Run(self, function, text).explore([], 0))
        return function


def _callees(function: Function) -> list[Call]:
    found: dict[tuple[Any, tuple[Any, ...]], Call] = {}
    seen: set[int] = set()
    ahead = [function.root]
    while ahead:
        index = ahead.pop()
        if index in seen:
            continue
        seen.add(index)
        node = function.nodes[index]
        if isinstance(node, Head):
            ahead.append(node.body)
        elif isinstance(node, Branch):
            if isinstance(node.item, Call):
                found.setdefault((node.item.target, node.item.args), node.item)
            ahead += [child for _, child in reversed(node.children)]
    return list(found.values())


#: What a text waits for the outcome of.
_Item = Op | Call | Passage
#: What a text yields next, or the value that it returns, in a tuple.
_Ahead = tuple[Any, tuple[Hashable] | None]
#: Items that a text has yielded, each as it was, with its line, and with the outcome that the text was sent.
_Seen = list[tuple[Any, Any, Hashable]]


@dataclass(slots=True)
class _Run:
    """Depth-first exploration of one function's outcomes by replaying prefixes."""

    extractor: Extractor
    function: Function
    text: Callable[[], Steps]
    paths: int = 0

    def explore(self, seen: _Seen, branches: int) -> int:
        """The shared tree behind a prefix, on which there are so many branches."""
        steps = start(self.function.name, self.text)
        try:
            ahead = self._replay(steps, seen)
        except BaseException:
            abandon(steps)
            raise
        return self._go_on(steps, ahead, seen, branches)

    def _go_on(self, steps: Steps, ahead: _Ahead, seen: _Seen, branches: int) -> int:
        """The same, for a text that has come there."""
        try:
            trail, node = self._follow(steps, ahead, seen, branches)
        except BaseException:
            abandon(steps)
            raise
        if not isinstance(node, int):
            node = self._branch(steps, *node, [*seen, *trail], branches)
        return self._wrap(trail, node)

    def _follow(
        self, steps: Steps, ahead: _Ahead, seen: _Seen, branches: int
    ) -> tuple[_Seen, int | tuple[_Item, _Item, tuple[Hashable, ...]]]:
        """What is yielded behind a prefix, up to the end of the text, or to an item of several outcomes."""
        item, returned = ahead
        trail: _Seen = []
        while True:
            if len(seen) + len(trail) > MAX_PATH or branches > MAX_BRANCHES:
                raise StrategyError(
                    f"{location(steps)}: {self.function.name} never ends: more than {MAX_PATH} ops or "
                    f"{MAX_BRANCHES} branches on one path (use loop() and again() to go round)"
                )
            if returned is not None:
                return trail, self.function.add(Leaf(returned[0]))
            if isinstance(item, Again):
                if not any(isinstance(i, Loop) and i.name == item.name for i, *_ in [*seen, *trail]):
                    raise StrategyError(
                        f"{location(steps)}: {self.function.name}: again({item.name!r}) is inside "
                        "no such loop"
                    )
                leave(self.function.name, steps)
                return trail, self.function.add(Back(item.name))
            if isinstance(item, Loop):
                trail.append((item, item, None))
                item, returned = advance(self.function.name, steps, None)
                continue
            self._check(item, steps)
            placed = self._at(item, location(steps))
            outcomes = self._outcomes(placed)
            if len(outcomes) != 1:
                if self.paths + len(outcomes) > MAX_PATHS:
                    raise StrategyError(
                        f"{location(steps)}: {self.function.name} has more than {MAX_PATHS} paths: "
                        "does it end?"
                    )
                return trail, (item, placed, outcomes)
            trail.append((item, placed, outcomes[0]))
            item, returned = advance(self.function.name, steps, outcomes[0])

    def _check(self, item: Any, steps: Steps) -> None:
        """An item is a call, a passage, or a primitive of the model's vocabulary."""
        if isinstance(item, Op):
            wrong = self.extractor.vocabulary.wrong(item)
            if wrong is not None:
                raise StrategyError(f"{location(steps)}: {self.function.name}: {wrong}")
        elif not isinstance(item, Call | Passage):
            raise StrategyError(
                f"{location(steps)}: {self.function.name} yields {shown(item)}, which is no op "
                "(what gives a generator is called with 'yield from')"
            )

    def _wrap(self, trail: _Seen, node: int) -> int:
        for _, item, outcome in reversed(trail):
            if isinstance(item, Loop):
                node = self.function.add(Head(item.name, node))
            elif isinstance(item, Passage):
                node = self._enter(item, {outcome: node}.__getitem__)
            else:
                node = self.function.add(Branch(item, ((outcome, node),)))
        return node

    def _branch(
        self,
        steps: Steps,
        item: _Item,
        placed: _Item,
        outcomes: tuple[Hashable, ...],
        seen: _Seen,
        branches: int,
    ) -> int:
        """The text goes on with the first outcome; it is run afresh, and compared, for each of the others."""
        if not outcomes:
            leave(self.function.name, steps)

        def behind(outcome: Hashable) -> int:
            self.paths += 1
            further = [*seen, (item, placed, outcome)], branches + 1
            if outcome != outcomes[0]:
                return self.explore(*further)
            try:
                ahead = advance(self.function.name, steps, outcome)
            except BaseException:
                abandon(steps)
                raise
            return self._go_on(steps, ahead, *further)

        if isinstance(placed, Passage):
            return self._enter(placed, behind)
        return self.function.add(Branch(placed, tuple([(outcome, behind(outcome)) for outcome in outcomes])))

    def _enter(self, passage: Passage, behind: Callable[[Hashable], int]) -> int:
        """Make a passage's tree part of this one, and ``behind`` each of its results what follows that.

        Results are asked for in the order in which paths come to them, so that of equal nodes the same one is
        the first, and kept, as if the passage were the function's own text.
        """
        tree = self.extractor.passage(self.function.name, passage)
        numbers: dict[int, int] = {}

        def number_of(index: int) -> int:
            if index not in numbers:
                node = tree.nodes[index]
                if isinstance(node, Leaf):
                    numbers[index] = behind(node.value)
                    return numbers[index]
                if isinstance(node, Branch):
                    children = [(outcome, number_of(child)) for outcome, child in node.children]
                    node = Branch(node.item, tuple(children))
                elif isinstance(node, Head):
                    node = Head(node.name, number_of(node.body))
                numbers[index] = self.function.add(node)
            return numbers[index]

        return number_of(tree.root)

    def _at(self, item: _Item, where: str) -> _Item:
        if isinstance(item, Op):
            return item.at_line(self.function.name, where)
        return Call(item.target, item.args, where) if isinstance(item, Call) else item

    def _outcomes(self, item: _Item) -> tuple[Hashable, ...]:
        if isinstance(item, Op):
            return item.outcomes
        if isinstance(item, Passage):
            tree = self.extractor.passage(self.function.name, item)
            for call, values in tree.callees.items():
                self.function.callees.setdefault(call, values)
            return tree.returns()
        returned = self.extractor._call(item, item.where).returns()  # none: what follows is unreachable
        self.function.callees.setdefault(item, returned)
        return returned

    def _replay(self, steps: Steps, seen: _Seen) -> _Ahead:
        item, returned = advance(self.function.name, steps, None)
        for yielded, before, outcome in seen:
            if returned is not None or not (item is yielded or _same(item, before)):
                got = f"returns {shown(returned[0])}" if returned else f"yields {shown(item)}"
                raise StrategyError(
                    f"{location(steps)}: {self.function.name} behaves differently on a second run: it {got} "
                    f"where it yielded {shown(before)} before"
                )
            item, returned = advance(self.function.name, steps, outcome)
        return item, returned


def _same(item: Any, before: Any) -> bool:
    if type(item) is not type(before):
        return False
    return item.is_again(before) if isinstance(item, Op) else bool(item == before)


# --- a function's text to read -------------------------------------------------------------------


class _Reader:
    """A function's tree as steps; equal ones are one step, so outcomes that lead to the same text share it.

    A result that is returned as it is becomes "ret", whichever value it has.
    """

    def __init__(self, function: Function, spell: Spell) -> None:
        self.steps: list[Step] = []
        self._function = function
        self._spell = spell
        self._index: dict[Step, int] = {}
        self._memo: dict[tuple[int, tuple[Hashable] | None], int] = {}
        self.entry = self._read(function.root, None)

    def _add(self, step: Step) -> int:
        if step not in self._index:
            self._index[step] = len(self.steps)
            self.steps.append(step)
        return self._index[step]

    def _read(self, index: int, result: tuple[Hashable] | None) -> int:
        """The step of a node of the tree; ``result`` is the last call's value, where that is to be named."""
        key = (index, result)
        if key not in self._memo:
            self._memo[key] = self._add(self._step(self._function.nodes[index], result))
        return self._memo[key]

    def _step(self, node: Tree, result: tuple[Hashable] | None) -> Step:
        if isinstance(node, Leaf):
            value = "ret" if result is not None and result[0] == node.value else self._spell(node.value)
            return Step(f"return {value}".rstrip())
        if isinstance(node, Back):
            return Step(f"goto {node.name}")
        if isinstance(node, Head):
            return Step(f"{node.name}:", (("", self._read(node.body, result)),))
        name = node.item.name if isinstance(node.item, Op) else f"{node.item.name}()"
        if len(node.children) == 1:
            return Step(name, (("", self._read(node.children[0][1], result)),))
        named = [self._read(child, (value,)) for value, child in node.children]
        if len(set(named)) == 1:
            if self.steps[named[0]].text == "return ret":
                return Step(f"return {name}")
            return Step(f"ret = {name}", (("", named[0]),))
        if any(named.count(step) > 1 and self._names_result(step) for step in named):
            name = f"ret = {name}"
        else:
            named = [self._read(child, result) for _, child in node.children]
        return Step(
            name,
            tuple((self._spell(value), step) for (value, _), step in zip(node.children, named, strict=True)),
        )

    def _names_result(self, step: int) -> bool:
        """Is a result returned as "ret" somewhere behind a step?"""
        queue = [step]
        for at in queue:
            queue += [target for _, target in self.steps[at].branches if target not in queue]
        return any(self.steps[at].text == "return ret" for at in queue)


# --- splicing calls ------------------------------------------------------------------------------

_Exits = tuple[tuple[Hashable, int], ...]
_Loops = tuple[tuple[str, int], ...]


class _Flattener:
    """Splices callees behind their callers and resolves loops into edges; with ``callers``, says which."""

    def __init__(
        self, callee: Callable[[Call], Function], end: Op, callers: bool, chains: bool = False
    ) -> None:
        self.nodes: list[Node] = []
        self._callee = callee
        self._callers = callers
        self._chains = chains
        self._thread: Function | None = None
        self._memo: dict[tuple[int, int, _Exits, _Loops, tuple[str, ...], CallSite | None], int] = {}
        self._alias: dict[int, int] = {}
        self._end = end

    def run(self, function: Function) -> int:
        """Flatten a thread's text; returns the entry."""
        self._thread = function
        end = len(self.nodes)
        self.nodes.append(Node(self._end, (end,)))
        exits = tuple((value, end) for value in function.returns())
        entry = self._flatten(function, function.root, exits, ())
        self.nodes = [Node(n.op, tuple(self._final(s) for s in n.successors)) for n in self.nodes]
        return self._final(entry)

    def _final(self, node: int) -> int:
        hops = 0
        while node in self._alias:
            node = self._alias[node]
            hops += 1
            if hops > len(self._alias):
                raise StrategyError("a loop without any op in it never ends")
        return node

    def _flatten(
        self,
        function: Function,
        index: int,
        exits: _Exits,
        loops: _Loops,
        site: tuple[str, ...] = (),
        caller: CallSite | None = None,
    ) -> int:
        node = function.nodes[index]
        if isinstance(node, Leaf):
            return dict(exits)[node.value]
        if isinstance(node, Back):
            return next(target for name, target in reversed(loops) if name == node.name)
        key = (id(function), index, exits, loops, site, caller)
        if key in self._memo:
            return self._memo[key]
        place = len(self.nodes)
        self.nodes.append(Node(self._end, ()))  # reserved: a loop's body refers back to its head
        self._memo[key] = place
        if isinstance(node, Head):
            self._alias[place] = self._flatten(
                function, node.body, exits, (*loops, (node.name, place)), site, caller
            )
        elif isinstance(node.item, Call):
            callee = self._callee(node.item)
            inner = caller
            if callee.is_one_op():  # shown as its caller's
                site = (function.name, node.item.where)
            elif self._callers and function is not self._thread:  # what a thread begins with has no caller
                inner = CallSite(function.name, node.item.where, caller if self._chains else None)
            # The callee's own loops are its own: names do not leak through a call.
            behind = tuple(
                (v, self._flatten(function, child, exits, loops, caller=caller)) for v, child in node.children
            )
            self._alias[place] = self._flatten(callee, callee.root, behind, (), site, inner)
        else:
            successors = []
            for _, child in node.children:
                successors.append(self._flatten(function, child, exits, loops, site, caller))
            op = node.item.but(function=site[0], where=site[1]) if site else node.item
            op = op.but(caller=caller) if caller is not None else op
            self.nodes[place] = Node(op, tuple(successors))
        return place
