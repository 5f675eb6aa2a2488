"""A headless Chromium, driven through its DevTools protocol over a pipe: no driver and no port is needed.

Messages are JSON, each ended by a NUL; Chromium reads them from descriptor 3 and answers on 4.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
#: Seconds that an answer may take, on a machine that is busy with other tests.
PATIENCE = 60.0
_COMPLAINTS = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")


class Chromium:
    """One page of one browser.  ``complaints`` are errors and messages on its console, as they came."""

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back = to, back
        self._rest = b""
        self._number = 0
        self._session: str | None = None
        self._events: list[dict[str, Any]] = []
        self.complaints: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a command; RuntimeError if the browser refuses it."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") != self._number:
                self._events.append(answer)
            elif "error" in answer:
                raise RuntimeError(f"{method}: {answer['error']}")
            else:
                result: dict[str, Any] = answer["result"]
                return result

    def open(self, file: Path, width: int = 1280, dark: bool = False, media: str = "") -> None:
        """Load a file into a window of ``width``, as a phone has it below 600, and wait for it."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=800, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.complaints.clear()
        self._events.clear()
        self.call("Page.navigate", url=file.resolve().as_uri())
        self._loaded()

    def follow(self, selector: str) -> None:
        """Click a link to another page, and wait for it."""
        self._events.clear()
        self.call("Runtime.evaluate", expression=f"document.querySelector({json.dumps(selector)}).click()")
        self._loaded()

    def _loaded(self) -> None:
        while not any(event.get("method") == "Page.loadEventFired" for event in self._events):
            self._events.append(self._next())

    def run(self, code: str) -> Any:
        """The value of a JavaScript expression on the page; RuntimeError if it throws."""
        answer = self.call("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def press(self, key: str, code: int, text: str = "") -> None:
        """A key on the keyboard, by its name and its Windows code."""
        for kind in ("keyDown", "keyUp"):
            more = {"text": text} if text and kind == "keyDown" else {}
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **more
            )

    def console(self) -> list[str]:
        """What was written to the console since the page was opened: errors, warnings and messages."""
        self.run("new Promise(resolve => setTimeout(resolve, 50))")
        found = [event for event in self._events if event.get("method") in _COMPLAINTS]
        return [json.dumps(event["params"], sort_keys=True) for event in found]

    def _next(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self._rest:
            if not select.select([self._back], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError(f"Chromium has not answered for {PATIENCE:.0f} s")
            data = os.read(self._back, 1 << 20)
            if not data:
                raise RuntimeError("Chromium has ended")
            self._rest += data
        message, _, self._rest = self._rest.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer


@contextmanager
def chromium(profile: Path) -> Iterator[Chromium]:
    """A browser of its own, with a profile in an empty folder, ended at the end."""
    assert PROGRAM is not None
    (read, to), (back, write) = os.pipe(), os.pipe()
    arguments = [
        PROGRAM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-extensions", "--disable-background-networking", "--remote-debugging-pipe",
        f"--user-data-dir={profile}", "about:blank",
    ]  # fmt: skip
    with open(os.devnull, "r+b") as nothing:
        actions = [(os.POSIX_SPAWN_DUP2, nothing.fileno(), number) for number in (0, 1, 2)]
        # Past 9, so that neither is overwritten before it is copied.
        high = [_moved_up(read), _moved_up(write)]
        actions += [(os.POSIX_SPAWN_DUP2, number, place) for number, place in zip(high, (3, 4), strict=True)]
        pid = os.posix_spawn(PROGRAM, arguments, os.environ, file_actions=actions, setsid=True)
    for number in (read, write, *high):
        os.close(number)
    try:
        yield Chromium(to, back)
    finally:
        os.close(to)
        os.close(back)
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _moved_up(number: int) -> int:
    import fcntl

    return fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 10)
