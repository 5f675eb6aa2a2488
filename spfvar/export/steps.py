"""A primitive as a Promela step: what can go wrong, and one way out for each outcome.

Templates turn an op into a `Step`; they are kept by opcode.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from spfvar.export.model import Model, registers_of
from spfvar.ops import codes as c
from spfvar.ops.op import Op
from spfvar.ops.places import SPIN_WORDS, Register


@dataclass(frozen=True)
class Way:
    """An outcome: the condition under which the primitive has it ("": always), and what it then does."""

    guard: str = ""
    effects: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fault:
    """A violation: when (``bad``), and an expression of its number."""

    bad: str
    number: str


@dataclass(frozen=True)
class Step:
    """A primitive.

    ``ways`` by outcome.  ``faults`` are looked at first, in order.  ``queue``: a way that, instead of
    finishing, puts the process into a lock's queue, where it stays until the lock is handed over.
    """

    ways: tuple[Way, ...]
    faults: tuple[Fault, ...] = ()
    queue: Way | None = None


def fail(bad: str, violation: int) -> Fault:
    """A violation with its number."""
    return Fault(bad, str(violation))


def done(*effects: str) -> Step:
    """A step with one outcome."""
    return Step((Way("", effects),))


def test(condition: str, *effects: str) -> Step:
    """A step with the outcomes false and true, and the same effects on both."""
    return Step((Way(f"!({condition})", effects), Way(condition, effects)))


@dataclass
class Operands:
    """An op's operands as Promela expressions."""

    model: Model
    op: Op

    def _name(self, register: Register | None) -> str:
        assert register is not None, f"{self.op.name} lacks an operand"
        return self.model.register(register)

    @property
    def dst(self) -> str:
        """The register written."""
        return self._name(self.op.dst)

    @property
    def src(self) -> str:
        """The first register read."""
        return self._name(self.op.src)

    @property
    def src2(self) -> str:
        """The second register read."""
        return self._name(self.op.src2)

    @property
    def src3(self) -> str:
        """The third register read."""
        return self._name(self.op.src3)

    @property
    def imm(self) -> int:
        """The op's constant."""
        return self.op.imm

    def value(self, register: Register | None) -> str:
        """A register as the number that it stands for."""
        name = self._name(register)
        return name if register is None or register.cls is None else f"{name} - 1"

    def set_number(self, number: str) -> str:
        """Set ``dst`` to a number, or to the object of that number."""
        assert self.op.dst is not None
        return f"{self.dst} = {number}" + (" + 1" if self.op.dst.cls is not None else "")

    @property
    def reference(self) -> str:
        """The register that refers to the object."""
        assert self.op.place is not None
        return self._name(self.op.place.register)

    @property
    def index(self) -> str:
        """The object's number."""
        assert self.op.place is not None
        return self.model.index(self.op.place.register, self.op.typesafe)

    @property
    def array(self) -> str:
        """The name of the place's field, without the object."""
        assert self.op.place is not None
        return self.model.field(self.op.place.field)

    @property
    def cls(self) -> str:
        """The name of the place's class."""
        assert self.op.place is not None
        return self.op.place.field.cls.name

    @property
    def word(self) -> str:
        """The place: a word of an object; of a spinlock, who holds it."""
        assert self.op.place is not None
        owner = "_owner" if self.op.place.field.width == SPIN_WORDS else ""
        return f"{self.array}{owner}[{self.index}]"


Template = Callable[[Operands], Step]
TEMPLATES: dict[int, Template] = {}


def template(*codes: int) -> Callable[[Template], Template]:
    """Register a template for opcodes."""

    def keep(function: Template) -> Template:
        TEMPLATES.update(dict.fromkeys(codes, function))
        return function

    return keep


def access_faults(model: Model, op: Op, sections: bool) -> list[Fault]:
    """What must hold before any primitive: it may sleep here, and its object is there to be accessed."""
    faults = []
    if op.sleeps and sections:
        faults.append(fail("rcu_nesting[_pid] > 0", c.V_SLEEP_IN_ATOMIC))
    if op.place is None or op.code <= c.LAST_LOCAL or op.code == c.ALLOC:
        return faults
    cls, name = op.place.field.cls, model.register(op.place.register)
    kind = "TYPESAFE" if op.typesafe else "OK"
    blame = f"BLAME_{'TYPESAFE_' if op.typesafe else ''}{cls.name}({name})"
    return [*faults, Fault(f"!{kind}_{cls.name}({name})", blame)]


def check_supported(model: Model, op: Op) -> str:
    """Why an op that has a template cannot be stated with these operands; "" if it can.

    A number may become a reference, or the other way round, only if such objects are never freed: nothing
    could mark it as stale on the way.
    """
    if op.code in (c.ADD_REG, c.ADD_REGS, c.LOAD, c.LOAD_TEST, c.LOAD_ODD) and op.dst is not None:
        used = [op.dst] if op.place is not None else registers_of(op)
        copied = op.code == c.ADD_REG and op.imm == 0 and len({register.cls for register in used}) == 1
        if not copied and any(model.is_global(register) for register in used):
            return "arithmetic on references to what may be freed"
    return ""
