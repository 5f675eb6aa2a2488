"""What `show` says of the words of texts and tables: hook points, primitives, properties, metrics, events."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

from spfvar.api.rows import events_of
from spfvar.cli.lines import Verbatim, said
from spfvar.comparison.metrics import METRICS, Metric
from spfvar.mm.hookspecs import HOOKS
from spfvar.ops.op import Op
from spfvar.ops.properties import PROPERTIES, Property
from spfvar.ops.vocabulary import constructors, sample, section_of
from spfvar.plugins.registry import Registry
from spfvar.plugins.texts import core_of, text_of
from spfvar.plugins.variant import Event, Variant
from spfvar.units import format_percent

#: What an event's role means.
ROLES = {
    "attempt": "a fault is tried without mmap_lock",
    "abort": "a fault without mmap_lock gives up, and is done again under it",
    "reason": "why it gave up",
}


def named(registry: Registry) -> list[str]:
    """Names of primitives, properties, metrics and events."""
    return [*PROPERTIES, *METRICS, *events_of(registry), *constructors()]


def named_lines(name: str, registry: Registry) -> Iterator[list[str]]:
    """What is said of each of those that has this name; a property's may be written small."""
    if name.upper() in PROPERTIES:
        yield property_lines(PROPERTIES[name.upper()], registry)
    if name in METRICS:
        yield metric_lines(METRICS[name])
    if name in (events := events_of(registry)):
        yield event_lines(name, events[name])
    if name in constructors():
        yield primitive_lines(name)


def hook_lines(name: str, registry: Registry) -> list[str]:
    """A hook point: its contract, the core's text, and which variants' patches implement it."""
    spec = HOOKS[name]
    stacks = {variant.name: variant.patches for variant in registry.variants.values()}
    users = [
        f"  {variant}: {', '.join(p.__name__ for p in patches if hasattr(p, name))}"
        for variant, patches in (stacks | registry.posted_patches()).items()
        if any(hasattr(patch, name) for patch in patches)
    ]
    signature = f"{name}({', '.join(inspect.signature(spec).parameters)})"
    lines = [signature, "", *(inspect.getdoc(spec) or "").splitlines()]
    lines += ["", "Implemented by:", *(users or ["  the core alone"]), ""]
    core = core_of(name)
    if core is None:
        return [*lines, "The core has no text for it: a patch declares it and calls it."]
    file = Path(inspect.getsourcefile(core) or "").name
    line = inspect.getsourcelines(getattr(core, name))[1]
    lines += [f"The core's text ({core.__name__}, {file}:{line}):", ""]
    return [*lines, *(Verbatim(f"    {text}".rstrip()) for text in text_of(core, name).splitlines())]


def property_lines(one: Property, registry: Registry) -> list[str]:
    """A property, and the published bugs that break it."""
    twins = [f"  {twin.name}: {twin.title}" for twin in registry.twins.values() if twin.prop == one.id]
    looked = "Looked at in every race of every search (spfvar check)."
    if one.origin:
        looked = f"Declared by {one.origin}, whose texts look at it (bug_on)."
    lines = [f"{one.id}: {one.text}", "", looked]
    if not twins:
        return [*lines, "", "No published bug here breaks it."]
    first = next(twin.name for twin in registry.twins.values() if twin.prop == one.id)
    plugins = (one.origin,) if one.origin else ()
    example = said("For example", "check", "--twins", first, plugins=plugins)
    return [*lines, "", "Published bugs that break it:", *twins, "", example]


def metric_lines(metric: Metric) -> list[str]:
    """A metric: what it is, and how tables judge it."""
    way = {"higher": "higher is better", "lower": "lower is better", "neutral": "neither way is better"}
    noise = f"differences up to {format_percent(metric.noise)} are noise"
    noise += f", as are those up to {metric.floor:g} {metric.unit}" if metric.floor else ""
    use = "an outcome: what a user feels" if metric.outcome else "it explains outcomes, and is none itself"
    return [
        f"{metric.name}: {metric.title}", "", metric.doc, "",
        f"unit: {metric.unit}; {way[metric.better]}; {metric.mean} mean",
        f"{noise}; a scenario may say otherwise", use, "",
        said("Shown by", "compare", "--metric", metric.name),
    ]  # fmt: skip


def event_lines(name: str, users: list[tuple[Variant, Event]]) -> list[str]:
    """An event: what it means, and which variants count it."""
    meanings: dict[tuple[str, str], list[str]] = {}
    for variant, event in users:
        meanings.setdefault((event.role, event.doc), []).append(variant.name)
    lines = []
    for (role, doc), variants in meanings.items():
        what = f"{role}: {ROLES[role]}" if role in ROLES else role
        lines += [f"{name}: {doc}", f"role: {what}", f"counted by: {', '.join(variants)}", ""]
    return [*lines, "Counted per 1000 faults: compare's tables list reasons, its JSON has every event."]


def primitive_lines(name: str) -> list[str]:
    """A primitive: what it does, what `yield` sends back, what it costs."""
    constructor = constructors()[name]
    op = sample(constructor)
    arguments = ", ".join(str(p).split(":")[0] for p in inspect.signature(constructor).parameters.values())
    lines = [f"{name}({arguments})", "", *(inspect.getdoc(constructor) or "").splitlines(), ""]
    lines += [f"from: {constructor.__module__} ({section_of(constructor)})"]
    lines += [f"in a trace: {op.name}", f"yield sends back: {_outcomes(op)}"]
    lines += ["may sleep: not in an RCU, interrupts-off or spinlock section"] if op.sleeps else []
    lines += (
        [f"cache line: that of {op.line.register.name} ({op.line.name}), {op.line.mode}"] if op.line else []
    )
    return [*lines, f"cost class: {op.cost}"]


def _outcomes(op: Op) -> str:
    if op.outcomes == (None,):
        return "nothing"
    return ", ".join(("yes" if v else "no") if isinstance(v, bool) else str(v) for v in op.outcomes)
