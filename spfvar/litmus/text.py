r"""Write a litmus test in the kernel's C format; what is written reads back as the same test."""

from __future__ import annotations

from collections.abc import Iterator

from spfvar.litmus.ast import (
    PRECEDENCE,
    Address,
    AddUnless,
    And,
    Assign,
    Binary,
    Clause,
    Cmpxchg,
    Equal,
    Expression,
    Fence,
    FinalRegister,
    FinalWord,
    If,
    Initial,
    Load,
    Not,
    Number,
    Or,
    RcuLock,
    RcuSync,
    RcuUnlock,
    Register,
    Rmw,
    SpinIsLocked,
    SpinLock,
    SpinTrylock,
    SpinUnlock,
    SrcuLock,
    SrcuSync,
    SrcuUnlock,
    Statement,
    Store,
    Term,
    Test,
    Unary,
    terms,
)

_ROWS = {operator: row for row, operators in enumerate(PRECEDENCE) for operator in operators}
_SUFFIX = {"once": "_relaxed", "acquire": "_acquire", "release": "_release", "full": ""}
_NAMES = {"+": "add", "-": "sub", "&": "and", "|": "or", "^": "xor"}
_FENCES = {
    "mb": "smp_mb", "rmb": "smp_rmb", "wmb": "smp_wmb", "barrier": "barrier",
    "before-atomic": "smp_mb__before_atomic", "after-atomic": "smp_mb__after_atomic",
    "after-spinlock": "smp_mb__after_spinlock", "after-unlock-lock": "smp_mb__after_unlock_lock",
}  # fmt: skip


def litmus_text(test: Test) -> str:
    """The whole test, with its claim in a comment."""
    claim = f"\n(* Result: {test.result.capitalize()} *)\n" if test.result else ""
    lines = [f"C {test.name}", claim, "{" + "".join(f" {_initial(value)};" for value in test.initial) + " }"]
    for number, thread in enumerate(test.threads):
        parameters = ", ".join(
            f"{p.type}{'' if p.type.endswith('*') else ' '}{p.word}" for p in thread.parameters
        )
        lines += ["", f"P{number}({parameters})", "{"]
        lines += [f"\tint {register};" for register in _registers(test, number)]
        lines += [line for statement in thread.body for line in _statement(statement, "\t")]
        lines.append("}")
    lines.append("")
    if test.locations:
        lines.append("locations [" + " ".join(f"{_left(place)};" for place in test.locations) + "]")
    if test.filter is not None:
        lines.append(f"filter ({clause_text(test.filter)})")
    lines.append(f"{test.quantifier} ({clause_text(test.clause)})")
    return "\n".join(lines) + "\n"


def _registers(test: Test, number: int) -> list[str]:
    """Every register that the thread writes, or that a condition asks about."""
    names = dict.fromkeys(_written(test.threads[number].body))
    asked = [*test.locations, *terms(test.clause), *(terms(test.filter) if test.filter is not None else ())]
    names |= dict.fromkeys(t.name for t in asked if isinstance(t, FinalRegister) and t.thread == number)
    return list(names)


def _written(statements: tuple[Statement, ...]) -> Iterator[str]:
    for statement in statements:
        if isinstance(statement, If):
            yield from _written(statement.then)
            yield from _written(statement.otherwise)
        elif (register := getattr(statement, "register", None)) is not None:
            yield register


def _initial(initial: Initial) -> str:
    value = initial.value
    return f"{_left(initial.place)}={value.value if isinstance(value, Number) else '&' + value.word}"


# -- Statements ----------------------------------------------------------------------------------------------


def _statement(statement: Statement, indent: str) -> Iterator[str]:
    if not isinstance(statement, If):
        yield f"{indent}{_simple(statement)};"
        return
    yield f"{indent}if ({expression_text(statement.condition)}) {{"
    for inner in statement.then:
        yield from _statement(inner, indent + "\t")
    if statement.otherwise:
        yield f"{indent}}} else {{"
        for inner in statement.otherwise:
            yield from _statement(inner, indent + "\t")
    yield f"{indent}}}"


def _simple(statement: Statement) -> str:
    register = getattr(statement, "register", None)
    to = f"{register} = " if register is not None else ""
    return to + _right(statement)


def _right(statement: Statement) -> str:
    text = expression_text
    match statement:
        case Assign(_, value):
            return text(value)
        case Load(_, address, "acquire"):
            return f"smp_load_acquire({text(address)})"
        case Load(_, address, order):
            return f"READ_ONCE({_star(address)})" if order == "once" else _star(address)
        case Store(address, value, "release"):
            return f"smp_store_release({text(address)}, {text(value)})"
        case Store(address, value, "once"):
            return f"WRITE_ONCE({_star(address)}, {text(value)})"
        case Store(address, value, "plain"):
            return f"{_star(address)} = {text(value)}"
        case Rmw(_, address, "xchg", operand, _, order):
            return f"atomic_xchg{_SUFFIX[order]}({text(address)}, {text(operand)})"
        case Rmw(_, address, operator, operand, returns, order):
            name = _NAMES[operator]
            call = {"nothing": f"atomic_{name}", "old": f"atomic_fetch_{name}{_SUFFIX[order]}"}
            call["new"] = f"atomic_{name}_return{_SUFFIX[order]}"
            return f"{call[returns]}({text(operand)}, {text(address)})"
        case Cmpxchg(_, address, expected, new, order):
            return f"atomic_cmpxchg{_SUFFIX[order]}({text(address)}, {text(expected)}, {text(new)})"
        case AddUnless(_, address, operand, unless):
            return f"atomic_add_unless({text(address)}, {text(operand)}, {text(unless)})"
        case Fence(kind):
            return f"{_FENCES[kind]}()"
        case _:
            return _lock(statement)


def _lock(statement: Statement) -> str:
    text = expression_text
    match statement:
        case SpinLock(address):
            return f"spin_lock({text(address)})"
        case SpinTrylock(_, address):
            return f"spin_trylock({text(address)})"
        case SpinUnlock(address):
            return f"spin_unlock({text(address)})"
        case SpinIsLocked(_, address):
            return f"spin_is_locked({text(address)})"
        case RcuLock():
            return "rcu_read_lock()"
        case RcuUnlock():
            return "rcu_read_unlock()"
        case RcuSync():
            return "synchronize_rcu()"
        case SrcuLock(_, address):
            return f"srcu_read_lock({text(address)})"
        case SrcuUnlock(address, index):
            return f"srcu_read_unlock({text(address)}, {text(index)})"
        case SrcuSync(address):
            return f"synchronize_srcu({text(address)})"
        case _:
            raise TypeError(statement)


# -- Expressions and clauses ---------------------------------------------------------------------------------


def expression_text(expression: Expression, row: int = 0) -> str:
    """The expression in C, in parentheses where it binds less tightly than `row` of `PRECEDENCE`."""
    match expression:
        case Number(value):
            return str(value)
        case Address(word):
            return word
        case Register(name):
            return name
        case Unary(operator, operand):
            inner = expression_text(operand, len(PRECEDENCE))
            bare = operator == "-" and not isinstance(operand, Address | Register)
            return f"{operator}({inner})" if bare else operator + inner
        case Binary(operator, left, right):
            own = _ROWS[operator]
            text = f"{expression_text(left, own)} {operator} {expression_text(right, own + 1)}"
            return f"({text})" if own < row else text


def _star(address: Expression) -> str:
    return "*" + expression_text(address, len(PRECEDENCE))


def clause_text(clause: Clause) -> str:
    """The clause in herd's language."""
    match clause:
        case Equal(left, right):
            return f"{_left(left)}={_right_term(right)}"
        case Not(inner):
            return f"~({clause_text(inner)})"
        case And(()):
            return "true"
        case Or(()):
            return "false"
        case And(clauses):
            return r" /\ ".join(_nested(inner) for inner in clauses)
        case Or(clauses):
            return r" \/ ".join(_nested(inner) for inner in clauses)


def _nested(clause: Clause) -> str:
    text = clause_text(clause)
    return f"({text})" if isinstance(clause, And | Or) and clause.clauses else text


def _left(term: Term) -> str:
    return term.word if isinstance(term, FinalWord) else _right_term(term)


def _right_term(term: Term) -> str:
    match term:
        case FinalWord(word):
            return f"[{word}]"
        case FinalRegister(thread, name):
            return f"{thread}:{name}"
        case Number(value):
            return str(value)
        case Address(word):
            return f"&{word}"
