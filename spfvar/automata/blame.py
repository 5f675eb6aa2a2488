"""Which line of a text is to blame for an exception: not that of the machinery it called wrongly."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType

#: Modules (and what is in them) that raise for what their caller did.
_MACHINERY = ("spfvar.ops", "spfvar.plugins", "spfvar.automata", "spfvar.mm.hooking", "pluggy", "pydantic")


def blamed(error: BaseException) -> str:
    """``file:line`` of the innermost frame outside the machinery; "" if there is none."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    places = list(_places(error.__traceback__))
    return places[-1] if places else ""


def _places(traceback: TracebackType | None) -> Iterator[str]:
    while traceback is not None:
        frame = traceback.tb_frame
        made = frame.f_code.co_filename.startswith("<")  # by a dataclass
        if not made and not _is_machinery(str(frame.f_globals.get("__name__", ""))):
            yield f"{frame.f_code.co_filename}:{traceback.tb_lineno}"
        traceback = traceback.tb_next


def _is_machinery(module: str) -> bool:
    return any(module == part or module.startswith(f"{part}.") for part in _MACHINERY)
