"""The property reference: what is checked, how a breach is noticed, which races and twins are about it."""

from __future__ import annotations

from docs._ext.markdown import codes, plain, sentence, table
from spfvar.explore.properties import PROPERTIES, property_of, violation_text
from spfvar.matrix import catalogue
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Op
from spfvar.ops.places import Field, ObjectClass, Place, Register
from spfvar.plugins.registry import load_registry

INTRODUCTION = """# Properties

What has to hold in every interleaving of every race. All are checked in all races; *races about it* were
written for it. P15 of the list that this one follows needs objects that the model does not have.
[Checking](../check.md) says when each is looked at.
"""


def page() -> str:
    """A section per property."""
    races, twins = catalogue.races(), load_registry().twins.values()
    breaches = {id_: [plain(text) for text in violations(id_)] for id_ in PROPERTIES}
    text = INTRODUCTION
    for id_, prop in PROPERTIES.items():
        about = [name for name in races.names() if id_ in races[name].properties]
        breaking = [twin.name for twin in twins if twin.prop == id_]
        rows = [
            ["Noticed as", "; ".join(breaches[id_])],
            ["Races about it", codes(about)],
            ["Twins that break it", codes(breaking)],
        ]
        text += f"\n## {id_}\n\n{plain(sentence(prop.text))}.\n\n{table(['', ''], rows)}"
    return text


def violations(id_: str) -> list[str]:
    """The messages of violations that break a property."""
    found = []
    for code in range(1, len(c.VIOLATIONS)):
        classes = [cls for cls in o.CLASSES if _property(code, cls) == id_]
        if not classes:
            continue
        everywhere = len(classes) == len(o.CLASSES)
        found.append(
            violation_text(code) + ("" if everywhere else f" ({', '.join(cl.name for cl in classes)})")
        )
    return found


def _property(code: int, cls: ObjectClass) -> str | None:
    """The property that a violation by an access to an object of a class breaks; None if it breaks none."""
    op = Op(c.LOAD, "load", place=Place(Register("register", cls), Field(cls, "field")))
    try:
        return property_of(code, op)
    except KeyError:
        return None
