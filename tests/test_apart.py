"""A call in a process of its own: what it gives, tells and raises comes here, and it ends when nobody wants it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from subprocess import PIPE, Popen
from threading import Thread

import pytest

from spfvar.apart import DiedError, apart
from spfvar.errors import InputError, unknown


class NotWantedError(Exception):
    """Raised by a watch."""


def doubled(number: int, tell: Callable[..., None]) -> tuple[int, int]:
    """Tell of the way, give twice the number, and say who did it."""
    tell("half", number)
    return 2 * number, os.getpid()


def refuses(_tell: Callable[..., None]) -> None:
    """Bad input, as users are told of it."""
    raise unknown("load", "ptf", ["pft"], file="there.toml", key="load")


def dies(_tell: Callable[..., None]) -> None:
    """As if the system had run out of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def sleeps(tell: Callable[..., None]) -> None:
    """Much longer than anybody waits, with a process of its own."""
    tell(os.getpid())
    apart(sleeps_alone, tell=tell, watch=lambda: None)


def sleeps_alone(tell: Callable[..., None]) -> None:
    """Much longer than anybody waits; an interrupt is not for it."""
    os.kill(os.getpid(), signal.SIGINT)
    tell(os.getpid())
    time.sleep(600)


def unpicklable(_tell: Callable[..., None]) -> object:
    """What no pipe takes."""
    return lambda: None


def tells(tell: Callable[..., None]) -> int:
    """Much, from several threads at a time."""

    def talk() -> None:
        for _ in range(50):
            tell("x" * 100_000)

    threads = [Thread(target=talk) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(threads)


def goes_on(tell: Callable[..., None]) -> None:
    """Tell who this is, and go on telling."""
    while True:
        tell(os.getpid())
        time.sleep(0.01)


def ignore(*_: object) -> None:
    """Nobody listens, nobody minds."""


def test_what_is_told_and_given() -> None:
    """In order, in the process that asked; the work is done by another one."""
    told: list[tuple[object, ...]] = []
    found, pid = apart(doubled, 21, tell=lambda *what: told.append(what), watch=ignore)
    assert (found, told) == (42, [("half", 21)])
    assert pid != os.getpid()


def test_an_error_is_raised_as_it_was() -> None:
    """With all that a message is made of."""
    with pytest.raises(InputError) as caught:
        apart(refuses, tell=ignore, watch=ignore)
    assert str(caught.value) == "there.toml: load: unknown load 'ptf': did you mean 'pft'? known: pft"


def test_a_result_that_cannot_be_sent_is_an_error_too() -> None:
    """It does not leave anybody waiting."""
    with pytest.raises(Exception, match="pickle"):
        apart(unpicklable, tell=ignore, watch=ignore)


def test_a_process_that_is_killed_is_told_of() -> None:
    """SIGKILL is what the kernel sends when there is no memory left."""
    with pytest.raises(DiedError, match="ended with code -9, without a result"):
        apart(dies, tell=ignore, watch=ignore)


def test_threads_do_not_tell_into_each_others_words() -> None:
    """A pipe takes no more than some of a long message at once."""
    told: list[str] = []
    assert apart(tells, tell=told.append, watch=ignore) == 4
    assert told == ["x" * 100_000] * 200


def test_who_asked_may_be_killed() -> None:
    """Then the process ends, too, by itself and without a word."""
    script = (
        "from spfvar.apart import apart; from tests.test_apart import goes_on, ignore\n"
        "apart(goes_on, tell=lambda pid: print(pid, flush=True), watch=ignore)"
    )
    with Popen([sys.executable, "-c", script], stdout=PIPE, stderr=PIPE, text=True) as asking:
        assert asking.stdout is not None
        assert asking.stderr is not None
        assert int(asking.stdout.readline()) > 0
        asking.kill()
        assert asking.stderr.read() == ""  # which ends when both have


@pytest.mark.parametrize("who", ["tell", "watch"])
def test_what_nobody_wants_ends_and_so_do_its_own_processes(who: str) -> None:
    """Two are running when the second has told that it is there."""
    told: list[int] = []

    def watch() -> None:
        if who == "watch" and len(told) == 2:
            raise NotWantedError

    def tell(pid: int) -> None:
        told.append(pid)
        if who == "tell" and len(told) == 2:
            raise NotWantedError

    with pytest.raises(NotWantedError):
        apart(sleeps, tell=tell, watch=watch)
    assert len(told) == 2
    for pid in told:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
