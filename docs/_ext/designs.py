"""The shipped variants, series and twins."""

from __future__ import annotations

import inspect
from pathlib import Path

from docs._ext.markdown import codes, plain, source, table
from spfvar.mm.hookspecs import PROJECT
from spfvar.plugins.registry import load_registry
from spfvar.plugins.series import posted_name, spans


def variants() -> str:
    """A table of all, then the patches and events of each."""
    found = load_registry().variants.values()
    rows = [[f"[`{v.name}`](#{v.name})", plain(v.title), plain(v.kernel), source(v.source)] for v in found]
    text = (
        "# Variants\n\nA variant is a stack of patches over the core's paths: v5.12 under mmap_lock.\n\n"
        f"{table(['Variant', '', 'Kernel', 'Source'], rows)}"
    )
    for variant in found:
        text += f"\n({variant.name})=\n## {variant.name}\n\n{plain(variant.description)}\n\n"
        text += "".join(_patch(patch) for patch in variant.patches) or "No patches: the core's own paths.\n"
        if variant.repairs:
            rows = [
                [plain(", ".join(r.bugs)), plain(r.what), codes(p.__name__ for p in r.patches),
                 codes(p.__name__ for p in r.posted)]
                for r in variant.repairs
            ]  # fmt: skip
            text += f"\nNot as posted; `{posted_name(variant.name)}` is.\n\n"
            text += table(["Repair of", "", "By", "As posted"], rows)
        if variant.events:
            events = [[f"`{event.name}`", event.role, plain(event.doc)] for event in variant.events]
            text += f"\n{table(['Counts', 'Role', ''], events)}"
    return text


def _patch(patch: type) -> str:
    """A list entry: the patch's first line, and links to the hook points that it implements."""
    hooks = [name for name, member in inspect.getmembers(patch) if hasattr(member, f"{PROJECT}_impl")]
    links = ", ".join(f"[`{name}`](hooks/{name}.md)" for name in hooks)
    return f"* `{patch.__name__}`: {plain((inspect.getdoc(patch) or '').splitlines()[0])} ({links})\n"


def series() -> str:
    """A table of the patches of each: what they need, and what they are here."""
    text = "# Series\n\nAny stack of their patches is a variant ([how](../series.md)).\n"
    for one in load_registry().series.values():
        rows = [
            [f"`{one.name}@{patch.number}`", plain(patch.title), codes([c.__name__ for c in patch.changes]),
             plain(patch.note), spans(patch.needs) if patch.needs else "", source(patch.source)]
            for patch in one.patches
        ]  # fmt: skip
        headers = ["Up to", "", "Classes", "No change because", "Needs", "Source"]
        text += f"\n## {one.name}\n\n{plain(one.title)}. {plain(one.description)}\n\n{table(headers, rows)}"
    return text


def twins() -> str:
    """One table: the bug, where it is put back, what it breaks."""
    rows = [
        [f"`{twin.name}`", plain(twin.title), codes([Path(twin.race).stem]),
         twin.prop or "nothing (a control)", source(twin.source)]
        for twin in load_registry().twins.values()
    ]  # fmt: skip
    return (
        "# Twins\n\nPublished bugs, each put back into the variant behind the `@` that does not have it; "
        "`spfvar check --twins` has to find them.\n\n"
        f"{table(['Twin', '', 'Race', 'Breaks', 'Source'], rows)}"
    )
