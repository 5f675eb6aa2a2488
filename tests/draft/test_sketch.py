"""What a change becomes: the text of which hook point, with what in it, and what is left to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from spfvar.draft.code import Line, rendered
from spfvar.draft.sketch import Part, Sketch
from spfvar.plugins.registry import sample_texts
from spfvar.plugins.variant import Stack
from tests.draft.made import drafted, hunk, loaded, patch_of, sketched
from tests.draft.posted import posted


def python(part: Part) -> list[str]:
    """The lines of a text, without the comments that have the patch's lines."""
    return [line.split("  #")[0] for line in rendered(part.body(), 0)]


def only(made: Sketch) -> list[str]:
    """The text of a patch that has one."""
    [part] = made.parts
    return python(part)


def test_an_insertion_at_a_functions_begin_comes_before_what_is_below() -> None:
    """A flag that texts of the stack know is a fact."""
    made = sketched(
        hunk(
            "vm_fault_t do_swap_page(struct vm_fault *vmf)",
            " \tvm_fault_t ret = 0;\n \n+\tif (vmf->flags & FAULT_FLAG_SPECULATIVE)\n+\t\treturn VM_FAULT_RETRY;\n \tnext(vmf);",
        )
    )
    assert only(made) == [
        "if vmf.has(SPECULATIVE):",
        "    return VMFault.RETRY",
        "return (yield from below)",
    ]
    assert made.todos == []


def test_a_flag_that_no_text_knows_is_open_but_not_for_ever() -> None:
    """Else the fault would be told to retry each time, and would have no automaton."""
    made = sketched(
        hunk(
            "vm_fault_t do_swap_page(struct vm_fault *vmf)",
            " \tint x;\n \n+\tif (vmf->flags & FAULT_FLAG_NEW)\n+\t\treturn VM_FAULT_RETRY;\n \tnext(vmf);",
        ),
        on="mmap-lock",
    )
    assert only(made)[0] == (
        'if not vmf.has(TRIED) and (yield todo("vmf->flags & FAULT_FLAG_NEW", False, True)):'
    )
    assert [found.why for found in made.todos] == ["test"]


def test_in_the_middle_of_a_function_it_is_open_whether_it_gets_there() -> None:
    """What comes before it there is not known."""
    made = sketched(
        hunk(
            "vm_fault_t do_swap_page(struct vm_fault *vmf)",
            " \tearlier(vmf);\n+\tsmp_rmb();\n+\tsmp_rmb();\n \tlater(vmf);",
        )
    )
    assert [found.why for found in made.todos] == ["in the middle of the function"]
    assert only(made)[0].startswith('if (yield todo("reaches line')


def test_the_same_call_by_another_name_is_there_already() -> None:
    """Texts of the core call pte_map_lock, whatever the C of a release calls to lock the table."""
    made = sketched(
        hunk(
            "vm_fault_t do_numa_page(struct vm_fault *vmf)",
            " \tint x;\n-\tvmf->ptl = pte_lockptr(mm, vmf->pmd);\n-\tspin_lock(vmf->ptl);\n+\tif (!pte_spinlock(vmf))\n+\t\treturn VM_FAULT_RETRY;\n \tnext(vmf);",
        )
    )
    assert made.parts == ()
    assert made.count("translated") > 0
    assert made.todos == []


def test_a_change_around_a_call_is_a_text_of_the_hook_point_that_is_called() -> None:
    """Where the call stood, the text below runs."""
    made = sketched(
        hunk(
            "vm_fault_t wp_page_copy(struct vm_fault *vmf)",
            " \tint x;\n-\tif (anon_vma_prepare(vma))\n-\t\tgoto oom;\n+\tif (!vma->anon_vma) {\n+\t\tif (vmf->flags & FAULT_FLAG_SPECULATIVE)\n+\t\t\treturn VM_FAULT_RETRY;\n+\t\tif (__anon_vma_prepare(vma))\n+\t\t\tgoto oom;\n+\t}\n \tnext(vmf);",
        )
    )
    assert [part.hook.name for part in made.parts] == ["anon_vma_prepare"]
    assert only(made) == [
        "if not (yield from vma_anon_vma(vmf)):",
        "    if vmf.has(SPECULATIVE):",
        "        return VMFault.RETRY",
        "    return (yield from below)",
        "return VMFault.NONE",
    ]


def test_a_goto_in_the_function_is_what_stands_behind_its_label() -> None:
    """Labels are no places of a text, so each way there has the steps."""
    made = sketched(
        hunk(
            "vm_fault_t filemap_fault(struct vm_fault *vmf)",
            " \tint x;\n+\tif (vmf->flags & FAULT_FLAG_SPECULATIVE) {\n+\t\tif (!folio_trylock(folio))\n+\t\t\tgoto out;\n+\t\treturn VM_FAULT_LOCKED;\n+out:\n+\t\tfolio_put(folio);\n+\t\treturn VM_FAULT_RETRY;\n+\t}\n \tnext(vmf);",
        )
    )
    assert only(made) == [
        "if vmf.has(SPECULATIVE):",
        "    if not (yield folio_trylock()):",
        "        yield folio_put()",
        "        return VMFault.RETRY",
        "    return VMFault.LOCKED",
        "return (yield from below)",
    ]


def test_what_the_patch_defines_takes_the_place_of_what_is_below() -> None:
    """All of the function is there."""
    made = sketched(
        hunk(
            "",
            "+void vm_area_free(struct vm_area_struct *vma)\n+{\n+\tcall_rcu(&vma->vm_rcu, free_it);\n+}\n+",
        ),
        on="mmap-lock",
    )
    [part] = made.parts
    assert part.plain
    assert python(part) == ["yield call_rcu(vma)"]


def test_the_last_statement_of_a_function_comes_behind_what_is_below() -> None:
    """And a variable of C's that is returned has what that returned."""
    made = sketched(
        hunk(
            "",
            " static inline bool mmap_write_trylock(struct mm_struct *mm)\n {\n \tok = try(mm);\n+\tif (ok)\n+\t\tsmp_wmb();\n \treturn ok;\n }",
        )
    )
    assert only(made) == ["ok = yield from below", "if ok:", "    yield smp_wmb()", "return ok"]


def test_an_unknown_statement_is_a_step_without_effect() -> None:
    """It says what it stands for."""
    made = sketched(
        hunk(
            "vm_fault_t do_swap_page(struct vm_fault *vmf)",
            " \tint x;\n \n+\tfrobnicate(vmf);\n \tnext(vmf);",
        )
    )
    assert only(made)[0] == 'yield todo("frobnicate(vmf)")'


def test_a_function_without_a_hook_point_is_told_and_is_no_error() -> None:
    """Its statements are none of the draft's."""
    made = sketched(
        hunk("int frobnicate(struct vm_fault *vmf)", " \tint x;\n+\tspin_lock(vmf->ptl);\n \tnext();")
    )
    [row] = made.rows
    assert (row.hooks, row.why, made.parts) == ((), "no hook point for frobnicate", ())


def test_lines_of_the_patch_are_those_that_comments_have() -> None:
    """The mail's head has 8 lines, the diff's 4, and it is the third of the hunk's."""
    made = sketched(
        hunk(
            "vm_fault_t do_swap_page(struct vm_fault *vmf)",
            " \tint x;\n \n+\tfrobnicate(vmf);\n \tnext(vmf);",
        )
    )
    [part] = made.parts
    first = part.nodes[0]
    assert isinstance(first, Line)
    assert first.at == 8 + 4 + 3


@pytest.mark.parametrize(
    ("number", "todos"),
    [
        (10, 0),
        (13, 0),
        (14, 0),
        (15, 0),
        (17, 0),
        (19, 0),
        (24, 0),
        (25, 0),
        (26, 0),
        (27, 0),
        (34, 0),
        (21, 2),
        (11, 3),
    ],
)
def test_posted_patches_have_no_more_todos_than_are_documented(number: int, todos: int) -> None:
    """docs/drafts.md has the table."""
    from spfvar.draft.sketch import sketch
    from spfvar.review.patchmail import load_patches
    from tests.draft.made import REGISTRY

    [patch] = load_patches(str(posted(number)))
    assert sketch(patch, REGISTRY[f"spf@{number - 1}"]).count("TODO") == todos


def test_a_loop_has_any_number_of_passes_and_ends(tmp_path: Path) -> None:
    """Its text can be extracted: the open test comes round again."""
    body = " \tint x;\n \n+\twhile (more(vmf)) {\n+\t\tsmp_rmb();\n+\t\tstep(vmf);\n+\t}\n \tnext(vmf);"
    made = sketched(hunk("vm_fault_t finish_fault(struct vm_fault *vmf)", body))
    assert only(made)[:1] == ['yield loop("line_15")']
    assert '    yield again("line_15")' in only(made)
    drafted([patch_of(hunk("vm_fault_t finish_fault(struct vm_fault *vmf)", body))], tmp_path)
    stack = Stack(loaded(tmp_path))
    ops = [op for name, text in sample_texts() for op in stack.automaton(name, text).ops()]
    assert any(op.name == "TODO: step(vmf)" for op in ops)
