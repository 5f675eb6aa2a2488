"""A litmus test as data: shared words, threads of simple statements, and what is asked of the end.

The reader (`spfvar.litmus.parse`) makes every statement simple: it has at most one access to shared memory,
and its operands are expressions of registers, numbers and addresses.  So ``r1 = READ_ONCE(*x) + 1`` comes as
a load into a register of the reader's, then an assignment.  Dependencies stay where they were: in the
registers that an address, a value or a condition is made of.

Values are whole numbers and addresses of shared words.  A word holds 0 until the test says otherwise, and so
does a register; a lock is a word that is 0 when free.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

# -- Expressions: no access to memory ------------------------------------------------------------------------


@dataclass(frozen=True)
class Number:
    """A whole number."""

    value: int


@dataclass(frozen=True)
class Address:
    """The address of a shared word: what a parameter's name means in a thread."""

    word: str


@dataclass(frozen=True)
class Register:
    """The value of a local variable."""

    name: str


@dataclass(frozen=True)
class Unary:
    """An operator of C before its operand: ``-``, ``!`` or ``~``."""

    operator: str
    operand: Expression


@dataclass(frozen=True)
class Binary:
    """An operator of C between two operands, both of them evaluated: one of `BINARY`."""

    operator: str
    left: Expression
    right: Expression


Expression = Number | Address | Register | Unary | Binary
Value = Number | Address

UNARY = ("-", "!", "~")
#: From the loosest to the tightest; each row associates to the left.
PRECEDENCE: tuple[tuple[str, ...], ...] = (
    ("||",),
    ("&&",),
    ("|",),
    ("^",),
    ("&",),
    ("==", "!="),
    ("<", "<=", ">", ">="),
    ("+", "-"),
    ("*",),
)
BINARY = tuple(operator for row in PRECEDENCE for operator in row)

# -- Statements ----------------------------------------------------------------------------------------------

LoadOrder = Literal["plain", "once", "acquire"]
StoreOrder = Literal["plain", "once", "release"]
#: "once" is what the kernel's names call relaxed; "full" is as if between two `smp_mb()`.
RmwOrder = Literal["once", "acquire", "release", "full"]
FenceKind = Literal[
    "mb", "rmb", "wmb", "before-atomic", "after-atomic", "after-spinlock", "after-unlock-lock", "barrier"
]  # fmt: skip
RmwOperator = Literal["+", "-", "&", "|", "^", "xchg"]


@dataclass(frozen=True)
class Assign:
    """``register = value``: no access to memory."""

    register: str
    value: Expression


@dataclass(frozen=True)
class Load:
    """``register = READ_ONCE(*address)`` and relatives; "plain" is ``register = *address``."""

    register: str
    address: Expression
    order: LoadOrder


@dataclass(frozen=True)
class Store:
    """``WRITE_ONCE(*address, value)`` and relatives; "plain" is ``*address = value``."""

    address: Expression
    value: Expression
    order: StoreOrder


@dataclass(frozen=True)
class Rmw:
    """An atomic change of a word that always happens: ``atomic_add()``, ``xchg()``, ``atomic_fetch_or()``.

    `returns` says what goes to `register`: the "old" value, the "new" one (of + and - only), or "nothing".
    The kernel orders nothing by a change that returns nothing, not even its load for `smp_rmb()`; its `order`
    is then "once" and its `register` None.  The latter is also a result that nobody takes.
    """

    register: str | None
    address: Expression
    operator: RmwOperator
    operand: Expression
    returns: Literal["nothing", "old", "new"]
    order: RmwOrder


@dataclass(frozen=True)
class Cmpxchg:
    """``register = cmpxchg(address, expected, new)``: the old value.

    It stores, and orders, only if that was `expected`.
    """

    register: str | None
    address: Expression
    expected: Expression
    new: Expression
    order: RmwOrder


@dataclass(frozen=True)
class AddUnless:
    """``register = atomic_add_unless(address, operand, unless)``: 1 if it added, in full order; else 0."""

    register: str | None
    address: Expression
    operand: Expression
    unless: Expression


@dataclass(frozen=True)
class Fence:
    """A barrier: ``smp_mb()``, ``smp_mb__after_spinlock()``, ..."""

    kind: FenceKind


@dataclass(frozen=True)
class SpinLock:
    """``spin_lock(address)``."""

    address: Expression


@dataclass(frozen=True)
class SpinTrylock:
    """``register = spin_trylock(address)``: 1 if it took the lock, else 0 and no order."""

    register: str | None
    address: Expression


@dataclass(frozen=True)
class SpinUnlock:
    """``spin_unlock(address)``."""

    address: Expression


@dataclass(frozen=True)
class SpinIsLocked:
    """``register = spin_is_locked(address)``: no order."""

    register: str | None
    address: Expression


@dataclass(frozen=True)
class RcuLock:
    """``rcu_read_lock()``."""


@dataclass(frozen=True)
class RcuUnlock:
    """``rcu_read_unlock()``."""


@dataclass(frozen=True)
class RcuSync:
    """``synchronize_rcu()`` or ``synchronize_rcu_expedited()``."""


@dataclass(frozen=True)
class SrcuLock:
    """``register = srcu_read_lock(address)``: the index that the unlock is given."""

    register: str | None
    address: Expression


@dataclass(frozen=True)
class SrcuUnlock:
    """``srcu_read_unlock(address, index)``."""

    address: Expression
    index: Expression


@dataclass(frozen=True)
class SrcuSync:
    """``synchronize_srcu(address)`` or its expedited form."""

    address: Expression


@dataclass(frozen=True)
class If:
    """``if (condition) then else otherwise``: the arms depend on the condition, what follows does not."""

    condition: Expression
    then: tuple[Statement, ...]
    otherwise: tuple[Statement, ...] = ()


Statement = (
    Assign | Load | Store | Rmw | Cmpxchg | AddUnless | Fence
    | SpinLock | SpinTrylock | SpinUnlock | SpinIsLocked
    | RcuLock | RcuUnlock | RcuSync | SrcuLock | SrcuUnlock | SrcuSync | If
)  # fmt: skip

# -- What is asked of the end --------------------------------------------------------------------------------


@dataclass(frozen=True)
class FinalWord:
    """The last value of a shared word."""

    word: str


@dataclass(frozen=True)
class FinalRegister:
    """The last value of a register of thread number `thread`."""

    thread: int
    name: str


Term = FinalWord | FinalRegister | Number | Address


@dataclass(frozen=True)
class Equal:
    """Two values are the same; a number is never the same as an address."""

    left: Term
    right: Term


@dataclass(frozen=True)
class Not:
    """The clause does not hold."""

    clause: Clause


@dataclass(frozen=True)
class And:
    """Every clause holds; none of them: always."""

    clauses: tuple[Clause, ...]


@dataclass(frozen=True)
class Or:
    """Some clause holds; none of them: never."""

    clauses: tuple[Clause, ...]


Clause = Equal | Not | And | Or


def terms(clause: Clause) -> Iterator[Term]:
    """What the clause compares, left and right, in the order of the text."""
    match clause:
        case Equal(left, right):
            yield from (left, right)
        case Not(inner):
            yield from terms(inner)
        case And(clauses) | Or(clauses):
            for inner in clauses:
                yield from terms(inner)


# -- The test ------------------------------------------------------------------------------------------------

Verdict = Literal["never", "sometimes", "always"]


@dataclass(frozen=True)
class Parameter:
    """A shared word that a thread is given: its name, and its type as written, such as ``int **``."""

    word: str
    type: str = "int *"


@dataclass(frozen=True)
class Thread:
    """What one CPU runs.  Registers are whatever names its statements write."""

    parameters: tuple[Parameter, ...]
    body: tuple[Statement, ...]


@dataclass(frozen=True)
class Initial:
    """A value that a word, or a register of a thread, has at the beginning."""

    place: FinalWord | FinalRegister
    value: Value


@dataclass(frozen=True)
class Test:
    """A whole litmus test.

    The verdict is "never" if no execution that satisfies `filter` satisfies `clause`, "always" if each does,
    else "sometimes"; the `quantifier` says which of them the author hopes for and does not change it.
    `result` is the verdict that the test's own comment claims, None where it has none of the three.
    """

    __test__ = False  # not a test of pytest's

    name: str
    initial: tuple[Initial, ...]
    threads: tuple[Thread, ...]
    quantifier: Literal["exists", "~exists", "forall"]
    clause: Clause
    filter: Clause | None = None
    locations: tuple[FinalWord | FinalRegister, ...] = ()
    result: Verdict | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """Every shared word, in the order of its first mention."""
        names: dict[str, None] = {}
        for initial in self.initial:
            if isinstance(initial.place, FinalWord):
                names[initial.place.word] = None
            if isinstance(initial.value, Address):
                names[initial.value.word] = None
        for thread in self.threads:
            names |= dict.fromkeys(parameter.word for parameter in thread.parameters)
        return tuple(names)
