"""Small patches, written for these tests, in the form of git format-patch, and drafts of them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from spfvar.automata.automaton import Automaton, Node, minimise
from spfvar.draft.plan import Draft, draft
from spfvar.draft.sketch import Sketch, sketch
from spfvar.ops import codes
from spfvar.plugins.registry import load_registry, sample_texts
from spfvar.plugins.variant import Stack, Variant
from spfvar.review.patchmail import Patch, parse_patches
from spfvar.scaffold.plans import find_base

REGISTRY = load_registry()
HEAD = """From: A. Developer <a@example.org>
Date: Mon, 1 Jan 2024 10:00:00 +0000
Subject: [PATCH{tags}] mm: {subject}
Message-Id: <1-a@example.org>

What it is for.
---

"""


def hunk(function: str, body: str, file: str = "mm/memory.c", start: int = 100) -> str:
    """A file's diff with one hunk, whose counts are those of its lines."""
    lines = body.strip("\n").split("\n")
    if body.startswith("\n"):  # indented like the test that it stands in
        lines = [line[:1] + "\t" + line[1:] for line in textwrap.dedent(body).strip("\n").split("\n")]
    lines = [line if line.strip() else " " for line in lines]
    old = sum(line[0] in " -" for line in lines)
    new = sum(line[0] in " +" for line in lines)
    head = f"diff --git a/{file} b/{file}\n--- a/{file}\n+++ b/{file}\n"
    return f"{head}@@ -{start},{old} +{start},{new} @@ {function}\n" + "\n".join(lines) + "\n"


def mail(*hunks: str, subject: str = "a change", tags: str = "") -> bytes:
    """A patch as a mail."""
    text = HEAD.format(subject=subject, tags=tags) + "".join(hunks) + "-- \n2.40.0\n"
    return text.encode()


def patch_of(*hunks: str, subject: str = "a change") -> Patch:
    """The same, read."""
    return parse_patches(mail(*hunks, subject=subject), file="made.patch")[0]


def sketched(*hunks: str, on: str = "spf@23") -> Sketch:
    """A sketch of a patch on a stack."""
    return sketch(patch_of(*hunks), REGISTRY[on])


def drafted(
    patches: Sequence[Patch], folder: Path, on: str | None = "spf@23", name: str = "drafted"
) -> Draft:
    """A draft, written to a folder."""
    base = find_base(REGISTRY, on) if on is not None else None
    made = draft(name, patches, "made.patch", base, folder, REGISTRY)
    for path, text in made.plan.files.items():
        path.write_text(text)
    return made


def loaded(folder: Path, name: str = "drafted") -> Variant:
    """The variant of a written draft."""
    registry = load_registry([str(folder / f"{name}.py")])
    assert registry.problems == []
    return registry[name]


def in_place_of(old: type, new: type, variant: Variant) -> Variant:
    """A stack with one class for another."""
    assert old in variant.patches
    patches = tuple(new if patch is old else patch for patch in variant.patches)
    return replace(variant, name=f"{variant.name}-{new.__name__}", patches=patches, repairs=())


@cache
def uncounted(variant: Variant) -> dict[str, Automaton]:
    """The automata of all kinds of faults and writers, without what counts events."""
    stack = Stack(variant)
    return {name: without_counts(stack.automaton(name, text)) for name, text in sample_texts()}


def without_counts(automaton: Automaton) -> Automaton:
    """An automaton as it is if nothing is counted."""
    nodes = list(automaton.nodes)

    def target(number: int) -> int:
        while nodes[number].op.code == codes.COUNT:
            [number] = nodes[number].successors
        return number

    kept = [Node(node.op, tuple(target(one) for one in node.successors)) for node in nodes]
    return minimise(automaton.name, kept, target(0))
