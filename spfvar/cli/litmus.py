"""spfvar litmus."""

from __future__ import annotations

import json
import sys

import click

from spfvar.atomic import check_writable
from spfvar.cli import completing, terminal
from spfvar.cli.bounds import bound_options, search_options
from spfvar.cli.command import Command
from spfvar.cli.options import format_option, output_option
from spfvar.errors import InputError

#: Exit code if a verdict contradicts the header of its test.
DIFFERS = 1
#: Exit code if nothing differs, but some test has no definite verdict.
INCOMPLETE = 3


@click.command(name="litmus", cls=Command)
@click.argument("files", nargs=-1, metavar="[FILE]...", shell_complete=completing.files)
@click.option("--suite", metavar="DIR", help="Every *.litmus below a directory too.")
@bound_options
@format_option(("table", "json"))
@output_option
def command(
    files: tuple[str, ...], suite: str | None, max_states: int, memory: str | None, timeout: str | None,
    form: str, output: str | None,
) -> int:  # fmt: skip
    """Run litmus tests of the kernel's memory model through spfvar's own explorer.

    Tests are in the C format of the kernel's tools/memory-model.  The verdict is never, sometimes or
    always, as herd7 prints it; unordered or incomplete, if the model met what it does not have; or
    unsupported.  A "Result:" in a test's comment is compared with it.
    docs/weak-memory.md says what the model covers.

    \b
    Examples:
      spfvar litmus MP+wmb+rmb.litmus
      spfvar litmus --suite tools/memory-model/litmus-tests
      spfvar litmus --suite tests --format json

    Exit codes: 0 every verdict is definite and none contradicts its header; 1 some does; 3 none does, but
    some are not definite; 2 bad input.
    """
    from spfvar.litmus.suite import DEFINITE, files_of, run_file, table

    if output is not None:
        check_writable(output)
    bounds = search_options(max_states, memory, timeout)
    every = [*files, *(files_of(suite) if suite is not None else [])]
    if not every:
        raise InputError("no litmus test given", key="litmus", expected="files, or --suite DIR")
    results = []
    for number, file in enumerate(every):
        if sys.stderr.isatty():
            terminal.progress(f"{number} of {len(every)}: {file}")
        results.append(run_file(file, bounds))
    if sys.stderr.isatty():
        terminal.progress()
    if form == "json":
        text = json.dumps([result.as_dict() for result in results], indent=2) + "\n"
    else:
        text = table(results)
    terminal.place(output, form).put(text)
    if any(result.differs for result in results):
        return DIFFERS
    return 0 if all(result.judged.verdict in DEFINITE for result in results) else INCOMPLETE
