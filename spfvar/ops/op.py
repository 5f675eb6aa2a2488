"""What a strategy yields: primitives (`Op`) and the control marks of its text.

A strategy is a generator.  It yields an `Op` and is sent the op's outcome; it yields a `Call` and is
sent the callee's return value.  `loop` and `again` are the only way to go round: the text between
them is the same each time, what differs lives in registers.

What was not yielded has no outcome.  To ask it for its truth, or to compare it with an outcome, is the
mistake of a text that forgot its ``yield``, and raises `NotYieldedError`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable
from dataclasses import dataclass, field, fields
from functools import lru_cache, wraps
from operator import attrgetter
from typing import Any, NoReturn, ParamSpec

from spfvar.ops.places import Line, Place, Register

#: A strategy's text: yields ops and control marks, is sent outcomes.
Steps = Generator[Any, Any, Any]


class NotYieldedError(TypeError):
    """A text takes a primitive or a call for its outcome, which is what ``yield`` sends back."""


@dataclass(frozen=True, slots=True)
class CallSite:
    """Where a function is called: in which function, at which ``file:line``, and how that came to be called.

    ``caller`` is None where the text begins, and where extraction was asked for the last call only.
    """

    function: str
    where: str
    caller: CallSite | None = None


@dataclass(frozen=True, slots=True)
class Op:
    """One kernel primitive: atomic, with its operands, outcomes and cost.

    ``outcomes`` are the values that the strategy is sent back, in the order in which the transition
    function numbers them.  ``cost`` names a cost class of the hardware profile (local work),
    ``line`` the cache line that the primitive moves.  A ``typesafe`` op may look at an object that was freed
    or recycled, inside an RCU section (SLAB_TYPESAFE_BY_RCU).  ``order`` is what the primitive orders
    (spfvar.ops.orders), which matters under ``--memory lkmm`` only; "": nothing.
    Extraction fills in ``function``, the hook
    point or function whose text yields it, and ``where``, that text's file and line; if it is asked for, also
    ``caller``, the call of that function.
    """

    code: int
    name: str
    outcomes: tuple[Hashable, ...] = (None,)
    place: Place | None = None
    dst: Register | None = None
    src: Register | None = None
    src2: Register | None = None
    src3: Register | None = None
    imm: int = 0
    imm2: int = 0
    line: Line | None = None
    cost: str = "local"
    sleeps: bool = False
    event: str = ""
    function: str = ""
    typesafe: bool = False
    order: str = ""
    caller: CallSite | None = None
    where: str = field(default="", compare=False)

    def costing(self, cost: str) -> Op:
        """The same primitive with another cost class."""
        return self.but(cost=cost)

    def on_typesafe_memory(self) -> Op:
        """The same primitive on an object that may be freed and recycled at any time."""
        return self.but(typesafe=True)

    def untimed(self) -> Op:
        """The same primitive as bookkeeping of the model: no cache line, no time."""
        return self.but(cost="free", line=None)

    def but(self, **changes: Any) -> Op:
        """The same primitive with other fields: as `dataclasses.replace`, but fast."""
        changed = object.__new__(Op)
        for read, write in _SLOTS:
            write(changed, read(self))
        for name, value in changes.items():
            object.__setattr__(changed, name, value)
        return changed

    def at_line(self, function: str, where: str) -> Op:
        """The same primitive as a function's text yields it at a line."""
        return self.but(function=self.function or function, where=where)

    def is_again(self, before: Op) -> bool:
        """Is it, as it was yielded, what `at_line` had before?"""
        return bool(_yielded(self) == _yielded(before)) and self.function in ("", before.function)

    def __eq__(self, other: object) -> bool:
        if other.__class__ is Op:
            return _content(self) == _content(other)
        if other is None or isinstance(other, int | float | str):
            raise NotYieldedError(f"{self.name} is compared with {other!r}, but was not yielded: {_YIELD}")
        return NotImplemented

    def __hash__(self) -> int:
        """Of what tells most primitives apart: it is asked for by the million."""
        caller = self.caller
        called = caller and (caller.where, caller.function)
        return hash((self.name, self.imm, self.outcomes, self.function, called))

    def __bool__(self) -> NoReturn:
        raise NotYieldedError(f"{self.name} is taken for its outcome, but was not yielded: {_YIELD}")

    def __iter__(self) -> NoReturn:
        raise NotYieldedError(f"{self.name} is no text to be run: a primitive is yielded without 'from'")


_content = attrgetter(*(one.name for one in fields(Op) if one.compare))
_yielded = attrgetter(*(one.name for one in fields(Op) if one.compare and one.name != "function"))
_SLOTS = [(vars(Op)[one.name].__get__, vars(Op)[one.name].__set__) for one in fields(Op)]
_YIELD = "an outcome is what (yield ...) gives"


_Arguments = ParamSpec("_Arguments")


def primitive(make: Callable[_Arguments, Op]) -> Callable[_Arguments, Op]:
    """A constructor that gives one op for the same arguments.

    A text is run once for each of its paths, and most of the time that this takes would be for making ops.
    """
    known = lru_cache(maxsize=1 << 13, typed=True)(make)

    @wraps(make)
    def constructor(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Op:
        try:
            return known(*args, **kwargs)  # type: ignore[arg-type]
        except TypeError:  # an argument that is not hashable, or that is wrong, which the maker tells
            return make(*args, **kwargs)

    return constructor


@dataclass(frozen=True, slots=True)
class Loop:
    """A place that `Again` of the same name returns to."""

    name: str


@dataclass(frozen=True, slots=True)
class Again:
    """Continue at the nearest enclosing `Loop` of this name; the text after it is never reached."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """Run another strategy text and be sent its return value: ``ret = yield from call``, or ``yield call``.

    ``target`` is a hook's name, or a function; ``args`` must be hashable, for a callee with the same
    arguments is extracted once.
    """

    target: Any
    args: tuple[Any, ...]
    where: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        """The kernel function that is called."""
        return self.target if isinstance(self.target, str) else str(self.target.__name__)

    def __iter__(self) -> Steps:
        return (yield self)

    def __bool__(self) -> NoReturn:
        raise NotYieldedError(
            f"{self.name}() is taken for its result, but was not run: (yield from {self.name}(...)) gives it"
        )


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of its caller's text, which goes on with the value that it returns: see `passage`."""

    target: Callable[..., Steps]
    args: tuple[Any, ...]
    named: tuple[tuple[str, Any], ...] = ()

    @property
    def name(self) -> str:
        """The function whose text it is."""
        return self.target.__name__

    def text(self) -> Steps:
        """The steps themselves."""
        return self.target(*self.args, **dict(self.named))

    def __iter__(self) -> Steps:
        return (yield self)

    def __bool__(self) -> NoReturn:
        raise NotYieldedError(
            f"{self.name}() is taken for its result, but was not run: (yield from {self.name}(...)) gives it"
        )


def passage(text: Callable[_Arguments, Steps]) -> Callable[_Arguments, Steps]:
    """A helper of texts, ``yield from helper(...)``, that is run along its outcomes once, not once for each
    path of whoever it helps.

    The caller's tree is the same as without: the primitives are its own.  What the helper does follows from
    its arguments, which are hashable; what became of it the caller learns from the value that it returns.
    """

    @wraps(text)
    def helper(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Steps:
        return Passage(text, args, tuple(sorted(kwargs.items())))  # type: ignore[return-value]

    return helper


#: The code by which a text runs a `Call` or a `Passage`: what matters is who yields it.
RUN_CALL = (Call.__iter__.__code__, Passage.__iter__.__code__)


def loop(name: str) -> Loop:
    """Mark the head of a loop."""
    return Loop(name)


def again(name: str) -> Again:
    """Go back to the head of the enclosing loop ``name``."""
    return Again(name)
