"""A file is read into its model, or one line says where and how it is wrong."""

from __future__ import annotations

import os
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from spfvar.errors import InputError
from spfvar.toml_input import MAX_FILE_BYTES, load_toml, parse_toml
from spfvar.units import Bytes, Duration


class Strict(BaseModel):
    """What every input model of the project is: no unknown keys."""

    model_config = ConfigDict(extra="forbid")


class Touch(Strict):
    """A member of a tagged union with a key spelt like its tag."""

    kind: Literal["touch"]
    pages: int
    touch: str = ""


class Sleep(Strict):
    """The other member."""

    kind: Literal["sleep"]
    time: Duration


class Group(Strict):
    """One of each kind of field."""

    program: list[Annotated[Touch | Sleep, Field(discriminator="kind")]] = []
    count: Annotated[int, Field(ge=1)] = 1
    size: Bytes | None = None
    lock: Literal["mmap-lock", "per-vma"] = "per-vma"
    pair: tuple[int, int] | None = None
    flags: list[bool] = []
    either: int | list[int] = 0
    shares: dict[str, Group] = {}
    hook: Callable[[], None] = print  # neither its type nor its default has a JSON schema


class Scenario(Strict):
    """A root with a required key and rules beyond the types."""

    title: str
    threads: int = 1
    note: str = ""
    group: list[Group] = []

    @field_validator("note")
    @classmethod
    def plain(cls, note: str) -> str:
        """Refuse as other people's validators do."""
        if "!" in note:
            raise ValueError("no shouting\nplease")
        return note

    @model_validator(mode="after")
    def bounded(self) -> Scenario:
        """Refuse combinations, naming the key to blame."""
        if self.threads > 8 and not self.group:
            raise InputError("too many threads", key="threads", expected="at most 8")
        for index, group in enumerate(self.group):
            if group.count > self.threads:
                raise InputError("more than threads", key=f"group[{index}].count")
        return self


class Open(BaseModel):
    """Takes any document as it is."""

    model_config = ConfigDict(extra="allow")


class Tree(Strict):
    """Nests in every way TOML can write."""

    leaf: str = ""
    size: Bytes = 1
    one: Tree | None = None
    many: list[Tree] = []


def refusal(text: str, model: type[BaseModel] = Scenario) -> InputError:
    """Return the error that `text` is answered with."""
    with pytest.raises(InputError) as caught:
        parse_toml(text, "x.toml", model)
    return caught.value


# --- whatever is given --------------------------------------------------------------------

TOKENS = [*"abx1_-+.=,#\n \t[]{}\"'\\", "[[", "]]", '"""', "'''", "a = ", "1979-05-27 07:32:00"]


@given(st.text(st.characters()) | st.lists(st.sampled_from(TOKENS), max_size=40).map("".join))
def test_any_text(text: str) -> None:
    """A text that tomllib takes becomes the same data; any other one becomes an InputError."""
    found: object
    try:
        expected = tomllib.loads(text) if text.strip() else None
    except ValueError:
        expected = None
    try:
        found = parse_toml(text, "x.toml", Open).model_dump()
    except InputError:
        found = None
    assert found == expected


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """No content of a file leads to another exception, and the error names the file."""
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_toml(path, Scenario)
    assert str(caught.value).startswith(str(path))


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
    error = refusal(text, Tree)
    assert (error.line, error.key) == (text_of(fragments[:index]).count("\n") + 1, wrong.path)
    assert (error.file, error.more, error.suggestion) == ("x.toml", 0, part.name)


# --- what is said -------------------------------------------------------------------------

GROUP = 'title = "t"\n[[group]]\n'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "x.toml: the file is empty; expected a TOML document"),
        (" \n\t", "x.toml: the file is empty; expected a TOML document"),
        ("# only\n", "x.toml:1: title: required key is missing"),
        ("a = 1\0", "x.toml:1: NUL byte in the file; expected UTF-8 text"),
        (
            'titel = "t"',
            "x.toml:1: titel: unknown key; expected one of title, threads, note, group "
            '(did you mean "title"?)',
        ),
        ("title = 1", "x.toml:1: title: found 1; expected a string"),
        ("group = 1\ntitle = 'a'", "x.toml:1: group: found 1; expected an array"),
        ("group = [\n{},\n7]\ntitle = 'a'", "x.toml:3: group[1]: found 7; expected a table"),
        ("title = 't'\nthreads = 9", "x.toml:2: threads: too many threads; expected at most 8"),
        (
            "title = 't'\ngroup = [{},\n{either = 1, count = 2}]",
            "x.toml:3: group[1].count: more than threads",
        ),
        (
            "title = 't'\nthreads = 0\n[[group]]\n[[group]]",
            "x.toml:3: group[0].count: more than threads",
        ),
        ("note = '!'\ntitle = 't'", r"x.toml:1: note: no shouting\nplease"),
        (
            GROUP + "count = 0",
            "x.toml:3: group[0].count: found 0; expected greater than or equal to 1",
        ),
        (GROUP + "count = 1.5", "x.toml:3: group[0].count: found 1.5; expected a valid integer"),
        (
            GROUP + "size = '1MB'",
            'x.toml:3: group[0].size: "1MB" has an unknown unit; expected bytes (4096) or a size '
            'such as "64KiB", "128MiB" or "2GiB" (did you mean "1MiB"?)',
        ),
        (
            GROUP + "lock = 'mmap_lock'",
            'x.toml:3: group[0].lock: found "mmap_lock"; expected one of mmap-lock, per-vma '
            '(did you mean "mmap-lock"?)',
        ),
        (GROUP + "pair = [1]", "x.toml:3: group[0].pair[1]: required element is missing"),
        (
            GROUP + "pair = [1, 2, 3]",
            "x.toml:3: group[0].pair: found an array; expected at most 2 items",
        ),
        (
            GROUP + "flags = [\n true, # 1\n 3,\n 'x']",
            "x.toml:5: group[0].flags[1]: found 3; expected true or false (and 1 more)",
        ),
        (
            GROUP + "either = 'x'",
            'x.toml:3: group[0].either: found "x"; expected a valid integer or an array',
        ),
        (
            GROUP + "[group.shares.'a b'.shares.c]\ncuont = 1",
            'x.toml:4: group[0].shares."a b".shares.c.cuont: unknown key; expected one of '
            "program, count, size, lock, pair, flags, either, shares, hook "
            '(did you mean "count"?)',
        ),
        (
            GROUP + "program = [\n{kind = 'tuch'}]",
            'x.toml:4: group[0].program[0].kind: found "tuch"; expected one of touch, sleep '
            '(did you mean "touch"?)',
        ),
        (
            GROUP + "program = [\n{kind = 'touch', pages = 1},\n{pages = 1}]",
            "x.toml:5: group[0].program[1].kind: required key is missing",
        ),
        (
            GROUP + "program = [\n{kind = 'touch', touch = 'x'}]",
            "x.toml:4: group[0].program[0].pages: required key is missing",
        ),
        (
            GROUP + "[[group.program]]\nkind = 'touch'\ntouch = 1\npages = 1",
            "x.toml:5: group[0].program[0].touch: found 1; expected a string",
        ),
        (
            GROUP + "[[group.program]]\nkind = 'sleep'\ntmie = '5ms'",
            "x.toml:5: group[0].program[0].tmie: unknown key; expected one of kind, time "
            '(did you mean "time"?)',
        ),
        (
            GROUP + "[[group.program]]\nkind = 'sleep'\ntime = 5",
            "x.toml:5: group[0].program[0].time: 5 has no unit; expected a duration such as "
            '"500ns", "100us", "3ms" or "2s"',
        ),
    ],
)
def test_lines(text: str, line: str) -> None:
    """Each kind of fault has its wording: where, what was found, what was expected."""
    assert str(refusal(text)) == line


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [("\ntitle = ]", 2, 9), ("title = 't'\nx\n\n", 2, 2), ("title = ['t',\n\n", 1, 14)],
)
def test_syntax_error(text: str, line: int, column: int) -> None:
    """A syntax error has line and column; one at the end has those of the last line's end."""
    error = refusal(text)
    assert str(error).startswith(f"x.toml:{line}:{column}: invalid TOML: ")


def test_first_in_file_order_and_the_number_of_others() -> None:
    """The fault nearest to the top is told, whatever order the model's fields have."""
    error = refusal("group = [{count = 0}]\nthreads = 'x'\nzzz = 1\ntitle = 1")
    assert (error.line, error.key, error.more) == (1, "group[0].count", 3)


def test_missing_key_is_told_with_its_table() -> None:
    """A missing key has the line of its table's header, and ranks behind faults inside it."""
    text = "[[group]]\n[[group.program]]\nkind = 'touch'\n[[group]]\ncount = 0"
    error = refusal("title = 't'\n" + text)
    assert (error.line, error.key, error.more) == (3, "group[0].program[0].pages", 1)
    error = refusal(text)
    assert (error.line, error.key, error.more) == (2, "group[0].program[0].pages", 2)


def test_table_opened_after_its_subtable() -> None:
    """A table has the line of its own header, though a subtable's header names it earlier."""
    text = "title = 't'\n[group.program]\n[group]\ncount = 1"
    assert (refusal(text).line, refusal(text).key) == (3, "group")


@pytest.mark.parametrize("digits", ["9" * 19, "9" * 5_000, "-" + "9" * 30, "0x" + "f" * 17])
@pytest.mark.parametrize("before", ["", "note = 'x'\n", "group = [\n{}, {}]\n"])
def test_huge_integer(digits: str, before: str) -> None:
    """An integer beyond 64 bits is refused with its line, even one Python will not convert."""
    error = refusal(f"{before}threads = {digits}\ntitle = 't'")
    assert "does not fit in 64 bits" in str(error)
    assert error.line == before.count("\n") + 1


def test_64_bit_integers_are_taken() -> None:
    """The least and the greatest 64-bit integer are no errors."""
    data = {"least": -(1 << 63), "greatest": (1 << 63) - 1}
    text = "".join(f"{key} = {value}\n" for key, value in data.items())
    assert parse_toml(text, "x.toml", Open).model_dump() == data


@pytest.mark.parametrize("text", ["a=" + "[" * 9_000, "a=" + "{a=" * 9_000])
def test_nested_too_deeply(text: str) -> None:
    """Nesting beyond what the interpreter can follow is told, not a RecursionError."""
    assert "nested too deeply" in str(refusal(text))


def test_thousands_of_dots() -> None:
    """A key of thousands of parts costs neither a crash nor a message of that length."""
    error = refusal("a" + ".a" * 5_000 + " = 1")
    assert (error.line, error.key) == (1, "a")


# --- files --------------------------------------------------------------------------------


def test_loads_a_file(tmp_path: Path) -> None:
    """A good file becomes its model, from a path, a string and with a byte order mark."""
    path = tmp_path / "s.toml"
    path.write_bytes(b"\xef\xbb\xbftitle = 't'\r\nthreads = 3\r\n")
    assert load_toml(path, Scenario) == Scenario(title="t", threads=3)
    assert load_toml(str(path), Scenario) == Scenario(title="t", threads=3)


def test_loads_a_resource(tmp_path: Path) -> None:
    """A resource inside an archive is read like a file, and its errors name it."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("good.toml", "title = 't'")
        archive.writestr("bad.toml", "title = 1")
    root = zipfile.Path(tmp_path / "a.zip")
    assert load_toml(root / "good.toml", Scenario).title == "t"
    for name in ("bad.toml", "none.toml", ""):
        with pytest.raises(InputError, match=r"a\.zip/" + name):
            load_toml(root / name, Scenario)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("none.toml", "No such file or directory"),
        (".", "Is a directory"),
        ("", "Is a directory"),
        ("n" * 300, "File name too long"),
        ("a\0b", "embedded null byte"),
        ("/dev/zero", "the file is too large"),
        ("\udcff", "No such file or directory"),
    ],
)
def test_unreadable(name: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that cannot be read is named together with the system's reason."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=why) as caught:
        load_toml(name, Scenario)
    assert caught.value.file


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    """A file without read permission is told as such."""
    path = tmp_path / "s.toml"
    path.touch(0o200)
    with pytest.raises(InputError, match="Permission denied"):
        load_toml(path, Scenario)


def test_not_utf8(tmp_path: Path) -> None:
    """The line of the first byte that is not UTF-8 is told."""
    path = tmp_path / "s.toml"
    path.write_bytes(b"title = 't'\n# caf\xe9\n")
    with pytest.raises(InputError, match=r"s\.toml:2: byte 0xe9 is not UTF-8"):
        load_toml(path, Scenario)


def test_size_limit(tmp_path: Path) -> None:
    """A file of exactly the limit is read, one byte more is refused."""
    path = tmp_path / "s.toml"
    path.write_bytes(b"title = 't' #".ljust(MAX_FILE_BYTES, b"-"))
    assert load_toml(path, Scenario).title == "t"
    path.write_bytes(b"title = 't' #".ljust(MAX_FILE_BYTES + 1, b"-"))
    with pytest.raises(InputError, match="too large; expected at most 1MiB"):
        load_toml(path, Scenario)
