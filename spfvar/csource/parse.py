"""Functions of C source, with file and line, parsed by tree-sitter.

Kernel C is no plain C: annotations for sparse, attributes, macros that are loops.  What the grammar does
not know is blanked, or written as what it is, in place, so that lines and columns stay those of the file.
Conditional compilation is decided by a set of options that are on; the rest is blanked, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from spfvar.errors import InputError

if TYPE_CHECKING:
    from tree_sitter import Node

#: What sparse, compilers and linkers read, and a graph of calls does not need.
_ANNOTATIONS: Final = re.compile(
    r"\b(?:__releases|__acquires|__must_hold|__cond_acquires|__cond_lock_fn|__printf|__aligned|__section)\s*\([^()]*\)"
    r"|\b(?:__user|__iomem|__rcu|__force|__init|__exit|__meminit|__ref|__sched|__cold|__pure|__must_check"
    r"|__always_inline|__maybe_unused|__always_unused|__read_mostly|__ro_after_init|noinline_for_stack|noinline|nokprobe_inline"
    r"|__cacheline_aligned_in_smp|asmlinkage|__visible|notrace|__used|__weak|__no_kcsan|__no_sanitize_address"
    r"|fallthrough)\b"
)
#: Macros that are loops: what they go over is no call of the function's.
_LOOPS: Final = re.compile(
    r"\b(?:for_each_\w+|\w+_for_each_\w+|\w+_for_each|\w+_foreach|list_for_each\w*|rbtree_postorder_for_each_\w+)(?=\s*\()"
)
#: What stands behind the ``while`` that such a macro is written as; the shortest of them has room for it.
LOOP_MARK: Final = "/**/"
#: The same of those that go over the VMAs of a range.
VMAS_MARK: Final = "/*v*/"
_OVER_VMAS: Final = re.compile(r"mas_for_each|for_each_vma(?:_range)?")
_DIRECTIVE: Final = re.compile(r"^[ \t]*#[ \t]*(\w+)\b(.*)$")
#: Statements that a file writes as calls at its top level, without a semicolon.
_TOP_LEVEL_CALLS: Final = re.compile(
    r"^(?:EXPORT_SYMBOL\w*|\w+_initcall|module_\w+|MODULE_\w+|DEFINE_STATIC_KEY_\w+|DEFINE_PER_CPU\w*|DECLARE_\w+"
    r"|__setup|early_param|NOKPROBE_SYMBOL|ALLOW_ERROR_INJECTION|SYSCALL_DEFINE_)\s*\([^()]*\)\s*;?",
    re.MULTILINE,
)
_SYSCALL: Final = re.compile(r"^SYSCALL_DEFINE\d\((\w+)(?:,[^{;]*)?\)(?=\s*\{)", re.MULTILINE)

MISSING: Final = "reading C needs tree-sitter"
INSTALL: Final = "pip install 'spfvar[audit]'"


@dataclass(frozen=True, slots=True)
class CFunction:
    """A function's definition: ``line`` and ``end`` are its first and last line, counted from 1.

    ``body`` is tree-sitter's node of the block; ``source`` the text that its offsets count in, in bytes.
    """

    name: str
    file: str
    line: int
    end: int
    parameters: tuple[str, ...]
    body: Node = field(compare=False, repr=False)
    source: bytes = field(compare=False, repr=False)

    def text(self, node: Node) -> str:
        """A node's text, blanks put together."""
        return squeezed(self.source[node.start_byte : node.end_byte].decode("utf-8", errors="replace"))


@dataclass(frozen=True, slots=True)
class CSource:
    """A file: its functions by name (the last definition counts), and how many places could not be read."""

    file: str
    functions: dict[str, CFunction]
    errors: int


@dataclass(frozen=True, slots=True)
class CCall:
    """A call: ``name`` as it is written ("vma->vm_ops->fault"), arguments as text, and where it is."""

    name: str
    args: tuple[str, ...]
    line: int

    def __str__(self) -> str:
        return f"{self.name}({', '.join(self.args)})"


def squeezed(text: str) -> str:
    """The text with blanks as one blank at most, and none where C needs none."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
    text = re.sub(r"\s+", " ", text).strip()
    return re.sub(r"(?<=\()\s+|\s+(?=[),;])|(?<=!)\s+", "", text)


def parse(text: str, file: str, options: frozenset[str] = frozenset()) -> CSource:
    """The functions of a file; ``options`` are the CONFIG_* that are on.

    Raises InputError if tree-sitter is not installed.
    """
    source = prepared(text, options).encode()
    root = _parser().parse(source).root_node
    functions: dict[str, CFunction] = {}
    for node in _definitions(root):
        function = _function(node, source, file)
        if function is not None:
            functions[function.name] = function
    return CSource(file, functions, sum(_is_error(node) for node in walk(root)))


def parse_statements(text: str) -> CFunction:
    """A few statements, as the body of a function without a name: lines count from 1.  Raises InputError."""
    function = parse("void statements(void) {" + text + "\n}\n", "statements").functions.get("statements")
    if function is None:
        raise InputError("these are no statements of C")
    return function


def prepared(text: str, options: frozenset[str] = frozenset()) -> str:
    """Kernel C as plain C of the same lines and columns."""
    text = _conditional(text, options)
    text = _SYSCALL.sub(lambda found: _padded(f"int sys_{found[1]}(void)", found[0]), text)
    text = _TOP_LEVEL_CALLS.sub(lambda found: _blank(found[0]), text)
    text = _ANNOTATIONS.sub(lambda found: _blank(found[0]), text)
    return _LOOPS.sub(lambda found: f"while{_mark(found[0])}".ljust(len(found[0])), text)


def _mark(macro: str) -> str:
    return VMAS_MARK if _OVER_VMAS.fullmatch(macro) else LOOP_MARK


def calls_in(function: CFunction, node: Node) -> Iterator[CCall]:
    """The calls in a statement or expression, arguments' before the call's own."""
    for child in node.named_children:
        yield from calls_in(function, child)
    if node.type == "call_expression":
        yield call_of(function, node)


def call_of(function: CFunction, node: Node) -> CCall:
    """A node that is a call."""
    callee, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
    args = (
        []
        if arguments is None
        else [function.text(arg) for arg in arguments.named_children if arg.type != "comment"]
    )
    name = function.text(callee) if callee is not None else ""
    return CCall(name.strip("()* "), tuple(args), node.start_point[0] + 1)


def walk(node: Node) -> Iterator[Node]:
    """A node and all below it."""
    ahead = [node]
    while ahead:
        here = ahead.pop()
        yield here
        ahead += reversed(here.children)


def _parser() -> Any:
    try:
        import tree_sitter
        import tree_sitter_c
    except ImportError:
        raise InputError(MISSING, expected=INSTALL) from None
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_c.language()))


def _is_error(node: Node) -> bool:
    return node.type == "ERROR" or node.is_missing


def _definitions(root: Node) -> Iterator[Node]:
    ahead = [root]
    while ahead:
        node = ahead.pop()
        if node.type == "function_definition":
            yield node
        elif not node.type.endswith(("_statement", "_expression", "declaration", "specifier")):
            ahead += reversed(node.named_children)


def _function(node: Node, source: bytes, file: str) -> CFunction | None:
    declarator, body = node.child_by_field_name("declarator"), node.child_by_field_name("body")
    while declarator is not None and declarator.type != "function_declarator":
        declarator = declarator.child_by_field_name("declarator")
    if declarator is None or body is None:
        return None
    name = declarator.child_by_field_name("declarator")
    if name is None or name.type != "identifier":
        return None
    parameters = declarator.child_by_field_name("parameters")
    lines = node.start_point[0] + 1, node.end_point[0] + 1
    named = source[name.start_byte : name.end_byte].decode()
    return CFunction(named, file, *lines, tuple(_parameters(parameters, source)), body, source)


def _parameters(parameters: Node | None, source: bytes) -> Iterator[str]:
    for parameter in parameters.named_children if parameters is not None else ():
        name = parameter.child_by_field_name("declarator")
        while name is not None and name.type != "identifier":
            name = name.child_by_field_name("declarator")
        yield source[name.start_byte : name.end_byte].decode() if name is not None else ""


# --- conditional compilation ---------------------------------------------------------------------


def _conditional(text: str, options: frozenset[str]) -> str:
    """Lines that are not compiled are blanked, and so is every directive."""
    lines = text.split("\n")
    stack: list[tuple[bool, bool]] = []  # is this part taken, was a part of it taken
    continued = False
    for number, line in enumerate(lines):
        found = None if continued else _DIRECTIVE.match(line)
        directive = continued or found is not None
        continued = directive and line.rstrip().endswith("\\")
        if found is not None:
            _direct(found[1], _joined(found[2], lines[number + 1 :]), stack, options)
        if directive or not all(taken for taken, _ in stack):
            lines[number] = ""
    return "\n".join(lines)


def _joined(rest: str, below: Iterable[str]) -> str:
    """What stands behind a directive, with the lines that a backslash adds to it."""
    for line in below:
        if not rest.rstrip().endswith("\\"):
            break
        rest = f"{rest.rstrip()[:-1]} {line}"
    return rest.strip()


def _direct(word: str, rest: str, stack: list[tuple[bool, bool]], options: frozenset[str]) -> None:
    if word in ("if", "ifdef", "ifndef"):
        holds = _holds(rest if word == "if" else f"defined({rest.split()[0] if rest else ''})", options)
        holds = holds != (word == "ifndef")
        stack.append((holds, holds))
    elif word in ("else", "elif") and stack:
        _, before = stack.pop()
        holds = not before and (word == "else" or _holds(rest, options))
        stack.append((holds, before or holds))
    elif word == "endif" and stack:
        stack.pop()


_NAME: Final = re.compile(
    r"(?:\b(?:defined|IS_ENABLED|IS_BUILTIN)\s*\(?\s*(\w+)\s*\)?)|(\w+)|(&&|\|\||!|[()])|(\S)"
)


def _holds(condition: str, options: frozenset[str]) -> bool:
    """Is a condition of #if true?  What it cannot say, is taken as false."""
    words = []
    for asked, name, operator, other in _NAME.findall(re.sub(r"/\*.*?\*/|//.*", "", condition)):
        if asked or name:
            words.append(str((asked or name) in options or (name.isdigit() and int(name) != 0)))
        elif operator:
            words.append({"&&": " and ", "||": " or ", "!": " not "}.get(operator, operator))
        elif other:
            return False
    try:
        return bool(eval("".join(words), {"__builtins__": {}}))
    except (SyntaxError, TypeError):
        return False


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def _padded(text: str, old: str) -> str:
    """``text`` in the place of ``old``, with as many lines."""
    return text.ljust(len(old.rpartition("\n")[0])) + "\n" * old.count("\n")
