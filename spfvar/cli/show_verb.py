"""What `show` says of a verb of races, and of a memory that generated races start from."""

from __future__ import annotations

from spfvar.generator.memories import Memory
from spfvar.generator.programs import statement_text, statements
from spfvar.scenario.verbs import Role, Verb

#: The pages that a role means.
_ROLES: dict[Role, str] = {"target": "the VMA's pages", "to": "those at to", "tail": "the pages from page on"}


def plain(text: str) -> str:
    """Without the marks that the documentation has."""
    return text.replace("``", "")


def verb_lines(verb: Verb) -> list[str]:
    """A verb: what it does, what it needs, and what must not run beside it."""
    lines = [f"{verb.name}: {plain(verb.does)}", "a verb of the programs of races"]
    keys = ", ".join(verb.extras) or "none"
    lines += ["", f"Names: a {verb.of}; other keys: {keys}"]
    if verb.needs:
        lines += ["Needs:", *(f"  {need.key or verb.name}: {plain(need.text)}" for need in verb.needs)]
    changes = {"Maps": verb.maps, "Unmaps": verb.unmaps, "Takes": verb.claims}
    lines += [
        f"{word}: {', '.join(_ROLES[role] for role in roles)}" for word, roles in changes.items() if roles
    ]
    if verb.pin:
        lines.append(
            f"Pins: {verb.pin} {'a page' if verb.pin == 'takes' else 'the one that its program has'}"
        )
    beside = list(_beside(verb))
    return [*lines, *(["Not beside another thread's verb that", *beside] if beside else [])]


def _beside(verb: Verb) -> list[str]:
    lines = ["  takes the same free place"] if verb.claims else []
    if verb.whole:
        lines.append("  changes where the VMA ends (brk, a merge, the growth of a stack)")
    if verb.lasting:
        lines.append("  unmaps the VMA")
    return lines


def memory_lines(memory: Memory) -> list[str]:
    """A memory: its VMAs, in how many states it is tried, and the statements that it allows."""
    lines = [f"{memory.name}: {memory.text}", "a memory that spfvar hunt starts from", "", "VMAs (pages):"]
    for vma in memory.base.vma:
        backing = f"{vma.sharing} mapping of {vma.file}" if vma.file else "anonymous memory"
        free = "" if vma.mapped else ", free at the start"
        lines.append(f"  {vma.name}: {vma.start}..{vma.end - 1} of mm {vma.mm}, {backing}{free}")
    lines += ["", f"States at the start: {len(memory.starts)}", "", "Statements:"]
    lines += [f"  {statement_text(one)}" for one in statements(memory)]
    return [*lines, "", f"Run: spfvar hunt --start {memory.name}"]
