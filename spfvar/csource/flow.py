"""A C function as a graph: calls, assignments, tests and returns, in the order in which C evaluates them.

goto, loops, switch, ``&&`` and ``||``, the conditional operator and assignments in conditions are resolved;
what is left in a node is one call, or one expression without any.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from spfvar.csource.parse import LOOP_MARK, VMAS_MARK, CCall, CFunction, call_of

if TYPE_CHECKING:
    from tree_sitter import Node

#: Macros that give the value of their last argument.
_TRANSPARENT: Final = frozenset(
    (
        "likely",
        "unlikely",
        "READ_ONCE",
        "data_race",
        "__cond_lock",
        "WARN_ON",
        "WARN_ON_ONCE",
        "rcu_dereference",
        "ERR_PTR",
        "PTR_ERR",
    )
)
#: Macros that say what holds anyway.
_IGNORED: Final = re.compile(r"(?:VM_)?BUG_ON|VM_WARN_ON|lockdep_|ASSERT_EXCLUSIVE")
#: Macros that write their second argument to their first.
_STORES: Final = frozenset(("WRITE_ONCE", "smp_store_release", "rcu_assign_pointer"))
#: Where the result of a call is that is compared with 0.
COMPARED: Final = "compared"
#: Whether there is another VMA.
_NEXT_VMA: Final = re.compile(r"\(?vma\b|.*\b(?:mas_find|mas_next|vma_next)\(")
_FALSE: Final = frozenset(("0", "false", "NULL", "FALSE"))
_TRUE: Final = frozenset(("1", "true", "TRUE"))


@dataclass(frozen=True, slots=True)
class Run:
    """A call, whose result goes ``into`` a variable if that is one ("": nobody looks at it)."""

    call: CCall
    into: str
    next: int


@dataclass(frozen=True, slots=True)
class Assign:
    """``into`` is written: ``value`` as text, None where it is a call's or not known."""

    into: str
    value: str | None
    line: int
    next: int


@dataclass(frozen=True, slots=True)
class Test:
    """A branch: on an expression, or on the result of a call, that is run here."""

    text: str
    call: CCall | None
    line: int
    yes: int
    no: int


@dataclass(frozen=True, slots=True)
class Choice:
    """A branch on something that is not looked at: the cases of a switch, a macro that is a loop."""

    line: int
    ways: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Return:
    """The function's end: ``value`` as text ("": none)."""

    value: str
    line: int


@dataclass(frozen=True, slots=True)
class Jump:
    """Nothing is done."""

    next: int


GraphNode = Run | Assign | Test | Choice | Return | Jump


@dataclass(frozen=True)
class Graph:
    """The nodes of a function, from ``entry`` on; no jump is left."""

    function: CFunction
    nodes: tuple[GraphNode, ...]
    entry: int


def successors(node: GraphNode) -> tuple[int, ...]:
    """Where a node leads."""
    if isinstance(node, Test):
        return node.yes, node.no
    if isinstance(node, Choice):
        return node.ways
    return () if isinstance(node, Return) else (node.next,)


def graph_of(
    function: CFunction,
    is_word: Callable[[str], bool] = lambda text: False,
    options: frozenset[str] = frozenset(),
    one_vma: bool = False,
) -> Graph:
    """The graph of a function.

    ``is_word``: conditions that are one thing whatever is in them; ``options``: what IS_ENABLED() is true of;
    ``one_vma``: loops over VMAs have one round.
    """
    builder = _Builder(function, is_word, options, one_vma)
    entry = builder.build()
    final = {number: builder.final(number) for number in range(len(builder.nodes))}
    nodes = [_moved(node, final) for node in builder.nodes]
    return Graph(function, tuple(nodes), final[entry])


def _moved(node: GraphNode, to: dict[int, int]) -> GraphNode:
    if isinstance(node, Test):
        return replace(node, yes=to[node.yes], no=to[node.no])
    if isinstance(node, Choice):
        return replace(node, ways=tuple(to[way] for way in node.ways))
    return node if isinstance(node, Return) else replace(node, next=to[node.next])


@dataclass(frozen=True, slots=True)
class _Inside:
    """Where break and continue lead."""

    breaks: int = -1
    continues: int = -1


class _Builder:
    """Builds a graph from its end: what follows a statement is there before the statement is."""

    def __init__(
        self, function: CFunction, is_word: Callable[[str], bool], options: frozenset[str], one_vma: bool
    ) -> None:
        self._one_vma = one_vma
        self.nodes: list[GraphNode] = []
        self._function = function
        self._text = function.text
        self._is_word = is_word
        self._options = options
        self._labels: dict[str, int] = {}

    def build(self) -> int:
        end = self._add(Return("", self._function.end))
        return self._statement(self._function.body, end, _Inside())

    def final(self, number: int) -> int:
        """Where jumps lead in the end; a loop without anything in it is left as it is."""
        seen = set()
        while isinstance(node := self.nodes[number], Jump) and number not in seen:
            seen.add(number)
            number = node.next
        return number

    def _add(self, node: GraphNode) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1

    def _place(self) -> int:
        """A node that is filled in later."""
        return self._add(Jump(len(self.nodes)))

    def _label(self, name: str) -> int:
        if name not in self._labels:
            self._labels[name] = self._place()
        return self._labels[name]

    # --- statements ------------------------------------------------------------------------------

    def _statement(self, node: Node | None, after: int, inside: _Inside) -> int:
        if node is None:
            return after
        make = getattr(self, f"_{node.type}", None)
        if make is not None:
            return int(make(node, after, inside))
        if node.type in ("expression_statement", "declaration"):
            return self._expressions(node, after)
        return after

    def _compound_statement(self, node: Node, after: int, inside: _Inside) -> int:
        for child in reversed(node.named_children):
            after = self._statement(child, after, inside)
        return after

    def _expressions(self, node: Node, after: int) -> int:
        for child in reversed(node.named_children):
            if child.type == "init_declarator":
                value, name = child.child_by_field_name("value"), child.child_by_field_name("declarator")
                if value is not None and name is not None:
                    after = self._assignment(self._text(name).lstrip("* "), value, after)
            elif child.type.endswith(("expression", "identifier")) and node.type == "expression_statement":
                after = self._value(child, "", after)
        return after

    def _labeled_statement(self, node: Node, after: int, inside: _Inside) -> int:
        place = self._label(self._field(node, "label"))
        self.nodes[place] = Jump(self._compound_like(node.named_children[1:], after, inside))
        return place

    def _compound_like(self, statements: list[Node], after: int, inside: _Inside) -> int:
        for child in reversed(statements):
            after = self._statement(child, after, inside)
        return after

    def _goto_statement(self, node: Node, after: int, inside: _Inside) -> int:
        return self._label(self._field(node, "label"))

    def _return_statement(self, node: Node, after: int, inside: _Inside) -> int:
        values = [child for child in node.named_children if child.type != "comment"]
        line = _line(node)
        if not values:
            return self._add(Return("", line))
        return self._returned(values[0], line)

    def _returned(self, value: Node, line: int) -> int:
        value = _unwrapped(value)
        if value.type == "conditional_expression":
            given = value.child_by_field_name("consequence")  # none in "a ?: b"
            yes = self._returned(given, line) if given is not None else self._add(Return("1", line))
            return self._condition(
                _child(value, "condition"), yes, self._returned(_child(value, "alternative"), line)
            )
        if self._is_word(self._text(value)) or _is_not(value) or _is_logical(value):
            yes = self._add(Return("1", line))
            return self._condition(value, yes, self._add(Return("0", line)))
        if value.type == "call_expression" or value.type == "assignment_expression":
            end = self._add(Return("<returned>", line))
            return self._value(value, "<returned>", end)
        end = self._add(Return(self._text(value), line))
        return self._value(value, "", end)

    def _if_statement(self, node: Node, after: int, inside: _Inside) -> int:
        alternative = node.child_by_field_name("alternative")
        no = (
            self._compound_like(alternative.named_children, after, inside)
            if alternative is not None
            else after
        )
        yes = self._statement(node.child_by_field_name("consequence"), after, inside)
        return self._condition(_child(node, "condition"), yes, no)

    def _while_statement(self, node: Node, after: int, inside: _Inside) -> int:
        condition = _child(node, "condition")
        marks = {child.text for child in node.children if child.type == "comment"}
        if self._one_vma and VMAS_MARK.encode() in marks:
            body = self._statement(node.child_by_field_name("body"), after, _Inside(after, after))
            return self._round(condition, body)
        head = self._place()
        body = self._statement(node.child_by_field_name("body"), head, _Inside(after, head))
        if marks & {LOOP_MARK.encode(), VMAS_MARK.encode()}:
            self.nodes[head] = Jump(self._round(condition, self._add(Choice(_line(node), (body, after)))))
        else:
            self.nodes[head] = Jump(self._condition(condition, body, after))
        return head

    def _round(self, node: Node, after: int) -> int:
        """A round of a macro that is a loop: it may write any variable that it is given."""
        node = _unwrapped(node)
        if node.type == "comma_expression":
            return self._round(_child(node, "left"), self._round(_child(node, "right"), after))
        if node.type == "identifier":
            return self._set(self._text(node), None, _line(node), after)
        return self._value(node, "", after)

    def _do_statement(self, node: Node, after: int, inside: _Inside) -> int:
        condition = _child(node, "condition")
        if self._one_vma and _NEXT_VMA.match(self._text(condition)):
            return self._statement(node.child_by_field_name("body"), after, _Inside(after, after))
        head = self._place()
        test = self._condition(condition, head, after)
        self.nodes[head] = Jump(self._statement(node.child_by_field_name("body"), test, _Inside(after, test)))
        return head

    def _for_statement(self, node: Node, after: int, inside: _Inside) -> int:
        head = self._place()
        update = node.child_by_field_name("update")
        onwards = self._value(update, "", head) if update is not None else head
        body = self._statement(node.child_by_field_name("body"), onwards, _Inside(after, onwards))
        condition = node.child_by_field_name("condition")
        self.nodes[head] = Jump(self._condition(condition, body, after) if condition is not None else body)
        first = node.child_by_field_name("initializer")
        if first is None:
            return head
        if first.type == "declaration":
            return self._expressions(first, head)
        return self._value(first, "", head)

    def _switch_statement(self, node: Node, after: int, inside: _Inside) -> int:
        body = _child(node, "body")
        within = _Inside(after, inside.continues)
        ways, behind, has_default = [], after, False
        for case in reversed(body.named_children):
            if case.type == "case_statement":
                value = case.child_by_field_name("value")
                has_default = has_default or value is None
                statements = [c for c in case.named_children if value is None or c.id != value.id]
                behind = self._compound_like(statements, behind, within)
                ways.append(behind)
        if not has_default:
            ways.append(after)
        choice = self._add(Choice(_line(node), tuple(dict.fromkeys(reversed(ways)))))
        return self._value(_child(node, "condition"), "", choice)

    def _break_statement(self, node: Node, after: int, inside: _Inside) -> int:
        return inside.breaks if inside.breaks >= 0 else after

    def _continue_statement(self, node: Node, after: int, inside: _Inside) -> int:
        return inside.continues if inside.continues >= 0 else after

    # --- expressions -----------------------------------------------------------------------------

    def _value(self, node: Node, into: str, after: int) -> int:
        """Evaluate an expression; its value goes into a variable ("": nowhere)."""
        node = _unwrapped(node)
        kind = node.type
        if kind == "call_expression":
            inner = self._transparent(node)
            if inner is not None:
                return self._value(inner, into, after)
            call = call_of(self._function, node)
            if call.name in _STORES and len(call.args) == 2:
                target = call.args[0].lstrip("&")
                return self._value(_child(node, "arguments").named_children[-1], target, after)
            if _IGNORED.match(call.name):
                return self._set(into, None, _line(node), after)
            run = self._add(Run(call, into, after))
            return self._arguments(node, run)
        if kind == "assignment_expression":
            return self._assigned(node, into, after)
        if _is_logical(node) or _is_not(node):
            if into or _has_call(node):
                yes = self._set(into, "1", _line(node), after)
                return self._condition(node, yes, self._set(into, "0", _line(node), after))
            return after
        if kind == "conditional_expression":
            given = node.child_by_field_name("consequence")
            if given is not None:
                yes = self._value(given, into, after)
            else:  # a ?: b: what it was is not evaluated again
                yes = self._set(into, "1", _line(node), after)
            no = self._value(_child(node, "alternative"), into, after)
            return self._condition(_child(node, "condition"), yes, no)
        if kind == "comma_expression":
            return self._value(_child(node, "left"), "", self._value(_child(node, "right"), into, after))
        if kind == "update_expression":
            after = self._set(into, None, _line(node), after)
            return self._add(Assign(self._field(node, "argument"), None, _line(node), after))
        if kind == "compound_statement":  # a statement that has a value
            return self._statement(node, self._set(into, None, _line(node), after), _Inside())
        if kind == "cast_expression":
            return self._value(_child(node, "value"), into, after)
        after = self._set(into, self._text(node), _line(node), after)
        return self._parts(node, after)

    def _set(self, into: str, value: str | None, line: int, after: int) -> int:
        return self._add(Assign(into, value, line, after)) if into else after

    def _parts(self, node: Node, after: int) -> int:
        """Evaluate what an expression consists of, for the calls in it."""
        for child in reversed(node.named_children):
            if not child.type.endswith(("type_descriptor", "comment")) and _has_effect(child):
                after = self._value(child, "", after)
        return after

    def _arguments(self, call: Node, after: int) -> int:
        arguments = call.child_by_field_name("arguments")
        return self._parts(arguments, after) if arguments is not None else after

    def _transparent(self, call: Node) -> Node | None:
        if self._field(call, "function") not in _TRANSPARENT:
            return None
        arguments = [child for child in _child(call, "arguments").named_children if child.type != "comment"]
        return arguments[-1] if arguments else None

    def _assigned(self, node: Node, into: str, after: int) -> int:
        left, right = _child(node, "left"), _child(node, "right")
        target = self._text(left)
        if into:
            after = self._add(Assign(into, target, _line(node), after))
        if self._field(node, "operator") == "=":
            return self._assignment(target, right, after)
        value = f"{target} {self._field(node, 'operator')} {self._text(right)}"
        return self._value(right, "", self._add(Assign(target, value, _line(node), after)))

    def _assignment(self, target: str, right: Node, after: int) -> int:
        return self._value(right, target, after)

    # --- conditions ------------------------------------------------------------------------------

    def _condition(self, node: Node, yes: int, no: int) -> int:
        """Evaluate a condition, and branch on it."""
        node = _unwrapped(node)
        text = self._text(node)
        if self._is_word(text):
            return self._add(Test(text, None, _line(node), yes, no))
        if _is_not(node):
            return self._condition(_child(node, "argument"), no, yes)
        if _is_logical(node):
            left, right = _child(node, "left"), _child(node, "right")
            if self._field(node, "operator") == "&&":
                return self._condition(left, self._condition(right, yes, no), no)
            return self._condition(left, yes, self._condition(right, yes, no))
        constant = self._constant(text)
        if constant is not None:
            return yes if constant else no
        if node.type == "comma_expression":
            return self._value(_child(node, "left"), "", self._condition(_child(node, "right"), yes, no))
        if node.type == "assignment_expression":
            test = self._add(Test(self._field(node, "left"), None, _line(node), yes, no))
            return self._assigned(node, "", test)
        if node.type == "conditional_expression":
            given = node.child_by_field_name("consequence")
            one = self._condition(given, yes, no) if given is not None else yes
            other = self._condition(_child(node, "alternative"), yes, no)
            return self._condition(_child(node, "condition"), one, other)
        if node.type == "call_expression":
            inner = self._transparent(node)
            if inner is not None:
                return self._condition(inner, yes, no)
            test = self._add(Test(text, call_of(self._function, node), _line(node), yes, no))
            return self._arguments(node, test)
        if node.type == "update_expression":
            return self._value(node, "", self._add(Test(text, None, _line(node), yes, no)))
        if node.type == "binary_expression":
            return self._comparison(node, yes, no)
        return self._parts(node, self._add(Test(text, None, _line(node), yes, no)))

    def _comparison(self, node: Node, yes: int, no: int) -> int:
        left, right, operator = _child(node, "left"), _child(node, "right"), self._field(node, "operator")
        if operator in ("==", "!="):
            equal, different = (yes, no) if operator == "==" else (no, yes)
            text = f"{self._text(left)} == {self._text(right)}"
            if self._is_word(text):
                return self._parts(node, self._add(Test(text, None, _line(node), equal, different)))
            for one, other in ((left, right), (right, left)):
                if self._text(other) in _FALSE:
                    return self._condition(one, different, equal)
                if self._text(other) in _TRUE and _unwrapped(one).type == "call_expression":
                    return self._condition(one, equal, different)
            if operator == "!=":
                return self._parts(node, self._add(Test(text, None, _line(node), equal, different)))
        if operator == "<" and self._text(right) == "0" and _unwrapped(left).type == "call_expression":
            return self._value(left, COMPARED, self._add(Test(f"{COMPARED} < 0", None, _line(node), yes, no)))
        return self._parts(node, self._add(Test(self._text(node), None, _line(node), yes, no)))

    def _constant(self, text: str) -> bool | None:
        if text in _FALSE or text in _TRUE:
            return text in _TRUE
        asked = re.fullmatch(r"(?:IS_ENABLED|IS_BUILTIN)\((\w+)\)", text)
        return asked[1] in self._options if asked else None

    def _field(self, node: Node, name: str) -> str:
        return self._text(_child(node, name))


def _child(node: Node, name: str) -> Node:
    child = node.child_by_field_name(name)
    assert child is not None, f"{node.type} without {name}"
    return child


def _unwrapped(node: Node) -> Node:
    while node.type == "parenthesized_expression":
        inner = [child for child in node.named_children if child.type != "comment"]
        if len(inner) != 1:
            break
        node = inner[0]
    return node


def _is_logical(node: Node) -> bool:
    operator = node.child_by_field_name("operator")
    return node.type == "binary_expression" and operator is not None and operator.type in ("&&", "||")


def _is_not(node: Node) -> bool:
    operator = node.child_by_field_name("operator")
    return node.type == "unary_expression" and operator is not None and operator.type == "!"


def _has_effect(node: Node) -> bool:
    if node.type in ("call_expression", "assignment_expression", "update_expression", "compound_statement"):
        return True
    return any(_has_effect(child) for child in node.named_children)


def _has_call(node: Node) -> bool:
    return _has_effect(node)


def _line(node: Node) -> int:
    return node.start_point[0] + 1
