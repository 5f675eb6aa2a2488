"""A layout: the structs of a kernel version, member by member, as its TOML file says (`layouts/`)."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from spfvar.errors import InputError, unknown

#: Bytes of a cache line.
LINE: Final = 64
#: Alignment of the widest plain member of x86-64, in bytes.
WORD: Final = 8

Bytes = Annotated[int, Field(ge=1, le=1 << 16)]
#: How an offset is known: read in the source and added up, or measured on an object file.
Known = Literal["read", "compiled"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Member(_Strict):
    """A member: offset and size in bytes; ``type`` is a struct of the same layout, if it is one.

    ``align``: what its address is a multiple of, if that is not its size or, where it is larger, a word.
    """

    name: str = Field(pattern=r"^[a-z_][a-z0-9_]*$")
    offset: int = Field(ge=0, le=1 << 16)
    size: Bytes
    align: Bytes | None = None
    type: str | None = None

    @property
    def alignment(self) -> int:
        """Its address is a multiple of so many bytes."""
        return self.align or natural_alignment(self.size)

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.offset + self.size


class Struct(_Strict):
    """A struct: its members in the order of their offsets; ``size`` in bytes, if all of it is known.

    ``aligned``: its objects begin at multiples of so many bytes.
    """

    name: str
    known: Known
    aligned: Bytes = WORD
    size: Bytes | None = None
    members: tuple[Member, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _lies_as_a_compiler_puts_it(self) -> Struct:
        for i, (member, offset) in enumerate(zip(self.members, packed(self.members), strict=True)):
            if member.name in [other.name for other in self.members[:i]]:
                raise InputError(f"two members {member.name}", key=f"members[{i}].name")
            if member.offset != offset:
                raise InputError(
                    f"{member.name} at {member.offset}", key=f"members[{i}].offset",
                    expected=f"{offset}, behind what precedes it (or a member between them, or align)",
                )  # fmt: skip
        if self.size is not None and self.size < self.members[-1].end:
            raise InputError(f"{self.size} bytes, but {self.members[-1].name} ends later", key="size")
        return self

    def member(self, name: str) -> Member | None:
        """The member of that name, or the one that a dotted name begins with."""
        return next((one for one in self.members if one.name in (name, name.split(".")[0])), None)


class StructLayout(_Strict):
    """The structs of the kernels that begin with a version in ``since``.

    A version of three parts in ``since`` stands for the stable releases of its own branch only.
    """

    title: str
    since: tuple[str, ...] = Field(min_length=1)
    source: str
    config: str
    struct: tuple[Struct, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _types_are_structs(self) -> StructLayout:
        for i, struct in enumerate(self.struct):
            for k, member in enumerate(struct.members):
                if member.type is not None and self.find(member.type) is None:
                    key = f"struct[{i}].members[{k}].type"
                    raise unknown("struct", member.type, [one.name for one in self.struct], key=key)
        return self

    def find(self, name: str) -> Struct | None:
        """The struct of that name."""
        return next((one for one in self.struct if one.name == name), None)


def natural_alignment(size: int) -> int:
    """Of a number or pointer of so many bytes, or of a struct that holds a pointer."""
    return size if size in (1, 2, 4) else WORD


def packed(members: tuple[Member, ...]) -> list[int]:
    """The offsets that a compiler gives members in this order."""
    offsets = []
    here = 0
    for member in members:
        here += -here % member.alignment
        offsets.append(here)
        here += member.size
    return offsets
