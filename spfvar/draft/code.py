"""The Python of a draft, before it is text: lines and branches, each with its line in the patch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

#: The end of a text that leaves the rest to what it is stacked on.
BELOW = "return (yield from below)"
#: As wide as the usual formatters have it.
WIDTH = 88
#: Tests that are longer together stay apart.
LONGEST_TEST = 76


@dataclass(frozen=True, slots=True)
class Line:
    """A statement."""

    text: str
    at: int


@dataclass(frozen=True, slots=True)
class If:
    """A branch."""

    test: str
    then: tuple[Node, ...]
    orelse: tuple[Node, ...]
    at: int


Node = Line | If


def negated(test: str) -> str:
    """The other way round."""
    if test.startswith("not ") and _is_one(test[4:]):
        return test[4:]
    return f"not {test}" if _is_one(test) else f"not ({test})"


def joined(left: str, word: str, right: str) -> str:
    """Two tests with "and" or "or" between them."""
    other = " or " if word == "and" else " and "
    parts = [f"({part})" if other in _outside(part) else part for part in (left, right)]
    return f" {word} ".join(parts)


def _is_one(test: str) -> bool:
    """Does no operator stand outside of parentheses?"""
    return not any(word in _outside(test) for word in (" and ", " or ", " & ", " == ", " if ", "not "))


def _outside(text: str) -> str:
    """What of an expression is outside of all parentheses."""
    depth, found, quoted = 0, "", False
    for sign in text:
        quoted ^= sign == '"'
        depth += 0 if quoted else (sign in "([") - (sign in ")]")
        found += sign if depth == 0 else " " if sign == " " and depth == 0 else ""
    return found


def leaves(nodes: Sequence[Node]) -> bool:
    """Does every way through end with a return?"""
    if not nodes:
        return False
    last = nodes[-1]
    if isinstance(last, If):
        return leaves(last.then) and leaves(last.orelse)
    return last.text.startswith("return")


def simplified(nodes: Sequence[Node]) -> list[Node]:
    """The same, shorter: results returned where they are set, branches in one, none without a use."""
    found: list[Node] = []
    for one in nodes:
        node = _one_branch(one) if isinstance(one, If) else one
        if isinstance(node, Line):
            node = _shortened(found, node)
        found.append(node)
    return found


def ending(nodes: Sequence[Node]) -> list[Node]:
    """The same, with no second VM_FAULT_RETRY by an open test: the fault would be done again for ever."""
    found: list[Node] = []
    for node in nodes:
        if isinstance(node, If):
            test = node.test
            if "vmf.has(" in test:
                found.append(node)  # under a flag that some pass does not have
                continue
            if "todo(" in test and (_retries(node.then) or _retries(node.orelse)):
                test = joined("not vmf.has(TRIED)", "and", test)
            node = If(test, tuple(ending(node.then)), tuple(ending(node.orelse)), node.at)
        found.append(node)
    return found


def _retries(nodes: Sequence[Node]) -> bool:
    return any(
        "VMFault.RETRY" in node.text
        if isinstance(node, Line)
        else _retries(node.then) or _retries(node.orelse)
        for node in nodes
    )


def _one_branch(node: If) -> If:
    """A branch in a branch as one."""
    then, orelse = simplified(node.then), simplified(node.orelse)
    inner = then[0] if len(then) == 1 and not orelse else None
    if isinstance(inner, If) and not inner.orelse:
        test = joined(node.test, "and", inner.test)
        if len(test) <= LONGEST_TEST:
            return If(test, inner.then, (), node.at)
    return If(node.test, tuple(then), tuple(orelse), node.at)


def _shortened(found: list[Node], node: Line) -> Line:
    """A line that follows others, of which it makes the last superfluous."""
    last = found[-1] if found else None
    if isinstance(last, Line) and node.text == f"return {last.text.partition(' = ')[0]}":
        found.pop()
        value = last.text.partition(" = ")[2]
        return Line(f"return ({value})" if value.startswith("yield") else f"return {value}", last.at)
    while node.text == BELOW and isinstance(last, If) and "yield" not in last.test and not last.orelse:
        if not _is_below(last.then):
            break
        found.pop()
        last = found[-1] if found else None
    if isinstance(last, If) and not last.orelse and len(last.then) == 1 and isinstance(last.then[0], Line):
        both = last.then[0].text, node.text
        if both == ("return True", "return False"):
            found.pop()
            return Line(f"return {last.test}", last.at)
        if both == ("return False", "return True"):
            found.pop()
            return Line(f"return {negated(last.test)}", last.at)
    return node


def _is_below(nodes: Sequence[Node]) -> bool:
    return len(nodes) == 1 and isinstance(nodes[0], Line) and nodes[0].text == BELOW


def rendered(nodes: Sequence[Node], depth: int) -> Iterator[str]:
    """The lines of a body, indented by four blanks per level; comments are lines of the patch."""
    blank = "    " * depth
    for node in nodes:
        if isinstance(node, Line):
            yield with_comment(blank + node.text, node.at)
            continue
        test, then, orelse = node.test, node.then, node.orelse
        if not then:
            test, then, orelse = negated(test), orelse, ()
        yield from _branch(blank, test, node.at)
        yield from rendered(then, depth + 1)
        if not orelse:
            continue
        if leaves(then):
            yield from rendered(orelse, depth)
        elif len(orelse) == 1 and isinstance(orelse[0], If) and orelse[0].then:
            first, *rest = rendered(orelse, depth)
            yield first.replace("if ", "elif ", 1)
            yield from rest
        else:
            yield f"{blank}else:"
            yield from rendered(orelse, depth + 1)


def _branch(blank: str, test: str, at: int) -> Iterator[str]:
    """The line of a branch, or several if its test is long, as formatters have them."""
    line = f"{blank}if {test}:"
    word = " or " if " or " in _outside(test) else " and "
    parts = _split(test, word)
    if len(line) <= WIDTH or len(parts) == 1:
        yield with_comment(line, at)
        return
    yield with_comment(f"{blank}if (", at)
    yield f"{blank}    {_fitting(parts[0])}"
    yield from (_fitting(f"{blank}    {word.strip()} {part}") for part in parts[1:])
    yield f"{blank}):"


def _split(text: str, word: str) -> list[str]:
    """A test at an operator that is outside of all parentheses and strings."""
    found, depth, begin, quoted = list[str](), 0, 0, False
    for at, sign in enumerate(text):
        quoted ^= sign == '"'
        depth += 0 if quoted else (sign in "([") - (sign in ")]")
        if depth == 0 and not quoted and text.startswith(word, at):
            found.append(text[begin:at])
            begin = at + len(word)
    return [*found, text[begin:]]


def unwrapped(python: str) -> str:
    """An expression without the parentheses around all of it."""
    is_one = python.startswith("(") and python.endswith(")") and not _outside(python[:-1])
    return python[1:-1] if is_one else python


def without_idle(nodes: Sequence[Node]) -> list[Node]:
    """The same without variables that nothing reads, nor branches that are empty then."""
    return list(_with_read(nodes, "\n".join(_texts(nodes))))


def _texts(nodes: Sequence[Node]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, Line):
            yield node.text
        else:
            yield node.test
            yield from _texts(node.then)
            yield from _texts(node.orelse)


def _with_read(nodes: Sequence[Node], text: str) -> Iterator[Node]:
    for node in nodes:
        if isinstance(node, Line):
            target = re.match(r"(\w+) = (.*)", node.text)
            if target is None or len(re.findall(rf"(?<![.\w\"]){target[1]}\b", text)) > 1:
                yield node
            elif target[2].startswith("yield"):
                yield Line(target[2], node.at)
            continue
        then, orelse = tuple(_with_read(node.then, text)), tuple(_with_read(node.orelse, text))
        if then or orelse:
            yield If(node.test, then, orelse, node.at)
        elif "yield" in node.test.replace("yield todo(", ""):
            yield If(node.test, (Line("pass", 0),), (), node.at)


def with_comment(text: str, at: int) -> str:
    """A line with its line in the patch behind it, if there is room; else a TODO's text is cut."""
    text = _fitting(text)
    commented = f"{text}  # {at}"
    return commented if at and len(commented) <= WIDTH else text


def _fitting(text: str) -> str:
    """A line without what is too much of its TODOs' texts."""
    while len(text) > WIDTH:
        begin = text.rfind('todo("')
        longest, at = 0, -1
        while begin >= 0:
            end = text.find('"', begin + 6)
            if end - begin > longest:
                longest, at = end - begin, begin
            begin = text.rfind('todo("', 0, begin)
        end = text.find('"', at + 6)
        inner = text[at + 6 : end].removesuffix("...")
        if at < 0 or len(inner) < 12:
            return text
        over = len(text) - WIDTH
        kept = inner[: max(8, len(inner) - over - 3)].rstrip()
        if len(kept) + 3 >= len(inner):
            return text
        text = f"{text[: at + 6]}{kept}...{text[end:]}"
    return text
