"""spfvar show LAYOUT, and what of its layout a variant touches."""

from __future__ import annotations

from collections.abc import Iterator

from spfvar.ops import objects as o
from spfvar.plugins.registry import sample_texts
from spfvar.plugins.variant import Stack, Variant
from spfvar.structs.lines import CacheLines, LineKey, touched_fields
from spfvar.structs.model import LINE, Struct, StructLayout

_KNOWN = {
    "read": "read in the source, offsets added up by hand",
    "compiled": "compiled and measured (python -m benchmarks.layouts)",
}


def layout_lines(name: str, layout: StructLayout) -> list[str]:
    """A layout: for which kernels, from where, and every struct by cache lines."""
    lines = [f"{name}: {layout.title}", f"kernels: from {', '.join(layout.since)} on"]
    lines += [f"source: {' '.join(layout.source.split())}", f"configuration: {layout.config}"]
    for struct in layout.struct:
        size = f", {struct.size} bytes" if struct.size is not None else ""
        lines += ["", f"struct {struct.name}{size}, {_KNOWN[struct.known]}:", *_struct_lines(struct)]
    return lines


def _struct_lines(struct: Struct) -> Iterator[str]:
    for number in sorted({member.offset // LINE for member in struct.members}):
        members = [one for one in struct.members if one.offset // LINE == number]
        yield f"  line {number}: {', '.join(f'{one.name} {one.offset}' for one in members)}"


def memory_lines(variant: Variant) -> list[str]:
    """The cache lines of mm_struct and vm_area_struct that a variant's faults and writers touch."""
    stack = Stack(variant)
    automata = [stack.automaton(name, text) for name, text in sample_texts()]
    fields = touched_fields(op for automaton in automata for op in automaton.ops())
    lines = CacheLines(stack.memory, fields)
    found: dict[LineKey, list[tuple[int, str]]] = {}
    alone = []
    for field in (one for one in fields if one.cls in (o.MM, o.VMA)):
        offset, key, owner = lines.offset(field), lines.key(field), lines.owner_key(field)
        plus = "+" if lines.is_added(field) else ""
        if offset is None or lines.is_apart(field):
            alone.append(f"{plus}{field.member}")
            continue
        found.setdefault(key, []).append((offset, f"{plus}{field.member} {offset}"))
        if owner != key:
            found.setdefault(owner, []).append((owner[1] * LINE, f"{field.member}'s owner"))
    shown = [
        f"  {struct} line {number}: {', '.join(text for _, text in sorted(set(members)))}"
        for (struct, number), members in sorted(found.items())
    ]
    return [
        f"Cache lines that it touches (struct layout {stack.memory.name}; a patch adds what has a +):",
        *shown, *([f"  each on a line of its own: {', '.join(dict.fromkeys(alone))}"] if alone else []),
    ]  # fmt: skip
