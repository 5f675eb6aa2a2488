"""A variant's protocol to read: the outline of each hook point that a fault or a writer goes through."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from spfvar.errors import unknown
from spfvar.mm.vmf import Mapping, VmFault, spell
from spfvar.ops.op import Call
from spfvar.ops.places import Register
from spfvar.plugins.variant import Stack

_ANON = Mapping()
_FILE = Mapping(anonymous=False)
_SHARED = Mapping(anonymous=False, shared=True)


def _fault(write: bool, mapping: Mapping, user: bool = True) -> Call:
    return Call("do_user_addr_fault", (VmFault(write, mapping, user=user),))


#: Kinds of faults by name: the call that such a fault is.
FAULTS: dict[str, Call] = {
    "anon-read": _fault(False, _ANON),
    "anon-write": _fault(True, _ANON),
    "file-read": _fault(False, _FILE),
    "file-read-no-around": _fault(False, replace(_FILE, fault_around=1)),
    "file-write": _fault(True, _FILE),
    "shared-read": _fault(False, _SHARED),
    "shared-write": _fault(True, _SHARED),
    "stack-write": _fault(True, replace(_ANON, growsdown=True)),
    "userfault-write": _fault(True, replace(_ANON, userfault=True)),
    "swap-read": _fault(False, replace(_ANON, swapped=True)),
    "numa-read": _fault(False, replace(_ANON, numa=True)),
    "huge-read": _fault(False, replace(_ANON, huge=True)),
    "policy-write": _fault(True, replace(_ANON, policy=True)),
    "driver-read": _fault(False, replace(_FILE, map_pages=False, speculative=False)),
    "kernel-write": _fault(True, _ANON, user=False),
}
#: Writers by name: the call that such a writer is.  Without "-file" it is about anonymous memory.
WRITERS: dict[str, Call] = {
    "mmap": Call("mmap", (_ANON,)),
    "mmap-file": Call("mmap", (_FILE,)),
    "mmap-fixed": Call("mmap_fixed", (_ANON, _ANON)),
    "munmap": Call("munmap", (_ANON,)),
    "munmap-file": Call("munmap", (_FILE,)),
    "mprotect": Call("mprotect", (_ANON, False)),
    "madvise": Call("madvise_dontneed", (_ANON,)),
    "brk-grow": Call("brk", (_ANON, True)),
    "brk-shrink": Call("brk", (_ANON, False)),
    "merge": Call("vma_merge", (_ANON,)),
    "mremap": Call("mremap", (_ANON, False)),
    "mremap-tables": Call("mremap", (_ANON, True)),
    "mremap-dontunmap": Call("mremap_dontunmap", (_ANON,)),
    "fork": Call("fork", (_ANON,)),
    "mbind": Call("mbind", ()),
    "maps": Call("show_map", ()),
    "truncate": Call("truncate_pagecache", (False,)),
    "punch": Call("truncate_pagecache_range", ()),
    "reclaim": Call("shrink_folio_list", ()),
    "writeback": Call("writepages", ()),
    "collapse-anon": Call("collapse_huge_page", ()),
    "collapse-file": Call("collapse_file", ()),
}


@dataclass(frozen=True, slots=True)
class Section:
    """A hook point's steps under one stack, as an outline.

    ``facts``: for which calls of it, if its steps depend on that; ``patches``: the classes of the variant's
    stack that implement it, innermost first, () for the core's own text.
    """

    hook: str
    facts: tuple[str, ...]
    lines: tuple[str, ...]
    patches: tuple[str, ...] = ()

    def text(self, with_patches: bool = True) -> list[str]:
        """Heading and steps, e.g. "pte_map_lock() if SPECULATIVE  [PteMapLock]:"; a single step behind it."""
        facts = f" if {' or '.join(self.facts)}" if self.facts else ""
        patches = f"  [{', '.join(self.patches)}]" if self.patches and with_patches else ""
        title = f"{self.hook}(){facts}{patches}"
        if len(self.lines) <= 1:
            return [f"{title}: {self.lines[0] if self.lines else 'nothing'}"]
        return [f"{title}:", *(f"  {line}" for line in self.lines)]


def call_named(what: str, name: str) -> Call:
    """The call of a kind of fault (``what`` is "fault") or of a writer.  InputError for an unknown name."""
    table, kind = (FAULTS, "kind of fault") if what == "fault" else (WRITERS, "writer")
    if name not in table:
        raise unknown(kind, name, table)
    return table[name]


def sections(stack: Stack, call: Call) -> list[Section]:
    """What a call goes through, hook point by hook point, callers before callees.

    Calls of a hook point under different facts that have the same steps are one section.  Raises
    StrategyError for a text that cannot be extracted.
    """
    found: dict[str, dict[tuple[str, ...], list[str]]] = {}
    for reached in stack.reached(call):
        if isinstance(reached.target, str):
            known = found.setdefault(reached.name, {})
            known.setdefault(tuple(stack.outline(reached)), []).append(facts(reached.args))
    result = []
    for hook, outlines in found.items():
        patches = implementers(stack, hook)
        for lines, several in outlines.items():
            # Facts that make no difference are not worth telling.
            told = tuple(fact or "no flag is set" for fact in dict.fromkeys(several))
            result.append(Section(hook, told if len(outlines) > 1 else (), lines, patches))
    return result


def implementers(stack: Stack, hook: str) -> tuple[str, ...]:
    """The patches of the variant that implement a hook point, core paths not counted."""
    return tuple(patch.__name__ for patch in stack.variant.patches if hasattr(patch, hook))


def facts(args: Iterable[object]) -> str:
    """What a call of a hook point is told, but for the mapping: flags, and values in the kernel's words."""
    return ", ".join(text for text in map(_fact, args) if text)


def _fact(value: object) -> str:
    if isinstance(value, VmFault):
        return "|".join(sorted(value.flags))
    if isinstance(value, Mapping):
        return ""
    return value.name if isinstance(value, Register) else spell(value)


def own_sections(stack: Stack, call: Call) -> list[Section]:
    """The sections whose steps are not the core's: all of them for a variant without patches."""
    mine = sections(stack, call)
    if not stack.variant.patches:
        return mine
    core = Stack(replace(stack.variant, patches=(), repairs=()))
    known = {(section.hook, section.lines) for section in sections(core, call)}
    return [section for section in mine if (section.hook, section.lines) not in known]
