"""spfvar watch."""

from __future__ import annotations

import hashlib
import multiprocessing
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spfvar.cli import completing, terminal
from spfvar.cli.command import Command
from spfvar.cli.options import hardware_option, jobs_option, race_option, scenario_option, threads_option
from spfvar.cli.storing import no_store_option
from spfvar.errors import InputError
from spfvar.matrix import catalogue

if TYPE_CHECKING:  # the explorer and the simulator belong to the process that looks
    from spfvar.matrix.look import Broken, Measured, Searched, Seen, Wanted

DEFAULT_LOAD = "pft"
#: Seconds between looks at the folder.
INTERVAL = 0.2
#: Seconds that a look has to end when it is told to.
PATIENCE = 2.0
#: Exit codes of --once.
OK, BROKEN, BAD_INPUT, OPEN = 0, 1, 2, 3


@click.command(name="watch", cls=Command)
@click.argument("file", metavar="FILE.py", shell_complete=completing.files)
@race_option("all")
@scenario_option(DEFAULT_LOAD)
@threads_option
@hardware_option
@jobs_option("Searches and cells")
@click.option("--once", is_flag=True, help="Look once, do not wait for a save; for scripts.")
@no_store_option
def command(
    file: str, races: tuple[str, ...], scenarios: tuple[str, ...], threads: list[int], hardware: str,
    jobs: int | None, once: bool, no_store: bool,
) -> int:  # fmt: skip
    """Look at a plugin's variants whenever its file is saved: are they safe, what does one load say?

    Races that broke the last time come first, and a race that breaks is told at once.  The load is run at its
    most threads, or at --threads.  A save in the middle of a look ends it and begins another.  Other Python
    files in the folder count as the plugin's.

    \b
    Examples:
      spfvar watch my_idea.py
      spfvar watch my_idea.py --race 'munmap-*' --scenario pft --threads 16
      spfvar watch my_idea.py --once

    Ctrl-C ends it.  Exit codes of --once: 0 all safe; 1 a race breaks; 3 none breaks but a search was
    incomplete; 2 bad input; 130 interrupted.
    """
    from spfvar.matrix.look import Wanted

    if not Path(file).is_file():
        raise InputError("there is no such file", file=file, expected="a plugin's Python file")
    catalogue.races().select(races)
    loads = catalogue.scenarios().select(scenarios or [DEFAULT_LOAD])
    if len(loads) != 1:
        raise InputError(f"{', '.join(scenarios)} is several loads", key="--scenario", expected="one")
    if len(threads) > 1:
        raise InputError(f"{len(threads)} thread counts", key="--threads", expected="one")
    catalogue.hardware().select([hardware])
    count = threads[0] if threads else None
    load = scenarios[0] if scenarios else DEFAULT_LOAD
    wanted = Wanted(file, races, load, count, hardware, jobs, no_store)
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
        #: Races that broke in the last look that came to its end.
        self.broken: list[str] = []
        self._breaks: list[str] = []
        self._context = _processes()
        self._seen = ""

    def one(self, wanted: Wanted) -> int | None:
        """Look, and print what is seen; the exit code, or None if the file was saved meanwhile."""
        self._seen = _digest(self.file)
        self._breaks = []
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_tell, args=(wanted, theirs), daemon=False)  # type: ignore[attr-defined]
        code, worst = OK, (OK, OPEN, BROKEN, BAD_INPUT).index
        try:
            with _without_ctrl_c():
                process.start()
            theirs.close()
            terminal.say(f"{self.file}:")
            for seen in self._received(ours):
                if seen is None:
                    terminal.say("  saved again")
                    return None
                code = max(code, self._told(seen), key=worst)
            process.join()
        finally:
            _end(process)
            ours.close()
        if process.exitcode != 0:
            terminal.say(f"  the look was ended from outside (exit code {process.exitcode})", error=True)
            return BAD_INPUT
        self.broken = self._breaks
        return code

    def wait(self) -> None:
        """Until the file, or one beside it, is another."""
        while _digest(self.file) == self._seen:
            time.sleep(INTERVAL)

    def _received(self, ours: Connection) -> Iterator[Seen | None]:
        """What the other process sees; None if the file is another by now."""
        looked = time.monotonic()
        while True:
            if time.monotonic() - looked >= INTERVAL:
                looked = time.monotonic()
                if _digest(self.file) != self._seen:
                    yield None
            try:
                if ours.poll(INTERVAL):
                    yield ours.recv()
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
            again = bool(self._breaks)
            self._breaks.append(seen.race)
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
    from spfvar.render.units import interval, ratio

    ends = interval(seen.low, seen.high)
    known = f" ({ends})" if ends else ""
    place = f"{seen.load} {ratio(seen.ratio)}{known} of {seen.baseline} @{seen.threads}"
    return f"  {seen.variant}: {place}: {seen.verdict}, SIMULATED"


def _tell(wanted: Wanted, theirs: Connection) -> None:
    """In the other process: look, and send what is seen.  What is told to end cleans up behind itself."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    from spfvar.matrix.look import look

    for seen in look(wanted):
        theirs.send(seen)
    theirs.close()


def _end(process: BaseProcess) -> None:
    """End it, if it has not: first so that it can end those that it started."""
    if process.pid is None or process.exitcode is not None:
        return
    process.terminate()
    process.join(PATIENCE)
    if process.exitcode is None:
        process.kill()
        process.join()


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Ctrl-C goes to every process of a terminal: those that are started now leave it to this one."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _processes() -> BaseContext:
    """Processes that have explorer and simulator loaded when they start, where the system can do it."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["spfvar.matrix.look"])
    return context


def _digest(file: Path) -> str:
    """Of the Python files in the folder; a file that is being replaced counts as another.

    Editors keep files of their own there, with names that no module has.
    """
    digest = hashlib.sha256()
    beside = (one for one in file.resolve().parent.glob("*.py") if one.stem.isidentifier())
    for one in sorted({file.resolve(), *beside}):
        try:
            digest.update(str(one).encode() + one.read_bytes())
        except OSError:
            digest.update(b"gone")
    return digest.hexdigest()
