"""spfvar new."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spfvar.cli import terminal
from spfvar.cli.command import Group
from spfvar.errors import InputError

if TYPE_CHECKING:
    from spfvar.plugins.registry import Registry
    from spfvar.scaffold.plans import Base, Plan

directory_option = click.option(
    "--directory", default=".", metavar="DIR", help="Write there.  [default: the current one]"
)
on_option = click.option(
    "--on",
    "base",
    metavar="VARIANT",
    help="Stack the patch on that variant's, or on a series' stack.  [default: the unpatched kernel]",
)


@click.group(name="new", cls=Group)
def command() -> None:
    """Write a variant, a load, a race or a package to start from; no file that exists is touched.

    \b
    Examples:
      spfvar new variant my-idea                    my_idea.py, its test, README
      spfvar new variant my-idea --on per-vma-6.12  on top of its patches
      spfvar new variant my-idea --from-patch 1.patch  a draft of that patch
      spfvar new scenario my-load                   scenarios/my-load.toml
      spfvar new race my-race                       races/my-race.toml
      spfvar new package my-idea                    an installable project
    """


@command.command(short_help="A plugin file with a variant, its test, and a README.")
@click.argument("name")
@on_option
@click.option("--from-patch", "patch_file", metavar="FILE|-", help="Draft it from a mail, an mbox or a diff.")
@directory_option
def variant(name: str, base: str | None, patch_file: str | None, directory: str) -> None:
    """A plugin file with a variant of one patch, its test, and a README.

    With --from-patch the file is a draft of that patch: what its hunks do to functions that are hook points,
    as far as a table of words knows the C.  What it does not know is a TODO that runs: an unknown test comes
    out either way, an unknown statement does nothing.  The patch is only read.

    \b
    Examples:
      spfvar new variant my-idea
      spfvar new variant my-idea --on spf-do-fault --directory ideas
      spfvar new variant my-idea --from-patch 0024.patch --on spf@23
      b4 am -o- MESSAGE-ID | spfvar new variant my-idea --from-patch -

    Exit codes: 0 written; 2 bad input, or nothing of the patch is in the model.
    """
    from spfvar.plugins.registry import load_registry
    from spfvar.scaffold import plans

    registry = load_registry()
    found = plans.find_base(registry, base) if base is not None else None
    if patch_file is not None:
        _draft(name, patch_file, found, directory, registry)
        return
    _write(directory, lambda folder: plans.variant(name, found, folder, registry))


@command.command(short_help="An installable project with a variant, tests and CI.")
@click.argument("name")
@on_option
@directory_option
def package(name: str, base: str | None, directory: str) -> None:
    """An installable project: pyproject.toml with the entry point, the variant, tests, CI.

    \b
    Example:
      spfvar new package my-idea && cd my-idea
    """
    from spfvar.plugins.registry import load_registry
    from spfvar.scaffold import plans

    registry = load_registry()
    found = plans.find_base(registry, base) if base is not None else None
    _write(directory, lambda folder: plans.package(name, found, folder, registry))


@command.command(short_help="A load, in scenarios/NAME.toml.")
@click.argument("name")
@directory_option
def scenario(name: str, directory: str) -> None:
    """A load: scenarios/NAME.toml, where spfvar looks for it.

    \b
    Example:
      spfvar new scenario my-load && spfvar compare --scenario my-load
    """
    from spfvar.plugins.registry import load_registry
    from spfvar.scaffold import plans

    registry = load_registry()
    _write(directory, lambda folder: plans.scenario(name, folder, registry))


@command.command(short_help="A race, in races/NAME.toml.")
@click.argument("name")
@directory_option
def race(name: str, directory: str) -> None:
    """A race: races/NAME.toml, where spfvar looks for it.

    \b
    Example:
      spfvar new race my-race && spfvar check --race my-race
    """
    from spfvar.plugins.registry import load_registry
    from spfvar.scaffold import plans

    registry = load_registry()
    _write(directory, lambda folder: plans.race(name, folder, registry))


def _draft(name: str, file: str, base: Base | None, directory: str, registry: Registry) -> None:
    from spfvar.cli.report import patches_in
    from spfvar.draft.plan import draft

    made = draft(name, patches_in(file), file, base, _folder(directory), registry)
    for line in made.told:
        terminal.say(line)
    _put(made.plan)


def _write(directory: str, plan: Callable[[Path], Plan]) -> None:
    _put(plan(_folder(directory)), "\n")


def _folder(directory: str) -> Path:
    folder = Path(directory)
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise InputError("is no directory", file=directory, key="--directory")
    return folder


def _put(found: Plan, before: str = "") -> None:
    from spfvar.scaffold.files import write_new

    write_new(found.files)
    for path in found.files:
        terminal.say(f"wrote {path}")
    terminal.say(before + "\n".join(found.next))
