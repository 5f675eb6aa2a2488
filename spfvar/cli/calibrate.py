"""spfvar calibrate."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spfvar.atomic import check_writable, write_atomically
from spfvar.cli import completing, terminal
from spfvar.cli.command import Command
from spfvar.cli.options import PROGRAM, blame, reproduce
from spfvar.errors import InputError, reason
from spfvar.matrix import catalogue

if TYPE_CHECKING:
    from spfvar.calibration.measurements import Measurements

#: What names a profile, and its file.
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,60}")


@click.command(name="calibrate", cls=Command)
@click.argument("name", required=False)
@click.option(
    "-o",
    "--output",
    metavar="FILE.toml",
    shell_complete=completing.files,
    help="Write the profile there.  [default: ~/.config/spfvar/hardware/NAME.toml]",
)
@click.option(
    "--design",
    metavar="VARIANT",
    shell_complete=completing.variants,
    help="What this kernel's faults are.  [default: by its version]",
)
@click.option(
    "--save",
    metavar="FILE.json",
    shell_complete=completing.files,
    help="Keep what was measured, for --load.",
)
@click.option(
    "--load",
    "saved",
    metavar="FILE.json",
    shell_complete=completing.files,
    help="Fit what was measured before, or on another host, instead of measuring.",
)
@click.option("--force", is_flag=True, help="Take the place of a profile that is there.")
def command(
    name: str | None, output: str | None, design: str | None, save: str | None, saved: str | None, force: bool
) -> int:
    """Measure this host, and write a hardware profile of it, called NAME, with its draws.

    Real page faults by threads and kinds, beside maps and unmaps of others; cache lines between cores,
    wake-ups, system calls, flushes, memory.  A small C program measures, which is built with cc; without a
    compiler Python measures what it can.  A profile is fitted to that, and the command says how well it
    reproduces this kernel.  It needs no privileges and takes a minute, best on an idle host.

    \b
    Examples:
      spfvar calibrate
      spfvar calibrate build-host && spfvar compare --hardware build-host
      spfvar calibrate -o here.toml --save here.json
      spfvar calibrate server --load server.json   fit what was measured elsewhere

    Exit codes: 0 done; 1 this host cannot be measured; 2 bad input; 130 interrupted.
    """
    if saved is not None and save is not None:
        raise InputError("has no use beside --load, which measures nothing", key="--save")
    if name is not None and output is not None:
        raise InputError(f"{name} and -o {output}: a file is named as its profile", key="NAME",
                         expected="one of them")  # fmt: skip
    for path in (output, save):
        if path is not None:
            check_writable(path)
    place = _place(name, output, force) if name is not None or output is not None else None
    if output is None:
        _check_folder(catalogue.user_folder("hardware"))
    from spfvar.calibration.design import design_of
    from spfvar.calibration.document import check, profile_text, summary
    from spfvar.calibration.fit import Model, fit, start_of
    from spfvar.calibration.measurements import load_measurements
    from spfvar.matrix.plan import DEFAULT_HARDWARE
    from spfvar.plugins.registry import load_registry

    registry = load_registry()
    chosen = registry[design] if design is not None else None
    if saved is not None:
        measured = load_measurements(saved)
    else:
        measured = _measured()
        if save is not None:
            write_atomically(save, measured.text())
    if place is None:
        place = _place(_named(measured), None, force)
    variant = chosen or design_of(registry, measured.host.kernel)
    known, shipped = catalogue.scenarios(), catalogue.hardware()[DEFAULT_HARDWARE]
    with blame("--load"):
        scenarios = {rate.load: known[rate.load] for rate in measured.rates}
    with _no_machine(saved), _Line("fitting") as told:
        model = Model(variant, scenarios, measured.rates)
        fitted = fit(start_of(measured, shipped), measured.rates, model.of, progress=told.of)
        text = profile_text(fitted, measured, variant, DEFAULT_HARDWARE, reproduce(sys.argv[1:]))
        check(text)
    _make_folder(place.parent)
    write_atomically(str(place), text)
    terminal.say(summary(fitted, measured, variant), newline=False)
    use = str(place) if output is not None else place.stem
    terminal.say(f"\nWritten: {place}\nUse it: {PROGRAM} compare --hardware {use}")
    return 0


def _measured() -> Measurements:
    """Of this host, by the C program or without it."""
    from spfvar.calibration.campaign import measure
    from spfvar.calibration.host import places, this_host
    from spfvar.calibration.probe import Probe, ProbeError, compiled, interpreted

    cpus = places()
    this_host(cpus)  # refuse before anything is built
    with tempfile.TemporaryDirectory(prefix="spfvar-") as folder, _Line("measuring") as told:
        probe: Probe
        why_not = ""
        try:
            probe = compiled(Path(folder))
        except ProbeError as error:
            why_not = str(error)
            terminal.say(f"{PROGRAM}: {why_not}: measuring what Python can", error=True)
            probe = interpreted
        return measure(cpus, probe, why_not, lambda what, done, total: told.of(done, total, what))


def _named(measured: Measurements) -> str:
    """A name for who gave none: the CPU's model, and how many there are."""
    words = re.findall(r"[a-z0-9]+", re.sub(r"\(.*?\)|@.*", "", measured.host.title.lower()))
    return "-".join([*words[:3], f"{measured.host.cpus}c"])


def _place(name: str | None, output: str | None, force: bool) -> Path:
    """The file to write.  Raises InputError for a bad name, and for a file that is there."""
    path = Path(output) if output is not None else catalogue.user_folder("hardware") / f"{name}.toml"
    if path.suffix != ".toml" or not _NAME.fullmatch(path.stem):
        raise InputError(
            f"{path.name!r} is no name of a profile", key="NAME" if output is None else "--output",
            expected="small letters, digits, '-', '.' and '_', as in build-host",
        )  # fmt: skip
    known = catalogue.hardware()
    if path.stem in known.names() and known.is_shipped(path.stem):
        raise InputError(f"{path.stem} is a profile that came with {PROGRAM}", key="NAME", expected="another")
    if os.path.lexists(path) and not force:
        raise InputError("is there already", file=str(path), expected="another name, or --force")
    return path


@contextmanager
def _no_machine(saved: str | None) -> Iterator[None]:
    """What no profile may be is an error of the measurements, ``saved`` or of this host."""
    from pydantic import ValidationError

    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"these measurements give no machine: {first['msg']}", file=saved,
            key=".".join(map(str, first["loc"])) or None,
        ) from error  # fmt: skip
    except InputError as error:
        raise error.located(file=error.file or saved) from error


def _check_folder(folder: Path) -> None:
    """Raise InputError now if the folder is none and could not be made later; nothing is made."""
    there = next(one for one in (folder, *folder.parents) if os.path.lexists(one))
    try:
        check_writable(there / "profile.toml")
    except InputError as error:
        raise error.located(file=str(folder)) from error


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder: {reason(error)}", file=str(folder)) from error


class _Line:
    """What is being done, how much of it, and for how long; on a terminal only."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._began = time.monotonic()
        self._shown = sys.stderr.isatty()

    def __enter__(self) -> _Line:
        if self._shown:
            terminal.progress(self._what)
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            terminal.progress()

    def of(self, done: int, total: int, what: str = "") -> None:
        """So much is done."""
        if self._shown:
            seconds = time.monotonic() - self._began
            terminal.progress(f"{self._what} {done}/{total}  {seconds:.0f} s  {what}")
