"""spfvar watch."""

from __future__ import annotations

import hashlib
import math
import multiprocessing
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spfvar.cli import completing, terminal
from spfvar.cli.command import Command
from spfvar.cli.options import hardware_option, jobs_option, race_option
from spfvar.cli.storing import no_store_option
from spfvar.errors import InputError
from spfvar.matrix import catalogue

if TYPE_CHECKING:  # the explorer and the simulator belong to the process that looks
    from spfvar.matrix.look import Broken, Measured, Searched, Seen, Wanted

DEFAULT_LOAD = "pft"
#: Seconds between looks at the folder.
INTERVAL = 0.2
#: Exit codes of --once.
OK, BROKEN, BAD_INPUT, OPEN = 0, 1, 2, 3


@click.command(name="watch", cls=Command)
@click.argument("file", metavar="FILE.py", shell_complete=completing.files)
@race_option("all")
@click.option(
    "--scenario",
    default=DEFAULT_LOAD,
    show_default=True,
    metavar="NAME|FILE.toml",
    shell_complete=completing.scenarios,
    help="The load.",
)
@click.option("--threads", type=int, metavar="N", help="Its threads.  [default: the load's most]")
@hardware_option
@jobs_option("Searches and cells")
@click.option("--once", is_flag=True, help="Look once, do not wait for a save; for scripts.")
@no_store_option
def command(
    file: str, races: tuple[str, ...], scenario: str, threads: int | None, hardware: str, jobs: int | None,
    once: bool, no_store: bool,
) -> int:  # fmt: skip
    """Look at a plugin's variants whenever its file is saved: are they safe, what does one load say?

    Races that broke the last time come first, and a race that breaks is told at once.  A save in the middle
    of a look ends it and begins another.  Other Python files in the folder count as the plugin's.

    \b
    Examples:
      spfvar watch my_idea.py
      spfvar watch my_idea.py --race 'munmap-*' --scenario page-fault3 --threads 16
      spfvar watch my_idea.py --once

    Ctrl-C ends it.  Exit codes of --once: 0 all safe; 1 a race breaks; 3 none breaks but a search was
    incomplete; 2 bad input; 130 interrupted.
    """
    from spfvar.matrix.look import Wanted

    if not Path(file).is_file():
        raise InputError("there is no such file", file=file, expected="a plugin's Python file")
    if threads is not None and threads < 1:
        raise InputError(f"{threads} threads", key="--threads", expected="1 or more")
    catalogue.races().select(races)
    if len(catalogue.scenarios().select([scenario])) != 1:
        raise InputError(f"{scenario!r} is several loads", key="--scenario", expected="one")
    catalogue.hardware().select([hardware])
    wanted = Wanted(file, races, scenario, threads, hardware, jobs, no_store)
    looks = _Looks(Path(file))
    while True:
        code = looks.one(wanted)
        if once and code is not None:
            return code
        if code is not None:
            looks.wait()
        wanted = replace(wanted, first=tuple(looks.broken))


class _Looks:
    """Looks at a file, each in a process of its own: what an edit leaves behind in one is gone with it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.broken: list[str] = []
        self._context = _processes()
        self._seen = ""

    def one(self, wanted: Wanted) -> int | None:
        """Look, and print what is seen; the exit code, or None if the file was saved meanwhile."""
        self._seen = _digest(self.file)
        self.broken = []
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_tell, args=(wanted, theirs), daemon=False)  # type: ignore[attr-defined]
        process.start()
        theirs.close()
        code, worst = OK, (OK, OPEN, BROKEN, BAD_INPUT).index
        try:
            terminal.say(f"{self.file}:")
            for seen in self._received(ours):
                if seen is None:
                    terminal.say("  saved again")
                    return None
                code = max(code, self._told(seen), key=worst)
            process.join()
        finally:
            process.terminate()  # nothing, if it has ended
            process.join()
            ours.close()
        return code if process.exitcode == 0 or code != OK else BAD_INPUT

    def wait(self) -> None:
        """Until the file, or one beside it, is another."""
        while _digest(self.file) == self._seen:
            time.sleep(INTERVAL)

    def _received(self, ours: Connection) -> Iterator[Seen | None]:
        """What the other process sees; None if the file is another by now."""
        while True:
            try:
                if ours.poll(INTERVAL):
                    yield ours.recv()
                elif _digest(self.file) != self._seen:
                    yield None
            except EOFError:
                return

    def _told(self, seen: Seen) -> int:
        from spfvar.matrix.look import Broken, Going, Measured, Searched, Trouble

        shown = sys.stderr.isatty()
        if isinstance(seen, Going):
            if shown:
                terminal.progress(f"  {seen.done}/{seen.total} races" if seen.done < seen.total else "")
            return OK
        if shown:
            terminal.progress()
        if isinstance(seen, Trouble):
            terminal.say(f"  {seen.message}", error=True)
            return BAD_INPUT
        if isinstance(seen, Broken):
            again = bool(self.broken)
            self.broken.append(seen.race)
            for line in broken_lines(seen, str(self.file), short=again):
                terminal.say(line)
            return BROKEN
        if isinstance(seen, Searched):
            terminal.say(searched_line(seen))
            return OPEN if seen.unfinished and not seen.broken else OK
        assert isinstance(seen, Measured)
        terminal.say(measured_line(seen))
        return OK


def broken_lines(seen: Broken, file: str, short: bool) -> Sequence[str]:
    """A race that breaks; of the first one also how it ends, and what replays it."""
    first = f"  {seen.variant}: {seen.prop} broken in {seen.race}, {seen.steps} steps"
    if short:
        return [first]
    replay = shlex.join(["spfvar", "replay", "--plugin", file, seen.token])
    return [f"{first} ({seen.text})", *(f"    {line}" for line in seen.end), f"    {replay}"]


def searched_line(seen: Searched) -> str:
    """ "my-idea: 174 of 177 safe, 3 broken: P4 (2), P2 (1)"."""
    parts = [f"{seen.safe} of {seen.races} safe"]
    if seen.broken:
        listed = ", ".join(f"{prop} ({count})" for prop, count in seen.broken)
        parts.append(f"{sum(count for _, count in seen.broken)} broken: {listed}")
    if seen.unfinished:
        parts.append(f"{seen.unfinished} incomplete")
    return f"  {seen.variant}: {', '.join(parts)}"


def measured_line(seen: Measured) -> str:
    """ "my-idea: pft x1.36 (1.06-1.75) of mmap-lock @56: better, SIMULATED"."""
    from spfvar.report.units import ratio

    known = math.isfinite(seen.low + seen.high)
    interval = f" ({ratio(seen.low)[1:]}-{ratio(seen.high)[1:]})" if known else ""
    place = f"{seen.load} {ratio(seen.ratio)}{interval} of {seen.baseline} @{seen.threads}"
    return f"  {seen.variant}: {place}: {seen.verdict}, SIMULATED"


def _tell(wanted: Wanted, theirs: Connection) -> None:
    """In the other process: look, and send what is seen.  Ctrl-C is for the one that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from spfvar.matrix.look import look

    for seen in look(wanted):
        theirs.send(seen)
    theirs.close()


def _processes() -> BaseContext:
    """Processes that have explorer and simulator loaded when they start, where the system can do it."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["spfvar.matrix.look"])
    return context


def _digest(file: Path) -> str:
    """Of the Python files in the folder; a file that is being replaced counts as another."""
    digest = hashlib.sha256()
    for one in sorted({file, *file.resolve().parent.glob("*.py")}):
        try:
            digest.update(str(one).encode() + one.read_bytes())
        except OSError:
            digest.update(b"gone")
    return digest.hexdigest()
