"""Where a primitive acts: object classes, their fields, a thread's registers, cache lines.

What is hashed is what almost always tells two of a kind apart: extraction hashes them by the million.

A *field* belongs to a class of objects (mm, vma, page table, ...) and is declared by whoever needs
it; a run lays out only the fields that its automata mention.  A *register* is private to a thread
and holds either a number or a reference to an object.  A *place* is a field of the object that a
register refers to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ObjectClass:
    """A kind of kernel object, e.g. ``vma``.

    ``lifetime`` is false for objects never freed; ``struct`` is the C struct whose members the fields are.
    """

    name: str
    lifetime: bool = True
    struct: str = ""

    def __hash__(self) -> int:
        return hash(self.name)


@dataclass(frozen=True, slots=True)
class Where:
    """Where in memory a field lies; `member`, `behind` and `apart` make one.

    ``how``: it is the "member" ``name`` of its object's struct, or within it ("": the one of the field's own
    name, if there is one); or a patch adds ``size`` bytes right "behind" that member, at a multiple of
    ``align``; or it lies "apart".
    """

    how: Literal["member", "behind", "apart"] = "member"
    name: str = ""
    size: int = 0
    align: int = 0


def member(name: str) -> Where:
    """The member of the object's struct that a field of another name is, or lies within."""
    return Where("member", name)


def behind(name: str, size: int = 8, align: int = 0) -> Where:
    """A member that a patch adds right behind another, in bytes; what follows moves.

    ``align``: 64 for ``____cacheline_aligned_in_smp``; 0 for that of a number or pointer of the size.

    A kernel whose struct has a member of the field's name has it already: then it lies where it is there.
    """
    return Where("behind", name, size, align)


def apart(name: str = "") -> Where:
    """A cache line of its own: aligned to one, or in memory that the object refers to (``name``)."""
    return Where("apart", name)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object class.

    ``width`` is its number of state words (a lock needs several).  ``where`` it lies in memory decides, with
    the layout of a kernel version, which fields share a cache line, and so disturb each other (a member that
    the layout does not know has one of its own).  ``initial`` is the value of objects that
    exist when a run starts; later ones start with zeroes, except for fields that are ``kept``: those an
    allocation leaves as the freed object had them (SLAB_TYPESAFE_BY_RCU with a constructor).
    ``sequence``: it is a sequence count, odd inside a write section: at rest every one in use is even (P14).
    ``weak``: it is read or written without a lock that orders it, so that under ``--memory lkmm`` a load may
    see an older store; a field of the same class: only where texts look at that one, too.
    """

    cls: ObjectClass
    name: str
    width: int = 1
    where: Where = Where()
    initial: int = 0
    kept: bool = False
    sequence: bool = False
    weak: bool | Field = False

    def __post_init__(self) -> None:
        if self.weak and self.width != 1:
            raise TypeError(f"{self} cannot be weak: it has {self.width} words, expected 1")
        if self.sequence and (self.width != 1 or self.initial % 2 or not self.cls.lifetime):
            raise TypeError(
                f"{self} is no sequence count: that is one word of an object that is freed, even at the start"
            )

    def __hash__(self) -> int:
        return hash(self.name)

    def __str__(self) -> str:
        return f"{self.cls.name}->{self.name}"

    @property
    def member(self) -> str:
        """What it is called in its struct, or the memory that it is apart in."""
        return self.name if self.where.how == "behind" else self.where.name or self.name


@dataclass(frozen=True, slots=True)
class Register:
    """A thread-local variable; ``cls`` is the class of object it refers to, if it is a reference."""

    name: str
    cls: ObjectClass | None = None

    def __hash__(self) -> int:
        return hash(self.name)


@dataclass(frozen=True, slots=True)
class Place:
    """``register->field``: a field of the object that a register refers to."""

    register: Register
    field: Field

    def __post_init__(self) -> None:
        if self.register.cls != self.field.cls:
            raise TypeError(f"{self.field} cannot be reached through register {self.register.name}")

    def __hash__(self) -> int:
        return hash((self.register.name, self.field.name))

    def __str__(self) -> str:
        return f"{self.register.name}->{self.field.name}"


@dataclass(frozen=True, slots=True)
class Line:
    """The cache line of a field of the object in ``register``, and how an op touches it.

    ``mode`` is "read" (the line may stay shared), "rmw" (the line moves to the toucher) or "rmw+store": a
    plain store to a rwsem's owner follows, for which nobody waits, if the op's last outcome came out.
    """

    register: Register
    field: Field
    mode: str

    @property
    def name(self) -> str:
        """The field's."""
        return self.field.name


#: Words of each kind of lock in the state: rwsem = readers, writer, queue head, queue tail;
#: spinlock and bit lock = owner, queue head, queue tail; range lock = requests, those for writing.
RWSEM_WORDS = 4
SPIN_WORDS = 3
RANGE_WORDS = 2
