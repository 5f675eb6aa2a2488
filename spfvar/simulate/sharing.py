"""Which members of structs disturb each other in a load: they share a cache line that somebody writes."""

from __future__ import annotations

from spfvar.automata.lower import lower
from spfvar.automata.weaken import strengthen
from spfvar.ops.places import Field, ObjectClass
from spfvar.plugins.variant import Stack
from spfvar.scenario.load import Load
from spfvar.simulate.world import extract_programs, sizes_of
from spfvar.structs.lines import CacheLines, LineKey, Memory, touched_fields

#: The members that share a line, as "mm_struct.mm_users"; a rwsem's owner is a member of its own.
Line = frozenset[str]


def written_lines(load: Load, stack: Stack, memory: Memory) -> frozenset[Line]:
    """The cache lines that a load's threads write, by the members that they touch on them.

    Lines of one member are left out: to them it makes no difference where it lies.  Raises StrategyError.
    """
    programs = extract_programs(load, stack)
    automata = strengthen(lower(programs, sizes_of(load, programs.values())))
    ops = [op for automaton in automata.values() for op in automaton.ops()]
    lines = CacheLines(memory, touched_fields(ops))
    members: dict[tuple[ObjectClass, LineKey], set[str]] = {}
    written: set[tuple[ObjectClass, LineKey]] = set()
    for op in ops:
        if op.line is None:
            continue
        field = op.line.field
        touched = {(field.cls, lines.key(field)): name_of(field)}
        if op.line.mode == "rmw+store":
            owner = field.cls, lines.owner_key(field)
            touched.setdefault(owner, f"{name_of(field)}.owner")
        for key, name in touched.items():
            members.setdefault(key, set()).add(name)
            if op.line.mode != "read":
                written.add(key)
    return frozenset(frozenset(members[key]) for key in written if len(members[key]) > 1)


def name_of(field: Field) -> str:
    """What a field is called where members are named: "mm_struct.mm_users"."""
    return f"{field.cls.struct}.{field.member}"
