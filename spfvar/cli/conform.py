"""spfvar conform."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spfvar.atomic import check_writable, write_atomically
from spfvar.cli import completing, terminal
from spfvar.cli.command import Command
from spfvar.cli.options import format_option, output_option, plugin_option, reproduce
from spfvar.cli.plugins import exit_code, load, tell_problems
from spfvar.errors import InputError

if TYPE_CHECKING:  # completion must not wait for the model
    from spfvar.kernel.conform import Recording

#: Exit codes: a recorded fault is no path; a design's own steps were never seen.
DRIFT, UNSEEN = 1, 3


@click.command(name="conform", cls=Command)
@click.argument("variant", required=False, shell_complete=completing.checkable)
@click.option(
    "--kernel", metavar="RELEASE", help="The recorded kernel; default: the one that the variant names."
)
@click.option("--trace", metavar="FILE", help="Another recording, that the script of --print-tracer made.")
@click.option("--boot", metavar="DEB", help="Record anew: boot a package linux-image-*.deb in QEMU.")
@click.option("--save", metavar="FILE", help="Keep the recording, as letters; --trace reads it again.")
@click.option("--vmlinux", metavar="FILE", help="The kernel with debug information: says source lines.")
@click.option("--print-tracer", is_flag=True, help="Print the script that records on a machine of your own.")
@click.option("--mutants", is_flag=True, help="How much of the text would this recording notice?")
@format_option(("table", "json"))
@output_option
@plugin_option
def command(
    variant: str | None, kernel: str | None, trace: str | None, boot: str | None, save: str | None,
    vmlinux: str | None, print_tracer: bool, mutants: bool, form: str, output: str | None,
    plugins: tuple[str, ...],
) -> int:  # fmt: skip
    """Are the faults of a booted kernel paths of a variant's text?

    Function tracer and kprobes have recorded what kernels do with every kind of fault.  Each recorded fault
    is, or is not, a path of the variant's automaton, as far as that kernel shows it.  Where one leaves the
    text, both sides are told.  docs/conform.md says how to read it, and how to record.

    \b
    Examples:
      spfvar conform per-vma-6.12
      spfvar conform my-idea --plugin my_idea.py --kernel 6.12.117
      spfvar conform per-vma-6.12 --mutants
      spfvar conform per-vma-6.12 --boot linux-image-6.12.deb --save mine.json
      spfvar conform --print-tracer > tracer.sh
      spfvar conform my-idea --plugin my_idea.py --trace recording --kernel 6.12

    Exit codes: 0 every recorded fault is a path; 1 some are not; 2 bad input; 3 all are, but nothing of the
    variant's own was ever seen; 4 the booted kernel did not come to its end.
    """
    from spfvar.kernel.conform import conform
    from spfvar.kernel.fixtures import render as render_recording
    from spfvar.kernel.mutants import try_mutants
    from spfvar.kernel.symbols import Vmlinux
    from spfvar.render import drift

    if print_tracer:
        from spfvar.kernel.boot import tracer_script

        terminal.place(output, form).put(tracer_script())
        return 0
    if variant is None:
        raise InputError("no variant given", key="conform", expected="a variant, or --print-tracer")
    for path in (output, save):
        if path is not None:
            check_writable(path)
    registry = load(plugins)
    chosen = registry.any_variant(variant)
    tell_problems(registry)
    recording = _recording(chosen.kernel, variant, kernel, trace, boot)
    if save is not None:
        write_atomically(save, render_recording(recording))
    line = reproduce(sys.argv[1:])
    if mutants:
        tried = try_mutants(chosen, recording, _progress)
        terminal.place(output, form).put(drift.render_mutants(tried, form, line))
        return exit_code(0, registry.problems)
    found = conform(chosen, recording, Vmlinux(vmlinux).line_of) if vmlinux else conform(chosen, recording)
    terminal.place(output, form).put(drift.render(found, form, line))
    code = DRIFT if found.drift else UNSEEN if found.unseen else 0
    return exit_code(code, registry.problems)


def _recording(
    made_for: str, variant: str, kernel: str | None, trace: str | None, boot: str | None
) -> Recording:
    from spfvar.kernel.fixtures import release_of, releases, shipped

    if trace is not None and boot is not None:
        raise InputError("a recording is given, and one is to be made", key="--boot", expected="one of both")
    if boot is not None:
        return _boot(boot)
    if trace is not None:
        return _read(trace, kernel)
    release = kernel or release_of(made_for)
    if release is None:
        raise InputError(
            f"{variant} is made for {made_for}, which nobody has recorded", key="--kernel",
            expected=f"one of {', '.join(releases())}, or --trace or --boot",
        )  # fmt: skip
    return shipped(release)


def _read(trace: str, kernel: str | None) -> Recording:
    from spfvar.kernel.fixtures import parse
    from spfvar.reading import read_file

    text = read_file(trace, MAX_RECORDING).decode("utf-8", errors="replace")
    if text.startswith("{"):
        return parse(text, trace)
    if kernel is None:
        raise InputError(
            "a trace does not say which kernel it is of",
            key="--trace",
            expected="--kernel RELEASE, such as 6.12.117",
        )
    return _make(text, kernel, trace)


#: Bytes of a recording: two CPUs' buffers of 64 MB each, as text.
MAX_RECORDING = 1 << 29


def _make(text: str, kernel: str, file: str) -> Recording:
    from spfvar.kernel.conform import make_recording
    from spfvar.kernel.layouts import as_graph
    from spfvar.kernel.letters import LOCK_PROBES, RCU_PROBES, letters_for
    from spfvar.kernel.recording import events, segments

    table = letters_for(kernel)
    lines = as_graph(text.splitlines(), frozenset({*LOCK_PROBES, *RCU_PROBES}), file)
    recorded = segments(events(lines, file), table.fault_roots, table.user_roots)
    return make_recording(kernel, table, recorded, file)


def _boot(package: str) -> Recording:
    from spfvar.kernel.boot import record

    try:
        done = record(Path(package), told=_told)
    finally:
        terminal.progress()
    for line in done.said.splitlines():
        terminal.say(f"recording: {line}", error=True)
    return _make(done.trace, done.kernel, package)


def _told(what: str) -> None:
    if sys.stderr.isatty():
        terminal.progress(what)


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        terminal.progress(f"mutants {done}/{total}" if done < total else "")
