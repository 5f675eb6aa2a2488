"""Statements and expressions of C, as far as a draft looks at them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from spfvar.csource.parse import CFunction, parse_statements
from spfvar.draft.fragment import Fragment

if TYPE_CHECKING:
    from tree_sitter import Node

StatementKind = Literal[
    "if", "loop", "switch", "return", "goto", "label", "expression", "declaration", "other"
]
ExpressionKind = Literal["call", "not", "and", "or", "assign", "choice", "compare", "update", "other"]


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression: ``name`` is a call's function or an operator, ``parts`` its operands or arguments."""

    kind: ExpressionKind
    text: str
    name: str = ""
    parts: tuple[Expression, ...] = ()

    def calls(self) -> Iterator[Expression]:
        """The calls in it, arguments' before the call's own."""
        for part in self.parts:
            yield from part.calls()
        if self.kind == "call":
            yield self


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement; ``at`` is its line in the patch, ``changed`` whether the patch changes a line of it.

    ``value`` is an if's or loop's condition, what is returned, evaluated or assigned first; ``text`` has all
    of it, blanks put together.  A label's name is in ``name``, and so is where a goto goes to.
    """

    kind: StatementKind
    text: str
    at: int
    changed: bool
    value: Expression | None = None
    name: str = ""
    body: tuple[Statement, ...] = ()
    orelse: tuple[Statement, ...] = ()

    def below(self) -> Iterator[Statement]:
        """It and every statement in it."""
        yield self
        for inner in (*self.body, *self.orelse):
            yield from inner.below()

    def calls(self) -> Iterator[Expression]:
        """Every call in it."""
        for inner in self.below():
            if inner.value is not None:
                yield from inner.value.calls()


def statements_of(fragment: Fragment) -> tuple[Statement, ...]:
    """The statements of a fragment.  Raises InputError if tree-sitter is not installed."""
    function = parse_statements(fragment.text)
    found = tuple(_Reader(function, fragment).block(function.body.named_children))
    return found


@dataclass(frozen=True, slots=True)
class _Reader:
    function: CFunction
    fragment: Fragment

    def block(self, nodes: Sequence[Node]) -> Iterator[Statement]:
        for node in nodes:
            yield from self.statement(node)

    def statement(self, node: Node) -> Iterator[Statement]:
        kind = node.type
        if kind == "comment" or (kind == "expression_statement" and not node.named_children):
            return
        if kind == "compound_statement":
            yield from self.block(node.named_children)
        elif kind == "if_statement":
            yield self._made("if", node, self._condition(node), body="consequence", orelse="alternative")
        elif kind in ("while_statement", "do_statement", "for_statement"):
            yield self._made("loop", node, self._condition(node), body="body")
        elif kind == "switch_statement":
            yield self._made("switch", node, self._condition(node), body="body")
        elif kind == "labeled_statement":
            label, *rest = node.named_children
            yield self._made("label", node, name=self.function.text(label))
            yield from self.block(rest)
        elif kind == "goto_statement":
            yield self._made("goto", node, name=self.function.text(node.named_children[0]))
        elif kind == "return_statement":
            values = [child for child in node.named_children if child.type != "comment"]
            yield self._made("return", node, self.expression(values[0]) if values else None)
        elif kind == "expression_statement" and not node.has_error:
            yield self._made("expression", node, self.expression(node.named_children[0]))
        elif kind == "declaration" and (not node.has_error or "container_of" in self.function.text(node)):
            yield from self._declaration(node)
        else:
            yield self._made("other", node)

    def _declaration(self, node: Node) -> Iterator[Statement]:
        found = [child for child in node.named_children if child.type == "init_declarator"]
        if not found:
            yield self._made("declaration", node)
        for one in found:
            target, value = one.child_by_field_name("declarator"), one.child_by_field_name("value")
            if target is None or value is None:
                continue
            left = Expression("other", self.function.text(target).lstrip("* "))
            assigned = Expression("assign", self.function.text(one), "=", (left, self.expression(value)))
            yield self._made("declaration", node, assigned)

    def _made(
        self,
        kind: StatementKind,
        node: Node,
        value: Expression | None = None,
        name: str = "",
        body: str = "",
        orelse: str = "",
    ) -> Statement:
        begin, end = node.start_point[0], node.end_point[0]
        if kind == "label":
            end = begin
        at, changed = self.fragment.at, self.fragment.changed
        line = at[min(begin, len(at) - 1)] if at else 0
        text = f"{name}:" if kind == "label" else self.function.text(node)
        return Statement(
            kind, text, line, any(changed[begin : end + 1]), value, name,
            tuple(self._arm(node, body)), tuple(self._arm(node, orelse)),
        )  # fmt: skip

    def _arm(self, node: Node, field: str) -> Iterator[Statement]:
        arm = node.child_by_field_name(field) if field else None
        if arm is not None and arm.type == "else_clause":
            yield from self.block(arm.named_children)
        elif arm is not None:
            yield from self.statement(arm)

    def _condition(self, node: Node) -> Expression | None:
        found = node.child_by_field_name("condition")
        return self.expression(found) if found is not None else None

    def expression(self, node: Node) -> Expression:
        """A node's expression, without parentheses and hints for the compiler."""
        text = self.function.text(node)
        children = [child for child in node.named_children if child.type != "comment"]
        if node.type in ("parenthesized_expression", "cast_expression") and children:
            return self.expression(children[-1])
        if node.type == "call_expression":
            callee, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
            name = self.function.text(callee) if callee is not None else ""
            given = [] if arguments is None else [a for a in arguments.named_children if a.type != "comment"]
            parts = tuple(self.expression(argument) for argument in given)
            if name in ("likely", "unlikely") and len(parts) == 1:
                return parts[0]
            return Expression("call", text, name.strip("()* "), parts)
        operator = node.child_by_field_name("operator")
        sign = self.function.text(operator) if operator is not None else ""
        parts = tuple(self.expression(child) for child in children)
        if node.type == "unary_expression" and sign == "!":
            return Expression("not", text, sign, parts)
        if node.type == "binary_expression" and sign in ("&&", "||"):
            return Expression("and" if sign == "&&" else "or", text, sign, parts)
        if node.type == "binary_expression":
            return Expression("compare", text, sign, parts)
        if node.type == "assignment_expression":
            return Expression("assign", text, sign, parts)
        if node.type == "conditional_expression":
            return Expression("choice", text, "?", parts)
        if node.type == "update_expression":
            return Expression("update", text, sign, parts)
        return Expression("other", text, "", parts)
