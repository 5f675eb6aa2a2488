"""The verbs of races and what they mean, and the memories that generated races start from."""

from __future__ import annotations

from docs._ext.markdown import codes, plain, sentence, table
from spfvar.generator.memories import MEMORIES
from spfvar.generator.programs import statements
from spfvar.scenario.verbs import VERBS, Role, Verb

_ROLES: dict[Role, str] = {"target": "the VMA", "to": "`to`", "tail": "the pages from `page` on"}


def page() -> str:
    """All verbs and memories; `spfvar show NAME` says the same of one."""
    verbs = [[f"`{verb.name}`", sentence(plain(verb.does)), _keys(verb), _needs(verb), _changes(verb)]
             for verb in VERBS.values()]  # fmt: skip
    memories = [
        [
            f"`{memory.name}`",
            sentence(plain(memory.text)),
            str(len(memory.starts)),
            str(len(statements(memory))),
        ]
        for memory in MEMORIES.values()
    ]
    return (
        "# Verbs of races\n\nWhat the statements of [races](../check.md) mean. The same table makes the "
        "errors of a race that makes no sense, and the programs of [`spfvar hunt`](../hunt.md).\n\n"
        + table(["Verb", "", "Keys", "Needs", "Maps, unmaps, takes"], verbs)
        + "\n## Memories of a hunt\n\nWhat generated races start from (`--start NAME`).\n\n"
        + table(["Memory", "", "States at the start", "Statements"], memories)
    )


def _keys(verb: Verb) -> str:
    return codes([verb.of, *verb.extras])


def _needs(verb: Verb) -> str:
    return "; ".join(f"{plain(need.key)}: {plain(need.text)}" if need.key else plain(need.text)
                     for need in verb.needs)  # fmt: skip


def _changes(verb: Verb) -> str:
    found = {"maps": verb.maps, "unmaps": verb.unmaps, "takes": verb.claims}
    changes = [
        f"{word} {', '.join(_ROLES[role] for role in roles)}" for word, roles in found.items() if roles
    ]
    return "; ".join([*changes, *([f"{verb.pin} a pin"] if verb.pin else [])])
