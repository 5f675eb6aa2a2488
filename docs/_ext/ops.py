"""The op reference: what each primitive sends back, may wait for, touches and costs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable

from docs._ext.markdown import codes, plain, sentence, table
from spfvar.explore.footprints import WAITING, footprint
from spfvar.matrix import catalogue
from spfvar.matrix.plan import DEFAULT_HARDWARE
from spfvar.ops.codes import END
from spfvar.ops.op import Op
from spfvar.ops.vocabulary import ANY, constructors, sample, section_of

HEADINGS = ["Primitive", "In a trace", "Outcomes", "Waits", "Touches", "Line", "Cost"]
INTRODUCTION = """# Primitives

What a text yields. Each is atomic; between two of them any other thread may run. *Outcomes* are what `yield`
sends back. *Waits*: the thread may have to stand still here; one that sleeps may not be used in an RCU,
interrupts-off or spinlock section (P13). *Touches* is what other threads can see of it: the ground of the
[reductions](../reductions.md). *Line* is the cache line that moves, to be read or to be written (`rmw`);
`main` is the object's own, unless its field names another.
*Cost* names the class of core-local work, with a time in every [hardware profile](hardware.md).

`object->field` is the place that the primitive is given. The modifiers `.costing(class)`, `.untimed()` and
`.on_typesafe_memory()` change a primitive's cost or its rules of access.
"""


def page() -> str:
    """The whole page: a table per section of the source files, and the cost classes."""
    text = INTRODUCTION
    made = {name: sample(constructor) for name, constructor in constructors().items()}
    by_section: dict[str, list[str]] = {}
    for name, constructor in constructors().items():
        by_section.setdefault(section_of(constructor), []).append(name)
    for section, names in by_section.items():
        rows = [row(constructors()[name], made[name]) for name in names]
        used = [column for column in range(len(HEADINGS)) if any(line[column] for line in rows)]
        heads, *lines = [[line[column] for column in used] for line in [HEADINGS, *rows]]
        text += f"\n## {sentence(section)}\n\n{table(heads, lines)}"
    return text + _cost_classes(made)


def row(constructor: Callable[..., Op], op: Op) -> list[str]:
    """The cells of one primitive, in the order of HEADINGS."""
    parameters = ", ".join(str(p).split(":")[0] for p in inspect.signature(constructor).parameters.values())
    doc = " ".join((inspect.getdoc(constructor) or "").split())
    return [
        f"**`{constructor.__name__}({parameters})`** {plain(doc)}",
        f"`{op.name}`",
        "" if op.outcomes == (None,) else ", ".join(_outcome(value) for value in op.outcomes),
        _waits(op),
        touches(op),
        f"`{op.line.register.name}: {op.line.name}` {op.line.mode}" if op.line else "",
        codes([op.cost]),
    ]


def _waits(op: Op) -> str:
    if op.sleeps:
        return "sleeps"
    # A trylock has outcomes instead; who has ended waits for nothing.
    return "spins" if op.code in WAITING and op.outcomes == (None,) and op.code != END else ""


def _outcome(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def touches(op: Op) -> str:
    """The op's footprint in words, without the reads of "is the object in use" that come with each access."""
    found = footprint(op, [ANY])
    reads = {
        resource for resource in found.reads if not (isinstance(resource, tuple) and resource[0] == "life")
    }
    parts = [
        f"{verb} {codes(sorted(_resource(one) for one in resources))}"
        for verb, resources in (("reads", reads), ("writes", found.writes), ("adds to", found.adds))
        if resources
    ]
    return "; ".join(parts)


def _resource(resource: Hashable) -> str:
    if isinstance(resource, tuple):
        kind, cls = resource
        return {"life": f"which {cls.name} is in use", "callback": f"pending frees of {cls.name}"}[kind]
    return str(resource)


def _cost_classes(made: dict[str, Op]) -> str:
    profile = catalogue.hardware()[DEFAULT_HARDWARE]
    rows = []
    for name, ns in profile.cost_ns.items():
        users = [primitive for primitive, op in made.items() if op.cost == name]
        rows.append([f"`{name}`", f"{ns:g}", codes(users)])
    return (
        f"\n## Cost classes\n\nTimes in ns on {DEFAULT_HARDWARE}, at the frequency of one active core. A "
        f"class without primitives is what texts give to `work` or `costing`.\n\n"
        f"{table(['Class', 'ns', 'Primitives'], rows)}"
    )
