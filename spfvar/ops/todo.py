"""What a draft does not know yet, as a step that runs: an unknown test may come out either way.

So a text that is not finished can be extracted, explored and simulated.  A test that is open lets it do more
than the finished text will, never less; an unknown statement does nothing.
"""

from __future__ import annotations

from typing import Final

from spfvar.ops import codes
from spfvar.ops.op import Op, primitive

#: How the name of such a step begins: in outlines, traces and reports.
TODO: Final = "TODO: "


@primitive
def todo(what: str, *outcomes: object) -> Op:
    """A step of a draft that nobody has written: ``what`` is to be done there.

    Without ``outcomes`` it has no effect; with some it is an open outcome, explored every way.
    """
    if not outcomes:
        return Op(codes.NOP, f"{TODO}{what}", cost="free")
    return Op(codes.CHOOSE, f"{TODO}{what}", outcomes, cost="free")


def is_todo(op: Op) -> bool:
    """Is it a step that `todo` made?"""
    return op.name.startswith(TODO)
