"""A statement of a race that calls a hook point: which arguments it gets, and its text.

So a plugin brings actors: it declares a hook point with the text of its system call, kthread or walk, and
races call that.  Nothing is known of what the call does, so nothing is asked of what it needs.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

from spfvar.errors import InputError, describe, nearest, unknown
from spfvar.mm.hookspecs import HOOKS
from spfvar.mm.vmf import Mapping, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Call, Steps
from spfvar.ops.places import Register
from spfvar.ops.primitives import set_register

if TYPE_CHECKING:
    from spfvar.scenario.race import Race, RaceStatement, RaceVma

#: The core's registers by name: what a race may give for a Register.
_REGISTERS: Final = {one.name: one for one in vars(o).values() if isinstance(one, Register)}
#: What follows from the VMA that a call is on.
_FACTS: Final = frozenset((Mapping.__name__, VmFault.__name__))
#: What a race may give for the other parameters, by the name of their type.
_PLAIN: Final[dict[str, type]] = {"bool": bool, "int": int, "str": str}


def check_call(race: Race, statement: RaceStatement, where: str) -> None:
    """Raise InputError, with the key, for a call that cannot be made in this race."""
    if statement.target not in HOOKS:
        error = unknown("hook point", statement.target, HOOKS, key=f"{where}call")
        error.message += "; one of a plugin's needs --plugin FILE"
        raise error
    names = [*(vma.name for vma in race.vma), *(file.name for file in race.file)]
    if statement.on and statement.on not in names:
        raise InputError(
            f"no vma or file is called {statement.on!r}", key=f"{where}on", expected=", ".join(names),
            suggestion=nearest(statement.on, names),
        )  # fmt: skip
    counts = {file.name: file.pages for file in race.file} | {vma.name: vma.pages for vma in race.vma}
    pages = counts.get(statement.on, 1)
    if statement.page >= pages:
        raise InputError(
            f"{statement.on or 'nothing'} has no page {statement.page}", key=f"{where}page",
            expected=f"0 to {pages - 1}",
        )  # fmt: skip
    _arguments(race, statement, where)


def call_text(race: Race, statement: RaceStatement) -> Steps:
    """Set the registers that say what the call is about, then call."""
    files = [file.name for file in race.file]
    vma = vma_of(race, statement)
    if vma is not None:
        if race.mms > 1:
            yield set_register(o.mm, vma.mm)
        yield from about(race, vma, statement.page)
        yield set_register(o.range_start, vma.start)
        yield set_register(o.range_end, vma.end)
        if vma.file:
            yield set_register(o.mapped_file, files.index(vma.file))
    elif statement.on:
        number = files.index(statement.on)
        yield set_register(o.mapped_file, number)
        yield set_register(o.file_start, statement.page)
        yield set_register(o.file_end, race.file[number].pages)
    yield Call(statement.target, _arguments(race, statement, ""))


def vma_of(race: Race, statement: RaceStatement) -> RaceVma | None:
    """The VMA that a call is about; None if it is about a file, or nothing."""
    return next((vma for vma in race.vma if vma.name == statement.on), None)


def about(race: Race, vma: RaceVma, page: int) -> Steps:
    """What a fault on a page of a VMA finds in registers."""
    yield set_register(o.address, vma.start + page)
    if vma.growsdown:
        yield set_register(o.stack_top, vma.end - 1)
    if vma.swap != "no":
        yield set_register(o.swapper_space, len(race.file) + race.swapped.index(vma))
        yield set_register(o.swap_start, vma.start)


def _arguments(race: Race, statement: RaceStatement, where: str) -> tuple[Any, ...]:
    """By the hook point's parameters: a Mapping or VmFault of ``on``, anything else of ``args``."""
    parameters = inspect.signature(HOOKS[statement.target]).parameters
    kinds = {name: _kind(parameter) for name, parameter in parameters.items()}
    for name in statement.args:
        if kinds.get(name, Mapping.__name__) in _FACTS:
            given = [name for name, kind in kinds.items() if kind not in _FACTS]
            raise InputError(
                f"{statement.target} takes no argument {name!r} from a race", key=f"{where}args.{name}",
                expected=", ".join(given) or "none", suggestion=nearest(name, given),
            )  # fmt: skip
    found: list[Any] = []
    for name, kind in kinds.items():
        if kind in _FACTS:
            vma = vma_of(race, statement)
            if vma is None:
                raise InputError(
                    f"{statement.target} takes the {kind} of a vma", key=f"{where}on",
                    expected=", ".join(one.name for one in race.vma),
                )  # fmt: skip
            mapping = race.mapping(vma)
            found.append(mapping if kind == Mapping.__name__ else VmFault(statement.write, mapping))
        else:
            found.append(_given(statement, name, kind, f"{where}args.{name}"))
    return tuple(found)


def _kind(parameter: inspect.Parameter) -> str:
    """The name of a parameter's type, "" if it says none."""
    kind = parameter.annotation
    if kind is parameter.empty:
        return ""
    text = kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind))
    return text.split(".")[-1].removesuffix(" | None")


def _given(statement: RaceStatement, name: str, kind: str, key: str) -> Any:
    value = statement.args.get(name)
    if kind == "Register":
        if value in _REGISTERS:
            return _REGISTERS[str(value)]
        close = nearest(value, _REGISTERS) if isinstance(value, str) else None
        raise InputError(
            f"{statement.target} takes a register {name}, found {_told(value)}", key=key,
            expected="the name of one of the core's registers", suggestion=close,
        )  # fmt: skip
    if type(value) is not _PLAIN.get(kind, type(value)) or value is None:
        expected = {"bool": "true or false", "int": "a number", "str": "a string"}.get(kind, "a value")
        raise InputError(f"{statement.target} takes {name}, found {_told(value)}", key=key, expected=expected)
    return value


def _told(value: object) -> str:
    return "none" if value is None else describe(value)
