"""Kernel C is read at its own lines, whatever of it is no plain C."""

from __future__ import annotations

import sys
from unittest import mock

import pytest

from spfvar.csource.parse import CCall, calls_in, parse, parse_statements, prepared, squeezed
from spfvar.errors import InputError

SOURCE = """\
#include <linux/mm.h>
#ifdef CONFIG_ONE
static int one(int a) { return first(a); }
#else
static int one(int a) { return second(a); }
#endif
static __always_inline bool two(struct vm_fault *vmf)
\t__releases(vmf->ptl)
{
\tfor_each_thing(vmf, thing) {
\t\tvisit(thing);
\t}
\treturn true;
}
EXPORT_SYMBOL(two);
SYSCALL_DEFINE2(three, unsigned long, start,
\t\tsize_t, len)
{
\treturn do_three(start, len);
}
"""


def test_functions_stand_at_their_lines() -> None:
    """Annotations, loops that are macros, and system calls: lines counted in SOURCE by hand."""
    found = parse(SOURCE, "mm/some.c")
    assert found.errors == 0
    lines = {name: (one.line, one.end) for name, one in found.functions.items()}
    assert lines == {"one": (5, 5), "two": (7, 14), "sys_three": (16, 20)}
    assert found.functions["two"].parameters == ("vmf",)
    calls = {name: [str(call) for call in calls_in(one, one.body)] for name, one in found.functions.items()}
    assert calls == {"one": ["second(a)"], "two": ["visit(thing)"], "sys_three": ["do_three(start, len)"]}


@pytest.mark.parametrize(
    ("condition", "options", "taken"),
    [
        ("#ifdef CONFIG_A", {"CONFIG_A"}, True),
        ("#ifdef CONFIG_A", set(), False),
        ("#ifndef CONFIG_A", {"CONFIG_A"}, False),
        ("#if defined(CONFIG_A) && !defined(CONFIG_B)", {"CONFIG_A"}, True),
        ("#if defined(CONFIG_A) && !defined(CONFIG_B)", {"CONFIG_A", "CONFIG_B"}, False),
        ("#if IS_ENABLED(CONFIG_A) || (CONFIG_B)", {"CONFIG_B"}, True),
        ("#if 0", {"CONFIG_A"}, False),
        ("#if 1", set(), True),
        ("#if defined(CONFIG_A) && \\\n    defined(CONFIG_B)", {"CONFIG_A", "CONFIG_B"}, True),
        ("#if defined(CONFIG_A) && \\\n    defined(CONFIG_B)", {"CONFIG_A"}, False),
        (
            "#if defined(CONFIG_A) || \\\n    defined(CONFIG_B) || \\\n    defined(CONFIG_C)",
            {"CONFIG_C"},
            True,
        ),
        ("#if PAGE_SHIFT > 12", {"PAGE_SHIFT"}, False),  # nothing is computed: it is taken as false
    ],
)
def test_conditional_compilation_goes_by_the_options(condition: str, options: set[str], taken: bool) -> None:
    """Of the two sides one is read, at its own line."""
    text = f"{condition}\nint a(void) {{ }}\n#else\nint b(void) {{ }}\n#endif\n"
    found = parse(text, "f.c", frozenset(options)).functions
    more = condition.count("\n")
    assert {name: one.line for name, one in found.items()} == ({"a": 2 + more} if taken else {"b": 4 + more})


def test_nested_conditions_and_elif() -> None:
    """A part is read only if all around it are, and of several parts the first that holds."""
    text = "#if 0\n#if 1\nint a(void) {}\n#endif\n#elif defined(B)\nint b(void) {}\n#elif 1\nint c(void) {}\n#endif\n"
    assert set(parse(text, "f.c").functions) == {"c"}
    assert set(parse(text, "f.c", frozenset({"B"})).functions) == {"b"}


def test_preparing_keeps_every_line() -> None:
    """Or a difference would be told at the wrong place."""
    assert prepared(SOURCE).count("\n") == SOURCE.count("\n")
    for before, after in zip(SOURCE.splitlines(), prepared(SOURCE).splitlines(), strict=True):
        assert after.strip() == "" or len(after.rstrip()) <= len(before) or before.startswith("SYSCALL")


def test_statements_of_a_patch_are_read_without_their_function() -> None:
    """A hunk has no function around it."""
    found = parse_statements("if (!pte_same(*vmf->pte, entry))\n\tgoto unlock;\n")
    assert list(calls_in(found, found.body)) == [CCall("pte_same", ("*vmf->pte", "entry"), 1)]


def test_text_is_told_in_one_line() -> None:
    """Blanks and comments do not make two conditions of one."""
    assert squeezed("! foo( a,\n\t b /* why */ )") == "!foo(a, b)"


def test_who_has_no_tree_sitter_is_told_what_to_install() -> None:
    """It is an extra."""
    with mock.patch.dict(sys.modules, {"tree_sitter": None}), pytest.raises(InputError) as told:
        parse("int a(void) {}", "f.c")
    assert "pip install 'spfvar[audit]'" in str(told.value)
