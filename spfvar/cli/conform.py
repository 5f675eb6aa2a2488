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
    from collections.abc import Callable

    from spfvar.kernel.conform import Conformity, Recording
    from spfvar.plugins.registry import Registry
    from spfvar.plugins.variant import Variant

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
    text, both sides are told.  Without a variant every design is compared: which is it that the kernel has?
    docs/conform.md says how to read it, and how to record.

    \b
    Examples:
      spfvar conform per-vma-6.12
      spfvar conform my-idea --plugin my_idea.py --kernel 6.12.117
      spfvar conform per-vma-6.12 --mutants
      spfvar conform --trace recording --kernel 6.12     which design is it?
      spfvar conform per-vma-6.12 --boot linux-image-6.12.deb --save mine.json
      spfvar conform --print-tracer > tracer.sh
      spfvar conform my-idea --plugin my_idea.py --trace recording --kernel 6.12

    Exit codes: 0 every recorded fault is a path (without a variant: of one design at least); 1 some are not;
    2 bad input; 3 all are, but nothing of the variant's own was ever seen; 4 the booted kernel did not come
    to its end.
    """
    from spfvar.kernel.fixtures import render as render_recording

    if print_tracer:
        from spfvar.kernel.boot import tracer_script

        terminal.place(output, form).put(tracer_script())
        return 0
    _check(variant, {"--kernel": kernel, "--trace": trace, "--boot": boot}, vmlinux, mutants)
    for path in (output, save):
        if path is not None:
            check_writable(path)
    registry = load(plugins)
    chosen = registry.any_variant(variant) if variant is not None else None
    tell_problems(registry)
    recording = _recording(chosen, kernel, trace, boot)
    if save is not None:
        write_atomically(save, render_recording(recording))
    line = reproduce(sys.argv[1:])
    if chosen is None:
        text, code = _designs(registry, recording, form, line)
    elif mutants:
        text, code = _mutants(chosen, recording, form, line), 0
    else:
        text, code = _one(registry, chosen, recording, vmlinux, form, line)
    terminal.place(output, form).put(text)
    return exit_code(code, registry.problems)


def _check(variant: str | None, recorded: dict[str, str | None], vmlinux: str | None, mutants: bool) -> None:
    """Without a variant there has to be a recording, and nothing that is about one text."""
    if variant is not None:
        return
    if not any(recorded.values()):
        raise InputError(
            "no variant given", key="conform",
            expected=f"a variant, or {', '.join(recorded)} to compare every design, or --print-tracer",
        )  # fmt: skip
    for option, given in (("--vmlinux", vmlinux), ("--mutants", mutants)):
        if given:
            raise InputError("every design is compared, not one text", key=option, expected="a variant")


def _one(
    registry: Registry, variant: Variant, recording: Recording, vmlinux: str | None, form: str, line: str
) -> tuple[str, int]:
    """One design, with those of recorded kernels if it is not the one: the text, and the exit code."""
    from spfvar.kernel.conform import conform
    from spfvar.kernel.symbols import Vmlinux
    from spfvar.kernel.which import beside, of_recorded_kernels
    from spfvar.render import drift

    found = conform(variant, recording, Vmlinux(vmlinux).line_of) if vmlinux else conform(variant, recording)
    others: tuple[Conformity, ...] = ()
    if found.drift or found.unseen:
        designs = of_recorded_kernels(registry.variants.values())
        others = beside([one for one in designs if one.name != variant.name], recording, _progress("designs"))
    return drift.render(found, form, line, others), _code(found)


def _designs(registry: Registry, recording: Recording, form: str, line: str) -> tuple[str, int]:
    """Every design: the text, and the exit code of the best."""
    from spfvar.kernel.which import beside
    from spfvar.render import drift

    found = beside(list(registry.variants.values()), recording, _progress("designs"))
    return drift.render_designs(found, form, line), _code(found[0])


def _mutants(variant: Variant, recording: Recording, form: str, line: str) -> str:
    from spfvar.kernel.mutants import try_mutants
    from spfvar.render import drift

    return drift.render_mutants(try_mutants(variant, recording, _progress("mutants")), form, line)


def _code(found: Conformity) -> int:
    return DRIFT if found.drift else UNSEEN if found.unseen else 0


def _recording(variant: Variant | None, kernel: str | None, trace: str | None, boot: str | None) -> Recording:
    from spfvar.kernel.fixtures import release_of, releases, shipped

    if trace is not None and boot is not None:
        raise InputError("a recording is given, and one is to be made", key="--boot", expected="one of both")
    if boot is not None:
        return _boot(boot)
    if trace is not None:
        return _read(trace, kernel)
    release = kernel or (release_of(variant.kernel) if variant is not None else None)
    if release is None:
        assert variant is not None
        raise InputError(
            f"{variant.name} is made for {variant.kernel}, which nobody has recorded", key="--kernel",
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

    table = letters_for(kernel, key="--kernel")
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


def _progress(what: str) -> Callable[[int, int], None]:
    def told(done: int, total: int) -> None:
        if sys.stderr.isatty():
            terminal.progress(f"{what} {done}/{total}" if done < total else "")

    return told
