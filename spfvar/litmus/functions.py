"""What a thread of a litmus test may call, as data: arguments, and the statement that a call is.

The names and their orders are those of the kernel's ``tools/memory-model/linux-kernel.def`` (v6.1; bitwise
atomics: v6.12), and ``atomic_add_unless()``, which herd knows by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from spfvar.litmus.ast import (
    AddUnless,
    Binary,
    Cmpxchg,
    Expression,
    Fence,
    FenceKind,
    Load,
    LoadOrder,
    Number,
    RcuLock,
    RcuSync,
    RcuUnlock,
    Rmw,
    RmwOperator,
    RmwOrder,
    SpinIsLocked,
    SpinLock,
    SpinTrylock,
    SpinUnlock,
    SrcuLock,
    SrcuSync,
    SrcuUnlock,
    Statement,
    Store,
    StoreOrder,
    Unary,
)

Arguments = tuple[Expression, ...]


@dataclass(frozen=True)
class Function:
    """A callable name.

    `arguments` has a letter for each argument: "l" an lvalue such as ``*x``, given to `build` as its address;
    "p" a pointer; "v" a value.  `build` makes the statements of a call whose result goes to a register.
    `result` says whether there is a result; `test`, if set, is applied to it: ``atomic_dec_and_test()``.
    """

    arguments: str
    build: Callable[[str, Arguments], tuple[Statement, ...]]
    result: bool = True
    test: tuple[str, int] | None = None


_ORDERS: Final[dict[str, RmwOrder]] = {
    "": "full", "_relaxed": "once", "_acquire": "acquire", "_release": "release",
}  # fmt: skip
_OPERATORS: Final[dict[str, tuple[RmwOperator, int | None]]] = {
    "add": ("+", None), "sub": ("-", None), "inc": ("+", 1), "dec": ("-", 1),
    "and": ("&", None), "or": ("|", None), "xor": ("^", None), "andnot": ("&", None),
}  # fmt: skip
_FENCES: Final[dict[str, FenceKind]] = {
    "smp_mb": "mb", "smp_rmb": "rmb", "smp_wmb": "wmb", "barrier": "barrier",
    "smp_mb__before_atomic": "before-atomic", "smp_mb__after_atomic": "after-atomic",
    "smp_mb__after_spinlock": "after-spinlock", "smp_mb__after_unlock_lock": "after-unlock-lock",
}  # fmt: skip


def _load(arguments: str, order: LoadOrder) -> Function:
    return Function(arguments, lambda register, a: (Load(register, a[0], order),))


def _store(arguments: str, order: StoreOrder, *after: Statement) -> Function:
    return Function(arguments, lambda _register, a: (Store(a[0], a[1], order), *after), result=False)


def _action(arguments: str, build: Callable[[Arguments], Statement]) -> Function:
    return Function(arguments, lambda _register, a: (build(a),), result=False)


def _rmw(
    name: str, returns: Literal["nothing", "old", "new"], order: RmwOrder, test: tuple[str, int] | None = None
) -> Function:
    operator, constant = _OPERATORS[name]

    def build(register: str, a: Arguments) -> tuple[Statement, ...]:
        operand = Number(constant) if constant is not None else a[0]
        if name == "andnot":
            operand = Unary("~", operand)
        to = None if returns == "nothing" else register
        return (Rmw(to, a[-1], operator, operand, returns, order),)

    return Function("p" if constant is not None else "vp", build, returns != "nothing", test)


def _xchg(order: RmwOrder) -> Function:
    return Function("pv", lambda register, a: (Rmw(register, a[0], "xchg", a[1], "old", order),))


def _cmpxchg(order: RmwOrder) -> Function:
    return Function("pvv", lambda register, a: (Cmpxchg(register, a[0], a[1], a[2], order),))


def _atomics() -> dict[str, Function]:
    table: dict[str, Function] = {}
    for name in _OPERATORS:
        table[f"atomic_{name}"] = _rmw(name, "nothing", "once")
        for suffix, order in _ORDERS.items():
            table[f"atomic_fetch_{name}{suffix}"] = _rmw(name, "old", order)
            if name in ("add", "sub", "inc", "dec"):
                table[f"atomic_{name}_return{suffix}"] = _rmw(name, "new", order)
    for suffix, order in _ORDERS.items():
        table[f"xchg{suffix}"] = table[f"atomic_xchg{suffix}"] = _xchg(order)
        table[f"cmpxchg{suffix}"] = table[f"atomic_cmpxchg{suffix}"] = _cmpxchg(order)
    for name in ("sub", "inc", "dec"):
        table[f"atomic_{name}_and_test"] = _rmw(name, "new", "full", ("==", 0))
    table["atomic_add_negative"] = _rmw("add", "new", "full", ("<", 0))
    table["atomic_add_unless"] = Function("pvv", lambda register, a: (AddUnless(register, a[0], a[1], a[2]),))
    table["atomic_read"] = _load("p", "once")
    table["atomic_read_acquire"] = _load("p", "acquire")
    table["atomic_set"] = _store("pv", "once")
    table["atomic_set_release"] = _store("pv", "release")
    return table


def _fence(kind: FenceKind) -> Function:
    return _action("", lambda _a: Fence(kind))


FUNCTIONS: Final[dict[str, Function]] = {
    "READ_ONCE": _load("l", "once"),
    "WRITE_ONCE": _store("lv", "once"),
    "smp_load_acquire": _load("p", "acquire"),
    "smp_store_release": _store("pv", "release"),
    "smp_store_mb": _store("lv", "once", Fence("mb")),
    "rcu_dereference": _load("l", "once"),
    "rcu_assign_pointer": _store("lv", "release"),
    **_atomics(),
    **{name: _fence(kind) for name, kind in _FENCES.items()},
    "spin_lock": _action("p", lambda a: SpinLock(a[0])),
    "spin_unlock": _action("p", lambda a: SpinUnlock(a[0])),
    "spin_trylock": Function("p", lambda register, a: (SpinTrylock(register, a[0]),)),
    "spin_is_locked": Function("p", lambda register, a: (SpinIsLocked(register, a[0]),)),
    "rcu_read_lock": _action("", lambda _a: RcuLock()),
    "rcu_read_unlock": _action("", lambda _a: RcuUnlock()),
    "synchronize_rcu": _action("", lambda _a: RcuSync()),
    "synchronize_rcu_expedited": _action("", lambda _a: RcuSync()),
    "srcu_read_lock": Function("p", lambda register, a: (SrcuLock(register, a[0]),)),
    "srcu_read_unlock": _action("pv", lambda a: SrcuUnlock(a[0], a[1])),
    "synchronize_srcu": _action("p", lambda a: SrcuSync(a[0])),
    "synchronize_srcu_expedited": _action("p", lambda a: SrcuSync(a[0])),
}


def tested(function: Function, register: Expression) -> Expression:
    """What a call of `function` is worth when its statement left `register`."""
    return register if function.test is None else Binary(function.test[0], register, Number(function.test[1]))
