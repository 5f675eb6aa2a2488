"""Tokens: a violation's path as a short text that anybody can replay.

``VARIANT:RACE:PAYLOAD``, the payload in URL-safe base64: version and flags, a digest of variant and race (so
that a changed model is noticed), the violation's code, then, deflated, a byte per way and a byte of what each
way executed (so that a replay knows where a changed model goes another way).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spfvar.errors import InputError
from spfvar.explore.moves import Move, Walker
from spfvar.explore.trace import outcome_text
from spfvar.explore.world import RaceWorld
from spfvar.ops import codes as c
from spfvar.scenario.race import race_hash

_VERSION = 1
_MERGED = 0x80
_DIGEST = 3
_HEAD = 1 + _DIGEST + 1


@dataclass(frozen=True, slots=True)
class Token:
    """A path: ``ways`` from the start, ``sums`` of what each executed, and what is violated at its end."""

    variant: str
    race: str
    digest: bytes
    code: int
    ways: tuple[int, ...]
    sums: bytes
    merge: bool

    def __str__(self) -> str:
        """The text that `parse` reads."""
        flags = _VERSION | (_MERGED if self.merge else 0)
        path = zlib.compress(bytes(self.ways) + self.sums, 9, wbits=-15)
        payload = bytes([flags]) + self.digest + bytes([self.code]) + path
        text = base64.urlsafe_b64encode(payload).decode("ascii").rstrip("=")
        return f"{self.variant}:{self.race}:{text}"


def model_digest(world: RaceWorld) -> bytes:
    """Changes whenever the race or what the variant does in it changes."""
    digest = hashlib.sha256(race_hash(world.race).encode())
    digest.update(world.program.table.tobytes())
    digest.update(world.start.tobytes())
    for op in world.program.ops:
        digest.update(f"{op.function}/{op.name}\n".encode())
    return digest.digest()[:_DIGEST]


def sum_of(world: RaceWorld, moves: Iterable[Move]) -> int:
    """A byte for what a way executed: functions, primitives, outcomes."""
    text = "\n".join(
        f"{op.function}/{op.name}/{outcome_text(op, move.outcome)}"
        for move in moves
        for op in [world.program.ops[move.node]]
    )
    return hashlib.sha256(text.encode()).digest()[0]


def token_of(world: RaceWorld, variant: str, race: str, code: int, ways: Sequence[int], merge: bool) -> str:
    """The token of a path."""
    walker = Walker(world, merge)
    sums = bytes(sum_of(world, walker.go(way)) for way in ways)
    return str(Token(variant, race, model_digest(world), code, tuple(ways), sums, merge))


def parse(text: str) -> Token:
    """A token's content.  Raises InputError for text that is none."""
    parts = text.strip().split(":")
    if len(parts) != 3 or not all(parts):
        raise _bad("it has not three parts", text)
    variant, race, payload = parts
    try:
        data = base64.b64decode(payload + "=" * (-len(payload) % 4), altchars=b"-_", validate=True)
        decoder = zlib.decompressobj(wbits=-15)
        path = decoder.decompress(data[_HEAD:], 1 << 20)
    except (binascii.Error, ValueError, zlib.error):
        raise _bad("its last part is damaged", text) from None
    if len(data) <= _HEAD or not decoder.eof or decoder.unused_data or len(path) % 2 or not path:
        raise _bad("its last part is cut off", text)
    if data[0] & ~_MERGED != _VERSION:
        raise _bad(f"its version is {data[0] & ~_MERGED}, not {_VERSION}", text)
    code = data[1 + _DIGEST]
    if not 0 < code < len(c.VIOLATIONS):
        raise _bad("it names no violation", text)
    half = len(path) // 2
    digest = bytes(data[1 : 1 + _DIGEST])
    return Token(variant, race, digest, code, tuple(path[:half]), path[half:], bool(data[0] & _MERGED))


def _bad(why: str, text: str) -> InputError:
    shown = text if len(text) <= 40 else f"{text[:37]}..."
    return InputError(f"{shown!r} is no token: {why}", expected="VARIANT:RACE:PAYLOAD, as check prints it")
