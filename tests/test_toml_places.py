"""However a document is written, the line of a key is found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from spfvar.errors import InputError
from spfvar.toml_input import parse_toml
from spfvar.toml_places import find_places, line_of
from spfvar.units import Bytes


class Tree(BaseModel):
    """Nests in every way TOML can write."""

    model_config = ConfigDict(extra="forbid")

    leaf: str = ""
    size: Bytes = 1
    one: Tree | None = None
    many: list[Tree] = []


def refusal(text: str) -> InputError:
    """Return the error that `text` is answered with."""
    with pytest.raises(InputError) as caught:
        parse_toml(text, "x.toml", Tree)
    return caught.value


# --- documents with one corrupted key -----------------------------------------------------

LEAVES = [
    '"x"',
    "'x # no comment'",
    '""',
    '"a\\"b\\\\"',
    '"""\n[[many]]\nleav = 1\n\\""" # "" \\\\"""',
    '""""a\n"""""',
    "'''\n[one]\nsizee = '' \\'''",
    "''''a\n'''''",
]
SIZES = ["4_096", "0x10", "'64KiB'"]
BETWEEN = ["", "", "\n", "# leav = 1\n", "  # [[many]] \"\"\" '''\n", "\t\n\n"]


@dataclass(frozen=True)
class Part:
    """A key (`name` is set) or a scalar value as it is written, and its key path."""

    text: str
    path: str
    name: str | None = None

    def corrupted(self) -> Part:
        """Return the part with a typing error, or with a value of no field's type."""
        if self.name is None:
            return replace(self, text="false")
        return Part(f"{self.name}x", f"{self.path}x", self.name)


Fragments = list[str | Part]


@dataclass(frozen=True)
class Renderer:
    """Writes a random valid Tree in random notation."""

    random: Random

    def coin(self) -> bool:
        """Return True half of the time."""
        return self.random.random() < 0.5

    def key(self, table: str, name: str) -> Part:
        """Return a key, bare or quoted in one of three ways."""
        escaped = f'"\\u{ord(name[0]):04x}{name[1:]}"'
        text = self.random.choice([name, f'"{name}"', f"'{name}'", escaped])
        return Part(text, f"{table}.{name}" if table else name, name)

    def statements(self, names: str, table: str, depth: int) -> Fragments:
        """Return the body of a table; `names` is how headers begin inside it."""
        nested = [name for name in ("one", "many") if self.coin()]
        out: Fragments = []
        for pair in self.pairs(table, [], nested, depth):
            out += [self.random.choice(BETWEEN), *pair, " # one.leav = 1\n"]
        if depth and "one" not in nested and self.coin():
            key = self.key(table, "one")
            out += [self.random.choice(BETWEEN), f"[ {names}", key, "]\n"]
            out += self.statements(f"{names}one.", key.path, depth - 1)
        if depth and "many" not in nested:
            for index in range(self.random.randrange(3)):
                key = self.key(table, "many")
                # With headers below, which name it too, a wrong name would be several faults.
                out += [f"[[{names}", key if depth == 1 else key.text, " ]]\n"]
                out += self.statements(f"{names}many.", f"{key.path}[{index}]", depth - 1)
        return out

    def pairs(
        self,
        table: str,
        prefix: Fragments,
        nested: list[str],
        depth: int,
    ) -> list[Fragments]:
        """Return the `key = value` pairs of a table, those of dotted keys included."""
        out: list[Fragments] = []
        for name, values in (("leaf", LEAVES), ("size", SIZES)):
            if self.coin():
                key = self.key(table, name)
                out.append([*prefix, key, " = ", Part(self.random.choice(values), key.path)])
        for name in nested if depth else ():
            key = self.key(table, name)
            if name == "many":
                out.append([*prefix, key, "=", *self.array(key.path, depth - 1)])
            elif self.coin():
                out.append([*prefix, key, "=", *self.inline(key.path, depth - 1)])
            else:
                out += self.pairs(key.path, [*prefix, key, " . "], ["one", "many"], depth - 1)
        return out

    def inline(self, table: str, depth: int) -> Fragments:
        """Return a table as a value."""
        out: Fragments = []
        for pair in self.pairs(table, [], ["one", "many"], depth):
            out += [", " if out else "", *pair]
        return ["{", *out, "}"]

    def array(self, path: str, depth: int) -> Fragments:
        """Return an array of inline tables, over several lines or not."""
        out: Fragments = []
        for index in range(self.random.randrange(3)):
            out += [self.random.choice(["", "\n", " # {leav = 1},\n"])]
            out += [*self.inline(f"{path}[{index}]", depth), ",", self.random.choice(BETWEEN)]
        return ["[", *out, "]"]


def render(random: Random, newline: str) -> Fragments:
    """Return a valid document that holds at least one part."""
    fragments = Renderer(random).statements("", "", 3)
    if not any(isinstance(fragment, Part) for fragment in fragments):
        fragments = ["size", "=", Part("1", "size"), "\n", *fragments]
    return [
        replace(fragment, text=fragment.text.replace("\n", newline))
        if isinstance(fragment, Part)
        else fragment.replace("\n", newline)
        for fragment in fragments
    ]


def text_of(fragments: Fragments) -> str:
    """Return the document."""
    return "".join(f.text if isinstance(f, Part) else f for f in fragments)


@given(st.randoms(use_true_random=False), st.sampled_from(["\n", "\r\n"]), st.data())
def test_line_and_key_of_a_corrupted_part(
    random: Random,
    newline: str,
    data: st.DataObject,
) -> None:
    """However a document is written, one wrong key or value in it is told with line and path."""
    fragments = render(random, newline)
    parse_toml(text_of(fragments), "x.toml", Tree)

    index = data.draw(
        st.sampled_from([i for i, fragment in enumerate(fragments) if isinstance(fragment, Part)])
    )
    part = fragments[index]
    assert isinstance(part, Part)
    wrong = part.corrupted()
    text = text_of([*fragments[:index], wrong, *fragments[index + 1 :]])
    error = refusal(text)
    assert (error.line, error.key) == (text_of(fragments[:index]).count("\n") + 1, wrong.path)
    assert (error.file, error.more, error.suggestion) == ("x.toml", 0, part.name)


# --- single cases -------------------------------------------------------------------------


def test_places_have_offsets() -> None:
    """A key stands where it begins, an element of an array where its value does."""
    text = "a = 1\nb = [\n 2,\n 3]\n[c.d]\ne = 4"
    places = find_places(text, "x.toml")
    found = [places.at(path).offset for path in (("a",), ("b", 1), ("c", "d"), ("c", "d", "e"))]
    assert found == [text.index("a"), text.index("3"), text.index("[c"), text.index("e")]
    assert [line_of(text, offset) for offset in found] == [1, 4, 5, 6]
    assert places.at(("b", 7, "x")).offset == text.index("b")


def test_table_opened_after_its_subtable() -> None:
    """A table has the line of its own header, though a subtable's header names it earlier."""
    text = "leaf = 't'\n[many.one]\n[many]\nsize = 1"
    assert (refusal(text).line, refusal(text).key) == (3, "many")


@pytest.mark.parametrize("digits", ["9" * 19, "9" * 5_000, "-" + "9" * 30, "0x" + "f" * 17])
@pytest.mark.parametrize("before", ["", "leaf = 'x'\n", "many = [\n{}, {}]\n"])
def test_huge_integer(digits: str, before: str) -> None:
    """An integer beyond 64 bits is refused with its line, even one Python will not convert."""
    error = refusal(f"{before}size = {digits}\none = {{}}")
    assert "does not fit in 64 bits" in str(error)
    assert error.line == before.count("\n") + 1


def test_thousands_of_dots() -> None:
    """A key of thousands of parts costs neither a crash nor a message of that length."""
    error = refusal("a" + ".a" * 5_000 + " = 1")
    assert (error.line, error.key) == (1, "a")
