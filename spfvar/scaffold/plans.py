"""What is written for each kind of thing: templates, where they go, and what to do with them next."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from spfvar.errors import InputError
from spfvar.plugins.registry import Registry
from spfvar.plugins.series import repaired_name, split_name
from spfvar.scaffold.names import check_name, module_name

README = "README.md"
#: Names that the written module imports: its class needs another one.
_IMPORTED = ("Any", "Event", "Generator", "Mapping", "Register", "Steps", "Variant", "VmFault")


@dataclass(frozen=True, slots=True)
class Plan:
    """Files to be written, and lines that tell the reader what to do next; both in order."""

    files: dict[Path, str]
    next: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Base:
    """A variant to stack on, and the module whose VARIANTS it is in, or whose SERIES has its ``series``.

    ``posted``: it is the form without repairs of the variant of that name.
    """

    name: str
    module: str
    series: str = ""
    posted: str = ""

    @property
    def imported(self) -> str:
        """What is imported from the module."""
        return "SERIES as STACKS" if self.series else "VARIANTS as BASES"

    @property
    def expression(self) -> str:
        """The variant in Python."""
        if self.series:
            return f'next(one for one in STACKS if one.name == "{self.series}").variant("{self.name}")'
        found = f'next(variant for variant in BASES if variant.name == "{self.posted or self.name}")'
        return f'{found}.as_posted("{self.name}")' if self.posted else found


def find_base(registry: Registry, name: str) -> Base:
    """The variant to stack on.  InputError, with the nearest name, if there is none."""
    origin = registry[name].origin
    if origin.endswith(".py"):
        raise InputError(
            f"{name} comes from the file {origin}, which no other module can import", key="--on",
            expected="a variant of spfvar or of an installed package",
        )  # fmt: skip
    module = str(getattr(registry.modules[origin], "__name__", origin))
    if name in registry.variants:
        return Base(name, module)
    series = split_name(name)[0]
    return (
        Base(name, module, series)
        if series in registry.series
        else Base(name, module, "", repaired_name(name) or "")
    )


def variant(name: str, base: Base | None, directory: Path, registry: Registry) -> Plan:
    """A plugin file with one patch, its test, and a README unless there is one."""
    check_name(name, registry)
    module = module_name(name)
    file = f"{module}.py"
    values = _values(name, module, base) | {"plugin": file}
    files = {
        directory / file: render("variant.py", **values),
        directory / f"test_{file}": render("test_variant.py", **values),
    }
    readme = directory / README
    notes: list[str] = []
    if os.path.exists(readme):
        notes = [
            f"{readme} is left as it is; a line for it:",
            *render("readme_line.md", **values).splitlines(),
            "",
        ]
    else:
        files[readme] = render("readme_variant.md", **values)
    steps = (
        (f"edit {file}", "spfvar list hooks: what a patch can override"),
        (f"spfvar compare {name} --plugin {file} --scenario pft", ""),
        (f"spfvar check {name} --plugin {file}", "every race"),
        (f"python -m pytest test_{file}", "the conformance kit too"),
    )
    return Plan(files, (*notes, *next_steps(directory, steps)))


def package(name: str, base: Base | None, directory: Path, registry: Registry) -> Plan:
    """An installable project in a folder of its own."""
    check_name(name, registry)
    module = module_name(name)
    root = directory / name
    if os.path.exists(root):
        raise InputError("is there already, so nothing was written", file=str(root), expected="another name")
    values = _values(name, module, base) | {"plugin": module}
    sources = {
        "pyproject.toml": "pyproject.toml",
        README: "readme_package.md",
        ".gitignore": "gitignore",
        ".github/workflows/ci.yml": "ci.yml",
        f"src/{module}/__init__.py": "variant.py",
        f"src/{module}/py.typed": "py.typed",
        f"tests/test_{module}.py": "test_variant.py",
        "tests/test_entry_point.py": "test_entry_point.py",
    }
    files = {root / target: render(template, **values) for target, template in sources.items()}
    steps = (
        ("python -m pip install --editable '.[test]'", "beside spfvar"),
        ("python -m pytest", "the conformance kit too"),
        (f"spfvar compare {name} --scenario pft", "found without --plugin"),
        (f"edit src/{module}/__init__.py", "spfvar list hooks: what a patch can override"),
    )
    return Plan(files, next_steps(root, steps))


def scenario(name: str, directory: Path, registry: Registry) -> Plan:
    """A load."""
    check_name(name, registry)
    file = f"scenarios/{name}.toml"
    steps = (
        (f"edit {file}", "regions, threads and what they do"),
        (f"spfvar show {name}", "what it means, in words"),
        (f"spfvar compare --scenario {name}", "every variant, on this load"),
    )
    return Plan({directory / file: render("scenario.toml", name=name)}, next_steps(directory, steps))


def race(name: str, directory: Path, registry: Registry) -> Plan:
    """A race."""
    check_name(name, registry)
    file = f"races/{name}.toml"
    steps = (
        (f"edit {file}", "memory, actors, what has to happen"),
        (f"spfvar show {name}", "what it means, in words"),
        (f"spfvar check --race {name}", "every variant, in this race"),
    )
    return Plan({directory / file: render("race.toml", name=name)}, next_steps(directory, steps))


def render(template: str, **values: object) -> str:
    """Fill in a template by its name without ``.jinja``."""
    return str(_environment().get_template(f"{template}.jinja").render(**values))


@cache
def _environment() -> Any:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("spfvar.scaffold"), undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip


def class_name(name: str) -> str:
    """The class of a variant's own patch."""
    patch = "".join(word.capitalize() for word in name.split("-"))
    return f"{patch}Patch" if patch in _IMPORTED else patch


def _values(name: str, module: str, base: Base | None) -> dict[str, object]:
    patch = class_name(name)
    return {"name": name, "module": module, "patch": patch, "event": f"{module}_write", "base": base}


def next_steps(directory: Path, steps: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """What to do next, as lines: commands, each with what it is for."""
    return ("Next:", *(f"  {line}" for line in _lines(directory, steps)))


def _lines(directory: Path, steps: tuple[tuple[str, str], ...]) -> Iterator[str]:
    """Commands with what they are for."""
    if directory != Path():
        yield f"cd {shlex.quote(str(directory))}"
    for command, purpose in steps:
        yield f"{command}  # {purpose}" if purpose else command
