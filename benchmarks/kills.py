"""Kill -9 while `compare --save`, `check` and `hunt` run: what was finished stays, the bytes are the same.

Each command runs to its end once, with a store of its own; then with another store it is killed at a random
moment of that time, begun again, killed again, until the kills of its share are used up; then it is left to
end.  After each kill every entry of the store that was there before has to be there still, sound by its
checksum.  What the last run prints and saves has to be, byte by byte, what the undisturbed one did.

    python -m benchmarks.kills [KILLS] [SEED]
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from spfvar.store.database import Store

SPFVAR = (sys.executable, "-c", "from spfvar.cli.main import main; main()")
SAVED = "saved"
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("compare", "spf-anon", "per-vma-6.12", "--scenario", "pft", "--scenario", "file-cow", "--save", SAVED),
    ("check", "spf-anon", "--race", "munmap-*"),
    ("hunt", "spf-anon", "--size", "2", "--start", "anon", "--start", "heap"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A command that was killed so often, and went on each time.

    ``kept``: sound entries of the store after each kill; ``lost``: entries that were there after the kill
    before, and are not any more; ``same``: are the bytes those of the undisturbed run?  Times in seconds.
    """

    command: str
    kept: tuple[int, ...]
    lost: int
    same: bool
    seconds: float
    undisturbed: float


def disturb(command: Sequence[str], kills: int, folder: Path, chance: random.Random) -> Outcome:
    """Run a command undisturbed, then another time with so many kills, in a folder that it has for itself."""
    began = time.monotonic()
    wanted = _ended(command, folder / "undisturbed")
    undisturbed = time.monotonic() - began
    place = folder / "disturbed"
    kept: list[int] = []
    lost, before = 0, set[str]()
    began = time.monotonic()
    while len(kept) < kills:
        process = _started(command, place)
        try:
            process.wait(timeout=chance.uniform(0.0, undisturbed))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            now = set(_entries(place / "store"))
            lost += len(before - now)
            kept.append(len(now))
            before = now
        else:  # it came to its end: from the beginning, or there would be nothing left to disturb
            for file in place.glob("store*"):
                file.unlink()
            before = set()
    same = _ended(command, place) == wanted
    return Outcome(command[0], tuple(kept), lost, same, time.monotonic() - began, undisturbed)


def _started(command: Sequence[str], place: Path) -> subprocess.Popen[bytes]:
    """A process group of its own, with its own store, in its own folder."""
    place.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "SPFVAR_STORE": str(place / "store"), "COLUMNS": "80"}
    with (place / "out").open("wb") as out:
        return subprocess.Popen(
            [*SPFVAR, *command], cwd=place, env=environment, stdout=out, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip


def _ended(command: Sequence[str], place: Path) -> tuple[int, bytes, bytes]:
    """Exit code, output and saved file of a run that nobody disturbs."""
    code = _started(command, place).wait()
    saved = place / SAVED
    return code, (place / "out").read_bytes(), saved.read_bytes() if saved.exists() else b""


def _entries(path: Path) -> Iterator[str]:
    """The keys of the entries whose checksums are right."""
    if not path.exists():
        return
    with closing(sqlite3.connect(path)) as connection:
        try:
            keys = [key for (key,) in connection.execute("SELECT key FROM entry")]
        except sqlite3.OperationalError:  # killed before the table was there
            return
    store = Store(path)
    yield from (key for key in keys if store.get(key) is not None)
    store.close()


def main() -> None:
    """A line for each command; 1 if not all is well."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    chance = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    well = True
    for number, command in enumerate(COMMANDS):
        share = kills // len(COMMANDS) + (number < kills % len(COMMANDS))
        with TemporaryDirectory() as folder:
            found = disturb(command, share, Path(folder), chance)
        well &= found.same and not found.lost
        print(
            f"{found.command}: {share} kills, entries after each {' '.join(map(str, found.kept))};"
            f" {found.lost} lost; bytes {'equal' if found.same else 'DIFFER'}; {found.seconds:.0f} s,"
            f" undisturbed {found.undisturbed:.0f} s",
            flush=True,
        )
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
