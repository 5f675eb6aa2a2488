"""spfvar audit."""

from __future__ import annotations

import sys

import click

from spfvar.atomic import check_writable
from spfvar.cli import completing, terminal
from spfvar.cli.command import Command
from spfvar.cli.options import format_option, output_option, plugin_option, reproduce
from spfvar.cli.plugins import exit_code, load, tell_problems
from spfvar.errors import InputError

#: Exit code: a difference without an exception, an exception without use, or C that could not be read.
DIFFERENCE = 1


@click.command(name="audit", cls=Command)
@click.argument("variant", required=False, shell_complete=completing.checkable)
@click.option("--tree", metavar="DIR", help="A kernel's source tree.")
@click.option(
    "--kernel",
    metavar="RELEASE",
    help="Whose words and exceptions hold; default: the one that the variant names.",
)
@click.option(
    "--function", "functions", metavar="F", multiple=True, help="Only this function; may be repeated."
)
@click.option("--exceptions", is_flag=True, help="Tell the exceptions that hold, too, each with its reason.")
@click.option(
    "--between",
    nargs=2,
    metavar="TREE1 TREE2",
    help="Which texts does a new release touch? Without a variant.",
)
@format_option(("table", "markdown", "json"))
@output_option
@plugin_option
def command(
    variant: str | None, tree: str | None, kernel: str | None, functions: tuple[str, ...], exceptions: bool,
    between: tuple[str, str] | None, form: str, output: str | None, plugins: tuple[str, ...],
) -> int:  # fmt: skip
    """Is a variant's text what a kernel's C says, function by function?

    The C of a source tree, as it lies there, is read into graphs of the model's primitives, and compared with
    the text of each hook point, in both directions: the shortest path that one side has and the other lacks.
    Tests that no recording shows come first. What texts leave out is excepted by name, with a reason, and
    has to be needed. docs/audit.md says how to read a difference. Needs tree-sitter:
    pip install 'spfvar[audit]'.

    \b
    Examples:
      spfvar audit per-vma-6.12 --tree ~/linux-6.12
      spfvar audit mmap-lock-6.1 --tree ~/linux-6.1 --function wp_page_copy
      spfvar audit my-idea --plugin my_idea.py --tree ~/linux --kernel 6.12
      spfvar audit per-vma-6.12 --tree ~/linux-6.12 --exceptions --format markdown
      spfvar audit --between ~/linux-6.12 ~/linux-6.13 --kernel 6.12

    Exit codes: 0 no difference but what is excepted; 1 a difference, an exception that is not needed, or C
    that could not be read; 2 bad input.
    """
    if output is not None:
        check_writable(output)
    if between is not None:
        ignored = {"--tree": tree, "--function": functions, "--exceptions": exceptions, "--plugin": plugins}
        for option, given in ignored.items():
            if given:
                raise InputError(
                    "two trees are compared, not a variant",
                    key=option,
                    expected="--between TREE1 TREE2 and --kernel",
                )
        return _between(between, variant, kernel, form, output)
    if variant is None:
        raise InputError("no variant given", key="audit", expected="a variant, or --between TREE1 TREE2")
    if tree is None:
        raise InputError("no source tree given", key="--tree", expected="the directory of a kernel's source")
    from spfvar.csource.audit import audit
    from spfvar.render import audited

    registry = load(plugins)
    chosen = registry.any_variant(variant)
    tell_problems(registry)
    try:
        found = audit(chosen, tree, kernel, functions, _progress)
    finally:
        _progress(1, 1)
    terminal.place(output, form).put(audited.render(found, form, reproduce(sys.argv[1:]), exceptions))
    return exit_code(0 if found.agrees else DIFFERENCE, registry.problems)


def _between(
    trees: tuple[str, str], variant: str | None, kernel: str | None, form: str, output: str | None
) -> int:
    if variant is not None:
        raise InputError("two trees are compared, not a variant", key="--between", expected="no variant")
    if kernel is None:
        raise InputError("whose words?", key="--kernel", expected="a release that has some, such as 6.12")
    from spfvar.csource.between import between
    from spfvar.render import audited

    try:
        found = between(*trees, kernel, _progress)
    finally:
        _progress(1, 1)
    terminal.place(output, form).put(audited.render_between(found, form, reproduce(sys.argv[1:])))
    return DIFFERENCE if found.touched or found.unread else 0


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        terminal.progress(f"functions {done}/{total}" if done < total else "")
