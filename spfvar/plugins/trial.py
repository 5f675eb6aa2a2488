"""A trial: plugins first run in a process of their own; what hangs, eats memory or exits does it there.

What comes through is then run in this process.  A plugin that acts differently the second time is bounded
here too (`bounds`), but not kept from doing harm: this is for mistakes, and no sandbox.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any

from spfvar.plugins import bounds

#: Beyond its bounds, a trial that says nothing for so long hangs where no signal reaches it.
GRACE_SECONDS = 3.0
_START = (
    "import json, sys; order = json.load(sys.stdin); sys.path[:] = order['path']; "
    "from spfvar.plugins.trial_run import main; main(order, int(sys.argv[1]))"
)


@dataclass(slots=True)
class Findings:
    """Why plugins (by origin) and variants (by name) are unusable; ``cut``: those that had to be stopped."""

    plugins: dict[str, str] = field(default_factory=dict)
    variants: dict[str, str] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)


def try_out(sources: Sequence[tuple[str, str, str]], wanted: Mapping[str, str] | None = None) -> Findings:
    """Load plugins, given as (origin, kind, text), and extract the variants ``wanted``: origins by name.

    A trial that ends before its time costs its plugin the place, and is begun again without it.
    """
    found = Findings()
    names = dict(wanted or {})
    while True:
        rest = [one for one in sources if one[0] not in found.plugins]
        left = [
            name
            for name, origin in names.items()
            if name not in found.variants and origin not in found.plugins
        ]
        if not rest or (wanted is not None and not left):
            return found
        trial = _Trial(rest, {name: names[name] for name in left})
        why = trial.run(found)
        if why is None:
            return found
        if not trial.at or trial.at not in {origin for origin, _, _ in rest}:
            return found  # the trial itself is broken: the bounds of this process have to do
        if trial.name:
            found.variants[trial.name] = f"variant {trial.name}: {why}"
            found.cut.add(trial.name)
            for name, origin in names.items():
                if origin == trial.at and name in left[left.index(trial.name) + 1 :]:
                    found.variants[name] = (
                        f"variant {name}: not looked at, for {trial.name} of the same plugin was stopped"
                    )
                    found.cut.add(name)
        else:
            found.plugins[trial.at] = why


class _Trial:
    """One process; ``at`` and ``name``: what it was doing when it was last heard of."""

    def __init__(self, sources: Iterable[tuple[str, str, str]], origins: Mapping[str, str]) -> None:
        self.at = self.name = ""
        limits = (bounds.LOAD_SECONDS, bounds.CHECK_SECONDS, bounds.MEMORY)
        self._order = {
            "path": sys.path, "sources": [(kind, text) for _, kind, text in sources],
            "names": list(origins), "origins": dict(origins), "bounds": limits,
        }  # fmt: skip
        self._silence = max(limits[:2]) + GRACE_SECONDS

    def run(self, found: Findings) -> str | None:
        """Run it to its end: None; or why it did not come to it."""
        read, write = os.pipe()
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", _START, str(write)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, pass_fds=[write], start_new_session=True,
            )  # fmt: skip
        except OSError:
            os.close(read)
            return ""
        finally:
            os.close(write)
        try:
            assert process.stdin is not None
            with suppress(BrokenPipeError), process.stdin as order:
                order.write(json.dumps(self._order).encode())
            with os.fdopen(read, encoding="utf-8", errors="replace") as answers:
                return self._listen(answers, process, found)
        finally:
            _end(process)

    def _listen(self, answers: IO[str], process: subprocess.Popen[bytes], found: Findings) -> str | None:
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=_forward, args=(answers, lines), daemon=True).start()
        try:
            while line := lines.get(timeout=self._silence):
                said = json.loads(line)
                if "done" in said:
                    return None
                if (why := self._note(said, found)) is not None:
                    return why
        except queue.Empty:
            return f"never ends: stopped after {self._silence:g} s"
        except ValueError:
            return "disturbs the process that tries it out"
        finally:
            _end(process)
        return _ended(process.returncode)

    def _note(self, said: dict[str, Any], found: Findings) -> str | None:
        """Note what the trial found; what ends it, in words."""
        if "at" in said:
            self.at, self.name = said["at"], said.get("name", "")
        elif "disturbed" in said:
            return str(said["disturbed"])
        elif "plugin" in said:
            found.plugins[said["plugin"]] = said["message"]
        elif said["broken"]:
            found.variants[said["broken"]] = said["message"]
            if said["cut"]:
                found.cut.add(said["broken"])
        return None


def _forward(answers: IO[str], lines: queue.SimpleQueue[str]) -> None:
    with suppress(ValueError, OSError):
        for line in answers:
            lines.put(line)
    lines.put("")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Stop the process and what it started; once, for then its number may be somebody else's."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _ended(code: int) -> str:
    if code < 0:
        with suppress(ValueError):
            return f"ends the process: {signal.Signals(-code).name}"
    return f"ends the process (exit code {code})"
