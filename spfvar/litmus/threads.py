"""Read one thread of a litmus test: a fragment of C, made into simple statements."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from spfvar.errors import unknown
from spfvar.litmus.ast import (
    PRECEDENCE,
    UNARY,
    Address,
    AddUnless,
    Assign,
    Binary,
    Cmpxchg,
    Expression,
    If,
    Load,
    Number,
    Parameter,
    Register,
    Rmw,
    SpinIsLocked,
    SpinTrylock,
    SrcuLock,
    Statement,
    Store,
    Thread,
    Unary,
)
from spfvar.litmus.cursor import Cursor
from spfvar.litmus.functions import FUNCTIONS, Function, tested
from spfvar.litmus.tokens import Token, number

#: Nested expressions and statements; far beyond any test, and within Python's stack.
_DEEPEST: Final = 60
_MOST_OPERATORS: Final = 100
_TYPES: Final = (
    "int", "long", "short", "char", "void", "bool", "unsigned", "signed", "volatile", "const", "struct",
    "intptr_t", "uintptr_t", "size_t", "atomic_t", "spinlock_t", "u32", "u64",
)  # fmt: skip
_NO_STATEMENT: Final = ("while", "for", "do", "goto", "switch", "break", "continue", "return", "case")
_NO_OPERATOR: Final = (
    "?", "/", "%", "<<", ">>", "->", ".", "[", "++", "--", "=", "+=", "-=", "|=", "&=", "^=", "*=",
)  # fmt: skip
_ROWS: Final = {operator: row for row, operators in enumerate(PRECEDENCE) for operator in operators}
_RESULTS: Final = (Rmw, Cmpxchg, AddUnless, SpinTrylock, SpinIsLocked, SrcuLock)


def thread(cursor: Cursor, initial: set[str]) -> tuple[Thread, set[str]]:
    """Read ``(parameters) { statements }``; also return every register, `initial` being those set before."""
    return _Reader(cursor, initial).thread()


class _Reader:
    """The state of reading one thread."""

    def __init__(self, cursor: Cursor, initial: set[str]) -> None:
        self.cursor = cursor
        self.words: dict[str, Parameter] = {}
        self.registers = set(initial)
        self.statements: list[Statement] = []  # where statements go: the thread's body, or an arm
        self.spare = 0  # registers of the reader's own
        self.depth = 0
        self.operators = 0  # of this statement so far

    def thread(self) -> tuple[Thread, set[str]]:
        self.cursor.expect("(")
        while not self.cursor.accept(")"):
            if self.words:
                self.cursor.expect(",", '"," or ")"')
            self.parameter()
        body = self.block()
        return Thread(tuple(self.words.values()), body), self.registers

    def parameter(self) -> None:
        cursor = self.cursor
        if cursor.at("void") and cursor.ahead(1).text == ")":
            cursor.take()
            return
        parts: list[Token] = []
        while cursor.token.kind == "name" or cursor.at("*"):
            parts.append(cursor.take())
        if cursor.at("[", "("):
            raise cursor.unsupported("a parameter that is an array or a function")
        if len(parts) < 2 or parts[-1].text == "*":
            raise cursor.error("a parameter such as int *x")
        name = parts.pop()
        if parts[-1].text != "*":
            raise cursor.wrong(
                f'"{name.text}" is passed by value', name, "a pointer to a shared word, such as int *x"
            )
        if name.text in self.words:
            raise cursor.wrong(f'two parameters are called "{name.text}"', name)
        words = " ".join(part.text for part in parts if part.text != "*")
        stars = "*" * sum(part.text == "*" for part in parts)
        self.words[name.text] = Parameter(name.text, f"{words} {stars}".strip())

    # -- Statements ------------------------------------------------------------------------------------------

    def block(self) -> tuple[Statement, ...]:
        """``{ statements }``."""
        outer, self.statements = self.statements, []
        self.cursor.expect("{")
        while not self.cursor.accept("}"):
            self.statement()
        inner, self.statements = self.statements, outer
        return tuple(inner)

    def arm(self) -> tuple[Statement, ...]:
        """What an ``if`` or ``else`` guards: a block or one statement."""
        if self.cursor.at("{"):
            return self.block()
        outer, self.statements = self.statements, []
        self.statement()
        inner, self.statements = self.statements, outer
        return tuple(inner)

    def statement(self) -> None:
        cursor, token = self.cursor, self.cursor.token
        self.deeper()
        self.operators = 0
        if cursor.accept(";"):
            pass
        elif cursor.at("{"):
            self.statements += self.block()
        elif cursor.accept("if"):
            cursor.expect("(")
            condition = self.expression()
            cursor.expect(")")
            then = self.arm()
            self.statements.append(If(condition, then, self.arm() if cursor.accept("else") else ()))
        elif token.kind == "name" and token.text in _NO_STATEMENT:
            raise cursor.unsupported(f'the statement "{token.text}"')
        elif self.at_declaration():
            self.declaration()
        else:
            self.simple()
            cursor.expect(";")
        self.depth -= 1

    def at_declaration(self) -> bool:
        """A type, perhaps stars, a name, and what ends a declarator."""
        if self.cursor.token.kind != "name" or self.cursor.token.text in self.registers | set(self.words):
            return False
        count = 1
        while self.cursor.ahead(count).kind == "name" or self.cursor.ahead(count).text == "*":
            count += 1
        last, after = self.cursor.ahead(count - 1), self.cursor.ahead(count)
        return count > 1 and last.kind == "name" and after.text in (";", "=", ",", "[")

    def declaration(self) -> None:
        cursor = self.cursor
        while cursor.ahead(1).kind == "name" or cursor.ahead(1).text == "*":
            cursor.take()
        while True:
            while cursor.accept("*"):
                pass
            name = cursor.expect_kind("name", "the name of a local variable")
            if name.text in self.words:
                raise cursor.wrong(f'"{name.text}" is a parameter and a local variable', name)
            if cursor.at("["):
                raise cursor.unsupported("an array")
            self.registers.add(name.text)
            if cursor.accept("="):
                self.assign(name.text)
            if not cursor.accept(","):
                break
        cursor.expect(";", '";", "," or "="')

    def simple(self) -> None:
        """An assignment, a plain store, or a call whose result nobody takes."""
        cursor, token = self.cursor, self.cursor.token
        if token.kind == "name" and cursor.ahead(1).text == "=":
            if token.text in self.words:
                expected = f"*{token.text} = ..., a store to the word, or a local variable"
                raise cursor.wrong(f'"{token.text}" is the address of a shared word', token, expected)
            cursor.take()
            cursor.take()
            self.assign(token.text)
        elif cursor.at("*"):
            address = self.lvalue()
            cursor.expect("=")
            self.statements.append(Store(address, self.expression(), "plain"))
        elif token.text in FUNCTIONS and not FUNCTIONS[token.text].result:
            self.action(cursor.take())
        else:
            value = self.expression()
            last = self.statements[-1] if self.statements else None
            if self.is_spare(value) and isinstance(last, _RESULTS):
                self.statements[-1] = replace(last, register=None)
                self.spare -= 1

    def assign(self, register: str) -> None:
        value = self.expression()
        last = self.statements[-1] if self.statements else None
        if self.is_spare(value) and isinstance(last, (Load, *_RESULTS)):
            self.statements[-1] = replace(last, register=register)
            self.spare -= 1
        else:
            self.statements.append(Assign(register, value))
        self.registers.add(register)

    def is_spare(self, value: Expression) -> bool:
        """Whether a value is just what the last statement left in a register of the reader's own."""
        last = self.statements[-1] if self.statements else None
        return isinstance(value, Register) and value.name not in self.registers and (
            isinstance(last, (Load, *_RESULTS)) and last.register == value.name
        )  # fmt: skip

    def spare_register(self) -> str:
        names = self.cursor.names
        while (name := f"t{self.spare}") in names:
            self.spare += 1
        self.spare += 1
        return name

    # -- Expressions -----------------------------------------------------------------------------------------

    def expression(self, row: int = 0) -> Expression:
        """An expression of operators that bind at least as tightly as those of this row."""
        cursor = self.cursor
        left = self.unary()
        while (token := cursor.token).kind == "mark" and _ROWS.get(token.text, -1) >= row:
            cursor.take()
            self.operators += 1
            if self.operators > _MOST_OPERATORS:
                raise cursor.wrong("the statement is too long", token, f"at most {_MOST_OPERATORS} operators")
            before = len(self.statements)
            right = self.expression(_ROWS[token.text] + 1)
            if token.text in ("&&", "||") and len(self.statements) != before:
                raise cursor.unsupported(f'an access to memory on the right of "{token.text}"', token)
            left = Binary(token.text, left, right)
        if cursor.at(*_NO_OPERATOR):
            raise cursor.unsupported(f'the operator "{cursor.token.text}"')
        return left

    def unary(self) -> Expression:
        cursor, token = self.cursor, self.cursor.token
        self.deeper()
        value: Expression
        if cursor.at("*"):
            address = self.lvalue()
            register = self.spare_register()
            self.statements.append(Load(register, address, "plain"))
            value = Register(register)
        elif cursor.accept("&"):
            raise cursor.unsupported("an address taken in a thread", token)
        elif cursor.at("-") and cursor.ahead(1).kind == "number":
            cursor.take()
            value = Number(-number(cursor.take().text))
        elif token.kind == "mark" and token.text in UNARY:
            cursor.accept(*UNARY)
            value = Unary(token.text, self.unary())
        elif cursor.at("(") and cursor.ahead(1).text in _TYPES:
            cursor.take()
            while cursor.token.kind == "name" or cursor.at("*"):
                cursor.take()
            cursor.expect(")")
            value = self.unary()
        elif cursor.accept("("):
            value = self.expression()
            cursor.expect(")")
        else:
            value = self.operand()
        self.depth -= 1
        return value

    def operand(self) -> Expression:
        """A number, a name or a call."""
        cursor = self.cursor
        if cursor.token.kind == "number":
            return Number(number(cursor.take().text))
        token = cursor.expect_kind("name", "a value")
        if cursor.at("("):
            return self.call(token)
        if token.text in self.words:
            return Address(token.text)
        if token.text == "NULL":
            return Number(0)
        if token.text in self.registers:
            return Register(token.text)
        known = [*self.words, *sorted(self.registers)]
        raise unknown("parameter or local variable", token.text, known, file=cursor.file, line=token.line)

    def lvalue(self) -> Expression:
        """``*address``, returned as the address."""
        token = self.cursor.token
        if token.text in self.words:
            message = f'"{token.text}" is the address of a shared word'
            raise self.cursor.wrong(message, token, f"the word: *{token.text}")
        self.cursor.expect("*", "a shared word such as *x")
        address = self.unary()
        if isinstance(address, Number):
            raise self.cursor.wrong("a number is no address", token, "a parameter or a local variable")
        return address

    def action(self, name: Token) -> None:
        """A call that has no value."""
        function, arguments = self.arguments(name)
        self.statements += function.build("", arguments)

    def call(self, name: Token) -> Expression:
        """A call that has a value."""
        function, arguments = self.arguments(name)
        if not function.result:
            raise self.cursor.wrong(f"{name.text}() has no value", name, "a statement of its own")
        register = self.spare_register()
        self.statements += function.build(register, arguments)
        return tested(function, Register(register))

    def arguments(self, name: Token) -> tuple[Function, tuple[Expression, ...]]:
        """What is called, and the arguments in parentheses."""
        cursor = self.cursor
        function = FUNCTIONS.get(name.text)
        if function is None:
            raise cursor.unsupported(f"{name.text}(), which is none of the known calls", name)
        cursor.expect("(")
        found: list[Expression] = []
        for index, kind in enumerate(function.arguments):
            if index:
                cursor.expect(",", f'"," and {len(function.arguments)} arguments of {name.text}()')
            found.append(self.lvalue() if kind == "l" else self.expression())
        cursor.expect(")", f'")" after {len(function.arguments)} arguments of {name.text}()')
        return function, tuple(found)

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self.cursor.wrong("nested too deeply", self.cursor.token, f"at most {_DEEPEST} levels")
