"""Where a primitive acts: object classes, their fields, a thread's registers, cache lines.

A *field* belongs to a class of objects (mm, vma, page table, ...) and is declared by whoever needs
it; a run lays out only the fields that its automata mention.  A *register* is private to a thread
and holds either a number or a reference to an object.  A *place* is a field of the object that a
register refers to.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ObjectClass:
    """A kind of kernel object, e.g. ``vma``.  ``lifetime`` is false for objects never freed."""

    name: str
    lifetime: bool = True


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object class.

    ``width`` is its number of state words (a lock needs several); fields that name the same
    ``line`` share a cache line, and so disturb each other.  ``initial`` is the value of objects that
    exist when a run starts; later ones start with zeroes, except for fields that are ``kept``: those an
    allocation leaves as the freed object had them (SLAB_TYPESAFE_BY_RCU with a constructor).
    """

    cls: ObjectClass
    name: str
    width: int = 1
    line: str = "main"
    initial: int = 0
    kept: bool = False

    def __str__(self) -> str:
        return f"{self.cls.name}->{self.name}"


@dataclass(frozen=True, slots=True)
class Register:
    """A thread-local variable; ``cls`` is the class of object it refers to, if it is a reference."""

    name: str
    cls: ObjectClass | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """``register->field``: a field of the object that a register refers to."""

    register: Register
    field: Field

    def __post_init__(self) -> None:
        if self.register.cls != self.field.cls:
            raise TypeError(f"{self.field} cannot be reached through register {self.register.name}")

    def __str__(self) -> str:
        return f"{self.register.name}->{self.field.name}"


@dataclass(frozen=True, slots=True)
class Line:
    """A cache line of the object in ``register``, and how an op touches it.

    ``mode`` is "read" (the line may stay shared), "rmw" (the line moves to the toucher) or "rmw+store": a
    plain store to the same line follows, for which nobody waits, if the op's last outcome came out.
    """

    register: Register
    name: str
    mode: str


#: Words of each kind of lock in the state: rwsem = readers, writer, queue head, queue tail;
#: spinlock and bit lock = owner, queue head, queue tail; range lock = requests, those for writing.
RWSEM_WORDS = 4
SPIN_WORDS = 3
RANGE_WORDS = 2
