"""Statements whose steps hide: behind "|=", in arguments, in a loop's condition, behind names that Python has taken."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from spfvar.draft.code import joined, rendered, unwrapped
from spfvar.draft.sketch import Sketch
from spfvar.plugins.registry import sample_texts
from spfvar.plugins.variant import Stack
from tests.draft.made import drafted, hunk, loaded, patch_of, sketched

BELOW = "return (yield from below)"


def begin(added: str) -> str:
    """A hunk that puts lines at the begin of finish_fault; the first of them is line 15 of the mail."""
    lines = "".join(f"+\t{line}\n" for line in added.split("\n"))
    return hunk("vm_fault_t finish_fault(struct vm_fault *vmf)", f" \tint x;\n \n{lines} \tnext(vmf);")


def text_of(made: Sketch) -> list[str]:
    """The lines of the only text, without the numbers behind them."""
    [part] = made.parts
    return [line.split("  #")[0] for line in rendered(part.body(), 0)]


def todos(made: Sketch) -> list[tuple[str, str]]:
    """What is open, and why."""
    return [(one.text, one.why) for one in made.todos]


def test_flags_are_put_in_a_result_and_taken_out_of_it() -> None:
    """C's operators are Python's."""
    made = sketched(
        begin("ret = VM_FAULT_RETRY;\nret |= VM_FAULT_LOCKED;\nret &= ~VM_FAULT_RETRY;\nreturn ret;")
    )
    assert text_of(made) == [
        "ret = VMFault.RETRY",
        "ret = ret | VMFault.LOCKED",
        "return ret & ~VMFault.RETRY",
    ]
    assert todos(made) == []


def test_several_flags_are_one_operand() -> None:
    """& is stronger than |."""
    made = sketched(begin("ret = VM_FAULT_RETRY;\nret &= VM_FAULT_RETRY | VM_FAULT_LOCKED;\nreturn ret;"))
    assert text_of(made)[1:] == ["return ret & (VMFault.RETRY | VMFault.LOCKED)"]


def test_what_a_hook_point_returns_is_put_in_a_result() -> None:
    """The call is made, and both results count."""
    made = sketched(begin("ret = VM_FAULT_LOCKED;\nret |= do_wp_page(vmf);\nreturn ret;"))
    assert text_of(made) == ["ret = VMFault.LOCKED", "return ret | (yield from hooks.do_wp_page(vmf))"]
    assert todos(made) == []


def test_a_call_is_made_though_the_variable_is_not_known() -> None:
    """What the variable has then is open."""
    made = sketched(begin("ret |= do_wp_page(vmf);"))
    assert text_of(made) == [
        "yield from hooks.do_wp_page(vmf)",
        'yield todo("ret |= do_wp_page(vmf)")',
        BELOW,
    ]


def test_an_unknown_operand_makes_a_result_unknown() -> None:
    """A test of it comes out either way, and a return of it is open too."""
    made = sketched(
        begin("ret = VM_FAULT_RETRY;\nret |= frob(vmf);\nif (ret & VM_FAULT_ERROR)\n\treturn ret;")
    )
    assert todos(made) == [
        ("ret |= frob(vmf);", "statement"),
        ("ret & VM_FAULT_ERROR", "test"),
        ("return ret;", "what does it return"),
    ]


def test_a_counter_is_no_result() -> None:
    """It has no effect, but is not what it was before: the test of it is open."""
    made = sketched(begin("int nr = 0;\nnr++;\nnr += x;\nif (nr)\n\tsmp_rmb();"))
    assert todos(made) == [("nr", "test")]
    assert made.count("silent") == 2


def test_the_text_below_runs_where_its_result_is_put_in_another() -> None:
    """It is no new form of the same call, as ``ret = `` would be."""
    body = " \tint x;\n-\treturn __do_fault(vmf);\n+\tret = VM_FAULT_LOCKED;\n+\tret |= __do_fault(vmf);\n+\treturn ret;"
    made = sketched(hunk("vm_fault_t __do_fault(struct vm_fault *vmf)", body))
    assert text_of(made) == ["ret = VMFault.LOCKED", "return ret | (yield from below)"]
    kept = " \tint x;\n-\tret = vma->vm_ops->fault(vmf);\n+\tret = VM_FAULT_LOCKED;\n+\tret |= vma->vm_ops->fault(vmf);\n \tnext(vmf);"
    made = sketched(hunk("vm_fault_t __do_fault(struct vm_fault *vmf)", kept))
    assert todos(made) or any("VMFault.LOCKED" in line for line in text_of(made))


def test_around_a_call_there_is_one_result() -> None:
    """That call's; what else the variable has is open."""
    body = " \tint x;\n-\tret = anon_vma_prepare(vma);\n+\tsmp_rmb();\n+\tret |= anon_vma_prepare(vma);\n \tnext(vmf);"
    made = sketched(hunk("vm_fault_t wp_page_copy(struct vm_fault *vmf)", body))
    assert text_of(made) == ["yield smp_rmb()", 'yield todo("ret |= anon_vma_prepare(vma)")', BELOW]
    assert todos(made) == [("ret |= anon_vma_prepare(vma);", "what the variable had before")]


def test_a_result_that_is_not_known_is_told_and_returned() -> None:
    """At the begin of a function the text below runs; in the place of it, the variable has what it had."""
    before = sketched(begin("ret = VM_FAULT_RETRY;\nret |= frob(vmf);\nreturn ret;"))
    assert text_of(before)[-1] == BELOW
    body = " \tint x;\n-\treturn __do_fault(vmf);\n+\tret = __do_fault(vmf);\n+\tret |= frob(vmf);\n+\treturn ret;"
    after = sketched(hunk("vm_fault_t __do_fault(struct vm_fault *vmf)", body))
    assert text_of(after)[0] == "ret = yield from below"
    assert text_of(after)[-1] == "return ret"
    assert len(todos(before)) == len(todos(after)) == 2


@pytest.mark.parametrize("outer", ["count_vm_event", "smp_call"])
def test_a_call_in_an_argument_is_made(outer: str) -> None:
    """Be the call around it one that has no effect, or one that nobody knows."""
    made = sketched(begin(f"{outer}(do_wp_page(vmf));"))
    assert text_of(made)[0] == "yield from hooks.do_wp_page(vmf)"
    assert len(todos(made)) == (outer == "smp_call")


def test_an_unknown_call_in_an_argument_is_open() -> None:
    """The statement around it is not, nor is a test; of calls in one another the outermost says it."""
    made = sketched(
        begin("count_vm_event(frob(nicate(vmf)));\nif (trylock_page(odd(page)))\n\treturn VM_FAULT_OOM;")
    )
    assert text_of(made)[:3] == [
        'yield todo("frob(nicate(vmf))")',
        'yield todo("odd(page)")',
        "if (yield folio_trylock()):",
    ]
    assert {why for _, why in todos(made)} == {"in an argument"}


def test_a_test_with_a_step_in_its_argument_is_open() -> None:
    """The step would come in the middle of the condition."""
    made = sketched(begin("if (trylock_page(do_wp_page(vmf)))\n\treturn VM_FAULT_OOM;"))
    assert todos(made) == [("trylock_page(do_wp_page(vmf))", "test")]


def test_an_assertion_that_is_configured_out_evaluates_nothing() -> None:
    """VM_BUG_ON and its like; BUG_ON does."""
    assert sketched(begin("VM_BUG_ON(frob(vmf));")).parts == ()
    assert todos(sketched(begin("BUG_ON(frob(vmf));"))) == [("frob(vmf)", "in an argument")]


def test_a_loop_that_only_has_a_condition_is_open_if_that_does_something() -> None:
    """Waiting for a lock is a step; counting is none."""
    assert len(todos(sketched(begin("while (!trylock_page(page))\n\t;")))) == 1
    assert sketched(begin("while (i < 3)\n\ti++;")).parts == ()


@pytest.mark.parametrize(
    "name",
    ["class", "from", "in", "is", "pass", "self", "below", "vmf", "o", "hooks", "loop", "again", "todo", "smp_rmb"],
)  # fmt: skip
def test_a_variable_takes_no_name_that_a_text_has_for_something_else(tmp_path: Path, name: str) -> None:
    """Keywords of Python, arguments of the method, what the module imports: it stays open, and the module runs."""
    patch = patch_of(begin(f"int {name} = VM_FAULT_OOM;\nif ({name})\n\tsmp_rmb();\nfrob(vmf);"))
    drafted([patch], tmp_path)
    text = (tmp_path / "drafted.py").read_text()
    assert f"{name} = VMFault" not in text
    assert f'todo("int {name} = VM_FAULT_OOM")' in text
    stack = Stack(loaded(tmp_path))
    ops = {op.name for text_name, text in sample_texts() for op in stack.automaton(text_name, text).ops()}
    assert {f"TODO: {name}", "TODO: frob(vmf)"} <= ops


def test_nor_does_the_result_that_a_function_ends_with() -> None:
    """A change before the last return is then one in the middle of the function."""
    body = " static inline bool mmap_write_trylock(struct mm_struct *mm)\n {\n \tpass = try(mm);\n+\tsmp_wmb();\n \treturn pass;\n }"
    made = sketched(hunk("", body))
    assert not any(line.startswith("pass") or line == "return pass" for line in text_of(made))
    assert [why for _, why in todos(made)] == ["in the middle of the function"]


def test_one_of_two_calls_is_python(tmp_path: Path) -> None:
    """Parentheses are left out only if one pair is around all of it."""
    made = sketched(begin("ret = odd(vmf) ? do_wp_page(vmf) : do_numa_page(vmf);\nreturn ret;"))
    ast.parse("def f(self, vmf, below):\n" + "\n".join(f"    {line}" for line in text_of(made)))
    assert unwrapped("(a) or (b)") == "(a) or (b)"
    assert unwrapped("(a or (b))") == "a or (b)"
    assert unwrapped('(todo(")("))') == 'todo(")(")'


def test_parentheses_in_quoted_c_are_none_of_the_texts() -> None:
    """What is quoted ends no parenthesis, so an "or" behind it keeps its own."""
    assert joined('(yield todo(")")) or a', "and", "b") == '((yield todo(")")) or a) and b'
