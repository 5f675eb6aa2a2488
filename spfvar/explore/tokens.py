"""Tokens: a violation's path as a short text that anybody can replay.

``VARIANT:RACE:PAYLOAD``.  The payload, in URL-safe base64, holds a version, a digest of variant and race (so
that a changed model is noticed), the violation's code, the path as runs of primitives of one thread, and for
each primitive half a byte of all executed so far (so that a replay knows where a changed model leaves it).
The version says under which memory model the path was found.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spfvar.automata.weaken import Memory
from spfvar.errors import InputError, shorten
from spfvar.explore.search import WAYS
from spfvar.explore.trace import Step
from spfvar.explore.world import RaceWorld
from spfvar.ops import codes as c
from spfvar.scenario.race import race_hash

#: By memory model.
_VERSIONS: dict[Memory, int] = {"sc": 1, "lkmm": 3}
#: A way in a payload: thread * this + choice.
_CHOICES: dict[Memory, int] = {"sc": 8, "lkmm": WAYS}
_DIGEST = 3
_HEAD = 1 + _DIGEST + 1
#: Longer paths are no counterexamples that anybody would replay; it bounds what a damaged token can ask for.
_LONGEST = 100_000


@dataclass(frozen=True, slots=True)
class Token:
    """A path: ``ways`` from the start, one primitive each, ``sums`` behind each; what its end violates.

    ``memory`` is the memory model of the run.
    """

    variant: str
    race: str
    digest: bytes
    code: int
    ways: tuple[int, ...]
    sums: tuple[int, ...]
    memory: Memory = "sc"

    def __str__(self) -> str:
        """The text that `parse` reads."""
        runs = list(_runs(self.ways))
        choices = _CHOICES[self.memory]
        firsts = (bytes([way // WAYS * choices + way % WAYS]) for way, _ in runs)
        path = _number(len(runs)) + b"".join(
            first + _number(more) for first, (_, more) in zip(firsts, runs, strict=True)
        )
        pairs = zip(self.sums[::2], [*self.sums[1::2], 0], strict=False)
        sums = bytes(low | high << 4 for low, high in pairs)
        payload = bytes([_VERSIONS[self.memory]]) + self.digest + bytes([self.code]) + path + sums
        text = base64.urlsafe_b64encode(payload).decode("ascii").rstrip("=")
        return f"{self.variant}:{self.race}:{text}"


def _start(world: RaceWorld) -> Iterator[npt.NDArray[np.int16]]:
    """The start state; of one with weak words, all but histories and views, of which it has none yet."""
    if world.weak is None:
        yield world.start
        return
    yield world.start[: world.layout.strong]
    for thread in range(world.threads):
        base = world.layout.thread_base(thread)
        yield world.start[base : base + world.layout.fixed]


def model_digest(world: RaceWorld) -> bytes:
    """The part of `whole_digest` that tokens have."""
    return whole_digest(world)[:_DIGEST]


def whole_digest(world: RaceWorld) -> bytes:
    """Changes whenever the race, or what the variant does in it, changes; not with how long histories are."""
    digest = hashlib.sha256(race_hash(world.race).encode())
    digest.update(world.program.table.tobytes())
    for words in _start(world):
        digest.update(words.tobytes())
    for op in world.program.ops:
        digest.update(f"{op.function}/{op.name}\n".encode())
    if world.weak is not None:  # and what orders what
        digest.update(world.weak.nodes.tobytes())
    return digest.digest()


class Summing:
    """Half a byte for all primitives so far: threads, functions, names and outcomes."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, step: Step) -> int:
        """The sum behind one more primitive."""
        self._digest.update(f"{step}\n".encode())
        return self._digest.digest()[0] & 15


def token_of(
    world: RaceWorld, variant: str, race: str, code: int, ways: Sequence[int], steps: Sequence[Step]
) -> str:
    """The token of a path that was recorded as these primitives."""
    summing = Summing()
    sums = tuple(summing.add(step) for step in steps)
    return str(Token(variant, race, model_digest(world), code, tuple(ways), sums, world.memory))


def parse(text: str) -> Token:
    """A token's content.  Raises InputError for text that is none."""
    text = "".join(text.split())
    variant, _, rest = text.partition(":")
    race, _, payload = rest.rpartition(":")
    if not (variant and race and payload):
        raise _bad("it has not three parts", text)
    try:
        data = base64.b64decode(payload + "=" * (-len(payload) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _bad("its last part is damaged", text) from None
    if len(data) <= _HEAD:
        raise _bad("its last part is cut off", text)
    memory = next((name for name, version in _VERSIONS.items() if version == data[0]), None)
    if memory is None:
        raise _bad(f"its version is {data[0]}, not {' or '.join(map(str, _VERSIONS.values()))}", text)
    code = data[_HEAD - 1]
    if not 0 < code < len(c.VIOLATIONS):
        raise _bad("it names no violation", text)
    ways, rest_at = _path(data, text, _CHOICES[memory])
    sums = [half for byte in data[rest_at:] for half in (byte & 15, byte >> 4)]
    if len(sums) != len(ways) + len(ways) % 2:
        raise _bad("its last part is cut off", text)
    return Token(variant, race, data[1 : 1 + _DIGEST], code, tuple(ways), tuple(sums[: len(ways)]), memory)


def _path(data: bytes, text: str, choices: int) -> tuple[list[int], int]:
    """The ways, and where the sums begin.  ``choices``: numbers of a thread's ways."""
    try:
        runs, at = _read_number(data, _HEAD)
        ways: list[int] = []
        for _ in range(runs):
            thread, choice = divmod(data[at], choices)
            more, at = _read_number(data, at + 1)
            if len(ways) + more > _LONGEST:
                raise IndexError
            ways += [thread * WAYS + choice, *[thread * WAYS] * more]
    except IndexError:
        raise _bad("its last part is cut off", text) from None
    return ways, at


def _runs(ways: Sequence[int]) -> Iterator[tuple[int, int]]:
    """A way, and how many primitives of the same thread follow without a choice."""
    first, more = -1, 0
    for way in ways:
        if first >= 0 and way == first // WAYS * WAYS:
            more += 1
            continue
        if first >= 0:
            yield first, more
        first, more = way, 0
    if first >= 0:
        yield first, more


def _number(value: int) -> bytes:
    """Seven bits in a byte, the low ones first."""
    low, high = value & 127, value >> 7
    return bytes([low | 128]) + _number(high) if high else bytes([low])


def _read_number(data: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while shift < 28:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise IndexError


def _bad(why: str, text: str) -> InputError:
    return InputError(f"{shorten(text, 40)!r} is no token: {why}", expected="VARIANT:RACE:PAYLOAD from check")
