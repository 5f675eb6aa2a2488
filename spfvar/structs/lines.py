"""From offsets to cache lines: which fields of a run's objects share one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spfvar.errors import InputError, unknown
from spfvar.ops.op import Op
from spfvar.ops.places import Field
from spfvar.structs.model import LINE, Member, Struct, StructLayout, natural_alignment, packed

#: Every field of its own.
ALL = "*"

#: A line within an object of a class: the struct, or the memory apart from it, and the number of the line.
LineKey = tuple[str, int]


@dataclass(frozen=True)
class Memory:
    """A layout under its name, as a variant changes it.

    ``apart``: members, as "mm_struct.mm_users", that begin a cache line which nothing else is on, without
    moving what lies behind them; `ALL` stands for every field.
    """

    name: str
    layout: StructLayout
    apart: frozenset[str] = frozenset()

    def check(self) -> None:
        """Raise InputError if there is no such member to be apart."""
        for name in sorted(self.apart - {ALL}):
            struct, _, member = name.partition(".")
            found = self.layout.find(struct)
            if found is None:
                raise unknown("struct", struct, [one.name for one in self.layout.struct], key="apart")
            if found.member(member) is None:
                raise unknown(f"member of {struct}", member, _names(found), key="apart")


class CacheLines:
    """The cache lines of a run whose ops act on ``fields``, some of which patches may have added.

    Raises InputError for a field that says it is a member, or lies behind one, that its struct does not have.
    """

    def __init__(self, memory: Memory, fields: Iterable[Field]) -> None:
        self._memory = memory
        self._structs = {struct.name: struct for struct in memory.layout.struct}
        added = [field for field in fields if self.is_added(field)]
        for name in sorted({field.cls.struct for field in added}):
            self._structs[name] = self._with(name, [field for field in added if field.cls.struct == name])
        self._keys: dict[tuple[Field, bool], LineKey] = {}  # asked for at every node

    def key(self, field: Field) -> LineKey:
        """The line of a field's first byte."""
        if (field, False) not in self._keys:
            self._keys[field, False] = self._key(field)
        return self._keys[field, False]

    def owner_key(self, field: Field) -> LineKey:
        """The line of the owner of a rwsem: that of the field, if the layout does not know its inside."""
        if (field, True) not in self._keys:
            self._keys[field, True] = self._owner_key(field)
        return self._keys[field, True]

    def _owner_key(self, field: Field) -> LineKey:
        found = self._offset(field)
        if found is None or self.is_apart(field):
            return self.key(field)
        member = found[0].member(field.member)
        inside = self._structs.get(member.type) if member is not None and member.type else None
        owner = inside.member("owner") if inside is not None else None
        return self._key(field, owner.offset if owner is not None else 0)

    def is_added(self, field: Field) -> bool:
        """Does the kernel's struct not have it, but a patch?"""
        return field.where.how == "behind" and self._known(field) is None

    def is_apart(self, field: Field) -> bool:
        """Was it asked to have a line of its own, whatever its struct says?"""
        return bool(self._memory.apart & {ALL, f"{field.cls.struct}.{field.member}"})

    def offset(self, field: Field) -> int | None:
        """Where in its struct a field lies, in bytes; None if it is apart, or nobody says where it is."""
        found = self._offset(field)
        return found[1] if found is not None else None

    def _key(self, field: Field, further: int = 0) -> LineKey:
        struct = self._structs.get(field.cls.struct)
        if struct is not None and _is_one_line(struct) and field.where.how != "apart":
            return (f"{struct.name}.{field.member}, apart" if self.is_apart(field) else struct.name), 0
        found = self._offset(field)
        if found is None:
            return f"{field.member}, apart", 0
        if self.is_apart(field):
            return f"{found[0].name}.{field.member}, apart", 0
        return found[0].name, (found[1] + further) // LINE

    def _offset(self, field: Field) -> tuple[Struct, int] | None:
        """The struct, and the offset in it."""
        if field.where.how == "apart":
            return None
        struct = self._structs.get(field.cls.struct)
        if struct is None:
            return None
        member = struct.member(field.member)
        if member is None and field.where.how == "member" and field.where.name and not _is_one_line(struct):
            raise self._no_member(field, struct, field.where.name, "is")
        return (struct, member.offset) if member is not None else None

    def _known(self, field: Field) -> Member | None:
        """A member of the field's own name: then the kernel has what the patch adds."""
        struct = self._memory.layout.find(field.cls.struct)
        return struct.member(field.name) if struct is not None else None

    def _with(self, name: str, added: Sequence[Field]) -> Struct:
        """A struct with more members; those behind the same one are in the order of their names."""
        if name not in self._structs:
            known = ", ".join(self._structs)
            message = f"{added[0]} lies behind a member, but {self._memory.name} does not know its struct"
            raise InputError(message, expected=f"a field of {known}, or one that is apart")
        struct = self._structs[name]
        members = list(struct.members)
        for field in sorted(added, key=lambda one: one.name, reverse=True):
            before = struct.member(field.where.name)
            if before is None:
                raise self._no_member(field, struct, field.where.name, "lies behind")
            size, align = field.where.size, field.where.align or natural_alignment(field.where.size)
            new = Member(name=field.name, offset=0, size=size, align=align)
            members.insert(members.index(before) + 1, new)
        offsets = packed(tuple(members))
        moved = [one.model_copy(update={"offset": at}) for one, at in zip(members, offsets, strict=True)]
        return struct.model_copy(update={"members": tuple(moved), "size": None})

    def _no_member(self, field: Field, struct: Struct, name: str, how: str) -> InputError:
        error = unknown(f"member of {struct.name} ({self._memory.name})", name, _names(struct))
        error.message = f"{field} {how} {name!r}: {error.message}"
        return error


def touched_fields(ops: Iterable[Op]) -> list[Field]:
    """Every field whose cache line an op touches, once."""
    return list(dict.fromkeys(op.line.field for op in ops if op.line is not None))


def _is_one_line(struct: Struct) -> bool:
    """All of it lies on one line, whatever its members are."""
    return struct.size is not None and struct.size <= LINE and struct.aligned >= LINE


def _names(struct: Struct) -> list[str]:
    return [member.name for member in struct.members]
