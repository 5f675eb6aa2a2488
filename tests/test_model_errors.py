"""Each fault that pydantic finds is told by key, in the project's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from spfvar.errors import InputError
from spfvar.model_errors import explain
from spfvar.toml_input import parse_toml
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


def refusal(text: str, model: type[BaseModel] = Scenario) -> InputError:
    """Return the error that `text` is answered with."""
    with pytest.raises(InputError) as caught:
        parse_toml(text, "x.toml", model)
    return caught.value


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


def test_a_document_without_places() -> None:
    """What no scanner has walked, such as JSON, is told by key alone, the first fault first."""
    data = {"title": "t", "threads": "many", "group": [{}, {"cuont": 1}]}
    with pytest.raises(ValidationError) as caught:
        Scenario.model_validate(data)
    error, offset = explain(caught.value, data, Scenario)
    assert (error.key, error.more, offset) == ("threads", 1, 0)
    assert str(error) == 'threads: found "many"; expected a valid integer (and 1 more)'
