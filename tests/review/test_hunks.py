"""Which hook points hunks touch, by names alone; the steps there without and with a patch."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import pytest

from spfvar.mm import hookspecs
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import Mapping, VMFault, VmFault
from spfvar.ops.op import Steps
from spfvar.ops.primitives import count
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Variant
from spfvar.review.diff import Hunk, parse_diff
from spfvar.review.hunks import (
    HunkSteps,
    KernelNames,
    called_functions,
    describe_facts,
    functions_by_file,
    hunk_functions,
    patches_of,
    review_hunks,
    without,
)
from spfvar.review.patchmail import Patch, parse_patch

REGISTRY = load_registry()
SERIES = REGISTRY["spf-do-fault"]


def hunk_of(function: str, *lines: str) -> Hunk:
    """A hunk with this header and these lines."""
    old = sum(line[0] != "+" for line in lines)
    new = sum(line[0] != "-" for line in lines)
    header = ["--- a/mm/memory.c", "+++ b/mm/memory.c", f"@@ -5,{old} +5,{new} @@ {function}"]
    (change,), warnings = parse_diff([*header, *lines])
    assert warnings == ()
    return change.hunks[0]


def patch_of(function: str, *lines: str, headers: str = "Subject: [PATCH] x\n") -> Patch:
    """A mail with such a hunk."""
    return parse_patch(
        f"{headers}\n--- a/mm/memory.c\n+++ b/mm/memory.c\n{hunk_of(function, *lines).text()}".encode()
    )


# --- what a hunk says ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "function"),
    [
        ("static vm_fault_t __do_fault(struct vm_fault *vmf)", "__do_fault"),
        ("vm_fault_t handle_mm_fault(struct vm_area_struct *vma, unsigned long address,", "handle_mm_fault"),
        ("static inline bool mmap_seq_read_check(struct mm_struct *mm)", "mmap_seq_read_check"),
        ("SYSCALL_DEFINE3(mprotect, unsigned long, start, size_t, len,", "mprotect"),
        ("int (*fault)(struct vm_fault *vmf);", ""),
        ("struct vm_fault {", ""),
        ("", ""),
    ],
)
def test_the_function_of_a_hunk_is_in_its_header(header: str, function: str) -> None:
    """The name before the parameters; a struct, or a pointer to a function, is none."""
    assert hunk_functions(hunk_of(header, " \ta();", "+\tb();")) == ((function,) if function else ())


def test_a_definition_in_a_hunk_begins_the_next_function() -> None:
    """Changed lines count for the function they are in, also where white space is lost; calls define nothing."""
    hunk = hunk_of(
        "static int first(void)",
        "-return one(a);", " }", " ", " static int second(int a)", " {", "+if (two(a))", "+x = three(a);", " }",
        "+static void third(void)", "+{", "+}",
    )  # fmt: skip
    assert hunk_functions(hunk) == ("first", "second", "third")
    assert called_functions(hunk) == ("one", "two", "three")


def test_unchanged_functions_of_a_hunk_are_not_touched() -> None:
    """The header's function is only context here."""
    assert hunk_functions(hunk_of("int first(void)", " }", " int second(void)", "+\ta();")) == ("second",)


def test_calls_in_comments_are_none() -> None:
    """Neither at the beginning of a line nor behind the code; a method call is one of its name."""
    hunk = hunk_of(
        "int f(void)", "+\t/* see a() */", "+\t * see b()", "+\tc(); /* like d() */", "+\tops->e(x);"
    )
    assert called_functions(hunk) == ("c", "e")


# --- names ---------------------------------------------------------------------------------------

NAMES = KernelNames(SERIES)


def touches(function: str) -> list[tuple[str, str]]:
    """(hook point, how) of a kernel function."""
    return [(touch.hook, touch.how) for touch in NAMES.hooks_of(function)]


@pytest.mark.parametrize(
    ("function", "hook"),
    [
        ("handle_mm_fault", "handle_mm_fault"),  # equal names
        ("__do_fault", "do_fault"),  # the docstring begins with it
        ("filemap_map_pages", "map_pages"),  # "``vm_ops->map_pages`` = filemap_map_pages"
        ("mmap_seq_read_check", "mmap_seq_read_check"),  # declared by a patch
        ("__pte_map_lock", "pte_map_lock"),  # but for underscores
    ],
)
def test_a_hook_point_is_found_by_what_it_is(function: str, hook: str) -> None:
    """By its name, or by the kernel function that its docstring begins with."""
    assert (hook, "is") in touches(function)


def test_an_equal_name_does_not_count_where_the_docstring_says_otherwise() -> None:
    """The hook point do_fault is __do_fault; the kernel's do_fault is a text inside handle_pte_fault."""
    found = touches("do_fault")
    assert ("do_fault", "is") not in found
    assert ("handle_pte_fault", "part") in found
    assert ("do_fault", "calls") in found


def test_functions_named_in_docstrings_and_texts_are_found() -> None:
    """Docstrings name functions; so do the functions that the core's texts are made of."""
    assert ("fault_with_mmap_lock", "named") in touches("do_user_addr_fault")
    assert ("handle_pte_fault", "part") in touches("do_read_fault")
    assert {("do_fault_around", "calls"), ("finish_fault", "calls")} <= set(touches("do_read_fault"))
    assert ("lock_mm_and_find_vma", "primitive") in touches("find_vma")
    assert touches("no_such_function") == []


# --- steps ---------------------------------------------------------------------------------------

RFC_24 = (
    "static vm_fault_t __do_fault(struct vm_fault *vmf)",
    " int a;", "-ret = vma->vm_ops->fault(vmf);", "+rcu_read_lock();", "+if (!mmap_seq_read_check(mm, seq))",
    "+ret = VM_FAULT_RETRY;", "+else", "+ret = vma->vm_ops->fault(vmf);", "+rcu_read_unlock();", " }",
)  # fmt: skip


@pytest.fixture(scope="module")
def patch_24() -> HunkSteps:
    """A hunk that does what patch 24/37 does, in words of our own, between the series without and with it."""
    patch = patch_of(*RFC_24, headers="Subject: [RFC PATCH 24/37] mm: a title\n")
    (found,) = review_hunks(patch, without(SERIES, patches_of(patch, SERIES)), SERIES)
    return found


def test_patch_24_changes_do_fault(patch_24: HunkSteps) -> None:
    """Before: ->fault under whatever is held.  After: an RCU section, the check, ->fault or an abort."""
    (hook,) = patch_24.main
    assert (hook.touch.hook, hook.touch.function, hook.touch.how) == ("do_fault", "__do_fault", "is")
    assert hook.implemented_by == ("SpeculativeDoFault",)
    assert hook.before == ("return filemap_fault()",)
    assert hook.after == (
        "rcu_read_lock()",
        "mmap_seq_read_check()",
        "  no:",
        "    count(spf_abort_fault)",
        "    rcu_read_unlock()",
        "    return VM_FAULT_RETRY",
        "  yes:",
        "    ret = filemap_fault()",
        "    rcu_read_unlock()",
        "    return ret",
    )


def test_the_steps_differ_only_for_speculative_faults(patch_24: HunkSteps) -> None:
    """Under mmap_lock the patch changes nothing, so those facts are a case of their own."""
    changed, same = patch_24.hooks[0].cases
    assert changed.changed
    assert all("SPECULATIVE" in facts for facts in changed.facts)
    assert "write fault, private file, SPECULATIVE, VMA_COPY" in changed.facts
    assert same.before == same.after == ("return filemap_fault()",)
    assert not any("SPECULATIVE" in facts for facts in same.facts)


def test_what_the_patch_leaves_as_it_is_comes_later(patch_24: HunkSteps) -> None:
    """Hook points that the changed lines call are touched, but unchanged."""
    rest = {hook.touch.hook: hook for hook in patch_24.hooks[1:]}
    assert {"mmap_seq_read_check", "filemap_fault"} <= set(rest)
    assert not any(hook.changed for hook in rest.values())


def test_a_hook_point_that_only_the_patch_brings_has_no_steps_before() -> None:
    """mmap_seq_read_check is declared by the series and implemented by its patch 9."""
    core = REGISTRY["mmap-lock"]
    patch = patch_of("bool mmap_seq_read_check(struct mm_struct *mm)", "+return mm->mmap_seq == seq;")
    vmf = VmFault(True, Mapping())
    text = ("fault", lambda: hookspecs.do_user_addr_fault(vmf))
    (found,) = review_hunks(patch, core, SERIES, texts=[text])
    (hook,) = found.main
    assert hook.before == ()
    assert hook.after == ("smp_rmb()", "return mmap_seq_read_check(mm->mmap_seq)")


def test_what_the_model_has_no_place_for_touches_nothing() -> None:
    """The kernel function is named all the same."""
    patch = patch_of("static int hugetlb_something(void)", "+\tint a;")
    (found,) = review_hunks(patch, REGISTRY["mmap-lock"], REGISTRY["mmap-lock"], texts=[])
    assert (found.functions, found.hooks, found.main) == (("hugetlb_something",), (), ())
    assert list(functions_by_file(patch)) == [("mm/memory.c", ("hugetlb_something",))]


# --- which patches a mail is ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "names"),
    [
        ("Subject: [RFC PATCH 24/37] x\n", ["SpeculativeDoFault"]),
        ("Subject: [RFC PATCH 28/37] x\n", ["SpeculativeMapPages"]),
        ("Subject: [RFC PATCH 24/37] x\nMessage-Id: <20210407014502.24091-25-michel@lespinasse.org>\n",
         ["SpeculativeDoFault"]),
        ("Subject: [PATCH 24/37] x\nMessage-Id: <19990101-25-else@example.org>\n", ["SpeculativeFilemapFault"]),
        ("Subject: [PATCH] x\n", ["SpeculativeFilemapFault"]),
    ],
)  # fmt: skip
def test_a_mail_is_known_by_its_place_in_the_series(headers: str, names: list[str]) -> None:
    """Else, or if its id is of another series, by the hook points that it changes by name."""
    patch = patch_of("vm_fault_t filemap_fault(struct vm_fault *vmf)", "+\tint a;", headers=headers)
    assert [cls.__name__ for cls in patches_of(patch, SERIES)] == names


def test_one_class_may_be_several_patches() -> None:
    """Its docstring names them all."""

    class Both:
        """27, 28/37: two patches in one class."""

    patch = patch_of("int f(void)", "+\tint a;", headers="Subject: [RFC PATCH 28/37] x\n")
    assert patches_of(patch, replace(SERIES, patches=(Both,), repairs=())) == (Both,)


class Counting:
    """3/9: count what is speculated."""

    @hookimpl(wrapper=True)
    def do_fault(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._counted((yield))

    def _counted(self, below: Steps) -> Steps:
        yield count("seen")
        return (yield from below)


def test_a_patch_of_a_plugin_is_reviewed_like_a_shipped_one() -> None:
    """Its stack is the core and one class: the steps differ by what that adds."""
    mine = Variant(name="mine", title="t", kernel="v5.12", source="none", patches=(Counting,))
    patch = patch_of(
        "vm_fault_t __do_fault(struct vm_fault *vmf)", "+\tcount();", headers="Subject: [PATCH 3/9] x\n"
    )
    assert patches_of(patch, mine) == (Counting,)
    vmf = VmFault(True, Mapping(anonymous=False))
    text = ("fault", lambda: hookspecs.do_user_addr_fault(vmf))
    (found,) = review_hunks(patch, without(mine, [Counting]), mine, texts=[text])
    hook = found.main[0]
    assert hook.before == ("return filemap_fault()",)
    assert hook.after == ("count(seen)", "return filemap_fault()")


def test_facts_are_told_in_words() -> None:
    """Access, mapping and flags of a fault; other arguments as they are."""
    vmf = VmFault(True, Mapping(anonymous=False, shared=True, fault_around=1), frozenset({"B", "A"}))
    assert describe_facts([vmf, VMFault.NONE]) == "write fault, shared file, no fault-around, A, B, 0"
    assert describe_facts([Mapping(), True]) == "anonymous, True"
